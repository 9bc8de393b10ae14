"""Capture processes: how the main process starts one, and what one is made of.

`python -m appliance.wiring.capture FD` is the process: it speaks by the Unix socket of that descriptor and by nothing
else. It holds the data directory's lock beside the main process, so that no other box starts on it while a picture
may still be written; and it ends at once when the main process is gone, for nobody would write down what it records.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from pydantic import SecretStr

from appliance.wiring import heap
from appliance.wiring.children import CAPTURE, ChildProcess, Standby, orphaned, start, wait_for_orders
from config import logs
from config.clock import Clock, SystemClock
from recorder.capture.book import RemoteBook, Shelves, shelves_body, shelves_of
from recorder.capture.channel import Asked, Channel, error_of
from recorder.capture.fleet import order_of, status_body
from recorder.capture.nal import parameter_sets, with_sets
from recorder.capture.rtp.whole import in_use
from recorder.capture.session import SessionStatus
from recorder.capture.source import Source, WantedCamera
from recorder.capture.sources import source_of
from recorder.capture.worker import Order, Pools, Worker, run
from recorder.store.layout import Layout

COLLECT: Final = (50_000, 20, 50)
"""When Python looks for rings of garbage: pictures come and go by the thousand, and none is ever part of one."""

log = structlog.get_logger("capture")


@dataclass(frozen=True)
class Terms:
    """What every capture process of a box is told."""

    data_dir: Path
    box_id: str
    segment_us: int
    lock: int | None
    """The descriptor of the data directory's lock; None: nobody holds it, as in tests."""
    shelves: Callable[[], Shelves]
    """Where segments may go, when a process begins."""
    with_sm3: bool = False
    """Whether segments are hashed with SM3 too."""


def spawner(terms: Terms, standby: Standby | None = None) -> Callable[..., ChildProcess]:
    """What starts capture processes (`fleet.Spawn`); the first one is that which stands by."""

    def spawn(
        number: int, connects_at_once: int, handle: Callable[[Asked], None], gone: Callable[[], None]
    ) -> ChildProcess:
        held = [] if terms.lock is None else [terms.lock]
        child = start(CAPTURE, handle, gone, name=f"capture-{number}", keep=held, standby=standby)
        child.channel.tell(
            "begin",
            {
                "number": number,
                "data_dir": str(terms.data_dir),
                "box": terms.box_id,
                "segment_us": terms.segment_us,
                "with_sm3": terms.with_sm3,
                "shelves": shelves_body(terms.shelves()),
                "connects": connects_at_once,
                "level": logging.getLevelName(logging.getLogger().getEffectiveLevel()),
            },
        )
        return child

    return spawn


class _Program:
    """The process itself: messages in, cameras stepped."""

    def __init__(self, end: socket.socket, clock: Clock) -> None:
        self._clock = clock
        self._secrets: dict[str, Mapping[str, Any]] = {}
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._begun: asyncio.Future[Mapping[str, Any]] = self._loop.create_future()
        self._worker: Worker | None = None
        self._book: RemoteBook | None = None
        self._channel = Channel(end, self._handle, orphaned, name="main")
        self._channel.start()

    async def live(self) -> None:
        """Until the main process says so, or is gone."""
        terms = await self._begun
        logs.configure(level=terms["level"], clock=self._clock)
        structlog.contextvars.bind_contextvars(process=f"capture-{terms['number']}")
        log.info("a capture process begins", whole_pictures=in_use())
        pools = Pools(terms["connects"])
        layout = Layout(Path(terms["data_dir"]))
        self._book = book = RemoteBook(
            self._channel,
            layout,
            terms["box"],
            with_sm3=terms["with_sm3"],
            shelves=shelves_of(terms["shelves"]),
            mono_us=lambda: self._clock.read().mono_us,
        )
        self._worker = Worker(
            book,
            self._source,
            self._clock,
            segment_us=terms["segment_us"],
            connect=pools.connect,
            store=pools.store,
            described=self._described,
        )
        async with asyncio.TaskGroup() as group:
            tidying = group.create_task(_give_back())
            await run(self._worker, pools, self._clock, self._tell, self._end)
            tidying.cancel()

    # -- the channel's thread

    def _handle(self, asked: Asked) -> None:
        if asked.kind == "begin":
            self._loop.call_soon_threadsafe(self._begun.set_result, asked.body)
        else:
            self._loop.call_soon_threadsafe(self._act, asked)

    # -- the loop

    def _act(self, asked: Asked) -> None:
        if self._worker is None or self._book is None:  # `begin` came before it, and is still being carried out
            self._loop.call_later(0.01, self._act, asked)
        elif asked.kind == "apply":
            self._apply(self._worker, asked)
        elif asked.kind == "volumes":
            self._book.shelves = shelves_of(asked.body)
        elif asked.kind == "stop":
            self._worker.stop(lambda: self._stopped(asked))
        elif asked.kind == "key":
            self._key(self._worker, asked)

    def _apply(self, worker: Worker, asked: Asked) -> None:
        orders: list[Order] = []
        for body in asked.body["orders"]:
            order = order_of(body)
            self._secrets[order.camera.id] = body["secret"]
            orders.append(order)
        worker.apply(orders, asked.answer)

    def _stopped(self, asked: Asked) -> None:
        asked.answer()
        self._end.set()

    def _key(self, worker: Worker, asked: Asked) -> None:
        found = worker.key_picture(asked.body["camera"])
        if found is None:
            asked.answer()
            return
        track, packet = found
        sets = () if parameter_sets(packet.data, track.codec) else track.sets
        body = {"codec": track.codec.value, "arrived_us": packet.arrived.mono_us}
        asked.answer(body, with_sets(sets, packet.data))

    def _described(self, camera_id: str, description: bytes) -> None:
        self._channel.tell("described", {"camera": camera_id}, description)

    def _tell(self, statuses: Sequence[SessionStatus]) -> None:
        self._channel.tell("statuses", {"cameras": [status_body(one) for one in statuses]})

    # -- any thread

    def _source(self, camera: WantedCamera) -> Source:
        """A session with a camera; its password is known to this process alone, and kept out of all logs."""
        secret = self._secrets[camera.id]
        if "code" in secret:
            raise error_of(secret["code"], secret["text"])
        password = None if secret["password"] is None else SecretStr(secret["password"])
        if password is not None:
            logs.register_secret(password.get_secret_value())
        return source_of(
            camera.url,
            camera.username,
            password,
            camera.transport,
            self._clock,
            ca_file=camera.ca_file,
            audio=camera.audio == "on",
            allow_basic=camera.allow_basic,
        )


async def _give_back() -> None:
    """Return free memory to the system from time to time; in a thread, for the loop must not wait."""
    while True:
        await asyncio.sleep(heap.PERIOD_S)
        await asyncio.to_thread(heap.give_back)


def main(descriptor: int) -> None:
    """Be a capture process."""
    end = wait_for_orders(descriptor)
    gc.set_threshold(*COLLECT)
    logs.configure(level="WARNING")

    async def live() -> None:
        await _Program(end, SystemClock()).live()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live())
    os._exit(0)  # threads that still wait for a camera keep nobody


if __name__ == "__main__":
    main(int(sys.argv[1]))
