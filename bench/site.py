"""The simulated cameras as a process of their own, spoken to by lines (`bench.camera`)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.camera import HOST

ROOT = Path(__file__).resolve().parent.parent

QUIT_S = 5.0


@dataclass(frozen=True)
class Sent:
    """What the cameras have done so far."""

    playing: int
    """Sessions that are being sent to."""
    sessions: int
    """That ever were; more than cameras: somebody connected again."""
    frames: int
    """Handed to the kernel whole, by all sessions."""
    dropped: int
    """Left out for clients that did not take them."""
    cpu_s: float
    late_us: int
    """The latest that anything was sent behind its time, since the last time of asking."""


class SiteGone(Exception):
    """The simulated cameras have ended: see what they said above."""

    def __str__(self) -> str:
        """The sentence."""
        return "The simulated cameras have ended: see what they said above."


class Site:
    """Use as a context: the cameras end with it."""

    def __init__(self, cameras: int, mode: str, *, waits: bool = False) -> None:
        self._cameras = cameras
        more = ["--waits"] if waits else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.camera", "--cameras", str(cameras), "--mode", mode, *more],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.port = int(self._heard()["port"])

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(QUIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def urls(self) -> list[str]:
        """Where the cameras are."""
        return [f"rtsp://{HOST}:{self.port}/{number}" for number in range(self._cameras)]

    def status(self) -> Sent:
        """As of now."""
        return self._ask("status")

    def stop(self) -> Sent:
        """End all streams behind a whole frame."""
        return self._ask("stop")

    def _ask(self, command: str) -> Sent:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as err:
            raise SiteGone from err
        said = self._heard()
        sessions = said["sessions"]
        return Sent(
            playing=said["playing"],
            sessions=len(sessions),
            frames=sum(one["frames"] for one in sessions),
            dropped=sum(one["dropped"] for one in sessions),
            cpu_s=said["cpu_s"],
            late_us=said["late_us"],
        )

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SiteGone
        facts: dict[str, Any] = json.loads(line)
        return facts
