"""H.264 out of RTP (RFC 6184): single NAL units, STAP-A and FU-A, which is what cameras send. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from recorder.capture.rtp.assembly import NOTHING, UnitsDepacketiser
from recorder.capture.rtp.units import AccessUnit, Middle

AGGREGATE_LIMIT = 200
"""NAL units in one STAP-A: with a header of three bytes each, a packet of a network holds less of any use."""

_STAP_A, _FU_A = 24, 28
_IDR, _SEI = 5, 6
_RECOVERY_POINT = 6


class H264Depacketiser(UnitsDepacketiser):
    """Obeys `units.Depacketiser` and `units.Fragmenting`."""

    middle = Middle(0x1F, _FU_A, 2)
    is_h265 = False

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet (RFC 6184, 5.2)."""
        picture = self._picture
        done = picture.at(timestamp)
        kind = payload[0] & 0x1F if payload else 0
        if kind == _FU_A and len(payload) > 2:
            self._fragment(payload)
        elif 1 <= kind <= 23:
            self._unit(payload)
        elif kind == _STAP_A:
            self._aggregate(payload)
        else:  # STAP-B, MTAP and FU-B carry interleaved units, which nobody asked for
            picture.damaged = True
        if marker:
            last = picture.marked()
            return last if done is NOTHING else (*done, *last)
        return done

    def _unit(self, unit: memoryview) -> None:
        kind = unit[0] & 0x1F
        self._picture.unit(
            unit,
            is_slice=1 <= kind <= 5,
            is_first=len(unit) > 1 and unit[1] > 0x7F,
            is_key=kind == _IDR or (kind == _SEI and _is_recovery_point(unit)),
        )

    def _aggregate(self, payload: memoryview) -> None:
        """STAP-A (5.7.1): units of one picture, each behind its length."""
        at = 1
        for _ in range(AGGREGATE_LIMIT):
            if at + 2 >= len(payload):
                break
            end = at + 2 + (payload[at] << 8 | payload[at + 1])
            unit = payload[at + 2 : end]
            if end > len(payload) or not 1 <= (unit[0] & 0x1F if unit else 0) <= 23:
                break
            self._unit(unit)
            at = end
        if at != len(payload):
            self._picture.damaged = True

    def _fragment(self, payload: memoryview) -> None:
        """FU-A (5.8): a unit in pieces; its header is put together again from the two bytes before each piece."""
        flags = payload[1]
        picture = self._picture
        if flags & 0x80:
            picture.begin_fragment(bytes((payload[0] & 0xE0 | flags & 0x1F,)), payload[2:])
        else:
            picture.more(payload[2:])
        if flags & 0x40:
            kind = flags & 0x1F
            is_first = picture.fragment_first_byte(1) > 0x7F
            picture.end_fragment(is_slice=1 <= kind <= 5, is_first=is_first, is_key=kind == _IDR)


def _is_recovery_point(unit: memoryview) -> bool:
    """An SEI message that says that decoding may begin with this very picture (H.264, D.1.8).

    Cameras with intra refresh or "smart" coding may never send an IDR picture.
    """
    return len(unit) > 3 and unit[1] == _RECOVERY_POINT and unit[3] > 0x7F
