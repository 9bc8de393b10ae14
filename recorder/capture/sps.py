"""What a sequence parameter set says of the order of pictures (H.264, 7.3.2.1.1 and E.1.1; H.265, 7.3.2.2). Pure.

Only that: by how many pictures decoding runs ahead of showing. It is read so far as to find it, and what cannot be read
says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from recorder.capture.nal import unit_type
from recorder.store.records import CodecName

DEPTH_MOST = 16
"""Both standards keep at most 16 pictures (A.3.1; A.4)."""

LIST_LIMIT = 256
"""Entries of any list in a parameter set that is one."""

_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_BASELINE = 66
_H264_SPS, _H265_SPS = 7, 33


def reorder_depth(sets: Iterable[bytes], codec: CodecName) -> int | None:
    """How many pictures may come before one that is shown earlier than they; None: the sets do not say."""
    if codec is CodecName.MJPEG:  # each picture stands by itself
        return 0
    wanted = _H264_SPS if codec is CodecName.H264 else _H265_SPS
    read = _h264 if codec is CodecName.H264 else _h265
    for one in sets:
        if one and unit_type(one, codec) == wanted:
            try:
                depth = read(one)
            except _CutOffError:
                return None
            return depth if depth is None or depth <= DEPTH_MOST else None
    return None


class _CutOffError(Exception):
    """The set ends in the middle, or is none."""


class _Bits:
    """Bits of a unit, without the bytes that keep start codes from appearing in it (H.264, 7.4.1.1)."""

    def __init__(self, unit: bytes) -> None:
        clean = unit.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(clean, "big")
        self._left = len(clean) * 8

    def take(self, count: int) -> int:
        """So many bits as a number."""
        self._left -= count
        if self._left < 0:
            raise _CutOffError
        return self._value >> self._left & (1 << count) - 1

    def flag(self) -> bool:
        """One bit."""
        return bool(self.take(1))

    def number(self) -> int:
        """Exp-Golomb, unsigned; signed ones have the same length (9.1)."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise _CutOffError
        return (1 << zeros) - 1 + self.take(zeros)

    def numbers(self, count: int) -> None:
        """So many of them, unread."""
        if count > LIST_LIMIT:
            raise _CutOffError
        for _ in range(count):
            self.number()


def _h264(unit: bytes) -> int | None:
    bits = _Bits(unit[:LIST_LIMIT])
    bits.take(8)
    profile = bits.take(8)
    bits.take(16)
    bits.number()
    if profile in _HIGH_PROFILES:
        _h264_high(bits)
    bits.number()  # log2_max_frame_num_minus4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.flag()
        bits.numbers(2)
        bits.numbers(bits.number())
    if profile == _BASELINE or order == 2:  # no B slices (A.2.1); shown in the order of decoding (8.2.1.3)
        return 0
    bits.number()  # max_num_ref_frames
    bits.flag()
    bits.numbers(2)  # width and height
    if not bits.flag():
        bits.flag()
    bits.flag()
    if bits.flag():
        bits.numbers(4)  # cropping
    return _h264_vui(bits) if bits.flag() else None


def _h264_high(bits: _Bits) -> None:
    chroma = bits.number()
    if chroma == 3:
        bits.flag()
    bits.numbers(2)
    bits.flag()
    if bits.flag():
        for index in range(12 if chroma == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    """7.3.2.1.1.1: the list ends early where the next scale is 0."""
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.number()
            following = (last + (-(code // 2) if code % 2 == 0 else (code + 1) // 2)) % 256
        last = following or last


def _h264_vui(bits: _Bits) -> int | None:
    if bits.flag() and bits.take(8) == 255:
        bits.take(32)
    if bits.flag():
        bits.flag()
    if bits.flag():
        bits.take(4)
        if bits.flag():
            bits.take(24)
    if bits.flag():
        bits.numbers(2)
    if bits.flag():
        bits.take(65)  # timing
    has_hrd = [_skip_hrd(bits) for _ in range(2) if bits.flag()]
    if has_hrd:
        bits.flag()
    bits.flag()
    if not bits.flag():
        return None
    bits.flag()
    bits.numbers(4)
    return bits.number()  # max_num_reorder_frames


def _skip_hrd(bits: _Bits) -> bool:
    count = bits.number() + 1
    bits.take(8)
    if count > 32:
        raise _CutOffError
    for _ in range(count):
        bits.numbers(2)
        bits.flag()
    bits.take(20)
    return True


def _h265(unit: bytes) -> int | None:
    bits = _Bits(unit[:LIST_LIMIT])
    bits.take(16 + 4)
    layers = bits.take(3)
    bits.flag()
    _skip_profile(bits, layers)
    bits.number()
    if bits.number() == 3:
        bits.flag()
    bits.numbers(2)  # width and height
    if bits.flag():
        bits.numbers(4)  # conformance window
    bits.numbers(3)  # bit depths, order counter
    depth = 0
    for _ in range(layers + 1 if bits.flag() else 1):
        bits.number()
        depth = bits.number()  # sps_max_num_reorder_pics
        bits.number()
    return depth


def _skip_profile(bits: _Bits, layers: int) -> None:
    """7.3.3, profile_tier_level."""
    bits.take(96)
    if layers:
        present = [(bits.flag(), bits.flag()) for _ in range(layers)]
        bits.take(2 * (8 - layers))
        for has_profile, has_level in present:
            bits.take((88 if has_profile else 0) + (8 if has_level else 0))
