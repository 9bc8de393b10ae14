"""The box as a service: what its manager hears, how fast it stops, and what it does when something keeps it from it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from appliance.wiring.stopping import limit_s
from config.errors import ExitCode
from config.times import parse_us
from tests.whole.machine import ROOT, Machine, demo_cameras, until
from tests.whole.processes import tree

pytestmark = pytest.mark.whole

CAMERAS = ("north", "east", "south", "west")
STOP_LIMIT_S = 5.0
"""Within so long everything open is sealed, written down and signed."""

FRAGMENT_LIMIT_US = 5_000_000
"""What is open in memory when a disk hangs: a fragment of two seconds, and what was on its way."""

SLOW = """
import os, pathlib, time
_sync, _flag = os.fsync, pathlib.Path({flag!r})
def fsync(handle):
    if _flag.exists():
        time.sleep(float(_flag.read_text()))
    return _sync(handle)
os.fsync = fsync
"""
"""A disk that takes its time: every sync of a file waits for as long as the file `flag` says."""


def slowness() -> float:
    """How many times longer than alone everything takes on this machine now: others compute too."""
    cpu_s, wall_s = time.thread_time(), time.monotonic()
    while time.thread_time() - cpu_s < 0.1:
        pass
    return max(1.0, (time.monotonic() - wall_s) / 0.1)


class Disk:
    """How long each sync takes, in all processes of a box."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self._flag = folder / "slow"
        (folder / "slowness").mkdir()
        (folder / "slowness" / "sitecustomize.py").write_text(SLOW.format(flag=str(self._flag)))
        machine.settings["PYTHONPATH"] = f"{folder / 'slowness'}:{ROOT}"

    def takes(self, seconds: float) -> None:
        """From now on."""
        self._flag.write_text(str(seconds))

    def is_well(self) -> None:
        """Again."""
        self._flag.unlink(missing_ok=True)


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    with demo_cameras(*CAMERAS) as found:
        yield found


def recording(machine: Machine, urls: dict[str, str]) -> None:
    """Start, and wait until all cameras are recorded and have something open."""
    machine.settings["CUSTOS_RECORDING__SEGMENT_S"] = "60"
    machine.start()
    for name, url in urls.items():
        machine.add_camera(name, url)
    until("all are recorded", lambda: all(machine.status_of(one)["state"] == "recording" for one in urls), 30)
    until("all have something open", lambda: {f"{one}.main" for one in urls} <= open_streams(machine), 30)


def open_files(machine: Machine) -> list[Path]:
    return [*(machine.data_dir / "media").rglob("*.part")]


def open_streams(machine: Machine) -> set[str]:
    """Below the volume a file lies in its stream, year, month, day and hour."""
    return {path.parents[4].name for path in open_files(machine)}


def stopped(machine: Machine) -> tuple[int, float]:
    """Exit code, and how long it took, as if the machine had nothing else to do."""
    busy = slowness()
    began_s = time.monotonic()
    code = machine.stop()
    took_s = time.monotonic() - began_s
    busy = max(busy, slowness())
    print(f"stopped in {took_s:.2f} s, on a machine that is {busy:.1f} times slower than alone")
    return code, took_s / busy


def ends_us(machine: Machine, camera: str) -> int:
    """Where a camera's newest segment ends."""
    found = machine.command("segments", camera, "--start", "1h", "--json").json["segments"]
    return max((parse_us(one["end"]) for one in found), default=0)


def test_a_stop_seals_what_is_open(machine: Machine, urls: dict[str, str]) -> None:
    """Four cameras, each in the middle of a minute: in less than five seconds all is sealed and signed, and nothing is
    lost but what had not come yet (ZLMediaKit 2987)."""
    recording(machine, urls)
    at_us = time.time_ns() // 1000
    code, took_s = stopped(machine)

    assert (code, took_s < STOP_LIMIT_S) == (0, True), took_s
    assert open_files(machine) == []
    assert all(at_us - ends_us(machine, one) < 2_000_000 for one in CAMERAS)
    assert machine.command("verify").code == 0
    assert "Traceback" not in machine.log


