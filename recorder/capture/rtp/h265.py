"""H.265 out of RTP (RFC 7798): single NAL units, aggregation packets and fragmentation units. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from recorder.capture.rtp.assembly import NOTHING, UnitsDepacketiser
from recorder.capture.rtp.units import AccessUnit, Middle

AGGREGATE_LIMIT = 200
"""NAL units in one aggregation packet: a packet of a network holds less of any use."""

_AP, _FU = 48, 49


class H265Depacketiser(UnitsDepacketiser):
    """Obeys `units.Depacketiser` and `units.Fragmenting`."""

    middle = Middle(0x7E, _FU << 1, 3)
    is_h265 = True

    def __init__(self, *, donl: bool = False) -> None:
        """`donl`: whether decoding order numbers stand in the packets (`sprop-max-don-diff` above 0)."""
        super().__init__()
        self._donl = donl

    def is_between(self) -> bool:
        """Whether whole pictures may be taken past it: order numbers have to be taken out of their packets."""
        return not self._donl and super().is_between()

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet (RFC 7798, 4.4)."""
        picture = self._picture
        done = picture.at(timestamp)
        kind = payload[0] >> 1 & 0x3F if len(payload) > 2 else 64
        if kind == _FU and len(payload) > 3:
            self._fragment(payload)
        elif kind < _AP:
            self._single(payload)
        elif kind == _AP:
            self._aggregate(payload)
        else:  # PACI (4.4.4) wraps what no camera wraps
            picture.damaged = True
        if marker:
            last = picture.marked()
            return last if done is NOTHING else (*done, *last)
        return done

    def _single(self, payload: memoryview) -> None:
        if self._donl:
            payload = memoryview(bytes(payload[:2]) + bytes(payload[4:]))
        self._unit(payload)

    def _unit(self, unit: memoryview) -> None:
        kind = unit[0] >> 1 & 0x3F
        self._picture.unit(unit, is_slice=kind < 32, is_first=len(unit) > 2 and unit[2] > 0x7F, is_key=16 <= kind <= 21)

    def _aggregate(self, payload: memoryview) -> None:
        """Units of one picture, each behind its length (4.4.2)."""
        at = 2
        for index in range(AGGREGATE_LIMIT):
            if self._donl:
                at += 1 if index else 2
            if at + 2 >= len(payload):
                break
            end = at + 2 + (payload[at] << 8 | payload[at + 1])
            unit = payload[at + 2 : end]
            if end > len(payload) or len(unit) < 2 or (unit[0] >> 1 & 0x3F) >= _AP:
                break
            self._unit(unit)
            at = end
            if at == len(payload):
                return
        self._picture.damaged = True

    def _fragment(self, payload: memoryview) -> None:
        """A unit in pieces (4.4.3); its header is put together again from those of the pieces."""
        flags = payload[2]
        picture = self._picture
        kind = flags & 0x3F
        if flags & 0x80:
            header = bytes((payload[0] & 0x81 | kind << 1, payload[1]))
            picture.begin_fragment(header, payload[5 if self._donl else 3 :])
        else:
            picture.more(payload[3:])
        if flags & 0x40:
            is_first = picture.fragment_first_byte(2) > 0x7F
            picture.end_fragment(is_slice=kind < 32, is_first=is_first, is_key=16 <= kind <= 21)
