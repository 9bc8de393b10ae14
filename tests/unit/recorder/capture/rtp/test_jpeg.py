"""JPEG out of RTP."""

import io
import tracemalloc
from collections.abc import Iterable
from functools import lru_cache

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.assembly import PARTS_LIMIT
from recorder.capture.rtp.jpeg import EOI, SOI, JpegDepacketiser, computed_tables
from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit
from recorder.store.records import CodecName
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import jpeg_payloads, jpeg_segments

SIZE = (160, 120)


SAMPLINGS = {0: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, 1: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420}


@lru_cache(maxsize=200)
def pictures(kind: int = 1, restart_interval: int = 0, quality: int = 75) -> tuple[bytes, ...]:
    """JPEG files of one RTP type, every one different."""
    noise, out = np.random.default_rng(1), []
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, restart_interval]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[kind]]
    for _ in range(6):
        shot = noise.integers(0, 256, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        out.append(cv2.imencode(".jpg", shot, options)[1].tobytes())
    return tuple(out)


def planes(picture: bytes) -> list[np.ndarray]:
    """What a decoder makes of it, before any conversion of colours."""
    with av.open(io.BytesIO(picture), format="mjpeg") as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        (frame,) = container.decode(video=0)
    assert isinstance(frame, av.VideoFrame)
    return [np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width] for plane in frame.planes]


def same_pixels(one: bytes, other: bytes) -> bool:
    return all(np.array_equal(mine, yours) for mine, yours in zip(planes(one), planes(other), strict=True))


