"""The folder of a box: whether it is one and which, and whether it can be used at all."""

from __future__ import annotations

import errno
import json
import secrets
from dataclasses import dataclass

from recorder.errors import (
    DataDirError,
    DataDirForeign,
    DataDirMissing,
    DataDirNotEmpty,
    DataDirReadOnly,
    DataDirTooNew,
    DataDirUnwritable,
    StorageError,
)
from recorder.store import files
from recorder.store.layout import FORMAT, VOLUME, Layout
from recorder.store.places import write_identity


@dataclass(frozen=True)
class BoxFacts:
    """What `box.json` says."""

    box_id: str
    name: str
    origin: str


def read_facts(layout: Layout) -> BoxFacts:
    """Which box it is.

    Raises:
        DataDirError: one of its kinds: it is none, or none that can be used.
    """
    with _Opening(layout):
        if not layout.root.is_dir():
            raise DataDirMissing(f"{DataDirMissing.sentence()} ({layout.root})")
        if not layout.box.exists():
            kind = DataDirMissing if _is_unused(layout) else DataDirForeign
            raise kind(f"{kind.sentence()} ({layout.root})")
        text = layout.box.read_bytes()
    try:
        found = json.loads(text)
        version, facts = int(found["format"]), BoxFacts(str(found["box"]), str(found["name"]), str(found["origin"]))
    except (ValueError, KeyError, TypeError) as err:
        raise DataDirForeign(f"{layout.box} cannot be read as a box's identity.") from err
    if version > FORMAT:
        raise DataDirTooNew
    return facts


def write_facts(layout: Layout, facts: BoxFacts) -> None:
    """What makes the folder a box: the last thing to be written of a new one.

    Raises:
        StorageError: one of its kinds.
    """
    told = {"format": FORMAT, "box": facts.box_id, "origin": facts.origin, "name": facts.name}
    files.write_atomically(layout.box, _json(told))


def write_volume(layout: Layout, facts: BoxFacts) -> None:
    """What says that the one volume there is belongs to this box.

    Raises:
        StorageError: one of its kinds.
    """
    write_identity(layout.volume(), VOLUME, facts.box_id, secrets.token_hex(8))


def claim(layout: Layout) -> None:
    """Make the folder, if it is not there, for a box that is to be made in it.

    Raises:
        DataDirNotEmpty: something lies there. DataDirError: one of its other kinds.
    """
    with _Opening(layout):
        if layout.box.exists():
            raise DataDirNotEmpty(f"There is a box in this folder already; it was left as it is. ({layout.root})")
        if layout.root.exists() and not _is_unused(layout):
            raise DataDirNotEmpty(f"{DataDirNotEmpty.sentence()} ({layout.root})")
        files.make_folders(layout.root)


def probe_writing(layout: Layout) -> None:
    """Find out at start whether writing works, rather than at the first segment.

    Raises:
        DataDirUnwritable, DataDirReadOnly, DataDirError: as they say; nothing, where the disk is only full.
    """
    with _Opening(layout):
        probe = layout.root / ".writable"
        probe.touch()
        probe.unlink()


def _is_unused(layout: Layout) -> bool:
    """Nothing lies there, but what an attempt to make a box may have written down of a PIN that was refused."""
    return all(
        path == layout.keys and [*path.iterdir()] == [layout.refused_pin] for path in sorted(layout.root.iterdir())
    )


class _Opening:
    """While a data directory is opened: `EACCES` and `EROFS` are about the directory, the rest about the disk."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.root

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, err: BaseException | None, trace: object) -> None:
        error = err.__cause__ if isinstance(err, StorageError) else err
        if not isinstance(error, OSError):
            return
        ours: type[DataDirError] = DataDirError
        if error.errno in (errno.EACCES, errno.EPERM):
            ours = DataDirUnwritable
        elif error.errno == errno.EROFS:
            ours = DataDirReadOnly
        elif error.errno == errno.ENOSPC:
            return  # opening works on a full disk: what is there must stay readable
        raise ours(f"{ours.sentence()} ({self._path}: {error.strerror})") from err


def _json(facts: dict[str, object]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
