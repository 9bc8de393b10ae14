"""Anchors as rows, files and leaves: checkpoints of which somebody outside has said that they existed.

Whoever has the box's key can write another log and sign it anew, but not with yesterday's date of an authority. What is
to be stamped is written down at once, and stays until it is: an authority that is down is asked again, and nothing is
skipped. The token lies under `log/anchors`; a leaf binds it to what comes after.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update

from config.clock import Clock
from config.times import format_us
from recorder.store import files, tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.log.note import body_of
from recorder.store.records import Anchor, AnchorState, KeptAnchor

PENDING_LIMIT = 10_000
"""Wanted at the same time: more than a year of hours. Past it the newest is not queued; the next one covers it."""

_A = tables.anchors.c

ROOTS = "roots-{}.pem"
"""Certificates that answers were believed by, each set once, under the beginning of its SHA-256."""


class Anchors:
    """The anchors of one box."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock, folder: Path) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._folder = folder

    def want(self, reason: str) -> None:
        """Have the newest checkpoint stamped; harmless when that is wanted, or done, already."""
        with files.translated(self._ledger.checkpoint_path):
            note = self._ledger.checkpoint_path.read_text(encoding="utf-8")
        size = int(note.split("\n")[1])
        with self._database.write() as connection:
            known = connection.execute(select(_A.id).where(_A.size == size)).scalar()
            waiting = connection.execute(select(func.count()).where(_A.token.is_(None))).scalar_one()
            if known is None and waiting < PENDING_LIMIT:
                row = {"size": size, "note": note, "reason": reason, "wanted_us": self._clock.read().utc_us}
                connection.execute(insert(tables.anchors).values(**row))

    def pending(self, limit: int = 100) -> list[Anchor]:
        """Those that wait for their stamp, oldest first."""
        query = select(tables.anchors).where(_A.token.is_(None)).order_by(_A.id).limit(limit)
        with self._database.read() as connection:
            return [Anchor(row["id"], row["size"], row["note"]) for row in connection.execute(query).mappings()]

    def keep(self, anchor: Anchor, token: bytes, stamped_us: int, roots: bytes) -> None:
        """Its stamp: first the files, then row and leaf. `token`: the authority's answer (RFC 3161, DER), as it came.

        `roots`: the certificates (PEM) that it was believed by, which who is handed the stamp needs too.
        """
        digest = hashlib.sha256(token).hexdigest()
        roots_path = self._folder / ROOTS.format(hashlib.sha256(roots).hexdigest()[:16])
        if not roots_path.exists():
            files.write_atomically(roots_path, roots)
        files.write_atomically(self._folder / f"{anchor.size}.tsr", token)
        files.write_atomically(self._folder / f"{anchor.size}.body", body_of(anchor.note).encode())
        with self._database.write() as connection:
            fields = {"kind": "rfc3161", "size": anchor.size, "token": digest, "stamped": format_us(stamped_us)}
            entry = self._ledger.append(connection, "anchor", fields)
            values = {"token": digest, "stamped_us": stamped_us, "leaf_index": entry.index}
            connection.execute(update(tables.anchors).where(_A.id == anchor.id).values(**values))

    def around(self, connection: Connection, first: int, last: int) -> list[KeptAnchor]:
        """The nearest that tell of these entries: the newest whose own entry stands before the first, so that all were
        written later; the oldest whose tree holds the last, or else the newest that holds the first at least.

        Raises:
            StorageError: a stamp cannot be read.
        """
        stamped = select(tables.anchors).where(_A.token.is_not(None))
        before = stamped.where(_A.leaf_index < first).order_by(_A.leaf_index.desc())
        behind = stamped.where(_A.size > last).order_by(_A.size)
        within = stamped.where(_A.size > first).order_by(_A.size.desc())
        rows = [_first(connection, before), _first(connection, behind) or _first(connection, within)]
        kept = [self._kept(row) for row in rows if row is not None]
        return [one for one in kept if one is not None]

    def _kept(self, row: RowMapping) -> KeptAnchor | None:
        """None: its file is gone, which fsck says; what it proved, nobody can show any more."""
        path = self._folder / f"{row['size']}.tsr"
        with files.translated(path):
            if not path.exists():
                return None
            return KeptAnchor(row["size"], body_of(row["note"]).encode(), path.read_bytes(), row["leaf_index"])

    def roots(self) -> bytes:
        """All certificates that stamps were ever believed by (PEM).

        Raises:
            StorageError: they cannot be read.
        """
        with files.translated(self._folder):
            return b"".join(path.read_bytes() for path in sorted(self._folder.glob(ROOTS.format("*"))))

    def state(self) -> AnchorState:
        """How it stands with them."""
        with self._database.read() as connection:
            last = connection.execute(select(func.max(_A.stamped_us))).scalar()
            oldest = connection.execute(select(func.min(_A.wanted_us)).where(_A.token.is_(None))).scalar()
            waiting = connection.execute(select(func.count()).where(_A.token.is_(None))).scalar_one()
        return AnchorState(last, oldest, int(waiting))


def _first(connection: Connection, query: Select[tuple[object, ...]]) -> RowMapping | None:
    return connection.execute(query.limit(1)).mappings().first()
