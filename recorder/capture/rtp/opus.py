"""Opus out of RTP (RFC 7587): a payload is an Opus packet, as it is stored. Pure.

Every packet is a unit. What a lost one leaves is a hole in the time stamps, which always count 48000 a second (4.1).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from recorder.capture.rtp.units import AccessUnit

PACKET_LIMIT_SAMPLES = 5760
"""RFC 6716, 3.2.5, R5: a packet holds at most 120 ms."""

RATE_HZ = 48_000
"""Whatever was encoded, clock and decoder count so (RFC 7587, 4.1)."""

_NONE: tuple[AccessUnit, ...] = ()

_SILK_SAMPLES = (480, 960, 1920, 2880)
_HYBRID_SAMPLES = (480, 960)
_CELT_SAMPLES = (120, 240, 480, 960)
_FRAME_SAMPLES = _SILK_SAMPLES * 3 + _HYBRID_SAMPLES * 2 + _CELT_SAMPLES * 4
"""RFC 6716, table 2: samples of a frame for each of the 32 configurations."""


def opus_head(channels: int) -> bytes:
    """What a decoder is told (RFC 7845, 5.1): nothing is skipped, for what came before was not recorded."""
    return b"OpusHead" + struct.pack("<BBHIHB", 1, channels, 0, RATE_HZ, 0, 0)


def duration_samples(packet: bytes | memoryview) -> int:
    """How long a packet plays, in samples of 48 kHz, by its table-of-contents byte (RFC 6716, 3.1).

    0 when it is no Opus packet: empty, without the number of frames where that is told apart, without any frame, or
    longer than one may be.
    """
    if not packet:
        return 0
    samples = _frames(packet) * _FRAME_SAMPLES[packet[0] >> 3]
    return samples if samples <= PACKET_LIMIT_SAMPLES else 0


def _frames(packet: bytes | memoryview) -> int:
    """Frames in a packet: one, two, or as many as its second byte says (RFC 6716, 3.2)."""
    code = packet[0] & 3
    if code == 3:
        return packet[1] & 0x3F if len(packet) > 1 else 0
    return 1 if code == 0 else 2


class OpusDepacketiser:
    """Obeys `units.Depacketiser`. Units are Opus packets."""

    __slots__ = ()

    def settle(self) -> None:
        """Payloads are about to be written over: they were copied when they came."""

    def lost(self) -> None:
        """Packets are missing before the next one, which is a unit by itself."""

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing waits for its end."""
        return ()

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet; the marker, which says that somebody begins to speak, means nothing here."""
        if not payload:
            return _NONE
        return (AccessUnit(bytes(payload), timestamp, True, duration_samples(payload) == 0),)
