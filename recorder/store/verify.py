"""Full verification: invariants 1 to 9 and 11, then 10: every stored byte hashes to what its leaf says. Reads only."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from recorder.errors import StorageError, StoreError
from recorder.store import files, tables
from recorder.store.boxes import BoxesDamaged, outline
from recorder.store.fsck import Finding, check, is_present
from recorder.store.log.sm3 import sm3
from recorder.store.records import MediaState, SegmentHeader, camera_of, segment_id_of
from recorder.store.store import Store

READ_BYTES = 1024 * 1024
"""Hashed at a time: large enough that Python costs nothing, small enough for any machine."""

AHEAD = 2
"""Files that are hashed ahead of whoever looks at the results, for each processor."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


def verify(store: Store, progress: Progress = lambda done, total: None) -> list[Finding]:
    """Everything that `fsck` finds, and every file that does not hash to its leaf."""
    return [*check(store), *media(store, progress)]


def media(store: Store, progress: Progress) -> Iterator[Finding]:
    """10: file bytes hash to the leaf's `sha256` (and `sm3`), and the file says of itself what its row says."""
    query = select(tables.items).where(tables.items.c.state == MediaState.PRESENT.value)
    here = store.disks.here()  # invariant 1 speaks of what is not
    with store.database.read() as connection:
        found = connection.execute(query.order_by(tables.items.c.stream_id, tables.items.c.n)).mappings()
        rows = [row for row in found if row["volume"] in here]
    done, total = 0, sum(row["bytes"] for row in rows)
    places = [store.layout.volume(row["volume"]) / row["path"] for row in rows]
    with_sm3 = any(row["sm3"] is not None for row in rows)
    for row, path, digest in zip(rows, places, hashed(places, with_sm3=with_sm3), strict=True):
        name = segment_id_of(row["stream_id"], row["n"])
        if isinstance(digest, StoreError):
            if not is_present(store, row["stream_id"], row["n"]):
                continue
            yield Finding(10, name, f"its media file cannot be read: {digest}")
            continue
        if digest.sha256 != row["sha256"] or (row["sm3"] is not None and digest.sm3 != row["sm3"]):
            yield Finding(10, name, f"the bytes of {row['path']} are not those that were recorded")
        else:
            expected = SegmentHeader(
                box=store.box_id,
                camera=camera_of(row["stream_id"]),
                stream=row["stream_id"],
                run=row["run"],
                n=row["n"],
                t0_us=row["t0_us"],
                prev=row["prev"],
            )
            yield from _header_agrees(path, name, expected)
        done += row["bytes"]
        progress(done, total)


@dataclass(frozen=True)
class Hashes:
    """What the bytes of a file hash to, in hex."""

    sha256: str
    sm3: str | None = None
    """None: it was not asked for."""


def hashed(paths: Iterable[Path], *, with_sm3: bool = False) -> Iterator[Hashes | StoreError]:
    """The hashes of each file, in order, or why it cannot be read; by all processors, a few files ahead."""
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores, "hash") as pool:
        waiting: deque[Future[Hashes | StoreError]] = deque()
        for path in paths:
            waiting.append(pool.submit(_hash_or_why_not, path, with_sm3))
            if len(waiting) > AHEAD * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _hash_or_why_not(path: Path, with_sm3: bool) -> Hashes | StoreError:
    try:
        return hashes_of(path, with_sm3=with_sm3)
    except StorageError as err:
        return err


def sha256_of(path: Path) -> str:
    """The file's SHA-256, read in pieces.

    Raises:
        StorageError: it cannot be read.
    """
    return hashes_of(path, with_sm3=False).sha256


def hashes_of(path: Path, *, with_sm3: bool) -> Hashes:
    """The file's SHA-256, and its SM3 where that is asked for; read once, in pieces.

    Raises:
        StorageError: it cannot be read. Sm3Unavailable: there is no SM3 here.
    """
    digest, second = hashlib.sha256(), sm3() if with_sm3 else None
    with files.translated(path), path.open("rb", buffering=0) as stream:
        while piece := stream.read(READ_BYTES):
            digest.update(piece)
            if second is not None:
                second.update(piece)
    return Hashes(digest.hexdigest(), None if second is None else second.hexdigest())


def _header_agrees(path: Path, name: str, expected: SegmentHeader) -> Iterator[Finding]:
    try:
        with files.translated(path), path.open("rb") as stream:
            header = outline(stream.read(64 * 1024)).header
    except BoxesDamaged as err:
        yield Finding(10, name, f"its file is not a segment file: {err}")
        return
    if header != expected:
        yield Finding(10, name, "its file says of itself that it is another item")
