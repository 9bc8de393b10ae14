"""A catalogue as large as a large box has after ninety days, and its log, made in minutes and true in what is measured.

The box, its cameras and their rules are made by the store itself, under a clock that stands ninety days back; so the
schema is the product's. Then rows are inserted in bulk, in the order in which a box commits them: minute by minute, a
segment of each camera, each at its stream's place, and once a day a gap of a minute, behind which another run begins.
Every row's hash is that of the very leaf that tells of it, every `prev` that of the item before, and the log's tiles
are made of those leaves. What is left out: of the entries in the middle of the log only the hashes are kept (twenty
gigabytes that nothing here reads), and media is there only for what is due to be discarded, as files of a few bytes.
Indexes are made anew behind the rows, as a box's would be after a `VACUUM`; the one of the primary key grows with them.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import insert, update

from bench.logs import BulkTiles
from config.clock import Clock, Reading, Signal
from config.keeping import Protection
from config.times import DAY_US, MINUTE_US, format_us
from recorder.causes import Cause
from recorder.store import files, tables
from recorder.store.clustering import PLACES
from recorder.store.daycount import may_go_us
from recorder.store.layout import VOLUME, segment_path
from recorder.store.log.leaves import encode_leaf
from recorder.store.log.tiles import ENTRIES, TILE_WIDTH, TileName
from recorder.store.records import Head, stream_of
from recorder.store.store import Store

KEPT_DAYS = 90
"""The floor of counter-terrorism targets, and here the target too: then all of it is media that is here."""

SLOTS_A_DAY = 24 * 60
ROWS_A_STREAM = KEPT_DAYS * SLOTS_A_DAY
DUE = 10_000
"""Segments that are past their target."""

ENTRIES_KEPT = 64 * TILE_WIDTH
"""Of the log, at either end: what opening a box reads, and what proves its keys."""

TOGETHER = 1 << 16
"""Leaves written at once, about: tiles of two levels are nearly whole then."""

LOCAL = ZoneInfo("Asia/Shanghai")
_STEP = 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95
_MASK = (1 << 256) - 1
"""Multiples of the one, cut by the other, are hashes to look at, and no two alike."""

_COLUMNS = (
    "rowid, stream_id, n, t0_us, t1_us, prev, leaf_index, leaf_hash, elapsed_us, checked_elapsed_us, run, path, bytes, "
    "sha256"
)
_CONSTANT = {
    "kind": "'segment'",
    "volume": f"'{VOLUME}'",
    "state": "'present'",
    "init_bytes": "1012",
    "init_sha256": f"'{'c' * 64}'",
    "frames": "1500",
    "lost_packets": "0",
    "codec": "'h264'",
    "width": "1920",
    "height": "1080",
    "clock_offset_us": "-1234",
    "clock_drift_ppb": "5678",
    "recovered": "0",
    "camsig": "''",
}
_INSERT = (
    f"INSERT INTO items ({_COLUMNS}, {', '.join(_CONSTANT)}) "  # noqa: S608 - no value of anybody's
    f"VALUES ({', '.join('?' * len(_COLUMNS.split(', ')))}, {', '.join(_CONSTANT.values())})"
)
_INSERT_GAP = (
    "INSERT INTO items (rowid, stream_id, n, kind, t0_us, t1_us, prev, leaf_index, leaf_hash, elapsed_us, cause, "
    "detail) VALUES (?, ?, ?, 'gap', ?, ?, ?, ?, ?, ?, 'box_down', '')"
)


@dataclass(frozen=True)
class Extent:
    """What is to be made."""

    streams: int
    begin_us: int
    """Where the first item begins: a whole minute."""
    slots: int
    """Minutes of each stream."""
    due_slots: int
    """Of these the first ones are past their target."""


class PastClock:
    """A clock that stands where the past begins."""

    def __init__(self, utc_us: int) -> None:
        self._utc_us = utc_us

    def read(self) -> Reading:
        """Both clocks."""
        return Reading(self._utc_us, 0)

    def wait(self, signal: Signal, timeout_s: float) -> bool:
        """Nobody waits for the past."""
        del timeout_s
        return signal.is_set()

    def boot_id(self) -> str:
        """Of another boot than the present one."""
        return "bench"


def extent(rows: int, now_us: int, due: int = DUE) -> Extent:
    """As many streams as so many rows make of ninety days each; a few hours more of each are past their target."""
    streams = max(1, -(-rows // ROWS_A_STREAM))
    due_slots = -(-due // streams)
    due_slots += due_slots // SLOTS_A_DAY + 1  # for the gaps
    cut_us = _due_until_us(now_us)
    begin_us = cut_us - due_slots * MINUTE_US
    return Extent(streams, begin_us, (now_us - begin_us) // MINUTE_US, due_slots)


def _due_until_us(now_us: int) -> int:
    """The end of the newest whole minute that is past its target now: a midnight."""
    at_us = (now_us - (KEPT_DAYS - 1) * DAY_US) // MINUTE_US * MINUTE_US
    while may_go_us(at_us, KEPT_DAYS, LOCAL, None, now_us) > now_us:
        at_us -= MINUTE_US
    return at_us


class RowTiles(BulkTiles):
    """The store's tiles, without the entries in the middle of the log."""

    keep_from = 0
    """Entries are kept from this one on, and the first `ENTRIES_KEPT`."""

    def _put(self, made: Mapping[TileName, bytes]) -> None:
        kept = {name: content for name, content in made.items() if self._is_kept(name)}
        super()._put(kept)

    def _is_kept(self, name: TileName) -> bool:
        """A partial bundle is needed for the next one, and goes with it."""
        first, is_partial = name.index * TILE_WIDTH, name.width < TILE_WIDTH
        return name.level != ENTRIES or is_partial or first < ENTRIES_KEPT or first + TILE_WIDTH > self.keep_from


