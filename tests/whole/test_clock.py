"""Somebody sets the clock of the box: nothing is discarded, nothing is overwritten, and the log says what happened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.supervisor import ClockWatch
from config.clock import Reading, step_us
from config.times import DAY_US, parse_us
from recorder.causes import Cause
from recorder.store.fsck import check
from recorder.store.records import Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.policy import Reason
from retention.sweep import sweep
from tests.fakes.box import new_store, record, segments
from tests.fakes.clock import FakeClock

BERLIN = ZoneInfo("Europe/Berlin")
SECONDS = "IPPPPPPPPP" * 6


class Scene:
    """A box with footage, its clock in our hands, and the supervisor's watch on that clock."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.store: Store = new_store(tmp_path, self.clock, "gate")
        self.watch = ClockWatch(self.clock, self._note)
        record(self.store, self.clock, SECONDS)
        self.before = self.files()

    def _note(self, before: Reading, after: Reading) -> None:
        self.store.note("clock", {"what": "step", "step_us": step_us(before, after)})

    def files(self) -> dict[str, str]:
        """Every stored file with the hash of its bytes."""
        found = [one for one in segments(self.store, self.clock) if isinstance(one, Segment)]
        paths = {one.id: self.store.media_path(one) for one in found}
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}

    def record_again(self) -> None:
        """The session after the step, as the recorder begins it: the gap up to now is told first."""
        now_us = self.clock.read().utc_us
        if now_us < self.store.head("gate.main").t1_us:
            self.store.commit_gap("gate.main", now_us, Cause.CLOCK_STEP, "the clock was set back")
        record(self.store, self.clock, SECONDS)

    def steps(self) -> list[int]:
        leaves = self.store.leaves(0, self.store.log_size)
        return [int(leaf.fields["step_us"]) for _, leaf in leaves if leaf.type == "clock"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path)
    yield found
    found.store.close()


@pytest.mark.parametrize("year", ["2036", "2016"])
def test_clock_is_set_by_ten_years(scene: Scene, year: str) -> None:
    """Ahead or back: a sweep takes nothing, new footage lies beside the old, and the step is in the log to the day."""
    scene.clock.set_wall(f"{year}-03-01T00:00:06Z")
    scene.watch.look()
    report = sweep(scene.store, scene.clock)
    assert (report.should, report.did) == (0, 0)
    scene.record_again()
    after = scene.files()
    assert {name: after[name] for name in scene.before} == scene.before
    assert len(after) == 2 * len(scene.before)
    (step,) = scene.steps()
    assert round(step / DAY_US / 365.25) == int(year) - 2026
    scene.store.checkpoint()
    assert check(scene.store) == []
    assert verify(scene.store) == []


def test_clock_ran_ten_years_ahead(scene: Scene) -> None:
    """The plan says why footage stays that the wall clock calls ten years old."""
    scene.clock.set_wall("2036-03-01T00:00:06Z")
    assert sweep(scene.store, scene.clock).kept[Reason.CLOCKS_DISAGREE] == len(scene.before)


def test_clock_is_set_there_and_back(scene: Scene) -> None:
    """After a wrong year and its correction, the record tiles, both steps are in the log, and nothing is gone (Moonfire
    9; MediaMTX 4778, 2733, 4736)."""
    for year in ("2036", "2026"):
        scene.clock.set_wall(f"{year}-03-01T00:01:00Z")
        scene.watch.look()
        scene.record_again()
    assert len(scene.steps()) == 2
    assert sweep(scene.store, scene.clock).did == 0
    coverage = scene.store.coverage("gate.main", parse_us("2026-03-01T00:00:00Z"), parse_us("2026-03-01T00:01:05Z"))
    assert {stretch.kind for stretch in coverage} <= {"recorded", "gap"}
    scene.store.checkpoint()
    assert check(scene.store) == []


def test_time_really_passes(scene: Scene) -> None:
    """The same sweep takes footage once both clocks have seen the days go by: the test can fail."""
    scene.clock.advance(31 * 86_400)
    assert sweep(scene.store, scene.clock).did == 0
    scene.clock.advance(2 * 86_400)
    assert sweep(scene.store, scene.clock).did == len(scene.before)


@pytest.mark.parametrize("start", ["2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"])
def test_summer_time_begins_and_ends(tmp_path: Path, start: str) -> None:
    """A day of 23 or 25 hours is one day: footage goes at local midnight, by the offset at recording or at the discard,
    whichever is later, and not an hour before it."""
    clock = FakeClock(start)
    new_store(tmp_path, clock, "gate").close()
    store = Store.open(tmp_path / "data", clock, time_zone="Europe/Berlin")
    record(store, clock, SECONDS)
    local = ZoneInfo("Europe/Berlin")
    assert local.key == BERLIN.key
    due = {"2026-03-28T12:00:00Z": "2026-04-28T23:00:00Z", "2026-10-24T12:00:00Z": "2026-11-24T23:00:00Z"}[start]
    clock.advance((parse_us(due) - clock.utc_us) / 1e6 - 1)
    berlin = Store.open(tmp_path / "data", clock, time_zone="Europe/Berlin", exclusive=False)
    try:
        assert sweep(berlin, clock).should == 0
        clock.advance(2)
        assert sweep(berlin, clock).did == len(segments(store, clock, "gate")) > 0
    finally:
        berlin.close()
        store.close()


def test_summer_time_is_no_step(scene: Scene) -> None:
    """Local time jumps by an hour and UTC does not: nothing is noted, no run is closed (Frigate 8376; lightNVR 204)."""
    scene.clock.advance(3600)
    scene.watch.look()
    assert scene.steps() == []
