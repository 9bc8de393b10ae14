"""What an old catalogue still tells, where a new one is made from the log (docs/adr/0029): side records, and the few
columns that no entry of the log has.

Nothing of it is believed for its own sake. A side record must hash to what its entry carries; a column is taken only
for a row that the log tells of too. What cannot be read is passed over, and named.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, inspect, select, text, update

from recorder.errors import CatalogueError, StorageError
from recorder.store import sidecar, tables
from recorder.store.database import Database
from recorder.store.layout import VOLUME
from recorder.store.records import ExportState

Row = Mapping[str, Any]

_ROWS_AT_ONCE = 2000
"""Read of the old catalogue at a time: it may have millions."""

_UNLOGGED: Mapping[str, tuple[str, ...]] = {
    "cameras": ("password_file", "ca_file", "description"),
    "exports": ("state", "done_bytes", "total_bytes", "problem_code", "problem_text", "ended_us"),
    "anchors": ("id", "note", "reason", "wanted_us"),
    "log_keys": ("place",),
    "items": ("volume", "checked_elapsed_us"),
    "log_state": ("boot", "mono_us", "checkpoint_us"),
    "volumes": ("path",),
}
"""Columns that no entry tells. The tables `scrubs`, `hold_work` and `left_behind`, the row of the volume inside the
data directory, anchors that are still wanted, and side records besides."""


class Old:
    """A catalogue that may be damaged, or may not be there."""

    def __init__(self, path: Path) -> None:
        self.is_there = path.exists()
        self._database = Database(path) if self.is_there else None
        self.unreadable = set[str]()
        """Tables of which not all could be read."""

    def close(self) -> None:
        """Give its connections back."""
        if self._database is not None:
            self._database.close()

    def fold(self) -> bool:
        """Bring its write-ahead log into its file; false: that is damaged, and both are kept as they are."""
        try:
            return self._database is not None and self._database.forget()
        except (CatalogueError, StorageError, sqlite3.Error):  # the last: a file that is no database cannot be opened
            return False

    def refuse_newer(self) -> None:
        """A catalogue of a newer program is not taken apart; one that cannot say whose it is, is.

        Raises:
            DataDirTooNew: a newer program has written it.
        """
        if self._database is None:
            return
        try:
            with self._database.read() as connection:
                self._database.refuse_newer(connection)
        except (CatalogueError, StorageError):
            self.unreadable.add("alembic_version")

    def rows(self, table: str, where: str = "", **values: Any) -> Iterator[Row]:
        """The rows of a table, with the columns that it has; as many as can be read."""
        if self._database is None:
            return
        try:
            with self._database.read() as connection:
                if not inspect(connection).has_table(table):
                    return  # of an older program
                query = text(f"SELECT * FROM {table} {where}")  # noqa: S608 - our own words
                options = connection.execution_options(yield_per=_ROWS_AT_ONCE)
                for row in options.execute(query, values).mappings():
                    yield dict(row)
        except (CatalogueError, StorageError):
            self.unreadable.add(table)

    def record(self, digest: str) -> Mapping[str, Any] | None:
        """A side record; None: it is not to be had, or is not the one of that hash."""
        for row in self.rows("records", "WHERE hash = :digest", digest=digest):
            if sidecar.is_whole(row["salt"], row["body"], digest):
                return sidecar.decoded(row["body"])
        return None

    def one(self, table: str) -> Row:
        """The only row of a table; empty where it cannot be read."""
        return next(iter(self.rows(table)), {})


def records(old: Old, connection: Connection, named: Mapping[str, str], erased: Mapping[str, Row]) -> list[str]:
    """Copy the side records that entries name, and write down which were erased; whose are lost.

    One that was erased, or is lost, is a blank row: an erasure names it, and of a lost one `fsck` speaks.
    """
    had = set[str]()
    for batch in _batches(old.rows("records")):
        chosen = [row for row in batch if row["hash"] in named and _stands(row, erased)]
        had.update(row["hash"] for row in chosen)
        _insert(connection, tables.records, [{name: row[name] for name in ("hash", "salt", "body")} for row in chosen])
    blank = {"salt": bytes(sidecar.SALT_BYTES), "body": " "}
    _insert(connection, tables.records, [{"hash": digest, **blank} for digest in named if digest not in had])
    _insert(connection, tables.erasures, list(erased.values()))
    return [whose for digest, whose in named.items() if digest not in had and digest not in erased]


def _stands(row: Row, erased: Mapping[str, Row]) -> bool:
    if row["hash"] in erased:
        return not any(row["salt"]) and row["body"].isspace()
    return sidecar.is_whole(row["salt"], row["body"], row["hash"])


def cameras(old: Old, connection: Connection) -> None:
    """How the file gave their passwords and certificates, and what they said of themselves."""
    chosen = tables.cameras.c
    for row in old.rows("cameras"):
        is_same = (chosen.id == row["id"]) & (chosen.leaf_hash == row["leaf_hash"])
        _fill(connection, tables.cameras, is_same, row)


def exports(old: Old, connection: Connection) -> set[int]:
    """How far each was; numbers of those of which that is known. That a package was removed, the log tells."""
    known = set[int]()
    chosen = tables.exports.c
    for row in old.rows("exports"):
        is_same = (chosen.id == row["id"]) & (chosen.leaf_index == row["leaf_index"])
        removed = select(chosen.id).where(is_same, chosen.state == ExportState.REMOVED.value)
        more = dict(row)
        if connection.execute(removed).scalar() is not None:
            more["state"] = ExportState.REMOVED.value
        if _fill(connection, tables.exports, is_same, more):
            known.add(int(row["id"]))
    return known


def anchors(old: Old, connection: Connection, size: int) -> None:
    """Why and since when each was wanted, the checkpoint as it was signed, and what waits still."""
    chosen = tables.anchors.c
    connection.execute(update(tables.anchors).values(id=-chosen.id))  # out of the way of the numbers that they had
    for row in old.rows("anchors"):
        if row["token"] is None:
            if row["size"] <= size:
                _insert(connection, tables.anchors, [_columns(tables.anchors, row)])
            continue
        is_same = (chosen.leaf_index == row["leaf_index"]) & (chosen.token == row["token"])
        _fill(connection, tables.anchors, is_same, row)
    left = connection.execute(select(chosen.id).where(chosen.id < 0).order_by(chosen.id.desc())).scalars().all()
    last = connection.execute(select(chosen.id).order_by(chosen.id.desc()).limit(1)).scalar() or 0
    for number, one in enumerate(left, max(last, 0) + 1):
        connection.execute(update(tables.anchors).where(chosen.id == one).values(id=number))


def places(old: Old, connection: Connection) -> None:
    """Where the private halves of the log's keys lay."""
    for row in old.rows("log_keys"):
        is_same = (tables.log_keys.c.number == row["number"]) & (tables.log_keys.c.key == row["key"])
        _fill(connection, tables.log_keys, is_same, row)


