"""A key picture as a JPEG."""

import io

import av
import pytest

from recorder.errors import StillUnavailable
from recorder.playback.stills import jpeg_of
from recorder.store.records import CodecName
from tests.fakes.video import HEIGHT, WIDTH, access_units


@pytest.mark.parametrize("codec", list(CodecName))
def test_a_key_picture_becomes_a_jpeg(codec: CodecName) -> None:
    """Of the same size, and it is the picture that was sent: each has another grey."""
    film = access_units(codec, 11, 10)
    shades = []
    for key, is_key in (film[0], film[10]):
        assert is_key
        with av.open(io.BytesIO(jpeg_of(codec.value, key)), format="jpeg_pipe") as picture:
            frame = next(picture.decode(video=0))
            assert (frame.width, frame.height) == (WIDTH, HEIGHT)
            shades.append(frame.to_ndarray(format="gray")[HEIGHT // 2, WIDTH // 2])

    assert abs(int(shades[0]) - 0) < 12
    assert abs(int(shades[1]) - 70) < 12


@pytest.mark.parametrize("data", [b"", b"\0\0\0\1\x65junk", b"\xff" * 100])
def test_what_cannot_be_decoded(data: bytes) -> None:
    """Is told in a sentence."""
    with pytest.raises(StillUnavailable, match="decoded"):
        jpeg_of("h264", data)
