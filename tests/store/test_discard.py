"""Discarding: no plan and no order of calls crosses the floor or a hold."""

from pathlib import Path

import pytest

from config.keeping import Defaults
from config.times import DAY_US
from recorder.errors import BelowFloor, NotPresent, UnderExport, UnderHold
from recorder.store.daycount import earliest_discard_us
from recorder.store.fsck import check
from recorder.store.records import ExportState, MediaState
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.sweep import sweep
from tests.fakes.box import hold, new_store, record, release, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.power import PowerCut


def box(tmp_path: Path) -> tuple[Store, FakeClock]:
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    store.checkpoint()
    return store, clock


def test_footage_past_the_floor_goes_and_its_proof_stays(tmp_path: Path) -> None:
    """Media is unlinked, both leaves stand, and everything verifies without it."""
    store, clock = box(tmp_path)
    clock.advance(32 * 86400)
    first = segments(store, clock)[0]

    report = store.discard([first.id], "target")

    assert report.discarded == (first.id,)
    assert not store.media_path(first).exists()
    assert store.segment(first.id).state is MediaState.GONE
    types = [leaf.type for _, leaf in store.leaves(0, store.log_size)]
    assert types.index("del") < types.index("del.done")
    assert verify(store) == []


def test_footage_below_the_floor_is_refused(tmp_path: Path) -> None:
    """Thirty days and a minute are not enough while the 31st local midnight has not come (Frigate 2692, 8810)."""
    store, clock = box(tmp_path)
    clock.advance(30 * 86400 + 60)

    report = store.discard([segments(store, clock)[0].id], "target")

    assert [type(error) for _, error in report.refused] == [BelowFloor]
    assert store.media_path(segments(store, clock)[0]).exists()


def test_held_footage_is_refused_until_every_hold_is_released(tmp_path: Path) -> None:
    """Two holds overlap; one released is not enough."""
    store, clock = box(tmp_path)
    clock.advance(100 * 86400)
    one = segments(store, clock)[1]
    holds = [hold(store, ["gate"], one.t0_us, one.t0_us + 1) for _ in range(2)]

    before = store.discard([one.id], "target")
    release(store, holds[0].id)
    between = store.discard([one.id], "target")
    release(store, holds[1].id)
    after = store.discard([one.id], "target")

    assert [type(error) for _, error in (*before.refused, *between.refused)] == [UnderHold, UnderHold]
    assert after.discarded == (one.id,)
    assert check(store) == []


def test_footage_of_which_a_package_is_being_made_does_not_go(tmp_path: Path) -> None:
    """Nor its neighbours, which the package has too; other footage does, and all of it once the export is over."""
    store, clock = box(tmp_path)
    record(store, clock, "I" + "P" * 9, "gate")
    clock.advance(3 * 3600)
    record(store, clock, "I" + "P" * 9, "gate")
    clock.advance(100 * 86400)
    found = segments(store, clock)
    wanted, last = found[1], found[-1]
    export = store.exports.ask("gate.main", wanted.t0_us, wanted.t1_us, "case 7", "letter")

    report = store.discard([one.id for one in found], "target")
    assert report.discarded == (last.id,)
    assert {type(error) for _, error in report.refused} == {UnderExport}

    store.exports.end(export.id, ExportState.CANCELLED)
    assert len(store.discard([one.id for one in found[:-1]], "target").discarded) == len(found) - 1
    assert check(store) == []


def test_a_clock_ten_years_ahead_discards_nothing(tmp_path: Path) -> None:
    """The wall clock alone makes nothing old: the box has not seen the time pass."""
    store, clock = box(tmp_path)
    clock.set_wall("2036-03-01T00:00:00Z")

    report = sweep(store, clock)

    assert (report.should, report.did) == (0, 0)
    assert check(store) == []


def test_a_clock_ten_years_back_discards_nothing_sooner(tmp_path: Path) -> None:
    """Thirty-two days pass on the monotonic clock, and one more; the wall clock says 2016."""
    store, clock = box(tmp_path)
    clock.advance(32 * 86400)
    clock.set_wall("2016-03-01T00:00:00Z")
    assert sweep(store, clock).did == 0

    clock.advance(86400)
    assert sweep(store, clock).did == len(segments(store, clock)) > 0


def test_a_gap_or_a_stranger_is_not_discarded(tmp_path: Path) -> None:
    """What is no segment has no media to lose."""
    store, clock = box(tmp_path)
    clock.advance(100 * 86400)

    report = store.discard(["gate.main.0", "gate.main.999"], "target")

    assert [type(error) for _, error in report.refused] == [NotPresent, NotPresent]


