"""Sweeping and holding on a real store."""

from pathlib import Path

import pytest

from recorder.errors import CameraUnknown, HoldReleased, HoldUnknown
from recorder.store.records import HoldPlan
from recorder.store.verify import verify
from retention.evidence import holds as desk
from retention.evidence.holds import HoldInvalid
from retention.policy import Reason
from retention.sweep import sweep
from tests.fakes.box import credentials, hold, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


def test_a_pass_says_what_should_have_gone_and_what_went(tmp_path: Path) -> None:
    """Old footage goes, held footage stays and is counted, young footage is not even looked at."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    old = segments(store, clock)
    hold(store, ["gate"], old[1].t0_us, old[1].t1_us)
    clock.advance(40 * 86400)
    record(store, clock, SECOND * 4)

    report = sweep(store, clock)

    assert (report.should, report.did) == (2, 2)
    assert report.kept == {Reason.HELD: 1}
    assert "should have discarded 2, discarded 2" in report.sentence
    assert verify(store) == []
    assert sweep(store, clock).should == 0


def test_a_hold_says_what_it_covers_and_what_is_gone(tmp_path: Path) -> None:
    """A hold placed late is told what it comes too late for."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    found = segments(store, clock)
    clock.advance(40 * 86400)
    store.discard([found[0].id], "target")

    plan = HoldPlan(("gate",), found[0].t0_us, found[-1].t1_us, " 2026-114 ", "theft")
    placed, covered, _ = desk.place(store, clock, plan)

    assert (covered.segments, covered.already_gone) == (2, 1)
    assert covered.bytes == sum(one.bytes for one in found[1:])
    assert placed.case == "2026-114"
    assert store.segment(found[1].id).held


@pytest.mark.parametrize(
    ("cameras", "t0", "t1", "case", "reason"),
    [
        ([], 0, 1, "c", "r"),
        (["gate"], 1, 1, "c", "r"),
        (["gate"], 2, 1, "c", "r"),
        (["gate"], 0, 1, " ", "r"),
        (["gate"], 0, 1, "c", ""),
        (["gate"], 0, 1, "c", "x" * 2001),
        ([f"c{n}" for n in range(1001)], 0, 1, "c", "r"),
    ],
)
def test_a_hold_that_names_too_little_is_refused(
    tmp_path: Path, cameras: list[str], t0: int, t1: int, case: str, reason: str
) -> None:
    """Nothing is written; the sentence says what is missing."""
    store = new_store(tmp_path, FakeClock(), "gate")
    size = store.log_size

    with pytest.raises(HoldInvalid):
        desk.place(store, FakeClock(), HoldPlan(tuple(cameras), t0, t1, case, reason))

    assert store.log_size == size


def test_a_hold_on_an_unknown_camera_and_a_second_release_are_refused(tmp_path: Path) -> None:
    """Each with its own error."""
    store = new_store(tmp_path, FakeClock(), "gate")
    with pytest.raises(CameraUnknown):
        hold(store, ["gate", "nobody"], 0, 1)
    placed = hold(store, ["gate"], 0, 1)
    both = credentials(store)
    desk.release(store, placed.id, "done", *both)

    with pytest.raises(HoldReleased):
        desk.release(store, placed.id, "done", *both)
    with pytest.raises(HoldUnknown):
        desk.release(store, 99, "done", *both)
    assert store.holds.get(placed.id).release_reason == "done"
    assert store.holds.active() == []


def test_what_lies_behind_much_held_footage_goes_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held footage is the oldest: however much of it there is, a pass comes to the rest, and every hold is counted."""
    monkeypatch.setattr("retention.sweep.SWEEP_BATCH", 1)
    monkeypatch.setattr("retention.sweep.SWEEP_LIMIT", 2)
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 12)
    old = segments(store, clock)
    assert len(old) == 6
    covered = desk.covered(store, hold(store, ["gate"], old[0].t0_us, old[2].t1_us))
    clock.advance(40 * 86400)

    first = sweep(store, clock)
    second = sweep(store, clock)

    assert (covered.segments, covered.bytes) == (3, sum(one.bytes for one in old[:3]))
    assert (first.did, second.did) == (2, 1)
    assert second.kept == {Reason.HELD: 3}
