"""How it stands with a volume, and which one the next segment goes to: by what was seen of it. Pure.

A state is told from facts alone. What makes it worse counts at once; what makes it better has to be clear: a disk whose
free space swings about a limit, or that failed a moment ago, does not change its state with every look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.times import SECOND_US
from recorder.store.records import Condition, VolumeState

RESERVE_BYTES: Final = 64 * 1024 * 1024
"""What recording leaves free: it belongs to catalogue and log, which must be able to say that the disk is full."""

RESERVE_SHARE: Final = 50
"""A volume so small that the reserve would be more than a fiftieth of it keeps a fiftieth."""

CRITICAL_SHARE: Final = 100
"""Below a hundredth of its size, or twice the reserve, a volume is `critical`: hours are left, or less."""

LOW_SHARE: Final = 20
"""Below a twentieth, or three times the reserve, it is `low`: there is still time to act."""

RETURN_QUARTERS: Final = 5
"""A volume is better again when a quarter more than the limit is free."""

FAILED_HELD_US: Final = 60 * SECOND_US
"""So long after its last input/output error a volume counts as failing: errors come in bursts."""


def reserve_bytes(total_bytes: int, told_bytes: int | None = None) -> int:
    """What recording leaves free of a volume of that size; `told_bytes` makes it more, never less."""
    return max(min(RESERVE_BYTES, total_bytes // RESERVE_SHARE), told_bytes or 0)


@dataclass(frozen=True)
class Levels:
    """Below which free bytes a volume is how scarce."""

    full: int
    critical: int
    low: int


def levels(total_bytes: int, told_bytes: int | None = None) -> Levels:
    """Of a volume of that size, and of what is to stay free by its settings."""
    reserve = reserve_bytes(total_bytes, told_bytes)
    return Levels(reserve, max(total_bytes // CRITICAL_SHARE, 2 * reserve), max(total_bytes // LOW_SHARE, 3 * reserve))


@dataclass(frozen=True)
class Look:
    """What one look at a volume found."""

    free_bytes: int = 0
    total_bytes: int = 0
    is_read_only: bool = False
    trouble: Condition | None = None
    """`missing`, `foreign` or `io_error`: why nothing else could be found out."""


_SPACE: Final = (Condition.OK, Condition.LOW, Condition.CRITICAL, Condition.FULL)

WRITABLE: Final = (Condition.OK, Condition.LOW, Condition.CRITICAL)
"""A segment may be begun there."""

HERE: Final = (*_SPACE, Condition.IO_ERROR, Condition.READ_ONLY)
"""What lies there can be read, as far as the disk answers."""

ERASABLE: Final = (*_SPACE, Condition.IO_ERROR)
"""What lies there can be discarded."""

PRESSED: Final = (Condition.CRITICAL, Condition.FULL)
"""What may go has to."""


def condition(
    look: Look, told_bytes: int | None = None, before: Condition | None = None, failed_ago_us: int | None = None
) -> Condition:
    """The state of a volume.

    Args:
        look: what was seen.
        told_bytes: what is to stay free by its settings.
        before: its state until now; None: nobody has looked yet.
        failed_ago_us: since its last input/output error; None: there was none.
    """
    if look.trouble is not None:
        return look.trouble
    if look.is_read_only:
        return Condition.READ_ONLY
    if failed_ago_us is not None and failed_ago_us < FAILED_HELD_US:
        return Condition.IO_ERROR
    found = levels(look.total_bytes, told_bytes)
    now = _space(look.free_bytes, found)
    if before not in _SPACE or _SPACE.index(now) >= _SPACE.index(before):
        return now
    returned = _space(look.free_bytes * 4 // RETURN_QUARTERS, found)
    return min(before, returned, key=_SPACE.index)


def overwritable(volumes: Sequence[VolumeState]) -> list[VolumeState]:
    """Of which volumes the floor may be broken, where its owner has wished it: those that are full, if none has room.

    While any takes segments without being short of space, recording goes on there, and nothing has to give way.
    """
    written = [one for one in volumes if one.is_written]
    if any(one.state in (Condition.OK, Condition.LOW) for one in written):
        return []
    return [one for one in written if one.state in PRESSED]


def rooms(volumes: Sequence[VolumeState]) -> list[VolumeState]:
    """Those that new footage may ever go to; of several on one file system, which share its space, the first."""
    found: dict[str | int, VolumeState] = {}
    for one in volumes:
        if one.is_written:
            found.setdefault(one.name if one.device is None else one.device, one)
    return list(found.values())


def to_free_bytes(volume: VolumeState) -> int:
    """How much has to go from a volume so that it is not critical any more; 0 where it is not."""
    if volume.state not in PRESSED:
        return 0
    enough = levels(volume.total_bytes, volume.reserve_bytes).critical * RETURN_QUARTERS // 4
    return max(0, enough + RETURN_QUARTERS - volume.free_bytes)


def _space(free_bytes: int, found: Levels) -> Condition:
    if free_bytes < found.full:
        return Condition.FULL
    if free_bytes < found.critical:
        return Condition.CRITICAL
    return Condition.LOW if free_bytes < found.low else Condition.OK


def in_order(volumes: Sequence[VolumeState], pinned: str | None = None) -> list[VolumeState]:
    """Where the next segment of a stream goes: to the first of these that takes it.

    The volume that its camera is pinned to, while that can be written to; then the one with most free. Footage on
    another disk than was meant is better than none. Behind them stand those that nothing can be written to: they are
    not tried, and say why.
    """

    def key(one: VolumeState) -> tuple[int, bool, int, str]:
        at = 0 if one.state in WRITABLE else 1 if one.state == Condition.IO_ERROR else 2
        return (at, one.name != pinned, -one.free_bytes, one.name)

    return sorted((one for one in volumes if one.is_written), key=key)
