"""What the log proves of one stream and an interval, as it is handed out: leaves with their paths to one checkpoint.

Everything here can be checked by a stranger against that checkpoint alone (docs/proof.md). Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Select, func, select

from recorder.errors import NotSignedYet
from recorder.store import files, tables
from recorder.store.anchors import Anchors
from recorder.store.keyring import KeyRing
from recorder.store.ledger import Ledger, heads
from recorder.store.log.errors import ProofInvalid, TileMissing
from recorder.store.log.leaves import decode_leaf
from recorder.store.log.note import Checkpoint
from recorder.store.log.tree import consistency_proof, inclusion_proof, restore, verify_consistency
from recorder.store.records import KeptAnchor, camera_of

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
class ProvenAnchor:
    """A stamped or cosigned checkpoint, and how its tree is a beginning of the proof's (RFC 6962, 2.1.2)."""

    anchor: KeptAnchor
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Proof:
    """What the log proves of one stream and an interval."""

    checkpoint_text: str
    checkpoint: Checkpoint
    leaves: tuple[ProvenLeaf, ...]
    """In the order of the log: genesis and what names later keys, the camera's registration, items, beats, holds,
    discards, breaches, exports and views."""
    heads: Mapping[int, Mapping[str, list[int | str]]]
    """Head vectors of the beats that bind the first and the last item, by the index of the beat's leaf."""
    keys: tuple[Ed25519PublicKey, ...]
    """Of the log, the first one first; the last one signed the checkpoint."""
    anchors: tuple[ProvenAnchor, ...] = ()
    """Those nearest to the items: of the authorities, and of each witness, at most one from before them, one of a tree
    with all of them, and one of a tree with their discards too; or else the newest of a tree with the first."""


class Proofs:
    """Makes proofs from the log and the catalogue of one box."""

    def __init__(self, ledger: Ledger, anchors: Anchors, keys: KeyRing) -> None:
        self._ledger = ledger
        self._anchors = anchors
        self._keys = keys

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
        first = self._leaf_of(connection, stream_id, numbers[0] + 1)
        discards = _discards(connection, stream_id, numbers[0] + 1, numbers[1], checkpoint.size)
        anchors = self._anchors.around(connection, first, behind, max([behind, *discards]))
        keys = self._keys.at(checkpoint.size)
        wanted = {before, behind, *_leaves_around(connection, stream_id, numbers[0] + 1, numbers[1])}
        wanted |= {self._beat(connection, range(one + 1, checkpoint.size)) for one in discards}
        wanted |= {one.since for one in keys}  # genesis, and each leaf that names a later one
        wanted |= {one.leaf_index for one in anchors}
        wanted |= self._about_sm2(connection, checkpoint.size)
        signed = sorted(index for index in wanted if index < checkpoint.size)
        leaves = tuple(self._proven(connection, signed, checkpoint.size))
        anchored = tuple(self._anchored(anchors, checkpoint.size))
        return Proof(text, checkpoint, leaves, vectors, tuple(one.key for one in keys), anchored)

    def consistency(self, old: int, checkpoint: Checkpoint) -> tuple[bytes, ...]:
        """That the log of that size goes on to the checkpoint (RFC 6962, 2.1.2), checked before it is handed out.

        Raises:
            ProofInvalid: what is stored does not hash to the checkpoint. LogError: a part of it is not there.
        """
        node = self._ledger.tiles.nodes(checkpoint.size)
        if restore(checkpoint.size, node).root() != checkpoint.root:
            raise ProofInvalid(f"The log does not hash to the checkpoint of {checkpoint.size} leaves.")
        proof = tuple(consistency_proof(old, checkpoint.size, node))
        verify_consistency(old, checkpoint.size, restore(old, node).root(), checkpoint.root, proof)
        return proof

    def _signed(self) -> tuple[str, Checkpoint]:
        with files.translated(self._ledger.checkpoint_path):
            text = self._ledger.checkpoint_path.read_text(encoding="utf-8")
        return text, self._keys.opened(text)

    def _about_sm2(self, connection: Connection, size: int) -> set[int]:
        """The leaf that binds the SM2 key, and the beat that says whether the checkpoint is signed with it."""
        bound = self._ledger.state(connection).sm2_leaf
        return set() if bound is None or bound >= size else {bound, size - 1}

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

    def _anchored(self, anchors: Iterable[KeptAnchor], size: int) -> Iterator[ProvenAnchor]:
        """Without cosignatures whose entries are too new: those say whose they are, and bind them."""
        for one in anchors:
            if one.size <= size and (one.by.key is None or one.leaf_index < size):
                path = consistency_proof(one.size, size, self._ledger.tiles.nodes(size))
                yield ProvenAnchor(one, tuple(path))


def _head_n(vector: Mapping[str, list[int | str]], stream_id: str) -> int:
    return int(vector[stream_id][0]) if stream_id in vector else -1


def _discards(connection: Connection, stream_id: str, first_n: int, last_n: int, size: int) -> set[int]:
    """Entries below the checkpoint that announced a discard of these items; a beat follows each, at once."""
    chosen = (_I.stream_id == stream_id) & _I.n.between(first_n, last_n) & (_I.del_leaf < size - 1)
    return set(connection.execute(select(_I.del_leaf).where(chosen).distinct()).scalars())


def _leaves_around(connection: Connection, stream_id: str, first_n: int, last_n: int) -> set[int]:
    """Items, with what discarded them, and what that broke; the camera's registration and rules; all holds; what was
    handed out of it."""
    items = select(_I.leaf_index, _I.del_leaf, _I.done_leaf).where(
        _I.stream_id == stream_id, _I.n.between(first_n, last_n)
    )
    camera = select(tables.cameras.c.leaf_index).where(tables.cameras.c.id == camera_of(stream_id))
    rules = select(tables.rules.c.leaf_index).where(tables.rules.c.camera_id == camera_of(stream_id))
    holds = select(tables.holds.c.leaf_index, tables.holds.c.release_leaf)  # all: a discard binds a hash over all
    breaches = select(tables.breaches.c.leaf_index).where(
        tables.breaches.c.stream_id == stream_id, tables.breaches.c.n0 <= last_n, tables.breaches.c.n1 >= first_n
    )
    exports = select(tables.exports.c.leaf_index).where(tables.exports.c.stream_id == stream_id)
    queries = (items, camera, rules, holds, breaches, exports, _views(connection, stream_id, first_n, last_n))
    found = [row for query in queries for row in connection.execute(query)]
    return {int(index) for row in found for index in row if index is not None}


def _views(connection: Connection, stream_id: str, first_n: int, last_n: int) -> Select[tuple[int]]:
    """Entries that say that footage of these items was handed out."""
    chosen = (_I.stream_id == stream_id) & _I.n.between(first_n, last_n)
    begins_us, ends_us = connection.execute(select(func.min(_I.t0_us), func.max(_I.t1_us)).where(chosen)).one()
    views = tables.views.c
    overlaps = (views.t0_us < (ends_us or 0)) & (views.t1_us > (begins_us or 0))
    return select(views.leaf_index).where((views.stream_id == stream_id) & overlaps)
