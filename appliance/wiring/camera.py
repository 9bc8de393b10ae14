"""The demonstration camera as part of a box: when it is there, how it is registered, and where its films are played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from appliance.demo import ClockFilm, DemoServer
from config.clock import Clock
from recorder.store.records import Camera

DEMO_ID: Final = "demo"
DEMO_NAME: Final = "Demonstration 演示"
DEMO_URL: Final = "rtsp://127.0.0.1/demo"
"""What the registry says. The port is chosen anew at each start, and is no change that belongs into the log."""


def is_demo(camera: Camera) -> bool:
    """Whether this is the demonstration camera: somebody may have called a real one `demo`."""
    return camera.id == DEMO_ID and camera.url == DEMO_URL


def demo_is_due(cameras: Sequence[Camera], asked: bool) -> bool:
    """Whether the demonstration camera must be registered now.

    It is when somebody asks for it, and in a box that never had a camera, so that a newcomer sees something. Once
    registered it stays until it is retired, and a retired one does not come back: ids are never used twice.
    """
    if any(camera.id == DEMO_ID for camera in cameras):
        return False
    return asked or not cameras


class DemoCamera:
    """The server, and where it plays once it does.

    Args:
        zone: whose local time is burnt in.
        clock: whose time is shown.
        ready: called when it can be recorded.
    """

    def __init__(self, zone: ZoneInfo, clock: Clock, ready: Callable[[], None]) -> None:
        self._tell_ready = ready
        self._server = DemoServer({DEMO_ID: ClockFilm(zone)}, clock)
        self._is_ready = False

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            await self._server.run(self._ready)
        finally:
            self._is_ready = False

    def url(self) -> str | None:
        """Where to record it from; None: it does not serve yet."""
        return self._server.url(DEMO_ID) if self._is_ready else None

    def _ready(self) -> None:
        self._is_ready = True
        self._tell_ready()
