"""Exports as rows and leaves: what was asked for, and how far it is. What is written out `retention.evidence` decides.

That footage was asked for is a leaf before anything is handed out. Who asked and why stands in a side record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from config.clock import Clock
from config.times import HOUR_US, format_us
from recorder.errors import ExportNotDone, ExportOver, ExportsWaiting, ExportUnknown
from recorder.store import sidecar, tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.records import Export, ExportState

WAITING_LIMIT = 1000
"""Exports that are not ended. A case asks for some dozens; more is a program that asks by mistake."""

GOES_ON_US = HOUR_US
"""A range behind the first byte goes on with a download if there was one within this; else it is one by itself."""

PENDING = (ExportState.QUEUED.value, ExportState.RUNNING.value)

_E = tables.exports.c


class Exports:
    """The exports of one box."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock, checkpoint: Callable[[], object]) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._checkpoint = checkpoint
        self._handed_us: dict[tuple[int, str], int] = {}
        """Box time of the last download by export and form; forgotten with the process, which costs an entry more."""

    def ask(self, stream_id: str, t0_us: int, t1_us: int, case: str, reason: str) -> Export:
        """Write down that an interval is to be handed out; signed by a checkpoint at once.

        Raises:
            ExportsWaiting: as it says.
        """
        with self._database.write() as connection:
            waiting = select(func.count()).select_from(tables.exports).where(_E.state.in_(PENDING))
            if connection.execute(waiting).scalar_one() >= WAITING_LIMIT:
                raise ExportsWaiting
            record = sidecar.keep(connection, {"case": case, "reason": reason})
            known = connection.execute(select(_E.id).order_by(_E.id.desc()).limit(1)).scalar()
            export_id = (known or 0) + 1
            span = {"t0": format_us(t0_us), "t1": format_us(t1_us)}
            fields = {"export": export_id, "stream": stream_id, **span, "record": record}
            entry = self._ledger.append(connection, "export", fields)
            row: dict[str, Any] = {
                "id": export_id,
                "stream_id": stream_id,
                "t0_us": t0_us,
                "t1_us": t1_us,
                "record": record,
                "asked_us": entry.at_us,
                "leaf_index": entry.index,
                "state": ExportState.QUEUED.value,
                "done_bytes": 0,
                "total_bytes": 0,
            }
            connection.execute(insert(tables.exports).values(**row))
            found = _export(connection, export_id)
        self._checkpoint()
        return found

    def next(self) -> Export | None:
        """The oldest that is to be made: one that was begun and not ended comes before those that were not begun."""
        query = select(_E.id).where(_E.state.in_(PENDING)).order_by(_E.id).limit(1)
        with self._database.read() as connection:
            export_id = connection.execute(query).scalar()
            return None if export_id is None else _export(connection, export_id)

    def progress(self, export_id: int, done_bytes: int, total_bytes: int) -> bool:
        """It is being made, and so far; false: somebody cancelled it meanwhile."""
        values = {"state": ExportState.RUNNING.value, "done_bytes": done_bytes, "total_bytes": total_bytes}
        chosen = (_E.id == export_id) & _E.state.in_(PENDING)
        with self._database.write() as connection:
            return bool(connection.execute(update(tables.exports).where(chosen).values(**values)).rowcount)

    def end(self, export_id: int, state: ExportState, code: str | None = None, text: str | None = None) -> Export:
        """It is over, and why; an end never changes.

        Raises:
            ExportUnknown, ExportOver: as they say.
        """
        values: dict[str, Any] = {"state": state.value, "problem_code": code, "problem_text": text}
        values["ended_us"] = self._clock.read().utc_us
        with self._database.write() as connection:
            if _export(connection, export_id).state.value not in PENDING:
                raise ExportOver(f"{ExportOver.sentence()} (export {export_id})")
            connection.execute(update(tables.exports).where(_E.id == export_id).values(**values))
            return _export(connection, export_id)

    def handed_out(self, export_id: int, form: str, sums_sha256: str, *, goes_on: bool) -> None:
        """Write down that a package leaves the box, before its first byte does; the next checkpoint signs it.

        `goes_on`: it is asked for from the middle on. One download is one entry, however often it broke off.
        """
        mono_us = self._clock.read().mono_us
        before_us = self._handed_us.get((export_id, form))
        if not goes_on or before_us is None or mono_us - before_us >= GOES_ON_US:
            with self._database.write() as connection:
                self._ledger.append(connection, "publish", {"export": export_id, "form": form, "files": sums_sha256})
        self._handed_us[export_id, form] = mono_us  # behind the entry: what could not be written down does not go on

    def remove(self, export_id: int) -> Export:
        """Its package goes: row and entry say so before any file does; it may be the last copy of that footage.

        Raises:
            ExportUnknown: there is none of that number. ExportNotDone: it has no package, or no more.
        """
        with self._database.write() as connection:
            found = _export(connection, export_id)
            if found.state is not ExportState.DONE:
                raise ExportNotDone(f"Export {export_id} is {found.state.value}: there is no package to remove.")
            self._ledger.append(connection, "audit", {"what": "package_removed", "export": export_id})
            values = {"state": ExportState.REMOVED.value}
            connection.execute(update(tables.exports).where(_E.id == export_id).values(**values))
            return _export(connection, export_id)

    def get(self, export_id: int) -> Export:
        """One export.

        Raises:
            ExportUnknown: there is none of that id.
        """
        with self._database.read() as connection:
            return _export(connection, export_id)

    def all(self) -> list[Export]:
        """Every export ever asked for, oldest first."""
        with self._database.read() as connection:
            ids = connection.execute(select(_E.id).order_by(_E.id)).scalars().all()
            return [_export(connection, export_id) for export_id in ids]


def _export(connection: Connection, export_id: int) -> Export:
    row = connection.execute(select(tables.exports).where(_E.id == export_id)).mappings().one_or_none()
    if row is None:
        raise ExportUnknown(f"{ExportUnknown.sentence()} ({export_id})")
    record = sidecar.read(connection, row["record"])
    return Export(
        id=export_id,
        stream_id=row["stream_id"],
        t0_us=row["t0_us"],
        t1_us=row["t1_us"],
        case=str(record.get("case", "")),
        reason=str(record.get("reason", "")),
        asked_us=row["asked_us"],
        state=ExportState(row["state"]),
        done_bytes=row["done_bytes"],
        total_bytes=row["total_bytes"],
        problem_code=row["problem_code"],
        problem_text=row["problem_text"],
        ended_us=row["ended_us"],
    )
