"""What a witness remembers, on disk: its name, its key, and the newest checkpoint that it cosigned of each log.

A folder of its own, at another place than the boxes that it watches::

    witness.json      name; of each log the newest cosigned checkpoint, as a signed note; replaced whole, durably
    witness.ed25519   its signing key, mode 0600; witness.pub.pem for everybody

All depends on this file: a witness that forgot what it cosigned would cosign something else. So `keep` is durable
before it returns, and a key without the file is refused rather than begun anew.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.errors import ExitCode
from config.verifier_keys import WITNESS_NAME
from recorder.errors import StoreError
from recorder.store import files
from recorder.store.log.errors import KeyFileInvalid, LogError
from recorder.store.log.keys import create_key, load_key
from recorder.store.log.note import Checkpoint, body_of, read_body

STATE, KEY, PUBLIC = "witness.json", "witness.ed25519", "witness.pub.pem"

FORMAT = 1

NAME_LIMIT = 200
"""Characters. It stands in every cosigned note and its entry; a host and a path need no more."""

NAME_PREFIX = "custos-witness/"
"""Of witnesses that nobody gave a name."""


class WitnessStateInvalid(StoreError):
    """What the witness remembers is not there, or cannot be read: put it back from a backup that is not older.

    Without it the witness would cosign what contradicts its own word. Where there is none, make a new witness in
    another folder, under another name, and have the boxes trust that.
    """

    code = "witness_state_invalid"
    exit_code = ExitCode.DATA_DIR


class WitnessNameOther(StoreError):
    """The witness in this folder has another name: its key and its name belong together."""

    code = "witness_name_other"
    exit_code = ExitCode.CONFIG


class WitnessNameInvalid(StoreError):
    """A witness's name is 1 to 200 ASCII characters but spaces, plus signs, quotes and backslashes, such as
    witness.example.org/north.
    """

    code = "witness_name_invalid"
    exit_code = ExitCode.USAGE


class WitnessInUse(StoreError):
    """Another witness is running on this folder: two that do not know of each other could contradict themselves."""

    code = "witness_in_use"
    exit_code = ExitCode.DATA_DIR


@dataclass(frozen=True)
class Witnessed:
    """The newest checkpoint that was cosigned of a log."""

    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        """What it says."""
        return read_body(body_of(self.note))


class WitnessRecord:
    """An open folder. Not thread-safe: whoever decides by it keeps others out until `keep` has returned."""

    def __init__(self, folder: Path, name: str, key: Ed25519PrivateKey, seen: dict[str, Witnessed], lock: int) -> None:
        """Use `WitnessRecord.open`."""
        self.name = name
        self.key = key
        self._folder = folder
        self._seen = seen
        self._lock: int | None = lock

    @staticmethod
    def open(folder: Path, name: str | None = None) -> WitnessRecord:
        """Open a folder, or begin one under this name; without a name, under the one it has, or one that is made up.

        Raises:
            WitnessStateInvalid, WitnessNameOther, WitnessNameInvalid, WitnessInUse: as they say.
            KeyFileOpen, KeyFileInvalid: the key. StorageError: the disk.
        """
        if name is not None and not (len(name) <= NAME_LIMIT and WITNESS_NAME.fullmatch(name)):
            raise WitnessNameInvalid(f"{WitnessNameInvalid.sentence()} (It was {name!r}.)")
        lock = _locked(folder)
        try:
            found, key, seen = _opened(folder, name)
        except BaseException:
            os.close(lock)
            raise
        return WitnessRecord(folder, found, key, seen, lock)

    def seen(self, origin: str) -> Witnessed | None:
        """What was cosigned last of a log; None: nothing yet."""
        return self._seen.get(origin)

    def keep(self, origin: str, newest: Witnessed) -> None:
        """Remember it; durable when this returns.

        Raises:
            StorageError: it is not remembered, so it must not be cosigned.
        """
        seen = {**self._seen, origin: newest}
        files.write_atomically(self._folder / STATE, _encoded(self.name, seen))
        self._seen = seen

    def close(self) -> None:
        """Let another have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _opened(folder: Path, name: str | None) -> tuple[str, Ed25519PrivateKey, dict[str, Witnessed]]:
    state, key = folder / STATE, folder / KEY
    with files.translated(folder):
        begun, keyed = state.exists(), key.exists()
    if keyed and not begun:
        raise WitnessStateInvalid(f"{WitnessStateInvalid.sentence()} ({state})")
    if not begun:
        # Before the key: a crash between leaves a memory without a key, never a key without a memory.
        files.write_atomically(state, _encoded(name or f"{NAME_PREFIX}{secrets.token_hex(8)}", {}))
    found, seen = _read(state)
    with files.translated(folder):
        # A process that was killed between rename and sync left a file that is read now, and gone after a power cut.
        files.sync_folder(folder)
    if not WITNESS_NAME.fullmatch(found):
        raise WitnessNameInvalid(f"{WitnessNameInvalid.sentence()} (It is {found!r}.)")
    if name not in (None, found):
        raise WitnessNameOther(f"{WitnessNameOther.sentence()} (It is {found!r}, not {name!r}.)")
    if seen and not keyed:
        raise KeyFileInvalid(f"The witness's key is gone: restore it from a backup. ({key})")
    return found, load_key(key) if keyed else create_key(key, PUBLIC), seen


def _locked(folder: Path) -> int:
    """By the folder itself: the file in it is replaced at each change."""
    with files.translated(folder):
        files.make_folders(folder.absolute())
        handle = files.try_lock(folder)
    if handle is None:
        raise WitnessInUse(f"{WitnessInUse.sentence()} ({folder})")
    return handle


def _encoded(name: str, seen: dict[str, Witnessed]) -> bytes:
    body = {"format": FORMAT, "name": name, "logs": {origin: one.note for origin, one in sorted(seen.items())}}
    return json.dumps(body, indent=2, ensure_ascii=False).encode() + b"\n"


def _read(path: Path) -> tuple[str, dict[str, Witnessed]]:
    with files.translated(path):
        data = path.read_bytes()
    try:
        found: dict[str, Any] = json.loads(data)
        seen = {str(origin): Witnessed(str(note)) for origin, note in found["logs"].items()}
        sound = found["format"] == FORMAT and all(one.checkpoint.origin == origin for origin, one in seen.items())
        name = str(found["name"])
    except (ValueError, KeyError, TypeError, AttributeError, LogError) as err:
        raise WitnessStateInvalid(f"{WitnessStateInvalid.sentence()} ({path})") from err
    if not sound:
        raise WitnessStateInvalid(f"{WitnessStateInvalid.sentence()} ({path})")
    return name, seen
