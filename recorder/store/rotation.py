"""Replacing the key of the log: a new one is made, a leaf that both sign puts it in force, and the old one goes.

Each step is durable before the next (docs/storage.md, "Replace the key")::

    1 make the new key: keys/next.ed25519, or in the token            (file, fsync)
    2 keep the public half of the old one as keys/log-N.pub.pem       (file, fsync)
    3 append the `key` leaf, with its row: from here on it is so      (transaction)
    4 sign a checkpoint with the new key                              (see `ledger`)
    5 destroy the old private key, give the new one its name          (files, fsync)

A crash before 3 leaves a key that never signed anything: it goes at the next start. A crash after 3 leaves a log that
names the new key: it signs, and the old one goes behind the first checkpoint that it signed. Who asks which key signs
always asks the catalogue's rows, so that an error in the middle cannot leave this process with the wrong one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from recorder.store.database import Database
from recorder.store.keyring import KeyKind, KeyRing, KnownKey
from recorder.store.ledger import Ledger
from recorder.store.log.errors import KeyForeign, KeyInForce, KeysTooMany, LinkBroken
from recorder.store.log.keys import fingerprint
from recorder.store.log.succession import LEAF, read_link, sign_link, walk

KEYS_LIMIT = 1000
"""Of one log: every package holds them all. A key a month is eighty years; whoever asks for more is no operator."""


@dataclass(frozen=True)
class Rotated:
    """What came of it."""

    number: int
    """Of the new key: 1 for the one after the first."""
    leaf_index: int
    kind: KeyKind
    fingerprint: str
    old_fingerprint: str
    first_fingerprint: str
    """The one that was in force when the box was made: it stays good on all papers."""


def rotate(database: Database, ledger: Ledger, keys: KeyRing, origin: str, checkpoint: Callable[[], object]) -> Rotated:
    """Put a new key in force. The caller keeps other signers out.

    Raises:
        KeyInForce: the settings name the key that is in force already. KeysTooMany: as it says.
        KeyUnavailable: a token cannot be asked. StorageError, CatalogueError: the disk did not do it. Which key is in
            force afterwards the log says; to be asked again.
    """
    keys.settle()
    with database.read() as connection:
        old, known = keys.signer(connection), keys.keys(connection)
    if len(known) >= KEYS_LIMIT:
        raise KeysTooMany
    new = keys.create_next()
    if new.public_key() == old.public_key():
        raise KeyInForce
    number = known[-1].number + 1
    fields = sign_link(origin, number, old, new)
    read_link(origin, fields)  # what cannot be verified must not stand in a log for ever
    keys.keep(known)
    with database.write() as connection:
        keys.remember_first(connection, known[0])
        entry = ledger.append(connection, LEAF, fields)
        keys.remember(connection, number, entry.index, new.public_key())
    checkpoint()
    kind: KeyKind = "file" if keys.told is None else "token"
    prints = (fields["new"], fields["old"], fingerprint(known[0].key))
    return Rotated(number, entry.index, kind, *prints)


def check_chain(ledger: Ledger, connection: Connection, origin: str, known: Iterable[KnownKey]) -> None:
    """That the log leads from its first entry to the keys that the catalogue knows.

    Raises:
        KeyForeign: it begins with another key. LinkBroken: a leaf does not say what its row does.
        LeafMalformed, TileMissing: the log cannot be read.
    """
    first, *later = known
    genesis = ledger.leaf(connection, 0)
    if genesis.fields.get("key") != fingerprint(first.key):
        raise KeyForeign
    links = []
    for one in later:
        leaf = ledger.leaf(connection, one.since)
        if leaf.type != LEAF:
            raise LinkBroken(f"Log entry {one.since} is not about key {one.number}.")
        links.append(read_link(origin, leaf.fields))
    if [fingerprint(one) for one in walk(genesis.fields["key"], links)[1:]] != [fingerprint(one.key) for one in later]:
        raise LinkBroken("The catalogue knows other keys than the log.")
