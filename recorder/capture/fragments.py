"""Fragments of MP4: the boxes before the media of some pictures, and of the sound beside them. Pure.

ISO/IEC 14496-12, 8.8: a `moof` that tells of each track where it begins and how long and large its samples are, and
an `mdat` with their bytes, one track behind the other. What the tracks are stands at the beginning of the file, and is
libav's business (`writer`). Why the fragments are ours is told in ADR 12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from recorder.capture.nal import unit_spans
from recorder.store.boxes import box_of
from recorder.store.records import CodecName

VIDEO_TRACK, AUDIO_TRACK = 1, 2
"""In the order in which libav describes them."""

_BASE_IS_MOOF, _DEFAULT_FLAGS = 0x020000, 0x20
_DATA_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _LATER = 0x1, 0x4, 0x100, 0x200, 0x800
_DEPENDS, _STANDS_ALONE = 0x0101_0000, 0x0200_0000
"""Sample flags (8.8.3.1): another picture is needed to decode it, and it is no sync sample; none is needed."""

Piece = bytes | memoryview

UNITS_LIMIT = 256
"""Units of a picture that are pieces by themselves: for one of a few bytes a piece takes twenty times as much memory.
Pictures have a few dozen."""


class Sample(NamedTuple):
    """One picture, or one frame of sound; times in ticks of its track. Begins as a row of `trun`."""

    duration: int
    size: int
    later: int = 0
    """By how much it is shown after it is decoded."""
    is_key: bool = True
    pieces: Sequence[Piece] = ()
    """Its bytes."""


class TrackPart(NamedTuple):
    """What a fragment has of one track."""

    track: int
    start: int
    """Decode time of the first sample."""
    samples: Sequence[Sample]


def fragment(number: int, parts: Sequence[TrackPart]) -> list[Piece]:
    """All bytes of one fragment, in pieces that were not copied. `number`: from 1 on, in each file."""
    head_bytes = 8 + 16 + sum(_traf_bytes(part) for part in parts)
    boxes, at = [box_of(b"mfhd", struct.pack(">II", 0, number))], head_bytes + 8
    for part in parts:
        boxes.append(_traf(part, at))
        at += sum(one.size for one in part.samples)
    head = box_of(b"moof", b"".join(boxes)) + struct.pack(">I4s", at - head_bytes, b"mdat")
    return [head, *(piece for part in parts for one in part.samples for piece in one.pieces)]


def picture_pieces(data: bytes, codec: CodecName, unit_starts: Sequence[int] | None) -> list[Piece]:
    """A picture as MP4 has it: each unit behind its length (14496-15, 4.3.3), a JPEG file as it is.

    `unit_starts`: where start codes of four bytes are, if that is known.
    """
    if codec is CodecName.MJPEG:
        return [data]
    pieces: list[Piece] = []
    view, end = memoryview(data), len(data)
    if unit_starts is not None and len(unit_starts) <= UNITS_LIMIT:  # nearly always: from the last to the first
        for start in reversed(unit_starts):
            begin = start + 4
            pieces += (view[begin:end], (end - begin).to_bytes(4, "big"))
            end = start
        pieces.reverse()
        return pieces
    joined = bytearray()
    for begin, end in unit_spans(data) if unit_starts is None else _spans(unit_starts, len(data)):
        if len(pieces) >= 2 * UNITS_LIMIT:
            joined += b"".join(pieces)
            pieces.clear()
        pieces += ((end - begin).to_bytes(4, "big"), view[begin:end])
    return [bytes(joined) + b"".join(pieces)] if joined else pieces


def _spans(starts: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    for begin, end in zip(starts, (*starts[1:], size), strict=True):
        yield begin + 4, end


def _is_plain(part: TrackPart) -> bool:
    """Whether all samples are shown in the order in which they are decoded."""
    return not any(one.later for one in part.samples)


def _traf_bytes(part: TrackPart) -> int:
    return 8 + 20 + 20 + 24 + len(part.samples) * (8 if _is_plain(part) else 12)


def _traf(part: TrackPart, at: int) -> bytes:
    """`tfhd` (8.8.7), `tfdt` (8.8.12) and `trun` (8.8.8); `at`: where its media begins, from the `moof` on."""
    is_plain, first = _is_plain(part), _STANDS_ALONE if part.samples[0].is_key else _DEPENDS
    rest = _DEPENDS if part.track == VIDEO_TRACK else _STANDS_ALONE
    flags = _DATA_OFFSET | _FIRST_FLAGS | _DURATION | _SIZE | (0 if is_plain else _LATER)
    table = [value for one in part.samples for value in one[: 2 if is_plain else 3]]
    return box_of(
        b"traf",
        box_of(b"tfhd", struct.pack(">III", _BASE_IS_MOOF | _DEFAULT_FLAGS, part.track, rest))
        + box_of(b"tfdt", struct.pack(">IQ", 1 << 24, part.start))
        + box_of(b"trun", struct.pack(f">IIiI{len(table)}I", flags, len(part.samples), at, first, *table)),
    )
