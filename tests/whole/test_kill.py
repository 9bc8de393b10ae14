"""Every process of a box is killed in turn, again and again: each comes back, and the record stays whole."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from config.clock import SystemClock
from config.times import format_us
from tests.whole.machine import Machine, demo_cameras, until
from tests.whole.processes import tree

pytestmark = [pytest.mark.whole, pytest.mark.timeout(3600)]

CAMERAS = ("north", "south")
PROCESSES = 2
IS_LONG = bool(os.environ.get("CUSTOS_LONG"))
KILLS = int(os.environ.get("CUSTOS_KILLS", "200" if IS_LONG else "20"))
SEED = int(os.environ.get("CUSTOS_SEED", "20261126"))
REST_S = 3.0 if IS_LONG else 0.8
"""At most so long between two kills: some hit what is being recorded, some what is only starting."""

CAPTURE, DECODER = "appliance.wiring.capture", "appliance.wiring.decoder"
BACK_S = 40.0
"""A capture process that ends again and again rests for half a minute at most before it is started anew."""

TELLS = {"box_down", "no_media", "unreachable", "stalled"}
"""What a gap may say here: the box or a process was down, or the camera was being connected to."""


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    with demo_cameras(*CAMERAS) as found:
        yield found


def running(machine: Machine, module: str) -> list[int]:
    """Processes of the box that run this."""
    found = []
    for pid in tree(machine.pid)[1:]:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
        except OSError:  # it has ended meanwhile
            continue
        if module in command:
            found.append(pid)
    return sorted(found)


def kill_main(machine: Machine) -> None:
    machine.kill()
    machine.start()


def kill_capture(machine: Machine, number: int) -> None:
    """One of those that record; another must take its place."""
    before = until("all record", lambda: len(found := running(machine, CAPTURE)) == PROCESSES and found, BACK_S)
    os.kill(before[number], signal.SIGKILL)
    until(
        "another is there",
        lambda: len(found := running(machine, CAPTURE)) == PROCESSES and before[number] not in found,
        BACK_S,
    )


def kill_decoder(machine: Machine) -> None:
    """The one that makes stills, which is there from the first one on; the record says nothing of it."""
    path = f"{machine.url}/api/v1/cameras/{CAMERAS[0]}/still.jpg"
    httpx.get(path, params={"max_age_s": 0}, timeout=30, trust_env=False)
    for pid in running(machine, DECODER):
        os.kill(pid, signal.SIGKILL)


def victims(chance: random.Random) -> Iterator[str]:
    """All in turn, in another order each time."""
    while True:
        kinds = ["main", *(f"capture {number}" for number in range(PROCESSES)), "decoder"]
        chance.shuffle(kinds)
        yield from kinds


def test_every_process_is_killed_in_turn(machine: Machine, urls: dict[str, str]) -> None:
    """The box comes back each time. In the end all verifies, and each instant of each camera is recorded, or a gap with
    a cause; none is missing."""
    chance = random.Random(SEED)
    machine.settings["CUSTOS_RECORDING__PROCESSES"] = str(PROCESSES)
    machine.start()
    for name, url in urls.items():
        machine.add_camera(name, url)
    until("all are recorded", lambda: all(machine.status_of(one)["state"] == "recording" for one in CAMERAS), 60)
    begun_us = SystemClock().read().utc_us
    killed: Counter[str] = Counter()
    order = victims(chance)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0, REST_S))
        victim = next(order)
        if victim == "main":
            kill_main(machine)
        elif victim == "decoder":
            kill_decoder(machine)
        else:
            kill_capture(machine, int(victim.split()[1]))
        killed[victim] += 1
    until("all are recorded again", lambda: all(machine.status_of(one)["state"] == "recording" for one in CAMERAS), 90)
    assert set(killed) == {"main", "capture 0", "capture 1", "decoder"}
    ended_us = SystemClock().read().utc_us
    assert machine.stop() == 0
    assert machine.command("fsck", "--json").json == {"findings": []}
    assert machine.command("verify", "--json").json == {"findings": []}
    span = ("--start", format_us(begun_us), "--end", format_us(ended_us))
    for name in CAMERAS:
        found = machine.command("completeness", name, *span, "--json")
        standings = Counter(one["standing"] for one in found.json["stretches"])
        causes = Counter(one["cause"] for one in found.json["stretches"] if one["cause"])
        print(f"seed {SEED}, {KILLS} kills {dict(killed)}, {name}: {dict(standings)}, {dict(causes)}")
        assert (found.code, found.json["complete"], found.json["broken"]) == (0, True, [])
        assert set(standings) == {"present_verified", "gap_explained"}
        assert set(causes) <= TELLS
    assert "Traceback" not in machine.log
