"""A log as large as years of a large box make it, and what appending, signing and proving cost then.

The tiles are written by the store's own code, of leaves like those of segments; they are made durable once at the end
and not one by one, which is all that making them in bulk leaves out. Everything that is measured goes through the real
store: SQLite with every commit synced, tiles and checkpoint synced file by file. The catalogue holds no items for the
generated leaves: proofs and checkpoints do not read them.

``python -m bench.logs FOLDER`` measures in a process of its own, so that its memory is the log's alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import update

from bench.site import ROOT
from config.clock import SystemClock
from recorder.causes import Cause
from recorder.store import files, tables
from recorder.store.log.leaves import encode_leaf
from recorder.store.log.tiles import ENTRIES, TILE_HEIGHT, TILE_WIDTH, TileName, TileStore
from recorder.store.log.tree import inclusion_proof, leaf_hash, verify_inclusion
from recorder.store.records import stream_of
from recorder.store.store import Store

BATCH = TILE_WIDTH * TILE_WIDTH
"""Leaves written at once: tiles of two levels are whole then, and a level above grows by one hash."""

CAMERAS = 256
"""A checkpoint binds where the chain of each stream stands, so there must be as many as a large box has."""

TOGETHER = 100
"""Leaves of one transaction, where many are written down together."""

PROOFS = 1000
CHECKPOINTS = 30
APPENDED = 20_000
SIGNED_EVERY = 5000
ALONE = 2000
"""How often each is done. A checkpoint a minute at a thousand leaves a second would be far fewer."""

_STEP = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
"""Odd, so that its multiples are hashes to look at, and no two alike."""


class BulkTiles(TileStore):
    """The store's tiles, not made durable one by one."""

    def _put(self, made: Mapping[TileName, bytes]) -> None:
        for name, content in made.items():
            path = self._root / name.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass
class Cost:
    """Of doing something so many times."""

    times: int = 0
    wall_s: float = 0
    cpu_s: float = 0
    """Of the processor: what it costs on a machine that does other things, too."""

    @contextmanager
    def counted(self, times: int = 1) -> Iterator[None]:
        """Add what the block takes."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        yield
        self.times += times
        self.wall_s += time.perf_counter() - wall_s
        self.cpu_s += time.process_time() - cpu_s


@dataclass
class Figures:
    """What was measured at one size."""

    leaves: int
    log_bytes: int = 0
    append: Cost = field(default_factory=Cost)
    """Of leaves, `TOGETHER` in a transaction, with the checkpoints that sign them."""
    alone: Cost = field(default_factory=Cost)
    """Of leaves, each in a transaction of its own, and not signed."""
    proof: Cost = field(default_factory=Cost)
    checkpoint: Cost = field(default_factory=Cost)
    proofs_us: list[int] = field(default_factory=list)
    cold_us: list[int] = field(default_factory=list)
    """Likewise, when the kernel had forgotten the tiles of that path."""
    checkpoints_us: list[int] = field(default_factory=list)
    """Each with what `CAMERAS` cameras have written down in a minute."""
    begin_bytes: int = 0
    """Resident when the store was open."""
    peak_bytes: int = 0


def leaf_pattern() -> bytes:
    """A segment's leaf with places for what differs; filled, it is what `encode_leaf` writes."""
    facts = {
        "stream": "gate-07.main",
        "run": 1,
        "n": 10**9 + 1,
        "prev": "a" * 64,
        "t0": "2026-11-24T00:00:00.000000Z",
        "t1": "2026-11-24T00:01:00.000000Z",
        "bytes": 30_012_345,
        "init_bytes": 1012,
        "init_sha256": "c" * 64,
        "frames": 1500,
        "lost_packets": 0,
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "clock_offset_us": -1234,
        "clock_drift_ppb": 5678,
        "sha256": "b" * 64,
        "recovered": False,
    }
    body = encode_leaf("seg", 1_764_000_000_000_000, 10**15, facts)
    return body.replace(b"a" * 64, b"%(prev)064x").replace(b"b" * 64, b"%(sum)064x").replace(b"1000000001", b"%(n)d")


def leaves(start: int, end: int) -> list[bytes]:
    """Leaves of these numbers."""
    pattern, mask = leaf_pattern(), (1 << 256) - 1
    return [
        pattern % {b"prev": n * _STEP & mask, b"sum": (n + 1) * _STEP & mask, b"n": 10**9 + n}
        for n in range(start, end)
    ]


