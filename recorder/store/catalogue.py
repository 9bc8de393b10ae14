"""Asking the catalogue: which items there are, what an interval looks like, how much was kept. Touches no file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, or_, select, tuple_

from config.times import HOUR_US
from recorder.causes import Cause
from recorder.errors import SegmentUnknown
from recorder.store import tables
from recorder.store.database import Database
from recorder.store.holds import active
from recorder.store.records import (
    AudioCodec,
    AudioFacts,
    CameraSignature,
    CodecName,
    Gap,
    GapSum,
    Hold,
    Item,
    MediaState,
    Page,
    Reach,
    ReceiptSpan,
    Recorded,
    Sample,
    Segment,
    Signing,
    Stock,
    camera_of,
    segment_id_of,
)
from recorder.store.segments import parse_segment_id
from recorder.store.spans import spans
from recorder.store.tiling import Stretch, lay_over

MAX_SEGMENT_US = HOUR_US
"""No segment is longer (settings allow 600 s, the cap is twice that): a range on the start finds all that overlap."""

WITHOUT_LIMIT = 200
"""Intervals that a question leaves out: SQLite takes no expression that is a thousand deep."""

ALIKE_LIMIT = 64
"""Texts of a column that are read once: of all rows of a page they are the same, but for counts of sound."""

EVER_US = -(2**62)
"""Before all instants."""

_I = tables.items.c

_ALIKE = ("stream_id", "n", "t0_us", "t1_us", "prev", "leaf_index", "leaf_hash", "elapsed_us")
"""Columns and fields of all items, by one name."""


_FACTS = tuple(one.name for one in fields(Segment) if one.name != "held")
"""Of a segment, as its row has them."""

_CODECS = {one.value: one for one in CodecName}
_STATES = {one.value: one for one in MediaState}

_LAST_N = 2**62
"""Behind all numbers."""

# Made once, and with one bound from below: the planner could take no more, and might take the wrong one.
_PAGE = (
    select(*(_I[name] for name in _FACTS))
    .where(
        _I.stream_id == bindparam("stream"),
        tuple_(_I.t0_us, _I.n) > tuple_(bindparam("behind_us"), bindparam("behind_n")),
        _I.t0_us < bindparam("end"),
        _I.t1_us > bindparam("start"),
        _I.kind == "segment",
    )
    .order_by(_I.t0_us, _I.n)
    .limit(bindparam("most"))
)


class Catalogue:
    """Read-only views; each call is one consistent view of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def segment(self, segment_id: str) -> Segment:
        """One segment by its public id.

        Raises:
            SegmentUnknown: there is none, or that item is a gap.
        """
        stream_id, n = parse_segment_id(segment_id)
        query = select(tables.items).where(_I.stream_id == stream_id, _I.n == n, _I.kind == "segment")
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise SegmentUnknown(f"{SegmentUnknown.sentence()} ({segment_id})")
            return _segment(row, active(connection))

    def page(self, stream_id: str, start_us: int, end_us: int, limit: int, after_n: int | None = None) -> Page:
        """Segments that overlap the interval, by start; `after_n` goes on behind that item: by key, never by offset."""
        with self._database.read() as connection:
            behind = (start_us - MAX_SEGMENT_US, _LAST_N)
            if after_n is not None:
                behind = max(behind, _place_of(connection, stream_id, after_n))
            asked = {"stream": stream_id, "start": start_us, "end": end_us, "most": limit + 1}
            found = _segments(connection, _PAGE, {**asked, "behind_us": behind[0], "behind_n": behind[1]})
        page = tuple(found[:limit])
        return Page(page, page[-1].n if len(found) > limit else None)

    def items(self, stream_id: str, start_us: int, end_us: int) -> list[Item]:
        """Segments and gaps that overlap the interval, in item order."""
        gaps = select(tables.items).where(
            _I.stream_id == stream_id, _I.kind == "gap", _I.t1_us > start_us, _I.t0_us < end_us
        )
        segments = _overlapping(stream_id, start_us, end_us).where(_I.kind == "segment")
        with self._database.read() as connection:
            holds = active(connection)
            rows = [*connection.execute(segments).mappings(), *connection.execute(gaps).mappings()]
            return sorted((item_of(row, holds) for row in rows), key=lambda item: item.n)

    def ends_us(self, stream_id: str) -> int:
        """Where the latest item ends, by its own time; where the stream begins, while it has none."""
        begins = select(tables.streams.c.t1_us).where(tables.streams.c.id == stream_id)
        starts = select(func.max(_I.t0_us)).where(_I.stream_id == stream_id)
        with self._database.read() as connection:
            last_us = connection.execute(starts).scalar()
            if last_us is None:
                return int(connection.execute(begins).scalar_one())
            # What ends last begins last, but for gaps, and for what is shorter than a segment may be.
            late = select(func.max(_I.t1_us)).where(_I.stream_id == stream_id, _I.t0_us > last_us - MAX_SEGMENT_US)
            gaps = select(func.max(_I.t1_us)).where(_I.stream_id == stream_id, _I.kind == "gap", _I.t1_us >= last_us)
            found = (connection.execute(one).scalar() for one in (late, gaps))
            return max(int(one) for one in found if one is not None)

    def numbered(self, stream_id: str, first_n: int, last_n: int) -> list[Item]:
        """Items by their numbers, both included, in order."""
        query = select(tables.items).where(_I.stream_id == stream_id, _I.n.between(first_n, last_n)).order_by(_I.n)
        with self._database.read() as connection:
            holds = active(connection)
            return [item_of(row, holds) for row in connection.execute(query).mappings()]

    def coverage(self, stream_id: str, start_us: int, end_us: int) -> list[Stretch]:
        """Stretches that tile the interval exactly: what `tile` makes of the items, and none of them is read.

        A month has forty thousand segments, and some thirty runs, gaps and receipts; of those it is made (`spans`).
        """
        with self._database.read() as connection:
            found = spans(connection, stream_id, start_us, end_us)
        return lay_over(found, start_us, end_us)

    def candidates(
        self, stream_id: str, before_us: int, entries: range, limit: int, after: tuple[int, int] | None = None
    ) -> list[Segment]:
        """The oldest media of a stream still here that ended before that instant, by (t1, n).

        Args:
            stream_id: of the stream.
            before_us: the instant.
            entries: of the log: only media whose entry is one of them.
            limit: how many at most.
            after: behind these two, of the last one of the page before.
        """
        return self._here(stream_id, _I.t1_us < before_us, entries, limit, after)

    def undated(
        self,
        stream_id: str,
        now_us: int,
        before_elapsed_us: int,
        entries: range,
        limit: int,
        after: tuple[int, int] | None = None,
    ) -> list[Segment]:
        """Likewise media that ends behind that instant, `now_us`, and was written down before that box time.

        Where the clock is right there is none, and the index of what is here says so at once.
        """
        is_undated = (_I.t1_us > now_us) & (_I.elapsed_us < before_elapsed_us)
        return self._here(stream_id, is_undated, entries, limit, after)

    def _here(
        self,
        stream_id: str,
        which: ColumnElement[bool],
        entries: range,
        limit: int,
        after: tuple[int, int] | None,
    ) -> list[Segment]:
        is_here = (_I.stream_id == stream_id) & (_I.state == MediaState.PRESENT.value)
        is_ruled = (_I.leaf_index >= entries.start) & (_I.leaf_index < entries.stop)
        query = _facts().where(is_here, which, is_ruled)
        if after is not None:
            query = query.where(tuple_(_I.t1_us, _I.n) > after)
        with self._database.read() as connection:
            return _segments(connection, query.order_by(_I.t1_us, _I.n).limit(limit))

    def oldest_on(self, volume: str, limit: int, after: tuple[int, str, int] | None = None) -> list[Segment]:
        """The oldest media still here on a volume, of all streams, by (t1, stream, n); `after`: behind that one."""
        is_here = (_I.volume == volume) & (_I.state == MediaState.PRESENT.value)
        query = _facts().where(is_here)
        if after is not None:
            query = query.where(tuple_(_I.t1_us, _I.stream_id, _I.n) > after)
        with self._database.read() as connection:
            return _segments(connection, query.order_by(_I.t1_us, _I.stream_id, _I.n).limit(limit))

    def oldest_present_us(self, stream_id: str) -> int | None:
        """Where the oldest media still here of a stream starts."""
        query = select(_I.t0_us).where(_I.stream_id == stream_id, _I.state == MediaState.PRESENT.value)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(_I.t1_us).limit(1)).scalar()  # by the index of what is here
            return None if found is None else int(found)

    def last_cause(self, stream_id: str) -> Cause | None:
        """The cause of a stream's last item; None where that is a segment, or there is none."""
        query = select(_I.cause).where(_I.stream_id == stream_id).order_by(_I.n.desc()).limit(1)
        with self._database.read() as connection:
            cause = connection.execute(query).scalar()
            return None if cause is None else Cause(cause)

    def signing(self, stream_id: str) -> Signing | None:
        """How it stands with the signatures of a stream's camera; None: it has never signed."""
        query = select(tables.signing).where(tables.signing.c.stream_id == stream_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        kinds = tuple(map(CameraSignature, row["kinds"].split()))
        return Signing(kinds, row["signed_us"], row["unsigned_since_us"], row["unsigned_us"])

    def bytes_between(self, stream_id: str, start_us: int, end_us: int) -> int:
        """Bytes recorded by segments that start in the interval."""
        query = select(func.coalesce(func.sum(_I.bytes), 0)).where(
            _I.stream_id == stream_id, _I.t0_us >= start_us, _I.t0_us < end_us
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def recorded(self, stream_id: str, start_us: int, end_us: int, sample: Sample | None = None) -> Recorded:
        """What was recorded by segments that start in the interval; of a sample, those that start in its stretches.

        One range look-up by the start; of a sample only the rows of its stretches are read.
        """
        inside = (_I.stream_id == stream_id) & (_I.t0_us >= start_us) & (_I.t0_us < end_us)
        if sample is not None:
            inside &= _I.t0_us % sample.every_us < sample.for_us
        sums = (func.coalesce(func.sum(one), 0) for one in (_I.bytes, _I.t1_us - _I.t0_us))
        with self._database.read() as connection:
            size, length_us = connection.execute(select(*sums).where(inside, _I.kind == "segment")).one()
            return Recorded(int(size), int(length_us))

    def hourly(self, stream_id: str, start_us: int, end_us: int) -> dict[int, Recorded]:
        """The same by the hour, counted from the epoch, in which segments start; hours of nothing are left out."""
        hour = _I.t0_us // HOUR_US
        sums = (func.sum(one) for one in (_I.bytes, _I.t1_us - _I.t0_us))
        inside = (_I.stream_id == stream_id) & (_I.t0_us >= start_us) & (_I.t0_us < end_us)
        query = select(hour, *sums).where(inside, _I.kind == "segment").group_by(hour)
        with self._database.read() as connection:
            return {int(at): Recorded(int(size), int(length)) for at, size, length in connection.execute(query)}

    def present_bytes(self, stream_id: str, start_us: int, end_us: int) -> int:
        """Bytes still here of segments that start in the interval."""
        query = select(func.coalesce(func.sum(_I.bytes), 0)).where(
            _I.stream_id == stream_id,
            _I.t0_us >= start_us,
            _I.t0_us < end_us,
            _I.state == MediaState.PRESENT.value,
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def reach(self, stream_id: str, from_us: int, held: Sequence[tuple[int, int]] = ()) -> Reach | None:
        """How far back footage reaches without a hole; None: there is none.

        What was discarded is a hole; a gap is none, for it says why. So footage that is there only because of a hold
        counts no more than what it hangs together with. One look-up, and two more for each hold that lies in between.

        Args:
            stream_id: of the stream.
            from_us: what ended before does not count.
            held: intervals of its camera that are under a hold, in order, none touching another.
        """
        with self._database.read() as connection:
            first = _first_present(connection, stream_id, from_us)
            while first is not None and (until_us := _held_until(held, first)) is not None:
                behind = _first_present(connection, stream_id, until_us, starts_us=until_us)
                if behind is None or _follows_media(connection, stream_id, behind["n"]):
                    break
                first = behind
            return None if first is None else Reach(first["t0_us"], first["leaf_index"])

    def stock(self, stream_id: str, start_us: int, end_us: int) -> Stock:
        """How much of an interval is here, and how much went: counted where the rows are, for it may be years."""
        with self._database.read() as connection:
            return _stock(connection, _overlapping(stream_id, start_us, end_us))

    def due(
        self,
        stream_id: str,
        start_us: int,
        end_us: int,
        before_us: int,
        entries: range,
        without: Sequence[tuple[int, int]] = (),
    ) -> Stock:
        """The same of what ended before an instant, is told by some of the entries of the log, and overlaps none of the
        intervals `without`, of which the first `WITHOUT_LIMIT` count."""
        chosen = _overlapping(stream_id, start_us, end_us).where(_I.t1_us <= before_us)
        for t0_us, t1_us in without[:WITHOUT_LIMIT]:
            chosen = chosen.where(or_(_I.t0_us >= t1_us, _I.t1_us <= t0_us))
        with self._database.read() as connection:
            return _stock(connection, chosen.where(_I.leaf_index >= entries.start, _I.leaf_index < entries.stop))

    def announced(self, stream_id: str, start_us: int, end_us: int, limit: int) -> list[ReceiptSpan]:
        """The entries that announced what of an interval went, in order; `limit` of them at most."""
        gone = _overlapping(stream_id, start_us, end_us).where(_I.del_leaf.is_not(None)).subquery().c
        span = (func.min(gone.n), func.max(gone.n), func.count(), func.min(gone.t0_us), func.max(gone.t1_us))
        query = select(gone.del_leaf, *span).group_by(gone.del_leaf).order_by(gone.del_leaf).limit(limit)
        with self._database.read() as connection:
            return [ReceiptSpan(row[0], stream_id, *row[1:]) for row in connection.execute(query).all()]

    def gap_seconds(self, stream_id: str, behind: GapSum | None = None) -> GapSum:
        """What was not recorded since the camera was registered, by cause.

        Args:
            stream_id: of the stream.
            behind: what this answered before. No item ever changes its span: only those that came since are read.
        """
        before = behind or GapSum()
        query = select(_I.cause, func.sum(_I.t1_us - _I.t0_us)).where(
            _I.stream_id == stream_id, _I.kind == "gap", _I.t1_us > _I.t0_us
        )
        # All of them by the index of gaps, which the planner takes for the range; later ones by the key.
        query = query.where(_I.t1_us > EVER_US if behind is None else _I.n >= before.next_n).group_by(_I.cause)
        stands = select(tables.streams.c.next_n).where(tables.streams.c.id == stream_id)
        with self._database.read() as connection:
            next_n = int(connection.execute(stands).scalar() or 0)
            found = connection.execute(query).all()
        lengths_us = dict(before.lengths_us)
        for cause, us in found:
            lengths_us[Cause(cause)] = lengths_us.get(Cause(cause), 0) + int(us)
        return GapSum(lengths_us, next_n)


def _first_present(
    connection: Connection, stream_id: str, after_us: int, starts_us: int = EVER_US
) -> Mapping[Any, Any] | None:
    """The oldest media still here that ended after an instant, and begins no earlier than the other."""
    query = select(_I.n, _I.t0_us, _I.t1_us, _I.leaf_index).where(
        _I.stream_id == stream_id,
        _I.state == MediaState.PRESENT.value,
        _I.t1_us > after_us,
        _I.t0_us >= starts_us,
    )
    return connection.execute(query.order_by(_I.t1_us).limit(1)).mappings().one_or_none()


def _held_until(held: Sequence[tuple[int, int]], row: Mapping[Any, Any]) -> int | None:
    return next((t1_us for t0_us, t1_us in reversed(held) if t0_us < row["t1_us"] and t1_us > row["t0_us"]), None)


def _follows_media(connection: Connection, stream_id: str, n: int) -> bool:
    """Whether the segment before that item, gaps apart, is still here; so it is where there is none."""
    query = select(_I.state).where(_I.stream_id == stream_id, _I.n < n, _I.kind == "segment")
    state = connection.execute(query.order_by(_I.n.desc()).limit(1)).scalar()
    return state in (None, MediaState.PRESENT.value)


def _segments(connection: Connection, query: Select[Any], asked: Mapping[str, object] | None = None) -> list[Segment]:
    """The segments that a query for `_FACTS` finds, as `_segment` makes them of rows one by one.

    A page has five hundred, and is to be there in five milliseconds: only what a segment has is asked for, and its
    fields are put in place at once, past the `__init__` of a frozen class, which sets them one by one.
    """
    holds = active(connection)
    rows = connection.execute(query, asked).all()
    found = []
    for row in rows:
        facts = dict(zip(_FACTS, row, strict=True))
        facts["codec"], facts["state"] = _CODECS[facts["codec"]], _STATES[facts["state"]]
        facts["audio"], facts["camsig"] = _audio(facts["audio"]), _camsig(facts["camsig"])
        facts["held"] = bool(holds) and _is_held(facts, holds)
        segment = object.__new__(Segment)
        object.__setattr__(segment, "__dict__", facts)
        found.append(segment)
    return found


def item_of(row: Mapping[Any, Any], holds: Sequence[Hold] = ()) -> Item:
    """A row as a fact."""
    return _segment(row, holds) if row["kind"] == "segment" else _gap(row)


def _overlapping(stream_id: str, start_us: int, end_us: int) -> Select[Any]:
    return select(tables.items).where(
        _I.stream_id == stream_id,
        _I.t0_us > start_us - MAX_SEGMENT_US,
        _I.t0_us < end_us,
        _I.t1_us > start_us,
    )


def _facts() -> Select[Any]:
    return select(*(_I[name] for name in _FACTS))


def _stock(connection: Connection, chosen: Select[Any]) -> Stock:
    rows = chosen.where(_I.kind == "segment").subquery().c
    is_here = rows.state == MediaState.PRESENT.value
    here = (func.count(), func.coalesce(func.sum(rows.bytes), 0), func.min(rows.t1_us))
    segments, size, first_us = connection.execute(select(*here).where(is_here)).one()
    gone = connection.execute(select(func.count()).select_from(rows.n.table).where(~is_here)).scalar_one()
    return Stock(int(segments), int(size), int(gone), first_us)


def _place_of(connection: Connection, stream_id: str, n: int) -> tuple[int, int]:
    """Where a page goes on: by start and number."""
    start_us = connection.execute(select(_I.t0_us).where(_I.stream_id == stream_id, _I.n == n)).scalar()
    if start_us is None:
        raise SegmentUnknown(f"{SegmentUnknown.sentence()} ({segment_id_of(stream_id, n)})")
    return int(start_us), n


def _alike(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What every item has, segment or gap."""
    return {name: row[name] for name in _ALIKE}


def _segment(row: Mapping[Any, Any], holds: Sequence[Hold]) -> Segment:
    return Segment(
        **_alike(row),
        run=row["run"],
        volume=row["volume"],
        path=row["path"],
        bytes=row["bytes"],
        init_bytes=row["init_bytes"],
        init_sha256=row["init_sha256"],
        frames=row["frames"],
        codec=CodecName(row["codec"]),
        width=row["width"],
        height=row["height"],
        lost_packets=row["lost_packets"],
        clock_offset_us=row["clock_offset_us"],
        clock_drift_ppb=row["clock_drift_ppb"],
        sha256=row["sha256"],
        recovered=row["recovered"],
        state=MediaState(row["state"]),
        held=_is_held(row, holds),
        audio=_audio(row["audio"]),
        camsig=_camsig(row["camsig"]),
        utc_offset_s=row["utc_offset_s"],
    )


def _is_held(row: Mapping[Any, Any], holds: Sequence[Hold]) -> bool:
    camera_id = camera_of(row["stream_id"])
    return any(camera_id in hold.cameras and hold.t0_us < row["t1_us"] and hold.t1_us > row["t0_us"] for hold in holds)


@lru_cache(maxsize=ALIKE_LIMIT)
def _camsig(text: str | None) -> tuple[CameraSignature, ...] | None:
    return None if text is None else tuple(map(CameraSignature, text.split()))


@lru_cache(maxsize=ALIKE_LIMIT)
def _audio(text: str | None) -> AudioFacts | None:
    if text is None:
        return None
    facts = json.loads(text)
    return AudioFacts(**{**facts, "codec": AudioCodec(facts["codec"])})


def _gap(row: Mapping[Any, Any]) -> Gap:
    return Gap(
        **_alike(row),
        cause=Cause(row["cause"]),
        detail=row["detail"],
    )
