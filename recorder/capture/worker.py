"""One capture process: many cameras on one loop, and threads for what may block.

On a tick all sessions are stepped: what has come from their cameras is read, which never waits. Connecting
and storing are jobs of two pools of threads. Which cameras there are the main process says (`apply`); what was recorded
it writes down (`book`). When the main process is gone nothing can be written down any more: the process ends at once,
and the next start reads back what it left.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from config.clock import Clock
from config.times import SECOND_US
from recorder.capture.recording import StreamBook
from recorder.capture.session import Run, Session, SessionStatus
from recorder.capture.source import READ_TICK_S, STREAM_PERIOD_US, Packet, SourceFactory, Track, WantedCamera
from recorder.causes import Cause

STORE_THREADS = 32
"""Jobs that store at the same time. One thread does all of it, until the disk or the main process makes it wait."""

STUCK_TICKS = 3
"""Ticks without a finished job before one is taken to block: a sync takes as long as a tick now and then, and a thread
that was made stays."""

STATUS_PERIOD_US = SECOND_US
"""How often the main process is told how the cameras do; that it is told says that this process lives."""


@dataclass(frozen=True)
class Order:
    """A camera that is wanted, and the cause of the gap before its first picture where it has to be started."""

    camera: WantedCamera
    cause: Cause = Cause.NO_MEDIA
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """What must happen so that what runs is what is wanted."""

    stop: tuple[str, ...]
    start: tuple[str, ...]


def plan(wanted: Sequence[WantedCamera], running: Mapping[str, WantedCamera]) -> Plan:
    """Compare: a camera whose settings differ is stopped and started."""
    by_id = {camera.id: camera for camera in wanted}
    stop = tuple(sorted(one for one, camera in running.items() if by_id.get(one) != camera))
    start = tuple(camera.id for camera in wanted if running.get(camera.id) != camera)
    return Plan(stop, start)


class Worker:
    """The sessions of one process. All methods belong to the thread of its loop."""

    def __init__(
        self,
        book: StreamBook,
        factory: SourceFactory,
        clock: Clock,
        *,
        segment_us: int,
        connect: Run,
        store: Run,
        described: Callable[[str, bytes], None] = lambda camera_id, description: None,
    ) -> None:
        """`described` is told what a camera says of itself (SDP) whenever it connects."""
        self._described = described
        self._book = book
        self._factory = factory
        self._clock = clock
        self._segment_us = segment_us
        self._connect, self._store = connect, store
        self._sessions: dict[str, Session] = {}
        self._leaving: list[Session] = []
        self._waiting: list[tuple[list[Session], Callable[[], None]]] = []
        self._orders: dict[str, Order] = {}

    def apply(self, orders: Sequence[Order], stopped: Callable[[], None]) -> None:
        """Make what runs equal to what is wanted: what is superfluous is stopped first, then what is missing started.

        `stopped` is called once all that had to stop has sealed what was open; what changed starts then.
        """
        self._orders = {order.camera.id: order for order in orders}
        todo = plan([order.camera for order in orders], {one: has.camera for one, has in self._sessions.items()})
        ending = []
        for camera_id in todo.stop:
            session = self._sessions.pop(camera_id)
            detail = "the camera's settings were changed" if camera_id in self._orders else ""
            session.stop(Cause.OPERATOR, detail)
            ending.append(session)
            if camera_id in self._orders:
                order = self._orders[camera_id]
                self._orders[camera_id] = Order(order.camera, Cause.OPERATOR, detail)
        self._leave(ending, stopped)

    def stop(self, stopped: Callable[[], None]) -> None:
        """Seal everything and end."""
        self._orders = {}
        ending, self._sessions = list(self._sessions.values()), {}
        for session in ending:
            session.stop(Cause.BOX_DOWN)
        self._leave(ending, stopped)

    def tick(self) -> None:
        """Step every camera."""
        now = self._clock.read()
        for session in self._sessions.values():
            session.step(now)
        for session in self._leaving:
            session.step(now)
        if self._leaving:
            self._leaving = [one for one in self._leaving if not one.is_stopped]
        self._start_missing()
        self._tell_stopped()

    @property
    def rest_s(self) -> float:
        """How long may pass until the next tick: half as long where there are datagrams, which nobody keeps."""
        is_hasty = any(session.is_hasty for session in (*self._sessions.values(), *self._leaving))
        return READ_TICK_S if is_hasty else STREAM_PERIOD_US / SECOND_US

    def statuses(self) -> list[SessionStatus]:
        """How every camera does."""
        return [session.status() for session in self._sessions.values()]

    def key_picture(self, camera_id: str) -> tuple[Track, Packet] | None:
        """The newest key picture of a camera, where there is one in memory."""
        session = self._sessions.get(camera_id)
        packet = session.tap.key() if session is not None else None
        if session is None or session.track is None or packet is None:
            return None
        return session.track, packet

    # -- inside

    def _leave(self, ending: list[Session], stopped: Callable[[], None]) -> None:
        self._leaving += ending
        self._waiting.append((ending, stopped))
        self._start_missing()
        self._tell_stopped()

    def _start_missing(self) -> None:
        """A camera starts anew only when its session before has sealed: both would write the same stream."""
        if len(self._sessions) == len(self._orders):
            return
        busy = {one.camera.id for one in self._leaving}
        for camera_id, order in self._orders.items():
            if camera_id not in self._sessions and camera_id not in busy:
                self._sessions[camera_id] = self._session(order)

    def _session(self, order: Order) -> Session:
        return Session(
            order.camera,
            self._book,
            self._factory,
            self._clock,
            segment_us=self._segment_us,
            connect=self._connect,
            store=self._store,
            cause=order.cause,
            detail=order.detail,
            described=self._described,
        )

    def _tell_stopped(self) -> None:
        for entry in [one for one in self._waiting if all(session.is_stopped for session in one[0])]:
            self._waiting.remove(entry)
            entry[1]()


class Pools:
    """The threads of a capture process."""

    def __init__(self, connects_at_once: int) -> None:
        """`connects_at_once`: two hundred cameras that connect together time out together."""
        self._connecting = ThreadPoolExecutor(connects_at_once, "connect")
        self._storing = ThreadPoolExecutor(1, "store")
        self._helping = ThreadPoolExecutor(STORE_THREADS - 1, "store-more")
        self._waiting: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._lock = threading.Lock()
        self._busy = 0
        self._finished = self._seen_finished = self._stuck_ticks = 0

    def connect(self, job: Callable[[], None]) -> Future[None]:
        """Do what may block on a camera."""
        return self._connecting.submit(job)

    def store(self, job: Callable[[], None]) -> Future[None]:
        """Do what may block on the disk or the main process; begun by `flush`."""
        done: Future[None] = Future()
        self._waiting.append((job, done))
        return done

    def flush(self) -> None:
        """Begin what waits. To be called when the loop has nothing else to do for a while.

        One thread does one job after the other, while the loop rests: threads that take turns with it, and with each
        other, for the interpreter's lock cost twice as much, and each would have memory of its own. Only when jobs
        wait, and none was finished for `STUCK_TICKS`, because one blocks, is another thread sent after them.
        """
        is_stuck = self._is_stuck()
        if self._waiting and self._busy < STORE_THREADS and (self._busy == 0 or is_stuck):
            with self._lock:
                threads = self._helping if self._busy else self._storing
                self._busy += 1
            threads.submit(self._drain)

    def _is_stuck(self) -> bool:
        finished, self._seen_finished = self._seen_finished, self._finished
        is_still = bool(self._waiting) and self._busy > 0 and finished == self._seen_finished
        self._stuck_ticks = self._stuck_ticks + 1 if is_still else 0
        return self._stuck_ticks >= STUCK_TICKS

    def _drain(self) -> None:
        while True:
            try:
                job, done = self._waiting.popleft()
            except IndexError:
                break
            _carry_out(job, done)
            with self._lock:
                self._finished += 1
        with self._lock:
            self._busy -= 1


def _carry_out(job: Callable[[], None], done: Future[None]) -> None:
    try:
        job()
    except Exception as err:  # noqa: BLE001 - top of a job: whatever it is goes to who wanted the job done
        done.set_exception(err)
    else:
        done.set_result(None)


async def run(
    worker: Worker, pools: Pools, clock: Clock, tell: Callable[[list[SessionStatus]], None], end: asyncio.Event
) -> None:
    """Tick until `end` is set; tell how the cameras do once a second."""
    loop = asyncio.get_running_loop()
    told_us = 0
    while not end.is_set():
        begun_s = loop.time()
        worker.tick()
        pools.flush()
        now_us = clock.read().mono_us
        if now_us - told_us >= STATUS_PERIOD_US:
            told_us = now_us
            tell(worker.statuses())
        await asyncio.sleep(max(0.0, worker.rest_s - (loop.time() - begun_s)))
