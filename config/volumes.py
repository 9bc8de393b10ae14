"""What a box is told of the disks that footage lies on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAIN_VOLUME: Final = "main"
"""The volume inside the data directory: the only one of a box that was told of none."""

VOLUMES_LIMIT: Final = 32
"""Each is looked at every two seconds, and asked before a stream goes on: more are a file system's work."""


@dataclass(frozen=True)
class VolumeWish:
    """A volume that footage is to be written to."""

    name: str
    path: Path | None = None
    """Its folder; None: inside the data directory (`main` alone)."""
    reserve_bytes: int | None = None
    """What recording leaves free, where that is more than by default."""
