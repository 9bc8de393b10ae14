"""Views as rows and leaves: who was handed footage through the interface. When that is a new view `viewing` decides.

A view is durable before the first byte is handed out; where it cannot be written down, nothing is. Who and why stands
in a side record. Recording waits for none of this longer than for one short transaction, of which there are at most
`viewing.VIEWS_LIMIT` at once, and one a second after that.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, insert, select, tuple_

from config.clock import Clock
from config.times import format_us
from recorder.errors import TooManyViews, ViewUnknown
from recorder.store import sidecar, tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.records import Asker, View, ViewKind
from recorder.store.viewing import Slots, Viewing, slots_of

_V = tables.views.c


class Views:
    """The views of one box."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._viewing = Viewing()
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # a player's first requests come at once: only one of them writes

    def note(self, stream_id: str, kind: ViewKind, t0_us: int, t1_us: int, asker: Asker) -> None:
        """Have it written down that this footage is about to be handed out; when this returns, it may be.

        Raises:
            TooManyViews: faster than may be written down. StorageError, CatalogueError: it cannot be.
        """
        who, asked = (asker, stream_id, kind), slots_of(t0_us, t1_us)
        if not self._needed(who, asked):
            return
        with self._writing:
            needed = self._needed(who, asked)
            if not needed:
                return
            with self._lock:
                if not self._viewing.may_open(len(needed), self._clock.read().mono_us):
                    raise TooManyViews
            self._write(stream_id, kind, needed, asker)
            with self._lock:
                self._viewing.opened(who, needed, self._clock.read().mono_us)

    def page(
        self,
        start_us: int,
        end_us: int,
        limit: int,
        *,
        stream_id: str | None = None,
        showing_us: int | None = None,
        after: int | None = None,
    ) -> list[View]:
        """Views that were opened in an interval, oldest first.

        Args:
            start_us: of the interval.
            end_us: of the interval.
            limit: how many at most.
            stream_id: of this stream alone.
            showing_us: those alone that name footage of this instant.
            after: the number of the last view of the page before.

        Raises:
            ViewUnknown: there is no view of the number `after`.
        """
        query = _query().where(_V.opened_us >= start_us, _V.opened_us < end_us)
        if stream_id is not None:
            query = query.where(_V.stream_id == stream_id)
        if showing_us is not None:
            query = query.where(_V.t0_us <= showing_us, _V.t1_us > showing_us)
        with self._database.read() as connection:
            if after is not None:
                opened_us = connection.execute(select(_V.opened_us).where(_V.id == after)).scalar()
                if opened_us is None:
                    raise ViewUnknown(f"{ViewUnknown.sentence()} ({after})")
                query = query.where(tuple_(_V.opened_us, _V.id) > (opened_us, after))
            rows = connection.execute(query.order_by(_V.opened_us, _V.id).limit(limit)).mappings()
            return [_view(row) for row in rows]

    def _needed(self, who: object, asked: Slots) -> list[Slots]:
        with self._lock:
            return self._viewing.needed(who, asked, self._clock.read().mono_us)

    def _write(self, stream_id: str, kind: ViewKind, needed: Sequence[Slots], asker: Asker) -> None:
        with self._database.write() as connection:
            for one in needed:
                _append(connection, self._ledger, stream_id, kind, one, asker)


def _append(connection: Connection, ledger: Ledger, stream_id: str, kind: ViewKind, slots: Slots, asker: Asker) -> None:
    record = sidecar.keep(connection, asdict(asker))
    known = connection.execute(select(_V.id).order_by(_V.id.desc()).limit(1)).scalar()
    number = (known or 0) + 1
    span = {"t0": format_us(slots.t0_us), "t1": format_us(slots.t1_us)}
    fields = {"view": number, "stream": stream_id, "kind": kind.value, **span, "record": record}
    entry = ledger.append(connection, "view", fields)
    row: dict[str, Any] = {
        "id": number,
        "stream_id": stream_id,
        "kind": kind.value,
        "t0_us": slots.t0_us,
        "t1_us": slots.t1_us,
        "record": record,
        "opened_us": entry.at_us,
        "leaf_index": entry.index,
    }
    connection.execute(insert(tables.views).values(**row))


def _query() -> Select[Any]:
    records, erasures = tables.records, tables.erasures
    joined = tables.views.join(records, records.c.hash == _V.record)
    joined = joined.outerjoin(erasures, erasures.c.hash == _V.record)
    return select(tables.views, records.c.body, erasures.c.erased_us).select_from(joined)


def _view(row: Any) -> View:
    told = sidecar.decoded(row["body"])
    return View(
        id=row["id"],
        stream_id=row["stream_id"],
        kind=ViewKind(row["kind"]),
        t0_us=row["t0_us"],
        t1_us=row["t1_us"],
        opened_us=row["opened_us"],
        leaf_index=row["leaf_index"],
        asker=Asker(**told) if told else None,
        erased_us=row["erased_us"],
    )
