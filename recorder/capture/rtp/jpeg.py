"""JPEG out of RTP (RFC 2435): a camera sends the scan of a picture; the headers before it are made again here. Pure.

A picture is handed out whole or not at all: what stands behind a hole cannot be decoded, and a file with a hole is no
JPEG. The next picture that is whole tells, by `damaged`, that something is missing before it.

A picture ends with its marker bit, or where the next one begins, if nothing is missing between. What is sent twice
under one time stamp, each time from its beginning, is two pictures: the fields of an interlaced camera are kept so.

As in `assembly`, a scan grows as a list of parts that lie where they were received until `settle`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from recorder.capture.rtp.assembly import PARTS_LIMIT
from recorder.capture.rtp.units import UNIT_LIMIT_BYTES, AccessUnit

SOI, EOI = b"\xff\xd8", b"\xff\xd9"

TABLES_LIMIT = 4
"""ITU-T T.81, B.2.4.1: a picture has at most four quantisation tables; types 0 and 1 use two."""

BLOCK_PIXELS = 8
"""Sides are told in blocks: 2040 pixels at most, and 0 where a picture is larger (3.1.5)."""

_MAIN = Struct("!B3sBBBB")
_Q_UNKNOWN = 255
"""3.1.8: tables that are sent under this number are those of one picture only."""

_NOTHING: tuple[AccessUnit, ...] = ()


class _Fragment(NamedTuple):
    """One packet's payload (3.1)."""

    offset: int
    is_420: bool
    """Colour at half the height too (type 1), not at half the width alone (type 0)."""
    q: int
    width: int
    height: int
    restart_interval: int
    """Blocks between restart markers; 0: there are none."""
    data: memoryview