def make(box: Path, wanted: Extent, clock: Clock, told: Callable[[int], None] = lambda rows: None) -> None:
    """A new box with so many rows, and the log that tells of them, signed as of now."""
    past = PastClock(wanted.begin_us)
    Store.create(box, "bench", past, "0")
    store = Store.open(box, past)
    try:
        heads = [_camera(store, f"camera-{number:03d}", wanted.begin_us) for number in range(wanted.streams)]
        begin = store.checkpoint().size
    finally:
        store.close()
    with closing(sqlite3.connect(box / "catalogue.sqlite", isolation_level=None)) as connection:
        indexes = _made_quick(connection)
        years = Years(wanted, heads, begin, connection, store.layout.log)
        years.run(told)
        for statement in indexes:
            connection.execute(statement)
            told(years.rows)
        connection.execute("PRAGMA journal_mode=WAL")
    files.sync_volume(box)
    store = Store.open(box, past)
    try:
        years.write_down(store, clock)
        for slot in range(wanted.due_slots):
            for head in heads:
                _put_media(store, head, slot, wanted)
        files.sync_volume(box)
    finally:
        store.close()


def _camera(store: Store, name: str, begin_us: int) -> Head:
    kept = {"protection": Protection.COUNTER_TERRORISM, "floor_days": KEPT_DAYS, "target_days": KEPT_DAYS}
    store.cameras.add(name, name, "rtsp://127.0.0.1:554/main", **kept)  # type: ignore[arg-type]
    return store.commit_gap(stream_of(name), begin_us, Cause.UNREACHABLE)


def _put_media(store: Store, head: Head, slot: int, wanted: Extent) -> None:
    """A file where a segment's media would lie."""
    if is_gap(slot, wanted):
        return
    path = store.layout.volume() / segment_path(head.stream_id, head.next_n + slot, wanted.begin_us + slot * MINUTE_US)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"media\n")


def is_gap(slot: int, wanted: Extent) -> bool:
    """Once a day the box is started anew, never in the first minute nor in the last."""
    return slot % SLOTS_A_DAY == SLOTS_A_DAY // 2 and slot < wanted.slots - 1


