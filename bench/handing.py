"""An hour of one camera, and what checking it and handing it out cost beside the system's own programs.

The hour is the film of `bench.film`, 1080p25 of 4 Mbit/s, recorded by the real store under a clock that runs as fast as
it is written. The programs follow each other at once, several times, so that what else the machine does falls on all
of them alike.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.film import TICKS_PER_S, Scene, film_of
from config.clock import Reading, Signal
from config.times import SECOND_US
from recorder.capture.recording import Recording
from recorder.capture.source import Packet, Track
from recorder.causes import Cause
from recorder.store import files
from recorder.store.records import CodecName, Segment, stream_of
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence.export import Wanted, export

CAMERA = "gate"
SEGMENT_S = 60
BEGINS_US = 1_772_323_200 * SECOND_US
"""2026-03-01T00:00:00Z."""


class FilmClock:
    """A clock that goes on with the film."""

    def __init__(self) -> None:
        self._utc_us = BEGINS_US
        self._mono_us = 1000 * SECOND_US

    def read(self) -> Reading:
        """Both clocks."""
        return Reading(self._utc_us, self._mono_us)

    def wait(self, signal: Signal, timeout_s: float) -> bool:
        """Nobody waits for a film that is written as fast as may be."""
        del timeout_s
        return signal.is_set()

    def boot_id(self) -> str:
        """The only one there is."""
        return "bench"

    def advance(self, passed_us: int) -> None:
        """Let both run on."""
        self._utc_us += passed_us
        self._mono_us += passed_us


@dataclass(frozen=True)
class Took:
    """One run of one program."""

    what: str
    bytes: int
    """Of the footage, however often it was read."""
    wall_s: float
    cpu_s: float
    """Its own and its children's."""


def filmed(folder: Path, minutes: int, scene: Scene) -> tuple[Store, FilmClock]:
    """A new box with so many minutes of one camera, and a segment more at either end."""
    clock = FilmClock()
    Store.create(folder, "bench", clock, "0")
    store = Store.open(folder, clock)
    store.cameras.add(CAMERA, CAMERA, "rtsp://127.0.0.1:554/main")
    clock.advance(2 * SECOND_US)
    frames, rate = film_of(scene).frames, scene.frames_per_s
    recording = Recording(store, stream_of(CAMERA), SEGMENT_S * SECOND_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for count in range((minutes + 2) * SEGMENT_S * rate):
        ticks = count * TICKS_PER_S // rate
        is_key = count % len(frames) % scene.gop_frames == 0
        recording.feed(Packet(frames[count % len(frames)], ticks, ticks, is_key, clock.read(), 0))
        clock.advance(SECOND_US // rate)
    recording.stop(Cause.UNREACHABLE, "the film ended")
    store.checkpoint()
    return store, clock


class Comparison:
    """Programs over the same files."""

    def __init__(self, store: Store, clock: FilmClock, minutes: int, work: Path) -> None:
        self._store = store
        self._clock = clock
        self._work = work
        self._media = [one for one in store.items(stream_of(CAMERA), 0, 2**62) if isinstance(one, Segment)]
        begin_us = self._media[1].t0_us
        self._wanted = Wanted(CAMERA, begin_us, begin_us + minutes * SEGMENT_S * SECOND_US, "bench")
        self.took: list[Took] = []

    def run(self, times: int, *, cold: bool) -> None:
        """Each program so often; `cold`: when the kernel keeps nothing of the footage in memory."""
        hashing = ["xargs", "-0", "-n", "1", "-P", str(os.cpu_count()), "sha256sum"]
        openssl = [*hashing[:-1], "openssl", "dgst", "-sha256"]
        paths = [self._store.media_path(one) for one in self._media]
        for _ in range(times):
            self._time("sha256sum, all cores", paths, cold, lambda: _with_paths(hashing, paths))
            self._time("openssl dgst -sha256, all cores", paths, cold, lambda: _with_paths(openssl, paths))
            self._time("custos verify", paths, cold, self._verify)
            for name, program in (("sha256sum", ["sha256sum"]), ("openssl dgst", ["openssl", "dgst", "-sha256"])):
                self._time(f"cp, then {name}", paths, cold, lambda program=program: self._copy(paths, program))  # type: ignore[misc]
            self._time(
                "cp, then sha256sum, then sync", paths, cold, lambda: self._copy(paths, ["sha256sum"], sync=True)
            )
            self._time("custos export", paths, cold, self._export)

    def _time(self, what: str, paths: Sequence[Path], cold: bool, job: Callable[[], None]) -> None:
        files.sync_volume(self._work)  # nobody pays for what the one before left unwritten
        if cold:
            for path in paths:
                with path.open("rb") as stream:
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        wall_s, cpu_s = time.perf_counter(), _cpu_s()
        job()
        wall_s, cpu_s = time.perf_counter() - wall_s, _cpu_s() - cpu_s
        label = f"{what} ({'cold' if cold else 'warm'})"
        self.took.append(Took(label, sum(one.bytes for one in self._media), wall_s, cpu_s))
        for leftover in ("copy", "package"):
            shutil.rmtree(self._work / leftover, ignore_errors=True)

    def _verify(self) -> None:
        findings = verify(self._store)
        assert findings == [], findings

    def _copy(self, paths: Sequence[Path], program: Sequence[str], *, sync: bool = False) -> None:
        target = self._work / "copy"
        target.mkdir()
        subprocess.run(["cp", *paths, target], check=True)
        subprocess.run([*program, *sorted(target.iterdir())], check=True, stdout=subprocess.DEVNULL)
        if sync:
            subprocess.run(["sync", "--file-system", target], check=True)

    def _export(self) -> None:
        done = export(self._store, self._wanted, self._work / "package", self._clock, "bench")
        assert (done.segments, done.altered) == (len(self._media), ())


def _with_paths(command: Sequence[str], paths: Sequence[Path]) -> None:
    subprocess.run(command, input=b"\0".join(map(os.fsencode, paths)), check=True, stdout=subprocess.DEVNULL)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