class Fed:
    """A depacketiser and what came out of it; where payloads lay is written over after every third."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self.depacketiser = JpegDepacketiser(size)
        self.out: list[AccessUnit] = []
        self._places: list[bytearray] = []

    def feed(self, payload: bytes, stamp: int, marker: bool = False) -> None:
        self._places.append(bytearray(payload))
        self.out += self.depacketiser.feed(memoryview(self._places[-1]), stamp, marker)
        if len(self._places) == 3:
            self.depacketiser.settle()
            for one in self._places:
                one[:] = bytes(len(one))
            self._places.clear()

    def picture(self, payloads: Iterable[tuple[bytes, bool]], stamp: int) -> None:
        """All packets of one picture."""
        for payload, marker in payloads:
            self.feed(payload, stamp, marker)


def scans(fed: Fed) -> list[bytes]:
    return [jpeg_segments(one.data)[1] for one in fed.out]


def scan(picture: bytes) -> bytes:
    return jpeg_segments(picture)[1]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("restart_interval", [0, 7])
@pytest.mark.parametrize("most", [40, 1400, 60_000])
def test_a_film_in_packets(kind: int, restart_interval: int, most: int) -> None:
    """What libjpeg made comes out as files that decode to the very same pixels, each with its time stamp."""
    film, fed = pictures(kind, restart_interval), Fed()
    assert (0xDD in jpeg_segments(film[0])[0]) == bool(restart_interval)
    for index, picture in enumerate(film):
        fed.picture(jpeg_payloads(picture, most), index * 3600)

    assert all(same_pixels(one.data, picture) for one, picture in zip(fed.out, film, strict=True))
    assert [(one.timestamp, one.is_key, one.damaged) for one in fed.out] == [
        (index * 3600, True, False) for index in range(len(film))
    ]
    assert all(one.data.startswith(SOI) and one.data.endswith(EOI) for one in fed.out)


@pytest.mark.parametrize("is_whole", [True, False])
def test_the_last_picture_without_a_marker(is_whole: bool) -> None:
    """It comes when the camera says that nothing follows; what has a hole does not."""
    film, fed = pictures(), Fed()
    fed.picture([(payload, False) for payload, _ in jpeg_payloads(film[0], 400)], 0)
    if not is_whole:
        fed.depacketiser.lost()

    assert [scan(one.data) == scan(film[0]) for one in fed.depacketiser.finish()] == [True] * is_whole
    assert list(fed.depacketiser.finish()) == []


def test_a_film_whose_quality_changes() -> None:
    """What FFmpeg made, with restart markers and other tables from picture to picture: the very same pixels."""
    film, fed = [shot for shot, _ in access_units(CodecName.MJPEG, 30)], Fed()
    assert len({jpeg_segments(picture)[0][0xDB] for picture in film}) > 1
    for index, picture in enumerate(film):
        fed.picture(jpeg_payloads(picture, 200), index * 3600)

    assert all(same_pixels(one.data, picture) for one, picture in zip(fed.out, film, strict=True))


@pytest.mark.parametrize("q", range(1, 100))
def test_tables_that_are_computed(q: int) -> None:
    """For Q from 1 to 99 they are those of libjpeg at that quality, and need not be sent."""
    picture, fed = pictures(quality=q)[0], Fed()
    fed.picture(jpeg_payloads(picture, 500, q), 7)

    tables = jpeg_segments(picture)[0][0xDB]
    assert computed_tables(q) == (tables[1:65], tables[66:])
    assert same_pixels(fed.out[0].data, picture)


def test_tables_are_remembered_by_their_number() -> None:
    """From 128 to 254 they need be sent once; another number has others (3.1.8)."""
    (one, other, *_), fed = pictures(), Fed()
    fed.picture(jpeg_payloads(one, 1400, 128), 1)
    fed.picture(jpeg_payloads(other, 1400, 129, tables=False), 2)
    fed.picture(jpeg_payloads(other, 1400, 128, tables=False), 3)

    assert scans(fed) == [scan(one), scan(other)]
    assert [(unit.timestamp, unit.damaged) for unit in fed.out] == [(1, False), (3, True)]
    assert same_pixels(fed.out[1].data, other)


def test_tables_of_number_255_are_never_remembered() -> None:
    """They may change with every picture: one without is dropped."""
    (one, other, *_), fed = pictures(), Fed()
    fed.picture(jpeg_payloads(one, 1400, 255), 1)
    fed.picture(jpeg_payloads(other, 1400, 255, tables=False), 2)

    assert scans(fed) == [scan(one)]


def test_tables_that_are_cut_off_are_not_remembered() -> None:
    """A packet that ends before its tables do has none, be it at the end of one of them."""
    fed = Fed()
    fed.feed(head(q=128) + b"\0\0\0\x80" + bytes(64), 1, True)
    fed.feed(head(q=128) + b"\0\0\0\0scan", 2, True)

    assert fed.out == []


def head(*, offset: int = 0, kind: int = 1, q: int = 50, width: int = 20, height: int = 15) -> bytes:
    return b"\0" + offset.to_bytes(3, "big") + bytes((kind, q, width, height))


@pytest.mark.parametrize(
    "payload",
    [
        head(q=0) + b"scan",
        head(q=100) + b"scan",
        head(q=127) + b"scan",
        head(kind=2) + b"scan",
        head(kind=66) + b"\0\1\xff\xffscan",
        head(kind=128) + b"scan",
        head(width=0) + b"scan",
        head(height=0) + b"scan",
        head(offset=4) + b"scan",
        head()[:7],
        head(kind=65) + b"\0\1\xff",
        head(q=128),
        head(q=128) + b"\0\0\0",
        head(q=128) + b"\0\0\0\x80" + bytes(127),
        head(q=128) + b"\0\0\0\x50" + bytes(0x50) + b"scan",
        head(q=128) + b"\0\0\x01\x40" + bytes(320) + b"scan",
        head(),
    ],
)
def test_what_cannot_be_understood(payload: bytes) -> None:
    """Nothing is handed out for it; the next picture tells that something is missing, the one after does not."""
    one, fed = pictures()[0], Fed()
    fed.feed(payload, 1, marker=True)
    assert fed.out == []

    fed.picture(jpeg_payloads(one, 1400), 2)
    fed.picture(jpeg_payloads(one, 1400), 3)
    assert [unit.damaged for unit in fed.out] == [True, False]


def test_tables_of_other_shapes() -> None:
    """One for all components; two-byte numbers, as the precision bits say; up to four, of which two are used."""
    one, two_bytes, four = bytes(range(1, 65)), bytes(128), bytes(256)
    found = []
    for precision, tables in ((0, one), (2, one + two_bytes), (0, four)):
        fed = Fed()
        fed.feed(head(q=255) + bytes((0, precision)) + len(tables).to_bytes(2, "big") + tables + b"scan", 1, True)
        segments, rest = jpeg_segments(fed.out[0].data)
        assert rest == b"scan" + EOI
        found.append((segments[0xDB], segments[0xC0][8::3]))

    assert found == [
        (b"\0" + one, b"\0\0\0"),
        (b"\0" + one + b"\x11" + two_bytes, b"\0\1\1"),
        (b"".join(bytes((index,)) + bytes(64) for index in range(4)), b"\0\1\1"),
    ]


@pytest.mark.parametrize("missing", ["first", "middle", "last"])
def test_a_picture_with_a_hole_is_dropped(missing: str) -> None:
    """Wherever the hole is; those before and behind it come out whole, and the one behind tells of it."""
    (before, broken, after, *_), fed = pictures(), Fed()
    fed.picture(jpeg_payloads(before, 300), 1)
    packets = list(jpeg_payloads(broken, 300))
    gone = {"first": 0, "middle": len(packets) // 2, "last": len(packets) - 1}[missing]
    for index, (payload, marker) in enumerate(packets):
        if index == gone:
            fed.depacketiser.lost()
        else:
            fed.feed(payload, 2, marker)
    fed.picture(jpeg_payloads(after, 300), 3)

    assert scans(fed) == [scan(before), scan(after)]
    assert [one.damaged for one in fed.out] == [False, True]


def test_a_hole_of_exactly_one_picture() -> None:
    """The pictures around it are whole; the one behind tells of it."""
    (before, _, after, *_), fed = pictures(), Fed()
    fed.picture(jpeg_payloads(before, 300), 1)
    fed.depacketiser.lost()
    fed.picture(jpeg_payloads(after, 300), 3)

    assert [(one.timestamp, one.damaged) for one in fed.out] == [(1, False), (3, True)]


def test_a_camera_that_sets_no_markers() -> None:
    """A picture ends where the next begins; with packets missing between, its end may be among them."""
    film, fed = pictures(), Fed()
    for stamp, picture in enumerate(film[:3]):
        fed.picture(((payload, False) for payload, _ in jpeg_payloads(picture, 300)), stamp)
    fed.depacketiser.lost()
    fed.picture(((payload, False) for payload, _ in jpeg_payloads(film[3], 300)), 3)
    fed.feed(head() + b"x", 4)

    assert scans(fed) == [scan(film[0]), scan(film[1]), scan(film[3])]
    assert [one.damaged for one in fed.out] == [False, False, True]


@pytest.mark.parametrize("marked", [True, False])
def test_two_fields_under_one_time_stamp(marked: bool) -> None:
    """Each is a picture, with a marker or without."""
    (odd, even, *_), fed = pictures(), Fed()
    for picture in (odd, even):
        for payload, marker in jpeg_payloads(picture, 300):
            fed.feed(payload, 1, marker and (marked or picture is even))

    assert scans(fed) == [scan(odd), scan(even)]
    assert not any(one.damaged for one in fed.out)


def test_pictures_larger_than_packets_can_tell() -> None:
    """Their size is that of the camera's description."""
    fed = Fed((3840, 2160))
    fed.feed(head(width=0, height=0) + b"scan", 1, True)
    fed.feed(head(width=20, height=15) + b"scan", 2, True)

    frames = [jpeg_segments(one.data)[0][0xC0] for one in fed.out]
    assert [(int.from_bytes(one[3:5], "big"), int.from_bytes(one[1:3], "big")) for one in frames] == [
        (3840, 2160),
        (160, 120),
    ]


