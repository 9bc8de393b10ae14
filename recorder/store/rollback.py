"""Whether a backup that is put back takes back what is known to have been written since. Pure.

Whoever restores an older log makes the box say again, otherwise, what it has said and signed. Sometimes there is
nothing else left to do; it must never happen without being seen. So everything that is at hand and remembers the log is
asked for how many entries it knows: what lies in the data directory, anchors, segments, witnesses. Where one knows more
than the backup has, the answer is no, in numbers, until somebody takes it on himself; and then the log says who did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.times import format_us
from recorder.errors import Refused

NAMED = 5
"""Streams that the refusal names one by one; of the rest it gives the number."""


class WouldRollBack(Refused):
    """The log there, or somebody who saw it, knows more than the backup: restoring it would take entries back."""

    code = "would_roll_back"


@dataclass(frozen=True)
class Known:
    """How much of the log somebody knows."""

    where: str
    """In words, for people."""
    size: int
    is_other: bool = False
    """It is no continuation of the backup's log, nor a beginning of it: it was written anew since."""


@dataclass(frozen=True)
class Newer:
    """Media of one stream that the backup knows nothing of."""

    stream: str
    segments: int
    first_n: int
    last_us: int
    """When the newest of them begins."""


@dataclass(frozen=True)
class Evidence:
    """All that was found."""

    known: tuple[Known, ...] = ()
    newer: tuple[Newer, ...] = ()
    before: int = 0
    """Segments that an earlier attempt found, and may have set aside by now."""

    def size(self, backup: int) -> int:
        """How many entries the log is known to have had; at least those of the backup."""
        return max([backup, *(one.size for one in self.known)])

    @property
    def segments(self) -> int:
        """Segments that the backup knows nothing of."""
        return sum(one.segments for one in self.newer)

    def takes_back(self, backup: int) -> bool:
        """Whether anything is known that a log of `backup` entries would take back."""
        return bool(self.newer or self.before) or any(one.size > backup or one.is_other for one in self.known)


def sentence(backup: int, found: Evidence) -> str:
    """What would be taken back, in numbers, and what to do.

    Args:
        backup: entries of the backup, those that wait to be signed included.
        found: what is known.
    """
    told = [f"The backup has {backup} entries."]
    told += [_words(one) for one in found.known if one.size > backup or one.is_other]
    told += _media(found.newer)
    lost = found.size(backup) - backup
    if lost:
        told.append(f"Restoring it takes {lost} entries back.")
    told.append("Use a newer backup; or say why there is none: --accept-rollback REASON, which the log then keeps.")
    return " ".join(told)


def _words(one: Known) -> str:
    if one.is_other:
        return f"{one.where} is another log of {one.size} entries: one of the two was written anew."
    return f"{one.where} knows {one.size}."


def _media(newer: Sequence[Newer]) -> list[str]:
    if not newer:
        return []
    count, last_us = sum(one.segments for one in newer), max(one.last_us for one in newer)
    some = [f"{one.stream} {one.segments} from number {one.first_n} on" for one in newer[:NAMED]]
    rest = f" and {len(newer) - NAMED} streams more" if len(newer) > NAMED else ""
    named = ", ".join(some) + rest
    return [f"Of {count} segments on the disk it knows nothing, the newest of {format_us(last_us)}: {named}."]
