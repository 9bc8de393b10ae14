"""The capture processes, with processes that are only channels: what the fleet tells and does when one ends."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.volumes import VolumeWish
from recorder.capture.book import RemoteBook, Shelves, shelves_of
from recorder.capture.channel import Asked, Channel
from recorder.capture.fleet import CAMERAS_A_PROCESS, Fleet, order_body, order_of, status_body, status_of
from recorder.capture.recording import Recording
from recorder.capture.session import SessionState, SessionStatus
from recorder.capture.source import Track
from recorder.capture.worker import Order
from recorder.causes import Cause
from recorder.errors import StorageFailed
from recorder.store.log.sm3 import sm3
from recorder.store.records import CameraSignature, CodecName, Condition
from recorder.store.store import Store
from tests.fakes.box import SEGMENT_US, new_store, record, segments
from tests.fakes.camera import packets, wanted
from tests.fakes.clock import FakeClock
from tests.fakes.signing import signature_unit, signed
from tests.fakes.stepping import until

WAIT_S = 10.0


class HollowProcess:
    """Obeys `fleet.Process`: the far end of its channel is here, and does as a test says."""

    def __init__(self, connects: int, handle: Callable[[Asked], None], gone: Callable[[], None]) -> None:
        ours, theirs = socket.socketpair()
        self.connects = connects
        self.asked: list[Asked] = []
        self.code = ""
        self.waits_for_a_disk = False
        self.channel = Channel(ours, handle, gone, name="main")
        self.far = Channel(theirs, self._take, lambda: None, name="far")
        self.channel.start()
        self.far.start()

    def _take(self, asked: Asked) -> None:
        self.asked.append(asked)
        asked.answer()

    def die(self) -> None:
        self.code = "killed by signal 9"
        self.far.close()

    def end(self) -> bool:
        if not self.waits_for_a_disk:
            self.code = self.code or "killed by signal 9"
            self.far.close()
        return not self.waits_for_a_disk

    def ending(self) -> str:
        return self.code

    def orders(self) -> list[Mapping[str, Any]]:
        """Those of the last `apply`."""
        last = [one for one in self.asked if one.kind == "apply"][-1]
        return list(last.body["orders"])


class Spawner:
    """Obeys `fleet.Spawn`."""

    def __init__(self) -> None:
        self.made: list[HollowProcess] = []

    def __call__(
        self, number: int, connects_at_once: int, handle: Callable[[Asked], None], gone: Callable[[], None]
    ) -> HollowProcess:
        self.made.append(HollowProcess(connects_at_once, handle, gone))
        return self.made[-1]


def fleet_of(tmp_path: Path, clock: FakeClock, spawner: Spawner, **more: Any) -> Fleet:
    store = new_store(tmp_path, clock, "gate")
    return Fleet(store, spawner, clock, secrets=lambda camera: {"password": "p"}, **more)


def test_cameras_are_spread_over_processes_and_stay(tmp_path: Path) -> None:
    """A process for each hundred; one more camera moves nobody; connecting is shared among them."""
    spawner, cameras = Spawner(), [wanted(f"c{n}") for n in range(CAMERAS_A_PROCESS + 1)]
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply(cameras[:1])
    fleet.apply(cameras)
    until(lambda: len(spawner.made) == 2 and bool(spawner.made[1].asked))

    first, second = ({one["camera"]["id"] for one in process.orders()} for process in spawner.made)
    assert "c0" in first
    assert first | second == {one.id for one in cameras}
    assert not first & second
    assert [one.connects for one in spawner.made] == [20, 10]
    assert fleet.stop()


def test_a_process_that_ends_is_replaced_and_its_cameras_gap_says_so(tmp_path: Path) -> None:
    """At once, with the cause and how it ended; whoever watches is called."""
    spawner, called, clock = Spawner(), threading.Event(), FakeClock()
    fleet = fleet_of(tmp_path, clock, spawner, troubled=called.set)
    fleet.apply([wanted()])
    told = SessionStatus("gate", SessionState.RECORDING, 5, bitrate_bps=7)
    spawner.made[0].far.tell("statuses", {"cameras": [status_body(told)]})
    until(lambda: fleet.snapshot() == {"gate": told})
    spawner.made[0].die()
    assert called.wait(WAIT_S)
    until(lambda: fleet.watch() or len(spawner.made) == 2)
    until(lambda: bool(spawner.made[1].asked))

    order = order_of(spawner.made[1].orders()[0])
    assert order.cause is Cause.BOX_DOWN
    assert "killed by signal 9" in order.detail
    assert (fleet.snapshot()["gate"].state, fleet.snapshot()["gate"].cause) == (SessionState.CONNECTING, Cause.BOX_DOWN)
    assert [(one.restarts, one.ending) for one in fleet.workers()] == [(1, "killed by signal 9")]
    fleet.stop()


def test_a_process_that_hangs_is_replaced(tmp_path: Path) -> None:
    """It says every second how its cameras do; long silence is no life (go2rtc 258, 762)."""
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    fleet._slots[0].heard_s = -1e9
    until(lambda: fleet.watch() or len(spawner.made) == 2)

    assert fleet.workers()[0].ending == "it hung"
    fleet.stop()
    fleet.watch()
    assert len(spawner.made) == 2


def test_a_process_that_keeps_dying_is_not_started_ever_faster(tmp_path: Path) -> None:
    """Each time after twice as long."""
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    waits = []
    for _ in range(3):
        fleet._slots[0].bury("", 0)
        waits.append(round(fleet._slots[0]._wait_s, 3))
        fleet._slots[0].due_s = 0
        fleet.watch()

    assert waits == [0.2, 0.4, 0.8]
    fleet.stop()


def test_a_process_that_ends_is_found_whoever_looks_first(tmp_path: Path) -> None:
    """New orders come before anybody watched: its cameras' gap says that it ended, all the same."""
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    spawner.made[0].die()
    until(lambda: not fleet._slots[0].is_alive)
    until(lambda: fleet.apply([wanted()]) and len(spawner.made) == 2)
    until(lambda: bool(spawner.made[1].asked))

    assert order_of(spawner.made[1].orders()[0]).cause is Cause.BOX_DOWN
    assert fleet.workers()[0].restarts == 1
    fleet.stop()


