"""What becomes of stored footage when the clock is wrong, and when it is right again: nothing goes early, and nothing
is kept beyond its target once time is to be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.times import DAY_US, SECOND_US, parse_us
from recorder.causes import Cause
from recorder.errors import BelowFloor
from recorder.store.daycount import UNDATED_US, earliest_discard_us
from recorder.store.fsck import check
from recorder.store.records import MediaState, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.sweep import sweep
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

SLACK_S = 60
"""Between what the two clocks of a leaf say, and what passes while the machine starts anew: no day's work."""


class Kept:
    """A box with footage, kept for thirty days at least and gone after thirty-one."""

    def __init__(self, tmp_path: Path, start: str, time_zone: str = "Asia/Shanghai") -> None:
        self.place = tmp_path / "data"
        self.zone = time_zone
        self.clock = FakeClock(start)
        new_store(tmp_path, self.clock, "gate").close()
        self.store = Store.open(self.place, self.clock, time_zone=time_zone)
        self.store.cameras.bring_rules_in_force()
        self.clock.advance(1)
        record(self.store, self.clock, SECOND * 4)

    def record_again(self) -> None:
        """The session after a step of the clock, as the recorder begins it."""
        self.store.commit_gap_until_now("gate.main", Cause.CLOCK_STEP)
        record(self.store, self.clock, SECOND * 4)

    def start_anew(self, wall: str) -> None:
        """The machine was off for a moment, and its clock says that now."""
        self.store.close()
        self.clock.reboot("boot-2")
        self.clock.set_wall(wall)
        self.store = Store.open(self.place, self.clock, time_zone=self.zone)
        self.store.recover()

    def segments(self) -> list[Segment]:
        return segments(self.store, self.clock)

    def here(self) -> int:
        return sum(one.state is MediaState.PRESENT for one in self.segments())

    def until(self, instant_us: int) -> None:
        """Time passes, up to that instant of the wall clock."""
        self.clock.advance((instant_us - self.clock.utc_us) / SECOND_US)

    def due_us(self, days: int = 31) -> int:
        """The midnight on which the newest goes by so many days; of the oldest it is the same."""
        dues = {earliest_discard_us(one.t1_us, days, self.store.zone) for one in self.segments()}
        (due_us,) = dues
        return due_us

    def goes_on_its_day(self) -> None:
        """Up to its midnight neither a sweep nor who asks gets any of it; behind it all of it goes."""
        present = self.here()
        assert present > 0
        floor_us, due_us = self.due_us(30), self.due_us()
        self.until(floor_us - SECOND_US)
        refused = self.store.discard([one.id for one in self.segments()], "by hand").refused
        assert {type(error) for _, error in refused} == {BelowFloor}
        self.until(due_us - SECOND_US)
        assert sweep(self.store, self.clock).should == 0
        self.until(due_us + SLACK_S * SECOND_US)
        assert sweep(self.store, self.clock).did == present
        assert self.here() == 0
        self.store.checkpoint()
        assert verify(self.store) == []
        self.store.close()


def test_nothing_happens_to_the_clock(tmp_path: Path) -> None:
    """The yardstick of the others."""
    Kept(tmp_path, "2026-03-01T00:00:00Z").goes_on_its_day()


@pytest.mark.parametrize("wall", ["2036-03-02T00:00:00Z", "2016-03-02T00:00:00Z"])
def test_clock_is_ten_years_off_for_a_month_and_then_put_right(tmp_path: Path, wall: str) -> None:
    """Ahead or back: nothing goes meanwhile, and once it is right all goes on the day on which it would have."""
    kept = Kept(tmp_path, "2026-03-01T00:00:00Z")
    true_us = kept.clock.utc_us
    kept.clock.set_wall(wall)
    for _ in range(3):
        kept.clock.advance(10 * 86_400)
        assert sweep(kept.store, kept.clock).should == 0
        refused = kept.store.discard([one.id for one in kept.segments()], "by hand").refused
        assert {type(error) for _, error in refused} == {BelowFloor}
    kept.clock.utc_us = true_us + 30 * DAY_US

    kept.goes_on_its_day()


def test_a_clock_that_stands_ten_years_back_keeps_nothing_for_ever(tmp_path: Path) -> None:
    """By it all footage from before is still to come: that goes by box time, a day and two hours later at most."""
    kept = Kept(tmp_path, "2026-03-01T00:00:00Z")
    due_us = kept.due_us() - kept.clock.utc_us
    kept.clock.set_wall("2016-03-01T00:00:00Z")
    kept.clock.advance(due_us / SECOND_US)
    assert sweep(kept.store, kept.clock).should == 0
    kept.clock.advance((UNDATED_US / SECOND_US) + SLACK_S)

    assert sweep(kept.store, kept.clock).did == len(kept.segments())
    kept.store.checkpoint()
    assert verify(kept.store) == []
    assert check(kept.store) == []
    kept.store.close()


@pytest.mark.parametrize("step_s", [3, -3])
def test_ntp_steps_the_clock_during_a_run(tmp_path: Path, step_s: int) -> None:
    """What was recorded on either side of the step goes on one day, by the clock as it is now."""
    kept = Kept(tmp_path, "2026-03-01T00:00:00Z")
    kept.clock.utc_us += step_s * SECOND_US
    kept.record_again()
    assert len(kept.segments()) == 4

    kept.goes_on_its_day()


