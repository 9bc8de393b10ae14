"""A full disk under `stop` and under `overwrite`: what goes, what never goes, and what the log says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.volumes import VolumeWish
from recorder.errors import BelowFloor, StorageFull, UnderExport, UnderHold
from recorder.store.fsck import check
from recorder.store.overwriting import Overwrite
from recorder.store.pressure import PRESSED, Look, condition, levels, to_free_bytes
from recorder.store.records import Condition, MediaState, Segment, VolumeState
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.policy import Reason
from retention.sweep import sweep
from tests.fakes.box import hold, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.disks import Disks

SIZE_BYTES = 50_000_000


class Box:
    """Two cameras on one small disk, which holds some seconds of each."""

    def __init__(self, tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.clock, self.disks = tmp_path, FakeClock(), Disks(patch)
        self.disk = self.disks.add(tmp_path / "a", SIZE_BYTES)
        Store.create(tmp_path / "data", "test", self.clock, "0.0.0")
        self.store = Store.open(
            tmp_path / "data", self.clock, volumes=[VolumeWish("a", self.disk.root)], time_zone="Asia/Shanghai"
        )
        self.store.recover()
        for name in ("gate", "yard"):
            self.store.cameras.add(name, name.title(), "rtsp://127.0.0.1:554/main")
        self.clock.advance(1)

    def record(self, seconds: int = 4) -> None:
        for name in ("gate", "yard"):
            record(self.store, self.clock, SECOND * seconds, name)

    def leave_bytes(self, free_bytes: int) -> None:
        """Somebody else fills the disk until so much is free."""
        self.disk.ballast_bytes = 0
        self.disk.ballast_bytes = self.disk.free_bytes - free_bytes

    def all(self) -> list[Segment]:
        found = [one for name in ("gate", "yard") for one in self.store.items(f"{name}.main", 0, 2**62)]
        return sorted((one for one in found if isinstance(one, Segment)), key=lambda one: (one.t1_us, one.stream_id))

    def gone(self) -> list[str]:
        return [one.id for one in self.all() if one.state is MediaState.GONE]

    def state(self) -> str:
        (volume,) = self.store.volumes()
        return volume.state


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(tmp_path, monkeypatch)


def test_under_stop_a_full_disk_takes_nothing(box: Box) -> None:
    """The floor stands; recording ends with an error of its own, and goes on by itself when there is room."""
    box.record()
    box.leave_bytes(0)
    assert sweep(box.store, box.clock).broken == 0
    with pytest.raises(StorageFull):
        box.record()
    assert box.gone() == []
    box.disk.ballast_bytes = 0
    box.record()

    assert box.store.overwriting.breaches() == []
    box.store.checkpoint()
    assert verify(box.store) == []


def test_under_overwrite_the_oldest_goes_and_each_breach_is_told(box: Box) -> None:
    """Of all cameras, as much as recording needs; each breach with its floor, and by how much it was broken (MediaMTX
    3631, 4238, 5999)."""
    box.record()
    oldest = [one.id for one in box.all()]
    box.store.overwriting.put_in_force(is_on=True)
    box.disk.size_bytes = 150 * box.all()[0].bytes  # a quarter more than is critical are one segment and a half
    box.leave_bytes(levels(box.disk.size_bytes).critical - 1)
    assert box.state() == "critical"

    report = sweep(box.store, box.clock)

    assert 0 < report.broken < len(oldest)
    assert sorted(box.gone()) == sorted(oldest[: report.broken])
    assert box.state() == "low"
    breaches = box.store.overwriting.breaches()
    assert sum(one.n1 - one.n0 + 1 for one in breaches) == report.broken
    assert {one.floor_days for one in breaches} == {30}
    assert all(30 * 86400e6 < one.short_us < 32 * 86400e6 for one in breaches)
    assert "overwrote" in report.sentence
    leaves = [leaf for _, leaf in box.store.leaves(0, box.store.log_size)]
    told = [leaf.fields for leaf in leaves if leaf.type == "breach"]
    assert {one["volume"] for one in told} == {"a"}
    assert [leaf.type for leaf in leaves].index("breach") < [leaf.type for leaf in leaves].index("del")
    box.store.checkpoint()
    assert verify(box.store) == []
    count = box.store.overwriting.count()
    assert (count.count, count.last_us) == (report.broken, breaches[0].at_us)
    assert sweep(box.store, box.clock).broken == 0


def test_what_is_held_or_being_exported_never_goes(box: Box) -> None:
    """However full the disk is: a hold is asked in the very transaction, and so is an export."""
    box.record()
    found = box.all()
    hold(box.store, ["gate"], 0, found[-1].t1_us)
    box.store.exports.ask("yard.main", found[0].t0_us, found[-1].t1_us, "case 7", "letter")
    box.store.overwriting.put_in_force(is_on=True)
    box.leave_bytes(0)

    report = sweep(box.store, box.clock)

    assert report.broken == 0
    assert {one.code: one.count for one in report.left} == {Reason.HELD: 2, UnderExport.code: 2}
    assert (report.should, report.because) == (0, ())
    assert box.gone() == []
    leave = box.store.overwriting.on("a")
    asked = box.store.discard([one.id for one in found], "whatever", leave)
    assert {type(error) for _, error in asked.refused} == {UnderHold, UnderExport}
    assert box.store.overwriting.breaches() == []


def test_leave_to_overwrite_is_asked_for_again_where_it_counts(box: Box) -> None:
    """Not without a wish in the log, nor by one that was taken back, nor of another disk, nor when there is room."""
    box.record()
    ids = [one.id for one in box.all()]

    def refused(leave: Overwrite | None) -> bool:
        report = box.store.discard(ids, "overwrite", leave)
        assert report.discarded == ()
        return {type(error) for _, error in report.refused} == {BelowFloor}

    box.leave_bytes(0)
    assert box.store.overwriting.on("a") is None
    assert refused(None)
    assert refused(Overwrite(3, "a"))
    assert box.store.overwriting.put_in_force(is_on=True)
    assert not box.store.overwriting.put_in_force(is_on=True)
    leave = box.store.overwriting.on("a")
    assert leave is not None
    assert refused(Overwrite(leave.wish_leaf, "main"))
    box.disk.ballast_bytes = 0
    assert refused(leave)
    box.leave_bytes(0)
    box.store.overwriting.put_in_force(is_on=False)
    assert refused(leave)
    assert box.store.overwriting.on("a") is None
    assert box.gone() == []


def test_a_leave_that_holds_no_more_ends_the_overwriting(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody frees the disk while the sweep is at it: the rest of the disk is not asked for piece by piece."""
    box.record()
    box.leave_bytes(0)
    box.store.overwriting.put_in_force(is_on=True)
    monkeypatch.setattr("retention.sweep.SWEEP_BATCH", 1)
    oldest, asked = box.store.oldest_on, []

    def meanwhile(*arguments: Any) -> list[Segment]:
        asked.append(arguments)
        box.disk.ballast_bytes = 0
        return oldest(*arguments)

    monkeypatch.setattr(box.store, "oldest_on", meanwhile)
    report = sweep(box.store, box.clock)

    assert (report.broken, box.gone()) == (0, [])
    assert len(asked) == 2  # which disk has the oldest, and the oldest of it


