"""Appending to the log inside the caller's transaction, and signing what was appended.

A leaf is part of the transaction that writes the fact it tells of: a row without its leaf, or a leaf without its
row, cannot come to be. Checkpoints follow (docs/storage.md, "The log"); each step is durable before the next::

    1 append a beat; it binds the head of every stream      (transaction)
    2 write the tiles of all leaves so far                  (files, fsync)
    3 sign the root, put the checkpoint in place            (file, fsync)
    4 remember it, drop the leaves that the tiles now hold  (transaction)
    5 remove partial tiles that are superseded

A crash between any two is mended by doing it again: tiles are a function of the leaves, so writing them anew
changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from config.clock import Clock
from recorder.store import tables
from recorder.store.database import Database
from recorder.store.files import write_atomically
from recorder.store.keyring import KeyRing
from recorder.store.log.errors import KeyReplaced
from recorder.store.log.leaves import Leaf, decode_leaf, encode_leaf
from recorder.store.log.note import Checkpoint, sign_checkpoint
from recorder.store.log.tiles import TileStore
from recorder.store.log.tree import leaf_hash
from recorder.store.records import CheckpointRecord

APPEND_BATCH = 4096
"""Leaves read into memory at once while tiles are written: at most 256 MB, ordinarily 2 MB."""

# Made once: to make them anew for each leaf costs more than to carry them out.
_STATE = select(tables.log_state)
_APPEND = insert(tables.leaves)
_ADVANCE = update(tables.log_state)
_WAITING = select(tables.leaves.c.body).where(tables.leaves.c.idx == bindparam("wanted"))


@dataclass(frozen=True)
class Entry:
    """A leaf that was appended in this transaction."""

    index: int
    hash: str
    at_us: int
    elapsed_us: int


@dataclass(frozen=True)
class LogState:
    """Where the log stands."""

    size: int
    elapsed_us: int
    boot: str
    mono_us: int
    checkpoint: CheckpointRecord | None
    sm2_public: str | None = None
    """The SM2 key that the log binds, as base64 of its DER; None: none was ever made."""
    sm2_leaf: int | None = None


Cosign = Callable[[bytes], str]
"""Makes another signature line of a checkpoint's text; whatever it raises, nothing was signed."""


