"""All cameras: wanted set against running set. What is superfluous or has changed is stopped first, then what is
missing is started; at most `CONNECTS_AT_ONCE` connect at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.clock import Clock
from config.times import SECOND_US
from recorder.capture.recording import StreamBook
from recorder.capture.session import Session, SessionStatus
from recorder.capture.source import SourceFactory, WantedCamera
from recorder.causes import Cause

CONNECTS_AT_ONCE = 20
"""Two hundred cameras that connect together time out together."""

STOP_TIMEOUT_S = 5.0
"""For sealing all open segments; what takes longer is finished at the next start."""


@dataclass(frozen=True)
class Plan:
    """What must happen so that what runs is what is wanted."""

    stop: tuple[str, ...]
    start: tuple[WantedCamera, ...]


def plan(wanted: Sequence[WantedCamera], running: Mapping[str, WantedCamera]) -> Plan:
    """Compare: a camera whose settings differ is stopped and started."""
    by_id = {camera.id: camera for camera in wanted}
    stop = tuple(sorted(one for one, camera in running.items() if by_id.get(one) != camera))
    start = tuple(camera for camera in wanted if running.get(camera.id) != camera)
    return Plan(stop, start)


class Fleet:
    """The running sessions. `apply`, `stop` and `snapshot` may be called from any one thread at a time."""

    def __init__(self, book: StreamBook, factory: SourceFactory, clock: Clock, *, segment_s: float) -> None:
        self._book = book
        self._factory = factory
        self._clock = clock
        self._segment_us = round(segment_s * SECOND_US)
        self._connects = threading.Semaphore(CONNECTS_AT_ONCE)
        self._sessions: dict[str, Session] = {}
        self._causes: dict[str, tuple[Cause, str]] = {}

    def apply(self, wanted: Sequence[WantedCamera]) -> Plan:
        """Make what runs equal to what is wanted. A camera stopped here was switched off, or changed, by somebody."""
        running = {one: session.camera for one, session in self._sessions.items()}
        todo = plan(wanted, running)
        changed = {camera.id for camera in todo.start}
        for camera_id in todo.stop:
            detail = "the camera's settings were changed" if camera_id in changed else ""
            self._causes[camera_id] = (Cause.OPERATOR, detail)
        self._end([self._sessions.pop(camera_id) for camera_id in todo.stop])
        for camera in todo.start:
            self._start(camera)
        return todo

    def snapshot(self) -> dict[str, SessionStatus]:
        """Every running camera, as of now."""
        return {camera_id: session.status() for camera_id, session in list(self._sessions.items())}

    def stop(self) -> bool:
        """Stop all cameras, sealing what is open; false when some took longer than `STOP_TIMEOUT_S`."""
        sessions, self._sessions = list(self._sessions.values()), {}
        return self._end(sessions)

    def _start(self, camera: WantedCamera) -> None:
        cause, detail = self._causes.pop(camera.id, (Cause.NO_MEDIA, ""))
        session = Session(
            camera,
            self._book,
            self._factory,
            self._clock,
            segment_us=self._segment_us,
            connects=self._connects,
            cause=cause,
            detail=detail,
        )
        self._sessions[camera.id] = session
        session.start()

    def _end(self, sessions: Sequence[Session]) -> bool:
        for session in sessions:
            session.stop(*self._causes.get(session.camera.id, (Cause.BOX_DOWN, "")))
        deadline = time.monotonic() + STOP_TIMEOUT_S
        ended = [session.join(max(deadline - time.monotonic(), 0.01)) for session in sessions]
        return all(ended)