def test_orders_do_not_start_a_process_before_its_time(tmp_path: Path) -> None:
    """One that keeps dying waits, however often the cameras are looked through."""
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    fleet._slots[0].bury("", 0)
    fleet._slots[0].due_s = 1e12
    fleet.apply([wanted()])

    assert len(spawner.made) == 1
    fleet.stop()


def test_a_process_that_cannot_be_killed_has_no_successor_yet(tmp_path: Path) -> None:
    """It waits for a disk, and may still write to files that the successor would take over."""
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    spawner.made[0].waits_for_a_disk = True
    fleet._slots[0].heard_s = -1e9
    fleet.watch()
    assert len(spawner.made) == 1

    spawner.made[0].waits_for_a_disk = False
    until(lambda: fleet.watch() or len(spawner.made) == 2)
    assert fleet.workers()[0].restarts == 1
    fleet.stop()


def test_a_camera_that_is_switched_on_and_off_while_it_seals_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first stop left open is open still when the second is answered."""
    monkeypatch.setattr("recorder.capture.fleet.STOP_TIMEOUT_S", 0.05)
    spawner, held = Spawner(), list[Asked]()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    until(lambda: bool(spawner.made[0].asked))
    spawner.made[0].far._handle = held.append
    fleet.apply([])
    spawner.made[0].far._handle = spawner.made[0]._take
    fleet.apply([wanted()])
    fleet.apply([])

    assert not fleet.is_sealed("gate")
    held[0].answer()
    until(lambda: fleet.is_sealed("gate"))
    fleet.stop()


def test_a_camera_that_takes_long_to_stop_is_not_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be written behind a segment that is still open; once the process says so it may."""
    monkeypatch.setattr("recorder.capture.fleet.STOP_TIMEOUT_S", 0.05)
    spawner, held = Spawner(), list[Asked]()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    until(lambda: bool(spawner.made[0].asked))
    spawner.made[0].far._handle = held.append
    assert fleet.apply([]).stop == ("gate",)

    assert not fleet.is_sealed("gate")
    held[0].answer()
    until(lambda: fleet.is_sealed("gate"))
    spawner.made[0].far._handle = spawner.made[0]._take
    fleet.stop()


