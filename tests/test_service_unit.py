"""The unit of the service: what systemd says to it, and that it fits what the box does."""

import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from appliance.wiring.stopping import limit_s
from config.errors import ExitCode

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "deploy" / "custos.service"

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on this machine")

EXPOSURE = 20
"""Tenths of what `systemd-analyze security` calls the exposure level: 0 to 100, most services of a system have 90."""

CALLS = {"flock", "syncfs", "sync_file_range", "fdatasync", "writev", "setpriority", "recvmmsg", "epoll_wait", "clone3"}
"""What recording cannot do without, or (setpriority) a picture of a camera."""


def settings() -> dict[str, list[str]]:
    """Of the unit: each name with its values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        name, is_one, value = line.partition("=")
        if is_one and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit as it stands on a machine where its program and its user are there."""
    text = UNIT.read_text().replace("/opt/custos/.venv/bin/custos", "/bin/true")
    place = tmp_path / UNIT.name
    place.write_text(re.sub(r"^(User|Group)=custos$", r"\1=daemon", text, flags=re.M))
    return place


@needs_systemd
def test_systemd_takes_the_unit(installed: Path) -> None:
    """Nothing in it is unknown, misspelt or contradicts itself."""
    done = subprocess.run(["systemd-analyze", "verify", installed], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.strip()) == (0, "")


@needs_systemd
def test_little_is_exposed(installed: Path) -> None:
    """Systemd's own measure of what an intruder could do from within the service."""
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", installed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-2000:]


@needs_systemd
def test_the_filter_lets_a_recorder_work() -> None:
    """Of the calls to the kernel that recording needs none is kept away."""

    @lru_cache
    def of(group: str) -> frozenset[str]:
        text = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
        names = [line.strip() for line in text.stdout.splitlines()[1:]]
        names = [name for name in names if name and not name.startswith("#")]
        inner = [of(name) for name in names if name.startswith("@")]
        return frozenset(name for name in names if not name.startswith("@")).union(*inner)

    allowed: set[str] = set()
    for value in settings()["SystemCallFilter"]:
        for group in value.removeprefix("~").split():
            allowed = allowed - of(group) if value.startswith("~") else allowed | of(group)

    assert set() == CALLS - allowed


def test_its_limits_are_those_of_the_box() -> None:
    """It waits longer than a stop takes, tells the main process alone, and starts it again but for a bad setting."""
    unit = settings()

    assert unit["Type"] == ["notify"]
    assert unit["KillMode"] == ["mixed"]
    assert unit["Restart"] == ["always"]
    assert unit["RestartPreventExitStatus"] == [str(ExitCode.CONFIG.value)]
    assert float(unit["TimeoutStopSec"][0]) > limit_s(500)
    assert unit["CapabilityBoundingSet"] == [""]
    assert "ProcSubset" not in unit  # the boot id stands in /proc/sys


def test_the_readmes_say_how_it_is_installed() -> None:
    """With the very paths of the unit, in both languages."""
    unit = UNIT.read_text()
    for readme in (ROOT / "README.md", ROOT / "README.zh-CN.md"):
        text = readme.read_text()
        assert "deploy/custos.service" in text
        for path in ("/opt/custos", "/etc/custos/custos.toml", "/var/lib/custos"):
            assert path in unit
            assert path in text, (readme.name, path)
