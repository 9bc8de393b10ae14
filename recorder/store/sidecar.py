"""Side records: what must not stand in a leaf, because it may have to be erased one day (PIPL article 47).

The leaf holds SHA-256(salt ‖ record). The salt keeps a short record (a name) from being guessed from its hash.

A record is erased by writing over it, at its own length: no other row has to be moved for that. Where rows are moved
when others are added, `secure_delete` keeps their bytes from staying behind (`database`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

import rfc8785
from sqlalchemy import Connection, insert, select, update

from recorder.store import tables
from recorder.store.log.leaves import bind_record

SALT_BYTES = 16


def keep(connection: Connection, record: Mapping[str, Any]) -> str:
    """Store a record and give the hash that a leaf may carry."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = bind_record(record, salt)
    body = rfc8785.dumps(dict(record)).decode()
    connection.execute(insert(tables.records).values(hash=digest, salt=salt, body=body))
    return digest


def read(connection: Connection, digest: str) -> dict[str, Any]:
    """A record by its hash; empty when it was erased."""
    return decoded(connection.execute(select(tables.records.c.body).where(tables.records.c.hash == digest)).scalar())


def decoded(body: str | None) -> dict[str, Any]:
    """A record as it is stored; empty when it was erased, or is not there."""
    return {} if body is None or body.isspace() else dict(json.loads(body))


def overwrite(connection: Connection, digest: str) -> None:
    """Write over a record and its salt, byte for byte; older pages are `Database.forget`'s to take away."""
    chosen = tables.records.c.hash == digest
    row = connection.execute(select(tables.records).where(chosen)).mappings().one()
    blank = {"salt": bytes(len(row["salt"])), "body": " " * len(row["body"].encode())}
    connection.execute(update(tables.records).where(chosen).values(**blank))


def is_whole(salt: bytes, body: str, digest: str) -> bool:
    """Whether a stored record is the one whose hash a leaf carries."""
    return hashlib.sha256(salt + body.encode()).hexdigest() == digest
