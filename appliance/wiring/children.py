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

import structlog

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

log = structlog.get_logger("children")


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


@dataclass(frozen=True)
class Waiting:
    """A process that has begun, and waits for what it is to hold."""

    child: subprocess.Popen[bytes]
    ours: socket.socket

    def end(self) -> None:
        """It is not needed: kill it."""
        self.ours.close()
        self.child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(END_S)


class Standby:
    """A process that is started before there is work for it: Python's start, and that of all it imports, takes as long
    as the main process needs to open the store. It is handed out once, to one thread; who gets none starts its own.
    """

    def __init__(self, module: str) -> None:
        """None stands by where the system has no room for a process: that is no reason not to begin."""
        self._one: Waiting | None = None
        try:
            self._one = begin(module)
        except OSError as err:
            log.warning("no process stands by; it is started when it is needed", why=str(err))

    def take(self) -> Waiting | None:
        """It, if it lives; None: it was taken, or is gone."""
        one, self._one = self._one, None
        if one is None or one.child.poll() is None:
            return one
        one.end()
        return None

    def close(self) -> None:
        """End it, if nobody took it."""
        one = self.take()
        if one is not None:
            one.end()


def begin(module: str) -> Waiting:
    """Start `python -m module FD` with one end of a socket pair as FD."""
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as unless_begun, theirs:
        unless_begun.callback(ours.close)
        child = subprocess.Popen(  # noqa: S603 - this very program, and a number
            [sys.executable, "-m", module, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={"MALLOC_ARENA_MAX": str(ARENAS), **os.environ},
            process_group=0,  # a Ctrl-C is for the main process, which stops its cameras in order
        )
        unless_begun.pop_all()
    return Waiting(child, ours)


def start(
    module: str,
    handle: Callable[[Asked], None],
    gone: Callable[[], None],
    *,
    name: str,
    keep: Sequence[int] = (),
    standby: Standby | None = None,
) -> ChildProcess:
    """Start a process, or take the one that stands by (of the same module), and hand it what it is to hold.

    Args:
        module: what it runs.
        handle: of its channel.
        gone: likewise.
        name: likewise.
        keep: descriptors that it holds too, `DESCRIPTORS_LIMIT` at most.
        standby: what was started already, if anything was.
    """
    assert len(keep) <= DESCRIPTORS_LIMIT, "the kernel would leave out what is more, without a word"
    waiting = (standby.take() if standby is not None else None) or begin(module)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended: the channel finds that out
        socket.send_fds(waiting.ours, [_GO], keep)
    channel = Channel(waiting.ours, handle, gone, name=name)
    channel.start()
    return ChildProcess(waiting.child, channel)


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
