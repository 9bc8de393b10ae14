"""What a JPEG picture says of itself."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.jpeg import SEGMENT_LIMIT, frame_header
from recorder.store.records import CodecName
from tests.fakes.video import access_units

SOI, COMMENT = b"\xff\xd8", b"\xff\xfe\x00\x04hi"
FRAME = b"\xff\xc0\x00\x11\x08\x00\x78\x00\xa0\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"


def size_of(picture: bytes) -> tuple[int, int]:
    header = frame_header(picture)
    assert header is not None
    height, width = struct.unpack_from("!HH", header, 5)
    return width, height


@pytest.mark.parametrize("size", [(160, 120), (1920, 1080)])
def test_a_real_picture(size: tuple[int, int]) -> None:
    """Its header tells its size, and is the same for every picture of a film."""
    film = [picture for picture, _ in access_units(CodecName.MJPEG, 5, 1, *size)]

    assert {size_of(picture) for picture in film} == {size}
    assert len({frame_header(picture) for picture in film}) == 1


def test_a_header_behind_others() -> None:
    """Whatever stands before it is passed over, and so are bytes that fill up."""
    assert frame_header(SOI + COMMENT + b"\xff\xc4\x00\x03x\xff\xff\xff\xff" + FRAME[1:] + b"rest") == FRAME


@pytest.mark.parametrize("kind", [0xC1, 0xC2, 0xC9, 0xCF])
def test_other_codings(kind: int) -> None:
    """Progressive and other pictures have a header too."""
    other = b"\xff" + bytes((kind,)) + FRAME[2:]
    assert frame_header(SOI + other) == other


@pytest.mark.parametrize(
    "picture",
    [
        b"",
        FRAME,
        SOI,
        SOI + COMMENT,
        SOI + FRAME[:-1],
        SOI + b"\xff\xda\x00\x02" + FRAME,
        SOI + b"\xff\xd9\x00\x02" + FRAME,
        SOI + b"\x00" + FRAME,
        SOI + b"\xff\xc0\x00\x02",
        SOI + COMMENT * SEGMENT_LIMIT + FRAME,
        SOI + b"\xff" * 1_000_000,
    ],
)
def test_no_header(picture: bytes) -> None:
    """No JPEG, cut off, the scan before it, or so far behind that it is not looked for."""
    assert frame_header(picture) is None


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Nothing is raised; what is found stands in the picture and begins as a frame header does."""
    found = frame_header(SOI + data)
    assert found is None or (found in data and found[0] == 0xFF and found[1] & 0xF0 == 0xC0)
