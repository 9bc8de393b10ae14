"""Reads stored media again and again, and has written down what is not right any more (invariant 10).

`retention.pace` decides what comes next and how fast; `recorder.store.scrubs` compares and writes down. A file that was
half read when the box stopped is read anew: what is written down of the others stands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from config.clock import Clock
from recorder.errors import VolumeMissing
from recorder.store.records import Checkable, Checked, stream_of
from recorder.store.store import Store
from retention.pace import Load, Pace, first, readable

BATCH = 16
"""Files of one transaction, some ten seconds' worth: recording's commits wait for each other, and for this too."""

TURN_US = 60 * 1_000_000
"""So long a turn goes on; behind it the duty tells that all is well, and begins another."""

PRESSED_PAUSE_S = 5.0
"""While recording has trouble: so long until it is looked at again."""

NOW_US = 5 * 1_000_000
"""After so long no further file is begun for one request; the next one goes on from there."""

NOW_LIMIT = 200
"""Files of one request."""

log = structlog.get_logger("custos.scrub")


class _Stopped(Exception):
    """The box stops."""


class Scrubber:
    """The scrub of one box. `run` belongs to one thread, `stop` to any."""

    def __init__(self, store: Store, clock: Clock, pace: Pace, load: Callable[[], Load]) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace
        self._load = load
        self._stopping = threading.Event()
        self._read_us = 0
        self.is_through = False
        """Whether nothing was due any more at the end of the last turn."""

    def stop(self) -> None:
        """For good; what is being read is left."""
        self._stopping.set()

    def run(self) -> None:
        """Read what is due, for at most a turn.

        Raises:
            StorageError, CatalogueError: what was found cannot be written down, or a file not be asked for.
        """
        ends_us = self._clock.read().mono_us + TURN_US
        away = set[str]()
        while not self._stopping.is_set() and self._clock.read().mono_us < ends_us:
            batch = self._due(away)
            self.is_through = not batch
            if not batch:
                return
            self._check(batch, away)

    def _due(self, away: set[str]) -> list[Checkable]:
        before_us = self._pace.due_before_us(self._store.elapsed_us())
        names = [name for name in readable(self._store.volumes()) if name not in away]
        return first(self._store.scrubs.next(name, before_us, BATCH) for name in names)

    def _check(self, batch: list[Checkable], away: set[str]) -> None:
        found: list[Checked] = []
        self._read_us = self._clock.read().mono_us
        try:
            for what in batch:
                self._let_record()
                found.append(self._store.scrubs.look(what, self._passed))
        except VolumeMissing:  # the status says so; what lies on it is looked at when it is back
            away.add(batch[0].volume)
        except _Stopped:
            pass
        finally:
            _tell(self._store.scrubs.note(found))

    def _passed(self, count: int) -> None:
        now_us = self._clock.read().mono_us
        if self._clock.wait(self._stopping, self._pace.pause_s(count, now_us - self._read_us)):
            raise _Stopped
        self._let_record()
        self._read_us = self._clock.read().mono_us

    def _let_record(self) -> None:
        while self._load().is_pressing:
            if self._clock.wait(self._stopping, PRESSED_PAUSE_S):
                raise _Stopped


@dataclass(frozen=True)
class NowChecked:
    """What came of one request to have something checked at once."""

    checked: int
    bytes: int
    left_bytes: int
    """Of the interval, behind what was checked."""
    damaged: tuple[Checked, ...]
    next_n: int | None
    """Ask again for what lies behind this number; None: that was all."""


def check_now(
    store: Store, clock: Clock, camera_id: str, start_us: int, end_us: int, after_n: int | None = None
) -> NowChecked:
    """Check what is stored of an interval of a camera, as fast as the disk goes, a few seconds' worth at a time.

    Raises:
        CameraUnknown, ScrubBusy: as they say. StorageError: a volume cannot be read.
    """
    store.cameras.get(camera_id)
    stream_id, begun_us = stream_of(camera_id), clock.read().mono_us
    found: list[Checked] = []
    with store.scrubs.by_request():
        wanted = store.scrubs.between(stream_id, start_us, end_us, NOW_LIMIT, -1 if after_n is None else after_n)
        try:
            for what in wanted:
                found.append(store.scrubs.look(what))
                if clock.read().mono_us - begun_us >= NOW_US:
                    break
        finally:
            _tell(store.scrubs.note(found, in_pass=False))
        is_all = len(found) == len(wanted) < NOW_LIMIT
        next_n = None if is_all else found[-1].what.n
        left_bytes = 0 if next_n is None else store.scrubs.bytes_between(stream_id, start_us, end_us, next_n)
    damaged = tuple(one for one in found if one.damage is not None)
    return NowChecked(len(found), sum(one.what.bytes for one in found), left_bytes, damaged, next_n)


def _tell(news: list[Checked]) -> None:
    for one in news:
        if one.damage is None:
            log.info("a damaged segment is right again", segment=one.what.id)
        else:
            log.error("a stored segment is damaged", segment=one.what.id, damage=one.damage.value)
