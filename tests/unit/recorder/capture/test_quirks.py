"""What cameras do to recorders, row by row, the whole way: a camera on a real socket, our client, a real store.

Here stand the rows that are about time, parameter sets, key pictures and many cameras; those about connections and
logging in stand with the client (`rtsp/test_source.py`), those about silence with the session.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.times import SECOND_US
from recorder.capture.fleet import CONNECTS_AT_ONCE
from recorder.capture.nal import units
from recorder.capture.rtp.rtcp import NTP_EPOCH_S
from recorder.capture.session import SessionState, SessionStatus
from recorder.capture.source import Packet, Source, Track, WantedCamera
from recorder.capture.sources import source_of
from recorder.causes import Cause
from recorder.store.fsck import check
from recorder.store.records import CodecName, Gap, Item, Segment
from recorder.store.store import Store
from tests.fakes.box import new_store
from tests.fakes.clock import FakeClock
from tests.fakes.rtsp_camera import SSRC, Asked, Behaviour, camera, interleaved, rtp
from tests.fakes.stepping import RunningWorker, until
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import h264_payloads

STEP = 3600
"""Ticks between two pictures of a 25 Hz camera."""


@dataclass(frozen=True)
class Seen:
    """What came of a camera."""

    items: Sequence[Item]
    status: SessionStatus
    store: Store

    @property
    def segments(self) -> list[Segment]:
        return [one for one in self.items if isinstance(one, Segment)]

    @property
    def frames(self) -> int:
        return sum(one.frames for one in self.segments)

    @property
    def causes(self) -> list[Cause]:
        """Of the gaps behind the first picture."""
        return [one.cause for one in self.items[1:] if isinstance(one, Gap)]


def recorded(
    tmp_path: Path, behaviour: Behaviour, done: Callable[[SessionStatus], bool], *, segment_s: float = 2
) -> Seen:
    """Record a camera until it has done what it does."""
    clock = SystemClock()
    store = registered(tmp_path, "gate")
    with camera(behaviour) as url:
        worker = RunningWorker(
            store, lambda one: source_of(one.url, None, None, "tcp", clock), clock, segment_s=segment_s
        )
        worker.apply([WantedCamera("gate", "gate.main", url, None, "")])
        until(lambda: "gate" in worker.snapshot() and done(worker.snapshot()["gate"]))
        status = worker.snapshot()["gate"]
        assert worker.stop()
    store.checkpoint()
    assert check(store) == []
    return Seen(store.items("gate.main", 0, 2**62), status, store)


def registered(tmp_path: Path, *cameras: str) -> Store:
    """A box that knows these for a minute: what they send at once was taken before, and has its place behind that."""
    earlier = FakeClock()
    earlier.utc_us = SystemClock().read().utc_us - 60 * SECOND_US
    new_store(tmp_path, earlier, *cameras).close()
    return Store.open(tmp_path / "data", SystemClock())


class Drawn(Behaviour):
    """Sends these pictures under these stamps, and then nothing."""

    def __init__(self, shots: Sequence[bytes], stamps: Sequence[int]) -> None:
        super().__init__()
        self.shots = list(shots)
        self.stamps = list(stamps)

    def media(self) -> Iterator[bytes]:
        number = 0
        for shot, stamp in zip(self.shots, self.stamps, strict=True):
            for payload, marker in h264_payloads(list(units(shot)), 1000):
                yield interleaved(rtp(payload, number, stamp, marker))
                number += 1


def shots(count: int = 75, gop: int = 25, width: int = 160, height: int = 120) -> list[bytes]:
    return [unit for unit, _ in access_units(CodecName.H264, count, gop, width, height)]


def stored(count: int, status: SessionStatus) -> bool:
    return status.frames >= count


def film_s(seen: Seen) -> float:
    return (seen.segments[-1].t1_us - seen.segments[0].t0_us) / 1e6


def test_quirk_1_wrong_stamps_on_the_first_packets(tmp_path: Path) -> None:
    """22530, then 3780 and on: every picture is kept, and the record is as long as the film."""
    film = shots()
    seen = recorded(tmp_path, Drawn(film, [22_530, *(3780 + n * STEP for n in range(74))]), partial(stored, 75))

    assert seen.frames == 75
    assert seen.causes == []
    assert abs(film_s(seen) - 3) < 0.5
    assert seen.status.nudged > 0


def test_quirk_2_stamps_that_repeat_and_go_back(tmp_path: Path) -> None:
    """The muxer refuses equal and lower decode times: they are put right, told, and no picture is lost (MediaMTX 2542,
    2541, 2439)."""
    stamps = [n * STEP for n in range(75)]
    stamps[10] = stamps[9]
    stamps[20], stamps[21] = stamps[18], stamps[18] + 1
    seen = recorded(tmp_path, Drawn(shots(), stamps), partial(stored, 75))

    assert seen.frames == 75
    assert seen.status.nudged + seen.status.invented > 0
    assert seen.status.state == "recording"


def test_quirk_3_pictures_without_a_time_of_their_own(tmp_path: Path) -> None:
    """Every second picture comes under its predecessor's stamp, as where a server has none for it."""
    seen = recorded(tmp_path, Drawn(shots(), [n // 2 * 2 * STEP for n in range(75)]), partial(stored, 75))

    assert seen.frames == 75
    assert seen.status.invented > 0
    assert abs(film_s(seen) - 3) < 0.5


@pytest.mark.parametrize("jump", [3600 * 90_000, -10 * 90_000, 2**31 - 1])
def test_quirk_4_stamps_that_jump(tmp_path: Path, jump: int) -> None:
    """An hour ahead, back, half of all numbers: one run ends, the next begins at a key picture, right behind it
    (MediaMTX 4711, 5984)."""
    stamps = [100_000_000 + n * STEP + (jump if n >= 50 else 0) for n in range(75)]
    seen = recorded(tmp_path, Drawn(shots(), stamps), partial(stored, 75))

    assert seen.frames == 75
    assert len({one.run for one in seen.segments}) == 2
    assert max(one.duration_s for one in seen.segments) < 5
    assert abs(film_s(seen) - 3) < 0.2
    assert set(seen.causes) <= {Cause.TIMESTAMP_JUMP}


def test_quirk_4_stamps_that_wrap(tmp_path: Path) -> None:
    """2^32 is no jump: the run goes on."""
    seen = recorded(tmp_path, Drawn(shots(), [2**32 - 40 * STEP + n * STEP for n in range(75)]), partial(stored, 75))

    assert seen.frames == 75
    assert len({one.run for one in seen.segments}) == 1
    assert abs(film_s(seen) - 3) < 0.2


def test_quirk_7_a_size_that_changes_in_the_stream(tmp_path: Path) -> None:
    """One sample description a file: the new size begins a new run at that very instant, and nothing is missing."""
    film = [*shots(50), *shots(50, width=192, height=128)]
    seen = recorded(tmp_path, Drawn(film, [n * STEP for n in range(100)]), partial(stored, 100))

    assert seen.frames == 100
    assert (seen.segments[-1].width, seen.segments[-1].height) == (192, 128)
    assert {(one.width, one.height) for one in seen.segments} == {(160, 120), (192, 128)}
    assert seen.causes == []


def test_quirk_7_parameter_sets_that_flip_five_times_a_minute(tmp_path: Path) -> None:
    """Each flip is a run of its own, whole, and the record goes on behind the last (MediaMTX 4262)."""
    film = [shot for turn in range(6) for shot in shots(25, width=160 if turn % 2 else 192)]
    seen = recorded(tmp_path, Drawn(film, [n * STEP for n in range(150)]), partial(stored, 150))

    assert seen.frames == 150
    assert len({one.run for one in seen.segments}) == 6
    assert seen.segments[0].width == 192


def test_quirk_9_a_camera_that_sends_one_key_picture_only(tmp_path: Path) -> None:
    """A segment is cut at twice its length with any picture."""
    film = shots(200, gop=250)
    seen = recorded(tmp_path, Drawn(film, [n * STEP for n in range(200)]), partial(stored, 200))

    assert seen.frames == 200
    assert max(one.duration_s for one in seen.segments) <= 4.1
    assert len(seen.segments) == 2


class Impatient(Behaviour):
    """Gives a session two seconds, and takes no GET_PARAMETER for a sign of life."""

    def answer(self, asked: Asked) -> bytes | None:
        if asked.method == "GET_PARAMETER":
            return self.say(asked, 454)
        if asked.method == "SETUP":
            return self.say(asked, 200, f"Session: 4711;timeout=2\r\nTransport: {self.transport()}")
        return super().answer(asked)


def test_quirk_10_a_keep_alive_that_is_refused(tmp_path: Path) -> None:
    """Another is tried at once; the camera sees it within its time-out."""
    behaviour = Impatient()
    recorded(tmp_path, behaviour, lambda status: "OPTIONS" in [one.method for one in behaviour.asked[4:]])

    methods = [one.method for one in behaviour.asked]
    assert methods.index("GET_PARAMETER") < len(methods) - 1 - methods[::-1].index("OPTIONS")


def test_quirk_19_a_camera_that_replays_what_it_had_buffered(tmp_path: Path) -> None:
    """Eight seconds of pre-roll come at once: they are told when they were taken, not when they came (MediaMTX
    5550)."""
    film = shots(200, gop=25)
    begun_us = SystemClock().read().utc_us
    seen = recorded(tmp_path, Drawn(film, [n * STEP for n in range(200)]), partial(stored, 200))
    ended_us = SystemClock().read().utc_us

    assert seen.frames == 200
    assert begun_us <= seen.segments[-1].t1_us <= ended_us
    assert abs(film_s(seen) - 8) < 0.2


class Wrong(Drawn):
    """Its clock is off by so much, which its sender reports say."""

    def __init__(self, off_us: int) -> None:
        super().__init__(shots(), [n * STEP for n in range(75)])
        self._off_us = off_us

    def media(self) -> Iterator[bytes]:
        now_us = SystemClock().read().utc_us + self._off_us
        whole, part = divmod(now_us, 1_000_000)
        report = struct.pack("!BBHIIIIII", 0x80, 200, 6, SSRC, whole + NTP_EPOCH_S, (part << 32) // 1_000_000, 0, 1, 1)
        yield interleaved(rtp(b"", 0xFFFF, 0, False)) + interleaved(report, 1)
        yield from super().media()


def test_two_cameras_whose_clocks_differ(tmp_path: Path) -> None:
    """An hour ahead and a day behind: both are recorded by the box's clock, and each segment says how far off its
    camera was."""
    off_us = (3_600_000_000, -86_400_000_000)
    seen = [recorded(tmp_path / f"{n}", Wrong(off), partial(stored, 75)) for n, off in enumerate(off_us)]
    now_us = SystemClock().read().utc_us

    for one, off in zip(seen, off_us, strict=True):
        assert one.frames == 75
        assert 0 <= now_us - one.segments[0].t0_us < 60_000_000
        assert all(abs((segment.clock_offset_us or 0) - off) < 10_000_000 for segment in one.segments)


class SoundLater(Drawn):
    """After its first session it says that it has sound only."""

    def __init__(self) -> None:
        super().__init__(shots(10), [n * STEP for n in range(10)])
        self.stays = False

    def sdp(self) -> str:
        if sum(one.method == "DESCRIBE" for one in self.asked) < 2:
            return super().sdp()
        return "v=0\r\nm=audio 0 RTP/AVP 8\r\na=control:track1\r\n"


def test_a_camera_that_comes_back_with_sound_only(tmp_path: Path) -> None:
    """That is no recording: it is told at once, and what was recorded before is whole (go2rtc 1847)."""
    seen = recorded(
        tmp_path,
        SoundLater(),
        lambda status: status.problem_code == "source_no_video" and status.state is SessionState.BACKING_OFF,
    )

    assert seen.frames == 10
    assert seen.status.state != "recording"
    assert seen.causes[-1] is Cause.STREAM_INVALID


class Slow:
    """Obeys `Source`: takes its time to connect, and counts who else does."""

    def __init__(self, among: list[int], most: list[int], lock: threading.Lock, hurry: threading.Event) -> None:
        self._among, self._most, self._lock, self._hurry = among, most, lock, hurry

    def open(self) -> Track:
        with self._lock:
            self._among[0] += 1
            self._most[0] = max(self._most[0], self._among[0])
        self._hurry.wait(0.02)
        with self._lock:
            self._among[0] -= 1
        return Track(CodecName.H264)

    def take(self) -> Sequence[Packet]:
        return ()

    def close(self) -> None:
        self._hurry.set()

    def release(self) -> None:
        """Nothing is held."""


def test_quirk_20_two_hundred_cameras_at_once(tmp_path: Path) -> None:
    """They are connected to twenty at a time, and each has its turn."""
    clock = SystemClock()
    Store.create(tmp_path / "data", "test", clock, "0")
    store = Store.open(tmp_path / "data", clock)
    among, most, lock, hurry = [0], [0], threading.Lock(), threading.Event()
    opened: set[str] = set()

    def factory(one: WantedCamera) -> Source:
        opened.add(one.id)
        return Slow(among, most, lock, hurry)

    wanted = []
    for n in range(200):
        made = store.cameras.add(f"c{n}", f"C{n}", "rtsp://127.0.0.1/live")
        wanted.append(WantedCamera(made.id, made.stream_id, made.url, None, ""))
    worker = RunningWorker(store, factory, clock, segment_s=2, connects=CONNECTS_AT_ONCE)
    worker.apply(wanted)
    until(lambda: len(opened) == 200)
    hurry.set()
    assert worker.stop()

    assert 1 < most[0] <= CONNECTS_AT_ONCE
