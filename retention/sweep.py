"""One pass of carrying out the retention plan; says what should have gone, what went, and why the rest did not.

Only footage past its target goes, and only through the store's guarded `discard`. `when_full = "overwrite"` does not
yet break the floor (docs/adr): whoever asked for it is told so in the status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from config.clock import Clock
from config.times import DAY_US
from recorder.store.keeping import epochs
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

    @property
    def sentence(self) -> str:
        """For the log and for people."""
        why = ", ".join(f"{count} {code}" for code, count in sorted(self.refused.items()))
        return f"should have discarded {self.should}, discarded {self.did}" + (f", because {why}" if why else "")


def sweep(store: Store, clock: Clock) -> SweepReport:
    """Carry the plan out, camera by camera, each by its rules, oldest first. A refusal is counted and passed over: it
    is not asked again in this pass.

    Raises:
        StorageError, CatalogueError: the pass ends; what was begun is finished at the next start or sweep.
    """
    store.finish_discards()
    now = Now(clock.read().utc_us, store.elapsed_us())
    tally = _Tally()
    for camera in store.cameras.all():
        policy = Policy(tuple(store.cameras.rules(camera.id)), store.zone)
        for entries, target_days in epochs(policy.rules, store.log_size):
            tally.sweep(store, camera.stream_id, entries, now.wall_us - target_days * DAY_US, policy, now)
    return tally.report()


class _Tally:
    """What a pass has come to so far."""

    def __init__(self) -> None:
        self._kept: Counter[Reason] = Counter()
        self._refused: Counter[str] = Counter()
        self._should = self._did = self._bytes = 0

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

    def report(self) -> SweepReport:
        """The whole."""
        return SweepReport(self._should, self._did, self._bytes, dict(self._kept), dict(self._refused))