def test_a_camera_hangs(machine: Machine) -> None:
    """One says nothing any more, another takes connections and never answers: neither keeps the others from being
    sealed in time, nor the box from stopping."""
    with (
        demo_cameras("north", "east") as urls,
        demo_cameras("south") as frozen,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        recording(machine, urls | frozen)
        machine.add_camera("west", f"rtsp://127.0.0.1:{mute.getsockname()[1]}/main")
        demos = [
            one for one in tree(os.getpid()) if b"appliance.demo\0south" in Path(f"/proc/{one}/cmdline").read_bytes()
        ]
        (demo,) = demos
        os.kill(demo, signal.SIGSTOP)
        try:
            code, took_s = stopped(machine)
        finally:
            os.kill(demo, signal.SIGCONT)

    assert (code, took_s < STOP_LIMIT_S) == (0, True), took_s
    assert open_files(machine) == []
    assert machine.command("verify").code == 0


def test_a_slow_disk(machine: Machine, tmp_path: Path, urls: dict[str, str]) -> None:
    """Each sync takes a quarter of a second: all is sealed all the same, within the limit."""
    disk = Disk(tmp_path, machine)
    recording(machine, urls)
    disk.takes(0.25)
    code, took_s = stopped(machine)
    disk.is_well()

    assert code == 0
    assert took_s < limit_s(len(CAMERAS))
    assert open_files(machine) == []
    assert machine.command("verify").code == 0


def test_a_disk_that_hangs(machine: Machine, tmp_path: Path, urls: dict[str, str]) -> None:
    """A sync never comes back: after the limit the box says that it gives up, and why, and goes; the next start
    finishes what was open, and every second of it is there."""
    disk = Disk(tmp_path, machine)
    recording(machine, urls)
    disk.takes(600)
    at_us = time.time_ns() // 1000
    code, took_s = stopped(machine)
    disk.is_well()
    said = machine.log

    assert code == ExitCode.STORAGE
    assert took_s < limit_s(len(CAMERAS)) + 3
    assert "gave up" in said
    assert "most likely a disk" in said
    machine.start()
    assert machine.stop() == 0
    assert all(at_us - ends_us(machine, one) < FRAGMENT_LIMIT_US for one in CAMERAS)
    assert machine.command("verify").code == 0


def test_what_the_manager_hears(machine: Machine, tmp_path: Path) -> None:
    """Ready once the box answers; alive again and again, but not while the store is kept from it; stopping at last."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(str(address))
        hearing.settimeout(20)
        machine.settings |= {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "1500000"}
        machine.start()
        # It lives before it answers, for it records by then; and may say so.
        ready = until("it answers", lambda: (one := hearing.recv(1000)) != b"WATCHDOG=1" and one.decode(), 20)
        alive_at_s = [heard_alive(hearing) for _ in range(4)]
        with contextlib.closing(sqlite3.connect(machine.data_dir / "catalogue.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            hearing.settimeout(1.0)
            with contextlib.suppress(TimeoutError):
                hearing.recv(1000)  # one may have been under way
            hearing.settimeout(4.0)
            with pytest.raises(TimeoutError):
                hearing.recv(1000)
            other.execute("ROLLBACK")
        hearing.settimeout(20)
        heard_alive(hearing)
        assert machine.stop() == 0
        hearing.settimeout(5)
        last = until("it says that it stops", lambda: (one := hearing.recv(1000)) != b"WATCHDOG=1" and one, 10)

    assert ready.startswith("READY=1\nSTATUS=answers on http://127.0.0.1:")
    assert max(after - before for before, after in pairwise(alive_at_s)) < 1.5
    assert last.startswith(b"STOPPING=1")


def heard_alive(hearing: socket.socket) -> float:
    """When the next sign of life came."""
    assert hearing.recv(1000) == b"WATCHDOG=1"
    return time.monotonic()
