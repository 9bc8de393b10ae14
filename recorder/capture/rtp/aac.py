"""AAC out of RTP (RFC 3640, modes AAC-hbr and AAC-lbr): the access units of a packet, as they are stored. Pure.

A packet holds several units, or a piece of one. Units in another order than they are played are refused as damage:
no camera was seen to do it. Some cameras leave ADTS headers (ISO/IEC 13818-7, 6.2) before their units, or send
nothing but ADTS: these headers are taken off, for files have no place for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recorder.capture.rtp.units import AccessUnit

RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""ISO/IEC 14496-3, table 1.18: by index."""

RATE_LIMIT_HZ = 96000

UNIT_LIMIT_BYTES = 8191
"""What 13 bits can say; a frame of eight channels has at most 6144 (14496-3, 4.5.3.2)."""

UNITS_LIMIT = 100
"""Units in one packet: 64 KB of interleaved TCP with units of 600 bytes."""

HEADER_LIMIT_BITS = 64
"""Of one unit: all fields that RFC 3640 knows, at the lengths that anybody uses, are half of it."""

_HBR, _LBR = (13, 3, 3), (6, 2, 2)
"""RFC 3640, 3.3.6 and 3.3.5: bits of size, index and index delta."""

_LC, _SBR, _PS = 2, 5, 29
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)
_NONE: tuple[AccessUnit, ...] = ()


@dataclass(frozen=True)
class AacConfig:
    """What an AudioSpecificConfig says (ISO/IEC 14496-3, 1.6.2.1)."""

    rate_hz: int
    """Of the core: with spectral band replication a decoder plays twice as many samples."""
    channels: int
    frame_samples: int
    """Of one access unit, at that rate."""


