"""The rules of each camera's keeping as rows and leaves. Which of them counts for what `keeping` decides."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select, true

from config.keeping import Protection, Terms
from recorder.store import sidecar, tables
from recorder.store.keeping import Rule
from recorder.store.ledger import Ledger

_R = tables.rules.c


def rules_of(connection: Connection, camera_id: str) -> list[Rule]:
    """All that came into force so far, in the order of the log; none of a camera of an older catalogue."""
    query = select(_R.leaf_index, _R.floor_days, _R.target_days).where(_R.camera_id == camera_id)
    return [Rule(*row) for row in connection.execute(query.order_by(_R.leaf_index)).all()]


def in_force(connection: Connection, camera_id: str) -> Terms | None:
    """How its footage is kept; None: no rule was written down yet."""
    return _terms(connection, _R.camera_id == camera_id).get(camera_id)


def all_in_force(connection: Connection) -> dict[str, Terms]:
    """The same of all cameras."""
    return _terms(connection, true())


def _terms(connection: Connection, chosen: ColumnElement[bool]) -> dict[str, Terms]:
    newest = select(func.max(_R.leaf_index)).where(chosen).group_by(_R.camera_id)
    purpose = tables.records.c.body.label("body")
    joined = tables.rules.outerjoin(tables.records, tables.records.c.hash == _R.record)
    rows = connection.execute(select(tables.rules, purpose).select_from(joined).where(_R.leaf_index.in_(newest)))
    return {row["camera_id"]: _read(row) for row in rows.mappings()}


def _read(row: RowMapping) -> Terms:
    days = (row["floor_days"], row["target_days"], row["margin_days"])
    return Terms(Protection(row["protection"]), *days, purpose=sidecar.decoded(row["body"]).get("purpose"))


def put_in_force(connection: Connection, ledger: Ledger, camera_id: str, terms: Terms) -> bool:
    """Write a rule down; whether it is another than the one in force, for else nothing is written."""
    if terms == in_force(connection, camera_id):
        return False
    days: dict[str, Any] = {
        "protection": terms.protection.value,
        "floor_days": terms.floor_days,
        "target_days": terms.target_days,
        "margin_days": terms.margin_days,
    }
    record = None if terms.purpose is None else sidecar.keep(connection, {"purpose": terms.purpose})
    told = {} if record is None else {"record": record}
    entry = ledger.append(connection, "camera", {"op": "rule", "camera": camera_id, **days, **told})
    connection.execute(insert(tables.rules).values(leaf_index=entry.index, camera_id=camera_id, record=record, **days))
    return True
