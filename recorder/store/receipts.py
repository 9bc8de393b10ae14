"""Deletion receipts: what was discarded of a camera, when, by which rule, and how old it was by each clock.

A receipt is a `del` entry together with the `del.done` entry that followed when the media was gone. Rows tell which
entries they are; what they say is read from the log. No media file is touched, and none is there any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, insert, select, update

from config.times import parse_us
from recorder.errors import CatalogueCorrupt
from recorder.store import tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.log.leaves import Leaf
from recorder.store.records import MediaState, Receipt

_R = tables.receipts.c

_FIELDS = ("n0", "n1", "rule", "floor_days", "bytes", "age_wall_us", "age_elapsed_us", "holds")
"""What every `del` entry has told since there were any."""


def announced(connection: Connection, index: int, stream_id: str, n0: int, n1: int) -> None:
    """Write down which items the `del` entry of that index tells of."""
    row = {"leaf_index": index, "stream_id": stream_id, "n0": n0, "n1": n1}
    connection.execute(insert(tables.receipts).values(**row))


def reported(connection: Connection, index: int, stream_id: str, n0: int, n1: int) -> None:
    """Likewise of which receipts the `del.done` entry of that index is the last; one may tell of several, or of a part.

    Called behind what it says of the items: a receipt is done once none of its media is still to be unlinked.
    """
    chosen = (_R.stream_id == stream_id) & (_R.n0 <= n1) & (_R.n1 >= n0) & _R.done_leaf.is_(None)
    connection.execute(update(tables.receipts).where(chosen, ~is_waiting()).values(done_leaf=index))


def is_waiting() -> ColumnElement[bool]:
    """Of a receipt: whether some of its media is still to be unlinked."""
    items = tables.items.c
    mine = (items.stream_id == _R.stream_id) & items.n.between(_R.n0, _R.n1)
    return exists().where(mine, items.state == MediaState.GOING.value)


class Receipts:
    """The deletion receipts of one box."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def page(self, stream_id: str, limit: int, after: int | None = None) -> list[Receipt]:
        """Receipts of a stream, the newest first.

        Args:
            stream_id: of the stream.
            limit: how many at most.
            after: the entry of the last one of the page before; None: from the newest on.

        Raises:
            CatalogueCorrupt: an entry is not what its row says. TileMissing: it cannot be read.
        """
        begins = tables.items.c.t0_us.label("t0_us")
        first = (tables.items.c.stream_id == _R.stream_id) & (tables.items.c.n == _R.n0)
        query = select(tables.receipts, begins).outerjoin(tables.items, first).where(_R.stream_id == stream_id)
        if after is not None:
            query = query.where(_R.leaf_index < after)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(_R.leaf_index.desc()).limit(limit)).mappings().all()
            return [self._read(connection, row) for row in rows]

    def _read(self, connection: Connection, row: Mapping[Any, Any]) -> Receipt:
        leaf = self._ledger.leaf(connection, row["leaf_index"])
        done = None if row["done_leaf"] is None else self._ledger.leaf(connection, row["done_leaf"])
        try:
            return _receipt(row, leaf, done)
        except (KeyError, ValueError) as err:
            said = f"The log's entry {row['leaf_index']} is no deletion receipt of {row['stream_id']}: run custos fsck."
            raise CatalogueCorrupt(said) from err


def _receipt(row: Mapping[Any, Any], leaf: Leaf, done: Leaf | None) -> Receipt:
    facts = leaf.fields
    if (leaf.type, facts["stream"]) != ("del", row["stream_id"]):
        raise ValueError("another entry")
    t1_us = parse_us(facts["t1"])
    return Receipt(
        stream_id=row["stream_id"],
        leaf_index=row["leaf_index"],
        done_leaf=row["done_leaf"],
        t0_us=t1_us if row["t0_us"] is None else row["t0_us"],
        t1_us=t1_us,
        at_us=leaf.at_us,
        done_us=None if done is None else done.at_us,
        **{name: facts[name] for name in _FIELDS},
        rules=facts.get("rules"),
        zone=facts.get("zone"),
        utc_offset_s=facts.get("utc_offset_s"),
    )
