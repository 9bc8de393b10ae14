"""The media under holds, looked after: linked, read again and again, and compared with what the log says of it.

`verified` reads one held segment and says what is wrong with it. `Custody` is the duty: it brings `hold/` in line, then
reads what is due, as much in a turn as keeps recording undisturbed, and goes on where it was after a restart. A hold is
read once as soon as it is placed, and then every week. What is damaged is told and stays: nothing here removes media.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event, Lock
from typing import Final

import structlog

from config.clock import Clock
from config.times import DAY_US, HOUR_US, SECOND_US
from recorder.errors import ReleaseCodesDamaged, ReleaseCodesMissing, StorageError, VolumeMissing
from recorder.store.hashing import hashes_of
from recorder.store.held import Damage, HeldMedia, HeldState, Work
from recorder.store.records import Hold, stream_of
from recorder.store.store import Store
from retention.holding import held_spans, reminder

PERIOD_S: Final = 60.0
"""A hold that is placed calls; this is for what is due by time."""

ANEW_US: Final = DAY_US
"""So often `hold/` is looked through as a whole, by monotonic time; and at each start."""

RECHECK_US: Final = 7 * DAY_US
"""So often all held media is read."""

COUNT_US: Final = HOUR_US
"""So often it is counted how much all holds keep: that walks their rows."""

RATE_BYTES_S: Final = 20_000_000
"""How much of it a second: a tenth of what one disk reads, so that recording does not notice."""

TURN_BYTES: Final = 64 * 1024 * 1024
"""So much in a turn; then the pace is kept by waiting, and whoever stops the box does not wait for it."""

PAGE: Final = 20
"""Segments asked for at once; the next turn goes on behind the last that was read."""

BREATH_S: Final = 0.05
"""Between two turns, at least."""

log = structlog.get_logger("holds")


def verified(media: HeldMedia) -> tuple[Damage | None, int]:
    """What is wrong with a held segment, and how many bytes were read: its file is hashed, and compared with its leaf.

    A file that has only its second name left is read by that.
    """
    path = media.path if media.path.exists() else media.held_path
    try:
        found = hashes_of(path, with_sm3=media.sm3 is not None)
    except VolumeMissing:
        return Damage.MISSING, 0
    except StorageError:
        return Damage.UNREADABLE, 0
    is_whole = found.sha256 == media.sha256 and found.sm3 == media.sm3
    return (None if is_whole else Damage.ALTERED), media.bytes


def held_bytes(store: Store, holds: Sequence[Hold]) -> int:
    """What holds keep together, each file counted once."""
    spans = [(camera, span) for camera, found in held_spans(holds).items() for span in found]
    return sum(store.stock(stream_of(camera), *span).bytes for camera, span in spans)


class Custody:
    """The held media of one box. `run` belongs to one thread, `stop` and `states` to any."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._stopping = Event()
        self._lined_up_us: int | None = None
        self._reminded: dict[int, int] = {}
        self._pause_s = PERIOD_S
        self._lock = Lock()
        self._states: Mapping[int, HeldState] = {}
        self._bytes: int | None = None
        self._damaged = 0
        self._counted: tuple[frozenset[int], int] | None = None

    def run(self) -> None:
        """One turn: tell new release codes, bring `hold/` in line, read some of what is due, remind.

        Raises:
            StorageError, CatalogueError, LogError: it is tried again at the next turn.
        """
        self._pause_s = PERIOD_S
        # The status says so: footage that is held is to be looked after all the same.
        with contextlib.suppress(ReleaseCodesMissing, ReleaseCodesDamaged):
            self._store.holds.codes.tell()
        begun_us = self._clock.read().mono_us
        is_anew = self._lined_up_us is None or begun_us - self._lined_up_us >= ANEW_US
        fault = self._line_up(is_anew)
        if is_anew and fault is None:
            self._lined_up_us = begun_us
        holds = self._store.holds.active()
        self._remind(holds)
        read_bytes, has_more = self._read_some(holds)
        self._count(holds, begun_us)
        states = {one.hold_id: one for one in self._store.held.states()}
        damaged = self._store.held.damaged_count()
        with self._lock:
            self._states, self._damaged = states, damaged
        if has_more:
            took_s = (self._clock.read().mono_us - begun_us) / SECOND_US
            self._pause_s = min(PERIOD_S, max(BREATH_S, read_bytes / RATE_BYTES_S - took_s))
        if fault is not None:
            raise fault

    def _line_up(self, is_anew: bool) -> StorageError | None:
        """A disk that makes no second names keeps nobody from reading what it has."""
        try:
            self._store.held.bring_in_line(anew=is_anew)
        except StorageError as err:
            return err
        return None

    def pause_s(self) -> float:
        """How long until the next turn: as the pace wants while something is being read."""
        return self._pause_s

    def stop(self) -> None:
        """End the turn at the next segment; a pass goes on at the next start."""
        self._stopping.set()

    def states(self) -> Mapping[int, HeldState]:
        """How it stood with the media of each hold in force at the end of the last turn."""
        with self._lock:
            return self._states

    def damaged(self) -> int:
        """How many segments under holds were not as they were recorded at the end of the last turn, each once."""
        with self._lock:
            return self._damaged

    def held_bytes(self) -> int | None:
        """What all holds in force kept together when it was last counted; None: it was not yet."""
        with self._lock:
            return self._bytes

    def _count(self, holds: list[Hold], now_us: int) -> None:
        """Anew when holds came or went, and every hour."""
        ids = frozenset(one.id for one in holds)
        if self._counted is None or self._counted[0] != ids or now_us - self._counted[1] >= COUNT_US:
            size = held_bytes(self._store, holds)
            self._counted = (ids, now_us)
            with self._lock:
                self._bytes = size

    def _read_some(self, holds: list[Hold]) -> tuple[int, bool]:
        """Bytes that were read, and whether something more is due."""
        read_bytes = 0
        for hold in holds:
            while self._is_due(hold):
                if self._stopping.is_set() or read_bytes >= TURN_BYTES:
                    return read_bytes, True
                read_bytes += self._go_on(hold, TURN_BYTES - read_bytes)
        return read_bytes, False

    def _is_due(self, hold: Hold) -> bool:
        """A pass is under way, or the last is a week old; by the wall clock, and at once where that was set back."""
        state = self._store.held.state(hold.id)
        if state.is_checking or state.checked is None:
            return True
        return not 0 <= self._clock.read().utc_us - state.checked.checked_us < RECHECK_US

    def _go_on(self, hold: Hold, budget_bytes: int) -> int:
        """A page of a pass, or its end."""
        work = self._store.held.work(hold.id)
        page = self._store.held.next_media(hold.id, work.behind, PAGE)
        if not page:
            done = self._store.held.end(hold.id, work)
            log.info("held media was checked", hold=hold.id, segments=done.segments, damaged=done.damaged)
            return 0
        read_bytes = 0
        for media in page:
            damage, size = verified(media)
            if damage is not None and self._is_away(media):
                work = replace(work, behind=(media.stream_id, media.n))
                continue
            self._tell(hold.id, media, damage)
            read_bytes += size
            work = _counted(work, media, size, damage)
            if read_bytes >= budget_bytes or self._stopping.is_set():
                break
        self._store.held.go_on(hold.id, work)
        return read_bytes

    def _is_away(self, media: HeldMedia) -> bool:
        """Whether its disk is not there: then nothing is said of it, nor is it counted. Its turn comes at the next
        pass, and in the scrub."""
        try:
            self._store.disks.refuse_away(media.volume)
        except StorageError:
            return True
        return False

    def _tell(self, hold_id: int, media: HeldMedia, damage: Damage | None) -> None:
        if damage is not None and self._went(hold_id, media):
            return
        if damage is not None:
            log.error("held media is damaged", segment=media.id, hold=hold_id, why=damage.value)
        elif not media.path.exists() and not self._went(hold_id, media):
            self._store.held.name_back(media)
        self._store.held.tell(hold_id, media, damage)

    def _went(self, hold_id: int, media: HeldMedia) -> bool:
        """Whether the hold was released meanwhile, and its footage went: nobody did it any harm."""
        return self._store.holds.get(hold_id).released_us is not None

    def _remind(self, holds: list[Hold]) -> None:
        """A line in the log of the program at each stage; the status tells all the time."""
        now_us = self._clock.read().utc_us
        due = {hold.id: found for hold in holds if (found := reminder(hold.review_us, now_us)) is not None}
        for hold_id, found in due.items():
            if self._reminded.get(hold_id) != found.stage:
                log.warning("a hold is to be reviewed; it stays in force", hold=hold_id, days=found.days)
        self._reminded = {hold_id: found.stage for hold_id, found in due.items()}


def _counted(work: Work, media: HeldMedia, size: int, damage: Damage | None) -> Work:
    return replace(
        work,
        behind=(media.stream_id, media.n),
        segments=work.segments + 1,
        bytes=work.bytes + size,
        damaged=work.damaged + (damage is not None),
    )
