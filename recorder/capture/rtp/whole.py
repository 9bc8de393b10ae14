"""Whole pictures at once: those that lie, whole and plain, in what a connection has received. Pure.

Nearly all that cameras send is plain: packets with consecutive numbers, one source, no extension and no padding (RFC
3550, 5.1), each behind its `$` mark on the track's channel (RFC 2326, 10.12); a picture is some of them under a stamp
of its own, with the marker on the last, and has units that are packets by themselves, or pieces (RFC 6184, 5.6 and 5.8;
RFC 7798, 4.4.1 and 4.4.3). `pictures_in` takes those, and nothing else. Whatever is not so is left where it lies:
what it means is decided packet by packet, in one place (`receiver`, `assembly`), and there it comes out the same.

There are two of it, which answer alike (ADR 24): `compiled`, where a C compiler was found at installation, takes a
tenth of the time of `interpreted`. Whoever changes one changes `_whole.c` too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from recorder.capture.rtp.assembly import START_CODE

UNITS_LIMIT: Final = 64
"""Of a picture that is taken at once. Real ones have a few dozen at most."""

PIECES_LIMIT: Final = 1024
"""Likewise packets: a buffer has room for some hundred of usual size, and the C twin's stack for so many places."""

_FRAME = Struct("!BBHBBHII")
"""An interleaved packet up to its payload."""

_DOLLAR, _PLAIN = 0x24, 0x80
_RTP_BYTES, _BEFORE_BYTES = 12, 16
_NUMBER_AT = 6
_BEGINS, _ENDS, _RESERVED = 0x80, 0x40, 0x20
_SEI, _RECOVERY_POINT = 6, 6

Found = tuple[bytes, int, bool, tuple[int, ...]]
"""A picture: its units with start codes (Annex B), its stamp as it came, whether decoding can begin with it, and where
its units begin."""

Answer = tuple[int, int, bool, list[Found]]
"""Where what was left lies; how many packets were taken; whether what is left may be the beginning of more such
pictures, of which the rest has not come yet; the pictures."""

PicturesIn = Callable[[memoryview, int, int, bool, int, int, int, int, int], Answer]

try:
    from recorder.capture.rtp._whole import pictures_in as _compiled
except ImportError:  # there was no compiler: everything works, and costs more
    compiled: PicturesIn | None = None
else:
    compiled = _compiled


class _Form(NamedTuple):
    """A codec's units, in RTP."""

    header_bytes: int
    fragment: int
    """The kind of payload that is a piece of a unit."""
    kinds: range
    slices: range
    keys: range

    def kind(self, first: int) -> int:
        """By the first byte of a payload."""
        return first & 0x1F if self.header_bytes == 1 else first >> 1 & 0x3F


_H264 = _Form(1, 28, range(1, 24), range(1, 6), range(5, 6))
_H265 = _Form(2, 49, range(48), range(32), range(16, 22))


class _Unusual(Exception):
    """Not plain, or not known to be."""


class _Waits(Exception):
    """Plain as far as it has come."""


class _Packet(NamedTuple):
    """One that lies whole in the buffer, and is plain."""

    payload: memoryview
    marker: bool
    stamp: int
    behind: int
    """Where the next one begins."""


class _Connection(NamedTuple):
    """What lies in the buffer, and what is plain there."""

    buffer: memoryview
    end: int
    form: _Form
    channel: int
    payload_type: int
    ssrc: int

    def packet(self, at: int, number: int) -> _Packet:
        """The packet that begins there, if it is the next one.

        Raises:
            _Unusual: it is not. _Waits: it is not whole yet.
        """
        buffer, left = self.buffer, self.end - at
        if (left > 0 and buffer[at] != _DOLLAR) or (left > 1 and buffer[at + 1] != self.channel):
            raise _Unusual
        if left < 4:
            raise _Waits
        size = buffer[at + 2] << 8 | buffer[at + 3]
        if size < _RTP_BYTES + self.form.header_bytes + 3:
            raise _Unusual
        if size > left - 4:
            raise _Waits
        _, _, _, first, second, found, stamp, source = _FRAME.unpack_from(buffer, at)
        if first != _PLAIN or second & 0x7F != self.payload_type or found != number & 0xFFFF or source != self.ssrc:
            raise _Unusual
        behind = at + 4 + size
        return _Packet(buffer[at + _BEFORE_BYTES : behind], second > 0x7F, stamp, behind)


