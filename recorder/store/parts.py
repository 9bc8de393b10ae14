"""Part files: segments that are being written. All that the writing side needs of the store, and no database.

A capture process writes media straight to the disk by what is here; what it has written becomes part of the record
when the main process, the one that commits, is told of it (`segments.Segments.commit_segment`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.times import SECOND_US
from recorder.errors import StorageError, StorageFailed, StorageFull, StorageReadOnly, VolumeForeign, VolumeMissing
from recorder.store import files
from recorder.store.layout import PART, VOLUME, Layout, segment_path
from recorder.store.log.sm3 import sm3
from recorder.store.places import Place, identify, is_full
from recorder.store.pressure import WRITABLE
from recorder.store.records import Condition, SegmentHeader

REST_US = 10 * SECOND_US
"""A volume that failed is left alone for so long, by all cameras of a process together: a disk that answers with errors
is not helped by being asked a hundred times a second."""


@dataclass(frozen=True)
class FinishedPart:
    """What is known of a part file that no more will be appended to."""

    header: SegmentHeader
    bytes: int
    sha256: str
    sm3: str | None = None
    """Of the same bytes (GB/T 32905), where the box was told to."""
    volume: str = VOLUME
    """Where it lies."""


class PartFile:
    """A segment being written: grows by `append`, hashing what passes; the only way media reaches the disk."""

    def __init__(
        self,
        header: SegmentHeader,
        path: Path,
        *,
        with_sm3: bool = False,
        volume: str = VOLUME,
        device: int | None = None,
        failed: Callable[[StorageError], None] = lambda error: None,
    ) -> None:
        """What it is, and where it lies.

        Args:
            header: what the file says of itself.
            path: of the file.
            with_sm3: whether it is hashed with SM3 too.
            volume: on which it lies.
            device: the number of that one's file system; None: it is not checked.
            failed: told of what the disk did not do.
        """
        self.header = header
        self.path = path
        self.volume = volume
        self.bytes_written = 0
        self._failed = failed
        self._hash = hashlib.sha256()
        self._sm3 = sm3() if with_sm3 else None
        self._handle: int | None = files.begin(path, device)

    def append(self, *pieces: bytes | memoryview) -> None:
        """Write through to the kernel, whole, one piece behind the other.

        Raises:
            StorageError: one of its kinds. The file may then end in half a fragment; `resume` cuts it.
        """
        assert self._handle is not None, "append after close"
        try:
            with files.translated(self.path):
                files.write_all(self._handle, *pieces)
        except StorageError as err:
            self._failed(err)
            raise
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
        return FinishedPart(self.header, self.bytes_written, self.sha256(), of_sm3, self.volume)

    def close(self) -> None:
        """Give the descriptor back; harmless when done already."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


Places = Callable[[str], Sequence[Place]]
"""Where the next segment of that camera may go, the best first."""

Failed = Callable[[str, StorageError], None]
"""Told of a volume by name what it did not do."""

_WHY: dict[str, type[StorageError]] = {
    Condition.FULL: StorageFull,
    Condition.READ_ONLY: StorageReadOnly,
    Condition.IO_ERROR: StorageFailed,
    Condition.MISSING: VolumeMissing,
    Condition.FOREIGN: VolumeForeign,
}


def refusal(state: str, name: str) -> StorageError:
    """Why a volume in that state is not asked for anything."""
    kind = _WHY.get(state, StorageError)
    return kind(f"{kind.sentence()} ({name})")


class Parts:
    """Where part files of one data directory are begun."""

    def __init__(
        self,
        layout: Layout,
        places: Places | None = None,
        *,
        with_sm3: bool = False,
        mono_us: Callable[[], int] | None = None,
        failed: Failed = lambda name, error: None,
    ) -> None:
        """What it works with.

        Args:
            layout: where volumes lie.
            places: which may be written to; None: the one inside the data directory.
            with_sm3: whether segments are hashed with SM3 too.
            mono_us: the monotonic clock, so that a volume that failed rests; None: none does.
            failed: told of each failure.
        """
        self._layout = layout
        self._places = places or (lambda camera: [Place(VOLUME, layout.volume())])
        self._with_sm3 = with_sm3
        self._mono_us = mono_us
        self._tell = failed
        self._resting: dict[str, tuple[int, type[StorageError]]] = {}

    def place(self, header: SegmentHeader, volume: str = VOLUME) -> Path:
        """Where a segment lies once it is sealed."""
        return self._layout.volume(volume) / segment_path(header.stream, header.n, header.t0_us)

    def part_place(self, header: SegmentHeader, volume: str = VOLUME) -> Path:
        """Where it lies until then."""
        final = self.place(header, volume)
        return final.with_name(final.name + PART)

    def begin(self, header: SegmentHeader, without: str | None = None) -> PartFile:
        """Create the file of a segment, on the first volume that takes it; its name is taken by nobody else there.

        Args:
            header: of the segment.
            without: a volume that is passed over.

        Raises:
            StorageFull: only reserves are free. VolumeMissing: another disk, or none, is mounted there.
            StorageError: one of its kinds; of several volumes, that of the best one, unless any is just full.
        """
        refusals: list[StorageError] = []
        for place in self._places(header.camera):
            if place.name == without:
                continue
            try:
                return self._begun(place, header)
            except StorageError as err:
                refusals.append(err)
        if not refusals:
            raise VolumeMissing
        raise next((one for one in refusals if isinstance(one, StorageFull)), refusals[0])

    def _begun(self, place: Place, header: SegmentHeader) -> PartFile:
        self._refuse_unfit(place)
        try:
            device = identify(place)
            if is_full(place.root, place.reserve_bytes):
                raise StorageFull(f"{StorageFull.sentence()} ({place.name})")
            path = place.root / segment_path(header.stream, header.n, header.t0_us)
            return PartFile(
                header,
                path.with_name(path.name + PART),
                with_sm3=self._with_sm3,
                volume=place.name,
                device=device,
                failed=lambda err: self._failed(place.name, err),
            )
        except StorageError as err:
            self._failed(place.name, err)
            raise

    def _refuse_unfit(self, place: Place) -> None:
        """Without touching the disk: of one that is known to take nothing, nothing is asked."""
        if place.state not in (*WRITABLE, Condition.IO_ERROR):
            raise refusal(place.state, place.name)
        ends_us, kind = self._resting.get(place.name, (0, StorageError))
        if self._mono_us is not None and self._mono_us() < ends_us:
            raise kind(f"{kind.sentence()} ({place.name})")

    def _failed(self, name: str, error: StorageError) -> None:
        """One that is full answers at once, and cheaply: it needs no rest."""
        if self._mono_us is not None and isinstance(error, StorageFailed | StorageReadOnly | VolumeMissing):
            self._resting[name] = (self._mono_us() + REST_US, type(error))
        self._tell(name, error)
