"""One pass of carrying out the retention plan; says what should have gone, what went, and why the rest did not.

Footage past its target goes, and only through the store's guarded `discard`. Where a disk is full all the same, and
its owner has said that it may be overwritten, the oldest footage on it goes that is under no hold, until recording can
go on (ADR 28): each breach of the floor is an entry of the log, and an alarm. There is nothing before that which could
go: no derived file lies on a disk, and packages are copies that somebody asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from config.clock import Clock
from config.times import DAY_US
from recorder.errors import BelowFloor, RulesChanged, VolumeAway
from recorder.store.daycount import UNDATED_US
from recorder.store.keeping import Rule, epochs
from recorder.store.overwriting import Overwrite
from recorder.store.pressure import ERASABLE, overwritable, to_free_bytes
from recorder.store.records import Segment, Stuck, camera_of
from recorder.store.segments import UNLINK_FAILURES_LIMIT, DiscardReport
from recorder.store.store import Store
from retention.policy import Now, Policy, Reason, plan
from retention.reconcile import STUCK_LIMIT, Reconciliation, Retries, Tally

SWEEP_BATCH = 500
"""Segments looked at and discarded at a time: bounds memory, the leaf and how long commits wait."""

SWEEP_STREAMS = 16
"""Streams of which segments are discarded together: each has an entry of its own at least, of some milliseconds for
which commits wait."""

SWEEP_LIMIT = 200_000
"""Segments discarded in one pass; the rest goes in the next. What stays is not counted: footage under a hold is the
oldest, and a limit on looking would never let a pass come to what lies behind it."""

SPARED = (Reason.HELD, Reason.CLOCKS_DISAGREE)
"""Why footage that is past its target stays all the same; what is younger is nobody's concern."""

OVERWRITTEN = "a full disk is overwritten"
"""The rule by which footage goes below its floor."""

NEVER_US = 2**62
"""Of a disk without footage."""


def sweep(store: Store, clock: Clock, retries: Retries | None = None) -> Reconciliation:
    """Carry the plan out, camera by camera, each by its rules, oldest first; then overwrite what is full, where that
    was wished. A refusal is counted and passed over: it is not asked again in this pass. A file that cannot be removed
    keeps no other from going, and a disk that removes nothing no other disk.

    `retries`: what earlier passes could not remove, and when it is tried again; a box hands in the same each time.

    Raises:
        StorageError, CatalogueError: nothing can be written down; the pass ends, and what was begun is finished at the
            next start or sweep.
    """
    now = Now(clock.read().utc_us, store.elapsed_us())
    one = _Pass(store, now, Retries() if retries is None else retries)
    one.finish_earlier()
    for camera in store.cameras.all():
        policy = Policy(tuple(store.cameras.rules(camera.id)), store.zone)
        for entries, target_days in epochs(policy.rules, store.log_size):
            target_us = target_days * DAY_US
            one.go_through(partial(store.candidates, camera.stream_id, now.wall_us - target_us, entries), policy)
            long_ago_us = now.elapsed_us - target_us - UNDATED_US
            one.go_through(partial(store.undated, camera.stream_id, now.wall_us, long_ago_us, entries), policy)
    one.discard_gathered()
    one.overwrite()
    return one.tally.report(now.wall_us, is_complete=not one.is_over)


