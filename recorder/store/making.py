"""Making a box: its identity, key, catalogue and token, and the first entries of its log, signed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from config.clock import Clock
from recorder.store import access, codes, datadir, tables
from recorder.store.codes import Holder, IssuedCode
from recorder.store.database import Database
from recorder.store.datadir import BoxFacts
from recorder.store.keyring import KeyRing
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.log.keys import fingerprint
from recorder.store.segments import holds_hash


@dataclass(frozen=True)
class InitReport:
    """What a new box tells its owner, once."""

    box_id: str
    origin: str
    fingerprint: str
    token: str
    release_codes: tuple[IssuedCode, ...]
    """Each for one person: together they release holds (`codes`)."""


def make(
    data_dir: Path, name: str, clock: Clock, version: str, key_url: str | None, holders: Sequence[str]
) -> InitReport:
    """A new box in an empty or missing folder; see `Store.create`.

    Raises:
        HolderInvalid: those are not two names. KeyUnavailable: the token cannot be asked.
        DataDirNotEmpty, DataDirUnwritable, DataDirReadOnly, StorageError: as they say.
    """
    codes.two_names(holders)  # before anything is there
    layout = Layout(data_dir.absolute())
    datadir.claim(layout)
    box_id = secrets.token_hex(8)
    facts = BoxFacts(box_id, name, f"custos/{box_id}")
    database = Database(layout.catalogue)
    keys = KeyRing(layout, database, facts.origin, key_url)
    key = keys.create().public_key()
    token = access.renew(layout)
    issued = codes.make(layout, holders, codes.COST)
    datadir.write_volume(layout, facts)
    database.prepare()
    known = codes.ids_of(layout)
    _genesis(database, Ledger(database, clock, layout.log, facts.origin, keys), clock, facts, keys, version, known)
    keys.close()
    database.close()
    # Last: a directory without it is not a box yet, and a crash before this line leaves none that looks like one.
    datadir.write_facts(layout, facts)
    return InitReport(box_id, facts.origin, fingerprint(key), token, issued)


def _genesis(
    database: Database,
    ledger: Ledger,
    clock: Clock,
    facts: BoxFacts,
    keys: KeyRing,
    version: str,
    holders: Sequence[Holder],
) -> None:
    key = keys.all()[-1].key
    with database.write() as connection:
        start = {"id": 1, "size": 0, "elapsed_us": 0, "boot": clock.boot_id(), "mono_us": clock.read().mono_us}
        signed = {"checkpoint_size": 0, "checkpoint_root": "", "checkpoint_us": 0}
        connection.execute(insert(tables.log_state).values(**start, **signed))
        ledger.append(
            connection,
            "genesis",
            {
                "box": facts.box_id,
                "origin": facts.origin,
                "key": fingerprint(key),
                "program": version,
                "release_codes": [one.id for one in holders],
            },
        )
        for one in holders:
            codes.remember(connection, one.id, 0, 0)
        keys.remember(connection, 0, 0, key)
        beat = ledger.beat(connection, {"holds": holds_hash(connection)})
    ledger.sign(beat.index + 1)
