"""Many cameras on one loop, stepped by hand, with a real store."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recorder.capture.source import READ_TICK_S, STREAM_PERIOD_US, Packet, Source, WantedCamera
from recorder.capture.worker import STORE_THREADS, STUCK_TICKS, Order, Pools, Worker
from recorder.causes import Cause
from recorder.errors import SourceUnreachable
from recorder.store.fsck import check
from recorder.store.records import Gap
from recorder.store.store import Store
from tests.fakes.box import SEGMENT_US, new_store, segments
from tests.fakes.camera import ScriptedSource, packets, wanted
from tests.fakes.clock import FakeClock
from tests.fakes.stepping import at_once

SECOND = "I" + "P" * 9


class Lasting(ScriptedSource):
    """Plays its packets, ten a second by the clock, and stays."""

    def __init__(self, drawing: str, clock: FakeClock) -> None:
        super().__init__(packets(drawing, FakeClock()), SourceUnreachable())
        self._clock = clock
        self._due_us = clock.read().mono_us

    def take(self) -> Sequence[Packet]:
        now = self._clock.read()
        if now.mono_us < self._due_us:
            return []
        self._due_us += 100_000
        return [one._replace(arrived=now) for one in [next(self._script, None)] if one is not None]


def worker_of(store: Store, clock: FakeClock, drawing: str = SECOND * 4) -> Worker:
    def factory(camera: WantedCamera) -> Source:
        return Lasting(drawing, clock)

    return Worker(store, factory, clock, segment_us=SEGMENT_US, connect=at_once, store=at_once)


def ticks(worker: Worker, clock: FakeClock, count: int) -> None:
    for _ in range(count):
        worker.tick()
        clock.advance(0.03)


def test_cameras_come_and_go(tmp_path: Path) -> None:
    """What is superfluous is sealed before its stop is told; the others are not touched."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    worker, told = worker_of(store, clock), list[str]()
    worker.apply([Order(wanted("gate")), Order(wanted("yard"))], lambda: told.append("started"))
    ticks(worker, clock, 45)
    assert {one.camera_id: one.frames > 0 for one in worker.statuses()} == {"gate": True, "yard": True}
    worker.apply([Order(wanted("yard"))], lambda: told.append("stopped"))
    assert told == ["started"]
    ticks(worker, clock, 10)

    assert told == ["started", "stopped"]
    assert [one.camera_id for one in worker.statuses()] == ["yard"]
    assert segments(store, clock, "gate")
    assert not segments(store, clock, "yard")
    worker.stop(lambda: told.append("all"))
    ticks(worker, clock, 10)
    assert told[-1] == "all"
    assert segments(store, clock, "yard")
    assert check(store) == []


def test_a_camera_whose_settings_changed_begins_anew(tmp_path: Path) -> None:
    """Its old session seals before the new one writes the same stream, and the gap between says why."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    worker = worker_of(store, clock)
    worker.apply([Order(wanted())], lambda: None)
    ticks(worker, clock, 60)
    changed = WantedCamera("gate", "gate.main", "rtsp://127.0.0.1/other", None, "")
    worker.apply([Order(changed)], lambda: None)
    clock.advance(5)
    ticks(worker, clock, 60)
    worker.stop(lambda: None)
    ticks(worker, clock, 10)

    items = store.items("gate.main", 0, 2**62)
    causes = [(one.cause, one.detail) for one in items if isinstance(one, Gap)]
    assert (Cause.OPERATOR, "the camera's settings were changed") in causes
    assert len(segments(store, clock)) == 2
    assert check(store) == []


def test_cameras_are_looked_at_as_often_as_they_need(tmp_path: Path) -> None:
    """What comes by TCP waits at the camera; datagrams that nobody fetches are dropped."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    looks: Counter[str] = Counter()

    class Counting(Lasting):
        def __init__(self, camera: WantedCamera) -> None:
            super().__init__(SECOND * 4, clock)
            self._id = camera.id

        def take(self) -> Sequence[Packet]:
            looks[self._id] += 1
            return super().take()

    worker = Worker(store, Counting, clock, segment_us=SEGMENT_US, connect=at_once, store=at_once)
    worker.apply([Order(wanted("gate"))], lambda: None)
    assert worker.rest_s == STREAM_PERIOD_US / 1e6
    worker.apply([Order(wanted("gate")), Order(replace(wanted("yard"), transport="udp"))], lambda: None)
    assert worker.rest_s == READ_TICK_S
    for _ in range(60):
        worker.tick()
        clock.advance(READ_TICK_S)

    assert looks["yard"] > 55
    assert 27 < looks["gate"] < 32


def test_the_newest_key_picture_is_at_hand(tmp_path: Path) -> None:
    """With what is needed to decode it; none of a camera that has sent none, or is unknown."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    worker = worker_of(store, clock, SECOND + "IPP")
    worker.apply([Order(wanted())], lambda: None)
    assert worker.key_picture("gate") is None
    ticks(worker, clock, 60)

    found = worker.key_picture("gate")
    assert found is not None
    assert found[1].is_key
    assert worker.key_picture("yard") is None


def test_a_disk_that_hangs_does_not_pile_up_threads() -> None:
    """However long: what waits is the jobs themselves, of which each session has one."""
    pools, held = Pools(1), threading.Event()
    jobs = [pools.store(lambda: held.wait(10) and None) for _ in range(3 * STORE_THREADS)]
    for _ in range(10 * STORE_THREADS):
        pools.flush()
    assert pools._busy == STORE_THREADS
    assert pools._helping._work_queue.qsize() == 0

    held.set()
    for job in jobs:
        pools.flush()
        job.result(10)


def test_pools_do_jobs_elsewhere() -> None:
    """Both kinds are done, and tell when, or what went wrong; one that blocks keeps the others for some ticks only."""
    pools, held = Pools(1), threading.Event()
    pools.connect(lambda: None).result(10)
    blocked = pools.store(lambda: held.wait(10) and None)
    behind = pools.store(lambda: None)
    wrong = pools.store([].pop)
    for _ in range(STUCK_TICKS):
        pools.flush()
    assert not behind.done()
    pools.flush()
    behind.result(10)
    assert isinstance(wrong.exception(10), IndexError)
    assert not blocked.done()
    held.set()
    blocked.result(10)
