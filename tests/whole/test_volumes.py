"""Real disks: small file systems of their own that are filled, remounted, unplugged and swapped under a box."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.full_day import ASKED
from tests.whole.machine import ROOT, Machine, until
from tests.whole.test_bad_input import causes_of, in_own_mounts, needs_mounts

pytestmark = pytest.mark.whole


def day(folder: Path, when_full: str) -> dict[str, object]:
    """A day on a file system of 24 MiB."""
    folder.mkdir()
    prefix = in_own_mounts(f"mount -t tmpfs -o size=24m none {folder}")
    command = [*prefix, sys.executable, "-m", "tests.whole.full_day", when_full, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@needs_mounts
def test_a_day_on_a_full_disk_under_stop(tmp_path: Path) -> None:
    """Nothing that must stay goes, nothing is damaged, and recording resumes (Frigate 2790; wvp 1582)."""
    told = day(tmp_path / "disk", "stop")

    assert (told["gone"], told["breaches"], told["held"]) == (0, 0, "present")
    assert told["record refused"]
    assert told["no byte free"] == 4
    assert told["answers"] == (24 + 4) * len(ASKED)
    assert told["resumed"] == 4
    assert told["findings"] == []


@needs_mounts
def test_a_day_on_a_full_disk_under_overwrite(tmp_path: Path) -> None:
    """The oldest goes, each breach is listed, the hold stands, and recording goes on where it can."""
    told = day(tmp_path / "disk", "overwrite")

    assert told["breaches"] == told["gone"] == told["broken"]
    assert told["breaches"]
    assert told["held"] == "present"
    assert told["oldest_kept"] == told["first"]
    assert told["answers"] == (24 + 4) * len(ASKED)
    assert told["resumed"] == 4
    assert told["findings"] == []


def inside(machine: Machine, script: str) -> None:
    """Do it where the box sees its disks."""
    entry = ["nsenter", "-t", str(machine.pid), "-m", *([] if os.geteuid() == 0 else ["-U"])]
    subprocess.run([*entry, "sh", "-ec", script], check=True, capture_output=True, timeout=30)


@needs_mounts
def test_one_of_two_disks_is_remounted_unplugged_and_swapped(machine: Machine) -> None:
    """Each is a state with a name; the other disk goes on recording, and nothing is written in the place of the one
    that is away; when that is back it is used again, and all that lay on it is there."""
    a, b, keep = (machine.folder / name for name in ("a", "b", "keep"))
    for folder in (a, b, keep, machine.data_dir):
        folder.mkdir()
    config = machine.folder / "custos.toml"
    config.write_text("".join(f'[[volumes]]\nname = "{one.name}"\npath = "{one}"\n' for one in (a, b)))
    machine.prefix = in_own_mounts(
        f"mount -t tmpfs -o size=80m none {a}; mount -t tmpfs -o size=40m none {b}; mount --bind {a} {keep}"
    )
    machine.start("--config", str(config))

    def seen(folder: Path) -> list[str]:
        return [path.name for path in Path(f"/proc/{machine.pid}/root{folder}").rglob("*.mp4")]

    def state(name: str) -> str:
        return str(next(one["state"] for one in machine.get("/api/v1/status")["storage"] if one["name"] == name))

    def records_on_b() -> None:
        before = len(seen(b))
        until("it goes on on the other disk", lambda: len(seen(b)) > before + 1, 60)

    until("the disk with more room is used", lambda: len(seen(a)) > 1, 60)
    assert (state("a"), state("b"), seen(b)) == ("ok", "ok", [])

    inside(machine, f"umount -l {a}")
    until("it is missing", lambda: machine.problem("volume_missing"), 30)
    records_on_b()
    assert seen(a) == []
    assert machine.get("/api/v1/status")["state"] == "degraded"

    inside(machine, f"mount -t tmpfs -o size=80m none {a}; cp {b}/volume.json {a}/")
    until("it is another one", lambda: machine.problem("volume_foreign"), 30)
    records_on_b()
    assert seen(a) == []

    inside(machine, f"umount {a}; mount --bind {keep} {a}; mount -o remount,bind,ro {a}")
    until("it takes no writes", lambda: state("a") == "read_only", 30)
    records_on_b()

    before = len(seen(a))
    inside(machine, f"mount -o remount,bind,rw {a}")
    until("it is used again", lambda: len(seen(a)) > before, 60)
    until("all is well again", lambda: machine.get("/api/v1/status")["state"] == "ok", 60)
    assert machine.status_of("demo")["state"] == "recording"
    assert "storage_error" in causes_of(machine, "demo")
    assert "Traceback" not in machine.log
    machine.prefix = ("nsenter", "-t", str(machine.pid), "-m", *([] if os.geteuid() == 0 else ["-U"]))
    findings = machine.command("fsck", "--json", "--config", str(config))
    assert (findings.code, findings.json) == (0, {"findings": []})