def test_an_end_that_the_camera_left_out() -> None:
    """It is set; one that is there is not doubled."""
    fed = Fed()
    fed.feed(head() + b"scan", 1, True)
    fed.feed(head() + b"scan" + EOI, 2, True)

    assert scans(fed) == [b"scan" + EOI] * 2


def test_a_picture_in_tiny_pieces() -> None:
    """It comes out whole, and takes on the way what it has in bytes, and no more for each piece."""
    depacketiser, count = JpegDepacketiser(), 10 * PARTS_LIMIT
    tracemalloc.start()
    try:
        for at in range(count):
            depacketiser.feed(memoryview(head(offset=at) + b"."), 10, False)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (done,) = depacketiser.finish()

    assert scan(done.data) == b"." * count + EOI
    assert peak_bytes < 2 * PARTS_LIMIT * 300 < count * 200


def test_a_picture_without_end_is_dropped() -> None:
    """Memory has a bound, and the next picture is none the worse."""
    piece, fed = bytes(60_000), Fed()
    for offset in range(0, UNIT_LIMIT_BYTES + len(piece), len(piece)):
        fed.feed(head(offset=offset) + piece, 1)
    fed.feed(head(offset=offset + len(piece)) + b"end", 1, True)
    assert fed.out == []

    fed.feed(head() + b"scan", 2, True)
    assert [(one.timestamp, one.damaged) for one in fed.out] == [(2, True)]


@given(st.data())
def test_no_loss_makes_a_false_picture(data: st.DataObject) -> None:
    """Whatever packets are missing, each picture that comes out is one that went in, in order, each at most once."""
    film, fed = pictures(), Fed()
    sent = [(payload, stamp, marker) for stamp, shot in enumerate(film) for payload, marker in jpeg_payloads(shot, 900)]
    gone = data.draw(st.sets(st.integers(0, len(sent) - 1)))
    for index, packet in enumerate(sent):
        if index in gone:
            fed.depacketiser.lost()
        else:
            fed.feed(*packet)

    whole = [
        stamp
        for stamp in range(len(film))
        if not any(index in gone for index, one in enumerate(sent) if one[1] == stamp)
    ]
    assert [one.timestamp for one in fed.out] == whole
    assert scans(fed) == [scan(film[stamp]) for stamp in whole]


PAYLOADS = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda offset, kind, q, rest: head(offset=offset, kind=kind, q=q) + rest,
        st.integers(0, 40),
        st.sampled_from([0, 1, 64, 65, 3]),
        st.sampled_from([1, 60, 99, 100, 128, 255]),
        st.binary(max_size=40),
    ),
)


@given(st.lists(st.tuples(PAYLOADS, st.integers(0, 3), st.booleans(), st.booleans()), max_size=60))
def test_any_payloads(steps: list[tuple[bytes, int, bool, bool]]) -> None:
    """Nothing is raised; what comes out are files, with no more in their scans than went in."""
    fed = Fed()
    for payload, stamp, marker, hole in steps:
        if hole:
            fed.depacketiser.lost()
        fed.feed(payload, stamp, marker)

    assert all(one.data.startswith(SOI) and one.data.endswith(EOI) and one.is_key for one in fed.out)
    assert sum(len(one) - len(EOI) for one in scans(fed)) <= sum(len(payload) for payload, *_ in steps)
