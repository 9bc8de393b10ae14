"""What runs while the box runs, in which order it starts and stops, and what happens when a part of it fails.

Promises:

- Every task is owned: when the box stops, nothing of it goes on.
- A duty (beat, sync, sweep, …) that fails is written down, and tried again at its period; it never ends the
  box, and never another duty.
- What records begins before what answers is made: a signal in between stops the box in the same order.
- Only the way in, the HTTP server, ends the box when it ends: a box that nobody can ask would be a black one.
- On SIGTERM or SIGINT: first the cameras are stopped and their segments sealed, then duties, then the server.

Left to others: what the duties do (`appliance.wiring` puts them together), and what their outcomes mean to people
(`appliance.health`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
import uvicorn

from appliance.health.outcomes import Outcomes
from appliance.patience import ImpatientProtocol
from config.clock import STEP_LIMIT_US, Clock, Reading, step_us
from config.errors import CustosError, ExitCode

SERVER_STOP_S: Final = 3
"""How long answers under way may take once the box stops; a download that takes longer is cut and can be resumed."""

DATE_S: Final = 1.0
"""The date of answers is in whole seconds (RFC 9110, 6.6.1)."""

BACKLOG: Final = 128
"""Connections that may wait to be accepted; a console opens a handful."""

COMPANION_RETRY_S: Final = 5.0
"""How long a failed companion (the demonstration camera) rests before it is started again."""

FIRST_S: Final = 2.0
"""So long all else waits, at the start, for what nothing is recorded without."""

BUG: Final = "bug"
"""The code of a failure that no error class names."""

log = structlog.get_logger("custos.supervisor")


VITAL_LATE_S: Final = 45.0
"""A vital duty that has not come to its end for so long past its period hangs: none of them waits for the network, and
what they wait for otherwise has limits of its own below this."""


class AddressNotFree(CustosError):
    """The box cannot listen on its address: another program uses the port, or the host is not of this machine."""

    code = "address_not_free"
    exit_code = ExitCode.CONFIG


class DutyHangs(CustosError):
    """A part of the box without which nothing is recorded has not come to its end for too long."""

    code = "duty_hangs"


class Wake:
    """A call from any thread that something is due now. Calls that come before the first is answered count as one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(self) -> None:
        """Something is due. Never lost: called before anybody waits, it ends the next wait at once."""
        if self._loop is None:
            self._event.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout_s: float) -> None:
        """Return once called, or after `timeout_s` seconds."""
        self._loop = asyncio.get_running_loop()
        await _wait(self._event, timeout_s)
        self._event.clear()


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    """Until it is set, or for so long.

    Not by `asyncio.wait_for`: before Python 3.12 that forgets a cancellation that comes together with the event
    (cpython issue 86296), and a duty that was called just as the box stopped went on for ever, and with it the box.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


@dataclass(frozen=True)
class Duty:
    """Something that is done again and again for as long as the box runs. The job blocks, and has its own thread."""

    name: str
    job: Callable[[], None]
    period_s: Callable[[], float]
    """Asked after each time: how long until the next."""
    wake: Wake | None = None
    is_vital: bool = False
    """Nothing is recorded for long without it."""


@dataclass(frozen=True)
class Companion:
    """Something that runs for as long as the box runs, and is started again when it ends."""

    name: str
    run: Callable[[], Awaitable[None]]


class Pulse:
    """When each vital duty last came to its end, well or not; by monotonic time. Thread-safe: one entry, one writer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_us: dict[str, int] = {}

    def beat(self, name: str, period_s: float) -> None:
        """It has ended just now, and is due again after that."""
        self._due_us[name] = self._clock.read().mono_us + round(period_s * 1e6)

    def must_beat(self) -> None:
        """Each of them is in time.

        Raises:
            DutyHangs: with the names of those that are not.
        """
        limit_us = self._clock.read().mono_us - round(VITAL_LATE_S * 1e6)
        late = sorted(name for name, due_us in self._due_us.items() if due_us < limit_us)
        if late:
            raise DutyHangs(f"{DutyHangs.sentence()} ({', '.join(late)})")


class ClockWatch:
    """Notices when somebody sets the wall clock, by comparing it with the monotonic one.

    Args:
        clock: what is watched.
        stepped: told both readings when they differ by more than `STEP_LIMIT_US`.
    """

    def __init__(self, clock: Clock, stepped: Callable[[Reading, Reading], None]) -> None:
        self._clock = clock
        self._stepped = stepped
        self._before = clock.read()

    def look(self) -> None:
        """Compare with the last look. The step counts as told only once `stepped` has returned."""
        now = self._clock.read()
        if abs(step_us(self._before, now)) > STEP_LIMIT_US:
            self._stepped(self._before, now)
        self._before = now


@dataclass(frozen=True)
class Parts:
    """Everything the supervisor runs."""

    duties: Sequence[Duty]
    companions: Sequence[Companion]
    app: Callable[[], Any]
    """Makes the ASGI application; called once, in a thread, when all else runs already."""
    listener: socket.socket
    listening: Callable[[], None]
    """Called once the server answers."""
    stop_recording: Callable[[], None]
    """Seals what is open; blocks, at most for seconds."""
    outcomes: Outcomes
    clock: Clock
    connections: int | None = None
    """At the same time; None: as many as come."""
    stopping: Callable[[], None] = lambda: None
    """Called at once when the box is to stop, before anything is."""
    pulse: Pulse | None = None
    """Where vital duties say that they came to their end."""


