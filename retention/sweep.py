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
from recorder.errors import StorageError
from recorder.store.keeping import epochs
from recorder.store.overwriting import Overwrite
from recorder.store.pressure import PRESSED, to_free_bytes
from recorder.store.records import Segment
from recorder.store.store import Store
from retention.policy import Now, Policy, Reason, plan

SWEEP_BATCH = 500
"""Segments looked at and discarded at a time: bounds memory, the leaf and how long commits wait."""

SWEEP_LIMIT = 200_000
"""Segments discarded in one pass; the rest goes in the next. What stays is not counted: footage under a hold is the
oldest, and a limit on looking would never let a pass come to what lies behind it."""


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
    tally = _Tally()
    for camera in store.cameras.all():
        policy = Policy(tuple(store.cameras.rules(camera.id)), store.zone)
        for entries, target_days in epochs(policy.rules, store.log_size):
            tally.sweep(store, camera.stream_id, entries, now.wall_us - target_days * DAY_US, policy, now)
    for volume in store.volumes():
        leave = store.overwriting.on(volume.name) if volume.is_written and volume.state in PRESSED else None
        if leave is not None:
            tally.overwrite(store, leave, to_free_bytes(volume))
    if problem is not None:
        raise problem
    return tally.report()


def _finished(store: Store) -> StorageError | None:
    """What of earlier passes a disk does not finish keeps this one from nothing."""
    try:
        store.finish_discards()
    except StorageError as err:
        return err
    return None


class _Tally:
    """What a pass has come to so far."""

    def __init__(self) -> None:
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
            self._discard(store, [verdict.segment.id for verdict in verdicts if verdict.goes], policy.name)

    def _discard(self, store: Store, going: list[str], rule: str) -> None:
        self._should += len(going)
        if going:
            report = store.discard(going, rule)
            self._did, self._bytes = self._did + len(report.discarded), self._bytes + report.bytes
            self._refused.update(error.code for _, error in report.refused)

    def overwrite(self, store: Store, leave: Overwrite, wanted_bytes: int) -> None:
        """Take the oldest of a full disk, of all cameras, until so much is free; what is held is passed over."""
        after: tuple[int, str, int] | None = None
        while wanted_bytes > 0 and (found := store.oldest_on(leave.volume, SWEEP_BATCH, after)):
            after = (found[-1].t1_us, found[-1].stream_id, found[-1].n)
            free = [one for one in found if not one.held]
            self._kept[Reason.HELD] += len(found) - len(free)
            going = _enough(free, wanted_bytes)
            if going:
                report = store.discard([one.id for one in going], "a full disk is overwritten", leave)
                self._broken, self._bytes = self._broken + len(report.discarded), self._bytes + report.bytes
                self._refused.update(error.code for _, error in report.refused)
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