class _Pass:
    """One pass over one store."""

    def __init__(self, store: Store, now: Now, retries: Retries) -> None:
        self._store, self._now, self._retries = store, now, retries
        self.tally = Tally()
        self.is_over = False
        """Whether it ended at a limit, be it on one disk alone."""
        volumes = store.volumes()
        self._names = [one.name for one in volumes]
        self._away = {one.name for one in volumes if one.state not in ERASABLE}
        """The volumes from which nothing can be discarded now."""
        self._failures: Counter[str] = Counter()
        """By volume, of files that it did not remove."""
        self._gathered: list[Segment] = []
        self._rule = ""
        """By which they go."""
        self._planned: dict[str, tuple[Rule, ...]] = {}
        """By camera, what the plan went by."""
        self._changed: set[str] = set()
        """Streams that are kept by other rules by now."""

    def finish_earlier(self) -> None:
        """What was announced before, and is still there."""
        waiting = self._retries.waiting(self._now.elapsed_us)
        found = self._store.finish_discards({one.segment_id for one in waiting})
        self.tally.went(len(found.discarded), found.bytes)
        self._note(found.discarded, found.stuck)
        self.tally.stuck(waiting)

    def go_through(self, page: Callable[[int, tuple[int, int] | None], list[Segment]], policy: Policy) -> None:
        """What may be past its target, by pages of so many behind that one."""
        after: tuple[int, int] | None = None
        # Ends: the key only goes on, and what is recorded meanwhile is too young to be on a page.
        while not self._must_end() and (found := page(SWEEP_BATCH, after)):
            after = (found[-1].t1_us, found[-1].n)
            verdicts = plan(found, policy, self._now)
            self.tally.spared((one.segment, one.reason.value) for one in verdicts if one.reason in SPARED)
            self._gather([one.segment for one in verdicts if one.goes], policy)
            if len(found) < SWEEP_BATCH or found[-1].stream_id in self._changed:
                return

    def overwrite(self) -> None:
        """Where no disk has room, and the owner wished it: from the disk with the oldest footage first, until one
        has."""
        tried: set[str] = set()
        while full := [one for one in overwritable(self._store.volumes()) if one.name not in tried]:
            volume = min(full, key=lambda one: _oldest_us(self._store, one.name))
            tried.add(volume.name)
            leave = self._store.overwriting.on(volume.name)
            if leave is None:
                return
            self._take(leave, to_free_bytes(volume))

    def _gather(self, going: Sequence[Segment], policy: Policy) -> None:
        """What goes of several cameras goes together: each discard is signed, and of hundreds of cameras each may have
        a few segments that are due."""
        if not going:
            return
        rule = policy.name_for(going[0])
        if rule != self._rule:
            self.discard_gathered()
            self._rule = rule
        self._planned[camera_of(going[0].stream_id)] = policy.rules
        self._gathered += going
        while len(self._gathered) >= SWEEP_BATCH:
            self._discard(self._gathered[:SWEEP_BATCH], rule)
            del self._gathered[:SWEEP_BATCH]
        if len({one.stream_id for one in self._gathered}) >= SWEEP_STREAMS:
            self.discard_gathered()

    def discard_gathered(self) -> None:
        """The rest of what was gathered."""
        self._discard(self._gathered, self._rule)
        self._gathered = []

    def _discard(self, going: Sequence[Segment], rule: str) -> None:
        """The guard would say of each that its volume is away; of one that removes nothing the pass says nothing.

        Of a camera that is kept by other rules by now, the guard lets nothing go: no more of it is asked for."""
        away = [one for one in going if one.volume in self._away]
        self.tally.refused((one, VolumeAway.code) for one in away)
        asked = [one for one in going if self._is_asked(one.volume)]
        if asked:
            report = self._discarded(asked, rule, planned_by=self._planned)
            self.tally.went(len(report.discarded), report.bytes)
            segments = {one.id: one for one in asked}
            self.tally.refused((segments[segment_id], error.code) for segment_id, error in report.refused)
            changed = (one for one, error in report.refused if isinstance(error, RulesChanged))
            self._changed |= {segments[segment_id].stream_id for segment_id in changed}

    def _take(self, leave: Overwrite, wanted_bytes: int) -> None:
        """Take the oldest of a full disk, of all cameras, until so much is free; what is held is passed over."""
        after: tuple[int, str, int] | None = None
        while (
            wanted_bytes > 0
            and self._is_asked(leave.volume)
            and (found := self._store.oldest_on(leave.volume, SWEEP_BATCH, after))
        ):
            after = (found[-1].t1_us, found[-1].stream_id, found[-1].n)
            free = [one for one in found if not one.held]
            self.tally.left((one, Reason.HELD.value) for one in found if one.held)
            going = _enough(free, wanted_bytes)
            if not going:
                continue
            report = self._discarded(going, OVERWRITTEN, leave)
            if any(isinstance(error, BelowFloor) for _, error in report.refused):
                return  # the leave holds no more, and the whole disk would be asked for by five hundred
            self.tally.broke(len(report.discarded), report.bytes)
            segments = {one.id: one for one in going}
            self.tally.left((segments[segment_id], error.code) for segment_id, error in report.refused)
            if report.stuck:
                return  # what does not free anything must not go on taking
            wanted_bytes -= report.bytes
            if len(going) < len(free):  # what was not asked for comes next, should that not have been enough
                after = (going[-1].t1_us, going[-1].stream_id, going[-1].n)

    def _discarded(
        self,
        segments: Iterable[Segment],
        rule: str,
        leave: Overwrite | None = None,
        planned_by: Mapping[str, Sequence[Rule]] | None = None,
    ) -> DiscardReport:
        report = self._store.discard([one.id for one in segments], rule, leave, planned_by)
        self._note(report.discarded, report.stuck)
        return report

    def _note(self, discarded: tuple[str, ...], stuck: tuple[Stuck, ...]) -> None:
        self.tally.stuck(stuck)
        self._retries.note(discarded, stuck, self._now.elapsed_us)
        self._failures.update(one.volume for one in stuck if one.is_tried)

    def _is_asked(self, volume: str) -> bool:
        """Not one that is away; nor one that removes nothing: asking it on and on only makes it worse."""
        is_failing = self._failures[volume] >= UNLINK_FAILURES_LIMIT or self._retries.count_on(volume) >= STUCK_LIMIT
        self.is_over = self.is_over or is_failing
        return not is_failing and volume not in self._away

    def _must_end(self) -> bool:
        """At the limit of a pass, and where no disk can be asked."""
        self.is_over = self.is_over or self.tally.did >= SWEEP_LIMIT
        return self.tally.did >= SWEEP_LIMIT or not (self._away or any(map(self._is_asked, self._names)))


def _oldest_us(store: Store, volume: str) -> int:
    found = store.oldest_on(volume, 1)
    return found[0].t1_us if found else NEVER_US


def _enough(segments: list[Segment], wanted_bytes: int) -> list[Segment]:
    """The first of them that together have so many bytes; all, where they have fewer."""
    found: list[Segment] = []
    for one in segments:
        if wanted_bytes <= 0:
            break
        found.append(one)
        wanted_bytes -= one.bytes
    return found
