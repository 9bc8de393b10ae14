"""What is coming and what a sweep came to, as the interface and the command line show them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api.app import create_app
from appliance.health.facts import CameraFacts, Facts
from appliance.health.report import Identity, forecast, status
from appliance.wiring.running import write_running
from config.errors import ExitCode
from config.times import parse_us
from recorder.store.records import VolumeState
from retention.forecast import Load, Room, outlook
from retention.reconcile import Because, Reconciliation
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock
from tests.fakes.ports import ports_of
from tests.fakes.serving import serving
from tests.fakes.terminal import Run

GB = 10**9
NOW_US = parse_us("2026-03-01T04:00:00Z")
LOADS = [
    Load("gate", 10.0 * GB, 30, 31, held_bytes=3 * GB, before_bytes_a_day=5.0 * GB),
    Load("yard", 43.2 * GB, 90, 91, is_assumed=True, is_new=True),
]
SWEPT = Reconciliation(
    NOW_US, 10, 100, 7, 70, (Because("storage_failed", 3, 30, True, "gate.main.1"),), (Because("held", 4, 40),), True
)
FACTS = Facts(
    cameras=[CameraFacts("gate", "Gate", "recording", days_held=12.25, days_forecast=19.6, days_to_floor=20.0)],
    volumes=[VolumeState("main", "/data", 200 * GB, 10_000 * GB, "ok")],
    outcomes=[],
    checkpoint_age_s=1.0,
    floor_days=30,
    target_days=31,
    now_us=NOW_US,
    zone=ZoneInfo("Asia/Shanghai"),
    outlook=outlook([Room("main", 200 * GB, 10_000 * GB, 0)], LOADS, NOW_US),
    sweep=SWEPT,
)


def test_the_forecast_tells_dates_of_the_box() -> None:
    """Of each volume and camera; an assumed rate is named as one."""
    seen = forecast(FACTS, "en")
    (volume,) = seen.volumes
    gate, yard = seen.cameras

    assert (volume.full_on, volume.floor_fails_on, volume.first_camera) == ("2026-03-05", "2026-03-05", "yard")
    assert (gate.days_required, yard.days_required) == (30, 90)
    assert (gate.assumed, yard.assumed) == (False, True)
    assert gate.days_fit is not None
    assert gate.days_fit < 30
    assert (gate.held_bytes, gate.bytes_a_day_before) == (3 * GB, 5 * GB)
    assert seen.at == "2026-03-01T04:00:00.000000Z"
    assert forecast(replace(FACTS, outlook=None), "en").at is None
    assert "请增加磁盘" in forecast(FACTS, "zh-CN").problems[0].text


def test_the_status_tells_what_is_coming_and_what_went() -> None:
    """By what was measured alone; and the account of the last sweep, which adds up."""
    seen = status(FACTS, Identity("b0", "custos", "0", "Asia/Shanghai", "custos/b0"), "en")
    swept = seen.retention.sweep

    assert seen.storage[0].floor_fails_on == "2026-03-21"
    assert (seen.cameras[0].days_held, seen.cameras[0].days_fit) == (12.25, 19.6)
    assert seen.cameras[0].floor_fails_on == "2026-03-21"
    assert swept is not None
    assert swept.should == swept.discarded + sum(one.count for one in swept.because)
    assert [(one.code, one.count) for one in swept.kept] == [("held", 4)]


@contextmanager
def told(tmp_path: Path, facts: Facts) -> Iterator[None]:
    """A running box that tells these facts."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    identity = Identity(store.box_id, "custos", "0", "Asia/Shanghai", store.origin)
    ports = replace(
        ports_of(store, clock),
        forecast=lambda language: forecast(facts, language),
        status=lambda language: status(facts, identity, language),
    )
    with serving(create_app(ports)) as url:
        write_running(tmp_path / "data", url, 1)
        yield
    store.close()


@pytest.fixture
def speaking(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda language: monkeypatch.setenv("LC_ALL", language)


def test_the_forecast_is_asked_for_on_the_command_line(
    run: Run, tmp_path: Path, speaking: Callable[[str], None]
) -> None:
    """In the words of who asks; a script sees by the exit code that a floor would fail."""
    with told(tmp_path, FACTS):
        speaking("C.UTF-8")
        english = run("forecast")
        speaking("zh_CN.UTF-8")
        chinese = run("forecast")
        body = json.loads(run("forecast", "--json").out)

    assert english.code == ExitCode.FINDINGS
    assert "floor fails on" in english.out
    assert "43.2 GB (assumed)" in english.out
    assert "10.0 GB (was 5.0 GB)" in english.out
    assert "Add a disk" in english.out
    assert "不足法定最短留存期日期" in chinese.out
    assert "请增加磁盘" in chinese.out
    assert body["volumes"][0]["first_camera"] == "yard"


def test_a_forecast_without_trouble_says_so(run: Run, tmp_path: Path, speaking: Callable[[str], None]) -> None:
    """Within the horizon."""
    speaking("C.UTF-8")
    roomy = replace(FACTS, outlook=outlook([Room("main", 10_000 * GB, 10_000 * GB, 0)], LOADS[:1], NOW_US), cameras=[])
    with told(tmp_path, roomy):
        fine = run("forecast")
    assert fine.code == 0
    assert "Nothing is to be seen within 400 days" in fine.out


def test_the_status_is_shown_with_its_sweep(run: Run, tmp_path: Path, speaking: Callable[[str], None]) -> None:
    """Should have discarded so many, discarded so many, because (Shinobi 35, 102; Viseron 110, 1334)."""
    speaking("C.UTF-8")
    with told(tmp_path, FACTS):
        seen = run("status").out

    assert "should have discarded 应删 10, discarded 已删 7 (70 B), because 原因 3 storage_failed (30 B)" in seen
    assert "past their time and kept 到期而保留 4 held (40 B)" in seen
    assert "floor fails on 不足法定最短留存期 2026-03-21" in seen
    assert "12.2" in seen
