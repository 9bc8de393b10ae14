"""What the log proves of one stream and an interval, as it is handed out: leaves with their paths to one checkpoint.

Everything here can be checked by a stranger against that checkpoint alone (docs/proof.md). Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from recorder.errors import NotSignedYet
from recorder.store import files, tables
from recorder.store.ledger import Ledger, heads
from recorder.store.log.errors import TileMissing
from recorder.store.log.leaves import decode_leaf
from recorder.store.log.note import Checkpoint, open_checkpoint
from recorder.store.log.tree import inclusion_proof
from recorder.store.records import camera_of

BEATS_APART_LIMIT = 1_000_000
"""Leaves that are looked through for the nearest beat: there is one a minute, and more is a log that was not signed."""

_I = tables.items.c


@dataclass(frozen=True)
class ProvenLeaf:
    """A leaf, and the hashes that lead from it to the root of the checkpoint (RFC 6962, 2.1.1)."""

    index: int
    body: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Proof:
    """What the log proves of one stream and an interval."""

    checkpoint_text: str
    checkpoint: Checkpoint
    leaves: tuple[ProvenLeaf, ...]
    """In the order of the log: genesis, the camera's registration, items, beats, holds and discards."""
    heads: Mapping[int, Mapping[str, list[int | str]]]
    """Head vectors of the beats that bind the first and the last item, by the index of the beat's leaf."""


class Proofs:
    """Makes proofs from the log and the catalogue of one box."""

    def __init__(self, ledger: Ledger, origin: str, key: Ed25519PublicKey) -> None:
        self._ledger = ledger
        self._origin = origin
        self._key = key

    def of(self, connection: Connection, stream_id: str, first_n: int, last_n: int) -> Proof:
        """Of the items from one number to another, both included, and of what lies around them.

        Raises:
            NotSignedYet: the newest of them is not below a checkpoint.
            LogError: the log is damaged. StorageError: it cannot be read.
        """
        text, checkpoint = self._signed()
        first, last = self._leaf_of(connection, stream_id, first_n), self._leaf_of(connection, stream_id, last_n)
        if last >= checkpoint.size:
            raise NotSignedYet
        before = self._beat(connection, range(first - 1, -1, -1))
        behind = self._beat(connection, range(last + 1, checkpoint.size))
        vectors = {index: heads(connection, index) for index in (before, behind)}
        numbers = [_head_n(vectors[index], stream_id) for index in (before, behind)]
        wanted = {0, before, behind, *_leaves_around(connection, stream_id, numbers[0] + 1, numbers[1])}
        signed = sorted(index for index in wanted if index < checkpoint.size)
        return Proof(text, checkpoint, tuple(self._proven(connection, signed, checkpoint.size)), vectors)

    def _signed(self) -> tuple[str, Checkpoint]:
        with files.translated(self._ledger.checkpoint_path):
            text = self._ledger.checkpoint_path.read_text(encoding="utf-8")
        return text, open_checkpoint(text, self._origin, self._key)

    def _leaf_of(self, connection: Connection, stream_id: str, n: int) -> int:
        query = select(_I.leaf_index).where(_I.stream_id == stream_id, _I.n == n)
        return int(connection.execute(query).scalar_one())

    def _beat(self, connection: Connection, indexes: range) -> int:
        """The first of these leaves that is a beat."""
        for index in indexes[:BEATS_APART_LIMIT]:
            if decode_leaf(self._ledger.body(connection, index)).type == "beat":
                return index
        raise TileMissing("No beat of the log binds these items.")

    def _proven(self, connection: Connection, indexes: Iterable[int], size: int) -> Iterator[ProvenLeaf]:
        node = self._ledger.tiles.nodes(size)
        for index in indexes:
            path = tuple(inclusion_proof(index, size, node))
            yield ProvenLeaf(index, self._ledger.body(connection, index), path)


def _head_n(vector: Mapping[str, list[int | str]], stream_id: str) -> int:
    return int(vector[stream_id][0]) if stream_id in vector else -1


def _leaves_around(connection: Connection, stream_id: str, first_n: int, last_n: int) -> set[int]:
    """Items, with what discarded them; the camera's registration; all holds; what was handed out of the stream."""
    items = select(_I.leaf_index, _I.del_leaf, _I.done_leaf).where(
        _I.stream_id == stream_id, _I.n.between(first_n, last_n)
    )
    camera = select(tables.cameras.c.leaf_index).where(tables.cameras.c.id == camera_of(stream_id))
    holds = select(tables.holds.c.leaf_index, tables.holds.c.release_leaf)  # all: a discard binds a hash over all
    exports = select(tables.exports.c.leaf_index).where(tables.exports.c.stream_id == stream_id)
    found = [row for query in (items, camera, holds, exports) for row in connection.execute(query)]
    return {int(index) for row in found for index in row if index is not None}
