"""Access units into RTP: RFC 6184 payloads, RFC 3550 packets and sender reports, RFC 2326 interleaving. Pure.

Only what a sender over TCP needs: single NAL unit packets and FU-A (packetization-mode 1). Left to others: sequence
numbers, clocks and sockets (`appliance.demo.server`).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

PAYLOAD_LIMIT_BYTES = 1400
"""Packets stay below an Ethernet frame even though TCP would carry more: that is what cameras send."""

NTP_EPOCH_S = 2_208_988_800
"""From 1900, where NTP begins, to 1970 (RFC 5905 figure 4)."""

_FU_A = 28
_START, _END = 0x80, 0x40
_START_CODE = re.compile(rb"\x00\x00\x01")


def nal_units(unit: bytes) -> list[bytes]:
    """Split an Annex B access unit (H.264 annex B); zero bytes before a start code belong to no unit."""
    return [nal for nal in (part.rstrip(b"\x00") for part in _START_CODE.split(unit)) if nal]


def payloads(unit: bytes, limit_bytes: int = PAYLOAD_LIMIT_BYTES) -> Iterator[bytes]:
    """The RTP payloads of an access unit, in order (RFC 6184 clauses 5.6 and 5.8)."""
    for nal in nal_units(unit):
        if len(nal) <= limit_bytes:
            yield nal
        else:
            yield from _fragments(nal, limit_bytes)


def _fragments(nal: bytes, limit_bytes: int) -> Iterator[bytes]:
    """FU-A: the unit's header byte is taken apart into an indicator and a header on each piece."""
    indicator, kind, body = nal[0] & 0xE0 | _FU_A, nal[0] & 0x1F, nal[1:]
    step = limit_bytes - 2
    for at in range(0, len(body), step):
        mark = (_START if at == 0 else 0) | (_END if at + step >= len(body) else 0)
        yield bytes((indicator, mark | kind)) + body[at : at + step]


def rtp_packet(payload: bytes, *, payload_type: int, seq: int, ticks: int, ssrc: int, marker: bool) -> bytes:
    """One RTP packet (RFC 3550 clause 5.1); the marker ends an access unit."""
    head = struct.pack(
        "!BBHII", 0x80, marker << 7 | payload_type, seq & 0xFFFF, ticks & 0xFFFFFFFF, ssrc
    )  # version 2, no padding, no extension, no contributing sources
    return head + payload


def sender_report(*, utc_us: int, ticks: int, ssrc: int, packets: int, payload_bytes: int) -> bytes:
    """An RTCP sender report without report blocks (RFC 3550 clause 6.4.1): which instant the RTP clock stands for."""
    seconds, micros = divmod(utc_us, 1_000_000)
    fraction = (micros << 32) // 1_000_000
    return struct.pack(
        "!BBHIIIIII",
        0x80,
        200,
        6,
        ssrc,
        (seconds + NTP_EPOCH_S) & 0xFFFFFFFF,
        fraction,
        ticks & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        payload_bytes & 0xFFFFFFFF,
    )


def interleaved(channel: int, packet: bytes) -> bytes:
    """A packet inside the RTSP connection (RFC 2326 clause 10.12)."""
    return struct.pack("!BBH", 0x24, channel, len(packet)) + packet
