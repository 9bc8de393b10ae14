"""One track's packets: whose they are and what is missing."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.receiver import (
    FOREIGN_IN_A_ROW,
    FOREIGN_LIMIT,
    GOODBYE_US,
    REPORT_PERIOD_US,
    TrackReceiver,
)
from recorder.capture.rtp.units import AccessUnit
from recorder.errors import SourceMixed


class Whole:
    """A depacketiser for which every packet is a picture."""

    def __init__(self) -> None:
        self.holes = 0

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        return (AccessUnit(bytes(payload), timestamp, marker, False),)

    def lost(self) -> None:
        self.holes += 1

    def finish(self) -> Sequence[AccessUnit]:
        return (AccessUnit(b"rest", 0, False, False),)


def packet(
    number: int, payload: bytes = b"x", *, ssrc: int = 1, kind: int = 96, first: int = 0x80, stamp: int = 0
) -> bytes:
    return struct.pack("!BBHII", first, kind, number & 0xFFFF, stamp, ssrc) + payload


class Fed:
    """A receiver over `Whole`."""

    def __init__(self, ssrc: int | None = None) -> None:
        self.whole = Whole()
        self.receiver = TrackReceiver(self.whole, 96, 90_000, own_ssrc=9, ssrc=ssrc)

    def feed(self, data: bytes) -> list[bytes]:
        return [one.data for one in self.receiver.rtp(memoryview(data), 0)]


def test_a_header_with_everything() -> None:
    """Contributing sources, an extension and padding are not payload (RFC 3550, 5.1 and 5.3.1)."""
    fed = Fed()
    body = b"\0" * 8 + struct.pack("!HH", 0xABAC, 1) + b"time" + b"payload" + b"\0\0\x03"

    assert fed.feed(packet(1, body, first=0x80 | 0x20 | 0x10 | 2)) == [b"payload"]


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x60", packet(1, first=0x40), packet(1, b"\0", first=0x9F), packet(1, b"\xff", first=0xA0)]
)
def test_a_packet_that_is_none(data: bytes) -> None:
    """It is counted and left out."""
    fed = Fed()

    assert fed.feed(data) == []
    assert fed.receiver.tally.malformed == 1


def test_an_empty_packet_begins_the_time_of_what_follows() -> None:
    """Some cameras send one before the first: the picture behind it has its own stamp, not that of the one before."""
    fed = Fed()
    first = fed.receiver.rtp(memoryview(packet(1, b"", stamp=3_000_000_000)), 0)
    second = fed.receiver.rtp(memoryview(packet(2, stamp=3_000_000_000)), 0)

    assert (list(first), [one.timestamp for one in second]) == ([], [3_000_000_000])


def test_a_hole_a_duplicate_and_another_payload_type() -> None:
    """The depacketiser is told of the hole; the rest is counted."""
    fed = Fed()
    for data in (packet(1), packet(1), packet(4), packet(5, kind=97)):
        fed.feed(data)

    tally = fed.receiver.tally
    assert (tally.packets, tally.lost, tally.duplicates, tally.other_type) == (2, 2, 1, 1)
    assert fed.whole.holes == 1


def test_media_of_a_dead_session_on_the_new_connection() -> None:
    """What the camera announced is waited for; the rest of the old stream is left out (quirk 11)."""
    fed = Fed(ssrc=2)
    old = [fed.feed(packet(number, ssrc=1)) for number in range(FOREIGN_IN_A_ROW - 1)]

    assert old == [[]] * (FOREIGN_IN_A_ROW - 1)
    assert fed.feed(packet(50, b"new", ssrc=2)) == [b"new"]


def test_a_camera_that_announces_another_source_than_it_sends() -> None:
    """What it sends is taken in the end."""
    fed = Fed(ssrc=2)
    for number in range(FOREIGN_IN_A_ROW):
        fed.feed(packet(number, ssrc=1))

    assert fed.feed(packet(FOREIGN_IN_A_ROW, b"here", ssrc=1)) == [b"here"]


def test_two_sessions_mixed_for_good() -> None:
    """The session is ended with a name for it: the older one must be forgotten first."""
    fed = Fed()
    mixed = [packet(number, ssrc=ssrc) for number in range(FOREIGN_LIMIT) for ssrc in (1, 2)]
    for data in mixed:
        fed.feed(data)

    with pytest.raises(SourceMixed):
        fed.feed(packet(0, ssrc=2))


def test_an_encoder_that_was_restarted() -> None:
    """Another source alone is followed after some packets, as a hole."""
    fed = Fed()
    fed.feed(packet(1, ssrc=1))
    for number in range(FOREIGN_IN_A_ROW):
        fed.feed(packet(number, ssrc=2))

    assert fed.feed(packet(FOREIGN_IN_A_ROW, b"on", ssrc=2)) == [b"on"]
    assert fed.whole.holes == 1
    assert fed.receiver.tally.restarts == 1


def test_reports_to_the_camera() -> None:
    """None before it sent anything; then one a period, with its own report repeated in it."""
    fed = Fed()
    assert fed.receiver.report(0) is None
    fed.feed(packet(1))
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, 1, 0xAAAA1234, 0x5678BBBB, 0, 0, 0)
    fed.receiver.rtcp(memoryview(report), 1_000_000)
    told = fed.receiver.report(2_000_000)

    assert told is not None
    assert struct.unpack_from("!II", told, 24) == (0x12345678, 65_536)
    assert fed.receiver.report(2_000_000 + REPORT_PERIOD_US - 1) is None
    assert fed.receiver.report(2_000_000 + REPORT_PERIOD_US) is not None


def goodbye(ssrc: int) -> memoryview:
    return memoryview(struct.pack("!BBHI", 0x81, 203, 1, ssrc))


def test_a_goodbye() -> None:
    """It counts once nothing has come for a while; that of somebody else never does."""
    fed = Fed()
    fed.feed(packet(1))
    fed.receiver.rtcp(goodbye(2), 0)
    assert not fed.receiver.said_goodbye
    fed.receiver.rtcp(goodbye(1), 1000)

    assert fed.receiver.said_goodbye
    assert not fed.receiver.has_left(1000 + GOODBYE_US)
    assert fed.receiver.has_left(1001 + GOODBYE_US)
    assert [one.data for one in fed.receiver.finish()] == [b"rest"]


def test_a_goodbye_that_overtook_the_last_packets() -> None:
    """Whoever goes on has not left, until it says so again."""
    fed = Fed()
    fed.feed(packet(1))
    fed.receiver.rtcp(goodbye(1), 0)

    assert fed.feed(packet(2, b"late")) == [b"late"]
    assert not fed.receiver.has_left(10 * GOODBYE_US)
    fed.receiver.rtcp(goodbye(1), 10 * GOODBYE_US)
    assert fed.receiver.has_left(12 * GOODBYE_US)


@given(st.lists(st.binary(max_size=60), max_size=40))
def test_any_packets(packets: list[bytes]) -> None:
    """Nothing is raised but the one declared error."""
    fed = Fed()
    try:
        for data in packets:
            fed.feed(data)
    except SourceMixed:
        assert fed.receiver.tally.foreign > FOREIGN_LIMIT
