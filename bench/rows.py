"""``python -m bench.rows``: what asking, discarding and starting cost with the catalogue of years.

Thirty-three million rows (`--rows 33177600`: 256 streams, ninety days of one-minute segments) take some twenty minutes
to make on a quiet machine, and 25 GB of disk; by default there are a million, of eight streams. Beside it stands a box
of one stream that is as old: what grows with the number of rows is seen. The page is `bench/ROWS.md`.

How a catalogue is made is told in `bench.years`; each is measured in a process of its own (`--measure FOLDER`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from appliance.health.survey import Survey
from appliance.wiring.box import offline
from bench import years
from bench.film import TICKS_PER_S, Scene, film_of
from bench.logs import size_of
from bench.measure import machine
from bench.proof import TooLittleDisk, say
from bench.recorders import configuration
from bench.site import ROOT, Site
from bench.table import quantile
from config.clock import SystemClock
from config.load import load
from config.times import DAY_US, MINUTE_US, SECOND_US, format_us, from_datetime
from recorder.capture.recording import Recording
from recorder.capture.source import Packet, Track
from recorder.causes import Cause
from recorder.store.records import CodecName, Page, stream_of
from recorder.store.store import Store
from retention.sweep import sweep

SMALL = years.ROWS_A_STREAM
"""Rows of the catalogue beside which the large one is shown: one stream of ninety days."""

ROW_BYTES = 800
"""Of disk, with its indexes, its leaf's hash, and what making them takes meanwhile."""

PAGE = 500
MONTH_US = 30 * DAY_US
ASKED = 500
COLD = 50
"""How often each is asked, and how often when the kernel has forgotten the catalogue."""

COMMITS_S = 20.0
COMMIT_EACH_S = 0.05
"""So long, and so often, something is committed without a sweep: five times as often as by 256 cameras."""

STARTS = 5

_FRAGMENT = b"moof"
"""In a file that has a whole fragment: its beginning alone is written earlier (ISO/IEC 14496-12, 8.8.4)."""

FIRST_FRAME_S = 120.0
"""A box that has recorded nothing by then has failed."""

GOALS = {"page_ms": 5, "month_ms": 10, "sweep_s": 10, "delay_ms": 100, "start_s": 2}


@dataclass
class Figures:
    """What was measured on one catalogue; times in microseconds of the clock."""

    rows: int = 0
    streams: int = 0
    catalogue_bytes: int = 0
    log_bytes: int = 0
    open_us: list[int] = field(default_factory=list)
    """Opening the store and recovering: with a kernel that has forgotten the catalogue, and at once again."""
    first_frame_us: list[int] = field(default_factory=list)
    """From `custos run` to the first frame that it recorded, by the frame's own time; at first with a kernel that has
    forgotten the catalogue. Empty: none came."""
    on_disk_us: list[int] = field(default_factory=list)
    """And until that lay on the disk: its fragment is two seconds long."""
    page_us: list[int] = field(default_factory=list)
    page_cpu_us: list[int] = field(default_factory=list)
    page_cold_us: list[int] = field(default_factory=list)
    api_us: list[int] = field(default_factory=list)
    """The same page as JSON, by the application itself."""
    month_us: list[int] = field(default_factory=list)
    month_cpu_us: list[int] = field(default_factory=list)
    month_cold_us: list[int] = field(default_factory=list)
    survey_us: list[int] = field(default_factory=list)
    """Once a minute: the first look, and two more."""
    alone_us: list[int] = field(default_factory=list)
    """Commits of segments while nothing is discarded."""
    beside_us: list[int] = field(default_factory=list)
    """And while it is."""
    sweep_us: int = 0
    swept: int = 0


