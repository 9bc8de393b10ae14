"""16-bit samples as FLAC (RFC 9639), frame by frame, as they are: verbatim, not compressed. Pure.

Telephone sound (G.711) comes as 16-bit samples and is stored as such. A file that holds them bare cannot be played by
a browser, and its picture neither; in frames of FLAC they can (ADR 10). A frame of this kind is the samples behind a
header, in front of a checksum: nothing is predicted, so nothing need be kept between frames, and any may be missing.
"""

from __future__ import annotations

import struct
import sys
from array import array
from functools import cache

SAMPLES_LEAST = 16
SAMPLES_MOST = 65_535
"""Of a frame and channel (RFC 9639, 8.2); only a stream's last may have fewer."""

CHANNELS_MOST = 8
RATE_MOST_HZ = (1 << 20) - 1
"""What fits into STREAMINFO."""

NUMBER_LIMIT = 1 << 31
"""Sample numbers begin anew there: the format has 36 bits for them (9.1.5), decoders in use read 31."""

_SYNC_VARIABLE = 0xFFF9
"""Each frame says with which sample it begins: so they may have any length."""

_SIZE_16_BIT, _RATE_OF_STREAM, _BITS_16 = 0x7, 0x0, 0x4
_VERBATIM = 0x02


def stream_info(rate_hz: int, channels: int) -> bytes:
    """STREAMINFO (8.2): frames of any length, of so many channels; how many samples, and their hash, nobody knows."""
    described = rate_hz << 44 | channels - 1 << 41 | 15 << 36
    return struct.pack(">HH6xQ16x", SAMPLES_LEAST, SAMPLES_MOST, described)


def verbatim_frame(samples: bytes, channels: int, number: int) -> bytes | None:
    """A frame (9): of samples with the low byte first, channels taking turns; None: too few, too many, or half ones.

    `number`: of the first sample, counted from wherever the stream began.
    """
    count, rest = divmod(len(samples), 2 * channels)
    if rest or not SAMPLES_LEAST <= count <= SAMPLES_MOST:
        return None
    head = struct.pack(">HBB", _SYNC_VARIABLE, _SIZE_16_BIT << 4 | _RATE_OF_STREAM, channels - 1 << 4 | _BITS_16 << 1)
    head += _coded(number % NUMBER_LIMIT) + (count - 1).to_bytes(2, "big")
    body = bytearray(head)
    body.append(_crc_8(head))
    values = array("H", samples)
    if sys.byteorder == "little":
        values.byteswap()  # big-endian from here on
    for channel in range(channels):
        body.append(_VERBATIM)
        body += values[channel::channels].tobytes()
    return bytes(body + _crc_16(body).to_bytes(2, "big"))


def _coded(number: int) -> bytes:
    """A number in the manner of UTF-8, of up to 31 bits (9.1.5)."""
    if number < 0x80:
        return bytes((number,))
    follow = 1
    while number >= 1 << (5 * follow + 6):
        follow += 1
    lead = 0xFF00 >> follow + 1 & 0xFF
    parts = [number >> 6 * index & 0x3F | 0x80 for index in reversed(range(follow))]
    return bytes((lead | number >> 6 * follow, *parts))


def _crc_8(data: bytes) -> int:
    """Polynomial x^8 + x^2 + x + 1 (9.1.8)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x107 if crc & 0x80 else 0)) & 0x1FF
    return crc


@cache
def _table_16() -> array[int]:
    """Polynomial x^16 + x^15 + x^2 + 1 (9.3) over two bytes at once, which halves the steps.

    All values have their bytes swapped where the processor swaps them, so that words need not be.
    """
    one = [_shifted(value << 8) for value in range(256)]
    table = array("H", bytes(2 * 65536))
    for high in range(256):
        for low in range(256):
            first = one[high] ^ low << 8
            table[_as_read(high << 8 | low)] = _as_read((first << 8 ^ one[first >> 8]) & 0xFFFF)
    return table


def _shifted(crc: int) -> int:
    for _ in range(8):
        crc = crc << 1 ^ (0x18005 if crc & 0x8000 else 0)
    return crc


def _as_read(value: int) -> int:
    return int.from_bytes(value.to_bytes(2, "big"), sys.byteorder)


def _crc_16(data: bytes | bytearray) -> int:
    """Over a frame without its checksum."""
    table, crc = _table_16(), 0
    if len(data) & 1:
        data = b"\x00" + data  # changes nothing: the sum over zeros is zero
    for pair in array("H", data):
        crc = table[crc ^ pair]
    return _as_read(crc)
