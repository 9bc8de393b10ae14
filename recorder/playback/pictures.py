"""A segment's file without its sound: for players that cannot bear sound to come or go within a film. Pure.

The pictures are the stored bytes; only the boxes before them name one track less, and say how much nearer the pictures
are for it. What is made here is handed out and never kept. The bytes of the sound lie between the pictures still, and
nothing names them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from recorder.store.boxes import VIDEO, Box, BoxesDamaged, box_of, boxes, tracks_of

Piece = bytes | tuple[int, int]
"""Bytes, or where the next ones lie in the file: from, and up to."""

_BASE_OFFSET, _DATA_OFFSET = 0x1, 0x1


def init_pieces(data: bytes | memoryview) -> Iterator[Piece]:
    """The beginning: `ftyp`, and `moov` without the track of sound.

    Raises:
        BoxesDamaged: it is no segment file.
    """
    for box in boxes(data):
        if box.type == b"ftyp":
            yield _raw(data, box)
        elif box.type == b"moov":
            yield _moov(data, box)
            return


def fragment_pieces(data: bytes | memoryview) -> Iterator[Piece]:
    """All fragments that have pictures, without the sound in them.

    Raises:
        BoxesDamaged: they contradict themselves.
    """
    walk = list(boxes(data))
    video = _video(data, next((box for box in walk if box.type == b"moov"), None))
    for moof, mdat in zip(walk[3::2], walk[4::2], strict=False):
        try:
            head = _moof(data, moof, video)
        except struct.error as err:
            raise BoxesDamaged(f"The fragment at byte {moof.offset} is cut off inside.") from err
        if head:
            yield head
            yield (mdat.offset, mdat.offset + mdat.size)


def length_of(pieces: list[Piece]) -> int:
    """Of all of them together."""
    return sum(len(one) if isinstance(one, bytes) else one[1] - one[0] for one in pieces)


def _video(data: bytes | memoryview, moov: Box | None) -> int:
    found = [] if moov is None else [track.id for track in tracks_of(data, moov) if track.handler == VIDEO]
    if not found:
        raise BoxesDamaged("The file describes no pictures.")
    return found[0]


def _moov(data: bytes | memoryview, moov: Box) -> bytes:
    video = _video(data, moov)
    others = {track.trak.offset for track in tracks_of(data, moov) if track.id != video}
    content = b""
    for box in _inside(data, moov):
        if box.type == b"mvex":
            content += box_of(
                b"mvex", b"".join(_raw(data, one) for one in _inside(data, box) if _is_for(data, one, video))
            )
        elif box.offset not in others:
            content += _raw(data, box)
    return box_of(b"moov", content)


def _is_for(data: bytes | memoryview, box: Box, track: int) -> bool:
    """Whether a box of `mvex` is not about another track (14496-12, 8.8.3)."""
    return box.type != b"trex" or struct.unpack_from(">I", data, box.content + 4)[0] == track


def _moof(data: bytes | memoryview, moof: Box, video: int) -> bytes:
    """Without what is not of that track; nothing, where nothing of it is left."""
    inside = list(_inside(data, moof))
    kept = [box for box in inside if box.type != b"traf" or _track_of(data, box) == video]
    if not any(box.type == b"traf" for box in kept):
        return b""
    nearer = sum(box.size for box in inside) - sum(box.size for box in kept)
    return box_of(b"moof", b"".join(_nearer(data, box, nearer) for box in kept))


def _track_of(data: bytes | memoryview, traf: Box) -> int:
    """By its `tfhd` (8.8.7), whose data must be counted from its fragment."""
    for box in _inside(data, traf):
        if box.type == b"tfhd":
            flags, track = struct.unpack_from(">II", data, box.content)
            if flags & _BASE_OFFSET:
                raise BoxesDamaged(f"The fragment at byte {traf.offset} says where its data lies in another file.")
            return int(track)
    return 0


def _nearer(data: bytes | memoryview, box: Box, count: int) -> bytes:
    """A box of `moof`; in `traf`, tables of samples whose data is nearer by so much (8.8.8)."""
    if box.type != b"traf":
        return _raw(data, box)
    content = b""
    for one in _inside(data, box):
        raw = bytearray(_raw(data, one))
        if one.type == b"trun" and struct.unpack_from(">I", data, one.content)[0] & _DATA_OFFSET:
            at = one.content - one.offset + 8
            struct.pack_into(">i", raw, at, struct.unpack_from(">i", raw, at)[0] - count)
        content += raw
    return box_of(b"traf", content)


def _inside(data: bytes | memoryview, box: Box) -> Iterator[Box]:
    return boxes(data, box.content, box.offset + box.size)


def _raw(data: bytes | memoryview, box: Box) -> bytes:
    return bytes(data[box.offset : box.offset + box.size])