def listen(host: str, port: int, *, port_name: str = "[http] port", host_name: str = "[http] host") -> socket.socket:
    """Take the address, before anything else is begun: port 0 lets the operating system choose.

    The names are those of the settings that people have to change where it cannot be had.

    Raises:
        AddressNotFree: it cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as err:
        why = {
            errno.EADDRINUSE: f"another program, maybe another box, listens there: choose another {port_name}",
            errno.EACCES: f"ports below 1024 are for the system: choose a higher {port_name}",
            errno.EADDRNOTAVAIL: f"this machine has no such address: choose another {host_name}",
        }.get(err.errno or 0, f"{err.strerror or 'no such address'}: choose another {host_name} or port")
        raise AddressNotFree(f"The box cannot listen on {host} port {port}: {why}.") from err


async def supervise(parts: Parts, stop: asyncio.Event) -> None:
    """Run the parts until `stop` is set or a signal comes, then stop it in order."""
    end, first = asyncio.Event(), _First(sum(duty.is_vital for duty in parts.duties))
    with _signals(stop):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_keep(duty, parts, first), name=duty.name) for duty in parts.duties]
            tasks += [group.create_task(_accompany(one, parts), name=one.name) for one in parts.companions]
            serving = group.create_task(_serve(parts, stop, end, first), name="http")
            await stop.wait()
            log.info("stopping")
            parts.stopping()
            await asyncio.to_thread(parts.stop_recording)
            for task in tasks:
                task.cancel()
            end.set()
            await serving


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the box decides what stops first."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None], end: asyncio.Event) -> None:
        """`end`: set to have it end, once what is being answered is."""
        super().__init__(config)
        self._on_started = on_started
        self._told = end

    async def main_loop(self) -> None:
        """Wait to be told to end. Uvicorn itself looks ten times a second, which is most of what an idle box does."""
        while not self._told.is_set() and not await self.on_tick(0):  # renews the date of answers
            await _wait(self._told, DATE_S)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


class _First:
    """What nothing is recorded without goes first: a start has so much to do that each would slow down all others."""

    def __init__(self, duties: int) -> None:
        self._left = duties
        self._is_done = asyncio.Event()
        self.done(0)

    def done(self, duties: int = 1) -> None:
        """So many of them have come to their end, well or not."""
        self._left -= duties
        if self._left <= 0:
            self._is_done.set()

    async def wait(self) -> None:
        """Until all have, or for `FIRST_S`."""
        await _wait(self._is_done, FIRST_S)


async def _serve(parts: Parts, stop: asyncio.Event, end: asyncio.Event, first: _First) -> None:
    """Answer until told to end; should the server ever end by itself, the box stops in order."""
    try:
        await first.wait()
        config = uvicorn.Config(
            await asyncio.to_thread(parts.app),
            http=ImpatientProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who asks is who is connected; whoever is on this machine could else name anybody
            server_header=False,
            timeout_graceful_shutdown=SERVER_STOP_S,
            limit_concurrency=parts.connections,
        )
        if not stop.is_set():
            await _Server(config, parts.listening, end).serve(sockets=[parts.listener])
    finally:
        stop.set()


async def _keep(duty: Duty, parts: Parts, first: _First) -> None:
    if not duty.is_vital:
        await first.wait()
    wake = duty.wake or Wake()
    pulse = parts.pulse if duty.is_vital else None
    if pulse is not None:
        pulse.beat(duty.name, 0.0)
    while True:
        begun = parts.clock.read()
        try:
            await asyncio.to_thread(duty.job)
        except CustosError as err:
            _failed(duty.name, parts, err.code, str(err))
        except Exception as err:  # the top of a supervised task: nothing may end the others
            if parts.outcomes.failed(duty.name, parts.clock.read().utc_us, BUG, _bug(err)):
                log.exception("duty failed by a fault in Custos", duty=duty.name)
        else:
            now = parts.clock.read()
            parts.outcomes.succeeded(duty.name, now.utc_us, (now.mono_us - begun.mono_us) / 1e6)
        period_s = duty.period_s()
        if pulse is not None:
            pulse.beat(duty.name, period_s)
        first.done(int(duty.is_vital))
        await wake.wait(period_s)


async def _accompany(companion: Companion, parts: Parts) -> None:
    while True:
        try:
            await companion.run()
        except Exception as err:  # the top of a supervised task: nothing may end the others
            if parts.outcomes.failed(companion.name, parts.clock.read().utc_us, BUG, _bug(err)):
                log.exception("companion failed by a fault in Custos", companion=companion.name)
        await asyncio.sleep(COMPANION_RETRY_S)


def _bug(err: Exception) -> str:
    return f"a fault in Custos itself ({type(err).__name__}); the log has the details."


def _failed(name: str, parts: Parts, code: str, text: str) -> None:
    """Written down each time, into the log once per kind: a disk that stays full would fill it with lines."""
    if parts.outcomes.failed(name, parts.clock.read().utc_us, code, text):
        log.warning("duty failed", duty=name, code=code, why=text)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT stop the box; a second SIGINT changes nothing: sealing takes seconds at most."""
    loop = asyncio.get_running_loop()
    kinds = (signal.SIGTERM, signal.SIGINT)
    for kind in kinds:
        loop.add_signal_handler(kind, stop.set)
    try:
        yield
    finally:
        for kind in kinds:
            loop.remove_signal_handler(kind)
