"""Evidence holds as rows and leaves. Whether a segment is held is asked inside the deleting transaction
(`segments.holds_on`); here holds are placed and released.

A hold has no end date and no automatic end; several may overlap, and media is free only when all are released.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from config.times import format_us
from recorder.errors import CameraUnknown, HoldReleased, HoldUnknown
from recorder.store import sidecar, tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.records import Hold


class Holds:
    """The holds of one box."""

    def __init__(self, database: Database, ledger: Ledger, checkpoint: Callable[[], object]) -> None:
        self._database = database
        self._ledger = ledger
        self._checkpoint = checkpoint

    def place(self, cameras: Sequence[str], t0_us: int, t1_us: int, case: str, reason: str) -> Hold:
        """Name footage that must not go. In force when this returns; signed by a checkpoint at once.

        Raises:
            CameraUnknown: one of the cameras was never registered.
        """
        names = sorted(set(cameras))
        if not names or t0_us >= t1_us:
            raise ValueError("a hold names at least one camera and an interval that is not empty")
        with self._database.write() as connection:
            _must_exist(connection, names)
            record = sidecar.keep(connection, {"case": case, "reason": reason})
            known = connection.execute(select(tables.holds.c.id).order_by(tables.holds.c.id.desc()).limit(1)).scalar()
            hold_id = (known or 0) + 1
            fields = {
                "hold": hold_id,
                "cameras": names,
                "t0": format_us(t0_us),
                "t1": format_us(t1_us),
                "record": record,
            }
            entry = self._ledger.append(connection, "hold", fields)
            row = {"id": hold_id, "t0_us": t0_us, "t1_us": t1_us, "record": record, "placed_us": entry.at_us}
            connection.execute(insert(tables.holds).values(**row, leaf_index=entry.index))
            pairs = [{"hold_id": hold_id, "camera_id": name} for name in names]
            connection.execute(insert(tables.hold_cameras), pairs)
            hold = _hold(connection, hold_id)
        self._checkpoint()
        return hold

    def release(self, hold_id: int, reason: str) -> Hold:
        """End a hold; the footage falls back under the ordinary rules.

        Raises:
            HoldUnknown, HoldReleased: as they say.
        """
        with self._database.write() as connection:
            if _hold(connection, hold_id).released_us is not None:
                raise HoldReleased(f"{HoldReleased.sentence()} (hold {hold_id})")
            record = sidecar.keep(connection, {"reason": reason})
            entry = self._ledger.append(connection, "release", {"hold": hold_id, "record": record})
            values: dict[str, Any] = {
                "released_us": entry.at_us,
                "release_record": record,
                "release_leaf": entry.index,
            }
            connection.execute(update(tables.holds).where(tables.holds.c.id == hold_id).values(**values))
            hold = _hold(connection, hold_id)
        self._checkpoint()
        return hold

    def all(self) -> list[Hold]:
        """Every hold ever placed, oldest first."""
        with self._database.read() as connection:
            ids = connection.execute(select(tables.holds.c.id).order_by(tables.holds.c.id)).scalars().all()
            return [_hold(connection, hold_id) for hold_id in ids]

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


def active(connection: Connection) -> list[Hold]:
    """The holds in force, in this transaction's view."""
    query = select(tables.holds.c.id).where(tables.holds.c.released_us.is_(None)).order_by(tables.holds.c.id)
    return [_hold(connection, hold_id) for hold_id in connection.execute(query).scalars().all()]


def _must_exist(connection: Connection, names: Sequence[str]) -> None:
    known = set(connection.execute(select(tables.cameras.c.id).where(tables.cameras.c.id.in_(names))).scalars())
    missing = [name for name in names if name not in known]
    if missing:
        raise CameraUnknown(f"{CameraUnknown.sentence()} ({', '.join(missing)})")


def _hold(connection: Connection, hold_id: int) -> Hold:
    row = connection.execute(select(tables.holds).where(tables.holds.c.id == hold_id)).mappings().one_or_none()
    if row is None:
        raise HoldUnknown(f"{HoldUnknown.sentence()} ({hold_id})")
    query = select(tables.hold_cameras.c.camera_id).where(tables.hold_cameras.c.hold_id == hold_id)
    record = sidecar.read(connection, row["record"])
    release = sidecar.read(connection, row["release_record"]) if row["release_record"] else {}
    return Hold(
        id=hold_id,
        cameras=tuple(sorted(connection.execute(query).scalars())),
        t0_us=row["t0_us"],
        t1_us=row["t1_us"],
        case=str(record.get("case", "")),
        reason=str(record.get("reason", "")),
        placed_us=row["placed_us"],
        released_us=row["released_us"],
        release_reason=release.get("reason"),
    )
