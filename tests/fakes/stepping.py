"""Sessions and workers without processes: stepped by hand, or by a thread where cameras are real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from config.clock import Clock
from recorder.capture.recording import StreamBook
from recorder.capture.session import Session, SessionState, SessionStatus
from recorder.capture.source import READ_TICK_S, SourceFactory, WantedCamera
from recorder.capture.worker import Order, Pools, Worker
from tests.fakes.clock import FakeClock

STEPS_LIMIT = 200_000
STOP_S = 20.0


def at_once(job: Callable[[], None]) -> Future[None]:
    """Does a job where it is asked for."""
    done: Future[None] = Future()
    try:
        job()
    except Exception as err:  # noqa: BLE001 - whatever it is, it is the outcome of the job
        done.set_exception(err)
    else:
        done.set_result(None)
    return done


def attempt(session: Session, clock: FakeClock) -> SessionStatus:
    """One session with the camera, from its connection to its end; the clock goes on a tick a step."""
    before = session.status().reconnects
    for _ in range(STEPS_LIMIT):
        session.step(clock.read())
        if session.is_stopped or session.status().reconnects > before:
            return session.status()
        clock.advance(READ_TICK_S)
    raise AssertionError("the attempt did not end")


def until_recorded(session: Session, clock: FakeClock, frames: int) -> None:
    """Step until so many pictures are stored."""
    for _ in range(STEPS_LIMIT):
        if session.status().frames >= frames:
            return
        session.step(clock.read())
        clock.advance(READ_TICK_S)
    raise AssertionError(f"{frames} pictures were never stored")


def stopped(session: Session, clock: FakeClock) -> bool:
    """Step until it has ended for good."""
    for _ in range(1000):
        if session.is_stopped:
            return session.status().state is SessionState.STOPPED
        session.step(clock.read())
    return False


class RunningWorker:
    """A worker in a thread of this process, with the store itself for its book: for cameras that are real."""

    def __init__(
        self, book: StreamBook, factory: SourceFactory, clock: Clock, *, segment_s: float, connects: int = 4
    ) -> None:
        pools = Pools(connects)
        self._pools = pools
        self._worker = Worker(
            book, factory, clock, segment_us=round(segment_s * 1e6), connect=pools.connect, store=pools.store
        )
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def apply(self, wanted: Sequence[WantedCamera]) -> None:
        """Record these."""
        with self._lock:
            self._worker.apply([Order(one) for one in wanted], lambda: None)

    def snapshot(self) -> dict[str, SessionStatus]:
        """How they do."""
        with self._lock:
            return {one.camera_id: one for one in self._worker.statuses()}

    def stop(self) -> bool:
        """Seal everything; whether that was done in time."""
        done = threading.Event()
        with self._lock:
            self._worker.stop(done.set)
        in_time = done.wait(STOP_S)
        self._end.set()
        self._thread.join(STOP_S)
        return in_time

    def _run(self) -> None:
        while not self._end.wait(READ_TICK_S):
            with self._lock:
                self._worker.tick()
                self._pools.flush()


def until(true: Callable[[], object]) -> None:
    """Wait, bounded, for what another thread is about to do."""
    turn = threading.Event()
    for _ in range(1000):
        if true():
            return
        turn.wait(0.01)
    raise AssertionError("it did not happen in time")
