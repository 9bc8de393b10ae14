"""The plan: what goes, what stays, and why."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US
from recorder.store.daycount import earliest_discard_us, is_undated
from recorder.store.keeping import Rule
from recorder.store.records import CodecName, MediaState, Segment
from retention.policy import Now, Policy, Reason, plan

ZONE = ZoneInfo("Asia/Shanghai")
RULE = Policy((Rule(0, 30, 31),), ZONE)
OLD = Segment(
    stream_id="gate.main", n=1, run=1, t0_us=0, t1_us=60_000_000, prev="", leaf_index=0, leaf_hash="", elapsed_us=0,
    volume="main", path="", bytes=1, init_bytes=1, init_sha256="", frames=1, codec=CodecName.H264, width=1, height=1,
    lost_packets=None, clock_offset_us=None, sha256="", recovered=False, state=MediaState.PRESENT,
)  # fmt: skip
LATER = Now(40 * DAY_US, 40 * DAY_US)


@pytest.mark.parametrize(
    ("segment", "now", "reason"),
    [
        (OLD, LATER, Reason.PAST_TARGET),
        (OLD, Now(20 * DAY_US, 20 * DAY_US), Reason.YOUNGER_THAN_TARGET),
        (OLD, Now(31 * DAY_US + DAY_US // 2, 40 * DAY_US), Reason.YOUNGER_THAN_TARGET),
        (OLD, Now(4000 * DAY_US, DAY_US), Reason.CLOCKS_DISAGREE),
        (OLD, Now(-4000 * DAY_US, 40 * DAY_US), Reason.PAST_TARGET),
        (OLD, Now(-4000 * DAY_US, 32 * DAY_US), Reason.YOUNGER_THAN_TARGET),
        (replace(OLD, held=True), Now(-4000 * DAY_US, 40 * DAY_US), Reason.HELD),
        (replace(OLD, held=True), LATER, Reason.HELD),
        (replace(OLD, state=MediaState.GOING), LATER, Reason.ALREADY_GONE),
        (replace(OLD, state=MediaState.GONE), LATER, Reason.ALREADY_GONE),
    ],
)
def test_each_segment_has_a_verdict_and_a_reason(segment: Segment, now: Now, reason: Reason) -> None:
    """Only what is past its target, by both clocks, and under no hold, goes."""
    (verdict,) = plan([segment], RULE, now)

    assert verdict.reason is reason
    assert verdict.goes == (reason is Reason.PAST_TARGET)


@given(
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=-(10**16), max_value=10**16),
    st.integers(min_value=0, max_value=10**16),
    st.booleans(),
    st.integers(min_value=30, max_value=400),
)
def test_no_plan_names_a_segment_below_the_floor_or_under_a_hold(
    t1_us: int, wall_us: int, elapsed_us: int, held: bool, floor_days: int
) -> None:
    """Whatever the clocks say."""
    segment = replace(OLD, t1_us=t1_us, held=held)
    (verdict,) = plan([segment], Policy((Rule(0, floor_days, floor_days),), ZONE), Now(wall_us, elapsed_us))

    if verdict.goes:
        assert not held
        free_us = earliest_discard_us(t1_us, floor_days, ZONE)
        assert wall_us >= free_us or is_undated(t1_us, wall_us)
        assert elapsed_us >= free_us - t1_us


def test_footage_recorded_under_a_higher_floor_is_kept_by_it() -> None:
    """The rule in force lets footage go after 31 days; what was recorded under ninety stays for ninety."""
    lowered = Policy((Rule(0, 90, 91), Rule(100, 30, 31)), ZONE)
    before, after = (replace(OLD, leaf_index=index) for index in (50, 150))
    verdicts = plan([before, after], lowered, LATER)

    assert [one.goes for one in verdicts] == [False, True]
    assert [one.goes for one in plan([before, after], lowered, Now(92 * DAY_US, 92 * DAY_US))] == [True, True]
