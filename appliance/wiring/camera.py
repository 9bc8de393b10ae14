"""The demonstration camera as part of a box: when it is there, how it is registered, and where its films are played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from config.clock import Clock
from recorder.store.records import Camera

if TYPE_CHECKING:
    from appliance.demo import DemoServer

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
        self._zone, self._clock, self._tell_ready = zone, clock, ready
        self._server: DemoServer | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await asyncio.to_thread(self._made_server)

        def ready() -> None:
            self._server = server
            self._tell_ready()

        try:
            await server.run(ready)
        finally:
            self._server = None

    def _made_server(self) -> DemoServer:
        """It draws with what takes long to import, and few boxes need it."""
        from appliance.demo import ClockFilm, DemoServer

        return DemoServer({DEMO_ID: ClockFilm(self._zone)}, self._clock)

    def url(self) -> str | None:
        """Where to record it from; None: it does not serve yet."""
        return None if self._server is None else self._server.url(DEMO_ID)
