"""The processes of a real box: one that captures is killed, the main one, one that decodes; Ctrl-C reaches all."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from appliance.cli.box import run
from appliance.wiring.capture import Terms, spawner
from appliance.wiring.children import CAPTURE, END_S, ChildProcess, Standby
from appliance.wiring.decoder import NICE
from recorder.capture.book import Shelves
from tests.whole.machine import Machine, until
from tests.whole.processes import tree

pytestmark = pytest.mark.whole


def children_of(machine: Machine) -> list[int]:
    """The processes of the running box."""
    tasks = Path(f"/proc/{machine.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def capture_processes(machine: Machine) -> list[int]:
    """Those that record."""
    return [one for one in children_of(machine) if "appliance.wiring.capture" in command_of(one)]


def command_of(pid: int) -> str:
    """Of a process; empty when it has ended, be it not yet buried."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


def gaps_of(machine: Machine) -> list[dict[str, str]]:
    start, end = machine.get("/api/v1/cameras/demo")["registered"], machine.get("/api/v1/status")["box"]["now"]
    items = machine.get("/api/v1/cameras/demo/coverage", start=start, end=end)["items"]
    return [item for item in items if item["kind"] == "gap"]


def test_a_killed_capture_process(machine: Machine) -> None:
    """Another is there within two seconds, its cameras record again, and their gap says what happened."""
    machine.start()
    until("it is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    (killed,) = capture_processes(machine)
    os.kill(killed, signal.SIGKILL)
    begun_s = time.monotonic()
    until("another is there", lambda: [one for one in capture_processes(machine) if one != killed], 2)
    print(f"another process after {time.monotonic() - begun_s:.2f} s")
    until("it is recorded again", lambda: machine.status_of("demo")["state"] == "recording", 30)

    def told() -> list[dict[str, str]]:
        return [one for one in gaps_of(machine) if one["cause"] == "box_down"]

    (gap,) = until("the gap is written down", told, 30)
    assert "killed by signal 9" in gap["detail"]
    assert machine.problem("capture_restarted") is not None
    assert machine.stop() == 0
    assert machine.command("verify").code == 0
    assert "Traceback" not in machine.log


def test_a_killed_main_process(machine: Machine) -> None:
    """Its capture processes end with it, and the next start finds the directory free and reads back what they left."""
    machine.start()
    until("it is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    orphans = capture_processes(machine)
    machine.kill()
    until("they have ended", lambda: not any(command_of(one) for one in orphans), 5)
    machine.start()
    until("it is recorded again", lambda: machine.status_of("demo")["state"] == "recording", 30)
    assert machine.stop() == 0
    assert machine.command("verify").code == 0


def test_signals_meant_for_the_main_process(machine: Machine) -> None:
    """A service manager tells every process to end; the capture processes wait for the main one to say so."""
    machine.start()
    until("it is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    (one,) = capture_processes(machine)
    for kind in (signal.SIGINT, signal.SIGTERM):
        os.kill(one, kind)
    assert machine.stop() == 0
    assert command_of(one) == ""
    assert machine.command("fsck").code == 0


def test_a_process_alone(tmp_path: Path) -> None:
    """Started and ended without a box around it: it waits for orders, and says how it ended."""
    heard: list[str] = []
    process = spawner(Terms(tmp_path, "0" * 16, 2_000_000, None, Shelves))(
        0, 4, lambda asked: heard.append(asked.kind), bool
    )
    assert process.ending() == ""
    until("it says that it lives", lambda: "statuses" in heard, 30)
    process.channel.call("apply", {"orders": []}, timeout_s=10)
    process.end()

    assert process.ending() == f"killed by signal {int(signal.SIGKILL)}"
    assert os.getpid() != process.pid
    process.channel.close()


def spawned(tmp_path: Path, standby: Standby, lock: int | None = None) -> ChildProcess:
    spawn = spawner(Terms(tmp_path, "0" * 16, 2_000_000, lock, Shelves), standby)
    return spawn(0, 4, lambda asked: None, bool)


def test_a_process_that_stands_by(tmp_path: Path) -> None:
    """It is taken once, and holds the lock that was taken after it had been started; the next one is started anew."""
    standby = Standby(CAPTURE)
    handle = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    (waiting,) = tree(os.getpid())[1:]
    first, second = spawned(tmp_path, standby, handle), spawned(tmp_path, standby, handle)
    os.close(handle)
    try:
        assert first.pid == waiting != second.pid
        for process in (first, second):
            process.channel.call("apply", {"orders": []}, timeout_s=30)
        with (tmp_path / "lock").open() as again, pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        for process in (first, second):
            process.end()
            process.channel.close()
    with (tmp_path / "lock").open() as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_process_that_stood_by_and_is_gone(tmp_path: Path) -> None:
    """Another is started in its place."""
    standby = Standby(CAPTURE)
    (waiting,) = tree(os.getpid())[1:]
    os.kill(waiting, signal.SIGKILL)
    until("it can be buried", lambda: ") Z " in Path(f"/proc/{waiting}/stat").read_text(), 5)
    process = spawned(tmp_path, standby)
    process.channel.call("apply", {"orders": []}, timeout_s=30)
    assert process.pid != waiting
    process.end()
    process.channel.close()


def test_a_process_that_cannot_be_started_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None stands by; the box goes on, and starts one when it needs it."""

    def none_left(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", none_left)
        standby = Standby(CAPTURE)
    process = spawned(tmp_path, standby)
    process.channel.call("apply", {"orders": []}, timeout_s=30)
    process.end()
    process.channel.close()


def test_a_process_that_nobody_took() -> None:
    """It ends when it is told to, and by the end of its socket."""
    standby = Standby(CAPTURE)
    standby.close()
    assert tree(os.getpid())[1:] == []
    taken = Standby(CAPTURE).take()
    assert taken is not None
    taken.ours.close()
    assert taken.child.wait(30) == 0
    assert standby.take() is None


def test_a_box_is_handed_the_process_that_stands_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was begun before all else of the box was even imported, and hears nothing of the service manager."""
    monkeypatch.setenv("NOTIFY_SOCKET", "@manager")
    seen: list[bool] = []

    def looks(*_: object, standby: Standby, **__: object) -> None:
        taken = standby.take()
        assert taken is not None
        seen.append(until("it is one", lambda: CAPTURE in command_of(taken.child.pid), 5))
        assert b"NOTIFY_SOCKET" not in Path(f"/proc/{taken.child.pid}/environ").read_bytes()
        taken.end()

    monkeypatch.setattr("appliance.wiring.box.run", looks)
    run(data_dir=tmp_path / "data")
    assert seen == [True]


def test_a_still_of_a_camera(machine: Machine) -> None:
    """The newest key picture, decoded in a process that is nobody else's; when that one is killed, the next still
    gets another."""
    machine.start()
    until("it is recorded", lambda: machine.status_of("demo")["state"] == "recording", 30)
    path = f"{machine.url}/api/v1/cameras/demo/still.jpg"
    for _ in range(2):
        got = until("a still", lambda: (one := httpx.get(path, trust_env=False)).is_success and one, 20)
        assert got.content[:3] == b"\xff\xd8\xff"
        assert 0 <= int(got.headers["age"]) <= 30
        (decoder,) = [one for one in children_of(machine) if "appliance.wiring.decoder" in command_of(one)]
        assert os.getpriority(os.PRIO_PROCESS, decoder) >= NICE
        os.kill(decoder, signal.SIGKILL)
        until("it is gone", lambda one=decoder: not command_of(one), END_S)
    assert httpx.get(path, params={"max_age_s": 0}, trust_env=False).json()["code"] == "still_unavailable"
    told = httpx.get(f"{machine.url}/api/v1/cameras/demo/sdp", trust_env=False)
    assert "m=video" in told.text
    assert machine.stop() == 0
    assert "Traceback" not in machine.log
