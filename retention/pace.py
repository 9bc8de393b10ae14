"""What the scrub reads next, and how fast. Pure: a function of values.

Recording comes first: while the disk takes long to make footage durable, or does not, nothing is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from config.times import DAY_US
from recorder.store.records import Checkable, Condition, VolumeState

SLOW_SYNC_S = 0.5
"""A sync that takes longer: the disk has enough to do with what is recorded. Alarm is given at twice that."""

READABLE = (Condition.OK, Condition.LOW, Condition.CRITICAL, Condition.FULL)
"""States of a volume in which it is read: what is found on another could not be written down, or would be no news."""


@dataclass(frozen=True)
class Pace:
    """How the box was told to scrub."""

    rate_bytes_s: int
    every_days: int

    def due_before_us(self, elapsed_us: int) -> int:
        """What was last looked at before this box time is due, where box time is so much now."""
        return elapsed_us - self.every_days * DAY_US

    def pause_s(self, read_bytes: int, took_us: int) -> float:
        """How long to rest behind a piece that took so long to read, so that no second has more than its share."""
        return max(0.0, read_bytes / self.rate_bytes_s - max(took_us, 0) / 1e6)


@dataclass(frozen=True)
class Load:
    """How recording does."""

    sync_s: float
    """How long its last sync took."""
    is_failing: bool
    """Whether the last one failed."""

    @property
    def is_pressing(self) -> bool:
        """Whether reading has to wait."""
        return self.is_failing or self.sync_s > SLOW_SYNC_S


def readable(volumes: Iterable[VolumeState]) -> list[str]:
    """The names of those that are to be read, in their order."""
    return [one.name for one in volumes if one.state in READABLE]


def first(due: Iterable[list[Checkable]]) -> list[Checkable]:
    """Of what is due on each volume, in order, that whose first was not looked at for longest; empty: nothing is."""
    return min((one for one in due if one), key=_age, default=[])


def _age(due: list[Checkable]) -> tuple[bool, int]:
    checked = due[0].checked_elapsed_us
    return checked is not None, checked or 0
