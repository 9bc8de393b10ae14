"""One pass of carrying out the retention plan; says what should have gone, what went, and why the rest did not.

Only footage past its target goes, and only through the store's guarded `discard`. `when_full = "overwrite"` does not
yet break the floor (docs/adr): whoever asked for it is told so in the status.
"""

from __future__ import annotations

from config.clock import Clock
from config.times import DAY_US
from recorder.store.keeping import epochs
from recorder.store.records import Stuck
from recorder.store.segments import UNLINK_FAILURES_LIMIT
from recorder.store.store import Store
from retention.policy import Now, Policy, Reason, Verdict, plan
from retention.reconcile import STUCK_LIMIT, Reconciliation, Retries, Tally

SWEEP_BATCH = 500
"""Segments looked at and discarded at a time: bounds memory, the leaf and how long commits wait."""

SWEEP_LIMIT = 200_000
"""Segments discarded in one pass; the rest goes in the next. What stays is not counted: footage under a hold is the
oldest, and a limit on looking would never let a pass come to what lies behind it."""

SPARED = (Reason.HELD, Reason.CLOCKS_DISAGREE)
"""Why footage that is past its target stays all the same; what is younger is nobody's concern."""


def sweep(store: Store, clock: Clock, retries: Retries | None = None) -> Reconciliation:
    """Carry the plan out, camera by camera, each by its rules, oldest first. A refusal is counted and passed over: it
    is not asked again in this pass. A file that cannot be removed keeps no other from going.

    `retries`: what earlier passes could not remove, and when it is tried again; a box hands in the same each time.

    Raises:
        StorageError, CatalogueError: the pass ends; what was begun is finished at the next start or sweep.
    """
    now = Now(clock.read().utc_us, store.elapsed_us())
    one = _Pass(store, now, Retries() if retries is None else retries)
    one.finish_earlier()
    for camera in store.cameras.all():
        policy = Policy(tuple(store.cameras.rules(camera.id)), store.zone)
        for entries, target_days in epochs(policy.rules, store.log_size):
            one.go_through(camera.stream_id, entries, now.wall_us - target_days * DAY_US, policy)
    return one.tally.report(now.wall_us, is_complete=not one.is_over)


class _Pass:
    """One pass over one store."""

    def __init__(self, store: Store, now: Now, retries: Retries) -> None:
        self._store, self._now, self._retries = store, now, retries
        self.tally = Tally()
        self.is_over = False
        """Whether it ended at a limit."""

    def finish_earlier(self) -> None:
        """What was announced before, and is still there."""
        waiting = self._retries.waiting(self._now.elapsed_us)
        found = self._store.finish_discards({one.segment_id for one in waiting})
        self._note(found.discarded, found.bytes, found.stuck)
        self.tally.stuck(waiting)

    def go_through(self, stream_id: str, entries: range, before_us: int, policy: Policy) -> None:
        """What of a stream is told by these entries, and ended before that instant."""
        after: tuple[int, int] | None = None
        # Ends: the key only goes on, and what is recorded meanwhile lies behind `before_us`.
        while not self._must_end() and (
            found := self._store.candidates(stream_id, before_us, entries, SWEEP_BATCH, after)
        ):
            after = (found[-1].t1_us, found[-1].n)
            verdicts = plan(found, policy, self._now)
            self.tally.spared((one.segment, one.reason.value) for one in verdicts if one.reason in SPARED)
            self._discard([one for one in verdicts if one.goes], policy.name)

    def _discard(self, going: list[Verdict], rule: str) -> None:
        if not going:
            return
        segments = {one.segment.id: one.segment for one in going}
        report = self._store.discard(list(segments), rule)
        self.tally.refused((segments[segment_id], error.code) for segment_id, error in report.refused)
        self._note(report.discarded, report.bytes, report.stuck)

    def _note(self, discarded: tuple[str, ...], size: int, stuck: tuple[Stuck, ...]) -> None:
        self.tally.went(len(discarded), size)
        self.tally.stuck(stuck)
        self._retries.note(discarded, stuck, self._now.elapsed_us)
        self.is_over = self.is_over or len(stuck) >= UNLINK_FAILURES_LIMIT

    def _must_end(self) -> bool:
        """At the limit of a pass, and where the disk removes nothing: asking it on and on only makes it worse."""
        self.is_over = self.is_over or self.tally.did >= SWEEP_LIMIT or self._retries.count >= STUCK_LIMIT
        return self.is_over
