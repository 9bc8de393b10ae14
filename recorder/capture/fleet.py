"""All cameras, from the main process: which capture process records which, and that each of them lives.

Cameras stay with their process once they have one. A process that ends, or says nothing for `SILENT_S`, is replaced at
once; what its cameras missed is a gap that says so. What the processes ask to have written down is written down here,
by threads of their own for each: one that is dead has nothing under way any more when its successor begins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import structlog

from config.clock import Clock
from recorder.capture.book import Book, BookService, Shelves, shelves_body
from recorder.capture.channel import Answer, Asked, Channel
from recorder.capture.segmenter import AudioState
from recorder.capture.session import SessionState, SessionStatus
from recorder.capture.source import WantedCamera
from recorder.capture.worker import Order, Plan, plan
from recorder.causes import Cause
from recorder.errors import PeerGone

CAMERAS_A_PROCESS = 100
"""Of 4 Mbit/s a hundred are about a third of a core: what a crash costs is bounded before the core is."""

CONNECTS_AT_ONCE = 20
"""Of all processes together: two hundred cameras that connect together time out together."""

CONNECTS_LEAST = 4

STOP_TIMEOUT_S = 5.0
STOP_EACH_S = 0.1
"""For sealing all open segments, and for each camera besides: they are synced and written down one by one. What takes
longer is finished at the next start."""

SILENT_S = 20.0
"""A process that has not said how its cameras do for so long hangs; it says so every second."""

SHORT_LIFE_S = 10.0
RESTART_FIRST_S = 0.1
RESTART_MOST_S = 30.0
"""One that dies within the first is started again after twice as long as the time before, up to the last."""

BOOK_THREADS = 2
"""What one process may have written down at the same time: the store takes one after the other, and each thread has a
connection to the catalogue with a cache of its own. Two, because finishing what a failed run left takes long."""

log = structlog.get_logger("fleet")


class Process(Protocol):
    """A capture process, as the fleet needs it."""

    channel: Channel

    def end(self) -> bool:
        """Kill it, and wait until it is gone; false: it waits for a disk, and goes only when that answers."""
        ...

    def ending(self) -> str:
        """How it ended, in words; empty while it lives."""
        ...


class Spawn(Protocol):
    """Starts a capture process."""

    def __call__(
        self, number: int, connects_at_once: int, handle: Callable[[Asked], None], gone: Callable[[], None]
    ) -> Process:
        """Start it; it waits for `apply`."""
        ...


@dataclass(frozen=True)
class WorkerFacts:
    """One capture process, as of now."""

    number: int
    cameras: int
    restarts: int
    ended_us: int | None
    """When one before it ended, last; None: none has."""
    ending: str
    """How that one ended."""


@dataclass(frozen=True)
class KeyPicture:
    """A camera's newest key picture, with the parameter sets it needs, and when it came (monotonic)."""

    codec: str
    data: bytes
    arrived_us: int


