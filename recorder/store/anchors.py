"""Anchors as rows, files and leaves: checkpoints of which somebody outside has said something.

Whoever has the box's key can write another log and sign it anew, but not with yesterday's date of an authority, nor to
a witness that saw the one before. What is to be stamped or cosigned is written down at once, and stays until it is:
who is down is asked again, and nothing is skipped. The answer lies under `log/anchors`; a leaf binds it to what comes
after.

Of an authority each checkpoint is wanted by itself. Of a witness the newest takes the place of one that waits still: it
cosigns a checkpoint only if that goes on from what it saw before, so the newest speaks for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, insert, select, update

from config.clock import Clock
from config.times import format_us
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.store import files, tables
from recorder.store.database import Database
from recorder.store.ledger import Ledger
from recorder.store.log.note import body_of
from recorder.store.records import AUTHORITIES, Anchor, AnchorKind, AnchorState, KeptAnchor, Outsider

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

    def want(self, reason: str, by: Outsider = AUTHORITIES) -> None:
        """Have the newest checkpoint stamped or cosigned; harmless when that is wanted, or done, already."""
        with self._database.write() as connection:
            note = self._newest()  # within it: of two wishes at once the later one must not write down an older note
            size = int(note.split("\n")[1])
            known = connection.execute(select(_A.id).where(_by(by), _A.size == size)).scalar()
            if known is None and not _grown(connection, by, size, note) and _waiting(connection, by) < PENDING_LIMIT:
                row = {"size": size, "note": note, "reason": reason, "wanted_us": self._clock.read().utc_us}
                row |= {"kind": by.kind.value, "witness": by.key}
                connection.execute(insert(tables.anchors).values(**row))

    def _newest(self) -> str:
        with files.translated(self._ledger.checkpoint_path):
            return self._ledger.checkpoint_path.read_text(encoding="utf-8")

    def pending(self, limit: int = 100, by: Outsider = AUTHORITIES) -> list[Anchor]:
        """Those that wait, oldest first; of a witness there is one at most."""
        query = select(tables.anchors).where(_by(by), _A.token.is_(None)).order_by(_A.id).limit(limit)
        with self._database.read() as connection:
            return [Anchor(row["id"], row["size"], row["note"], by) for row in connection.execute(query).mappings()]

    def keep(self, anchor: Anchor, token: bytes, stamped_us: int, roots: bytes = b"") -> None:
        """Its stamp or cosignature: first the files, then row and leaf.

        Args:
            anchor: what was asked for.
            token: the authority's answer (RFC 3161, DER), as it came; or the note with the witness's line.
            stamped_us: when, by the authority's or witness's clock.
            roots: the certificates (PEM) that a stamp was believed by, which who is handed the stamp needs too.
        """
        digest = hashlib.sha256(token).hexdigest()
        if roots:
            self._keep_roots(roots)
        files.write_atomically(self._folder / file_name(anchor.size, anchor.by), token)
        if anchor.by.kind is AnchorKind.RFC3161:
            files.write_atomically(self._folder / f"{anchor.size}.body", body_of(anchor.note).encode())
        fields = {"kind": anchor.by.kind.value, "size": anchor.size, "token": digest, "stamped": format_us(stamped_us)}
        fields |= {} if anchor.by.key is None else {"witness": anchor.by.key}
        with self._database.write() as connection:
            entry = self._ledger.append(connection, "anchor", fields)
            values = {"token": digest, "stamped_us": stamped_us, "leaf_index": entry.index}
            waits = and_(_A.id == anchor.id, _A.size == anchor.size)
            if connection.execute(update(tables.anchors).where(waits).values(**values)).rowcount == 0:
                # While the witness was asked a newer one took its place, a hold's perhaps, which is still to be asked.
                values |= {
                    "size": anchor.size,
                    "note": anchor.note,
                    "reason": "due",
                    "wanted_us": self._clock.read().utc_us,
                }
                values |= {"kind": anchor.by.kind.value, "witness": anchor.by.key}
                connection.execute(insert(tables.anchors).values(**values))

    def _keep_roots(self, roots: bytes) -> None:
        path = self._folder / ROOTS.format(hashlib.sha256(roots).hexdigest()[:16])
        if not path.exists():
            files.write_atomically(path, roots)

    def around(self, connection: Connection, first: int, *lasts: int) -> list[KeptAnchor]:
        """Of the authorities, and of each witness, the nearest that tell of these entries: the newest whose own entry
        stands before the first, so that all were written later; for each of the last ones the oldest whose tree holds
        it, or else the newest that holds the first at least.

        Raises:
            StorageError: one cannot be read.
        """
        cosigned = select(_A.witness).where(_A.kind == AnchorKind.WITNESS.value, _A.token.is_not(None))
        witnesses = connection.execute(cosigned.distinct().order_by(_A.witness)).scalars()
        found: dict[int, KeptAnchor] = {}
        for by in (AUTHORITIES, *(Outsider(AnchorKind.WITNESS, key) for key in witnesses)):
            for row in _nearest(connection, by, first, lasts):
                kept = self._kept(row, by)
                if kept is not None:
                    found[kept.leaf_index] = kept  # one may be the nearest of both
        return list(found.values())

    def _kept(self, row: RowMapping, by: Outsider) -> KeptAnchor | None:
        """None: its file is gone, which fsck says; what it proved, nobody can show any more."""
        path = self._folder / file_name(row["size"], by)
        with files.translated(path):
            if not path.exists():
                return None
            return KeptAnchor(row["size"], body_of(row["note"]).encode(), path.read_bytes(), row["leaf_index"], by)

    def roots(self) -> bytes:
        """All certificates that stamps were ever believed by (PEM).

        Raises:
            StorageError: they cannot be read.
        """
        with files.translated(self._folder):
            return b"".join(path.read_bytes().rstrip() + b"\n" for path in sorted(self._folder.glob(ROOTS.format("*"))))

    def state(self, by: Outsider = AUTHORITIES) -> AnchorState:
        """How it stands with them."""
        had = select(_A.stamped_us, _A.size).where(_by(by), _A.token.is_not(None)).order_by(_A.size.desc()).limit(1)
        newest = select(_A.wanted_us).where(_by(by)).order_by(_A.id.desc()).limit(1)
        with self._database.read() as connection:
            last, size = connection.execute(had).one_or_none() or (None, 0)
            asked = connection.execute(newest).scalar()
            oldest = connection.execute(select(func.min(_A.wanted_us)).where(_by(by), _A.token.is_(None))).scalar()
            return AnchorState(last, oldest, _waiting(connection, by), asked, size)


def _nearest(connection: Connection, by: Outsider, first: int, lasts: Iterable[int]) -> list[RowMapping]:
    had = select(tables.anchors).where(_by(by), _A.token.is_not(None))
    rows = [_first(connection, had.where(_A.leaf_index < first).order_by(_A.leaf_index.desc()))]
    within = had.where(_A.size > first).order_by(_A.size.desc())
    for last in lasts:
        behind = had.where(_A.size > last).order_by(_A.size)
        rows.append(_first(connection, behind) or _first(connection, within))
    return [row for row in rows if row is not None]


def _first(connection: Connection, query: Select[tuple[object, ...]]) -> RowMapping | None:
    return connection.execute(query.limit(1)).mappings().first()


def file_name(size: int, by: Outsider) -> str:
    """What the answer is called under `log/anchors`: of a witness, its key id stands in it."""
    if by.key is None:
        return f"{size}.tsr"
    return f"{size}.{parse_verifier_key(by.key, COSIGNATURE).id.hex()}.note"


def _by(by: Outsider) -> ColumnElement[bool]:
    whose = _A.witness.is_(None) if by.key is None else _A.witness == by.key
    return and_(_A.kind == by.kind.value, whose)


def _waiting(connection: Connection, by: Outsider) -> int:
    count = select(func.count()).where(_by(by), _A.token.is_(None))
    return int(connection.execute(count).scalar_one())


def _grown(connection: Connection, by: Outsider, size: int, note: str) -> bool:
    """Put the newest in the place of what waits for a witness; since when it waits, and why, stays."""
    if by.kind is not AnchorKind.WITNESS:
        return False
    waits = and_(_by(by), _A.token.is_(None))
    return connection.execute(update(tables.anchors).where(waits).values(size=size, note=note)).rowcount > 0
