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
from recorder.errors import ExportOver, StorageFull
from recorder.store import files
from recorder.store.parts import is_full
from recorder.store.records import Export, ExportState, camera_of
from recorder.store.store import Store
from retention.evidence.export import Exported, Stamper, Wanted, export

TELL_BYTES = 32 * 1024 * 1024
"""How often progress is written down, and it is asked whether somebody cancelled."""

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
        """Make all that was asked for; what was cancelled while nobody made it goes."""
        for over in self._store.exports.all():
            if over.state in (ExportState.CANCELLED, ExportState.FAILED):
                files.remove_tree(folder_of(self._store, over))
        while not self._stopping.is_set():
            one = self._store.exports.next()
            if one is None:
                return
            self._make(one)

    def stop(self) -> None:
        """End at the next piece; to go on at the next start."""
        self._stopping.set()

    def _make(self, one: Export) -> None:
        folder = folder_of(self._store, one)
        try:
            done = self._written(one, folder)
        except _Stopped:
            return
        except _Cancelled:
            files.remove_tree(folder)
        except CustosError as err:
            log.warning("an export failed", export=one.id, code=err.code, reason=str(err))
            self._end(one, ExportState.FAILED, err.code, str(err))
        except Exception as err:  # top of a job: the others are to be made all the same
            log.exception("an export failed by a fault in Custos", export=one.id)
            self._end(one, ExportState.FAILED, "bug", f"A fault in Custos itself ({type(err).__name__}).")
        else:
            said = "" if not done.altered else f"Missing, or not what was recorded: {', '.join(done.altered[:20])}."
            self._end(one, ExportState.DONE, "media_altered" if said else None, said or None)

    def _end(self, one: Export, state: ExportState, code: str | None, text: str | None) -> None:
        """Unless somebody cancelled it meanwhile; what is not done leaves nothing behind."""
        try:
            ended = self._store.exports.end(one.id, state, code, text).state
        except ExportOver:
            ended = ExportState.CANCELLED
        if ended is not ExportState.DONE:
            files.remove_tree(folder_of(self._store, one))

    def _written(self, one: Export, folder: Path) -> Exported:
        told = -TELL_BYTES

        def progress(done: int, total: int) -> None:
            nonlocal told
            if self._stopping.is_set():
                raise _Stopped
            if done - told < TELL_BYTES and done < total:
                return
            told = done
            if not self._store.exports.progress(one.id, done, total):
                raise _Cancelled
            if is_full(self._store.layout.root):  # recording needs what is left
                raise StorageFull

        progress(0, 0)
        wanted = Wanted(camera_of(one.stream_id), one.t0_us, one.t1_us, one.case)
        return export(
            self._store, wanted, folder, self._clock, self._program, progress, stamper=self._stamper, resume=True
        )


def folder_of(store: Store, one: Export) -> Path:
    """Where a package lies."""
    return store.layout.exports / f"{one.id}"
