"""Any number of simulated cameras in one process, cheap enough to run beside what is measured.

    python -m bench.camera --cameras N --mode bursts|frames

Camera K plays ``rtsp://127.0.0.1:PORT/K`` over TCP: the same bytes as every other, at a phase of its own, from a key
frame on. All that will ever be sent is laid out beforehand: the loop sleeps until something is due, and hands it to
the kernel, one call a burst and client. It never waits for a client: what a slow one does not take is kept up to
`BACKLOG_LIMIT_BYTES`, and frames beyond that are left out for it, and counted.

Commands come as lines on standard input, and are answered by a line of JSON each:

    status    what was sent so far, what this process cost, how late it was since the last time
    stop      end every stream behind a whole frame; answered once all is in the kernel's hands
    quit      end (so does the end of the input)
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import select
import socket
import sys
import time
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

import numpy as np

from appliance.demo.rtsp import Command, Conversation, HangUp, Pause, Play, Reply
from bench.film import BURST_PACKETS, FIRST, KEY, LAST, Film, Scene, Train, film_of

HOST = "127.0.0.1"

MODES: dict[str, int | None] = {"bursts": BURST_PACKETS, "frames": None}
"""How frames arrive: as a network delivers them, or whole; with the packets of a burst."""

TICK_US = 500
"""At most two thousand wake-ups a second: what falls due between two of them is sent together, yet no two cameras'
frames begin together for that."""

CONTROL_US = 5000
"""How often requests, commands and backlogs are looked at."""

BACKLOG_LIMIT_BYTES = 1024 * 1024
"""Two seconds of a camera: who is that far behind loses frames."""

STOP_LIMIT_US = 10_000_000
"""So long a stopped stream may take to get rid of its backlog."""

PRIORITY = -10
"""Where it is allowed: a camera that is kept from sending would make the recorder's work lighter than it is."""

LISTEN_BACKLOG = 512
READ_BYTES = 65_536
GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, lie apart however many there are."""


class State(Enum):
    """Of a viewer."""

    TALKING = auto()
    WAITING = auto()
    """For a key frame."""
    PLAYING = auto()
    STOPPED = auto()


class Viewer:
    """One connection, and what was sent to it."""

    def __init__(self, connection: socket.socket, conversation: Conversation) -> None:
        self.socket = connection
        self.conversation = conversation
        self.state = State.TALKING
        self.path = -1
        self.frames = 0
        """Wholly handed to the kernel."""
        self.dropped = 0
        self.first_us = 0
        self.last_us = 0
        self._backlog: deque[tuple[memoryview, bool]] = deque()
        self._backlog_bytes = 0
        self._skips = False

    @property
    def is_behind(self) -> bool:
        """Something waits to be sent."""
        return bool(self._backlog)

    def show(self, burst: memoryview, role: int, now_us: int, stopping: bool) -> None:
        """Send a burst, if it is this viewer's turn.

        Raises:
            OSError: the connection is gone.
        """
        if role & FIRST and not self._begins(role, now_us, stopping):
            return
        if self._skips or self.state is not State.PLAYING:
            return
        sent = 0
        if not self._backlog:
            try:
                sent = self.socket.send(burst)
            except BlockingIOError:
                sent = 0
        if sent < len(burst):
            self._keep(burst[sent:], bool(role & LAST))
        elif role & LAST:
            self._has_sent(now_us)

    def say(self, data: bytes) -> None:
        """Send an answer, behind whatever waits.

        Raises:
            OSError: the connection is gone.
        """
        self._keep(memoryview(data), False)
        self.flush(0)

    def flush(self, now_us: int) -> None:
        """Send what waits, as far as it is taken.

        Raises:
            OSError: the connection is gone.
        """
        while self._backlog:
            data, ends_frame = self._backlog[0]
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                return
            self._backlog_bytes -= sent
            if sent < len(data):
                self._backlog[0] = data[sent:], ends_frame
                return
            self._backlog.popleft()
            if ends_frame:
                self._has_sent(now_us)

    def _begins(self, role: int, now_us: int, stopping: bool) -> bool:
        """A frame begins: whether it is sent."""
        if stopping:
            self.state = State.STOPPED
        elif self.state is State.WAITING and role & KEY:
            self.state = State.PLAYING
            self.first_us = now_us
        if self.state is not State.PLAYING:
            return False
        self._skips = self._backlog_bytes > BACKLOG_LIMIT_BYTES
        self.dropped += self._skips
        return not self._skips

    def _keep(self, data: memoryview, ends_frame: bool) -> None:
        self._backlog.append((data, ends_frame))
        self._backlog_bytes += len(data)

    def _has_sent(self, now_us: int) -> None:
        self.frames += 1
        self.last_us = now_us


class Schedule:
    """What is due when, for all cameras together, turn after turn."""

    def __init__(self, train: Train, cameras: int) -> None:
        self._train = train
        begins_us = np.array([one.at_us for one in train.bursts])[None, :] + phases_us(cameras, train.gop_us)[:, None]
        of_camera, of_burst = (one.ravel() for one in np.indices(begins_us.shape))
        turns, at_us = np.divmod(begins_us.ravel(), train.turn_us)
        order = np.argsort(at_us, kind="stable")
        # Arrays, not lists: half a million numbers lie side by side, and are read in order.
        self._at_us = array("q", at_us[order].astype(np.int64).tobytes())
        self._cameras = array("i", of_camera[order].astype(np.int32).tobytes())
        # A camera whose phase carries a burst over the end of the turn shows what is left of its turn before.
        self._bursts = array("i", (of_burst + len(train.bursts) * turns)[order].astype(np.int32).tobytes())
        self._roles = [one.role for one in train.bursts] * 2
        self._count = 0
        self._turn_began_us = 0
        self._next = 0
        self._data = self._cut(0)
        self._turn()

    def _cut(self, count: int) -> list[memoryview]:
        data = self._train.turn(count)
        return [data[one.begin : one.end] for one in self._train.bursts]

    def _turn(self) -> None:
        """Bursts of this turn stand first, those of the turn before behind them."""
        before = self._data[: len(self._train.bursts)]
        self._count += 1
        self._data = self._cut(self._count) + before

    @property
    def due_us(self) -> int:
        """When the next burst is due."""
        return self._turn_began_us + self._at_us[self._next]

    def send(self, now_us: int, show: Callable[[int, memoryview, int], None]) -> None:
        """Show what is due by now, or by the end of this turn: whose it is, its bytes, its role."""
        begin = self._next
        end = bisect_right(self._at_us, now_us - self._turn_began_us, begin)
        data, roles = self._data, self._roles
        for camera, burst in zip(self._cameras[begin:end], self._bursts[begin:end], strict=True):
            show(camera, data[burst], roles[burst])
        self._next = end
        if end == len(self._at_us):
            self._next = 0
            self._turn_began_us += self._train.turn_us
            self._turn()


def phases_us(cameras: int, gop_us: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How much later than the first each camera is: key frames spread over a whole group of pictures."""
    return (np.arange(cameras) * GOLDEN % 1 * gop_us).astype(np.int64)