class _Bits:
    """Reads big-endian bits; behind the end there are zeros."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes | memoryview) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self._left -= count
        value = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return value & (1 << count) - 1

    @property
    def left(self) -> int:
        """How many have not been read; negative, when more were read than there are."""
        return self._left


def parse_config(data: bytes) -> AacConfig | None:
    """An AudioSpecificConfig; None: of a codec that is not stored here, or not one.

    Stored is what cameras send: AAC-LC, alone or under spectral band replication. Others might keep a browser from
    playing the picture.
    """
    bits = _Bits(data[:16])
    kind, rate_hz, channels = _object_type(bits), _rate(bits), bits.take(4)
    if kind in (_SBR, _PS):
        _rate(bits)
        kind = _object_type(bits)
    short = bits.take(1)
    known = kind == _LC and 0 < channels < len(_CHANNELS) and 0 < rate_hz <= RATE_LIMIT_HZ
    if not known or bits.left < 0:
        return None
    return AacConfig(rate_hz, _CHANNELS[channels], 960 if short else 1024)


def config_for(rate_hz: int, channels: int) -> bytes | None:
    """The AudioSpecificConfig of AAC-LC, for cameras that tell none; None: there is none of that rate or layout."""
    if rate_hz not in RATES_HZ or channels not in _CHANNELS[1:]:
        return None
    packed = _LC << 11 | RATES_HZ.index(rate_hz) << 7 | _CHANNELS.index(channels) << 3
    return packed.to_bytes(2, "big")


def _object_type(bits: _Bits) -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == 31 else kind


def _rate(bits: _Bits) -> int:
    index = bits.take(4)
    if index == 15:
        return bits.take(24)
    return RATES_HZ[index] if index < len(RATES_HZ) else 0


class AacDepacketiser:
    """Obeys `units.Depacketiser`. Units are raw AAC frames, without ADTS headers."""

    def __init__(self, config: AacConfig, clock_rate_hz: int, fmtp: Mapping[str, str]) -> None:
        """`fmtp`: format parameters of the track, names in small letters."""
        self._config = config
        self._frame_ticks = config.frame_samples * clock_rate_hz // config.rate_hz
        self._constant_size = _length(fmtp, "constantsize", 0, UNIT_LIMIT_BYTES)
        lbr = fmtp.get("mode", "").lower() == "aac-lbr"
        usual = (0, 0, 0) if self._constant_size else _LBR if lbr else _HBR
        self._size_bits = _length(fmtp, "sizelength", usual[0])
        self._index_bits = _length(fmtp, "indexlength", usual[1])
        self._delta_bits = _length(fmtp, "indexdeltalength", usual[2])
        self._cts_bits = _length(fmtp, "ctsdeltalength", 0)
        self._dts_bits = _length(fmtp, "dtsdeltalength", 0)
        self._more_bits = _length(fmtp, "streamstateindication", 0)
        self._more_bits += fmtp.get("randomaccessindication", "0") == "1"
        self._auxiliary_bits = _length(fmtp, "auxiliarydatasizelength", 0)
        self._growing = bytearray()
        self._whole_size = 0
        self._stamp = 0

    def settle(self) -> None:
        """Payloads are about to be written over: they were copied when they came."""

    def lost(self) -> None:
        """Packets are missing before the next one: a unit with a hole in it is no unit."""
        self._growing.clear()

    def finish(self) -> Sequence[AccessUnit]:
        """Nothing more will come: half a unit is none."""
        return _NONE

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet (RFC 3640, 3.2); the marker says no more than the sizes do."""
        if is_adts(payload):
            return self._without_headers(bytes(payload), timestamp)
        read = self._headers(payload)
        if read is None:
            self._growing.clear()
            return (_damage(timestamp),)
        sizes, at = read
        if len(sizes) == 1 and sizes[0] > len(payload) - at:
            return self._piece(payload[at:], sizes[0], timestamp)
        broken_off = (_damage(self._stamp),) if self._growing else _NONE
        self._growing.clear()
        found: list[AccessUnit] = [*broken_off]
        for index, size in enumerate(sizes):
            stamp = timestamp + index * self._frame_ticks
            if size > len(payload) - at:
                return (*found, _damage(stamp))
            found += self._unit(bytes(payload[at : at + size]), stamp)
            at += size
        return found

    def _headers(self, payload: memoryview) -> tuple[list[int], int] | None:
        """Sizes of the units (3.2.1), and where the first begins; None: they contradict themselves."""
        if not self._size_bits and not self._index_bits:
            size = self._constant_size or len(payload)
            return ([size] * min(len(payload) // size or 1, UNITS_LIMIT), 0) if 0 < size <= UNIT_LIMIT_BYTES else None
        count = payload[0] << 8 | payload[1] if len(payload) > 2 else 0
        end = 2 + (count + 7) // 8
        if not count or count > HEADER_LIMIT_BITS * UNITS_LIMIT or end > len(payload):
            return None
        bits, padding, sizes = _Bits(payload[2:end]), -count % 8, list[int]()
        while bits.left > padding and len(sizes) < UNITS_LIMIT:
            size = bits.take(self._size_bits) or self._constant_size
            if bits.take(self._delta_bits if sizes else self._index_bits):
                return None  # interleaved (3.2.3.2), which nobody asked for
            self._pass_over(bits, is_first=not sizes)
            sizes.append(size)
        if bits.left != padding or max(sizes) > UNIT_LIMIT_BYTES:
            return None
        return sizes, end + self._auxiliary_bytes(payload[end:])

    def _pass_over(self, bits: _Bits, *, is_first: bool) -> None:
        """Fields that tell nothing which the order of the units does not."""
        if self._cts_bits and not is_first and bits.take(1):
            bits.take(self._cts_bits)
        if self._dts_bits and bits.take(1):
            bits.take(self._dts_bits)
        bits.take(self._more_bits)

    def _auxiliary_bytes(self, rest: memoryview) -> int:
        """How much of the auxiliary section (3.2.2) stands before the units."""
        if not self._auxiliary_bits:
            return 0
        return (self._auxiliary_bits + _Bits(rest[:4]).take(self._auxiliary_bits) + 7) // 8

    def _piece(self, piece: memoryview, size: int, timestamp: int) -> Sequence[AccessUnit]:
        """A unit in pieces (3.2.3.1): each packet says how large it is as a whole."""
        broken_off = _NONE
        if self._growing and (timestamp, size) != (self._stamp, self._whole_size):
            broken_off = (_damage(self._stamp),)
            self._growing.clear()
        self._stamp, self._whole_size = timestamp, size
        self._growing += piece
        if len(self._growing) < size:
            return broken_off
        whole = bytes(self._growing[:size])
        self._growing.clear()
        return (*broken_off, *self._unit(whole, timestamp))

    def _unit(self, data: bytes, stamp: int) -> Sequence[AccessUnit]:
        if not data:
            return _NONE
        return self._without_headers(data, stamp) if is_adts(data) else (AccessUnit(data, stamp, True, False),)

    def _without_headers(self, data: bytes, stamp: int) -> Sequence[AccessUnit]:
        """ADTS frames, one behind the other, without their headers."""
        found: list[AccessUnit] = []
        at = 0
        while at < len(data) and len(found) < UNITS_LIMIT:
            frame = data[at:]
            size = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5 if len(frame) >= 7 else 0
            begin = 7 if len(frame) > 1 and frame[1] & 1 else 9
            if not (is_adts(frame) and begin < size <= len(frame) and self._is_ours(frame)):
                return (*found, _damage(stamp))
            found.append(AccessUnit(frame[begin:size], stamp, True, False))
            at, stamp = at + size, stamp + self._frame_ticks
        return found

    def _is_ours(self, frame: bytes) -> bool:
        """Whether an ADTS frame is of the kind that the file is described for, and holds one unit."""
        index, channels = frame[2] >> 2 & 15, (frame[2] & 1) << 2 | frame[3] >> 6
        rate_hz = RATES_HZ[index] if index < len(RATES_HZ) else 0
        one_kind = frame[2] >> 6 == _LC - 1 and not frame[6] & 3
        return one_kind and rate_hz == self._config.rate_hz and channels == _CHANNELS.index(self._config.channels)


def _damage(stamp: int) -> AccessUnit:
    return AccessUnit(b"", stamp, True, True)


def is_adts(data: bytes | memoryview) -> bool:
    """Sync word and layer 0 of an ADTS header. No unit begins like that, no packet has so many bits of headers."""
    return len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0


def _length(fmtp: Mapping[str, str], name: str, default: int, most: int = 32) -> int:
    text = fmtp.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return default
    return min(int(text), most)
