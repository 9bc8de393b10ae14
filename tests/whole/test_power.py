"""The box is killed in the middle of anything, again and again: what was promised about power cuts is measured."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from config.clock import SystemClock
from config.times import format_us, parse_us
from recorder.store.fsck import check
from recorder.store.store import Store
from tests.whole.machine import Machine, demo_cameras, until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(1200)]

CAMERAS = ("north", "east", "south", "west")
KILLS = 30 if os.environ.get("CUSTOS_LONG") else 6
SEED = 20261124
LOSS_BOUND_S = 2.0
GOP_S = 1.0
"""Of the demonstration cameras: a fragment is written when the next key frame has come."""


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    with demo_cameras(*CAMERAS) as found:
        yield found


def now_us() -> int:
    return SystemClock().read().utc_us


def findings(machine: Machine) -> list[str]:
    store = Store.open(machine.data_dir, SystemClock(), exclusive=False)
    try:
        return [f"{one.invariant} {one.where}: {one.what}" for one in check(store)]
    finally:
        store.close()


def recorded_until_us(machine: Machine, camera: str, start_us: int, end_us: int) -> int:
    """Where the last recorded stretch ends that began before the kill."""
    path = f"/api/v1/cameras/{camera}/coverage"
    items = machine.get(path, start=format_us(start_us), end=format_us(end_us))["items"]
    unknown = [item for item in items if item["kind"] not in ("recorded", "gap")]
    assert not unknown, f"{camera}: {unknown}"
    ends = [parse_us(item["end"]) for item in items if item["kind"] == "recorded"]
    return max(ends, default=start_us)


def test_power_is_cut_again_and_again(machine: Machine, urls: dict[str, str]) -> None:
    """After every kill: nothing found, no second unexplained, at most the promised seconds lost of each camera."""
    chance = random.Random(SEED)
    machine.start()
    for name in CAMERAS:
        machine.add_camera(name, urls[name])
    begun_us = now_us()
    until(
        "all cameras are recorded", lambda: all(machine.status_of(one)["state"] == "recording" for one in CAMERAS), 30
    )
    losses: list[float] = []
    starts: list[float] = []
    for kill in range(KILLS):
        time.sleep(chance.uniform(2, 7))
        before = {one["id"]: one for one in machine.get("/api/v1/status")["cameras"]}
        machine.kill()
        killed_us = now_us()
        starts.append(machine.start())
        restarted_us = parse_us(machine.get("/api/v1/status")["box"]["started"])
        assert findings(machine) == [], f"after kill {kill}"
        for name in CAMERAS:
            end_us = recorded_until_us(machine, name, begun_us, restarted_us)
            if before[name]["state"] == "recording":
                # A camera that had only just begun cannot have lost more than it had sent.
                begun_here_us = parse_us(before[name]["since"])
                losses.append((killed_us - max(end_us, begun_here_us)) / 1e6)
    print(
        f"{KILLS} kills, {len(losses)} losses measured: worst {max(losses):.2f} s, "
        f"mean {sum(losses) / len(losses):.2f} s; start worst {max(starts):.1f} s"
    )
    assert len(losses) >= KILLS
    assert max(losses) <= LOSS_BOUND_S + GOP_S
    assert machine.stop() == 0
    verified = machine.command("verify", "--json")
    assert (verified.code, verified.json) == (0, {"findings": []})