class Cameras:
    """The loop."""

    def __init__(
        self, film: Film, cameras: int, mode: str, commands: int, answers: int, *, waits: bool = False
    ) -> None:
        """The cameras, of which none has a viewer.

        Args:
            film: what they play.
            cameras: so many.
            mode: one of `MODES`.
            commands: a file descriptor.
            answers: likewise.
            waits: their time begins when the first of them is asked to play: one camera alone then answers with a key
                picture at once, as many do.
        """
        self._schedule = Schedule(Train(film, MODES[mode]), cameras)
        self._films = {str(one): film.media_lines for one in range(cameras)}
        self._commands, self._answers = commands, answers
        self._typed = b""
        self._listener = socket.create_server((HOST, 0), backlog=LISTEN_BACKLOG)
        self._listener.setblocking(False)
        self._viewers: dict[int, Viewer] = {}
        self._watching: list[list[Viewer]] = [[] for _ in range(cameras)]
        self._gone: list[Viewer] = []
        self._stopping = False
        self._stop_answer_us: int | None = None
        self._quits = False
        self._waits = waits
        self._late_us = 0
        self._began_ns = time.monotonic_ns()
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(commands, select.EPOLLIN)

    @property
    def port(self) -> int:
        """Where the cameras are reached."""
        return int(self._listener.getsockname()[1])

    def run(self) -> None:
        """Until told to quit."""
        self._answer({"port": self.port})
        gc.disable()  # a collection would be a pause for every camera at once, and there is nothing to collect
        control_us = 0
        self._wait_to_be_asked()
        while not self._quits:
            now_us = self._now_us()
            if now_us >= control_us:
                control_us = now_us + CONTROL_US
                self._control(now_us)
            self._send_due(now_us)
            tick_us = -(-self._schedule.due_us // TICK_US) * TICK_US
            rest_us = min(tick_us, control_us) - self._now_us()
            if rest_us > 0:
                time.sleep(rest_us / 1e6)
        self._listener.close()
        for viewer in tuple(self._viewers.values()):
            self._hang_up(viewer)

    def _wait_to_be_asked(self) -> None:
        """Where that was told: only then does the time of the film begin. It looks as often as bursts may be due."""
        while self._waits and not self._quits and not any(self._watching):
            self._control(self._now_us())
            time.sleep(TICK_US / 1e6)
        self._began_ns = time.monotonic_ns()

    def _now_us(self) -> int:
        return (time.monotonic_ns() - self._began_ns) // 1000

    def _send_due(self, now_us: int) -> None:
        watching, stopping = self._watching, self._stopping

        def show(camera: int, burst: memoryview, role: int) -> None:
            for viewer in watching[camera]:
                try:
                    viewer.show(burst, role, now_us, stopping)
                except OSError:
                    self._hang_up(viewer)
                    return  # the list has changed; whoever else watches this camera gets the next burst

        due_us = self._schedule.due_us
        self._late_us = max(self._late_us, now_us - due_us)
        # Never more than lies between two looks at requests: who has fallen behind must still answer.
        self._schedule.send(min(now_us, due_us + CONTROL_US), show)

    # -- everything that is not media

    def _control(self, now_us: int) -> None:
        for fd, _ in self._poll.poll(0):
            if fd == self._listener.fileno():
                self._accept()
            elif fd == self._commands:
                self._obey(now_us)
            else:
                self._hear(self._viewers[fd])
        for viewer in tuple(self._viewers.values()):
            if viewer.is_behind:
                try:
                    viewer.flush(now_us)
                except OSError:
                    self._hang_up(viewer)
        if self._stop_answer_us is not None and (self._is_silent() or now_us > self._stop_answer_us):
            self._stop_answer_us = None
            self._answer(self._status())

    def _is_silent(self) -> bool:
        return not any(one.state is State.PLAYING or one.is_behind for one in self._viewers.values())

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = f"{len(self._viewers) + len(self._gone):08x}"
            self._viewers[connection.fileno()] = Viewer(connection, Conversation(self._films, session))
            self._poll.register(connection, select.EPOLLIN)

    def _hear(self, viewer: Viewer) -> None:
        try:
            data = viewer.socket.recv(READ_BYTES)
            for command in viewer.conversation.receive(data):
                self._do(viewer, command)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and viewer.socket.fileno() >= 0:
            self._hang_up(viewer)

    def _do(self, viewer: Viewer, command: Command) -> None:
        if isinstance(command, Reply):
            viewer.say(command.data)
        elif isinstance(command, Play) and command.rtp_channel == 0:  # the prebuilt bytes are for no other
            viewer.state = State.WAITING
            viewer.path = int(command.name)
            self._watching[viewer.path].append(viewer)
        elif isinstance(command, Pause):
            self._look_away(viewer)
        elif isinstance(command, Play | HangUp):
            self._hang_up(viewer)

    def _look_away(self, viewer: Viewer) -> None:
        viewer.state = State.STOPPED
        if viewer.path >= 0 and viewer in self._watching[viewer.path]:
            self._watching[viewer.path].remove(viewer)

    def _hang_up(self, viewer: Viewer) -> None:
        self._look_away(viewer)
        if viewer.socket.fileno() >= 0:
            del self._viewers[viewer.socket.fileno()]
            self._gone.append(viewer)
            viewer.socket.close()

    def _obey(self, now_us: int) -> None:
        data = os.read(self._commands, READ_BYTES)
        *lines, self._typed = (self._typed + data).split(b"\n")
        if not data:
            self._quits = True
        for line in lines:
            if line == b"stop":
                self._stopping = True
                self._stop_answer_us = now_us + STOP_LIMIT_US
            elif line == b"quit":
                self._quits = True
            elif line == b"status":
                self._answer(self._status())

    def _status(self) -> dict[str, Any]:
        late_us, self._late_us = self._late_us, 0
        everybody = [*self._gone, *self._viewers.values()]
        return {
            "playing": sum(one.state is State.PLAYING for one in self._viewers.values()),
            "cpu_s": time.process_time(),
            "late_us": late_us,
            "sessions": [_facts(one) for one in everybody if one.path >= 0],
        }

    def _answer(self, facts: dict[str, Any]) -> None:
        data = json.dumps(facts).encode() + b"\n"
        while data:
            data = data[os.write(self._answers, data) :]


def _facts(viewer: Viewer) -> dict[str, int]:
    return {
        "camera": viewer.path,
        "frames": viewer.frames,
        "dropped": viewer.dropped,
        "first_us": viewer.first_us,
        "last_us": viewer.last_us,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to quit."""
    parser = argparse.ArgumentParser(prog="python -m bench.camera", description="Simulated cameras.")
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--mode", choices=MODES, default="bursts")
    parser.add_argument("--waits", action="store_true", help="begin when the first camera is asked to play")
    asked = parser.parse_args(arguments)
    with contextlib.suppress(PermissionError):  # real cameras do not wait for the recorder's processor
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    answers = sys.stdout.fileno()
    Cameras(film_of(Scene()), asked.cameras, asked.mode, sys.stdin.fileno(), answers, waits=asked.waits).run()


if __name__ == "__main__":
    main()
