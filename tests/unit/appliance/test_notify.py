"""What a service manager hears of the box, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.notify import ANSWERS_EACH, Notifier, Watchdog
from appliance.supervisor import DutyHangs


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """Hears what is sent there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        hearing.settimeout(5)
        yield hearing


@pytest.mark.parametrize("address", ["{folder}/notify", "@custos-test-{pid}"], ids=["path", "abstract"])
def test_what_is_told(tmp_path: Path, address: str) -> None:
    """Ready, alive, stopping: one datagram each, with a line that `systemctl status` shows."""
    address = address.format(folder=tmp_path, pid=os.getpid())
    with manager(address) as hearing:
        environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
        notifier = Notifier.taken_from(environ)
        notifier.ready("answers on http://127.0.0.1:8080")
        notifier.alive()
        notifier.status("one line")
        notifier.stopping("seals what is open")
        heard = [hearing.recv(1000).decode() for _ in range(4)]

    assert heard == [
        "READY=1\nSTATUS=answers on http://127.0.0.1:8080",
        "WATCHDOG=1",
        "STATUS=one line",
        "STOPPING=1\nSTATUS=seals what is open",
    ]
    assert environ == {"HOME": "/"}  # what the box starts has nothing to say
    assert notifier.watchdog_s == 6.0


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000"}, 3.0),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "0"}, None),
    ],
    ids=["no manager", "nobody to tell", "patience", "another is meant", "no number", "off"],
)
def test_whose_patience(environ: dict[str, str], watchdog_s: float | None) -> None:
    """A manager that wants no sign of life, or wants it of another process, gets none."""
    assert Notifier.taken_from(dict(environ)).watchdog_s == watchdog_s


def test_nobody_listens(tmp_path: Path) -> None:
    """A manager that is not there, or that does not read, stops nobody."""
    Notifier().ready("quiet")
    Notifier(str(tmp_path / "nowhere")).ready("quiet")


def test_a_sign_of_life_is_not_blind(tmp_path: Path) -> None:
    """It comes behind all that was asked, and not at all where one of these does not answer."""
    answers = True
    seen: list[str] = []

    def supervisor() -> None:
        seen.append("supervisor")
        if not answers:
            raise DutyHangs

    with manager(str(tmp_path / "notify")) as hearing:
        watchdog = Watchdog(Notifier(str(tmp_path / "notify"), 6.0), (supervisor, lambda: seen.append("store")))
        watchdog.answer()
        assert hearing.recv(100) == b"WATCHDOG=1"
        answers = False
        with pytest.raises(DutyHangs):
            watchdog.answer()
        hearing.setblocking(False)
        with pytest.raises(BlockingIOError):
            hearing.recv(100)

    assert seen == ["supervisor", "store", "supervisor"]
    assert watchdog.period_s() * ANSWERS_EACH == 6.0