def items(old: Old, connection: Connection, *, is_one: bool) -> None:
    """Where the media of each lies, and when it was last looked at. `is_one`: there is no volume but `VOLUME`."""
    chosen = tables.items.c
    is_same = (chosen.stream_id == bindparam("of")) & (chosen.n == bindparam("number"))
    fill = update(tables.items).where(is_same & (chosen.leaf_hash == bindparam("leaf")))
    fill = fill.values(volume=bindparam("lies"), checked_elapsed_us=bindparam("looked"))
    for batch in _batches(old.rows("items", "WHERE kind = 'segment'")):
        told = [
            {
                "of": row["stream_id"],
                "number": row["n"],
                "leaf": row["leaf_hash"],
                "lies": row["volume"],
                "looked": row.get("checked_elapsed_us"),
            }
            for row in batch
            if not is_one
            or (row["volume"], row.get("checked_elapsed_us")) != (VOLUME, row["elapsed_us"])  # as they are
        ]
        if told:
            connection.execute(fill, told)


def scrubs(old: Old, connection: Connection) -> None:
    """How far the scrub was."""
    for row in old.rows("scrubs"):
        _insert(connection, tables.scrubs, [_columns(tables.scrubs, row)])


def volumes(old: Old, connection: Connection) -> None:
    """Where each lies, that inside the data directory, and what was left behind on those that were away."""
    chosen = tables.volumes.c
    for row in old.rows("volumes"):
        if row["name"] == VOLUME:
            _insert(connection, tables.volumes, [_columns(tables.volumes, row)])
        else:
            _fill(connection, tables.volumes, (chosen.name == row["name"]) & (chosen.id == row["id"]), row)
    streams = set(connection.execute(select(tables.streams.c.id)).scalars())
    for row in old.rows("left_behind"):
        if row["stream_id"] in streams:
            _insert(connection, tables.left_behind, [_columns(tables.left_behind, row)])


def held(old: Old, connection: Connection) -> None:
    """What was still to be done for holds, and how far a pass over their media was."""
    holds = set(connection.execute(select(tables.holds.c.id)).scalars())
    for row in old.rows("hold_work"):
        if row["hold_id"] in holds:
            _insert(connection, tables.hold_work, [_columns(tables.hold_work, row)])


def unsigned(old: Old, size: int, is_good: Callable[[bytes], bool]) -> list[bytes]:
    """Entries behind the checkpoint, which lie in the catalogue alone; up to the first that cannot be read."""
    found: list[bytes] = []
    for row in old.rows("leaves", "WHERE idx >= :size ORDER BY idx", size=size):
        body = bytes(row["body"])
        if row["idx"] != size + len(found) or not is_good(body):
            old.unreadable.add("leaves")
            break
        found.append(body)
    return found


def _fill(connection: Connection, table: Table, chosen: Any, row: Row) -> bool:
    """Put the columns that no entry tells into the row that is the same; whether there is one."""
    values = {name: row[name] for name in _UNLOGGED[table.name] if row.get(name) is not None}
    if not values:
        return connection.execute(select(text("1")).select_from(table).where(chosen)).first() is not None
    return connection.execute(update(table).where(chosen).values(**values)).rowcount > 0


def _columns(table: Table, row: Row) -> dict[str, Any]:
    """Those that it has: an older catalogue lacks some, which begin as they did when they were added."""
    return {column.name: row[column.name] for column in table.c if row.get(column.name) is not None}


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]] | list[Row]) -> None:
    if rows:
        connection.execute(insert(table), [dict(row) for row in rows])


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _ROWS_AT_ONCE:
            yield batch
            batch = []
    yield batch
