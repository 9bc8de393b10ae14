"""How far back footage reaches, and what was recorded when, on a real store."""

from pathlib import Path

from config.times import DAY_US, HOUR_US, SECOND_US
from recorder.causes import Cause
from recorder.store.records import Recorded, Sample
from retention.sweep import sweep
from tests.fakes.box import hold, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

STREAM = "gate.main"


def test_footage_that_only_a_hold_keeps_is_no_day_held(tmp_path: Path) -> None:
    """The oldest segment is there because of a hold, what lay behind it is gone; the days held are those from where
    footage reaches to now without a hole (PowerShellSamples 178)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    old = segments(store, clock)
    placed = hold(store, ["gate"], old[0].t0_us, old[0].t1_us)
    held = [(placed.t0_us, placed.t1_us)]
    before = store.reach(STREAM, 0, held)
    clock.advance(40 * 86400)
    record(store, clock, SECOND * 4)
    whole = store.reach(STREAM, 0, held)
    assert sweep(store, clock).did == 2
    after = store.reach(STREAM, 0, held)

    assert before is not None
    assert whole == before  # nothing is gone yet, and the gap says why nothing was recorded
    assert before.since_us == old[0].t0_us
    assert after is not None
    assert (after.since_us, after.leaf_index) == (segments(store, clock)[3].t0_us, segments(store, clock)[3].leaf_index)


def test_footage_between_holds_counts_as_far_as_it_hangs_together(tmp_path: Path) -> None:
    """Two holds with a hole between them, and one that reaches into what is recorded now."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 8)
    old = segments(store, clock)
    for one in (old[0], old[2]):
        hold(store, ["gate"], one.t0_us, one.t1_us)
    clock.advance(40 * 86400)
    sweep(store, clock)
    record(store, clock, SECOND * 4)
    new = segments(store, clock)[4:]
    apart = [(one.t0_us, one.t1_us) for one in (old[0], old[2])]
    found = store.reach(STREAM, 0, apart)
    assert found is not None
    assert found.since_us == new[0].t0_us

    ahead = [(new[0].t0_us, clock.utc_us + DAY_US)]
    assert store.reach(STREAM, old[3].t1_us, ahead) == found
    assert store.reach(STREAM, clock.utc_us + DAY_US, ahead) is None
    assert store.reach("gate.sub", 0) is None


def test_what_is_older_than_asked_does_not_count(tmp_path: Path) -> None:
    """The survey asks no further back than the target: an old rule, or a sweep that is due, adds no days."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    found = segments(store, clock)
    reach = store.reach(STREAM, found[0].t1_us)
    assert reach is not None
    assert reach.since_us == found[1].t0_us


def test_what_was_recorded_is_told_by_the_hour_and_by_samples(tmp_path: Path) -> None:
    """Bytes and length of segments by when they start; gaps are no length."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    clock.advance(2 * 3600)
    store.commit_gap_until_now(STREAM, Cause.UNREACHABLE)
    record(store, clock, SECOND * 4)
    found = segments(store, clock)
    day_us = found[0].t0_us // DAY_US * DAY_US
    whole = Recorded(sum(one.bytes for one in found), sum(one.t1_us - one.t0_us for one in found))

    assert store.recorded(STREAM, day_us, day_us + DAY_US) == whole
    hours = store.hourly(STREAM, day_us, day_us + DAY_US)
    assert sorted(hours) == [day_us // HOUR_US, day_us // HOUR_US + 2]
    assert sum(one.bytes for one in hours.values()) == whole.bytes
    first = Recorded(sum(one.bytes for one in found[:3]), sum(one.t1_us - one.t0_us for one in found[:3]))
    assert store.recorded(STREAM, day_us, day_us + DAY_US, Sample(24 * HOUR_US, HOUR_US)) == first
    assert store.recorded(STREAM, 0, 1) == Recorded()
    assert store.present_bytes(STREAM, found[0].t0_us, found[0].t0_us + SECOND_US) == found[0].bytes
