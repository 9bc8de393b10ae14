"""Makes the evidence packages that were asked for, one after the other, in a thread that may be told to stop.

What is begun when the box stops goes on at its next start: copies that are whole are kept. What fails, or is cancelled,
leaves nothing but its row.
"""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

from config.clock import Clock
from config.errors import CustosError
from recorder.errors import ExportOver, StorageError
from recorder.store import files
from recorder.store.log.errors import KeyReplaced
from recorder.store.records import Export, ExportState, camera_of
from recorder.store.store import Store
from retention.evidence.export import Exported, Stamper, Wanted, checked, export
from retention.evidence.handing import list_of
from retention.evidence.room import Room, needed_bytes

TELL_BYTES = 32 * 1024 * 1024
"""How often progress is written down, and it is asked whether somebody cancelled."""

GONE = (ExportState.CANCELLED, ExportState.FAILED, ExportState.REMOVED)
"""States in which nothing of a package is left."""

log = structlog.get_logger("exports")


class _Stopped(Exception):
    """The box stops: this goes on at its next start."""


class _Cancelled(Exception):
    """Somebody does not want it any more."""


class Exporter:
    """The exports of one box. `run` belongs to one thread, `stop` to any."""

    def __init__(self, store: Store, clock: Clock, program: str, stamper: Stamper | None = None) -> None:
        self._store = store
        self._stamper = stamper
        self._clock = clock
        self._program = program
        self._stopping = threading.Event()

    def run(self) -> None:
        """Make all that was asked for; what was cancelled or removed while nobody could finish that goes.

        Raises:
            StorageError: files that should have gone cannot be removed; whatever could be made was made all the same.
        """
        over = [one for one in self._store.exports.all() if one.state in GONE]
        left = [err for one in over if (err := self._removed(one)) is not None]
        while not self._stopping.is_set() and (one := self._store.exports.next()) is not None:
            if (err := self._make(one)) is not None:
                left.append(err)
        if left:
            raise left[0]

    def stop(self) -> None:
        """End at the next piece; to go on at the next start."""
        self._stopping.set()

    def _make(self, one: Export) -> StorageError | None:
        """Why what is left of one that came to nothing cannot be removed; mostly None."""
        folder = folder_of(self._store, one)
        try:
            done = self._written(one, folder)
        except _Stopped:
            pass
        except KeyReplaced:  # `run` asks for it again, with the new key; whole copies are kept
            log.info("an export begins again: the key was replaced", export=one.id)
        except _Cancelled:
            return self._removed(one)
        except CustosError as err:
            log.warning("an export failed", export=one.id, code=err.code, reason=str(err))
            return self._end(one, ExportState.FAILED, err.code, str(err))
        except Exception as err:  # top of a job: the others are to be made all the same
            log.exception("an export failed by a fault in Custos", export=one.id)
            return self._end(one, ExportState.FAILED, "bug", f"A fault in Custos itself ({type(err).__name__}).")
        else:
            said = "" if not done.altered else f"Missing, or not what was recorded: {', '.join(done.altered[:20])}."
            return self._end(one, ExportState.DONE, "media_altered" if said else None, said or None)
        return None

    def _end(self, one: Export, state: ExportState, code: str | None, text: str | None) -> StorageError | None:
        """Unless somebody cancelled it meanwhile; what is not done leaves nothing behind, or it is told why it does."""
        try:
            ended = self._store.exports.end(one.id, state, code, text).state
        except ExportOver:
            ended = ExportState.CANCELLED
        return None if ended is ExportState.DONE else self._removed(one)

    def _removed(self, one: Export) -> StorageError | None:
        """Remove its files, or tell why they cannot be: then the next turn tries again, and the others do not wait."""
        try:
            _remove_files(self._store, one)
        except StorageError as err:
            log.warning("what is left of an export cannot be removed", export=one.id, code=err.code, reason=str(err))
            return err
        return None

    def _written(self, one: Export, folder: Path) -> Exported:
        told = -TELL_BYTES
        room, there = Room(self._store, self._clock.read().utc_us), _size_of(folder)

        def progress(done: int, total: int) -> None:
            nonlocal told
            if self._stopping.is_set():
                raise _Stopped
            if done - told < TELL_BYTES and done < total:
                return
            told = done if total else -TELL_BYTES  # the first that tells how much there is to write is heard
            if not self._store.exports.progress(one.id, done, total):
                raise _Cancelled
            room.check(max(total - max(done, there), 0))

        progress(0, 0)
        wanted = Wanted(camera_of(one.stream_id), one.t0_us, one.t1_us, one.case)
        return export(
            self._store, wanted, folder, self._clock, self._program, progress, stamper=self._stamper, resume=True
        )


def ask(store: Store, clock: Clock, camera_id: str, start_us: int, end_us: int, case: str, reason: str) -> Export:
    """Have the package of an interval made, if it can be.

    Raises:
        CameraUnknown, NothingToExport: as they say. NoRoomForExport: the disk could not hold it; nothing was asked for.
    """
    stream_id = checked(store, camera_id, start_us, end_us)
    Room(store, clock.read().utc_us).check(needed_bytes(store, stream_id, start_us, end_us))
    return store.exports.ask(stream_id, start_us, end_us, case, reason)


def remove(store: Store, export_id: int) -> Export:
    """Remove the package of an export that is done; what the log says of it stays. What fails is finished by `run`.

    Raises:
        ExportUnknown, ExportNotDone: as they say. StorageError: the files cannot be removed now.
    """
    removed = store.exports.remove(export_id)
    _remove_files(store, removed)
    return removed


def _remove_files(store: Store, one: Export) -> None:
    folder = folder_of(store, one)
    files.remove_copy(list_of(folder))  # first: without it nothing is handed out
    files.remove_tree(folder)


def _size_of(folder: Path) -> int:
    """Bytes that an attempt before left.

    Raises:
        StorageError: it cannot be looked at.
    """
    with files.translated(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def folder_of(store: Store, one: Export) -> Path:
    """Where a package lies."""
    return store.layout.exports / f"{one.id}"
