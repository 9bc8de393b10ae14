"""How many frames MP4 files hold, counted by their boxes: nothing of the media is read, let alone decoded.

Fragmented files say it in each `trun` (ISO/IEC 14496-12, 8.8.8), others in `stsz` (8.7.3). A box that is not whole
ends the count: what stands behind it cannot be played either.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_COUNT_AT = {b"trun": 4, b"stsz": 8}
"""Where the number of samples stands behind the box's header: after version and flags; after the sample size too."""


def frames_of(path: Path) -> int:
    """Of one file with one track."""
    with path.open("rb") as file:
        return sum(_counts(file, 0, path.stat().st_size))


def frames_in(folder: Path) -> int:
    """Of all MP4 files below a folder."""
    return sum(frames_of(path) for path in folder.rglob("*.mp4"))


def _counts(file: BinaryIO, at: int, end: int) -> Iterator[int]:
    while at + 8 <= end:
        file.seek(at)
        header = file.read(24)
        size, kind, body_at = int.from_bytes(header[:4], "big"), header[4:8], at + 8
        if size == 1:
            size, body_at = int.from_bytes(header[8:16], "big"), at + 16
        elif size == 0:
            size = end - at
        if size < body_at - at or at + size > end:
            return
        if kind in _CONTAINERS:
            yield from _counts(file, body_at, at + size)
        elif kind in _COUNT_AT:
            skip = body_at - at + _COUNT_AT[kind]
            yield int.from_bytes(header[skip : skip + 4], "big")
        at += size
