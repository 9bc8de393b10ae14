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
from recorder.store.store import Store
from retention.policy import Now, Reason, Rule, plan

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


def sweep(store: Store, rule: Rule, clock: Clock) -> SweepReport:
    """Carry the plan out, oldest first. A refusal is counted and passed over: it is not asked again in this pass.

    Raises:
        StorageError, CatalogueError: the pass ends; what was begun is finished at the next start or sweep.
    """
    store.finish_discards()
    now = Now(clock.read().utc_us, store.elapsed_us())
    before_us = now.wall_us - rule.target_days * DAY_US
    kept: Counter[Reason] = Counter()
    refused: Counter[str] = Counter()
    should = did = size = 0
    after: tuple[int, str, int] | None = None
    # Ends: the key only goes on, and what is recorded meanwhile lies behind `before_us`.
    while did < SWEEP_LIMIT and (found := store.candidates(before_us, SWEEP_BATCH, after)):
        after = (found[-1].t1_us, found[-1].stream_id, found[-1].n)
        verdicts = plan(found, rule, now)
        kept.update(verdict.reason for verdict in verdicts if not verdict.goes)
        going = [verdict.segment.id for verdict in verdicts if verdict.goes]
        should += len(going)
        if going:
            report = store.discard(going, rule.name)
            did, size = did + len(report.discarded), size + report.bytes
            refused.update(error.code for _, error in report.refused)
    return SweepReport(should, did, size, dict(kept), dict(refused))
