"""The boxes of a segment file, read and written without a media library. Pure.

ISO/IEC 14496-12: a file is a row of boxes, each ``size(4) type(4) …``. A segment file is ``ftyp``, ``moov``,
``uuid`` (our header), then ``moof`` and ``mdat`` pairs (fragments). It has one video track, by which it is
measured, and perhaps one of sound. This is what recovery, the scrub and the playlist need to know of it; decoding
is nobody's business here. Damaged input raises `BoxesDamaged`, never anything else, and nothing is read past its end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import rfc8785

from config.times import format_us, parse_us
from recorder.errors import StoreError
from recorder.store.records import SegmentHeader

HEADER_UUID = uuid.UUID("63757374-6f73-4e86-8f2a-9d41c3b5e701")
"""Names the header box; its first bytes spell "custos", so that it can be found in a hex dump."""

HEADER_VERSION = 1
HEADER_LIMIT_BYTES = 64 * 1024
"""A header box larger than this is not ours: ours has a few hundred bytes."""

TIMESCALE_HZ = 90_000
"""Media time of all segments: the clock of RTP video (RFC 6184, RFC 7798)."""

_VISUAL_ENTRY_BYTES = 78
"""Fixed fields of a visual sample entry before its boxes (14496-12, 12.1.3)."""

_MJPEG = 0x6C
"""Object type of ITU-T T.81 pictures (the registration authority's list for MP4)."""

# Version; ES descriptor with its length, id and no options; decoder configuration with its length; object type.
_ES_DESCRIPTOR = re.compile(
    rb".{4}\x03[\x80-\xff]{0,3}[\x00-\x7f].{2}[\x00-\x1f]\x04[\x80-\xff]{0,3}[\x00-\x7f](.)", re.DOTALL
)
VIDEO, AUDIO = b"vide", b"soun"
"""Kinds of tracks (14496-12, 12.1.1 and 12.2.1)."""

UNWRITTEN = bytes(1024)
"""So many zeros in a row no codec's picture has (H.264 and H.265 allow two): there the disk never got what was written,
though the file is as long as if it had."""

_MOOF = re.compile(b"moof")

_DURATION, _SIZE, _FLAGS, _OFFSET = 0x100, 0x200, 0x400, 0x800
_FIRST_FLAGS, _DATA_OFFSET = 0x4, 0x1

_Found = TypeVar("_Found")


class BoxesDamaged(StoreError):
    """The file is not a segment file, or is damaged where it was read."""

    code = "boxes_damaged"


@dataclass(frozen=True)
class Box:
    """One box: where it starts, how long it is with its head, and where its content starts."""

    type: bytes
    offset: int
    size: int
    content: int


@dataclass(frozen=True)
class Fragment:
    """One `moof` with its `mdat`: media time in 90 kHz ticks since the start of the run."""

    offset: int
    size: int
    start_ticks: int
    duration_ticks: int
    frames: int
    audio_frames: int = 0


@dataclass(frozen=True)
class Outline:
    """What a segment file consists of, up to its last whole fragment."""

    header: SegmentHeader
    init_bytes: int
    fragments: tuple[Fragment, ...]

    @property
    def end(self) -> int:
        """Where the last whole fragment ends."""
        return self.fragments[-1].offset + self.fragments[-1].size if self.fragments else self.init_bytes

    @property
    def frames(self) -> int:
        """Frames in all whole fragments."""
        return sum(part.frames for part in self.fragments)

    @property
    def audio_frames(self) -> int:
        """Frames of sound in all whole fragments."""
        return sum(part.audio_frames for part in self.fragments)

    @property
    def duration_ticks(self) -> int:
        """From the first picture to the end of the last."""
        seen = [part for part in self.fragments if part.frames]
        return seen[-1].start_ticks + seen[-1].duration_ticks - seen[0].start_ticks if seen else 0


def header_box(header: SegmentHeader) -> bytes:
    """The `uuid` box that says whose segment this is: canonical JSON (RFC 8785) behind our UUID."""
    facts = asdict(header)
    facts["t0"] = format_us(facts.pop("t0_us"))
    return box_of(b"uuid", HEADER_UUID.bytes + rfc8785.dumps({"v": HEADER_VERSION, **facts}))


def box_of(kind: bytes, content: bytes) -> bytes:
    """A box with its head (14496-12, 4.2)."""
    return struct.pack(">I4s", 8 + len(content), kind) + content


def boxes(data: bytes | memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The whole boxes between `start` and `end`; stops before one that is cut off."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        if size < content - start:
            raise BoxesDamaged(f"The box at byte {start} says it is {size} bytes long.")
        if start + size > end:
            return
        yield Box(kind, start, size, content)
        start += size


def outline(data: bytes | memoryview, *, to_damage: bool = False) -> Outline:
    """What a segment file holds, up to its last whole fragment.

    Args:
        data: the file, or its beginning.
        to_damage: it ends before the first fragment that is damaged. Power that fails leaves files longer than what
            was written of them, with zeros there; what lies before is as good as ever.

    Raises:
        BoxesDamaged: no `ftyp`, `moov`, header in this order; or, but for `to_damage`, a fragment that contradicts
            itself.
    """
    walk = list(_before_damage(boxes(data)) if to_damage else boxes(data))
    kinds = [box.type for box in walk[:3]]
    if kinds != [b"ftyp", b"moov", b"uuid"]:
        raise BoxesDamaged(f"A segment file starts with ftyp, moov, uuid; here stands {kinds!r}.")
    header = _read_header(data, walk[2])
    init_bytes = walk[2].offset + walk[2].size
    found = _fragments(data, walk[3:], tracks_of(data, walk[1]))
    if not to_damage:
        return Outline(header, init_bytes, tuple(found))
    bare = Outline(header, init_bytes, ())
    return replace(bare, fragments=tuple(_before_damage(_written(data, bare, found))))


def _before_damage(found: Iterator[_Found]) -> Iterator[_Found]:
    """What comes before the first damage."""
    with contextlib.suppress(BoxesDamaged):
        yield from found


def _written(data: bytes | memoryview, bare: Outline, found: Iterator[Fragment]) -> Iterator[Fragment]:
    """Fragments whose pictures reached the disk: their boxes may be there, and what lies in them not.

    Raises:
        BoxesDamaged: one did not.
    """
    for one in found:
        for picture in pictures(data, replace(bare, fragments=(one,))):
            if UNWRITTEN in picture.tobytes() or not any(picture[:4]):
                raise BoxesDamaged(f"The fragment at byte {one.offset} has pictures that were never written.")
        yield one


def goes_on(data: bytes | memoryview, seen: Outline) -> bool:
    """Whether whole fragments lie behind the end of a file that was outlined to its first damage.

    What merely broke off has none: power that fails, or a process that dies, leaves half a fragment at the end.
    """
    moov = next(box for box in boxes(data) if box.type == b"moov")
    handlers = {track.id: track.handler for track in tracks_of(data, moov)}
    bare = replace(seen, fragments=())
    for hit in _MOOF.finditer(data, seen.end + 4):
        with contextlib.suppress(BoxesDamaged):
            found = list(itertools.islice(boxes(data, hit.start() - 4), 2))
            if [box.type for box in found] == [b"moof", b"mdat"]:
                part = _fragment(data, found[0], found[1], handlers, 0)
                return bool([*_written(data, bare, iter((part,)))])
    return False


def pictures(data: bytes | memoryview, seen: Outline) -> Iterator[memoryview]:
    """The pictures of a file that was outlined, in order; what does not lie inside its fragment is left out.

    Raises:
        BoxesDamaged: a track or a fragment is cut off inside.
    """
    moov = next(box for box in boxes(data) if box.type == b"moov")
    videos = {track.id for track in tracks_of(data, moov) if track.handler == VIDEO}
    with memoryview(data) as view:
        for part in seen.fragments:
            end = part.offset + part.size
            for begin, size in _spans(data, part.offset, videos):
                if part.offset <= begin <= begin + size <= end:
                    with view[begin : begin + size] as picture:
                        yield picture


def _spans(data: bytes | memoryview, offset: int, tracks: set[int]) -> Iterator[tuple[int, int]]:
    """Where samples of these tracks lie, by the `moof` at that offset, and how large they are (8.8.7, 8.8.8)."""
    moof = next(boxes(data, offset))
    try:
        for traf in boxes(data, moof.content, moof.offset + moof.size):
            inside = list(boxes(data, traf.content, traf.offset + traf.size)) if traf.type == b"traf" else []
            head = next((box for box in inside if box.type == b"tfhd"), None)
            if head is None or struct.unpack_from(">I", data, head.content + 4)[0] not in tracks:
                continue
            default = _default_size(data, head)
            for run in (box for box in inside if box.type == b"trun"):
                yield from _run_spans(data, run, offset, default)
    except struct.error as err:
        raise BoxesDamaged(f"The fragment at byte {offset} is cut off inside.") from err


def _run_spans(data: bytes | memoryview, run: Box, offset: int, default: int) -> Iterator[tuple[int, int]]:
    """Of one `trun`, whose offset counts from the `moof` on, as in all our files."""
    flags, count = struct.unpack_from(">II", data, run.content)
    at = run.content + 8
    begin = offset
    if flags & _DATA_OFFSET:
        begin += struct.unpack_from(">i", data, at)[0]
        at += 4
    at += 4 if flags & _FIRST_FLAGS else 0
    width = 4 * sum(1 for flag in (_DURATION, _SIZE, _FLAGS, _OFFSET) if flags & flag)
    if at + count * width > run.offset + run.size:
        return
    at += 4 if flags & _DURATION else 0
    for index in range(count if width else 0):
        size = struct.unpack_from(">I", data, at + index * width)[0] if flags & _SIZE else default
        yield begin, size
        begin += size


def init_of(data: bytes | memoryview) -> bytes:
    """`ftyp` and `moov` alone: equal in all segments of a run, whatever their headers say."""
    parts = [bytes(data[box.offset : box.offset + box.size]) for box in boxes(data) if box.type in (b"ftyp", b"moov")]
    return b"".join(parts[:2])


def sample_entry(init: bytes) -> tuple[str, int, int]:
    """Codec (`h264`, `h265`, `mjpeg`), width and height from the video track's description (ISO/IEC 14496-12, 8.5.2).

    Raises:
        BoxesDamaged: there is none, or of another codec.
    """
    found = _description(init, VIDEO)
    if found is None:
        raise BoxesDamaged("The file has no sample description.")
    try:
        kind, width, height = struct.unpack_from(">4s24xHH", init, found.content + 8 + 4)
    except struct.error as err:
        raise BoxesDamaged("The sample description is cut off.") from err
    codec = {b"avc1": "h264", b"avc3": "h264", b"hev1": "h265", b"hvc1": "h265"}.get(kind)
    if kind == b"mp4v" and _object_type(init, found) == _MJPEG:
        codec = "mjpeg"
    if codec is None:
        raise BoxesDamaged(f"The sample description is of {kind!r}, which is not recorded here.")
    return codec, width, height


def _object_type(init: bytes, stsd: Box) -> int | None:
    """What an `mp4v` entry holds, by its `esds` box (ISO/IEC 14496-14, 5.6; 14496-1, 7.2.6): 0x20 is MPEG-4 Visual."""
    entry = next(boxes(init, stsd.content + 8, stsd.offset + stsd.size), None)
    if entry is None:
        return None
    inside = boxes(init, entry.content + _VISUAL_ENTRY_BYTES, entry.offset + entry.size)
    esds = next((one for one in inside if one.type == b"esds"), None)
    if esds is None:
        return None
    found = _ES_DESCRIPTOR.match(init, esds.content, esds.offset + esds.size)
    return None if found is None else found[1][0]


def audio_entry(init: bytes) -> tuple[str, int, int] | None:
    """Codec (`aac`, `opus`, `flac`), samples a second and channels of the sound; None: there is none.

    Raises:
        BoxesDamaged: it is of another codec, or cut off.
    """
    found = _description(init, AUDIO)
    if found is None:
        return None
    try:
        kind, channels = struct.unpack_from(">4s16xH", init, found.content + 8 + 4)
        rate_hz = next(track.timescale_hz for track in tracks_of(init, _moov(init)) if track.handler == AUDIO)
    except struct.error as err:
        raise BoxesDamaged("The description of the sound is cut off.") from err
    codec = {b"mp4a": "aac", b"Opus": "opus", b"fLaC": "flac"}.get(kind)
    if codec is None:
        raise BoxesDamaged(f"The sound is of {kind!r}, which is not recorded here.")
    return codec, rate_hz, channels


@dataclass(frozen=True)
class TrackBox:
    """One track, as `moov` has it."""

    id: int
    handler: bytes
    """`VIDEO`, or `AUDIO`."""
    timescale_hz: int
    trak: Box


def tracks_of(data: bytes | memoryview, moov: Box) -> list[TrackBox]:
    """All tracks of a file (14496-12, 8.3)."""
    try:
        return [_track(data, box) for box in boxes(data, moov.content, moov.offset + moov.size) if box.type == b"trak"]
    except struct.error as err:
        raise BoxesDamaged("The description of a track is cut off.") from err


def _track(data: bytes | memoryview, trak: Box) -> TrackBox:
    end = trak.offset + trak.size
    head = _descend(data, trak.content, end, [b"tkhd"])
    media = _descend(data, trak.content, end, [b"mdia", b"mdhd"])
    handler = _descend(data, trak.content, end, [b"mdia", b"hdlr"])
    if head is None or media is None or handler is None:
        raise BoxesDamaged(f"The track at byte {trak.offset} is not described.")
    kind = bytes(data[handler.content + 8 : handler.content + 12])
    return TrackBox(_behind_dates(data, head), kind, _behind_dates(data, media), trak)


def _behind_dates(data: bytes | memoryview, box: Box) -> int:
    """Of `tkhd` the track's number, of `mdhd` its timescale (8.3.2, 8.4.2): dates have 64 bits in version 1."""
    (version,) = struct.unpack_from(">B", data, box.content)
    return int(struct.unpack_from(">I", data, box.content + (20 if version == 1 else 12))[0])


def _moov(init: bytes) -> Box:
    found = _descend(init, 0, len(init), [b"moov"])
    if found is None:
        raise BoxesDamaged("The file describes no tracks.")
    return found


def _description(init: bytes, handler: bytes) -> Box | None:
    """The sample descriptions of the first track of that kind."""
    for track in tracks_of(init, _moov(init)):
        if track.handler == handler:
            path = [b"mdia", b"minf", b"stbl", b"stsd"]
            return _descend(init, track.trak.content, track.trak.offset + track.trak.size, path)
    return None


def _descend(data: bytes | memoryview, start: int, end: int, path: list[bytes]) -> Box | None:
    for box in boxes(data, start, end):
        if box.type == path[0]:
            if len(path) == 1:
                return box
            return _descend(data, box.content, box.offset + box.size, path[1:])
    return None


def _read_header(data: bytes | memoryview, box: Box) -> SegmentHeader:
    content = bytes(data[box.content : box.offset + min(box.size, HEADER_LIMIT_BYTES)])
    if content[:16] != HEADER_UUID.bytes:
        raise BoxesDamaged("The uuid box is not the header of a Custos segment.")
    try:
        facts = json.loads(content[16:])
        if facts.pop("v") != HEADER_VERSION:
            raise BoxesDamaged("The segment's header is of a version that this program does not know.")
        return _header_from(facts)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise BoxesDamaged("The segment's header cannot be read.") from err


def _header_from(facts: dict[str, object]) -> SegmentHeader:
    texts = {name: facts[name] for name in ("box", "camera", "stream", "prev", "t0")}
    numbers = {name: facts[name] for name in ("run", "n")}
    if not all(isinstance(value, str) for value in texts.values()):
        raise ValueError("a field of the header is not a text")
    if not all(isinstance(value, int) for value in numbers.values()):
        raise ValueError("a field of the header is not a number")
    t0_us = parse_us(str(texts.pop("t0")))
    return SegmentHeader(**{key: str(value) for key, value in texts.items()}, **numbers, t0_us=t0_us)  # type: ignore[arg-type]  # checked above


def _fragments(data: bytes | memoryview, rest: list[Box], tracks: list[TrackBox]) -> Iterator[Fragment]:
    handlers = {track.id: track.handler for track in tracks}
    end_ticks = 0
    for moof, mdat in zip(rest[::2], rest[1::2], strict=False):
        if (moof.type, mdat.type) != (b"moof", b"mdat"):
            raise BoxesDamaged(f"At byte {moof.offset} a fragment was expected; there stands {moof.type!r}.")
        found = _fragment(data, moof, mdat, handlers, end_ticks)
        end_ticks = found.start_ticks + found.duration_ticks
        yield found


def _fragment(
    data: bytes | memoryview, moof: Box, mdat: Box, handlers: Mapping[int, bytes], end_ticks: int
) -> Fragment:
    """One fragment; one without pictures lies at `end_ticks`, where those before it end."""
    start, ticks, frames, audio_frames = None, 0, 0, 0
    try:
        pieces = [
            _piece(data, box) for box in boxes(data, moof.content, moof.offset + moof.size) if box.type == b"traf"
        ]
    except struct.error as err:
        raise BoxesDamaged(f"The fragment at byte {moof.offset} is cut off inside.") from err
    for piece in pieces:
        handler = handlers.get(piece.track)
        if handler == VIDEO:
            start = piece.start_ticks if start is None else start
            ticks, frames = ticks + piece.duration_ticks, frames + piece.frames
        elif handler == AUDIO:
            audio_frames += piece.frames
        else:
            raise BoxesDamaged(f"The fragment at byte {moof.offset} is of a track that nothing describes.")
    if start is None and not audio_frames:
        raise BoxesDamaged(f"The fragment at byte {moof.offset} has no decode time.")
    return Fragment(
        moof.offset, moof.size + mdat.size, end_ticks if start is None else start, ticks, frames, audio_frames
    )


@dataclass(frozen=True)
class _Piece:
    """What a fragment has of one track (`traf`)."""

    track: int
    start_ticks: int | None
    duration_ticks: int
    frames: int


def _piece(data: bytes | memoryview, traf: Box) -> _Piece:
    track, start, ticks, frames, default = 0, None, 0, 0, 0
    for box in boxes(data, traf.content, traf.offset + traf.size):
        if box.type == b"tfhd":
            (track,) = struct.unpack_from(">I", data, box.content + 4)
            default = _default_duration(data, box)
        elif box.type == b"tfdt":
            start = _decode_time(data, box)
        elif box.type == b"trun":
            count, duration = _run(data, box, default)
            frames, ticks = frames + count, ticks + duration
    return _Piece(track, start, ticks, frames)


def _default_duration(data: bytes | memoryview, box: Box) -> int:
    """Of `tfhd` (14496-12, 8.8.7): optional fields stand in the order of their flags."""
    (flags,) = struct.unpack_from(">I", data, box.content)
    at = box.content + 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    return int(struct.unpack_from(">I", data, at)[0]) if flags & 0x8 else 0


def _default_size(data: bytes | memoryview, box: Box) -> int:
    """Of `tfhd`, likewise."""
    (flags,) = struct.unpack_from(">I", data, box.content)
    at = box.content + 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0) + (4 if flags & 0x8 else 0)
    return int(struct.unpack_from(">I", data, at)[0]) if flags & 0x10 else 0


def _decode_time(data: bytes | memoryview, box: Box) -> int:
    """Of `tfdt` (14496-12, 8.8.12)."""
    version = data[box.content]
    return int(struct.unpack_from(">Q" if version == 1 else ">I", data, box.content + 4)[0])


def _run(data: bytes | memoryview, box: Box, default: int) -> tuple[int, int]:
    """Of `trun` (14496-12, 8.8.8): how many samples, and how long they are together."""
    (flags,) = struct.unpack_from(">I", data, box.content)
    (count,) = struct.unpack_from(">I", data, box.content + 4)
    at = box.content + 8 + (4 if flags & _DATA_OFFSET else 0) + (4 if flags & _FIRST_FLAGS else 0)
    width = 4 * sum(1 for flag in (_DURATION, _SIZE, _FLAGS, _OFFSET) if flags & flag)
    if at + count * width > box.offset + box.size:
        raise BoxesDamaged(f"The fragment's sample table at byte {box.offset} is cut off.")
    if not flags & _DURATION:
        return count, count * default
    return count, sum(struct.unpack_from(">I", data, at + index * width)[0] for index in range(count))