def test_a_stop_has_time_for_every_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sealed one by one: of hundreds the last waits for all others."""
    monkeypatch.setattr("recorder.capture.fleet.STOP_TIMEOUT_S", 0.0)
    monkeypatch.setattr("recorder.capture.fleet.STOP_EACH_S", 20.0)
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])

    def late(asked: Asked) -> None:
        threading.Timer(0.3, asked.answer).start()

    until(lambda: bool(spawner.made[0].asked))
    spawner.made[0].far._handle = late
    assert fleet.stop()


def test_a_stop_that_nobody_answers_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    """Then the process is ended all the same."""
    monkeypatch.setattr("recorder.capture.fleet.STOP_TIMEOUT_S", 0.05)
    monkeypatch.setattr("recorder.capture.fleet.STOP_EACH_S", 0.0)
    spawner = Spawner()
    fleet = fleet_of(tmp_path, FakeClock(), spawner)
    fleet.apply([wanted()])
    spawner.made[0]._take = lambda asked: None  # type: ignore[method-assign]
    spawner.made[0].far._handle = lambda asked: None  # type: ignore[method-assign]

    assert not fleet.stop()
    assert spawner.made[0].code


def test_what_a_process_has_written_is_committed_here(tmp_path: Path) -> None:
    """Its book obeys the same interface as the store: a recording by way of messages is the same record."""
    clock, spawner = FakeClock(), Spawner()
    store = new_store(tmp_path, clock, "gate")
    fleet = Fleet(store, spawner, clock, secrets=lambda camera: {"password": None})
    fleet.apply([wanted()])
    book = RemoteBook(spawner.made[0].far, store.layout, store.box_id)
    record(book, clock, ("I" + "P" * 9) * 5)  # type: ignore[arg-type]  # what recording needs of a store
    recording = Recording(book, "gate.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    recording.clock_drift_ppb = 12_345
    for packet in packets("I" + "P" * 9, clock):
        data = signed(packet.data, CodecName.H264, signature_unit(CodecName.H264, CameraSignature.AXIS))
        recording.feed(packet._replace(data=data, clock_offset_us=5, lost_packets=1))
    recording.stop(Cause.UNREACHABLE)

    found = segments(store, clock)
    assert sum(one.frames for one in found) == 60
    assert (found[-1].clock_offset_us, found[-1].clock_drift_ppb, found[-1].lost_packets) == (5, 12_345, 10)
    assert [one.camsig for one in found] == [()] * (len(found) - 1) + [(CameraSignature.AXIS,)]
    fleet.stop()


def test_where_segments_go_is_told_by_message(tmp_path: Path) -> None:
    """When it changes, and to a process that begins; a segment lies where it was told, and its row says so."""
    clock, spawner = FakeClock(), Spawner()
    Store.create(tmp_path / "data", "test", clock, "0")
    wishes = [VolumeWish(name, tmp_path / name) for name in "ab"]
    for name in "ab":
        (tmp_path / name).mkdir()
    store = Store.open(tmp_path / "data", clock, volumes=wishes)
    store.cameras.add("gate", "Gate", "rtsp://127.0.0.1:554/main", volume="b")
    store.recover()
    fleet = Fleet(store, spawner, clock, secrets=lambda camera: {"password": None})
    shelves = Shelves(tuple(store.disks.places()), store.cameras.pins())
    fleet.apply([wanted()])
    for _ in range(3):
        fleet.tell_volumes(shelves)
    until(lambda: any(one.kind == "volumes" for one in spawner.made[0].asked))
    told = [shelves_of(one.body) for one in spawner.made[0].asked if one.kind == "volumes"]
    book = RemoteBook(spawner.made[0].far, store.layout, store.box_id, shelves=told[0])
    record(book, clock, ("I" + "P" * 9) * 3)  # type: ignore[arg-type]  # what recording needs of a store

    assert told == [shelves]
    assert {one.volume for one in segments(store, clock)} == {"b"}
    assert [one.name for one in shelves.of("gate")] == ["b", "a"]
    sick = replace(shelves, places=tuple(replace(one, state=Condition.FULL) for one in shelves.places))
    assert sick.of("gate") == list(sick.places)
    fleet.stop()


def test_a_disk_that_a_process_cannot_write_to_is_told(tmp_path: Path) -> None:
    """The main process knows it before it looks itself."""
    clock, spawner = FakeClock(), Spawner()
    store = new_store(tmp_path, clock, "gate")
    fleet = Fleet(store, spawner, clock, secrets=lambda camera: {"password": None})
    fleet.apply([wanted()])
    RemoteBook(spawner.made[0].far, store.layout, store.box_id)._failed("main", StorageFailed())

    until(lambda: [one.state for one in store.volumes()] == ["io_error"])
    fleet.stop()


def test_the_sm3_of_a_segment_goes_by_message(tmp_path: Path) -> None:
    """A capture process that was told to hashes with SM3 too, and its leaf says what came of it."""
    clock, spawner = FakeClock(), Spawner()
    store = new_store(tmp_path, clock, "gate")
    fleet = Fleet(store, spawner, clock, secrets=lambda camera: {"password": None})
    fleet.apply([wanted()])
    book = RemoteBook(spawner.made[0].far, store.layout, store.box_id, with_sm3=True)
    record(book, clock, "I" + "P" * 9)  # type: ignore[arg-type]  # what recording needs of a store
    fleet.stop()

    (one,) = segments(store, clock)
    (leaf,) = [leaf for _, leaf in store.leaves(one.leaf_index, one.leaf_index + 1)]
    assert leaf.fields["sm3"] == sm3(store.media_path(one).read_bytes()).hexdigest()


def test_a_status_goes_by_message_unchanged() -> None:
    """Every field."""
    status = SessionStatus(
        "gate",
        SessionState.BACKING_OFF,
        1,
        cause=Cause.STALLED,
        tracks_left_out=("audio (pcma)",),
        password_in_clear=True,
    )

    assert status_of(status_body(status)) == status


def test_an_order_goes_by_message_unchanged() -> None:
    """Every setting of the camera; what is secret stays outside."""
    camera = replace(wanted(), transport="udp", ca_file="/etc/ca.pem", audio="on", allow_basic=True)
    order = Order(camera, Cause.OPERATOR, "why")
    body = json.loads(json.dumps(order_body(order, {"password": "planted"})))

    assert order_of(body) == order
