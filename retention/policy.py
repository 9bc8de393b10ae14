"""What should go and what must stay, with a reason for each segment. Pure: a function of values.

The store asks again before it deletes (`Segments.discard`); this decides what it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from recorder.store.daycount import may_go_us, trusted_now_us
from recorder.store.keeping import Rule, floor_of, target_of
from recorder.store.records import MediaState, Segment


class Reason(StrEnum):
    """Why a segment goes or stays."""

    PAST_TARGET = "past_target"
    HELD = "held"
    YOUNGER_THAN_TARGET = "younger_than_target"
    CLOCKS_DISAGREE = "clocks_disagree"
    ALREADY_GONE = "already_gone"


@dataclass(frozen=True)
class Policy:
    """How long a camera's footage is kept, and by whose midnights."""

    rules: tuple[Rule, ...]
    """Of the camera, all that came into force, in the order of the log; one at least."""
    zone: ZoneInfo

    def name_for(self, segment: Segment) -> str:
        """As leaves tell it: after how many days that segment goes, and for how many it had to be kept, which may be by
        an older rule than the one in force."""
        index = segment.leaf_index
        return f"target {target_of(self.rules, index)} days, floor {floor_of(self.rules, index)} days"


@dataclass(frozen=True)
class Now:
    """The present, by both clocks."""

    wall_us: int
    elapsed_us: int


@dataclass(frozen=True)
class Verdict:
    """What should become of one segment."""

    segment: Segment
    goes: bool
    reason: Reason


def plan(segments: Iterable[Segment], policy: Policy, now: Now) -> list[Verdict]:
    """A verdict on each segment, in the order given."""
    return [_judge(segment, policy, now) for segment in segments]


def due_us(segment: Segment, policy: Policy, now: Now) -> int:
    """When a segment goes by the target."""
    return may_go_us(
        segment.t1_us, target_of(policy.rules, segment.leaf_index), policy.zone, segment.utc_offset_s, now.wall_us
    )


def _judge(segment: Segment, policy: Policy, now: Now) -> Verdict:
    if segment.state is not MediaState.PRESENT:
        return Verdict(segment, False, Reason.ALREADY_GONE)
    due = due_us(segment, policy, now)
    goes = trusted_now_us(segment.t1_us, segment.elapsed_us, now.wall_us, now.elapsed_us) >= due
    if not goes and now.wall_us < due:
        return Verdict(segment, False, Reason.YOUNGER_THAN_TARGET)
    if segment.held:
        return Verdict(segment, False, Reason.HELD)
    return Verdict(segment, goes, Reason.PAST_TARGET if goes else Reason.CLOCKS_DISAGREE)
