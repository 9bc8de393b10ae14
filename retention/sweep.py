"""One pass of carrying out the retention plan; says what should have gone, what went, and why the rest did not.

Footage past its target goes, and only through the store's guarded `discard`. Where a disk is full all the same, and
its owner has said that it may be overwritten, the oldest footage on it goes that is under no hold, until recording can
go on (ADR 28): each breach of the floor is an entry of the log, and an alarm. There is nothing before that which could
go: no derived file lies on a disk, and packages are copies that somebody asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from config.clock import Clock
from config.times import DAY_US
from recorder.errors import StorageError, StorageFull, VolumeAway
from recorder.store.keeping import epochs
from recorder.store.overwriting import Overwrite
from recorder.store.pressure import ERASABLE, WRITABLE, overwritable, to_free_bytes
from recorder.store.records import Condition, Segment
from recorder.store.segments import DiscardReport
from recorder.store.store import Store
from retention.policy import Now, Policy, Reason, plan

SWEEP_BATCH = 500
"""Segments looked at and discarded at a time: bounds memory, the leaf and how long commits wait."""

SWEEP_LIMIT = 200_000
"""Segments discarded in one pass; the rest goes in the next. What stays is not counted: footage under a hold is the
oldest, and a limit on looking would never let a pass come to what lies behind it."""


NEVER_US = 2**62
"""Of a disk without footage."""


@dataclass(frozen=True)
class SweepReport:
    """What one pass came to."""

    should: int
    did: int
    bytes: int
    kept: Mapping[Reason, int]
    refused: Mapping[str, int]
    """By code of the store's refusal: the plan and the guard disagreed, which is worth knowing."""
    broken: int = 0
    """Segments that went before they might, because a disk was full, and its owner had wished it so."""

    @property
    def sentence(self) -> str:
        """For the log and for people."""
        why = ", ".join(f"{count} {code}" for code, count in sorted(self.refused.items()))
        said = f"should have discarded {self.should}, discarded {self.did}" + (f", because {why}" if why else "")
        return said + (f"; overwrote {self.broken} below the floor" if self.broken else "")


def sweep(store: Store, clock: Clock) -> SweepReport:
    """Carry the plan out, camera by camera, each by its rules, oldest first. A refusal is counted and passed over: it
    is not asked again in this pass.

    Raises:
        StorageError: a disk did not do it; the others have. It is tried again in the next pass.
        CatalogueError: the pass ends; what was begun is finished at the next start or sweep.
    """
    problem = _finished(store)
    now = Now(clock.read().utc_us, store.elapsed_us())
    tally = _Tally(store)
    for camera in store.cameras.all():
        policy = Policy(tuple(store.cameras.rules(camera.id)), store.zone)
        for entries, target_days in epochs(policy.rules, store.log_size):
            tally.sweep(store, camera.stream_id, entries, now.wall_us - target_days * DAY_US, policy, now)
    _overwrite(store, tally)
    if problem := problem or tally.problem:
        raise problem
    return tally.report()


def _overwrite(store: Store, tally: _Tally) -> None:
    """Where no disk has room, and the owner wished it: from the disk with the oldest footage first, until one has."""
    tried: set[str] = set()
    while full := [one for one in overwritable(store.volumes()) if one.name not in tried]:
        volume = min(full, key=lambda one: _oldest_us(store, one.name))
        tried.add(volume.name)
        leave = store.overwriting.on(volume.name)
        if leave is None:
            return
        tally.overwrite(store, leave, to_free_bytes(volume))


def _oldest_us(store: Store, volume: str) -> int:
    found = store.oldest_on(volume, 1)
    return found[0].t1_us if found else NEVER_US


def _finished(store: Store) -> StorageError | None:
    """What of earlier passes a disk does not finish keeps this one from nothing."""
    try:
        store.finish_discards()
    except StorageError as err:
        return err
    return None


class _Tally:
    """What a pass has come to so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.problem: StorageError | None = None
        """What a disk did not do; the rest was tried all the same."""
        self._there = {one.name for one in store.volumes() if one.state in ERASABLE}
        """The volumes from which something can be discarded now."""
        self._kept: Counter[Reason] = Counter()
        self._refused: Counter[str] = Counter()
        self._should = self._did = self._bytes = self._broken = 0

    def sweep(self, store: Store, stream_id: str, entries: range, before_us: int, policy: Policy, now: Now) -> None:
        """What of a stream is told by these entries, and ended before that instant."""
        after: tuple[int, int] | None = None
        # Ends: the key only goes on, and what is recorded meanwhile lies behind `before_us`.
        while self._did < SWEEP_LIMIT and (
            found := store.candidates(stream_id, before_us, entries, SWEEP_BATCH, after)
        ):
            after = (found[-1].t1_us, found[-1].n)
            verdicts = plan(found, policy, now)
            self._kept.update(verdict.reason for verdict in verdicts if not verdict.goes)
            due = [verdict.segment for verdict in verdicts if verdict.goes]
            going = [one.id for one in due if one.volume in self._there]
            self._should += len(due)
            self._refused.update([VolumeAway.code] * (len(due) - len(going)))  # the guard would say so, one by one
            if going and (report := self._discarded(going, policy.name)):
                self._did += len(report.discarded)

    def _discarded(self, going: list[str], rule: str, leave: Overwrite | None = None) -> DiscardReport | None:
        """What came of it; None: a disk did not do it. Nothing more is asked of that one, and of the others all."""
        try:
            report = self._store.discard(going, rule, leave)
        except StorageFull:  # the catalogue takes no entry: it takes none for other disks either
            raise
        except StorageError as err:
            self.problem = self.problem or err
            self._there = {one.name for one in self._store.volumes() if one.state in (*WRITABLE, Condition.FULL)}
            return None
        self._bytes += report.bytes
        self._refused.update(error.code for _, error in report.refused)
        return report

    def overwrite(self, store: Store, leave: Overwrite, wanted_bytes: int) -> None:
        """Take the oldest of a full disk, of all cameras, until so much is free; what is held is passed over."""
        after: tuple[int, str, int] | None = None
        while wanted_bytes > 0 and (found := store.oldest_on(leave.volume, SWEEP_BATCH, after)):
            after = (found[-1].t1_us, found[-1].stream_id, found[-1].n)
            free = [one for one in found if not one.held]
            self._kept[Reason.HELD] += len(found) - len(free)
            going = _enough(free, wanted_bytes)
            if going:
                report = self._discarded([one.id for one in going], "a full disk is overwritten", leave)
                if report is None:
                    return  # what does not free anything must not go on taking
                self._broken += len(report.discarded)
                wanted_bytes -= report.bytes
                if len(going) < len(free):  # what was not asked for comes next, should that not have been enough
                    after = (going[-1].t1_us, going[-1].stream_id, going[-1].n)

    def report(self) -> SweepReport:
        """The whole."""
        kept, refused = dict(self._kept), dict(self._refused)
        return SweepReport(self._should, self._did, self._bytes, kept, refused, self._broken)


def _enough(segments: list[Segment], wanted_bytes: int) -> list[Segment]:
    """The first of them that together have so many bytes; all, where they have fewer."""
    found: list[Segment] = []
    for one in segments:
        if wanted_bytes <= 0:
            break
        found.append(one)
        wanted_bytes -= one.bytes
    return found
