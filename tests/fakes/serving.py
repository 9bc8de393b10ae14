"""A real HTTP server on a free port of this machine, in a thread, for as long as one asks it: before an application, or
before whatever a fake does with each request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import uvicorn
from starlette.types import ASGIApp

from appliance.supervisor import listen

START_S = 20.0


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Its URL."""
    with listen("127.0.0.1", 0) as listener:
        server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert server.is_up.wait(START_S)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_S)
            assert not thread.is_alive()


class Quiet(BaseHTTPRequestHandler):
    """Answers, and says nothing of it."""

    def log_message(self, *words: object) -> None:
        """Not into the output of the tests."""


@contextmanager
def answering(handler: type[Quiet], over: threading.Event | None = None) -> Iterator[str]:
    """The URL of a server whose requests are handled so; `over` is set at its end, for a handler that waits."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        if over is not None:
            over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
