"""Discarding: no plan and no order of calls crosses the floor or a hold."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from config.keeping import Defaults
from config.times import DAY_US, format_us
from recorder.errors import BelowFloor, NotPresent, UnderExport, UnderHold
from recorder.store.daycount import earliest_discard_us
from recorder.store.fsck import check
from recorder.store.records import ExportState, MediaState, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.custody import Custody
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


def test_a_clock_ten_years_back_discards_nothing(tmp_path: Path) -> None:
    """Forty days pass on the monotonic clock; the wall clock says 2016."""
    store, clock = box(tmp_path)
    clock.advance(40 * 86400)
    clock.set_wall("2016-03-01T00:00:00Z")

    assert sweep(store, clock).did == 0


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


class Keeping(RuleBasedStateMachine):
    """Records, jumps its clocks, holds, releases, sweeps and discards in any order."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.store = new_store(Path(self.folder.name), self.clock, "gate")
        self.held: dict[int, tuple[int, int]] = {}
        self.born: dict[str, int] = {}
        self.boots = 1

    @rule()
    def records(self) -> None:
        self.store.resume("gate.main")
        if self.clock.read().utc_us < self.store.head("gate.main").t1_us:
            from recorder.causes import Cause

            self.store.commit_gap_until_now("gate.main", Cause.CLOCK_STEP)
        record(self.store, self.clock, SECOND * 2)
        for one in segments(self.store, self.clock):
            self.born.setdefault(one.id, self.clock.mono_total)

    @rule(days=st.integers(min_value=0, max_value=40))
    def time_passes(self, days: int) -> None:
        self.clock.advance(days * 86400)

    @rule(days=st.integers(min_value=-3650, max_value=3650))
    def somebody_sets_the_clock(self, days: int) -> None:
        self.clock.utc_us = max(DAY_US, self.clock.utc_us + days * DAY_US)

    @rule()
    def the_machine_starts_anew(self) -> None:
        self.store.close()
        self.boots += 1
        self.clock.reboot(f"boot-{self.boots}")
        self.store = Store.open(Path(self.folder.name) / "data", self.clock)
        self.store.recover()

    @precondition(lambda self: self.born)
    @rule(data=st.data(), padding_s=st.sampled_from((0, 3, 86_400)))
    def a_hold_is_placed(self, data: st.DataObject, padding_s: int) -> None:
        one = self.store.segment(data.draw(st.sampled_from(sorted(self.born))))
        padding = {"padding_before_s": padding_s, "padding_after_s": padding_s}
        placed = hold(self.store, ["gate"], one.t0_us, one.t1_us, **padding)
        self.held[placed.id] = (placed.t0_us, placed.t1_us)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_hold_is_released(self, data: st.DataObject) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.held)))
        release(self.store, hold_id)
        del self.held[hold_id]

    @rule()
    def held_media_is_looked_after(self) -> None:
        Custody(self.store, self.clock).run()

    @rule()
    def the_sweep_comes(self) -> None:
        self._judge(lambda: sweep(self.store, self.clock))

    @rule()
    def somebody_asks_to_discard_everything(self) -> None:
        self._judge(lambda: self.store.discard(sorted(self.born), "everything"))

    def _judge(self, act) -> None:
        before = [one for one in segments(self.store, self.clock) if one.state is MediaState.PRESENT]
        act()
        for one in before:
            if self.store.segment(one.id).state is not MediaState.PRESENT:
                self._was_lawful(one)

    def _was_lawful(self, one: Segment) -> None:
        free_us = earliest_discard_us(one.t1_us, 30, self.store.zone)
        assert self.clock.utc_us >= free_us, f"{one.id} went before {format_us(free_us)}"
        seen_us = self.clock.mono_total - self.born[one.id]
        assert seen_us >= free_us - one.t1_us - 5_000_000, "the box has not seen that time pass"
        overlapping = [number for number, (t0, t1) in self.held.items() if t0 < one.t1_us and t1 > one.t0_us]
        assert not overlapping, f"{one.id} went under holds {overlapping}"

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "store"):
            assert check(self.store) == []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


Keeping.TestCase.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestKeeping = Keeping.TestCase


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
