"""Processes that work for the main one: each speaks by one Unix socket, and ends at once when the main one is gone.

The first thing on that socket is a byte with the descriptors that the process holds too; so one can be started before
the main process has them (`Standby`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.wiring.heap import ARENAS
from recorder.capture.channel import Asked, Channel

CAPTURE: Final = "appliance.wiring.capture"
"""The module of capture processes: by its name, for to import it is what is to be done by another process."""

END_S: Final = 3.0
"""How long a killed process may take to be gone."""


DESCRIPTORS_LIMIT: Final = 4
"""That a process is handed to hold; there is one, of the data directory's lock."""

_GO: Final = b"+"
"""What the descriptors come with: a message of no byte carries none."""


class ChildProcess:
    """A process and the channel to it; obeys `fleet.Process`."""

    def __init__(self, child: subprocess.Popen[bytes], channel: Channel) -> None:
        self._child = child
        self.channel = channel

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    def end(self) -> bool:
        """Kill it: what it has begun is done again by its successor; false: it is not gone yet."""
        self._child.kill()
        try:
            self._child.wait(END_S)
        except subprocess.TimeoutExpired:  # it waits for a disk, in the kernel: nothing ends it before that answers
            return False
        return True

    def ending(self) -> str:
        """How it ended, in words; empty while it lives."""
        code = self._child.poll()
        if code is None:
            return ""
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


class Standby:
    """Processes that are started before there is work for them: Python's start, and that of all they import, takes as
    long as the main process needs to open the store. Each is handed out once; who takes none starts its own.
    """

    def __init__(self, module: str, count: int) -> None:
        self.module = module
        self._begun = [_begun(module) for _ in range(count)]

    def take(self) -> _Begun | None:
        """One that lives; None: all were taken, or are gone."""
        while self._begun:
            one = self._begun.pop(0)
            if one.child.poll() is None:
                return one
            one.ours.close()
        return None

    def close(self) -> None:
        """End those that nobody took."""
        while (one := self.take()) is not None:
            one.child.kill()
            one.child.wait(END_S)
            one.ours.close()


@dataclass(frozen=True)
class _Begun:
    """A process that waits for its descriptors."""

    child: subprocess.Popen[bytes]
    ours: socket.socket


def start(
    module: str,
    handle: Callable[[Asked], None],
    gone: Callable[[], None],
    *,
    name: str,
    keep: Sequence[int] = (),
    standby: Standby | None = None,
) -> ChildProcess:
    """Start `python -m module FD` with one end of a socket pair as FD, or take one that stands by; `keep` are
    descriptors that it holds too."""
    waiting = standby.take() if standby is not None and standby.module == module else None
    begun = waiting or _begun(module)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended: the channel finds that out
        socket.send_fds(begun.ours, [_GO], keep)
    channel = Channel(begun.ours, handle, gone, name=name)
    channel.start()
    return ChildProcess(begun.child, channel)


def _begun(module: str) -> _Begun:
    ours, theirs = socket.socketpair()
    child = subprocess.Popen(  # noqa: S603 - this very program, and a number
        [sys.executable, "-m", module, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        env={"MALLOC_ARENA_MAX": str(ARENAS), **os.environ},
        process_group=0,  # a Ctrl-C is for the main process, which stops its cameras in order
    )
    theirs.close()
    return _Begun(child, ours)


def wait_for_orders(descriptor: int) -> socket.socket:
    """In a child: wait for what it is to hold, and give back its end of the channel.

    From now on the main process says when to stop, whatever signals a terminal or service manager sends to all. What
    it holds stays open until it ends.
    """
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)
    end = socket.socket(fileno=descriptor)
    said, _, _, _ = socket.recv_fds(end, len(_GO), DESCRIPTORS_LIMIT)
    if not said:
        orphaned()
    return end


def orphaned() -> None:
    """In a child: the main process is gone. End at once, from whichever thread notices, whatever the others do."""
    os._exit(0)
