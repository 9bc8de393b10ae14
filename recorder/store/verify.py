"""Full verification: invariants 1 to 9 and 11, then 10: every stored byte hashes to what its leaf says. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select

from recorder.errors import StoreError
from recorder.store import files, tables
from recorder.store.boxes import BoxesDamaged, outline
from recorder.store.fsck import Finding, check, is_present
from recorder.store.hashing import hashed
from recorder.store.records import MediaState, SegmentHeader, camera_of, segment_id_of
from recorder.store.store import Store

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


def _header_agrees(path: Path, name: str, expected: SegmentHeader) -> Iterator[Finding]:
    try:
        with files.translated(path), path.open("rb") as stream:
            header = outline(stream.read(64 * 1024)).header
    except BoxesDamaged as err:
        yield Finding(10, name, f"its file is not a segment file: {err}")
        return
    if header != expected:
        yield Finding(10, name, "its file says of itself that it is another item")
