"""What became of an interval of a stream, told in few rows: by its runs, its gaps and its receipts, not by its items.

Items touch one another, and so do the segments of a run: nothing lies between its first and its last (docs/storage.md),
and a clock that is set ends it. What a receipt names are neighbours, too, and no gap is among them. So a run is one
stretch, cut where receipts lie in it. Only where media is on its way out, segments are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, func, select

from recorder.causes import Cause
from recorder.store import tables
from recorder.store.records import MediaState
from recorder.store.tiling import Kind, Stretch

_I, _N, _R = tables.items.c, tables.runs.c, tables.receipts.c


# Made once: to make them anew costs more than to carry them out.
_IS_MINE = _I.stream_id == bindparam("stream")

_GAPS = (
    select(_I.t0_us, _I.t1_us, _I.cause, _I.detail)
    .where(_IS_MINE, _I.kind == "gap", _I.t1_us > bindparam("start"), _I.t0_us < bindparam("end"))
    .order_by(_I.t1_us)
)

_RUNS = (
    select(_N.run, _N.t0_us, _N.t1_us, _N.n1)
    .where(_N.stream_id == bindparam("stream"), _N.t1_us > bindparam("start"), _N.t0_us < bindparam("end"))
    .order_by(_N.run)
)
"""The number of a run is that of its first segment."""


def _receipts() -> Select[Any]:
    """Receipts of some items, in the order of these: no two name the same."""
    begin, end = tables.items.alias(), tables.items.alias()
    mine, first = _R.stream_id == bindparam("stream"), bindparam("first", type_=BigInteger)
    nearest = select(func.coalesce(func.max(_R.n0), first)).where(mine, _R.n0 <= first).scalar_subquery()
    return (
        select(_R.n0, _R.n1, _R.done_leaf, begin.c.t0_us, end.c.t1_us)
        .join(begin, (begin.c.stream_id == _R.stream_id) & (begin.c.n == _R.n0))
        .join(end, (end.c.stream_id == _R.stream_id) & (end.c.n == _R.n1))
        .where(mine, _R.n0 >= nearest, _R.n0 <= bindparam("last"))
        .order_by(_R.n0)
    )


_RECEIPTS = _receipts()

_GONE = (
    select(_I.n, _I.t0_us, _I.t1_us)
    .where(_IS_MINE, _I.n.between(bindparam("first"), bindparam("last")), _I.state == MediaState.GONE.value)
    .order_by(_I.n)
)


@dataclass(frozen=True)
class _Gone:
    """Neighbours whose media is gone."""

    n0: int
    n1: int
    t0_us: int
    t1_us: int


def spans(connection: Connection, stream_id: str, start_us: int, end_us: int) -> list[Stretch]:
    """Stretches of what overlaps the interval, as long as they are; those of a clock set back overlap."""
    asked = {"stream": stream_id, "start": start_us, "end": end_us}
    gaps = connection.execute(_GAPS, asked)
    found = [Stretch(Kind.GAP, t0_us, t1_us, Cause(cause), detail or None) for t0_us, t1_us, cause, detail in gaps]
    runs = connection.execute(_RUNS, asked).all()
    if not runs:
        return found
    gone = _gone(connection, stream_id, runs[0].run, max(run.n1 for run in runs))
    for run in runs:
        mine = [one for one in gone if one.n0 <= run.n1 and one.n1 >= run.run]
        found += _cut(Stretch(Kind.RECORDED, run.t0_us, run.t1_us), mine)
    return found


def _gone(connection: Connection, stream_id: str, first_n: int, last_n: int) -> list[_Gone]:
    """What of these items is gone, in order."""
    found: list[_Gone] = []
    for row in connection.execute(_RECEIPTS, {"stream": stream_id, "first": first_n, "last": last_n}).all():
        if row.done_leaf is not None:
            found.append(_Gone(row.n0, row.n1, row.t0_us, row.t1_us))
        else:  # some of its media may be gone
            asked = {"stream": stream_id, "first": row.n0, "last": row.n1}
            found += [_Gone(n, n, t0_us, t1_us) for n, t0_us, t1_us in connection.execute(_GONE, asked)]
    return found


def _cut(run: Stretch, gone: Iterable[_Gone]) -> Iterator[Stretch]:
    """A run in pieces: what is here, and what is gone."""
    at_us = run.t0_us
    for one in gone:
        t0_us, t1_us = max(one.t0_us, run.t0_us), min(one.t1_us, run.t1_us)
        yield Stretch(Kind.RECORDED, at_us, t0_us)
        yield Stretch(Kind.DISCARDED, t0_us, t1_us)
        at_us = t1_us
    yield Stretch(Kind.RECORDED, at_us, run.t1_us)
