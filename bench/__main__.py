"""``python -m bench``: measure all recorders on this machine, print the table, and write it to `bench/RESULTS.md`.

For each number of cameras and each way of arriving, the recorders follow each other at once, so that what else the
machine does falls on all of them alike. What cannot be measured here (a program that is not installed, too little
memory or disk, no time left) is named with its reason, and does not stop the rest.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import table
from bench.camera import MODES
from bench.film import Scene, film_of
from bench.measure import available_bytes, machine
from bench.others import Mediamtx, Moonfire
from bench.recorders import Custos, Ffmpeg, PyavThreads, Recorder, RecorderFailed
from bench.run import Idle, MachineTooSmall, Measured, Plan, measure, measure_idle, start_limit_s
from bench.site import ROOT, SiteGone

RECORDERS: tuple[type[Recorder], ...] = (Ffmpeg, PyavThreads, Custos, Mediamtx, Moonfire)

CAMERAS = (1, 20, 100, 300)

SPARE = 1.2
"""So much more memory and disk must be free than is likely to be needed: else a measurement ends the machine's day."""

END_S = 15.0
"""Stopping, counting and deleting, of one measurement."""


@dataclass
class Bench:
    """A run of the bench: what it was asked, and what it has found so far."""

    asked: argparse.Namespace
    measured: list[Measured] = field(default_factory=list)
    idle: list[Idle] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    began_s: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Everything that can be measured here."""
        film_of(Scene())  # made before anything is measured
        kinds = [one for one in RECORDERS if self._is_wanted(one)]
        for kind in kinds:
            self._rest_of(kind)
        for cameras in self.asked.cameras:
            for mode in self.asked.mode:
                for kind in kinds:
                    self._measure(kind, cameras, mode)

    def _is_wanted(self, kind: type[Recorder]) -> bool:
        if self.asked.only and short(kind) not in self.asked.only:
            return False
        if not kind.is_here():
            self._skip(f"{kind.name}: there is no `{kind.program}` on PATH.")
            return False
        return True

    def _rest_of(self, kind: type[Recorder]) -> None:
        """A recorder that is a process a camera has no processes without cameras: nothing to measure."""
        if kind is Ffmpeg:
            return
        say(f"{kind.name}, no cameras")
        try:
            self.idle.append(measure_idle(kind, self._plan(0, "bursts")))
        except (RecorderFailed, SiteGone) as err:
            self._skip(f"{kind.name} without cameras: {err}")

    def _measure(self, kind: type[Recorder], cameras: int, mode: str) -> None:
        what = f"{kind.name}, {cameras} cameras, {table.HEADS[mode]}"
        reason = self._reason_against(kind, cameras, mode)
        if reason:
            self._skip(f"{what}: {reason}")
            return
        try:
            found = measure(kind, self._plan(cameras, mode))
        except RecorderFailed as err:
            self._skip(f"{what}: it failed. {err}")
            return
        except (MachineTooSmall, SiteGone) as err:
            self._skip(f"{what}: the machine is too small, or too busy. {err}")
            return
        self.measured.append(found)
        say(
            f"{what}: {table.percent(found):.2f} % of a core each, {found.memory.pss_bytes / 1e6:.0f} MB altogether, "
            f"{found.lost} of {found.sent + found.dropped} frames lost; cameras {found.cameras_cpu * 100:.0f} %"
        )

    def _plan(self, cameras: int, mode: str) -> Plan:
        folder = Path(tempfile.mkdtemp(prefix="custos-bench-", dir=self.asked.data_dir))
        return Plan(cameras, mode, self.asked.seconds, self.asked.segment_s, folder)

    def _reason_against(self, kind: type[Recorder], cameras: int, mode: str) -> str:
        """Why this is not measured; empty: it is."""
        minutes = (time.monotonic() - self.began_s) / 60
        if minutes > self.asked.minutes:
            return f"{minutes:.0f} minutes have passed, and {self.asked.minutes:g} were given (--minutes)."
        memory = SPARE * cameras * self._bytes_each(kind)
        if memory > available_bytes():
            return f"it would take about {memory / 1e9:.0f} GB of memory, and {available_bytes() / 1e9:.0f} are free."
        # At worst it takes all the time it may have to start, and half the cameras are recorded meanwhile.
        seconds = start_limit_s(cameras) / 2 + self._plan_s() + END_S
        disk, free = SPARE * cameras * Scene().bits_per_s / 8 * seconds, self._free_bytes()
        if disk > free:
            return f"it could write {disk / 1e9:.0f} GB, and {free / 1e9:.0f} are free (--data-dir)."
        return ""

    def _plan_s(self) -> float:
        plan = Plan(0, "bursts", self.asked.seconds, self.asked.segment_s, Path())
        return plan.settle_s + plan.window_s

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.asked.data_dir or tempfile.gettempdir()).free

    def _bytes_each(self, kind: type[Recorder]) -> float:
        """By the largest measurement so far."""
        mine = [one for one in self.measured if one.recorder == kind.name]
        return max((one.memory.pss_bytes / one.cameras for one in mine if one.cameras > 1), default=kind.expected_bytes)

    def _skip(self, why: str) -> None:
        self.skipped.append(why)
        say(f"not measured: {why}")

    def page(self) -> str:
        """What was found."""
        about = {one.name: one.about for one in RECORDERS}
        return table.page(
            self.measured,
            self.idle,
            self.skipped,
            about,
            machine(),
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            window_s=self.asked.seconds,
            segment_s=self.asked.segment_s,
        )


def short(kind: type[Recorder]) -> str:
    """A recorder's name on the command line."""
    return kind.name.lower().split()[0].split("-")[0]


def say(what: str) -> None:
    """To whoever waits: a measurement takes more than a minute."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {what}\n")


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="What recording costs on this machine.")
    parser.add_argument("--cameras", type=_numbers, default=CAMERAS, help="how many, for example 1,20")
    parser.add_argument("--seconds", type=float, default=60, help="the window that is measured (default 60)")
    parser.add_argument("--segment-s", type=float, default=60, help="length of segments (default 60, as shipped)")
    parser.add_argument("--only", type=_names, default=[], help=f"some of {','.join(map(short, RECORDERS))}")
    parser.add_argument("--mode", type=_modes, default=list(MODES), help="bursts, frames, or both (default)")
    parser.add_argument("--minutes", type=float, default=45, help="nothing new is begun after them (default 45)")
    parser.add_argument("--data-dir", type=Path, help="where recordings go meanwhile (default: the system's folder)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "RESULTS.md", help="where the table goes")
    return parser.parse_args(told)


def _numbers(text: str) -> list[int]:
    found = [int(one) for one in text.split(",")]
    if min(found) < 1:
        raise argparse.ArgumentTypeError("at least one camera")
    return found


def _names(text: str) -> list[str]:
    return _known(text, [short(one) for one in RECORDERS])


def _modes(text: str) -> list[str]:
    return _known(text, list(MODES))


def _known(text: str, known: Sequence[str]) -> list[str]:
    names = text.split(",")
    unknown = [one for one in names if one not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: one of {', '.join(known)}")
    return names


def main() -> None:
    """Measure, print, write."""
    bench = Bench(arguments())
    # Ended on its way out of whatever it does, so that no recorder goes on and no recording stays.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    bench.run()
    page = bench.page()
    bench.asked.out.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
