"""Sweeping and holding on a real store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from config.times import DAY_US, HOUR_US
from recorder.errors import CameraUnknown, HoldReleased, HoldUnknown, StorageFailed
from recorder.store import files
from recorder.store.records import HoldPlan, MediaState
from recorder.store.segments import DiscardReport
from recorder.store.verify import verify
from retention.evidence import holds as desk
from retention.evidence.holds import HoldInvalid
from retention.policy import Reason
from retention.reconcile import RETRY_FIRST_US, Because, Retries
from retention.sweep import sweep
from tests.fakes import tiny
from tests.fakes.box import credentials, hold, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


def test_a_pass_says_what_should_have_gone_and_what_went(tmp_path: Path) -> None:
    """Old footage goes, held footage stays and is counted, young footage is not even looked at (Frigate 2003, 605,
    2502; lightNVR 369, 95)."""
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
        ([f"{n:063}" for n in range(1000)], 0, 1, "c", "r"),
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


def broken(patch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Files of these names cannot be removed; which were tried, in order."""
    unlink, tried = files.unlink, []

    def failing(path: Path) -> None:
        tried.append(path.name)
        if any(name in path.name for name in names):
            raise StorageFailed
        unlink(path)

    patch.setattr(files, "unlink", failing)
    return tried


def test_a_file_that_cannot_be_removed_keeps_no_other_from_going(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What did not go is told with its reason and its bytes. It is not tried again before its time, then it is, and
    once the disk lets it go nothing is left to tell (Shinobi 35, 102; Viseron 110, 1334)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    bad, *good = segments(store, clock)
    clock.advance(40 * 86400)
    retries = Retries()
    with monkeypatch.context() as patch:
        tried = broken(patch, Path(bad.path).name)
        first = sweep(store, clock, retries)
        clock.advance(3600)
        second = sweep(store, clock, retries)
        assert tried.count(Path(bad.path).name) == 1
        clock.advance(RETRY_FIRST_US / 1e6)
        third = sweep(store, clock, retries)
        assert tried.count(Path(bad.path).name) == 2

    assert (first.should, first.did, first.bytes) == (3, 2, sum(one.bytes for one in good))
    assert first.because == (Because("storage_failed", 1, bad.bytes, True, bad.id),)
    assert first.sentence == "should have discarded 3, discarded 2, because 1 storage_failed"
    assert (second.should, second.did, second.because) == (1, 0, first.because)
    assert third.failed == 1
    assert [one.state for one in segments(store, clock)] == [MediaState.GOING, MediaState.GONE, MediaState.GONE]
    clock.advance(DAY_US / 1e6)
    last = sweep(store, clock, retries)
    assert (last.should, last.did, last.because, retries.count) == (1, 1, (), 0)
    assert verify(store) == []


def test_a_disk_that_removes_nothing_is_not_asked_on_and_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few failures the pass ends; the next one first tries what the disk was not asked for yet."""
    monkeypatch.setattr("recorder.store.segments.UNLINK_FAILURES_LIMIT", 2)
    monkeypatch.setattr("retention.sweep.UNLINK_FAILURES_LIMIT", 2)
    monkeypatch.setattr("retention.sweep.SWEEP_BATCH", 4)
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 12)
    found = segments(store, clock)
    clock.advance(40 * 86400)
    retries = Retries()
    tried = broken(monkeypatch, ".mp4")
    first = sweep(store, clock, retries)

    assert len(tried) == 2
    assert (first.did, first.failed, first.is_complete) == (0, 4, False)
    clock.advance(HOUR_US / 1e6)
    sweep(store, clock, retries)
    assert tried[2:] == [Path(one.path).name for one in found[2:4]]


def test_no_more_is_announced_while_a_thousand_are_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An announced discard is an entry of the log for ever: a disk that removes nothing gets no longer list of them."""
    monkeypatch.setattr("retention.sweep.STUCK_LIMIT", 2)
    monkeypatch.setattr("retention.sweep.SWEEP_BATCH", 2)
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 12)
    clock.advance(40 * 86400)
    broken(monkeypatch, ".mp4")
    retries = Retries()
    sweep(store, clock, retries)
    size = store.log_size
    again = sweep(store, clock, retries)

    assert (again.should, again.failed, again.is_complete) == (2, 2, False)
    assert store.log_size == size


def test_a_box_whose_disk_removes_nothing_still_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be removed kept a box from recording: its start ended in the error."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 4)
    clock.advance(40 * 86400)
    broken(monkeypatch, ".mp4")
    sweep(store, clock)

    assert store.recover().discards_finished == ()
    monkeypatch.undo()
    assert len(store.recover().discards_finished) == 2


def test_footage_of_an_export_and_footage_not_old_enough_are_told_apart(tmp_path: Path) -> None:
    """What the store refuses is a reason; what a rule spares is none, and is told beside it with its bytes."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    clock.advance(1)
    for camera in ("gate", "yard"):
        record(store, clock, SECOND * 4, camera)
    gate, yard = (segments(store, clock, camera) for camera in ("gate", "yard"))
    hold(store, ["yard"], yard[0].t0_us, yard[0].t1_us)
    clock.advance(40 * 86400)
    store.exports.ask("gate.main", gate[0].t0_us, gate[0].t1_us, "case 7", "letter")
    report = sweep(store, clock)

    assert (report.should, report.did) == (3, 1)
    assert report.because == (Because("under_export", 2, sum(one.bytes for one in gate), False, gate[0].id),)
    assert report.spared == (Because("held", 1, yard[0].bytes, False, yard[0].id),)
    assert report.should_bytes == report.bytes + report.because[0].bytes


def test_what_is_due_of_several_cameras_goes_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hundreds of cameras each may have a segment or two that are due: a signature for each would take minutes. One
    discard takes them all, up to a number of streams for whose entries commits can wait."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard", "hall")
    clock.advance(1)
    for camera in ("gate", "yard", "hall"):
        tiny.record(store, clock, f"{camera}.main", 2)
    clock.advance(40 * 86400)
    asked: list[list[str]] = []
    discard = store.discard

    def noted(segment_ids: Sequence[str], *more: Any) -> DiscardReport:
        asked.append([one.rpartition(".")[0] for one in segment_ids])
        return discard(segment_ids, *more)

    monkeypatch.setattr(store, "discard", noted)
    monkeypatch.setattr("retention.sweep.SWEEP_STREAMS", 2)

    assert sweep(store, clock).did == 6
    assert asked == [["gate.main"] * 2 + ["hall.main"] * 2, ["yard.main"] * 2]
