"""What the supervisor does when parts fail, and in which order it stops them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from appliance.health.outcomes import Outcomes
from appliance.supervisor import (
    VITAL_LATE_S,
    AddressNotFree,
    ClockWatch,
    Companion,
    Duty,
    DutyHangs,
    Parts,
    Pulse,
    Wake,
    listen,
    supervise,
)
from config.clock import Reading, SystemClock
from recorder.errors import StorageFull
from tests.fakes.clock import FakeClock


async def answer(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """The smallest of web applications."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Box:
    """A set of parts under supervision, writing down what happens to it."""

    def __init__(self, *duties: Duty, companions: tuple[Companion, ...] = ()) -> None:
        self.seen: list[str] = []
        self.stop = asyncio.Event()
        self.up = asyncio.Event()
        self.listener = listen("127.0.0.1", 0)
        self.port: int = self.listener.getsockname()[1]
        self.outcomes = Outcomes()
        self.parts = Parts(
            duties=duties,
            companions=companions,
            app=lambda: answer,
            listener=self.listener,
            listening=self.up.set,
            stop_recording=lambda: self.seen.append("cameras stopped"),
            outcomes=self.outcomes,
            clock=SystemClock(),
        )

    async def run(self) -> None:
        with self.listener:
            await supervise(self.parts, self.stop)


