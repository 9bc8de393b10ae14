"""Erasing side records (PIPL article 47): what may go, how it goes, and the entry that says so.

One transaction writes over record and salt, keeps a row that says when, and appends an `audit` leaf, which names the
entry, the rule and the hash of what went, and no person; why it went stands in a side record of its own. The leaf stays
as it is, so the tree verifies as before. Then the pages that still hold the old bytes are taken away
(`Database.forget`); what copies of the whole file exist elsewhere nobody here can know (docs/storage.md).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Connection, insert, select

from config.clock import Clock
from config.times import DAY_US, format_us, parse_us
from recorder.errors import RecordErased, RecordKept, RecordUnknown, StoreError
from recorder.store import sidecar, tables
from recorder.store.database import Database
from recorder.store.daycount import trusted_now_us
from recorder.store.exports import PENDING
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.log.leaves import Leaf
from recorder.store.records import Erasure, ErasureRule, camera_of
from recorder.store.segments import holds_on

REGISTER_DAYS = 3 * 365 + 1
"""How long it stays written down who had footage, and why: three calendar years. Handing personal data to another
processor is to be recorded for as long (Network Data Security Regulations, article 12); logs of a network for six
months (Cybersecurity Law). Who looked and should not have could else wipe out that he did. Why something was erased is
kept for as long."""

_NUMBERED = re.compile(r"(view|hold|release|export):([1-9][0-9]{0,15})")
_INDEX = re.compile(r"0|[1-9][0-9]{0,15}")

_KINDS = ("view", "hold", "release", "export", "audit")
"""Entries whose records name people. A camera's holds what its row holds too, and that is needed."""

log = structlog.get_logger("store")


