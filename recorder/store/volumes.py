"""How it stands with the disks that footage lies on, as the kernel tells it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from recorder.store.layout import VOLUME
from recorder.store.parts import reserve_bytes
from recorder.store.records import VolumeState

LOW_SPACE_SHARE = 0.05
"""Below this share of free space a volume is `low`: there is still time to act."""


def state_of(root: Path) -> VolumeState:
    """The volume that is mounted there, or is not."""
    try:
        usage = os.statvfs(root)
    except OSError as err:
        state = "io_error" if err.errno == errno.EIO else "missing"
        return VolumeState(VOLUME, str(root), 0, 0, state)
    free_bytes, total_bytes = usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize
    return VolumeState(VOLUME, str(root), free_bytes, total_bytes, _word(usage, free_bytes, total_bytes))


def _word(usage: os.statvfs_result, free_bytes: int, total_bytes: int) -> str:
    if usage.f_flag & os.ST_RDONLY:
        return "read_only"
    if free_bytes < reserve_bytes(total_bytes):
        return "full"
    return "low" if free_bytes < total_bytes * LOW_SPACE_SHARE else "ok"