class JpegDepacketiser:
    """Obeys `units.Depacketiser`. Units are JPEG files."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        """`size`: width and height as described elsewhere, for pictures that are too large for the packets to tell."""
        self._size = size or (0, 0)
        self._tables: dict[int, tuple[bytes, ...]] = {}
        self._stamp: int | None = None
        self._head = b""
        """Of the picture that is growing; empty where there is none, or what there is has a hole."""
        self._scan: list[bytes | memoryview] = []
        """None of them empty."""
        self._scan_bytes = 0
        self._settled = 0
        """So many parts, from the first, are bytes of our own."""
        self._hole = False
        self._damaged = False

    def settle(self) -> None:
        """Payloads are about to be written over: what is needed of them becomes bytes of our own."""
        self._join(self._settled)

    def lost(self) -> None:
        """Packets are missing before the next one."""
        self._hole = self._damaged = True

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing more will come: the last picture, where no marker ended it."""
        if self._hole:
            self._drop()
        return self._done()

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet (RFC 2435, 3.1)."""
        fragment = _parse(payload)
        done: Sequence[AccessUnit] = _NOTHING
        if timestamp != self._stamp or (fragment is not None and fragment.offset == 0):
            if self._hole:  # the end of the picture before may be among what is missing
                self._drop()
            done = self._done()
            self._stamp = timestamp
        self._hole = False
        if fragment is None or not self._take(fragment):
            self._drop()
            self._damaged = True
        return (*done, *self._done()) if marker else done

    def _take(self, fragment: _Fragment) -> bool:
        """Whether the fragment goes on where the picture stands."""
        data = fragment.data
        if fragment.offset == 0:
            self._clear()
            tables, data = self._tables_for(fragment)
            self._head = _head(fragment, tables, self._size)
        whole = len(self._head) + self._scan_bytes + len(data) + len(EOI)
        if not self._head or fragment.offset != self._scan_bytes or whole > UNIT_LIMIT_BYTES:
            return False
        if data:
            self._scan.append(data)
            self._scan_bytes += len(data)
            if len(self._scan) > PARTS_LIMIT:
                self._join(0)
        return True

    def _tables_for(self, fragment: _Fragment) -> tuple[tuple[bytes, ...], memoryview]:
        """Quantisation tables of a picture, none where they are not known; and its scan behind them (3.1.8)."""
        q, data = fragment.q, fragment.data
        if q < 128:
            return computed_tables(q) if 1 <= q <= 99 else (), data
        end = 4 + (data[2] << 8 | data[3]) if len(data) >= 4 else 0
        if not 4 <= end <= len(data):
            return (), data
        if end == 4:
            return self._tables.get(q, ()), data[end:]
        tables = _split(data[4:end], data[1])
        if q != _Q_UNKNOWN and tables:
            self._tables[q] = tables
        return tables, data[end:]

    def _drop(self) -> None:
        if self._head:
            self._head = b""
            self._clear()
            self._damaged = True

    def _clear(self) -> None:
        self._scan.clear()
        self._scan_bytes = self._settled = 0

    def _join(self, begin: int) -> None:
        """Parts from that one on become one."""
        if begin < len(self._scan):
            self._scan[begin:] = (b"".join(self._scan[begin:]),)
        self._settled = len(self._scan)

    def _done(self) -> Sequence[AccessUnit]:
        if not self._scan:
            self._drop()
            return _NOTHING
        assert self._stamp is not None
        last = b"".join(one[-len(EOI) :] for one in self._scan[-len(EOI) :])
        end = b"" if last.endswith(EOI) else EOI
        unit = AccessUnit(b"".join((self._head, *self._scan, end)), self._stamp, True, self._damaged)
        self._head, self._damaged = b"", False
        self._clear()
        return (unit,)


def _parse(payload: memoryview) -> _Fragment | None:
    """Main and restart headers (3.1.1 to 3.1.7); None for what is cut off or of a type that nobody described."""
    if len(payload) < _MAIN.size:
        return None
    _, offset, kind, q, width, height = _MAIN.unpack_from(payload)
    at, interval = _MAIN.size, 0
    if kind & 0x40:  # types 64 to 127 are 0 to 63 with restart markers
        if len(payload) < at + 4:
            return None
        interval = payload[at] << 8 | payload[at + 1]
        at += 4
    if kind & ~0x40 > 1:
        return None
    where, size = int.from_bytes(offset, "big"), (width * BLOCK_PIXELS, height * BLOCK_PIXELS)
    return _Fragment(where, bool(kind & 1), q, *size, interval, payload[at:])


def _split(data: memoryview, precision: int) -> tuple[bytes, ...]:
    """Tables of 64 numbers, one behind the other; a bit of `precision` each, lowest first: numbers have two bytes."""
    tables: list[bytes] = []
    at = 0
    while at < len(data) and len(tables) < TABLES_LIMIT:
        size = 128 if precision >> len(tables) & 1 else 64
        tables.append(bytes(data[at : at + size]))
        at += size
    return tuple(tables) if at == len(data) else ()


# Quantisers of ITU-T T.81, tables K.1 and K.2, in zigzag order: Q scales them.
# fmt: off
_LUMA = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51,
    61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77,
    113, 121, 112, 100, 120, 92, 101, 103, 99,
)
_CHROMA = (17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, *(99,) * 50)
# fmt: on


@lru_cache(maxsize=99)
def computed_tables(q: int) -> tuple[bytes, ...]:
    """Tables for Q from 1 to 99 (RFC 2435, 4.2 and appendix A), as the Independent JPEG Group's software makes them."""
    scale = 5000 // q if q < 50 else 200 - 2 * q
    return tuple(bytes(min(max((one * scale + 50) // 100, 1), 255) for one in table) for table in (_LUMA, _CHROMA))


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


# The Huffman codes of ITU-T T.81, tables K.3 to K.6: how many there are of each length, and what they stand for.
_DC_VALUES = bytes(range(12))
_DC_LUMA = bytes.fromhex("00010501010101010100000000000000") + _DC_VALUES
_DC_CHROMA = bytes.fromhex("00030101010101010101010000000000") + _DC_VALUES
_AC_LUMA = bytes.fromhex(
    "0002010303020403050504040000017d"
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889"
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
_AC_CHROMA = bytes.fromhex(
    "00020102040403040705040400010277"
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a26"
    "2728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a828384858687"
    "88898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da"
    "e2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
_HUFFMAN = _segment(0xC4, b"\x00" + _DC_LUMA + b"\x10" + _AC_LUMA + b"\x01" + _DC_CHROMA + b"\x11" + _AC_CHROMA)
_JFIF = _segment(0xE0, b"JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")
"""Says what RFC 2435, 4.1 says of colours: luminance and two differences by CCIR 601, as JFIF has them."""
_SCAN = _segment(0xDA, b"\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00")


def _head(fragment: _Fragment, tables: tuple[bytes, ...], size: tuple[int, int]) -> bytes:
    """All that stands before the scan (appendix B); empty where tables or size are not known."""
    width, height = fragment.width or size[0], fragment.height or size[1]
    if not tables or not width or not height:
        return b""
    quantisers = b"".join(bytes(((len(one) > 64) << 4 | index,)) + one for index, one in enumerate(tables))
    restarts = _segment(0xDD, fragment.restart_interval.to_bytes(2, "big")) if fragment.restart_interval else b""
    colour_table = 1 if len(tables) > 1 else 0
    frame = Struct("!BHHB9B").pack(
        8, height, width, 3, 1, 0x22 if fragment.is_420 else 0x21, 0, 2, 0x11, colour_table, 3, 0x11, colour_table
    )
    return b"".join((SOI, _JFIF, _segment(0xDB, quantisers), restarts, _segment(0xC0, frame), _HUFFMAN, _SCAN))