def test_machine_starts_with_its_clock_at_1970_which_is_corrected_in_an_hour(tmp_path: Path) -> None:
    """Nothing goes while it stands there; what was stored before goes on its day; what was recorded meanwhile, though
    it is called fifty-six years old, is kept for as many days as any other, by box time."""
    kept = Kept(tmp_path, "2026-03-01T00:00:00Z")
    before = [one.id for one in kept.segments()]
    true_us = kept.clock.utc_us
    kept.start_anew("1970-01-01T00:00:10Z")
    kept.record_again()
    meanwhile = [one.id for one in kept.segments() if one.id not in before]
    assert sweep(kept.store, kept.clock).should == 0
    kept.clock.advance(3600)
    kept.clock.utc_us = true_us + 3600 * SECOND_US
    assert sweep(kept.store, kept.clock).did == 0
    refused = kept.store.discard([*before, *meanwhile], "by hand").refused
    assert {type(error) for _, error in refused} == {BelowFloor}

    due_us = earliest_discard_us(true_us, 31, kept.store.zone)
    kept.until(true_us + 31 * DAY_US)
    assert sweep(kept.store, kept.clock).should == 0
    kept.until(due_us - SECOND_US)
    sweep(kept.store, kept.clock)
    assert all(kept.store.segment(one).state is MediaState.PRESENT for one in before)
    kept.until(due_us + SLACK_S * SECOND_US)
    sweep(kept.store, kept.clock)
    assert not any(kept.store.segment(one).state is MediaState.PRESENT for one in before)
    kept.clock.advance(86_400)
    sweep(kept.store, kept.clock)
    assert kept.here() == 0
    kept.store.checkpoint()
    assert verify(kept.store) == []
    kept.store.close()


def test_footage_was_recorded_while_the_clock_stood_ten_years_ahead(tmp_path: Path) -> None:
    """Once it is right that footage is still to come by it: box time alone lets it go, and within the margin. What was
    recorded rightly goes on its day."""
    kept = Kept(tmp_path, "2026-03-01T00:00:00Z")
    rightly, true_us = len(kept.segments()), kept.clock.utc_us
    due_us, floor_us = kept.due_us(), kept.due_us(30)
    kept.clock.set_wall("2036-03-01T12:00:00Z")
    kept.record_again()
    ahead = [one.id for one in kept.segments()[rightly:]]
    kept.clock.utc_us = true_us + 60 * SECOND_US
    kept.until(floor_us)
    assert {type(error) for _, error in kept.store.discard(ahead, "by hand").refused} == {BelowFloor}
    kept.until(due_us + SLACK_S * SECOND_US)
    assert sweep(kept.store, kept.clock).did == rightly
    assert kept.here() == len(ahead) > 0

    kept.until(due_us + DAY_US)
    assert sweep(kept.store, kept.clock).did == len(ahead)
    kept.store.checkpoint()
    assert verify(kept.store) == []
    assert check(kept.store) == []
    kept.store.close()


@pytest.mark.parametrize(
    ("start", "floor", "target"),
    [
        ("2026-03-28T12:00:00Z", "2026-04-27T23:00:00Z", "2026-04-28T23:00:00Z"),
        ("2026-10-24T12:00:00Z", "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"),
        ("2026-10-25T00:30:00Z", "2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z"),
        ("2026-10-25T01:30:00Z", "2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z"),
    ],
    ids=["summer time begins", "it ends", "the hour that comes twice", "and comes again"],
)
def test_summer_time_begins_or_ends_in_berlin(tmp_path: Path, start: str, floor: str, target: str) -> None:
    """Both the guard and the sweep count by the later of the two midnights, that of recording and that of now."""
    kept = Kept(tmp_path, start, "Europe/Berlin")
    names = [one.id for one in kept.segments()]
    kept.until(parse_us(floor) - SECOND_US)
    assert not kept.store.discard(names, "by hand").discarded
    kept.until(parse_us(floor) + SLACK_S * SECOND_US)
    assert kept.store.discard(names[:1], "by hand").discarded == (names[0],)
    kept.until(parse_us(target) - SECOND_US)
    assert sweep(kept.store, kept.clock).should == 0
    kept.until(parse_us(target) + SLACK_S * SECOND_US)
    assert sweep(kept.store, kept.clock).did == len(names) - 1
    kept.store.checkpoint()
    assert verify(kept.store) == []
    kept.store.close()


@pytest.mark.parametrize(
    ("start", "floor"),
    [
        ("2028-02-29T04:00:00Z", "2028-03-30T16:00:00Z"),
        ("2028-01-31T04:00:00Z", "2028-03-01T16:00:00Z"),
        ("2027-01-31T04:00:00Z", "2027-03-02T16:00:00Z"),
    ],
    ids=["recorded on it", "before it", "where there is none"],
)
def test_a_leap_day_is_a_day(tmp_path: Path, start: str, floor: str) -> None:
    """Footage of a leap day, or of before it, goes thirty days later, counted on the calendar of Shanghai."""
    kept = Kept(tmp_path, start)
    assert kept.due_us(30) == parse_us(floor)

    kept.goes_on_its_day()
