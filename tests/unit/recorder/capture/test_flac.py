"""Samples as FLAC frames: a decoder that this project did not write gives them back."""

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.flac import NUMBER_LIMIT, SAMPLES_MOST, stream_info, verbatim_frame
from tests.fakes.sound import samples as tone


def whole(frames: list[bytes], rate_hz: int, channels: int) -> bytes:
    """A file of FLAC by itself."""
    return b"fLaC\x80\x00\x00\x22" + stream_info(rate_hz, channels) + b"".join(frames)


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_foreign_decoder_gives_the_samples_back(tmp_path: Path, channels: int) -> None:
    """Every sample, from frames of different lengths; checksums are looked at, and the decoder complains of nothing."""
    sound = np.repeat(tone(8000, 1.0), channels) + np.tile(np.arange(channels, dtype=np.int16), 8000)
    frames, at = [], 0
    for count in (16, 160, 161, 4096, 3567):
        frame = verbatim_frame(sound[at * channels : (at + count) * channels].astype("<i2").tobytes(), channels, at)
        assert frame is not None
        frames.append(frame)
        at += count
    path = tmp_path / "sound.flac"
    path.write_bytes(whole(frames, 8000, channels))

    command = ["ffmpeg", "-v", "error", "-xerror", "-err_detect", "crccheck+explode", "-i", str(path)]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    assert done.stdout == sound[: at * channels].astype("<i2").tobytes()


def test_a_wrong_checksum_would_be_seen(tmp_path: Path) -> None:
    """The decoder of the test above does look."""
    frame = verbatim_frame(tone(8000, 0.02).astype("<i2").tobytes(), 1, 0)
    assert frame is not None
    path = tmp_path / "sound.flac"
    path.write_bytes(whole([frame[:-1] + bytes([frame[-1] ^ 1])], 8000, 1))

    command = [
        "ffmpeg",
        "-v",
        "error",
        "-xerror",
        "-err_detect",
        "crccheck+explode",
        "-i",
        str(path),
        "-f",
        "null",
        "-",
    ]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0


@given(st.lists(st.integers(-32768, 32767), min_size=16, max_size=600), st.integers(0, 1 << 40))
def test_any_samples_and_any_number(values: list[int], number: int) -> None:
    """What went in is what a decoder gives, wherever the frame begins."""
    frame = verbatim_frame(np.array(values, "<i2").tobytes(), 1, number)
    assert frame is not None

    decoder = av.CodecContext.create("flac", "r")
    decoder.extradata = stream_info(8000, 1)
    (decoded,) = decoder.decode(av.Packet(frame))
    assert decoded.to_ndarray().reshape(-1).tolist() == values


def test_numbers_grow_longer_as_in_utf_8() -> None:
    """One byte to six; behind 31 bits they begin anew."""
    silence = bytes(32)
    sizes = [len(verbatim_frame(silence, 1, 1 << bits) or b"") for bits in (0, 7, 11, 16, 21, 26)]

    assert [size - sizes[0] for size in sizes] == [0, 1, 2, 3, 4, 5]
    assert verbatim_frame(silence, 1, NUMBER_LIMIT + 5) == verbatim_frame(silence, 1, 5)


def test_what_is_no_frame() -> None:
    """Fewer samples than a frame has, more than it can have, or half a sample."""
    assert verbatim_frame(bytes(30), 1, 0) is None
    assert verbatim_frame(bytes(33), 1, 0) is None
    assert verbatim_frame(bytes(66), 4, 0) is None
    assert verbatim_frame(bytes(2 * SAMPLES_MOST + 2), 1, 0) is None
    assert verbatim_frame(b"", 1, 0) is None
