"""RTCP (RFC 3550, 6): what the camera says of its clock, and our reports to it. Pure.

What cannot be read is passed over: reports are the camera's opinion, and nothing depends on them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from config.times import SECOND_US

REPORTS_LIMIT = 32
"""Parts of one compound packet that are looked at."""

CNAME = b"custos"
"""RFC 3550, 6.5.1: every report names its sender; ours says what we are, not who."""

NTP_EPOCH_S = 2_208_988_800
"""From 1900, where NTP counts from, to 1970."""

_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _GOODBYE = 200, 201, 202, 203


@dataclass(frozen=True)
class SenderReport:
    """At `ntp_us` by the camera's clock, the track stood at `rtp_timestamp`."""

    ssrc: int
    ntp_us: int
    """UTC as the camera has it, in microseconds; many cameras count from their start instead."""
    middle_ntp: int
    """To be repeated in our report (6.4.1)."""
    rtp_timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True)
class Goodbye:
    """A source ends."""

    ssrc: int


def parse(data: bytes | memoryview) -> list[SenderReport | Goodbye]:
    """What of a compound packet matters here."""
    found: list[SenderReport | Goodbye] = []
    at = 0
    for _ in range(REPORTS_LIMIT):
        if at + 4 > len(data) or data[at] >> 6 != 2:
            break
        kind, end = data[at + 1], at + 4 + 4 * (data[at + 2] << 8 | data[at + 3])
        body = bytes(data[at + 4 : end])
        if kind == _SENDER_REPORT and len(body) >= 24:
            found.append(_sender_report(body))
        elif kind == _GOODBYE and data[at] & 0x1F and len(body) >= 4:
            found.append(Goodbye(int.from_bytes(body[:4], "big")))
        at = end
    return found


def _sender_report(body: bytes) -> SenderReport:
    ssrc, seconds, fraction, stamp, packets, octets = struct.unpack_from("!6I", body)
    ntp_us = (seconds - NTP_EPOCH_S) * SECOND_US + (fraction * SECOND_US >> 32)
    return SenderReport(ssrc, ntp_us, (seconds & 0xFFFF) << 16 | fraction >> 16, stamp, packets, octets)


def receiver_report(
    own_ssrc: int,
    ssrc: int,
    highest: int,
    fraction_lost: int,
    lost: int,
    jitter: int,
    last_report: int,
    since_report: int,
) -> bytes:
    """A receiver report with our name behind it, as a compound packet must have (6.1, 6.4.2).

    Args:
        own_ssrc: who reports.
        ssrc: of whose packets.
        highest: extended highest sequence number.
        fraction_lost: in 256ths, since the last report.
        lost: packets, since the beginning.
        jitter: in ticks.
        last_report: middle 32 bits of the last sender report's time; 0: there was none.
        since_report: since then, in 65536ths of a second.
    """
    report = struct.pack(
        "!BBHIIB3sIIII",
        0x81,
        _RECEIVER_REPORT,
        7,
        own_ssrc,
        ssrc,
        fraction_lost & 0xFF,
        min(lost, 0x7FFFFF).to_bytes(3, "big"),
        highest & 0xFFFFFFFF,
        jitter & 0xFFFFFFFF,
        last_report,
        since_report & 0xFFFFFFFF,
    )
    item = b"\x01" + bytes([len(CNAME)]) + CNAME + b"\x00"
    item += b"\x00" * (-len(item) % 4)
    return report + struct.pack("!BBHI", 0x81, _DESCRIPTION, 1 + len(item) // 4, own_ssrc) + item
