"""A connection without a request ends; nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from appliance.patience import REQUEST_S, ImpatientProtocol

REQUEST = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


class Timer:
    def __init__(self, then: Callable[[], None]) -> None:
        self.then = then
        self.is_off = False

    def cancel(self) -> None:
        self.is_off = True


class Task:
    """One that never runs."""

    def add_done_callback(self, then: object) -> None:
        pass


class Loop:
    """Timers are kept, and go off when the test says so; tasks are never run."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Timer]] = []

    def call_later(self, delay_s: float, then: Callable[[], None]) -> Timer:
        self.timers.append((delay_s, Timer(then)))
        return self.timers[-1][1]

    def create_task(self, running: Any, **_: object) -> Task:
        running.close()
        return Task()

    def pass_time(self) -> None:
        for _, timer in list(self.timers):
            if not timer.is_off:
                timer.is_off = True
                timer.then()


class Transport:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        pass

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass


async def answer(scope: object, receive: object, send: object) -> None:
    """Never run."""


def connected() -> tuple[ImpatientProtocol, Loop, Transport]:
    loop, transport = Loop(), Transport()
    config = uvicorn.Config(answer, lifespan="off", log_config=None)
    made = ImpatientProtocol(config, ServerState(), {}, cast("asyncio.AbstractEventLoop", loop))
    made.connection_made(cast("asyncio.Transport", transport))
    return made, loop, transport


def test_nobody_asks() -> None:
    """The connection ends after a while."""
    _, loop, transport = connected()
    assert [delay_s for delay_s, _ in loop.timers] == [REQUEST_S]
    loop.pass_time()

    assert transport.aborted


def test_a_request_does_not_end() -> None:
    """A head without its end, or a body without its rest: neither is waited for for longer than for a whole one."""
    for count in (20, len(REQUEST) - 1):
        made, loop, transport = connected()
        made.data_received(REQUEST[:count])
        loop.pass_time()

        assert transport.aborted
        assert len(loop.timers) == 1


def test_a_request_is_whole() -> None:
    """However long its answer takes; the next one on that connection has its own time."""
    made, loop, transport = connected()
    made.data_received(REQUEST)
    loop.pass_time()
    assert not transport.aborted

    made.data_received(REQUEST[:20])
    loop.pass_time()
    assert transport.aborted


def test_nothing_but_line_breaks_come() -> None:
    """Behind a request that was answered they begin none, and keep no connection open."""
    made, loop, transport = connected()
    made.data_received(REQUEST)
    made.cycle.response_complete = True
    made.data_received(b"\r\n")
    loop.pass_time()

    assert transport.aborted


def test_a_next_request_waits_for_an_answer() -> None:
    """It came with the one before, and is not read to its end before that is answered: nothing is cut off."""
    made, loop, transport = connected()
    made.data_received(REQUEST + REQUEST[:-2])
    loop.pass_time()

    assert not transport.aborted


def test_it_is_over_before() -> None:
    """Then nothing waits for it any more."""
    made, loop, transport = connected()
    made.connection_lost(None)
    loop.pass_time()

    assert not transport.aborted
