"""Power that goes under everything, SQLite too: a file system that forgets what was not made durable.

A process records four cameras into it as fast as it can; at a change of the files that was drawn the file system
forgets and answers nothing any more, and the process is killed. What it found out later than that is lost to it.
Both are forks of the test, for to load all that recording needs takes longer than a cut.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

from recorder.store import files
from recorder.store.store import Store
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock
from tests.fakes.forgetful import SYNC_ATTRIBUTE, Forgetful, missing, mount, serve, unmount
from tests.fakes.four_cameras import CAMERAS, FourCameras
from tests.store.test_power_cut import FRAGMENT_S, LOSS_BOUND_S, stands_as_promised

pytestmark = [pytest.mark.whole, pytest.mark.timeout(3600)]

CUTS = int(os.environ.get("CUSTOS_CUTS") or (50 if os.environ.get("CUSTOS_LONG") else 10))
SEED = 20261126
CHANGES = 900
"""One of so many is the last: those of some twenty seconds."""
ROUND_S = 1.0
"""So often the recording says how far it is: what it had of the next such time is lost as well."""

Say = Callable[[str], None]


def test_power_is_cut_under_the_database_too(tmp_path: Path) -> None:
    """After each cut: the checkpoint signs what is there, nothing is found wrong, no second is unexplained."""
    place = tmp_path / "place"
    place.mkdir()
    reason = missing(place)
    if reason:
        pytest.skip(reason)
    new_store(tmp_path, FakeClock(), *CAMERAS).close()
    chance = random.Random(SEED)
    losses = [cut(tmp_path, place, number, chance.randrange(CHANGES) + 1) for number in range(CUTS)]
    print(
        f"{CUTS} cuts under {len(CAMERAS)} cameras: {max(losses):.1f} s lost of one at most, {sum(losses):.1f} in all"
    )


def cut(folder: Path, place: Path, number: int, change: int) -> float:
    """Record until the power goes at that change; how much was lost, at most."""
    after = folder / f"after-{number}"
    disk = forked(lambda say: _serve(folder / "data", place, after, change, SEED + number, say))
    try:
        assert disk.says.readline() == "mounted\n"
        recording = forked(lambda say: _record(place, say))
        try:
            assert disk.says.readline() == "cut\n"
        finally:
            told = recording.killed()
    finally:
        unmount(place)
        disk.killed()
    rounds = [line for line in told.splitlines() if line.endswith("}")]
    clock = FakeClock()
    clock.advance(2 + len(rounds))
    lost_s = stands_as_promised(after, clock, json.loads(rounds[-1]) if rounds else {})
    assert lost_s + ROUND_S <= LOSS_BOUND_S + FRAGMENT_S
    print(f"cut {number} at change {change}, after {len(rounds)} s: {lost_s:.1f} s lost at most", flush=True)
    return lost_s


def _serve(source: Path, place: Path, after: Path, change: int, seed: int, say: Say) -> None:
    tree = Forgetful(source, after, change, seed, say)
    handle = mount(place)
    say("mounted")
    serve(tree, handle)


def _record(data: Path, say: Say) -> None:
    """Four cameras, until it is killed. After each second: where the pictures of each end that were recorded."""
    files._libc = _Libc(files._libc)
    clock = FakeClock()
    clock.advance(1)
    store = Store.open(data, clock)
    store.recover()
    four = FourCameras(store, clock)
    while True:
        four.go_on(1)
        say(json.dumps(four.told_us))


class _Libc:
    """The kernel tells no file system of this kind of syncfs(2): said by an attribute, it is the same call."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def syncfs(self, handle: int) -> int:
        try:
            os.setxattr(handle, SYNC_ATTRIBUTE, b"1")
        except OSError as err:
            ctypes.set_errno(err.errno or errno.EIO)
            return -1
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@dataclass
class Fork:
    """A process that does one job, and says how far it is."""

    number: int
    says: TextIO

    def killed(self) -> str:
        """End it, wherever it is; what else it said."""
        os.kill(self.number, signal.SIGKILL)
        os.waitpid(self.number, 0)
        with self.says:
            return self.says.read()


def forked(job: Callable[[Say], None]) -> Fork:
    """Begin it."""
    read, write = os.pipe()
    number = os.fork()
    if number:
        os.close(write)
        return Fork(number, os.fdopen(read))
    try:  # nothing of the test runs on in here
        job(lambda text: (os.write(write, f"{text}\n".encode()), None)[1])
    finally:
        os._exit(1)
