"""G.711 out of RTP (RFC 3551, 4.5.14): A-law and mu-law to 16-bit samples. Pure.

Every packet stands by itself. What a lost one leaves is a hole in the time stamps, and no damage to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from recorder.capture.rtp.units import AccessUnit

_NONE: tuple[AccessUnit, ...] = ()


def _a_law(code: int) -> int:
    """ITU-T G.711, table 1: the sample of a code, 13 bits in the upper part of 16. Even bits are sent inverted."""
    code ^= 0x55
    segment, size = code >> 4 & 7, (code & 15) << 4
    size = size + 8 if segment == 0 else size + 0x108 << segment - 1
    return size if code & 0x80 else -size


def _mu_law(code: int) -> int:
    """ITU-T G.711, table 2: the sample of a code, 14 bits in the upper part of 16. All bits are sent inverted."""
    code ^= 0xFF
    size = (((code & 15) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -size if code & 0x80 else size


A_LAW = tuple(map(_a_law, range(256)))
"""The sample of each A-law code."""

MU_LAW = tuple(map(_mu_law, range(256)))
"""The sample of each mu-law code."""


class G711Depacketiser:
    """Obeys `units.Depacketiser`. Units are 16-bit samples, low byte first; channels take turns, as they are sent."""

    __slots__ = ("_high", "_low")

    def __init__(self, law: Literal["pcma", "pcmu"]) -> None:
        samples = A_LAW if law == "pcma" else MU_LAW
        # Two tables of bytes and not one of samples: so the whole packet goes through each in one step.
        self._low = bytes(one & 0xFF for one in samples)
        self._high = bytes(one >> 8 & 0xFF for one in samples)

    def settle(self) -> None:
        """Payloads are about to be written over: they were copied when they came."""

    def lost(self) -> None:
        """Packets are missing before the next one, which stands by itself."""

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing waits for its end."""
        return ()

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet; the marker, which says that somebody begins to speak, means nothing here."""
        if not payload:
            return _NONE
        codes = bytes(payload)
        samples = bytearray(2 * len(codes))
        samples[::2] = codes.translate(self._low)
        samples[1::2] = codes.translate(self._high)
        return (AccessUnit(bytes(samples), timestamp, True, False),)