class Fleet:
    """The capture processes. Thread-safe."""

    def __init__(
        self,
        book: Book,
        spawn: Spawn,
        clock: Clock,
        *,
        secrets: Callable[[WantedCamera], Mapping[str, Any]],
        processes: int = 0,
        troubled: Callable[[], None] = lambda: None,
    ) -> None:
        """What it works with.

        Args:
            book: the store.
            spawn: starts a process.
            clock: says when one ended.
            secrets: what a camera's order says beside its settings: its password, or why there is none.
            processes: how many; 0: one for each hundred cameras, at least one.
            troubled: called from any thread when `watch` should be called soon.
        """
        self._service = BookService(book)
        self._spawn = spawn
        self._clock = clock
        self._secrets = secrets
        self._processes = processes
        self._troubled = troubled
        self._lock = threading.RLock()
        self._slots: list[_Slot] = []
        self._wanted: dict[str, WantedCamera] = {}
        self._place: dict[str, int] = {}
        self._causes: dict[str, tuple[Cause, str]] = {}
        self._unsealed: dict[str, tuple[Future[Answer], ...]] = {}
        self._shelves: Shelves | None = None
        self._is_over = False

    def apply(self, wanted: Sequence[WantedCamera]) -> Plan:
        """Make what runs equal to what is wanted; waits for what had to stop to seal its segments, within a bound.

        A camera stopped here was switched off, or changed, by somebody. Of one that is still at it when the bound is
        reached `is_sealed` is false.
        """
        with self._lock:
            todo = plan(wanted, self._wanted)
            self._settle(wanted)
            for camera_id in todo.stop:
                self._causes[camera_id] = (Cause.OPERATOR, "")
            if todo.stop or todo.start:
                self._send([slot for slot in self._slots if slot.is_alive], todo.stop)
            for slot in self._slots:
                self._mind(slot)
            return todo

    def tell_volumes(self, shelves: Shelves) -> None:
        """Where segments may go from now on. Told to every process, when it differs; to one that begins, at once."""
        with self._lock:
            if shelves == self._shelves:
                return
            self._shelves = shelves
            for slot in self._slots:
                slot.tell("volumes", shelves_body(shelves))

    def watch(self) -> None:
        """Replace what has ended or hangs."""
        with self._lock:
            if self._is_over:
                return
            for slot in self._slots:
                self._mind(slot)

    def is_sealed(self, camera_id: str) -> bool:
        """Whether a camera that was stopped has nothing open any more: then the record may go on behind it."""
        with self._lock:
            left = tuple(one for one in self._unsealed.get(camera_id, ()) if not one.done())
            self._unsealed[camera_id] = left
            return not left

    def snapshot(self) -> dict[str, SessionStatus]:
        """Every camera that is wanted, as its process last said."""
        found: dict[str, SessionStatus] = {}
        for slot in list(self._slots):
            found |= slot.statuses
        return {camera_id: status for camera_id, status in found.items() if camera_id in self._wanted}

    def workers(self) -> list[WorkerFacts]:
        """The capture processes."""
        return [
            WorkerFacts(slot.number, len(slot.statuses), slot.restarts, slot.ended_us, slot.ending)
            for slot in list(self._slots)
        ]

    def key_picture(self, camera_id: str, timeout_s: float) -> KeyPicture | None:
        """A camera's newest key picture; None: there is none in memory.

        Raises:
            PeerGone: its process does not answer.
        """
        place = self._place.get(camera_id)
        process = self._slots[place].process if place is not None else None
        if process is None:
            return None
        answer = process.channel.call("key", {"camera": camera_id}, timeout_s=timeout_s)
        if not answer.blob:
            return None
        return KeyPicture(answer.body["codec"], answer.blob, answer.body["arrived_us"])

    def stop(self) -> bool:
        """Stop all cameras, sealing what is open; false when some took longer than is said above."""
        with self._lock:
            self._is_over = True
            asked = [future for slot in self._slots if (future := slot.ask("stop", {})) is not None]
            done = wait_for(asked, STOP_TIMEOUT_S + STOP_EACH_S * len(self._wanted))
            for slot in self._slots:
                slot.end()
            self._wanted, self._place = {}, {}
            return not done.not_done and all(future.exception() is None for future in done.done)

    # -- inside

    def _settle(self, wanted: Sequence[WantedCamera]) -> None:
        """Give every camera a place: those that have one keep it."""
        self._wanted = {camera.id: camera for camera in wanted}
        self._place = {one: place for one, place in self._place.items() if one in self._wanted}
        needed = self._processes or max(1, -(-len(wanted) // CAMERAS_A_PROCESS))
        while len(self._slots) < needed:
            self._slots.append(_Slot(len(self._slots)))
        for camera in wanted:
            if camera.id not in self._place:
                loads = [list(self._place.values()).count(slot.number) for slot in self._slots]
                self._place[camera.id] = loads.index(min(loads))

    def _orders(self, slot: _Slot, cause: tuple[Cause, str] | None = None) -> Mapping[str, Any]:
        orders = []
        for camera_id, camera in self._wanted.items():
            if self._place[camera_id] == slot.number:
                begins = cause or self._causes.pop(camera_id, (Cause.NO_MEDIA, ""))
                orders.append(order_body(Order(camera, *begins), self._secrets(camera)))
        return {"orders": orders}

    def _send(self, slots: Sequence[_Slot], stopping: Sequence[str]) -> None:
        asked = [future for slot in slots if (future := slot.ask("apply", self._orders(slot))) is not None]
        done = wait_for(asked, STOP_TIMEOUT_S + STOP_EACH_S * len(stopping))
        for camera_id in stopping:  # what an earlier stop left open is open still
            self._unsealed[camera_id] = (*self._unsealed.get(camera_id, ()), *done.not_done)
        if done.not_done:
            log.warning("some cameras take long to stop")

    def _start(self, slot: _Slot) -> None:
        connects = max(CONNECTS_LEAST, CONNECTS_AT_ONCE // len(self._slots))
        slot.begin(self._spawn, connects, self._service, self._troubled)
        if self._shelves is not None:
            slot.tell("volumes", shelves_body(self._shelves))
        cause = (Cause.BOX_DOWN, f"the process that records it ended ({slot.ending})") if slot.ending else None
        slot.ask("apply", self._orders(slot, cause))

    def _mind(self, slot: _Slot) -> None:
        now_s = time.monotonic()
        if slot.is_alive and now_s - slot.heard_s <= SILENT_S:
            return
        if slot.is_alive or slot.process is not None:
            if not slot.bury("it hung" if slot.is_alive else "", self._clock.read().utc_us):
                return
            log.error("a capture process ended", number=slot.number, how=slot.ending)
        if now_s >= slot.due_s:
            self._start(slot)


class _Slot:
    """The place of one capture process, whichever it is at the moment."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.statuses: dict[str, SessionStatus] = {}
        self.restarts = 0
        self.ended_us: int | None = None
        self.ending = ""
        self.heard_s = 0.0
        self.due_s = 0.0
        self._begun_s = 0.0
        self._wait_s = RESTART_FIRST_S
        self._gone = threading.Event()
        self._is_stuck = False
        self._threads: ThreadPoolExecutor | None = None
        self._service: BookService | None = None

    @property
    def is_alive(self) -> bool:
        """Whether there is a process that has not hung up."""
        return self.process is not None and not self._gone.is_set()

    def begin(self, spawn: Spawn, connects: int, service: BookService, troubled: Callable[[], None]) -> None:
        """Start a process."""
        self._gone = gone = threading.Event()
        self._threads = ThreadPoolExecutor(BOOK_THREADS, f"book-{self.number}")
        self._service = service
        self._begun_s = self.heard_s = time.monotonic()

        def has_gone() -> None:
            gone.set()
            troubled()

        self.process = spawn(self.number, connects, self._handle, has_gone)

    def ask(self, kind: str, body: Mapping[str, Any]) -> Future[Answer] | None:
        """Ask the process; None: it is gone, and `watch` will find that."""
        if self.process is None:
            return None
        try:
            return self.process.channel.ask(kind, body)
        except PeerGone:
            return None

    def tell(self, kind: str, body: Mapping[str, Any]) -> None:
        """Tell the process, if there is one."""
        if self.process is not None:
            self.process.channel.tell(kind, body)

    def bury(self, why: str, now_us: int) -> bool:
        """It has ended, or must: nothing of it is under way any more when this returns true.

        False: it cannot be killed yet, and may still write to its files: a successor has to wait for that.
        """
        if not self.end():
            return False
        self.ending = why or self.ending
        self.ended_us = now_us
        self.restarts += 1
        lived_s = time.monotonic() - self._begun_s
        self._wait_s = RESTART_FIRST_S if lived_s > SHORT_LIFE_S else min(self._wait_s * 2, RESTART_MOST_S)
        self.due_s = time.monotonic() + (0.0 if lived_s > SHORT_LIFE_S else self._wait_s)
        down = {"state": SessionState.CONNECTING, "bitrate_bps": 0, "cause": Cause.BOX_DOWN}
        self.statuses = {one: replace(status, **down) for one, status in self.statuses.items()}  # type: ignore[arg-type]
        return True

    def end(self) -> bool:
        """End the process, and whatever it had asked for; false: it cannot be killed yet."""
        process = self.process
        if process is None:
            return True
        if not process.end():
            if not self._is_stuck:
                log.error("a capture process cannot be killed", number=self.number)
            self._is_stuck = True
            return False
        self.process, self._is_stuck = None, False
        self.ending = process.ending()
        process.channel.close()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        return True

    def _handle(self, asked: Asked) -> None:
        """In the channel's thread."""
        if asked.kind == "statuses":
            self.heard_s = time.monotonic()
            self.statuses = {one["camera_id"]: status_of(one) for one in asked.body["cameras"]}
        elif asked.kind in BookService.KINDS and self._threads is not None and self._service is not None:
            try:
                self._threads.submit(asked.carry_out, self._service.answer)
            except RuntimeError:  # the threads are being ended with their process
                asked.refuse(PeerGone())


def status_body(status: SessionStatus) -> Mapping[str, Any]:
    """A status as a message holds it: its fields are plain, and once a second for each camera counts."""
    return dict(vars(status))


def status_of(body: Mapping[str, Any]) -> SessionStatus:
    """And back."""
    cause = body["cause"]
    return SessionStatus(
        **{
            **body,
            "state": SessionState(body["state"]),
            "cause": None if cause is None else Cause(cause),
            "tracks_left_out": tuple(body["tracks_left_out"]),
            "audio": AudioState(body["audio"]),
        }
    )


def order_body(order: Order, secret: Mapping[str, Any]) -> Mapping[str, Any]:
    """An order as a message holds it; `secret` goes no further than to the process that connects."""
    return {"camera": asdict(order.camera), "cause": order.cause.value, "detail": order.detail, "secret": secret}


def order_of(body: Mapping[str, Any]) -> Order:
    """And back, without what is secret."""
    return Order(WantedCamera(**body["camera"]), Cause(body["cause"]), body["detail"])