def test_nothing_is_overwritten_while_another_disk_has_room(box: Box) -> None:
    """Recording goes on there; and who asks the one function that deletes is refused by the floor."""
    box.record()
    box.store.overwriting.put_in_force(is_on=True)
    box.leave_bytes(0)
    box.store.close()
    other = box.disks.add(box.folder / "b", SIZE_BYTES)
    wishes = [VolumeWish(one.root.name, one.root) for one in (box.disk, other)]
    box.store = Store.open(box.folder / "data", box.clock, volumes=wishes)
    box.store.recover()

    assert sweep(box.store, box.clock).broken == 0
    report = box.store.discard([one.id for one in box.all()], "overwrite", box.store.overwriting.on("a"))
    assert {type(error) for _, error in report.refused} == {BelowFloor}
    other.ballast_bytes = SIZE_BYTES
    assert sweep(box.store, box.clock).broken == 4


def test_what_is_past_its_target_goes_first_and_is_no_breach(box: Box) -> None:
    """A disk that this makes room on takes nothing from the floor."""
    box.record()
    box.clock.advance(40 * 86400)
    box.record()
    box.store.overwriting.put_in_force(is_on=True)
    box.leave_bytes(2_500_000)
    old = [one.id for one in box.all()[:4]]
    box.disk.ballast_bytes -= 1_000_000

    report = sweep(box.store, box.clock)

    assert report.did == 4
    assert set(box.gone()) == set(old)
    assert (report.broken, box.store.overwriting.breaches()) == (0, [])


def test_a_discard_below_the_floor_without_its_breach_is_found(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the entry was left out, or speaks of other items: invariant 7 says so."""
    box.record()
    box.store.overwriting.put_in_force(is_on=True)
    box.leave_bytes(0)
    leave = box.store.overwriting.on("a")
    first, second, *_ = [one.id for one in box.all() if one.stream_id == "gate.main"]
    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.segments.Segments._admit", lambda *_: None)
        assert box.store.discard([first], "overwrite", leave).discarded == (first,)
    assert box.store.discard([second], "overwrite", leave).discarded == (second,)
    box.store.checkpoint()

    assert [(one.invariant, one.where) for one in check(box.store)] == [(7, first)]


@given(
    total=st.integers(0, 10**14),
    told=st.integers(0, 10**12),
    share=st.floats(0, 1),
    state=st.sampled_from(list(Condition)),
)
def test_what_is_freed_is_what_makes_a_disk_well(total: int, told: int, share: float, state: Condition) -> None:
    """Nothing is taken from a disk that is not pressed; and what is taken is enough, and hardly more."""
    free = int(total * share)
    wanted = to_free_bytes(VolumeState("a", "", free, total, state, reserve_bytes=told))
    if state not in PRESSED:
        assert wanted == 0
        return
    after = condition(Look(free + wanted, total), told, state)
    assert after not in PRESSED


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(["record", "fill", "room", "hold", "sweep", "stop", "overwrite"]), max_size=8))
def test_no_order_of_calls_crosses_the_floor_untold(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Whatever happens in whatever order: holds stand, and every breach is admitted, or there is none under `stop`."""
    with pytest.MonkeyPatch.context() as patch:
        box, held = Box(tmp_path_factory.mktemp("box"), patch), set[str]()
        box.record(2)
        is_on, broken = False, 0
        for step in steps:
            if step == "record":
                try:
                    record(box.store, box.clock, SECOND * 2)
                except StorageFull:
                    box.clock.advance(5)
            elif step == "fill":
                box.leave_bytes(0)
            elif step == "room":
                box.disk.ballast_bytes = 0
            elif step == "hold":
                one = next((one for one in box.all() if one.state is MediaState.PRESENT), None)
                if one is not None:
                    hold(box.store, [one.stream_id.partition(".")[0]], one.t0_us, one.t1_us)
                    held.add(one.id)
            elif step == "sweep":
                done = sweep(box.store, box.clock).broken
                assert is_on or not done
                broken += done
            else:
                is_on = step == "overwrite"
                box.store.overwriting.put_in_force(is_on=is_on)
        assert not held & set(box.gone())
        assert box.store.overwriting.count().count == broken == len(box.gone())
        box.store.checkpoint()
        assert check(box.store) == []
        box.store.close()