class _Picture:
    """One that is being looked through."""

    def __init__(self, form: _Form) -> None:
        self._form = form
        self._parts: list[bytes | memoryview] = []
        self._pieces = 0
        self._size = 0
        self._starts: list[int] = []
        self._has_slice = False
        self._is_key = False
        self._growing = -1
        """The kind of the unit that comes in pieces; -1: there is none."""
        self._indicator = b""
        self.packets = 0

    def read(self, source: _Connection, at: int, number: int, stamp: int) -> tuple[int, Found]:
        """All of it, and where what follows begins. `stamp`: of the picture before.

        Raises:
            _Unusual: it is not plain. _Waits: it is not whole yet.
        """
        mine: int | None = None
        while True:
            packet = source.packet(at, number + self.packets)
            if packet.stamp == stamp if mine is None else packet.stamp != mine:
                raise _Unusual
            mine, at = packet.stamp, packet.behind
            self.packets += 1
            if self._form.kind(packet.payload[0]) != self._form.fragment:
                self._take_unit(packet.payload)
            else:
                self._take_fragment(packet.payload)
                if self._growing >= 0 and not packet.marker:
                    at = self._take_alike(source, at, packet)
            if packet.marker:
                if self._growing >= 0 or not self._has_slice:
                    raise _Unusual
                return at, (b"".join(self._parts), mine, self._is_key, tuple(self._starts))

    def _take_unit(self, payload: memoryview) -> None:
        kind = self._form.kind(payload[0])
        if self._growing >= 0:
            raise _Unusual
        self._note(kind, payload[self._form.header_bytes])
        if self._form is _H264 and kind == _SEI and payload[1] == _RECOVERY_POINT and payload[3] > 0x7F:  # D.1.8
            self._is_key = True
        self._begin(b"", payload)

    def _take_fragment(self, payload: memoryview) -> None:
        header_bytes = self._form.header_bytes
        flags, indicator, data = payload[header_bytes], bytes(payload[:header_bytes]), payload[header_bytes + 1 :]
        kind = flags & (0x1F if self._form is _H264 else 0x3F)
        if self._form is _H264 and flags & _RESERVED:
            raise _Unusual
        if flags & _BEGINS:
            if self._growing >= 0:
                raise _Unusual
            self._note(kind, data[0])
            self._growing, self._indicator = kind, indicator
            first = indicator[0]
            head = (
                bytes((first & 0xE0 | kind,)) if self._form is _H264 else bytes((first & 0x81 | kind << 1, payload[1]))
            )
            self._begin(head, data)
        elif kind == self._growing and indicator == self._indicator:
            self._add(data)
        else:
            raise _Unusual
        if flags & _ENDS:
            self._growing = -1

    def _take_alike(self, source: _Connection, at: int, packet: _Packet) -> int:
        """Pieces of the same length that follow, where only the number differs; where what is different begins."""
        step = _BEFORE_BYTES + len(packet.payload)
        count = (source.end - at) // step
        if not count:
            return at
        behind_number = _NUMBER_AT + 2
        head = bytes(source.buffer[packet.behind - step : packet.behind - step + _BEFORE_BYTES])
        kind = bytes((*self._indicator, self._growing))
        before, behind = head[:_NUMBER_AT], head[behind_number:] + kind
        number = int.from_bytes(head[_NUMBER_AT:behind_number], "big")
        rows = _rows(step, len(kind)).iter_unpack(source.buffer[at : at + count * step])
        for one, found, other, data in rows:
            number = (number + 1) & 0xFFFF
            if one != before or found != number or other != behind:
                break
            self._add(data)
            self.packets += 1
            at += step
        return at

    def _note(self, kind: int, first: int) -> None:
        """A unit begins; `first`: its first byte behind its header, which tells whether a slice begins a picture."""
        if kind not in self._form.kinds:
            raise _Unusual
        if kind in self._form.slices:
            if not self._has_slice and first <= 0x7F:
                raise _Unusual
            self._has_slice = True
            self._is_key = self._is_key or kind in self._form.keys

    def _begin(self, header: bytes, data: memoryview) -> None:
        if len(self._starts) == UNITS_LIMIT:
            raise _Unusual
        self._starts.append(self._size)
        self._parts.append(START_CODE + header)
        self._size += len(START_CODE) + len(header)
        self._add(data)

    def _add(self, data: bytes | memoryview) -> None:
        if self._pieces == PIECES_LIMIT:
            raise _Unusual
        self._pieces += 1
        self._parts.append(data)
        self._size += len(data)


@lru_cache(maxsize=64)
def _rows(step: int, header_bytes: int) -> Struct:
    """Packets of that size behind each other: up to the number, the number, up to the piece, the piece."""
    behind_bytes = _BEFORE_BYTES - _NUMBER_AT - 2 + header_bytes
    return Struct(f"!{_NUMBER_AT}sH{behind_bytes}s{step - _BEFORE_BYTES - header_bytes}s")


def interpreted(
    buffer: memoryview,
    at: int,
    end: int,
    is_h265: bool,
    channel: int,
    payload_type: int,
    ssrc: int,
    number: int,
    stamp: int,
) -> Answer:
    """The plain pictures that lie whole between `at`, where one should begin, and `end`, one behind the other.

    Args:
        buffer: what a connection received.
        at: where to begin, in bytes.
        end: where what was received ends.
        is_h265: which codec the track has; else it is H.264. With decoding order numbers it is not plain.
        channel: of the track.
        payload_type: of the track.
        ssrc: of the source that it has followed so far.
        number: that of the next packet.
        stamp: of the picture before, which none that is plain repeats.

    Raises:
        ValueError: `at` and `end` lie outside the buffer.
    """
    if not 0 <= at <= end <= len(buffer):
        raise ValueError("outside the buffer")
    form = _H265 if is_h265 else _H264
    source = _Connection(buffer, end, form, channel, payload_type, ssrc)
    packets, found = 0, list[Found]()
    while True:
        picture = _Picture(form)
        try:
            at, one = picture.read(source, at, number + packets, stamp)
        except (_Unusual, _Waits) as why:
            return at, packets, isinstance(why, _Waits), found
        packets += picture.packets
        stamp = one[1]
        found.append(one)


pictures_in: PicturesIn = interpreted if compiled is None else compiled
"""The faster one that there is."""


def in_use() -> str:
    """Which one that is, in a word."""
    return "interpreted" if compiled is None else "compiled"


if __name__ == "__main__":  # `make run` asks
    sys.stdout.write(in_use() + "\n")
