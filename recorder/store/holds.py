"""Evidence holds as rows and leaves. Whether a segment is held is asked inside the deleting transaction
(`segments.holds_on`); here holds are placed, reviewed and released.

A hold has no end date and no automatic end; several may overlap, and media is free only when all are released. What
decides is the interval with its padding (`t0`, `t1`); what was asked for stands beside it. A hold is released by two
persons, each with a code of his own (`codes`); nothing else ends one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select, true, update

from config.times import LAST_US, SECOND_US, format_us
from recorder.errors import CameraUnknown, HoldReleased, HoldUnknown
from recorder.store import sidecar, tables
from recorder.store.codes import Credential, ReleaseCodes
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.records import Hold, HoldBasis, HoldPlan, HoldReview

_H = tables.holds.c


class Holds:
    """The holds of one box."""

    def __init__(
        self, database: Database, ledger: Ledger, checkpoint: Callable[[], object], codes: ReleaseCodes
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._checkpoint = checkpoint
        self.codes = codes
        """Who may release them."""

    def place(self, plan: HoldPlan) -> Hold:
        """Name footage that must not go. In force when this returns; signed by a checkpoint at once.

        Raises:
            CameraUnknown: one of the cameras was never registered.
        """
        names = sorted(set(plan.cameras))
        if not names or plan.t0_us >= plan.t1_us or min(plan.padding_before_s, plan.padding_after_s) < 0:
            raise ValueError("a hold names at least one camera and an interval that is not empty")
        t0_us = max(0, plan.t0_us - plan.padding_before_s * SECOND_US)
        t1_us = min(LAST_US, plan.t1_us + plan.padding_after_s * SECOND_US)
        with self._database.write() as connection:
            _must_exist(connection, names)
            record = sidecar.keep(connection, _beside(plan))
            known = connection.execute(select(func.max(_H.id))).scalar()
            hold_id = int(known or 0) + 1
            entry = self._ledger.append(connection, "hold", _fields(plan, hold_id, names, (t0_us, t1_us), record))
            row = {"id": hold_id, "t0_us": t0_us, "t1_us": t1_us, "record": record, "placed_us": entry.at_us}
            asked = {"asked_t0_us": plan.t0_us, "asked_t1_us": plan.t1_us, **_padding(plan)}
            told = {"basis": plan.basis.value, "review_us": plan.review_us, "leaf_index": entry.index}
            connection.execute(insert(tables.holds).values(**row, **asked, **told))
            todo = {"is_linked": False, "segments": 0, "bytes": 0, "damaged": 0}
            connection.execute(insert(tables.hold_work).values(hold_id=hold_id, **todo))
            pairs = [{"hold_id": hold_id, "camera_id": name} for name in names]
            connection.execute(insert(tables.hold_cameras), pairs)
            hold = _hold(connection, hold_id)
        self._checkpoint()
        return hold

    def review(self, hold_id: int, review_us: int | None, reason: str, changed_by: str = "") -> Hold:
        """Change when somebody is to look at a hold again; None: nobody is reminded. It ends by nothing of this.

        Raises:
            HoldUnknown, HoldReleased: as they say.
        """
        with self._database.write() as connection:
            _must_be_in_force(connection, hold_id)
            record = sidecar.keep(connection, {"reason": reason, "by": changed_by})
            when = None if review_us is None else format_us(review_us)
            fields = {"what": "hold_review", "hold": hold_id, "review": when, "record": record}
            entry = self._ledger.append(connection, "audit", fields)
            row = {"leaf_index": entry.index, "changed_us": entry.at_us, "review_us": review_us, "record": record}
            connection.execute(insert(tables.hold_reviews).values(hold_id=hold_id, **row))
            return _hold(connection, hold_id)

    def release(self, hold_id: int, reason: str, first: Credential, second: Credential) -> Hold:
        """End a hold; the footage falls back under the ordinary rules.

        Raises:
            HoldUnknown, HoldReleased: as they say.
            ReleaseBySamePerson, ReleaseRefused, ReleaseTooOften, ReleaseCodeNew, ReleaseCodesMissing,
            ReleaseCodesDamaged: of the two codes (`codes`); the hold stays.
        """
        with self._database.read() as connection:
            _must_be_in_force(connection, hold_id)
        by = self.codes.check(hold_id, first, second)
        with self._database.write() as connection:
            _must_be_in_force(connection, hold_id)
            record = sidecar.keep(connection, {"reason": reason, "by": [one.name for one in by]})
            fields = {"hold": hold_id, "by": [one.id for one in by], "record": record}
            entry = self._ledger.append(connection, "release", fields)
            values: dict[str, Any] = {
                "released_us": entry.at_us,
                "release_record": record,
                "release_leaf": entry.index,
            }
            connection.execute(update(tables.holds).where(_H.id == hold_id).values(**values))
            hold = _hold(connection, hold_id)
        self._checkpoint()
        return hold

    def all(self) -> list[Hold]:
        """Every hold ever placed, oldest first."""
        with self._database.read() as connection:
            return _loaded(connection, true())

    def page(self, limit: int, after: int = 0, *, in_force: bool = False) -> list[Hold]:
        """So many holds behind that number, oldest first; `in_force`: only those that were not released."""
        chosen = (_H.id > after) & (_H.released_us.is_(None) if in_force else true())
        with self._database.read() as connection:
            ids = connection.execute(select(_H.id).where(chosen).order_by(_H.id).limit(limit)).scalars().all()
            return _loaded(connection, chosen & (_H.id <= ids[-1])) if ids else []

    def active(self) -> list[Hold]:
        """The holds in force."""
        with self._database.read() as connection:
            return active(connection)

    def get(self, hold_id: int) -> Hold:
        """One hold.

        Raises:
            HoldUnknown: there is none of that id.
        """
        with self._database.read() as connection:
            return _hold(connection, hold_id)

    def reviews(self, hold_id: int) -> list[HoldReview]:
        """How its review date was changed since it was placed, oldest first."""
        query = select(tables.hold_reviews).where(tables.hold_reviews.c.hold_id == hold_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(tables.hold_reviews.c.leaf_index)).mappings().all()
            return [_review(connection, row) for row in rows]


def active(connection: Connection) -> list[Hold]:
    """The holds in force, in this transaction's view."""
    return _loaded(connection, _H.released_us.is_(None))


