"""The keys of one log: which one is in force, which went before it, and where the private half lies.

Which key signs follows from the log alone: genesis names the first, each `key` leaf the next (`log.succession`). The
catalogue has a row for each, so that no transaction has to look through the log. A tree is signed with the newest key
whose leaf it holds. The private half lies in a file or in a token; it is found by its public half, so that neither a
crash between two steps of a rotation nor a setting can make the wrong key sign.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, insert, select

from config.token_url import parse
from recorder.errors import StorageError
from recorder.store import files, tables
from recorder.store.database import Database
from recorder.store.layout import Layout
from recorder.store.log.errors import KeyFileInvalid, KeyForeign, KeyUnavailable
from recorder.store.log.keys import create_key, create_private, load_key, load_public, public_pem
from recorder.store.log.note import Checkpoint, SigningKey, open_checkpoint, size_of, verifier_key
from recorder.store.log.succession import read_verifier_key
from recorder.store.log.tokens import TokenKey

KeyKind = Literal["file", "token"]
"""Where a private key lies: in a file of this machine, which root can copy, or in a token, which nobody can."""


@dataclass(frozen=True)
class KnownKey:
    """A key of the log."""

    number: int
    """0 for the first."""
    since: int
    """The index of the leaf that names it: trees that hold that leaf are signed with it, until the next."""
    key: Ed25519PublicKey
    place: str | None
    """Of its private half in a token (RFC 7512), when it was put in force; None: a file."""

    @property
    def kind(self) -> KeyKind:
        """Where its private half lies, or lay."""
        return "file" if self.place is None else "token"


class KeyRing:
    """The keys of one box."""

    def __init__(self, layout: Layout, database: Database, origin: str, key_url: str | None = None) -> None:
        """`key_url`: where the box was told that its key is to lie (RFC 7512); None: in a file."""
        self._layout = layout
        self._database = database
        self._origin = origin
        self.told = key_url
        self._tokens: dict[str, TokenKey] = {}
        self._signer: SigningKey | None = None
        """The one found last: loading a file each minute would only give it more ways to fail."""

    # -- public halves

    def keys(self, connection: Connection) -> list[KnownKey]:
        """Every key that the log had so far, in order; the last one is in force.

        Raises:
            LinkBroken: a row of the catalogue holds no key. KeyFileInvalid, StorageError: of the only key's file.
        """
        rows = connection.execute(select(tables.log_keys).order_by(tables.log_keys.c.number)).all()
        found = [
            KnownKey(row.number, row.leaf_index, read_verifier_key(self._origin, row.key), row.place) for row in rows
        ]
        return found or [KnownKey(0, 0, self._only(), None)]

    def all(self) -> list[KnownKey]:
        """The same, in a view of its own: as new as anything that was read before."""
        with self._database.read() as connection:
            return self.keys(connection)

    def at(self, size: int) -> list[KnownKey]:
        """The keys up to the one that signs the tree of that size."""
        return [one for one in self.all() if one.since < size or one.number == 0]

    def opened(self, note: str) -> Checkpoint:
        """Read a checkpoint of this log, and check that the key of that time signed it.

        Raises:
            LogError: see `open_checkpoint`.
        """
        return open_checkpoint(note, self._origin, self.at(size_of(note))[-1].key)

    def _only(self) -> Ed25519PublicKey:
        path = self._layout.key
        return load_key(path).public_key() if path.exists() else load_public(self._layout.public_key)

    def is_as_told(self) -> bool:
        """Whether the key in force lies where the settings say. How a token is reached may be told differently."""
        present = self.all()[-1].place
        if present is None or self.told is None:
            return present == self.told
        here, there = parse(present), parse(self.told)
        return replace(here, module=there.module, pin_file=there.pin_file) == there

    # -- private halves

    def signer(self, connection: Connection) -> SigningKey:
        """The key that is in force, in this transaction's view.

        Raises:
            KeyForeign: neither the file nor the token holds it. KeyUnavailable: the token cannot be asked.
            KeyFileOpen, KeyFileInvalid, StorageError: of the file.
        """
        present = self.keys(connection)[-1]
        if self._signer is None or self._signer.public_key() != present.key:
            self._signer = self._of_file(present.key) if present.place is None else self._of_token(present)
        return self._signer

    def close(self) -> None:
        """Log out of tokens."""
        for token in self._tokens.values():
            token.close()

    def _of_file(self, key: Ed25519PublicKey) -> SigningKey:
        damaged: KeyFileInvalid | None = None
        for path in self._files():
            try:
                if (found := load_key(path)).public_key() == key:
                    return found
            except KeyFileInvalid as err:  # a crash while the old key was destroyed leaves it so
                damaged = err
        raise damaged or KeyForeign()

    def _of_token(self, present: KnownKey) -> SigningKey:
        """As the settings reach it now, else as it was reached when it was put in force."""
        failed: KeyUnavailable | None = None
        for url in dict.fromkeys(url for url in (self.told, present.place) if url is not None):
            try:
                if (token := self._token(url)).public_key() == present.key:
                    return token
            except KeyUnavailable as err:
                failed = failed or err
        raise failed or KeyForeign()

    def _token(self, url: str) -> TokenKey:
        return self._tokens.setdefault(url, TokenKey(parse(url), self._layout.refused_pin))

    def _files(self) -> list[Path]:
        return [path for path in (self._layout.key, self._layout.next_key) if path.exists()]

    def _file_of(self, key: Ed25519PublicKey) -> Path | None:
        return next((path for path in self._files() if _holds(path, key)), None)

    # -- making them

    def create(self) -> SigningKey:
        """The first key of a new box: in a file, or the one that the settings name in a token, made if need be.

        Raises:
            KeyUnavailable, StorageError: as they say.
        """
        if self.told is None:
            self._signer = create_key(self._layout.key)
        else:
            self._signer = self._ensured(self.told)
            files.write_atomically(self._layout.public_key, public_pem(self._signer.public_key()))
        return self._signer

    def create_next(self) -> SigningKey:
        """The key that is to follow; it signs nothing but that before the log names it.

        Raises:
            KeyUnavailable, StorageError: as they say.
        """
        return create_private(self._layout.next_key) if self.told is None else self._ensured(self.told)

    def remember(self, connection: Connection, number: int, since: int, key: Ed25519PublicKey) -> None:
        """A key's row, beside its leaf. It lies where the settings say: there it was made just now."""
        row = {"number": number, "leaf_index": since, "key": verifier_key(self._origin, key), "place": self.told}
        connection.execute(insert(tables.log_keys).values(**row))

    def remember_first(self, connection: Connection, known: KnownKey) -> None:
        """The row of the only key of a box that is older than this table."""
        if connection.execute(select(tables.log_keys.c.number)).first() is None:
            row = {"number": 0, "leaf_index": 0, "key": verifier_key(self._origin, known.key), "place": None}
            connection.execute(insert(tables.log_keys).values(**row))

    def keep(self, earlier: Iterable[KnownKey]) -> None:
        """Every public half that ever signed lies beside the present one, for ever.

        Raises:
            StorageError: it cannot be written.
        """
        for one in earlier:
            self._keep_public(self._layout.earlier_key(one.number), one.key)

    def settle(self) -> bool:
        """Destroy private halves that are over, and give the one in force its name; whether nothing is left to do.

        What the log does not name goes at once: it never signed a checkpoint. What was in force goes only when a
        checkpoint by its successor is durable, and that successor is at hand. Doing it again changes nothing.

        Raises:
            StorageError: to be tried again.
        """
        with self._database.read() as connection:
            *earlier, present = self.keys(connection)
            signed = connection.execute(select(tables.log_state.c.checkpoint_size)).scalar_one()
        if present.number and present.since >= signed:
            return False
        self.keep(earlier)
        path = self._file_of(present.key)
        at_hand = path is not None or (self._signer is not None and self._signer.public_key() == present.key)
        for other in self._files() if at_hand else ():
            if other not in (path, self._layout.key if path == self._layout.next_key else None):
                files.destroy(other)
        if path == self._layout.next_key:
            files.replace(path, self._layout.key)
        self._keep_public(self._layout.public_key, present.key)
        return self._files() == ([self._layout.key] if present.place is None else [])

    def _ensured(self, url: str) -> TokenKey:
        token = self._token(url)
        token.ensure()
        return token

    def _keep_public(self, path: Path, key: Ed25519PublicKey) -> None:
        text = public_pem(key)
        with contextlib.suppress(StorageError), files.translated(path):  # what cannot be read is written anew
            if path.read_bytes() == text:
                return
        files.write_atomically(path, text)


def _holds(path: Path, key: Ed25519PublicKey) -> bool:
    try:
        return load_key(path).public_key() == key
    except KeyFileInvalid:
        return False
