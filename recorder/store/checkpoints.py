"""The signing of a box's log: a checkpoint when it is due, with which keys, and one key after the other.

Any thread may ask; one signs at a time, since a key that is being replaced must not sign meanwhile. What is appended
stands before it is signed: a key that is away keeps signatures waiting, and nothing else.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable

from recorder.errors import StorageError
from recorder.store import files
from recorder.store.database import Database
from recorder.store.keyring import KeyRing
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.log import sm2
from recorder.store.log.errors import KeyUnavailable, LeafMalformed, Sm2Error, TileMissing
from recorder.store.records import CheckpointRecord
from recorder.store.rotation import Rotated, check_chain, rotate
from recorder.store.segments import holds_hash
from recorder.store.sm2key import Sm2Key


class Checkpoints:
    """Signs one log."""

    def __init__(
        self,
        layout: Layout,
        database: Database,
        ledger: Ledger,
        keys: KeyRing,
        sm2_key: Sm2Key,
        origin: str,
        floor_days: int,
        behind: Callable[[], object],
    ) -> None:
        """`behind` is called behind each checkpoint, could it be signed or not."""
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._keys = keys
        self._sm2 = sm2_key
        self._origin = origin
        self._floor_days = floor_days
        self._behind = behind
        self._signing = threading.RLock()
        self._unsettled = False
        """Whether a private key that is over may still lie there."""

    def begin(self) -> None:
        """The log leads to the key that is here; what an earlier run left of a rotation is finished or undone.

        A log that cannot be read keeps nobody from recording: `fsck` speaks of it.

        Raises:
            KeyForeign, LinkBroken: it does not. LogError: the key is damaged.
        """
        with self._database.read() as connection:
            known = self._keys.keys(connection)
            with contextlib.suppress(LeafMalformed, TileMissing):
                check_chain(self._ledger, connection, self._origin, known)
            if known[-1].kind == "file":
                self._keys.signer(connection)
        try:
            self._unsettled = not self._keys.settle()
        except StorageError:  # behind the next checkpoint, then; opening works on a disk that takes nothing
            self._unsettled = True

    def sign(self) -> CheckpointRecord:
        """Append a beat and sign the tree that it closes; with the SM2 key too, where there is one that can.

        The beat says whether it is: an SM2 key that fails costs a second beat, which says no more of it, and never
        the signature that everything rests on.
        """
        with files.translated(self._layout.root):
            free_bytes = shutil.disk_usage(self._layout.root).free
        public = self._sm2_ready()
        try:
            with self._signing:
                record = self._signed(free_bytes, public)
                if self._unsettled:
                    self._unsettled = not self._keys.settle()
        finally:
            self._behind()
        return record

    def sign_if_possible(self) -> None:
        """What was appended stands already, and is signed as soon as there is a key, and room: who asked must not ask
        again, nor be told that nothing was done.
        """
        with contextlib.suppress(KeyUnavailable, StorageError):  # the beat, which fails likewise, says so each minute
            self.sign()

    def rotate(self) -> Rotated:
        """Put a new key in force, where the settings say; see `rotation`.

        Raises:
            KeyInForce, KeyUnavailable, StorageError, CatalogueError: as they say.
        """
        with self._signing:
            self._unsettled = True
            return rotate(self._database, self._ledger, self._keys, self._origin, self.sign)

    def _signed(self, free_bytes: int, sm2_public: str | None) -> CheckpointRecord:
        if sm2_public is not None:
            with contextlib.suppress(Sm2Error):
                return self._sign(free_bytes, sm2_public)
        return self._sign(free_bytes, None)

    def _sm2_ready(self) -> str | None:
        if not self._sm2.is_on:
            return None
        with self._database.read() as connection:
            bound = self._ledger.state(connection).sm2_public
        return self._sm2.ready(bound)

    def _sign(self, free_bytes: int, sm2_public: str | None) -> CheckpointRecord:
        with self._database.write() as connection:
            facts = {"holds": holds_hash(connection), "floor_days": self._floor_days, "free_bytes": free_bytes}
            if sm2_public is not None:
                self._ledger.bind_sm2(connection, sm2_public)
                facts["sm2"] = sm2.fingerprint(sm2_public)
            beat = self._ledger.beat(connection, facts)
        if sm2_public is None:
            return self._ledger.sign(beat.index + 1)
        return self._ledger.sign(beat.index + 1, lambda text: self._sm2.line(self._origin, sm2_public, text))