def _beside(plan: HoldPlan) -> dict[str, str]:
    """What stands in the side record: it names people, or leads to them."""
    told = {"case": plan.case, "reason": plan.reason}
    return {**told, "reference": plan.reference, "placed_by": plan.placed_by}


def _fields(
    plan: HoldPlan, hold_id: int, names: Sequence[str], protected: tuple[int, int], record: str
) -> dict[str, Any]:
    """The leaf: `t0` and `t1` are what is protected, and what every verifier judges by."""
    fields: dict[str, Any] = {
        "hold": hold_id,
        "cameras": list(names),
        "t0": format_us(protected[0]),
        "t1": format_us(protected[1]),
        "asked_t0": format_us(plan.t0_us),
        "asked_t1": format_us(plan.t1_us),
        **_padding(plan),
        "basis": plan.basis.value,
        "record": record,
    }
    return fields if plan.review_us is None else {**fields, "review": format_us(plan.review_us)}


def _padding(plan: HoldPlan) -> dict[str, int]:
    return {"padding_before_s": plan.padding_before_s, "padding_after_s": plan.padding_after_s}


def _must_exist(connection: Connection, names: Sequence[str]) -> None:
    known = set(connection.execute(select(tables.cameras.c.id).where(tables.cameras.c.id.in_(names))).scalars())
    missing = [name for name in names if name not in known]
    if missing:
        raise CameraUnknown(f"{CameraUnknown.sentence()} ({', '.join(missing)})")


def _must_be_in_force(connection: Connection, hold_id: int) -> None:
    if _hold(connection, hold_id).released_us is not None:
        raise HoldReleased(f"{HoldReleased.sentence()} (hold {hold_id})")


def _hold(connection: Connection, hold_id: int) -> Hold:
    found = _loaded(connection, _H.id == hold_id)
    if not found:
        raise HoldUnknown(f"{HoldUnknown.sentence()} ({hold_id})")
    return found[0]


def _loaded(connection: Connection, chosen: ColumnElement[bool]) -> list[Hold]:
    """In as many queries for a thousand as for one: every list of segments asks for those in force."""
    placed, released = tables.records.alias(), tables.records.alias()
    joined = tables.holds.outerjoin(placed, placed.c.hash == _H.record)
    joined = joined.outerjoin(released, released.c.hash == _H.release_record)
    columns = (tables.holds, placed.c.body.label("placed_body"), released.c.body.label("released_body"))
    query = select(*columns).select_from(joined).where(chosen).order_by(_H.id)
    rows = connection.execute(query).mappings().all()
    if not rows:
        return []
    cameras: dict[int, list[str]] = defaultdict(list)
    of = tables.hold_cameras.join(tables.holds, _H.id == tables.hold_cameras.c.hold_id)
    for pair in connection.execute(select(tables.hold_cameras).select_from(of).where(chosen)).mappings():
        cameras[pair["hold_id"]].append(pair["camera_id"])
    reviews = _newest_reviews(connection)
    return [_read(row, sorted(cameras[row["id"]]), reviews) for row in rows]


def _newest_reviews(connection: Connection) -> dict[int, int | None]:
    of = tables.hold_reviews.c
    newest = select(func.max(of.leaf_index)).group_by(of.hold_id)
    rows = connection.execute(select(of.hold_id, of.review_us).where(of.leaf_index.in_(newest)))
    return {row.hold_id: row.review_us for row in rows}


def _read(row: RowMapping, cameras: Sequence[str], reviews: Mapping[int, int | None]) -> Hold:
    record, release = sidecar.decoded(row["placed_body"]), sidecar.decoded(row["released_body"])
    asked = (row["asked_t0_us"], row["asked_t1_us"])
    return Hold(
        id=row["id"],
        cameras=tuple(cameras),
        t0_us=row["t0_us"],
        t1_us=row["t1_us"],
        case=str(record.get("case", "")),
        reason=str(record.get("reason", "")),
        placed_us=row["placed_us"],
        released_us=row["released_us"],
        release_reason=release.get("reason"),
        asked_t0_us=row["t0_us"] if asked[0] is None else asked[0],
        asked_t1_us=row["t1_us"] if asked[1] is None else asked[1],
        padding_before_s=row["padding_before_s"] or 0,
        padding_after_s=row["padding_after_s"] or 0,
        basis=None if row["basis"] is None else HoldBasis(row["basis"]),
        reference=str(record.get("reference", "")),
        placed_by=str(record.get("placed_by", "")),
        review_us=reviews.get(row["id"], row["review_us"]),
        released_by=tuple(map(str, release.get("by", ()))),
        leaf_index=row["leaf_index"],
    )


def _review(connection: Connection, row: RowMapping) -> HoldReview:
    record = sidecar.read(connection, row["record"])
    return HoldReview(
        leaf_index=row["leaf_index"],
        changed_us=row["changed_us"],
        review_us=row["review_us"],
        reason=str(record.get("reason", "")),
        changed_by=str(record.get("by", "")),
    )
