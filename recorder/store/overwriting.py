"""What a full disk may take from its floor: that the owner wished it so, and what was taken, as entries and rows.

`[retention] when_full = "overwrite"` is written down before it counts for anything. `segments.discard` alone acts on
it, and asks again whether it stands when it does.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from recorder.store import tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.records import Breach

_O = tables.overwriting.c
_B = tables.breaches.c

PAGE_LIMIT = 500
"""Breaches of a page."""


@dataclass(frozen=True)
class Overwrite:
    """Leave to discard what must still be kept, from one disk: the wish that is written down, and which disk it is."""

    wish_leaf: int
    """Index of the entry."""
    volume: str


@dataclass(frozen=True)
class BreachCount:
    """All breaches of a box together."""

    count: int = 0
    bytes: int = 0
    last_us: int | None = None
    """When the last one was; None: there was none."""
    short_us: int = 0
    """By how much too early the worst of them was."""


def wish(connection: Connection) -> int | None:
    """The entry by which a full disk breaks the floor; None: it does not, as the log stands now."""
    row = connection.execute(select(tables.overwriting).order_by(_O.leaf_index.desc()).limit(1)).mappings().first()
    return int(row["leaf_index"]) if row is not None and row["is_on"] else None


class Overwriting:
    """The wish, and its breaches."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def put_in_force(self, *, is_on: bool) -> bool:
        """Write down what was wished, where it is another than before; whether it was."""
        with self._database.write() as connection:
            if (wish(connection) is not None) is is_on:
                return False
            told = {"what": "when_full", "when_full": "overwrite" if is_on else "stop"}
            entry = self._ledger.append(connection, "audit", told)
            connection.execute(insert(tables.overwriting).values(leaf_index=entry.index, is_on=is_on))
            return True

    def is_on(self) -> bool:
        """Whether a full disk breaks the floor, as the log stands now."""
        with self._database.read() as connection:
            return wish(connection) is not None

    def on(self, volume: str) -> Overwrite | None:
        """Leave to break the floor on that disk; None: nobody wished it."""
        with self._database.read() as connection:
            found = wish(connection)
        return None if found is None else Overwrite(found, volume)

    def breaches(self, limit: int = PAGE_LIMIT, after: int | None = None) -> list[Breach]:
        """What was taken, the newest first; `after`: from behind that entry on."""
        query = select(tables.breaches).order_by(_B.leaf_index.desc()).limit(limit)
        if after is not None:
            query = query.where(_B.leaf_index < after)
        with self._database.read() as connection:
            return [Breach(**row) for row in connection.execute(query).mappings()]

    def count(self) -> BreachCount:
        """How much was taken, ever."""
        found = (func.sum(_B.n1 - _B.n0 + 1), func.sum(_B.bytes), func.max(_B.at_us), func.max(_B.short_us))
        with self._database.read() as connection:
            count, size, last_us, short_us = connection.execute(select(*found)).one()
        return BreachCount(int(count or 0), int(size or 0), last_us, int(short_us or 0))


def covers(connection: Connection, stream_id: str, n: int, del_leaf: int) -> int | None:
    """The entry that admits that an item was discarded below its floor, by that discard; None: there is none."""
    told = (_B.stream_id == stream_id) & (_B.n0 <= n) & (_B.n1 >= n) & (_B.leaf_index < del_leaf)
    found = connection.execute(select(func.max(_B.leaf_index)).where(told)).scalar()
    return None if found is None else int(found)