class Ledger:
    """The log of one box."""

    def __init__(self, database: Database, clock: Clock, log_dir: Path, origin: str, keys: KeyRing) -> None:
        self._database = database
        self._clock = clock
        self._origin = origin
        self._keys = keys
        self._boot = clock.boot_id()
        self.tiles = TileStore(log_dir)
        self.checkpoint_path = log_dir / "checkpoint"

    def state(self, connection: Connection) -> LogState:
        """Where the log stands, in this transaction's view."""
        row = connection.execute(_STATE).mappings().one()
        signed = CheckpointRecord(row["checkpoint_size"], row["checkpoint_root"], row["checkpoint_us"])
        return LogState(
            row["size"],
            row["elapsed_us"],
            row["boot"],
            row["mono_us"],
            signed if signed.size else None,
            row["sm2_public"],
            row["sm2_leaf"],
        )

    def elapsed_us(self, connection: Connection) -> int:
        """Box time now: monotonic time summed over all boots. Time between boots does not count: nobody saw it pass."""
        state = self.state(connection)
        return _elapsed(state, self._boot, self._clock.read().mono_us)

    def append(self, connection: Connection, kind: str, fields: Mapping[str, Any]) -> Entry:
        """Append one leaf; it stands when the caller's transaction does.

        Raises:
            LeafTooLarge: it would not fit an entry bundle.
        """
        state, now = self.state(connection), self._clock.read()
        elapsed_us = _elapsed(state, self._boot, now.mono_us)
        body = encode_leaf(kind, now.utc_us, elapsed_us, fields)
        connection.execute(_APPEND, {"idx": state.size, "body": body})
        stands = {"size": state.size + 1, "elapsed_us": elapsed_us, "boot": self._boot, "mono_us": now.mono_us}
        connection.execute(_ADVANCE, stands)
        return Entry(state.size, leaf_hash(body).hex(), now.utc_us, elapsed_us)

    def beat(self, connection: Connection, facts: Mapping[str, Any]) -> Entry:
        """Append the leaf that closes a checkpointed tree: clocks, and the head of every stream."""
        now = self._clock.read()
        fields = {"boot": self._boot, "mono_us": now.mono_us, "heads": heads_hash(heads(connection)), **facts}
        return self.append(connection, "beat", fields)

    def bind_sm2(self, connection: Connection, public: str) -> None:
        """Say once, in a leaf of its own, which SM2 key signs as well."""
        if self.state(connection).sm2_public is None:
            entry = self.append(connection, "sm2", {"public": public})
            connection.execute(update(tables.log_state).values(sm2_public=public, sm2_leaf=entry.index))

    def sign(self, size: int, cosign: Cosign | None = None) -> CheckpointRecord:
        """Steps 2 to 5 for that many leaves, the last of which is a beat. The caller keeps other signers out.

        Writers are not kept out: what they append meanwhile lies behind, and a token may take its time. `cosign`: what
        makes a second signature line, where that beat says that there is one.

        Raises:
            KeyUnavailable: the token cannot be asked; what was appended stands, and the next checkpoint signs it.
        """
        with self._database.read() as connection:
            state = self.state(connection)
            first = 0 if state.checkpoint is None else state.checkpoint.size
            for batch in _batches(connection, first, size):
                self.tiles.append(batch[0][0], [body for _, body in batch])
            key = self._keys.signer(connection)
        root = self.tiles.frontier(size).root()
        checkpoint = Checkpoint(self._origin, size, root)
        second = "" if cosign is None else cosign(checkpoint.body().encode())
        text = sign_checkpoint(checkpoint, key) + second
        write_atomically(self.checkpoint_path, text.encode())
        record = CheckpointRecord(size, root.hex(), self._clock.read().utc_us)
        self._remember(record)
        self.tiles.forget_partials(record.size, first)
        return record

    def sign_text(self, text: bytes, by: Ed25519PublicKey) -> bytes:
        """The signature of that key of this log on something that is no checkpoint.

        Raises:
            KeyReplaced: another key is in force since. KeyUnavailable: the token cannot be asked.
        """
        with self._database.read() as connection:
            key = self._keys.signer(connection)
        if key.public_key() != by:
            raise KeyReplaced
        return key.sign(text)

    def leaf(self, connection: Connection, index: int) -> Leaf:
        """One leaf, from the tiles or from those that wait for them."""
        return decode_leaf(self.body(connection, index))

    def body(self, connection: Connection, index: int) -> bytes:
        """One leaf's bytes."""
        waiting = connection.execute(_WAITING, {"wanted": index}).scalar()
        if waiting is not None:
            return bytes(waiting)
        state = self.state(connection)
        return self.tiles.read_entry(index, state.checkpoint.size if state.checkpoint else 0)

    def bodies(self, connection: Connection, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Leaves ``start`` to ``end`` in order, with bounded memory."""
        state = self.state(connection)
        signed = state.checkpoint.size if state.checkpoint else 0
        end = min(end, state.size)
        if start < min(end, signed):
            yield from enumerate(self.tiles.read_entries(start, min(end, signed), signed), start)
        for batch in _batches(connection, max(start, signed), end):
            yield from batch

    def _remember(self, record: CheckpointRecord) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(tables.log_state).values(
                    checkpoint_size=record.size, checkpoint_root=record.root, checkpoint_us=record.at_us
                )
            )
            connection.execute(delete(tables.leaves).where(tables.leaves.c.idx < record.size))


def heads(connection: Connection, before: int | None = None) -> dict[str, list[int | str]]:
    """Stream to number and leaf hash of its last item; `before` asks for the items of leaves below that index.

    A stream without items is left out: its head is its camera's registration.
    """
    if before is None:
        rows = connection.execute(select(tables.streams).where(tables.streams.c.next_n > 0)).mappings()
        return {row["id"]: [row["next_n"] - 1, row["prev"]] for row in rows}
    found: dict[str, list[int | str]] = {}
    for stream_id in connection.execute(select(tables.streams.c.id)).scalars():
        last = (
            select(tables.items.c.n, tables.items.c.leaf_hash)
            .where(tables.items.c.stream_id == stream_id, tables.items.c.leaf_index < before)
            .order_by(tables.items.c.n.desc())
            .limit(1)
        )
        for n, digest in connection.execute(last):
            found[stream_id] = [n, digest]
    return found


def heads_hash(vector: Mapping[str, Any]) -> str:
    """What a beat carries of the head vector."""
    return hashlib.sha256(rfc8785.dumps(dict(vector))).hexdigest()


def _elapsed(state: LogState, boot: str, mono_us: int) -> int:
    """Within one boot monotonic time runs on; a new boot begins where the last leaf of the old one stood."""
    passed_us = mono_us - state.mono_us if boot == state.boot else 0
    return state.elapsed_us + max(passed_us, 0)


def _batches(connection: Connection, start: int, end: int) -> Iterator[list[tuple[int, bytes]]]:
    while start < end:
        stop = min(end, start + APPEND_BATCH)
        query = select(tables.leaves).where(tables.leaves.c.idx >= start, tables.leaves.c.idx < stop)
        rows = connection.execute(query.order_by(tables.leaves.c.idx)).all()
        if not rows:
            return
        yield [(row.idx, bytes(row.body)) for row in rows]
        start = stop
