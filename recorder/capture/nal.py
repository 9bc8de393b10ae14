"""NAL units of H.264 (ITU-T H.264, Annex B) and H.265 (ITU-T H.265, Annex B). Pure.

Only what recording needs: where units begin, what type they are, and which parameter sets a picture brings along.
JPEG pictures have no units; what their frame header says stands in the place of parameter sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from recorder.capture.jpeg import frame_header
from recorder.store.records import CodecName

PARAMETER_SETS = {
    CodecName.H264: frozenset({7, 8}),
    CodecName.H265: frozenset({32, 33, 34}),
    CodecName.MJPEG: frozenset[int](),
}
"""SPS and PPS (H.264, table 7-1); VPS, SPS and PPS (H.265, table 7-1)."""

KEY_SLICES = {
    CodecName.H264: frozenset({5}),
    CodecName.H265: frozenset(range(16, 22)),
    CodecName.MJPEG: frozenset[int](),
}
"""IDR slices (H.264); intra random access point pictures: BLA, IDR, CRA (H.265)."""

UNIT_LIMIT = 4096
"""NAL units looked at in one picture. Real ones have a few dozen slices; more is an attack or noise."""

_START = re.compile(b"\x00\x00\x01")


def units(data: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B byte stream, without start codes and trailing zeros."""
    starts = [match.end() for match in _START.finditer(data)][:UNIT_LIMIT]
    ends = [start - 3 for start in starts[1:]] + [len(data)]
    for start, end in zip(starts, ends, strict=False):  # without a start code there is an end and no beginning
        unit = data[start:end].rstrip(b"\x00")
        if unit:
            yield unit


def unit_spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the units of an Annex B byte stream begin and end, of all it has; start codes of three bytes or four."""
    begin: int | None = None
    for match in _START.finditer(data):
        if begin is not None:
            yield from _span(data, begin, match.start())
        begin = match.end()
    if begin is not None:
        yield from _span(data, begin, len(data))


def _span(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Without trailing zeros: the first of a start code of four bytes is one of them."""
    while end > begin and not data[end - 1]:
        end -= 1
    if end > begin:
        yield begin, end


def unit_type(unit: bytes, codec: CodecName) -> int:
    """`nal_unit_type` of a unit that is not empty."""
    return unit[0] & 0x1F if codec is CodecName.H264 else unit[0] >> 1 & 0x3F


def parameter_sets(data: bytes, codec: CodecName, starts: Sequence[int] | None = None) -> tuple[bytes, ...]:
    """The parameter sets that an access unit carries, in order, each once.

    Two pictures belong to one run when these are equal: a camera that repeats its sets before every key picture
    changes nothing by it. Of a JPEG picture it is the header that tells its size and sampling.

    `starts`: where the units begin, each with a start code of four bytes; None: that is looked for.
    """
    if codec is CodecName.MJPEG:
        header = frame_header(data)
        return () if header is None else (header,)
    wanted = PARAMETER_SETS[codec]
    if starts is None:
        found = (unit for unit in units(data) if unit_type(unit, codec) in wanted)
    else:
        found = (
            data[begin + 4 : end].rstrip(b"\x00")
            for begin, end in zip(starts, (*starts[1:], len(data)), strict=True)
            if unit_type(data[begin + 4 : begin + 5], codec) in wanted
        )
    return tuple(dict.fromkeys(found))


def renewed_sets(known: tuple[bytes, ...], brought: tuple[bytes, ...], codec: CodecName) -> tuple[bytes, ...]:
    """What is known after a picture brought these: of a type that it brought none of, what was known stays.

    A packet with one of the sets may be lost on the way. In the order of their types, because each refers to the one
    before.
    """
    types = {unit_type(unit, codec) for unit in brought}
    kept = (unit for unit in known if unit_type(unit, codec) not in types)
    return tuple(sorted((*kept, *brought), key=lambda unit: unit_type(unit, codec)))


def holds_key_picture(data: bytes, codec: CodecName) -> bool:
    """Whether an access unit has a slice that decoding can begin with; it can with every JPEG picture."""
    wanted = KEY_SLICES[codec]
    return codec is CodecName.MJPEG or any(unit_type(unit, codec) in wanted for unit in units(data))


def with_sets(sets: tuple[bytes, ...], data: bytes) -> bytes:
    """An access unit with parameter sets before it: enough for a demuxer to know the stream by."""
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in sets) + data