async def ask(port: int, more: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + b"\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def test_duty_fails_again_and_again() -> None:
    """A failing duty is tried at its period and written down; its neighbour and the server do not notice."""
    times = 0
    tried = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail() -> None:
        nonlocal times
        times += 1
        if times == 4:  # the third is written down by then
            loop.call_soon_threadsafe(tried.set)
        raise StorageFull if times < 3 else ZeroDivisionError

    box = Box(Duty("beat", fail, lambda: 0.001), Duty("sync", lambda: None, lambda: 60.0))
    async with asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await box.up.wait()
        await tried.wait()
        assert (await ask(box.port)).endswith(b"ok")
        box.stop.set()
    assert box.outcomes.of("beat").failures >= 3
    assert box.outcomes.of("beat").code in ("bug", "storage_full")
    assert box.outcomes.of("sync").succeeded_us is not None


async def test_what_nothing_is_recorded_without_goes_first() -> None:
    """All else begins once it came to its end, be it by a failure; what answers is made then, too."""
    seen: list[str] = []
    go = threading.Event()

    def cameras() -> None:
        go.wait(30)
        seen.append("cameras")
        raise StorageFull

    swept = threading.Event()

    def sweeps() -> None:
        seen.append("sweep")
        swept.set()

    box = Box(Duty("sweep", sweeps, lambda: 60.0), Duty("cameras", cameras, lambda: 60.0, is_vital=True))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await asyncio.sleep(0)
        go.set()
        await box.up.wait()
        await asyncio.to_thread(swept.wait, 30)
        box.stop.set()
    assert seen == ["cameras", "sweep"]


async def test_a_vital_duty_that_hangs_keeps_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others begin without it, and people are answered: they must get to know that it hangs."""
    monkeypatch.setattr("appliance.supervisor.FIRST_S", 0.001)
    go, swept = threading.Event(), threading.Event()
    hangs = Duty("cameras", lambda: bool(go.wait(30)) or None, lambda: 60.0, is_vital=True)
    box = Box(Duty("sweep", swept.set, lambda: 60.0), hangs)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await box.up.wait()
        await asyncio.to_thread(swept.wait, 30)
        go.set()
        box.stop.set()
    assert box.outcomes.of("sweep").succeeded_us is not None


async def test_a_stop_comes_before_anybody_was_answered() -> None:
    """Duties run while what answers is still being made; a signal then stops the cameras, and nothing is served."""
    made, ran = threading.Event(), threading.Event()
    box = Box(Duty("cameras", ran.set, lambda: 60.0))

    def slowly() -> Any:
        made.wait(30)
        return answer

    box.parts = replace(box.parts, app=slowly)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await asyncio.to_thread(ran.wait, 30)
        os.kill(os.getpid(), signal.SIGTERM)
        await box.stop.wait()
        made.set()
    assert box.seen == ["cameras stopped"]
    assert not box.up.is_set()


async def test_nobody_passes_for_another_address() -> None:
    """Who asks is who is connected, whatever a header says: it goes into the register of who was handed footage."""
    seen: list[str] = []

    async def look(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        seen.append(scope["client"][0])
        await answer(scope, receive, send)

    box = Box()
    box.parts = replace(box.parts, app=lambda: look)
    async with asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await box.up.wait()
        await ask(box.port, b"X-Forwarded-For: 203.0.113.9\r\n")
        box.stop.set()
    assert seen == ["127.0.0.1"]


async def test_a_stop_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is told, and does not have to look: else each stop would take until its next look."""
    monkeypatch.setattr("appliance.supervisor.DATE_S", 3600.0)
    box = Box()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await box.up.wait()
        assert (await ask(box.port)).endswith(b"ok")
        box.stop.set()
    assert box.seen == ["cameras stopped"]


async def test_a_vital_duty_hangs() -> None:
    """Who asks for a sign of life is told which; one that fails, or that nothing hangs on, is alive all the same."""
    clock = FakeClock()
    hangs, both = threading.Event(), threading.Barrier(3)

    def fail() -> None:
        both.wait(10)
        raise StorageFull

    def hang() -> None:
        both.wait(10)
        hangs.wait(10)

    box = Box(
        Duty("capture", hang, lambda: 1.0, is_vital=True),
        Duty("cameras", fail, lambda: 3600.0, is_vital=True),
        Duty("exports", lambda: None, lambda: 1.0),
    )
    failed, ended = asyncio.Event(), asyncio.Event()

    class Telling(Pulse):
        """Says when the one that fails has failed, and the one that hung has come to its end."""

        def beat(self, name: str, period_s: float) -> None:
            super().beat(name, period_s)
            if name == "cameras" and period_s:
                failed.set()
            if hangs.is_set() and name == "capture":
                ended.set()

    pulse = Telling(clock)
    said: list[str] = []
    box.parts = replace(box.parts, pulse=pulse, stopping=lambda: said.append("stopping"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await asyncio.to_thread(both.wait, 10)
        await failed.wait()
        pulse.must_beat()
        clock.advance(VITAL_LATE_S + 1)
        with pytest.raises(DutyHangs, match=r"\(capture\)"):
            pulse.must_beat()
        hangs.set()
        await ended.wait()
        pulse.must_beat()
        box.stop.set()
    assert said == ["stopping"]


async def test_companion_falls() -> None:
    """A companion that falls is written down, and the box goes on without it."""
    fell = asyncio.Event()

    async def fall() -> None:
        fell.set()
        raise ZeroDivisionError

    box = Box(companions=(Companion("demo", fall),))
    async with asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await fell.wait()
        await box.up.wait()
        assert (await ask(box.port)).endswith(b"ok")
        box.stop.set()
    assert box.outcomes.of("demo").code == "bug"


async def test_box_is_told_to_stop() -> None:
    """On SIGTERM the cameras are stopped while the server still answers; then nothing answers any more."""
    box = Box()
    answered: list[bytes] = []

    def stop_recording() -> None:
        with socket.create_connection(("127.0.0.1", box.port), timeout=5) as asking:
            asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answered.append(asking.recv(100))

    object.__setattr__(box.parts, "stop_recording", stop_recording)
    async with asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await box.up.wait()
        os.kill(os.getpid(), signal.SIGTERM)
    assert answered[0].startswith(b"HTTP/1.1 200")
    with pytest.raises(ConnectionRefusedError):
        await ask(box.port)


async def test_duty_is_woken() -> None:
    """A call from another thread makes a duty due at once, though its period is an hour."""
    loop = asyncio.get_running_loop()
    rounds: asyncio.Queue[None] = asyncio.Queue()
    wake = Wake()

    def reconcile() -> None:
        loop.call_soon_threadsafe(rounds.put_nowait, None)

    box = Box(Duty("cameras", reconcile, lambda: 3600.0, wake))
    async with asyncio.TaskGroup() as group:
        group.create_task(box.run())
        await rounds.get()
        await asyncio.to_thread(wake.call)
        await rounds.get()
        box.stop.set()


async def test_port_is_taken() -> None:
    """An address that another program has is refused with a sentence, before anything is begun."""
    with listen("127.0.0.1", 0) as taken, pytest.raises(AddressNotFree, match="another program"):
        listen("127.0.0.1", taken.getsockname()[1])


async def test_host_is_not_ours() -> None:
    """An address of another machine is refused with a sentence."""
    with pytest.raises(AddressNotFree, match="no such address"):
        listen("192.0.2.1", 0)


def test_clock_is_set() -> None:
    """A step of the wall clock is told once, with both readings; a second passing is no step."""
    clock = FakeClock()
    steps: list[tuple[Reading, Reading]] = []
    watch = ClockWatch(clock, lambda before, after: steps.append((before, after)))
    clock.advance(1)
    watch.look()
    clock.set_wall("2036-01-01T00:00:00Z")
    watch.look()
    clock.advance(1)
    watch.look()
    assert len(steps) == 1
    assert steps[0][1].utc_us == clock.utc_us - 1_000_000


def test_step_cannot_be_written() -> None:
    """A step that could not be written into the log is told again at the next look."""
    clock = FakeClock()
    told: list[Reading] = []

    def full(_before: Reading, after: Reading) -> None:
        told.append(after)
        if len(told) == 1:
            raise StorageFull

    watch = ClockWatch(clock, full)
    clock.set_wall("2036-01-01T00:00:00Z")
    with pytest.raises(StorageFull):
        watch.look()
    watch.look()
    watch.look()
    assert len(told) == 2


@pytest.mark.parametrize("turns", range(6))
async def test_a_duty_that_is_called_just_as_it_is_cancelled_ends(turns: int) -> None:
    """A cancellation that comes together with a call is not forgotten: the box would wait for that duty for ever."""
    wake = Wake()
    waiting = asyncio.get_running_loop().create_task(wake.wait(60))
    await asyncio.sleep(0)
    wake.call()
    for _ in range(turns):
        await asyncio.sleep(0)
    was_asked = waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled() is was_asked