class Erasures:
    """The side records of one box that were erased."""

    def __init__(
        self, layout: Layout, database: Database, ledger: Ledger, clock: Clock, checkpoint: Callable[[], object]
    ) -> None:
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._checkpoint = checkpoint
        self._finishing = threading.Lock()
        self._is_pending = True  # a crash may have come between an erasure and the end of the pages that held it

    def erase(self, which: str, rule: ErasureRule, reason: str) -> Erasure:
        """Erase the side record of an entry; signed by a checkpoint at once.

        Args:
            which: the entry's index in the log, or `view:7`, `hold:7`, `release:7`, `export:7` by its number.
            rule: under which.
            reason: what the rule rests on here, and who decided it; kept in a side record.

        Raises:
            RecordUnknown, RecordErased: as they say. RecordKept: the law, or a hold, wants it kept.
        """
        with self._database.write() as connection:
            index, leaf = self._found(connection, which)
            digest = str(leaf.fields["record"])
            known = select(tables.erasures.c.erased_us).where(tables.erasures.c.hash == digest)
            erased_us = connection.execute(known).scalar()
            if erased_us is not None:
                raise RecordErased(f"{RecordErased.sentence()} (entry {index}, {format_us(erased_us)})")
            why = self._objection(connection, leaf)
            if why:
                raise RecordKept(f"{RecordKept.sentence()} {why}")
            sidecar.overwrite(connection, digest)
            record = sidecar.keep(connection, {"reason": reason})
            fields = {"what": "record_erased", "leaf": index, "of": leaf.type, "erased": digest, "rule": rule.value}
            entry = self._ledger.append(connection, "audit", {**fields, "record": record})
            row = {"hash": digest, "leaf_index": index, "erased_us": entry.at_us, "audit_leaf": entry.index}
            connection.execute(insert(tables.erasures).values(**row))
        self._is_pending = True
        self._checkpoint()
        return Erasure(index, leaf.type, entry.at_us, entry.index, is_gone=not self._is_pending)

    def finish(self) -> None:
        """Take away the pages that still hold what was erased. Harmless when there are none; tried again at every
        checkpoint while a reader needs them.
        """
        with self._finishing:
            if not self._is_pending:
                return
            self._is_pending = False  # before looking: what is erased meanwhile sets it again
            try:
                with self._database.read() as connection:
                    any_erased = connection.execute(select(tables.erasures.c.hash).limit(1)).scalar() is not None
                if any_erased and not self._database.forget():
                    self._is_pending = True
            except StoreError as err:  # a disk that takes no writes: signing says so already, and this waits for it
                self._is_pending = True
                log.warning("what was erased still stands in the write-ahead log", code=err.code)

    def _found(self, connection: Connection, which: str) -> tuple[int, Leaf]:
        """The entry, which has a record of a kind that may be erased."""
        index = _index_of(connection, which)
        if index is None or index >= self._ledger.state(connection).size:
            raise RecordUnknown(f"{RecordUnknown.sentence()} ({which[:40]})")
        leaf = self._ledger.leaf(connection, index)
        if "record" not in leaf.fields:
            raise RecordUnknown(f"{RecordUnknown.sentence()} ({which[:40]})")
        if leaf.type not in _KINDS:
            raise RecordKept(f"{RecordKept.sentence()} What is told of a camera is needed, and names no person.")
        return index, leaf

    def _objection(self, connection: Connection, leaf: Leaf) -> str:
        """Why it must be kept; empty: nothing says so."""
        if leaf.type == "hold":
            query = select(tables.holds.c.released_us).where(tables.holds.c.id == leaf.fields["hold"])
            is_in_force = connection.execute(query).scalar_one() is None
            return f"Hold {leaf.fields['hold']} is in force: release it first." if is_in_force else ""
        if leaf.type == "release":
            return ""
        kept = register_objection(leaf, self._clock.read().utc_us, self._ledger.elapsed_us(connection))
        return kept or self._of_case(connection, leaf)

    def _of_case(self, connection: Connection, leaf: Leaf) -> str:
        """Footage that is evidence: who had it is part of its custody; and a package that is here names its case."""
        facts = leaf.fields
        if leaf.type == "audit":
            return ""
        span = (parse_us(facts["t0"]), parse_us(facts["t1"]))
        held = holds_on(connection, camera_of(facts["stream"]), *span)
        if held:
            return f"It tells who had footage that hold {held[0]} keeps."
        if leaf.type == "export":
            query = select(tables.exports.c.state).where(tables.exports.c.id == facts["export"])
            if connection.execute(query).scalar_one() in PENDING:
                return f"Export {facts['export']} is not done yet."
            if (self._layout.exports / str(facts["export"])).exists():
                return f"The package in exports/{facts['export']} names its case: take it away from the box first."
        return ""


def register_objection(leaf: Leaf, now_us: int, elapsed_us: int) -> str:
    """Why an entry of the register of access keeps its record; empty: it has been kept for long enough, by both clocks.
    Pure.

    Args:
        leaf: the entry.
        now_us: what the wall clock says.
        elapsed_us: box time now (docs/time.md).
    """
    age_us = trusted_now_us(leaf.at_us, leaf.elapsed_us, now_us, elapsed_us) - leaf.at_us
    if age_us >= REGISTER_DAYS * DAY_US:
        return ""
    return f"It is kept until {REGISTER_DAYS} days have passed by both clocks of the box; {age_us // DAY_US} have."


def _index_of(connection: Connection, which: str) -> int | None:
    """The entry's index in the log; None: there is nothing of that number."""
    if _INDEX.fullmatch(which):
        return int(which)
    found = _NUMBERED.fullmatch(which)
    if found is None:
        return None
    table, column = {
        "view": (tables.views, "leaf_index"),
        "hold": (tables.holds, "leaf_index"),
        "release": (tables.holds, "release_leaf"),
        "export": (tables.exports, "leaf_index"),
    }[found[1]]
    index = connection.execute(select(table.c[column]).where(table.c.id == int(found[2]))).scalar()
    return None if index is None else int(index)
