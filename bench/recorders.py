"""The recorders that are compared, each started as its user starts it, and asked afterwards what it has stored.

A recorder is used once: `start`, some time, `stop` (when the cameras have fallen silent), then `frames` and
`commits_us`; `end` whatever happened. Each keeps its files below the folder it is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from bench.site import ROOT
from bench.stored import frames_in
from config.times import parse_us

STOP_S = 60.0
"""A recorder that has not ended by then, with nothing left to receive, has failed."""

SILENCE_US = 10_000_000
"""After so much silence of a camera libavformat gives up reading, as Custos does: without a time-out nothing would
end it."""

BETWEEN_STARTS_S = 0.2
"""Of ffmpeg's processes: about what finding out what a stream is costs each. Three hundred together time out."""

LOG_BYTES = 2000
"""Of what a failed recorder said last: as much as is shown."""

LEAVES_AT_ONCE = 10_000


Leaf = Mapping[str, Any]
"""As `custos log show --json` tells it."""


class RecorderFailed(Exception):
    """It ended by itself, did not end when told to, or does not record every camera."""


class Recorder:
    """What all have in common: processes, a folder, and an end."""

    name: ClassVar[str]
    program: ClassVar[str | None] = None
    """What must be on PATH."""
    about: ClassVar[str]
    """What it does with a camera, for those who read the table."""
    expected_bytes: ClassVar[int]
    """Memory a camera, until a measurement has told better."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, segment_s: float) -> None:
        self.folder = folder
        self.segment_s = segment_s
        self._processes: list[subprocess.Popen[bytes]] = []

    @classmethod
    def is_here(cls) -> bool:
        """Whether its program is installed."""
        return cls.program is None or shutil.which(cls.program) is not None

    @property
    def pids(self) -> list[int]:
        """Its processes, without their children."""
        return [one.pid for one in self._processes]

    def start(self, urls: Sequence[str]) -> None:
        """Begin to record these cameras."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises:
        RecorderFailed: a process of it has ended.
        """
        ended = sum(one.poll() is not None for one in self._processes)
        if ended:
            raise RecorderFailed(f"{ended} of {len(self._processes)} processes ended by themselves: {self._said()}")

    def stop(self) -> None:
        """As its operator ends it, and wait.

        Raises:
            RecorderFailed: it does not end.
        """
        self._tell()
        deadline_s = time.monotonic() + STOP_S
        try:
            for one in self._processes:
                one.wait(max(deadline_s - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            raise RecorderFailed(f"It was told to end {STOP_S:.0f} s ago: {self._said()}") from None

    def end(self) -> None:
        """Nothing of it goes on."""
        for one in self._processes:
            if one.poll() is None:
                one.kill()
                one.wait()

    def frames(self) -> int:
        """How many it has stored."""
        return frames_in(self.folder)

    def commits_us(self) -> list[int]:
        """Of each segment that ended while recording went on: how long after its end it was written down. Empty:
        it writes nothing down."""
        return []

    def _tell(self) -> None:
        """Tell it to end."""
        for one in self._processes:
            one.send_signal(self.stop_signal)

    def _run(self, *command: str, **more: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            settings = {"cwd": ROOT, "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **more}
            self._processes.append(subprocess.Popen(command, **settings))

    @property
    def _log(self) -> Path:
        return self.folder / "said.txt"

    def _said(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self._log.read_bytes()[-LOG_BYTES:].decode(errors="replace").strip()
        return ""


class Custos(Recorder):
    """The box as its user starts it."""

    name = "Custos"
    about = "as shipped: every segment hashed while it is written, synced, and entered in the signed log"
    expected_bytes = 16 * 2**20

    def start(self, urls: Sequence[str]) -> None:
        """One process tree, one configuration file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(configuration(urls, self.segment_s))
        self._run(*self._command, "run", "--config", str(self._config), env=_environment())

    def frames(self) -> int:
        """By its log."""
        return stored_frames(self._leaves())

    def commits_us(self) -> list[int]:
        """By its log."""
        return commits_us(self._leaves())

    @property
    def _config(self) -> Path:
        return self.folder / "custos.toml"

    @property
    def _command(self) -> tuple[str, ...]:
        return sys.executable, "-m", "appliance"

    def _leaves(self) -> list[Leaf]:
        leaves: list[Leaf] = []
        while True:
            said = self._log_from(len(leaves))
            leaves += said["leaves"]
            if len(leaves) >= said["size"]:
                return leaves

    def _log_from(self, start: int) -> Mapping[str, Any]:
        asked = ["log", "show", "--json", "--start", str(start), "--count", str(LEAVES_AT_ONCE)]
        done = subprocess.run(
            [*self._command, *asked, "--config", str(self._config)],
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise RecorderFailed(f"Its log cannot be read: {done.stderr.decode(errors='replace')[-LOG_BYTES:]}")
        said: Mapping[str, Any] = json.loads(done.stdout)
        return said


def stored_frames(leaves: Sequence[Leaf]) -> int:
    """Of all segments in a log."""
    return sum(int(one["fields"]["frames"]) for one in leaves if one["type"] == "seg")


def commits_us(leaves: Sequence[Leaf]) -> list[int]:
    """From each segment's end to its leaf. The last of each camera was cut by the box's own stop: it does not count."""
    segments = [one for one in leaves if one["type"] == "seg"]
    by_stream = sorted(segments, key=lambda one: (one["fields"]["stream"], one["fields"]["n"]))
    found = []
    for _, mine in groupby(by_stream, lambda one: one["fields"]["stream"]):
        found += [parse_us(one["at"]) - parse_us(one["fields"]["t1"]) for one in list(mine)[:-1]]
    return found


def configuration(urls: Sequence[str], segment_s: float) -> str:
    """A `custos.toml` with these cameras; without any, with one that is switched off: a box that never had a camera
    records a demonstration."""
    head = f'[box]\ndata_dir = "data"\n\n[http]\nport = 0\n\n[recording]\nsegment_s = {segment_s:g}\n'
    cameras = "".join(
        f'\n[[cameras]]\nid = "cam-{number}"\nname = "Camera {number}"\nurl = "{url}"\n'
        for number, url in enumerate(urls or ["rtsp://127.0.0.1/off"])
    )
    return head + cameras + ("" if urls else "enabled = false\n")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CUSTOS_")}


class Ffmpeg(Recorder):
    """A process a camera: what small recorders are usually built of."""

    name = "ffmpeg"
    program = "ffmpeg"
    about = "`-c copy -f segment`, a process a camera, fragmented MP4; no hashes, no log, no syncing"
    expected_bytes = 24 * 2**20

    def start(self, urls: Sequence[str]) -> None:
        """One after the other."""
        for number, url in enumerate(urls):
            time.sleep(BETWEEN_STARTS_S)
            (self.folder / str(number)).mkdir(parents=True)
            self._run(
                *("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error"),
                # Without a time-out a signal waits for the next packet; a second one would cut the last file short.
                *("-rtsp_transport", "tcp", "-timeout", str(SILENCE_US), "-i", url, "-c", "copy"),
                *("-f", "segment", "-segment_time", f"{self.segment_s:g}", "-segment_format", "mp4"),
                *("-segment_format_options", "movflags=frag_keyframe+empty_moov+default_base_moof"),
                str(self.folder / str(number) / "%05d.mp4"),
            )


class PyavThreads(Recorder):
    """A thread a camera in one process (`bench.pyav_threads`)."""

    name = "PyAV threads"
    about = "a thread a camera in one process, demuxing and muxing to fragmented MP4; no hashes, no log, no syncing"
    expected_bytes = 20 * 2**20

    def start(self, urls: Sequence[str]) -> None:
        """One process; without cameras it waits."""
        waiting = {} if urls else {"stdin": subprocess.PIPE}
        command = (sys.executable, "-m", "bench.pyav_threads", str(self.folder))
        self._run(*command, f"{self.segment_s:g}", str(SILENCE_US), *urls, **waiting)

    def _tell(self) -> None:
        """It ends by itself once its cameras are silent."""
        for one in self._processes:
            if one.stdin is not None:
                one.stdin.close()
