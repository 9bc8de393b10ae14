"""An application behind a real HTTP server on a free port of this machine, in a thread, for as long as one asks it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from appliance.supervisor import listen

START_S = 20.0


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Its URL."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        ends_s = time.monotonic() + START_S
        while not server.started and thread.is_alive() and time.monotonic() < ends_s:
            time.sleep(0.01)
        assert server.started
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_S)
            assert not thread.is_alive()