def grow(store: Store, count: int, told: Callable[[int], None] = lambda size: None) -> None:
    """Let the log have so many leaves, as though they had been appended and signed."""
    tiles, size = BulkTiles(store.layout.log), store.checkpoint().size
    while size < count:
        begin, end = size, min(count, (size // BATCH + 1) * BATCH)
        size = tiles.append(begin, leaves(begin, end))
        tiles.forget_partials(size, begin)
        told(size)
    files.sync_volume(store.layout.log)
    stands = {"size": size, "checkpoint_size": size, "checkpoint_root": tiles.frontier(size).root().hex()}
    with store.database.write() as connection:
        connection.execute(update(tables.log_state).values(**stands))
    store.checkpoint()


class Measuring:
    """The measurements, one after the other, on one log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chance = random.Random(4)  # noqa: S311 - which leaves are proved is no secret
        self.figures = Figures(store.log_size)

    def run(self) -> Figures:
        """All of them."""
        self._cameras()
        self.figures.begin_bytes = _resident_bytes()
        self._prove(PROOFS, self.figures.proofs_us, cold=False)
        self._prove(PROOFS // 4, self.figures.cold_us, cold=True)
        self._sign()
        self._append()
        self._append_alone()
        self.figures.log_bytes = size_of(self._store.layout.log)
        self.figures.peak_bytes = max(_highest_bytes(), self.figures.begin_bytes)  # the kernel counts them apart
        return self.figures

    def _cameras(self) -> None:
        known = {one.id for one in self._store.cameras.all()}
        for name in self._names():
            if name in known:  # this log was measured before
                continue
            self._store.cameras.add(name, name, "rtsp://127.0.0.1:554/main")
            self._store.commit_gap_until_now(stream_of(name), Cause.UNREACHABLE)
        self._store.checkpoint()

    def _names(self) -> Iterator[str]:
        return (f"camera-{number:03d}" for number in range(CAMERAS))

    def _prove(self, count: int, took_us: list[int], *, cold: bool) -> None:
        """A leaf by its number, with the hashes that lead to the checkpoint; checked, outside the time."""
        tiles, signed = self._store.ledger.tiles, self._store.latest_checkpoint()
        assert signed is not None
        for index in (self._chance.randrange(self.figures.leaves) for _ in range(count)):
            if cold:
                self._let_be_forgotten(index)
            begun_ns = time.perf_counter_ns()
            with Cost().counted() if cold else self.figures.proof.counted():
                body = tiles.read_entry(index, signed.size)
                path = inclusion_proof(index, signed.size, tiles.nodes(signed.size))
            took_us.append((time.perf_counter_ns() - begun_ns) // 1000)
            verify_inclusion(leaf_hash(body), index, signed.size, path, bytes.fromhex(signed.root))

    def _let_be_forgotten(self, index: int) -> None:
        """What the kernel keeps of the tiles of a path; others' files are not touched."""
        names = [TileName(ENTRIES, index // TILE_WIDTH)]
        names += [TileName(str(level), index >> TILE_HEIGHT * (level + 1)) for level in range(4)]
        for place in (self._store.layout.log / name.path for name in names):
            if place.is_file():
                with place.open("rb") as stream:
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _sign(self) -> None:
        for _ in range(CHECKPOINTS):
            with self._store.database.write() as connection:
                for body in range(CAMERAS):
                    self._store.ledger.append(connection, "finding", {"what": "minute", "camera": body})
            begun_ns = time.perf_counter_ns()
            with self.figures.checkpoint.counted():
                self._store.checkpoint()
            self.figures.checkpoints_us.append((time.perf_counter_ns() - begun_ns) // 1000)

    def _append(self) -> None:
        with self.figures.append.counted(APPENDED):
            for first in range(0, APPENDED, TOGETHER):
                with self._store.database.write() as connection:
                    for number in range(first, first + TOGETHER):
                        self._store.ledger.append(connection, "finding", {"what": "bench", "number": number})
                if (first + TOGETHER) % SIGNED_EVERY == 0:
                    self._store.checkpoint()

    def _append_alone(self) -> None:
        with self.figures.alone.counted(ALONE):
            for number in range(ALONE):
                self._store.note("finding", {"what": "bench", "number": number})


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _highest_bytes() -> int:
    """The most that was ever resident of this program; getrusage(2) would count the one that has started it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(os.stat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)  # noqa: PTH116,PTH118


def measured(folder: Path) -> Figures:
    """Measure the log of a box in a process of its own.

    Raises:
        CalledProcessError: it failed; its error output went to ours.
    """
    command = [sys.executable, "-m", "bench.logs", str(folder)]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    found |= {name: Cost(**value) for name, value in found.items() if isinstance(value, dict)}
    return Figures(**found)


def main() -> None:
    """In the process of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.logs", description="Measure the log of a box.")
    parser.add_argument("folder", type=Path)
    store = Store.open(parser.parse_args().folder, SystemClock())
    try:
        figures = Measuring(store).run()
    finally:
        store.close()
    sys.stdout.write(json.dumps(asdict(figures)))


if __name__ == "__main__":
    main()
