"""What cameras say of their clocks."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.rtcp import NTP_EPOCH_S, REPORTS_LIMIT, Goodbye, SenderReport, parse, receiver_report


def sender_report(ssrc: int, utc_s: float, stamp: int) -> bytes:
    whole = int(utc_s)
    fraction = int((utc_s - whole) * 2**32)
    return struct.pack("!BBHIIIIII", 0x80, 200, 6, ssrc, whole + NTP_EPOCH_S, fraction, stamp, 5, 600)


def test_a_sender_report_and_a_goodbye() -> None:
    """The camera's time in microseconds since 1970, and what is to be repeated to it."""
    found = parse(sender_report(7, 1_700_000_000.5, 9000) + struct.pack("!BBHI", 0x81, 203, 1, 7))

    middle = ((1_700_000_000 + NTP_EPOCH_S) & 0xFFFF) << 16 | 0x8000
    assert found == [SenderReport(7, 1_700_000_000_500_000, middle, 9000, 5, 600), Goodbye(7)]


def test_our_report() -> None:
    """A receiver report and our name, each with its true length (RFC 3550, 6.4.2 and 6.5)."""
    told = receiver_report(1, 2, 70_000, 300, 2**24, 5, 6, 7)

    assert len(told) % 4 == 0
    assert told[:4] == b"\x81\xc9\x00\x07"
    assert struct.unpack_from("!IIB", told, 4) == (1, 2, 300 & 0xFF)
    assert told[13:16] == b"\x7f\xff\xff"
    assert told[32:34] == b"\x81\xca"
    assert len(told) == 32 + 4 + 4 * int.from_bytes(told[34:36], "big")
    assert b"\x01\x06custos" in told
    assert parse(told) == []


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Nothing is raised; a bounded number of things is found."""
    assert len(parse(data)) <= REPORTS_LIMIT
