"""Where the rows of items lie in the catalogue's file: those of a stream together (adr/0032).

All cameras commit at the same time, so rows in the order of their coming lie interleaved: a page of five hundred is
five hundred pages of the file. SQLite puts a row where its `rowid` says, and takes the one that it is told. So every
stream has a number, and its rows have places of their own behind it. A place is no fact: nothing is found by it, no
other row speaks of it, and a row that lies elsewhere (of before there were places, or behind a `VACUUM`) is found as
ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Insert,
    MetaData,
    Table,
    bindparam,
    case,
    exists,
    func,
    insert,
    null,
    select,
    type_coerce,
)

from recorder.store import tables

PLACES = 2**32
"""Of each stream: an item a second for a hundred and thirty-six years."""

NUMBERS = 2**31 - 1
"""That a stream may have: a place is a number of 63 bits."""

_COLUMNS = [Column("rowid", BigInteger), *(Column(one.name, one.type) for one in tables.items.c)]
_PLACED = Table("items", MetaData(), *_COLUMNS)
"""The table of items, with what SQLite calls the place of a row."""


def next_number(connection: Connection) -> int:
    """Of a stream that is new: none is ever removed."""
    return int(connection.execute(select(func.coalesce(func.max(tables.streams.c.number), 0))).scalar_one()) + 1


def append_items(connection: Connection, *rows: Mapping[str, Any]) -> None:
    """Insert rows of items, each at its place; one whose place is taken, or whose stream has none, lies elsewhere.

    Args:
        connection: of the transaction.
        rows: at least one; several have the same columns.

    Raises:
        IntegrityError: there is such an item already, or no such stream.
    """
    placed = [{**row, "of_stream": row["stream_id"], "of_n": row["n"]} for row in rows]
    connection.execute(_APPEND, placed if len(placed) > 1 else placed[0])


def _append() -> Insert:
    known = (tables.streams.c.id == bindparam("of_stream")) & tables.streams.c.number.between(1, NUMBERS)
    number = select(tables.streams.c.number).where(known).scalar_subquery()
    place = type_coerce(number * PLACES + bindparam("of_n"), BigInteger)
    is_taken = exists().where(_PLACED.c.rowid == place)
    return insert(_PLACED).values(rowid=case((is_taken, null()), else_=place))


_APPEND = _append()
"""Made once: to make it anew for each item costs more than to carry it out."""
