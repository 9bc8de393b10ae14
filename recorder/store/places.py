"""Volumes as folders: which disk is mounted at a place, how much room it has. No database.

`volume.json` at the top of a volume says which one it is. A disk that is not mounted leaves an empty folder behind, and
another disk may be mounted there: whoever wrote to it would fill, or spoil, the wrong one.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.errors import StorageError, StorageFailed, VolumeForeign, VolumeMissing
from recorder.store import files
from recorder.store.pressure import Look, reserve_bytes
from recorder.store.records import Condition

IDENTITY = "volume.json"

IDENTITY_LIMIT_BYTES = 4096
"""What is longer is no identity of ours."""


@dataclass(frozen=True)
class Place:
    """A volume that a segment may go to."""

    name: str
    root: Path
    box: str | None = None
    """Whose it is; None: whoever asks does not know."""
    id: str | None = None
    """Which one; None: it was made before volumes had ids."""
    reserve_bytes: int | None = None
    """What is to stay free by its settings."""
    state: str = Condition.OK
    """As whoever named it saw it last."""


@dataclass(frozen=True)
class Space:
    """What a file system has."""

    free_bytes: int
    total_bytes: int


def space_of(root: Path) -> Space:
    """Of the file system on which a folder lies.

    Raises:
        StorageError: it cannot be asked; an error is not an answer about space.
    """
    with files.translated(root):
        return _space(os.statvfs(root))


def _space(usage: os.statvfs_result) -> Space:
    """A file system that was made for fewer files than ours fill it with runs out of inodes while bytes are free, and
    says then that it is full: where that comes first, no larger share of it is free than of its inodes.
    """
    free, total = usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize
    if usage.f_files:  # none: it has no such limit
        free = min(free, total * usage.f_favail // usage.f_files)
    return Space(free, total)


def is_full(root: Path, told_bytes: int | None = None) -> bool:
    """Whether a volume has no more than its reserve free.

    Raises:
        StorageError: it cannot be asked.
    """
    found = space_of(root)
    return found.free_bytes < reserve_bytes(found.total_bytes, told_bytes)


def identify(place: Place) -> int:
    """Whether the right disk is mounted there; the number of its file system.

    Raises:
        VolumeMissing: none is. VolumeForeign: another one. StorageError: it cannot be asked.
    """
    found, device = _identity(place.root)
    wrong = {"volume": place.name, "box": place.box or found.get("box"), "id": place.id or found.get("id")}
    if any(found.get(key) != value for key, value in wrong.items()):
        raise VolumeForeign(f"{VolumeForeign.sentence()} ({place.root})")
    return device


def identity_of(root: Path) -> dict[str, Any]:
    """What a volume says of itself.

    Raises:
        VolumeMissing: there is nothing that does. StorageError: it cannot be asked.
    """
    return _identity(root)[0]


def _identity(root: Path) -> tuple[dict[str, Any], int]:
    path = root / IDENTITY
    with files.translated(path), path.open("rb") as stream:
        about = os.fstat(stream.fileno())
        text = stream.read(IDENTITY_LIMIT_BYTES) if stat.S_ISREG(about.st_mode) else b""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise VolumeForeign(f"{VolumeForeign.sentence()} ({path} cannot be read as a volume's identity)")
    return found, about.st_dev


def of_box(told: Mapping[str, Path], box_id: str) -> dict[str, Path]:
    """Of folders that are said to be volumes, by name, those that say of themselves that they are, of that box."""
    found = {}
    for name, root in sorted(told.items()):
        try:
            identify(Place(name, root, box_id))
        except StorageError:
            continue
        found[name] = root
    return found


def write_identity(root: Path, name: str, box_id: str, volume_id: str) -> None:
    """Say which volume this is from now on.

    Raises:
        StorageError: one of its kinds.
    """
    told = {"volume": name, "box": box_id, "id": volume_id}
    files.write_atomically(root / IDENTITY, (json.dumps(told, indent=2) + "\n").encode())


MAY_LIE_THERE = ("lost+found",)
"""What a file system makes by itself."""


def is_unused(root: Path) -> bool:
    """Whether nothing lies in a folder that is to become a volume.

    Raises:
        VolumeMissing: there is no such folder. StorageError: it cannot be read.
    """
    with files.translated(root):
        return all(path.name in MAY_LIE_THERE for path in root.iterdir())


def look_at(place: Place) -> tuple[Look, int | None]:
    """What is seen of a volume now, and the number of its file system; raises nothing."""
    try:
        device = identify(place)
        usage = os.statvfs(place.root)
    except VolumeForeign:
        return Look(trouble=Condition.FOREIGN), None
    except StorageFailed:
        return Look(trouble=Condition.IO_ERROR), None
    except VolumeMissing:
        return Look(trouble=Condition.MISSING), None
    except OSError as err:
        return Look(trouble=Condition.IO_ERROR if err.errno == errno.EIO else Condition.MISSING), None
    except StorageError:
        return Look(trouble=Condition.IO_ERROR), None
    found = _space(usage)
    return Look(found.free_bytes, found.total_bytes, is_read_only=bool(usage.f_flag & os.ST_RDONLY)), device
