"""Part files: segments that are being written. All that the writing side needs of the store, and no database.

A capture process writes media straight to the disk by what is here; what it has written becomes part of the record
when the main process, the one that commits, is told of it (`segments.Segments.commit_segment`).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import StorageFull, VolumeMissing
from recorder.store import files
from recorder.store.layout import PART, VOLUME, Layout, segment_path
from recorder.store.log.sm3 import sm3
from recorder.store.records import SegmentHeader

RESERVE_BYTES = 64 * 1024 * 1024
"""What recording leaves free: it belongs to catalogue and log, which must be able to say that the disk is full."""

RESERVE_SHARE = 50
"""A volume so small that the reserve would be more than a fiftieth of it keeps a fiftieth."""


@dataclass(frozen=True)
class FinishedPart:
    """What is known of a part file that no more will be appended to."""

    header: SegmentHeader
    bytes: int
    sha256: str
    sm3: str | None = None
    """Of the same bytes (GB/T 32905), where the box was told to."""


class PartFile:
    """A segment being written: grows by `append`, hashing what passes; the only way media reaches the disk."""

    def __init__(self, header: SegmentHeader, path: Path, *, with_sm3: bool = False) -> None:
        self.header = header
        self.path = path
        self.bytes_written = 0
        self._hash = hashlib.sha256()
        self._sm3 = sm3() if with_sm3 else None
        self._handle: int | None = files.begin(path)

    def append(self, *pieces: bytes | memoryview) -> None:
        """Write through to the kernel, whole, one piece behind the other.

        Raises:
            StorageError: one of its kinds. The file may then end in half a fragment; `resume` cuts it.
        """
        assert self._handle is not None, "append after close"
        with files.translated(self.path):
            files.write_all(self._handle, *pieces)
        for piece in pieces:
            self._hash.update(piece)
            if self._sm3 is not None:
                self._sm3.update(piece)
        self.bytes_written += sum(map(len, pieces))

    def sha256(self) -> str:
        """Of everything appended so far."""
        return self._hash.hexdigest()

    def finish(self) -> FinishedPart:
        """Nothing more will be appended; the file waits to be committed."""
        self.close()
        of_sm3 = None if self._sm3 is None else self._sm3.hexdigest()
        return FinishedPart(self.header, self.bytes_written, self.sha256(), of_sm3)

    def close(self) -> None:
        """Give the descriptor back; harmless when done already."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Parts:
    """Where part files of one data directory are begun."""

    def __init__(self, layout: Layout, *, with_sm3: bool = False) -> None:
        self._layout = layout
        self._with_sm3 = with_sm3

    def place(self, header: SegmentHeader) -> Path:
        """Where a segment lies once it is sealed."""
        return self._layout.volume() / segment_path(header.stream, header.n, header.t0_us)

    def part_place(self, header: SegmentHeader) -> Path:
        """Where it lies until then."""
        final = self.place(header)
        return final.with_name(final.name + PART)

    def begin(self, header: SegmentHeader) -> PartFile:
        """Create the file of a segment; its name is taken by nobody else.

        Raises:
            StorageFull: only the reserve is free. VolumeMissing: another disk, or none, is mounted there.
            StorageError: one of its kinds.
        """
        check_volume(self._layout)
        if is_full(self._layout.volume()):
            raise StorageFull
        return PartFile(header, self.part_place(header), with_sm3=self._with_sm3)


def check_volume(layout: Layout, name: str = VOLUME) -> None:
    """A disk that was unmounted leaves an empty folder: writing there would fill the wrong disk, and what is not found
    there is not lost.

    Raises:
        VolumeMissing: another disk, or none, is mounted there. StorageError: it cannot be asked.
    """
    path = layout.volume_file(name)
    with files.translated(path):
        found = json.loads(path.read_bytes())
    if found.get("volume") != name:
        raise VolumeMissing(f"{VolumeMissing.sentence()} ({path.parent})")


def reserve_bytes(total_bytes: int) -> int:
    """What recording leaves free of a volume of that size."""
    return min(RESERVE_BYTES, total_bytes // RESERVE_SHARE)


@dataclass(frozen=True)
class Space:
    """What a file system has."""

    free_bytes: int
    total_bytes: int


def space_of(root: Path) -> Space:
    """Of the file system on which a folder lies.

    Raises:
        StorageError: it cannot be asked; an error is not an answer about space.
    """
    with files.translated(root):
        usage = os.statvfs(root)
    return Space(usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize)


def is_full(root: Path) -> bool:
    """Whether a volume has no more than its reserve free.

    Raises:
        StorageError: it cannot be asked.
    """
    found = space_of(root)
    return found.free_bytes < reserve_bytes(found.total_bytes)
