"""H.264 out of RTP."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.nal import units
from recorder.capture.rtp.h264 import H264Depacketiser
from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit
from recorder.store.records import CodecName
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import annex_b, h264_payloads, picture

SPS, PPS, SEI = b"\x67\x42\x00\x1e", b"\x68\xce\x38\x80", b"\x06\x05\x01\x00\x80"
IDR, SLICE, SECOND = b"\x65\x88\x80\x40", b"\x41\x9a\x00\x11", b"\x41\x22\x00\x33"


class Fed:
    """A depacketiser and what came out of it."""

    def __init__(self) -> None:
        self.depacketiser = H264Depacketiser()
        self.out: list[AccessUnit] = []

    def feed(self, payload: bytes, stamp: int, marker: bool = False) -> None:
        self.out += self.depacketiser.feed(memoryview(payload), stamp, marker)


def test_a_film_in_small_packets() -> None:
    """What x264 made comes out as it went in, picture by picture, with its key frames known."""
    shots = list(access_units(CodecName.H264, 50, 25))
    fed = Fed()
    for stamp, (shot, _) in enumerate(shots):
        for payload, marker in h264_payloads(list(units(shot)), 300):
            fed.feed(payload, stamp * 3600, marker)

    assert [one.data for one in fed.out] == [annex_b(list(units(shot))) for shot, _ in shots]
    assert [one.is_key for one in fed.out] == [is_key for _, is_key in shots]
    assert not any(one.damaged for one in fed.out)


def test_an_aggregate_of_sets_before_a_key_picture() -> None:
    """STAP-A: its units belong to the picture that follows, although it has a marker of its own."""
    stap = b"\x78" + b"".join(len(one).to_bytes(2, "big") + one for one in (SPS, PPS))
    fed = Fed()
    fed.feed(stap, 1, marker=True)
    fed.feed(IDR, 3600, marker=True)

    assert fed.out == [picture([SPS, PPS, IDR], 3600, is_key=True)]


def test_a_camera_without_markers() -> None:
    """A picture ends where the time stamp changes."""
    fed = Fed()
    for stamp in (10, 20, 30):
        fed.feed(SLICE, stamp)
        fed.feed(SECOND, stamp)

    assert [(one.timestamp, one.data) for one in fed.out] == [
        (10, annex_b([SLICE, SECOND])),
        (20, annex_b([SLICE, SECOND])),
    ]


def test_the_last_picture_without_a_marker() -> None:
    """It comes when the camera says that nothing follows; then there is nothing left."""
    fed = Fed()
    fed.feed(SLICE, 10, marker=True)
    fed.feed(SLICE, 20)
    fed.feed(SECOND, 20)

    assert [one.data for one in fed.depacketiser.finish()] == [annex_b([SLICE, SECOND])]
    assert list(fed.depacketiser.finish()) == []


def test_a_camera_that_marks_every_unit() -> None:
    """Once seen, its markers count no more: later pictures are whole."""
    fed = Fed()
    for stamp in (10, 20, 30, 40):
        fed.feed(SLICE, stamp, marker=True)
        fed.feed(SECOND, stamp, marker=True)

    assert fed.out[0].data == annex_b([SLICE])
    assert [one.data for one in fed.out[-2:]] == [annex_b([SLICE, SECOND])] * 2
    assert not fed.out[-1].damaged


def test_time_stamps_that_stand_still() -> None:
    """A looping file server gives every picture the same one: the markers part them."""
    fed = Fed()
    for _ in range(5):
        fed.feed(SLICE, 7, marker=True)

    assert [one.data for one in fed.out] == [annex_b([SLICE])] * 5


def test_a_packet_lost_inside_a_fragmented_unit() -> None:
    """Half a unit is shown to no decoder; the picture that lost it, or the next one, says so."""
    fed = Fed()
    pieces = list(h264_payloads([SLICE, SECOND + b"x" * 900], 300))
    for index, (payload, marker) in enumerate(pieces):
        if index == 2:
            fed.depacketiser.lost()
            continue
        fed.feed(payload, 10, marker)
    fed.feed(SLICE, 20, marker=True)

    assert [(one.data, one.damaged) for one in fed.out] == [(annex_b([SLICE]), True), (annex_b([SLICE]), False)]


def test_a_picture_lost_whole() -> None:
    """The next one carries the damage."""
    fed = Fed()
    fed.feed(b"\x7c\x81first", 10)
    fed.depacketiser.lost()
    fed.feed(SLICE, 20, marker=True)
    fed.feed(SLICE, 30, marker=True)

    assert [one.damaged for one in fed.out] == [True, False]


def test_a_stream_that_never_sends_idr() -> None:
    """A recovery point at the picture itself lets decoding begin; a later one does not (H.264, D.1.8)."""
    fed = Fed()
    for sei in (b"\x06\x06\x01\xc4\x80", b"\x06\x06\x01\x24\x80"):
        fed.feed(sei, 10)
        fed.feed(SLICE, 10, marker=True)

    assert [one.is_key for one in fed.out] == [True, False]


def test_a_picture_without_end() -> None:
    """It is cut off at the bound, and memory with it."""
    fed = Fed()
    piece = b"\x7c\x01" + b"x" * 60_000
    fed.feed(SLICE, 10)
    fed.feed(b"\x7c\x81x", 10)
    for _ in range(UNIT_LIMIT_BYTES // 60_000 + 10):
        fed.feed(piece, 10)
    fed.feed(SEI, 10, marker=True)

    assert fed.out == [picture([SLICE, SEI], 10, damaged=True)]


STEPS = st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 3), st.booleans(), st.booleans()), max_size=60)


@given(STEPS)
def test_any_payloads(steps: list[tuple[bytes, int, bool, bool]]) -> None:
    """Nothing is raised, and no more comes out than went in."""
    fed = Fed()
    for payload, stamp, marker, hole in steps:
        if hole:
            fed.depacketiser.lost()
        fed.feed(payload, stamp, marker)

    assert sum(len(one.data) for one in fed.out) <= sum(3 * len(payload) + 8 for payload, *_ in steps)