@pytest.mark.parametrize("step", ["checkpoint", "unlink", "report"])
def test_a_crash_in_the_middle_is_finished_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Wherever the power goes, the next start finishes the discard, and nothing is found wrong."""

    def cut(*arguments: object) -> None:
        raise PowerCut

    store, clock = box(tmp_path)
    clock.advance(32 * 86400)
    first = segments(store, clock)[0]
    target = {
        "checkpoint": "recorder.store.ledger.Ledger.sign",
        "unlink": "recorder.store.files.unlink",
        "report": "recorder.store.segments.Segments._report_gone",
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(target, cut)
        with pytest.raises(PowerCut):
            store.discard([first.id], "target")
    store.close()

    again = Store.open(tmp_path / "data", clock)
    again.recover()
    again.checkpoint()

    assert again.segment(first.id).state is MediaState.GONE
    assert not again.media_path(first).exists()
    assert verify(again) == []


def test_the_log_binds_by_which_midnights_the_day_was_counted(tmp_path: Path) -> None:
    """In Berlin: each segment's leaf has its offset, the discard's has zone and offset; the later midnight counts."""
    store, clock = box_in(tmp_path, "Europe/Berlin")
    first = segments(store, clock)[0]
    clock.set_wall("2026-03-31T22:30:00Z")  # midnight by summer time, which began meanwhile; not yet by that of then
    clock.mono_us += 31 * DAY_US
    before = store.discard([first.id], "target")
    clock.set_wall("2026-03-31T23:00:01Z")
    after = store.discard([first.id], "target")
    store.checkpoint()

    assert [type(error) for _, error in before.refused] == [BelowFloor]
    assert after.discarded == (first.id,)
    leaves = [leaf for _, leaf in store.leaves(0, store.log_size)]
    assert {leaf.fields["utc_offset_s"] for leaf in leaves if leaf.type == "seg"} == {3600}
    (told,) = (leaf.fields for leaf in leaves if leaf.type == "del")
    assert (told["zone"], told["utc_offset_s"]) == ("Europe/Berlin", 7200)
    assert verify(store) == []


def test_in_shanghai_only_the_discard_says_so(tmp_path: Path) -> None:
    """Leaves of segments are as they always were."""
    store, clock = box(tmp_path)
    clock.advance(40 * 86400)
    store.discard([segments(store, clock)[0].id], "target")
    store.checkpoint()

    leaves = [leaf for _, leaf in store.leaves(0, store.log_size)]
    assert not any("utc_offset_s" in leaf.fields for leaf in leaves if leaf.type == "seg")
    (told,) = (leaf.fields for leaf in leaves if leaf.type == "del")
    assert (told["zone"], told["utc_offset_s"]) == ("Asia/Shanghai", 28_800)
    assert verify(store) == []


@pytest.mark.parametrize(
    ("recorded_in", "discarded_in"),
    [("Asia/Shanghai", "Pacific/Kiritimati"), ("America/New_York", "Pacific/Kiritimati"), ("Asia/Seoul", "Asia/Tokyo")],
)
def test_another_zone_chosen_for_the_discard_takes_nothing_away(
    tmp_path: Path, recorded_in: str, discarded_in: str
) -> None:
    """Neither plan nor guard lets footage go sooner than where it was recorded; the box goes on keeping it."""
    store, clock = box_in(tmp_path, recorded_in)
    first = segments(store, clock)[0]
    honest_us = earliest_discard_us(first.t1_us, 30, store.zone)
    store.close()
    store = Store.open(tmp_path / "data", clock, time_zone=discarded_in, keeping=Defaults(30, 30))
    store.cameras.bring_rules_in_force()
    clock.utc_us, clock.mono_us = honest_us - 1, clock.mono_us + 40 * DAY_US

    assert sweep(store, clock).should == 0
    report = store.discard([first.id], "target")
    assert [type(error) for _, error in report.refused] == [BelowFloor]


def box_in(tmp_path: Path, time_zone: str) -> tuple[Store, FakeClock]:
    """A box of that zone, with footage of 1 March 2026."""
    clock = FakeClock()
    new_store(tmp_path, clock, "gate").close()
    store = Store.open(tmp_path / "data", clock, time_zone=time_zone)
    clock.advance(1)
    record(store, clock, SECOND * 6)
    store.checkpoint()
    return store, clock
