"""One measurement: a recorder, so many cameras, one way of arriving.

In order:

1. The cameras, then the recorder, start; the recorder has `start_limit_s` to be recording every camera.
2. It settles: `SETTLE_S`, and as long as it takes for the window to end behind the first cut of every camera.
3. The window: processor time of the recorder's process tree and of the cameras at its beginning and end. With a window
   of one segment's length, each camera's segment ends once in it.
4. Memory of the tree, at the window's end.
5. The cameras stop behind a whole frame. Once nothing is unread in any socket, the recorder is stopped as its
   operator stops it, and what it has stored is counted. What was sent and is not stored is lost.

Starting up is in none of the figures; nor is stopping.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Memory, cpu_s, memory, unread_bytes
from bench.recorders import Recorder, RecorderFailed
from bench.site import Sent, Site

SETTLE_S = 8.0
"""After the last camera has begun to play: starting has ended, buffers have found their size."""

IDLE_SETTLE_S = 20.0
"""A recorder that has just been started is not idle yet."""

CUT_S = 4.0
"""A segment ends with the first key frame (one every two seconds) past its length."""

START_LEAST_S, START_EACH_S = 30.0, 1.0
"""How long starting may take, altogether and for each camera: three hundred ffmpeg on two cores need minutes."""

DRAIN_S = 1.0
"""So long nothing must be unread before the recorder is stopped: its own queues empty meanwhile."""

DRAIN_LIMIT_S = 20.0
"""A recorder that has not read what it was sent by then has lost it."""

LATE_LIMIT_US = 1_000_000
"""Cameras that are later than this have fallen behind, and send less than they should: nothing was measured then."""

ASK_S = 0.25


class MachineTooSmall(Exception):
    """The machine cannot carry recorder and cameras together."""


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    cameras: int
    mode: str
    window_s: float
    segment_s: float
    folder: Path
    """For files; emptied afterwards."""

    @property
    def settle_s(self) -> float:
        """From the last camera's beginning to the window's."""
        return max(SETTLE_S, self.segment_s + CUT_S - self.window_s)


@dataclass(frozen=True)
class Measured:
    """What came out."""

    recorder: str
    cameras: int
    mode: str
    cpu: float
    """Cores used, of the recorder: 1 is one core all the time."""
    memory: Memory
    sessions: int
    sent: int
    dropped: int
    """Frames that were due, and that the recorder's socket did not take."""
    stored: int
    commits_us: tuple[int, ...]
    cameras_cpu: float
    """Cores used by the simulated cameras."""
    late_us: int
    """The latest that anything was sent within the window."""

    @property
    def lost(self) -> int:
        """Frames that were due while a camera played, and are not stored."""
        return self.sent + self.dropped - self.stored


@dataclass(frozen=True)
class Idle:
    """A recorder that has no cameras."""

    recorder: str
    cpu: float
    memory: Memory


def measure(kind: type[Recorder], plan: Plan) -> Measured:
    """Do it.

    Raises:
        RecorderFailed: it did not record all cameras, or did not end.
        MachineTooSmall: the simulated cameras could not keep their times beside it.
    """
    recorder = kind(plan.folder / "recorded", plan.segment_s)
    try:
        with Site(plan.cameras, plan.mode) as site:
            recorder.start(site.urls)
            _await_all(recorder, site, plan.cameras)
            _rest(recorder, plan.settle_s)
            cpu, cameras_cpu, late_us = _window(recorder, site, plan.window_s)
            if late_us > LATE_LIMIT_US:
                raise MachineTooSmall(f"The cameras were up to {late_us / 1e6:.1f} s late beside it.")
            used = memory(recorder.pids)
            sent = site.stop()
            _drain(site)
            recorder.stop()
        return Measured(
            recorder=kind.name,
            cameras=plan.cameras,
            mode=plan.mode,
            cpu=cpu,
            memory=used,
            sessions=sent.sessions,
            sent=sent.frames,
            dropped=sent.dropped,
            stored=recorder.frames(),
            commits_us=tuple(recorder.commits_us()),
            cameras_cpu=cameras_cpu,
            late_us=late_us,
        )
    finally:
        recorder.end()
        shutil.rmtree(plan.folder, ignore_errors=True)


def measure_idle(kind: type[Recorder], plan: Plan) -> Idle:
    """The same recorder without cameras.

    Raises:
        RecorderFailed: it ended by itself.
    """
    recorder = kind(plan.folder / "recorded", plan.segment_s)
    try:
        with Site(1, plan.mode) as site:  # nobody's; yet there, because it shares Python's own pages with others
            recorder.start([])
            _rest(recorder, IDLE_SETTLE_S)
            cpu, _, _ = _window(recorder, site, plan.window_s)
            return Idle(kind.name, cpu, memory(recorder.pids))
    finally:
        recorder.end()
        shutil.rmtree(plan.folder, ignore_errors=True)


def start_limit_s(cameras: int) -> float:
    """How long a recorder may take until it records so many cameras."""
    return START_LEAST_S + START_EACH_S * cameras


def _await_all(recorder: Recorder, site: Site, cameras: int) -> None:
    playing = 0

    def all_play() -> bool:
        nonlocal playing
        recorder.check()
        playing = site.status().playing
        return playing == cameras

    if not _until(all_play, start_limit_s(cameras)):
        raise RecorderFailed(f"After {start_limit_s(cameras):.0f} s it records {playing} of {cameras} cameras.")


def _window(recorder: Recorder, site: Site, window_s: float) -> tuple[float, float, int]:
    """Cores used by the recorder and by the cameras; how late these were."""
    sent: Sent = site.status()
    began_s, before_s = time.monotonic(), cpu_s(recorder.pids)
    _rest(recorder, window_s)
    used_s, took_s = cpu_s(recorder.pids) - before_s, time.monotonic() - began_s
    after = site.status()
    return used_s / took_s, (after.cpu_s - sent.cpu_s) / took_s, after.late_us


def _rest(recorder: Recorder, seconds: float) -> None:
    time.sleep(seconds)
    recorder.check()


def _drain(site: Site) -> None:
    _until(lambda: unread_bytes(site.port) == 0, DRAIN_LIMIT_S)
    time.sleep(DRAIN_S)


def _until(done: Callable[[], bool], limit_s: float) -> bool:
    ends_s = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > ends_s:
            return False
        time.sleep(ASK_S)
    return True
