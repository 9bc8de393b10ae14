"""Pictures out of NAL units, whatever the codec."""

import tracemalloc
from typing import Literal

import pytest

from recorder.capture.rtp.assembly import PARTS_LIMIT, START_CODE, STARTS_LIMIT, Assembly
from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit

How = Literal["one by one", "together"]


def test_a_hole_between_two_pictures() -> None:
    """What is missing may have been the end of one or the beginning of the other: both say so."""
    picture = Assembly()
    picture.at(10)
    picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)
    picture.lost()
    first = picture.at(20)
    picture.unit(memoryview(b"b"), is_slice=True, is_first=True, is_key=False)
    second = picture.marked()

    assert [one.damaged for one in (*first, *second)] == [True, True]


def test_a_unit_that_begins_inside_another() -> None:
    """The one before never ended: it is dropped."""
    picture = Assembly()
    picture.at(10)
    picture.begin_fragment(b"h", memoryview(b"never ends"))
    picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)

    assert [(one.data, one.damaged) for one in picture.marked()] == [(b"\x00\x00\x00\x01a", True)]


class Place:
    """Where payloads lie, one after the other in the same place."""

    def __init__(self) -> None:
        self._bytes = bytearray(16)

    def put(self, data: bytes) -> memoryview:
        self._bytes[: len(data)] = data
        return memoryview(self._bytes)[: len(data)]


def test_a_place_that_is_written_over() -> None:
    """Once settled, a picture keeps what it was given: units, beginnings of units, and their first bytes."""
    picture, place = Assembly(), Place()
    picture.at(10)
    picture.unit(place.put(b"sets"), is_slice=False, is_first=False, is_key=False)
    picture.settle()
    picture.begin_fragment(b"h", place.put(b""))
    picture.settle()
    for piece in (b"\xc0ne", b"two", b"three"):
        picture.more(place.put(piece))
        picture.settle()
        picture.settle()

    assert picture.fragment_first_byte(1) == 0xC0
    picture.end_fragment(is_slice=True, is_first=True, is_key=True)
    assert picture.marked() == (AccessUnit(b"\0\0\0\1sets\0\0\0\1h\xc0netwothree", 10, True, False, (0, 8)),)


def test_a_unit_that_breaks_off_after_it_was_settled() -> None:
    """It is cut off where it began, whether what stands before it was settled with it or earlier."""
    for settles in ((True, True), (False, True), (True, False), (False, False)):
        picture, place = Assembly(), Place()
        picture.at(10)
        picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)
        if settles[0]:
            picture.settle()
        picture.begin_fragment(b"h", memoryview(b"begins"))
        picture.more(place.put(b"goes on"))
        if settles[1]:
            picture.settle()
        picture.lost()
        picture.at(10)
        picture.unit(place.put(b"b"), is_slice=True, is_first=False, is_key=False)
        picture.settle()

        assert picture.finish() == (AccessUnit(b"\0\0\0\1a\0\0\0\1b", 10, False, True, (0, 5)),)


def _in_tiny_pieces(picture: Assembly, count: int, how: How) -> None:
    """So many pieces of a unit that has begun, of two bytes each."""
    if how == "together":
        for _ in range(count // 100):
            picture.grow([memoryview(b"..") for _ in range(100)], 200)
        return
    for _ in range(count):
        picture.at(10)
        picture.more(memoryview(b".."))


@pytest.mark.parametrize("how", ["one by one", "together"])
def test_a_picture_in_tiny_pieces(how: How) -> None:
    """It comes out whole, and takes on the way what it has in bytes, and no more for each piece."""
    count = 20 * PARTS_LIMIT
    picture = Assembly()
    picture.at(10)
    picture.begin_fragment(b"h", memoryview(b"\xff"))
    tracemalloc.start()
    try:
        _in_tiny_pieces(picture, count, how)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    picture.end_fragment(is_slice=True, is_first=True, is_key=False)
    (done,) = picture.marked()

    assert len(done.data) == len(START_CODE) + 2 + 2 * (count // 100 * 100 if how == "together" else count)
    assert peak_bytes < 2 * PARTS_LIMIT * 250 < count * 200


@pytest.mark.parametrize("how", ["one by one", "together"])
def test_a_unit_in_tiny_pieces_that_breaks_off(how: How) -> None:
    """However many they were, it is cut off where it began; what follows begins there."""
    picture = Assembly()
    picture.at(10)
    picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)
    picture.begin_fragment(b"h", memoryview(b"\xff"))
    _in_tiny_pieces(picture, 2 * PARTS_LIMIT + 100, how)
    picture.lost()
    picture.at(10)
    picture.unit(memoryview(b"b"), is_slice=True, is_first=False, is_key=False)

    assert picture.finish() == (AccessUnit(b"\0\0\0\1a\0\0\0\1b", 10, False, True, (0, 5)),)


def test_room_for_a_unit_in_pieces() -> None:
    """There is none unless one is growing that is whole so far, and never more than a picture may have."""
    picture = Assembly()
    picture.at(10)
    assert picture.room() == 0
    picture.begin_fragment(b"h", memoryview(b"\xff"))
    assert picture.room() == UNIT_LIMIT_BYTES - 6
    picture.grow([memoryview(b"abc"), memoryview(b"de")], 5)
    assert picture.room() == UNIT_LIMIT_BYTES - 11
    picture.lost()
    assert picture.room() == 0


def test_more_units_than_any_camera_sends() -> None:
    """The picture comes out as it came in, without their places; the next one has them again."""
    picture = Assembly()
    for stamp, count in ((10, STARTS_LIMIT), (20, STARTS_LIMIT + 1), (30, 1)):
        picture.at(stamp)
        for _ in range(count):
            picture.unit(memoryview(b"a"), is_slice=True, is_first=True, is_key=False)
        picture.begin_fragment(b"h", memoryview(b"breaks off"))
        (done,) = picture.marked()

        assert done.data == b"\0\0\0\1a" * count
        assert done.unit_starts == (() if count > STARTS_LIMIT else tuple(range(0, 5 * count, 5)))
