"""Processes that work for the main one: each speaks by one Unix socket, and ends at once when the main one is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

from appliance.wiring.heap import ARENAS
from recorder.capture.channel import Asked, Channel

END_S: Final = 3.0
"""How long a killed process may take to be gone."""


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


def start(
    module: str,
    handle: Callable[[Asked], None],
    gone: Callable[[], None],
    *,
    name: str,
    keep: Sequence[int] = (),
) -> ChildProcess:
    """Start `python -m module FD` with one end of a socket pair as FD; `keep` are descriptors that it holds too."""
    ours, theirs = socket.socketpair()
    child = subprocess.Popen(  # noqa: S603 - this very program, and a number
        [sys.executable, "-m", module, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno(), *keep],
        env={"MALLOC_ARENA_MAX": str(ARENAS), **os.environ},
        process_group=0,  # a Ctrl-C is for the main process, which stops its cameras in order
    )
    theirs.close()
    channel = Channel(ours, handle, gone, name=name)
    channel.start()
    return ChildProcess(child, channel)


def wait_for_orders() -> None:
    """In a child: the main process says when to stop, whatever signals a terminal or service manager sends to all."""
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)


def orphaned() -> None:
    """In a child: the main process is gone. End at once, from whichever thread notices, whatever the others do."""
    os._exit(0)