def _made_quick(connection: sqlite3.Connection) -> list[str]:
    """A power cut now costs all of it, and nobody else looks; the statements that make the indexes again."""
    pragmas = (
        "journal_mode=DELETE",
        "journal_mode=OFF",
        "synchronous=OFF",
        "cache_size=-524288",
        "locking_mode=EXCLUSIVE",
    )
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").fetchall()
    of_items = "type = 'index' AND tbl_name = 'items' AND sql IS NOT NULL"
    found = connection.execute(f"SELECT name, sql FROM sqlite_master WHERE {of_items}").fetchall()  # noqa: S608
    for name, _ in found:
        connection.execute(f'DROP INDEX "{name}"')
    return [statement for _, statement in found]


class Years:
    """Items and leaves, one minute after the other."""

    def __init__(
        self, wanted: Extent, heads: list[Head], begin: int, connection: sqlite3.Connection, log_dir: Path
    ) -> None:
        self._wanted, self._heads, self._connection = wanted, heads, connection
        self._names = [one.stream_id for one in heads]
        self._n0 = heads[0].next_n
        self._prev = [one.prev for one in heads]
        self._size = begin
        self._run = self._n0
        self._runs: list[tuple[int, int, int, int]] = []
        """Each with where it begins and ends, and its last item; alike in all streams."""
        self._tiles = RowTiles(log_dir)
        self._tiles.keep_from = begin + wanted.slots * wanted.streams - ENTRIES_KEPT
        self.rows = 0

    def run(self, told: Callable[[int], None]) -> None:
        """All of it."""
        step = -(-TOGETHER // self._wanted.streams)
        for first in range(0, self._wanted.slots, step):
            slots = range(first, min(self._wanted.slots, first + step))
            bodies: list[bytes] = []
            before = self._size
            self._connection.execute("BEGIN")
            for slot in slots:
                bodies += self._minute(slot)
            self._connection.execute("COMMIT")
            self._tiles.append(before, bodies)
            self._tiles.forget_partials(self._size, before)
            told(self.rows)

    def write_down(self, store: Store, clock: Clock) -> None:
        """What else the catalogue says of them: where the streams stand, their runs, and the log, as of now."""
        wanted, now = self._wanted, clock.read()
        end_us = wanted.begin_us + wanted.slots * MINUTE_US
        root = self._tiles.frontier(self._size).root().hex()
        with store.database.write() as connection:
            for stream_id, prev in zip(self._names, self._prev, strict=True):
                stands = {"next_n": self._n0 + wanted.slots, "prev": prev, "t1_us": end_us}
                connection.execute(update(tables.streams).where(tables.streams.c.id == stream_id).values(**stands))
                for run, t0_us, t1_us, n1 in self._runs:
                    row = {"stream_id": stream_id, "run": run, "t0_us": t0_us, "t1_us": t1_us, "n1": n1}
                    connection.execute(insert(tables.runs).values(**row))
            log = {"size": self._size, "checkpoint_size": self._size, "checkpoint_root": root}
            time = {"elapsed_us": now.utc_us - wanted.begin_us, "boot": clock.boot_id(), "mono_us": now.mono_us}
            connection.execute(update(tables.log_state).values(**log, **time, checkpoint_us=now.utc_us))

    def _minute(self, slot: int) -> Iterator[bytes]:
        """The leaves of a minute, whose rows are written."""
        t0_us = self._wanted.begin_us + slot * MINUTE_US
        n, t1_us, elapsed_us = self._n0 + slot, t0_us + MINUTE_US, (slot + 1) * MINUTE_US
        if is_gap(slot, self._wanted):
            self._run = n + 1
            bodies = [self._gap(at, n, t0_us, t1_us, elapsed_us) for at in range(len(self._names))]
            hashes = list(map(_hash, bodies))
            common = (t0_us, t1_us)
            self._connection.executemany(
                _INSERT_GAP,
                [
                    (_place(at, n), name, n, *common, prev, self._size + at, digest, elapsed_us)
                    for at, (name, prev, digest) in enumerate(zip(self._names, self._prev, hashes, strict=True))
                ],
            )
        else:
            bodies, hashes = self._segments(n, t0_us, t1_us, elapsed_us)
        self._prev = hashes
        self._size += len(bodies)
        self.rows += len(bodies)
        return iter(bodies)

    def _segments(self, n: int, t0_us: int, t1_us: int, elapsed_us: int) -> tuple[list[bytes], list[str]]:
        pattern = leaf_pattern(self._run, n, t0_us, t1_us, elapsed_us)
        suffix = str(segment_path("/", n, t0_us)).lstrip("/")
        bodies, hashes, rows = [], [], []
        for at, (name, prev) in enumerate(zip(self._names, self._prev, strict=True)):
            index = self._size + at
            size, of_media = 29_000_000 + index * 7919 % 2_000_000, f"{index * _STEP & _MASK:064x}"
            body = (pattern % (size, prev, of_media, name)).encode()
            digest = _hash(body)
            bodies.append(body)
            hashes.append(digest)
            path = f"{name}/{suffix}"
            told = (t0_us, t1_us, prev, index, digest, elapsed_us, elapsed_us, self._run, path, size, of_media)
            rows.append((_place(at, n), name, n, *told))
        self._connection.executemany(_INSERT, rows)
        if not self._runs or self._runs[-1][0] != self._run:
            self._runs.append((self._run, t0_us, t1_us, n))
        self._runs[-1] = (self._run, self._runs[-1][1], t1_us, n)
        return bodies, hashes

    def _gap(self, at: int, n: int, t0_us: int, t1_us: int, elapsed_us: int) -> bytes:
        fields = {"stream": self._names[at], "n": n, "prev": self._prev[at]}
        span = {"t0": format_us(t0_us), "t1": format_us(t1_us)}
        return encode_leaf("gap", t1_us, elapsed_us, {**fields, **span, "cause": Cause.BOX_DOWN.value, "detail": ""})


def _place(at: int, n: int) -> int:
    """Where a row lies: as `append_items` has it."""
    return (at + 1) * PLACES + n


def leaf_pattern(run: int, n: int, t0_us: int, t1_us: int, elapsed_us: int) -> str:
    """A segment's leaf with places for what differs between cameras: bytes, prev, sha256, stream, in this order, which
    is that of canonical JSON. Filled, it is what `encode_leaf` writes."""
    at, t0, t1 = map(format_us, (t1_us, t0_us, t1_us))
    told = {"?at": at, "?t0": t0, "?t1": t1}
    numbers = {'"?run"': str(run), '"?n"': str(n), "987654321": str(elapsed_us)}
    body = _pattern()
    for mark, value in (told | numbers).items():
        body = body.replace(mark, value)
    return body


@lru_cache(maxsize=1)
def _pattern() -> str:
    facts = {
        "stream": "?stream",
        "run": "?run",
        "n": "?n",
        "prev": "?prev",
        "t0": "?t0",
        "t1": "?t1",
        "bytes": "?bytes",
        "init_bytes": 1012,
        "init_sha256": "c" * 64,
        "frames": 1500,
        "lost_packets": 0,
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "clock_offset_us": -1234,
        "clock_drift_ppb": 5678,
        "sha256": "?sha256",
        "recovered": False,
        "camsig": [],
    }
    body = encode_leaf("seg", 0, 987654321, facts).decode()
    body = body.replace(format_us(0), "?at").replace('"?bytes"', "%d")
    for name in ("prev", "sha256", "stream"):
        body = body.replace(f"?{name}", "%s")
    return body


def _hash(body: bytes) -> str:
    """RFC 6962, 2.1, as `leaf_hash` has it."""
    return hashlib.sha256(b"\0" + body).hexdigest()
