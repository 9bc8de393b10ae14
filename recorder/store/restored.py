"""What a restored data directory has still to tell its log: `restored.json`, from the restoring to the next start.

The log that was put back knows nothing of what came after it, nor that it was put back. So the first entry behind it
says so: from how many known entries to how many, by which backup, how many segments it knows nothing of; who did it and
why stand in a side record (`sidecar`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from recorder.errors import StoreError
from recorder.store import files, sidecar
from recorder.store.database import Database
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.log.leaves import decode_leaf


class RestoredUnreadable(StoreError):
    """What restoring left to be told to the log (restored.json) cannot be read: restore the backup again."""

    code = "restored_unreadable"


@dataclass(frozen=True)
class Restored:
    """One restoring."""

    restore: str
    """Its name."""
    backup: str
    """SHA-256 of the backup's list."""
    known: int
    """Entries that the log was known to have had."""
    entries: int
    """Entries that it has now."""
    segments: int
    """Segments on the disk of which it knows nothing."""
    who: str
    why: str
    at: str


def write(layout: Layout, told: Restored) -> None:
    """Keep it for the next start, durably.

    Raises:
        StorageError: one of its kinds.
    """
    files.write_atomically(layout.restored, json.dumps(asdict(told), ensure_ascii=False).encode() + b"\n", mode=0o600)


def read(layout: Layout) -> Restored | None:
    """What is still to be told; None: nothing.

    Raises:
        RestoredUnreadable, StorageError: as they say.
    """
    with files.translated(layout.restored):
        if not layout.restored.exists():
            return None
        data = layout.restored.read_bytes()
    try:
        return Restored(**json.loads(data))
    except (ValueError, TypeError) as err:
        raise RestoredUnreadable from err


def tell(layout: Layout, database: Database, ledger: Ledger) -> None:
    """Say it in the log, once, before anything else is said.

    Raises:
        RestoredUnreadable, StorageError, CatalogueError: as they say; nothing may be recorded before it is told.
    """
    told = read(layout)
    if told is None:
        return
    with database.write() as connection:
        behind = (decode_leaf(body) for _, body in ledger.bodies(connection, told.entries, 2**62))
        if not any(leaf.fields.get("restore") == told.restore for leaf in behind):  # a crash before the file went
            fields: dict[str, Any] = {"what": "restored", "restore": told.restore, "backup": told.backup}
            fields |= {"from": told.known, "to": told.entries, "segments": told.segments}
            record = sidecar.keep(connection, {"who": told.who, "why": told.why, "at": told.at})
            ledger.append(connection, "audit", {**fields, "record": record})
    files.remove_tree(layout.restored)