class Measuring:
    """The measurements, one after the other, on one box."""

    def __init__(self, box: Path) -> None:
        self._box = box
        self._clock = SystemClock()
        self._chance = random.Random(7)  # noqa: S311 - which page is asked for is no secret
        self._made_us: tuple[int, int] = (0, 0)
        """Where what was made begins and ends."""
        self.figures = Figures()

    def run(self) -> Figures:
        """All of them; the sweep last, for it changes most."""
        for _ in range(2):
            if not self.figures.open_us:
                self._forget()
            begun_ns = time.perf_counter_ns()
            store = Store.open(self._box, self._clock)
            store.recover()
            self.figures.open_us.append((time.perf_counter_ns() - begun_ns) // 1000)
            store.close()
        store = Store.open(self._box, self._clock)
        try:
            self._count(store)
            self._ask(store)
            self._survey(store)
            self._sweep(store)
        finally:
            store.close()
        self._api()
        self._start()
        return self.figures

    def _count(self, store: Store) -> None:
        with store.database.read() as connection:
            counted = connection.exec_driver_sql("SELECT sum(next_n), count(*) FROM streams").one()
            span = "SELECT min(t0_us), max(t1_us) FROM runs WHERE stream_id = 'camera-000.main'"
            begin_us, end_us = connection.exec_driver_sql(span).one()
            self._made_us = (begin_us, end_us)
        self.figures.rows, self.figures.streams = map(int, counted)
        self.figures.catalogue_bytes = store.layout.catalogue.stat().st_size
        self.figures.log_bytes = size_of(store.layout.log)

    def _ask(self, store: Store) -> None:
        names = [one.stream_id for one in store.cameras.all()]
        figures, begin_us, end_us = self.figures, *self._made_us

        def page() -> Page:
            start_us = self._chance.randrange(begin_us, end_us - PAGE * MINUTE_US)
            return store.page(self._chance.choice(names), start_us, end_us, PAGE)

        def month() -> int:
            start_us = self._chance.randrange(begin_us, max(begin_us + 1, end_us - MONTH_US))
            return len(store.coverage(self._chance.choice(names), start_us, start_us + MONTH_US))

        assert len(page().segments) == PAGE
        assert month() >= 2
        for job, cold_us, warm_us, cpu_us in (
            (page, figures.page_cold_us, figures.page_us, figures.page_cpu_us),
            (month, figures.month_cold_us, figures.month_us, figures.month_cpu_us),
        ):
            for _ in range(COLD):
                self._forget()
                cold_us.append(_took_us(job))
            for _ in range(ASKED):  # the same as those that follow: the kernel has what they need
                job()
            self._chance.seed(8)
            for _ in range(ASKED):
                job()
            self._chance.seed(8)
            for _ in range(ASKED):
                begun_ns = time.thread_time_ns()
                warm_us.append(_took_us(job))
                cpu_us.append((time.thread_time_ns() - begun_ns) // 1000)

    def _api(self) -> None:
        """By the application of a box that does not run; it opens the store itself."""
        path = self._box.parent / "offline.toml"
        path.write_text(f'[box]\ndata_dir = "{self._box}"\n')
        box = offline(load(path, {}), self._clock)
        try:
            self.figures.api_us = _asked_us(box.app, *self._made_us)
        finally:
            box.close()

    def _survey(self, store: Store) -> None:
        survey, cameras = Survey(store), store.cameras.all()
        for _ in range(3):
            self.figures.survey_us.append(_took_us(lambda: survey.look(cameras, self._clock.read().utc_us)))

    def _sweep(self, store: Store) -> None:
        """As the recorder commits, with and without a sweep: each commit is a segment of its own."""
        committing = Committing(store, self._clock)
        self.figures.alone_us = committing.during(lambda: time.sleep(COMMITS_S))
        begun_ns = time.perf_counter_ns()

        def swept() -> None:
            self.figures.swept = sweep(store, self._clock).did

        self.figures.beside_us = committing.during(swept)
        self.figures.sweep_us = (time.perf_counter_ns() - begun_ns) // 1000

    def _start(self) -> None:
        """`custos run` with one camera that sends, beside those of the catalogue, which are switched off."""
        self._switch_off()
        self._forget()
        for _ in range(STARTS):
            with Site(1, "bursts", waits=True) as site:
                path = self._box.parent / "custos.toml"
                text = configuration(site.urls, 60).replace('data_dir = "data"', f'data_dir = "{self._box}"')
                path.write_text(text)
                for first_us, disk_us in first_frame(path, self._box):
                    self.figures.first_frame_us.append(first_us)
                    self.figures.on_disk_us.append(disk_us)

    def _switch_off(self) -> None:
        store = Store.open(self._box, self._clock)
        with store.database.write() as connection:
            connection.exec_driver_sql("UPDATE cameras SET enabled = 0")
        store.close()

    def _forget(self) -> None:
        """What the kernel keeps of the catalogue; others' files are not touched."""
        for path in self._box.glob("catalogue.sqlite*"):
            with path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Committing:
    """Another thread, which records a stream of its own in short segments."""

    def __init__(self, store: Store, clock: SystemClock) -> None:
        self._store = store
        self._clock = clock
        self._stream = stream_of("beside")
        self._over = threading.Event()
        self._took_us: list[int] = []
        if not any(one.id == "beside" for one in store.cameras.all()):
            store.cameras.add("beside", "beside", "rtsp://127.0.0.1:554/main")

    def during(self, job: Callable[[], None]) -> list[int]:
        """How long each commit took meanwhile."""
        self._over.clear()
        self._took_us = []
        thread = threading.Thread(target=self._commit)
        thread.start()
        try:
            job()
        finally:
            self._over.set()
            thread.join()
        return self._took_us

    def _commit(self) -> None:
        """By the recording side's own code, a few pictures to a segment: what is timed is what recording waits for."""
        scene = Scene(width=320, height=180, gop_frames=5, frames=10, bits_per_s=1_000_000)
        frames, rate = film_of(scene).frames, scene.frames_per_s
        while not self._over.wait(COMMIT_EACH_S):
            self._store.commit_gap_until_now(self._stream, Cause.NO_MEDIA)
            recording = Recording(self._store, self._stream, 60 * SECOND_US, Cause.NO_MEDIA, "")
            recording.begin(Track(CodecName.H264))
            for count in range(scene.gop_frames):
                ticks = count * TICKS_PER_S // rate
                recording.feed(Packet(frames[count], ticks, ticks, count == 0, self._clock.read(), 0))
            self._took_us.append(_took_us(lambda: recording.stop(Cause.NO_MEDIA, "")))  # noqa: B023 - called at once


def _asked_us(app: Any, begin_us: int, end_us: int) -> list[int]:
    """Pages through the application, without a network."""

    chance = random.Random(9)  # noqa: S311 - likewise

    async def all_of_them() -> list[int]:
        took = []
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for _ in range(ASKED // 5):
                start_us = chance.randrange(begin_us, end_us - PAGE * MINUTE_US)
                asked: dict[str, str | int] = {"start": format_us(start_us), "end": format_us(end_us), "limit": PAGE}
                begun_ns = time.perf_counter_ns()
                answer = await client.get("/api/v1/cameras/camera-000/segments", params=asked)
                took.append((time.perf_counter_ns() - begun_ns) // 1000)
                assert len(answer.json()["segments"]) == PAGE, answer.text[:500]
        return took

    return asyncio.run(all_of_them())


def first_frame(config: Path, box: Path) -> list[tuple[int, int]]:
    """From `custos run` to the first frame of its camera, and until that lay on the disk; none, if none came.

    The time of a frame is that of its file's name, by the clock of the same machine.
    """
    folder = box / "media" / "main" / stream_of("cam-0")
    shutil.rmtree(folder, ignore_errors=True)
    wall_us, begun_ns = SystemClock().read().utc_us, time.perf_counter_ns()
    process = subprocess.Popen(
        [sys.executable, "-m", "appliance", "run", "--config", str(config)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    took: list[tuple[int, int]] = []
    try:
        while not took and process.poll() is None and time.perf_counter_ns() - begun_ns < FIRST_FRAME_S * 1e9:
            time.sleep(0.005)
            for part in with_fragment(folder)[:1]:
                took.append((_named_us(part) - wall_us, (time.perf_counter_ns() - begun_ns) // 1000))
    finally:
        process.terminate()
        process.wait(60)
    return took


def with_fragment(folder: Path) -> list[Path]:
    """Files that are being recorded and have a frame in them."""
    return [one for one in folder.rglob("*.part") if _FRAGMENT in one.read_bytes()]


def _named_us(part: Path) -> int:
    """When the first frame of a segment came, from the name of its file (`segment_path`)."""
    text = part.name.partition("-")[2].partition("Z")[0]
    return from_datetime(datetime.strptime(text, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC))


def _took_us(job: Callable[[], object]) -> int:
    begun_ns = time.perf_counter_ns()
    job()
    return (time.perf_counter_ns() - begun_ns) // 1000


def made(folder: Path, rows: int) -> Path:
    """A box with so many rows.

    Raises:
        TooLittleDisk: it would not fit.
    """
    need, free = rows * ROW_BYTES * 6 // 5, shutil.disk_usage(folder).free
    if need > free:
        raise TooLittleDisk(f"{rows} rows need {need / 1e9:.0f} GB, and {free / 1e9:.0f} are free (--data-dir).")
    begun_s, box, clock = time.monotonic(), folder / "box", SystemClock()
    wanted = years.extent(rows, clock.read().utc_us)
    years.make(box, wanted, clock, lambda count: say(f"{count} rows"))
    say(f"{wanted.slots * wanted.streams} rows were made in {time.monotonic() - begun_s:.0f} s")
    return box


def measured(box: Path) -> Figures:
    """Measure a box in a process of its own.

    Raises:
        CalledProcessError: it failed; its error output went to ours.
    """
    command = [sys.executable, "-m", "bench.rows", "--measure", str(box.absolute())]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Figures(**json.loads(told.stdout.splitlines()[-1]))


# -- the page


def page(found: Sequence[Figures], about: Sequence[str]) -> str:
    """The whole of `ROWS.md`."""
    lines = "\n".join(f"- {one}" for one in about)
    return "\n\n".join(["# What the rows of years cost", "Written by `make bench`.", lines, table(found), NOTES]) + "\n"


def table(found: Sequence[Figures]) -> str:
    """A line for each figure, a column for each catalogue."""
    lines: list[tuple[str, Callable[[Figures], str]]] = [
        ("streams", lambda one: f"{one.streams}"),
        ("catalogue, bytes", lambda one: f"{one.catalogue_bytes:,} ({one.catalogue_bytes / one.rows:.0f} a row)"),
        (f"page of {PAGE} (goal: {GOALS['page_ms']} ms)", lambda one: _spread(one.page_us)),
        ("— of a processor", lambda one: _spread(one.page_cpu_us)),
        ("— cold", lambda one: _spread(one.page_cold_us)),
        ("— as JSON, by the application", lambda one: _spread(one.api_us)),
        (f"month's coverage (goal: {GOALS['month_ms']} ms)", lambda one: _spread(one.month_us)),
        ("— of a processor", lambda one: _spread(one.month_cpu_us)),
        ("— cold", lambda one: _spread(one.month_cold_us)),
        ("survey: first look, then", lambda one: ", ".join(f"{us / 1e6:.2f} s" for us in one.survey_us)),
        (f"sweep (goal: {years.DUE:,} in {GOALS['sweep_s']} s)", _swept),
        ("commit, nothing swept", lambda one: _with_highest(one.alone_us)),
        (f"commit beside the sweep (goal: {GOALS['delay_ms']} ms more)", lambda one: _with_highest(one.beside_us)),
        ("open and recover, cold, then warm", lambda one: ", ".join(f"{us / 1e6:.2f} s" for us in one.open_us)),
        (f"`custos run` to the first recorded frame (goal: {GOALS['start_s']} s)",
         lambda one: ", ".join(f"{us / 1e6:.2f} s" for us in one.first_frame_us) or "none came"),
        ("— until that lay on the disk",
         lambda one: ", ".join(f"{us / 1e6:.2f} s" for us in one.on_disk_us) or "not measured"),
    ]  # fmt: skip
    heads = ["", *(f"{one.rows:,} rows" for one in found)]
    rows = [[name, *(told(one) for one in found)] for name, told in lines]
    rule = ["---", *["--:"] * len(found)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))


NOTES = f"""How to read it:

- Times are of the clock, as median / the highest of a hundred. All rows are media that is here, of cameras that are
  kept for {years.KEPT_DAYS} days; how they are made is told in `bench/years.py`.
- Pages and months are of streams and instants drawn by lot, {ASKED} of each; cold means that the kernel had forgotten
  the catalogue before each ({COLD} of each). A page is what the interface asks the store for; the application makes
  JSON of it.
- The sweep goes through the box's own pass: each segment is looked at again in a transaction, announced, signed, its
  file removed, the folder synced, and reported. The commits beside it are of a camera that is recorded meanwhile, every
  {COMMIT_EACH_S * 1000:.0f} ms: a part file sealed, its leaf and row written, each synced.
- Starting says of every stream that the box was down, in one transaction. The first frame is that of one camera, which
  answers with a key picture at once, as many do; with others, the wait for theirs comes to it. Those of the catalogue
  are switched off, for the machine could not feed them. Python's own start is in it. {STARTS} starts, the first with a
  kernel that had forgotten the catalogue. A frame lies on the disk when its fragment is whole, two seconds later."""


def _spread(took_us: Sequence[int]) -> str:
    if not took_us:
        return "none"
    ordered = sorted(took_us)
    return f"{quantile(ordered, 0.5) / 1000:.1f} / {quantile(ordered, 0.99) / 1000:.1f} ms"


def _with_highest(took_us: Sequence[int]) -> str:
    return f"{_spread(took_us)}, at most {max(took_us) / 1000:.1f} ms" if took_us else "none"


def _swept(one: Figures) -> str:
    per_goal_s = one.sweep_us / 1e6 * years.DUE / max(1, one.swept)
    return f"{one.swept:,} in {one.sweep_us / 1e6:.1f} s ({years.DUE:,}: {per_goal_s:.1f} s)"


def arguments(told: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.rows", description="What the rows of years cost.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the large catalogue (default 1000000)")
    parser.add_argument("--box", type=Path, help="measure this box, which `--make` has made, and keep it")
    parser.add_argument("--make", type=Path, help="make a box of so many rows in this folder, and measure nothing")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--data-dir", type=Path, help="where it all goes meanwhile (default: the system's folder)")
    parser.add_argument("--note", default="", help="what else the reader must know, such as what else the machine did")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "ROWS.md", help="where the page goes")
    return parser.parse_args(told)


def figures_of(rows: int, data_dir: Path | None) -> Figures:
    """Make a box, measure it, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="custos-bench-", dir=data_dir))
    try:
        return measured(made(folder, rows))
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Make, measure, print, write."""
    asked = arguments()
    if asked.measure is not None:
        sys.stdout.write(json.dumps(asdict(Measuring(asked.measure).run())) + "\n")
        return
    if asked.make is not None:
        asked.make.mkdir(parents=True, exist_ok=True)
        made(asked.make, asked.rows)
        return
    found = [figures_of(SMALL, asked.data_dir)]
    found.append(figures_of(asked.rows, asked.data_dir) if asked.box is None else measured(asked.box))
    facts = {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), **machine()}
    load_average = "/".join(f"{one:.1f}" for one in os.getloadavg())
    about = [f"{name}: {value}" for name, value in facts.items()] + [f"load: {load_average}"]
    text = page(found, about + ([asked.note] if asked.note else []))
    asked.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
