"""Side records: what must not stand in a leaf, because it may have to be erased one day (PIPL article 47).

The leaf holds SHA-256(salt ‖ record). The salt keeps a short record (a name) from being guessed from its hash.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import rfc8785
from sqlalchemy import Connection, insert, select

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
    body = connection.execute(select(tables.records.c.body).where(tables.records.c.hash == digest)).scalar()
    return {} if body is None else dict(json.loads(body))
