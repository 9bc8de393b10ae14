"""What should have gone, what went, and why the rest did not: counted, and when to ask a failing disk again. Pure.

Recorders that never delete are mostly silent about it. So every pass of the sweep ends in a `Reconciliation` that adds
up: what should have gone is what went and, by reason, what did not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from config.times import DAY_US, MINUTE_US
from recorder.store.records import Segment, Stuck

RETRY_FIRST_US: Final = 90 * MINUTE_US
"""A file that cannot be removed is tried again after so long, and after twice as long each time it fails again. Longer
than from one sweep to the next, so that the next one comes to what lies behind it."""

RETRY_LONGEST_US: Final = DAY_US
"""And once a day for good: somebody may have mended the disk."""

STUCK_LIMIT: Final = 1000
"""Segments of a disk announced as discarded whose files are still there, before no more are announced: a disk
that removes nothing does not get better by longer lists."""


@dataclass(frozen=True)
class Because:
    """Segments that did not go, all for one reason."""

    code: str
    """Of the rule or the failure: `held`, `clocks_disagree`; `under_hold`, `under_export`, `rules_changed`,
    `below_floor` (the store refused what was planned); `volume_away`; `storage_failed` and its like (the file could not
    be removed, or the discard not be signed)."""
    count: int
    bytes: int
    failed: bool = False
    """Whether the disk failed: then it is tried again, and somebody should look."""
    example: str = ""
    """One of them."""


@dataclass(frozen=True)
class Reconciliation:
    """What one pass of the sweep came to. What should have gone is what went and what `because` counts."""

    at_us: int
    should: int
    """Segments past their target by both clocks and under no hold, and those that an earlier pass could not remove."""
    should_bytes: int
    did: int
    bytes: int
    """Of those that went."""
    because: tuple[Because, ...]
    """Why the rest did not go, by reason."""
    spared: tuple[Because, ...]
    """What is past its target and rightly stays: under a hold, or not old enough by the box's own clock."""
    is_complete: bool
    """False: the pass ended at a limit, and the next one goes on."""
    broken: int = 0
    """Segments that went before they might, because a disk was full, and its owner had wished it so. They are not among
    those that should have gone."""
    broken_bytes: int = 0
    left: tuple[Because, ...] = ()
    """What a full disk would have taken too, and did not, by reason: it is held, or being exported."""

    @property
    def sentence(self) -> str:
        """For the log and for people."""
        why = ", ".join(f"{one.count} {one.code}" for one in self.because)
        stays = ", ".join(f"{one.count} {one.code}" for one in self.spared)
        told = f"should have discarded {self.should}, discarded {self.did}" + (f", because {why}" if why else "")
        told += f"; past their time and kept: {stays}" if stays else ""
        return told + (f"; overwrote {self.broken} below the floor" if self.broken else "")

    @property
    def kept(self) -> dict[str, int]:
        """What rightly stays, by reason."""
        return {one.code: one.count for one in self.spared}

    @property
    def failed(self) -> int:
        """How many the disk would not let go."""
        return sum(one.count for one in self.because if one.failed)


class Tally:
    """Counts a pass."""

    def __init__(self) -> None:
        self.did = 0
        self._bytes = 0
        self._because: dict[tuple[str, bool], Because] = {}
        self._spared: dict[tuple[str, bool], Because] = {}
        self._left: dict[tuple[str, bool], Because] = {}
        self._broken = self._broken_bytes = 0

    def went(self, count: int, size: int) -> None:
        """So many went."""
        self.did, self._bytes = self.did + count, self._bytes + size

    def refused(self, segments: Iterable[tuple[Segment, str]]) -> None:
        """The store did not let these go: plan and guard disagreed, or something came between."""
        for segment, code in segments:
            _count(self._because, code, segment.bytes, segment.id)

    def stuck(self, stuck: Iterable[Stuck]) -> None:
        """The disk did not let these go."""
        for one in stuck:
            _count(self._because, one.error.code, one.bytes, one.segment_id, failed=True)

    def spared(self, segments: Iterable[tuple[Segment, str]]) -> None:
        """These stay by right, though they are past their target."""
        for segment, code in segments:
            _count(self._spared, code, segment.bytes, segment.id)

    def broke(self, count: int, size: int) -> None:
        """So many went below their floor."""
        self._broken, self._broken_bytes = self._broken + count, self._broken_bytes + size

    def left(self, segments: Iterable[tuple[Segment, str]]) -> None:
        """A full disk would have taken these, and the store did not let it."""
        for segment, code in segments:
            _count(self._left, code, segment.bytes, segment.id)

    def report(self, at_us: int, is_complete: bool) -> Reconciliation:
        """The whole."""
        because = tuple(self._because[key] for key in sorted(self._because))
        return Reconciliation(
            at_us=at_us,
            should=self.did + sum(one.count for one in because),
            should_bytes=self._bytes + sum(one.bytes for one in because),
            did=self.did,
            bytes=self._bytes,
            because=because,
            spared=tuple(self._spared[key] for key in sorted(self._spared)),
            is_complete=is_complete,
            broken=self._broken,
            broken_bytes=self._broken_bytes,
            left=tuple(self._left[key] for key in sorted(self._left)),
        )


def _count(into: dict[tuple[str, bool], Because], code: str, size: int, example: str, *, failed: bool = False) -> None:
    before = into.get((code, failed), Because(code, 0, 0, failed, example))
    into[code, failed] = Because(code, before.count + 1, before.bytes + size, failed, before.example)


class Retries:
    """When each segment whose file could not be removed is tried again; by box time, which nobody sets."""

    def __init__(self) -> None:
        self._stuck: dict[str, tuple[Stuck, int]] = {}
        """With the box time before which it is not tried again."""
        self._failures: Counter[str] = Counter()

    def waiting(self, elapsed_us: int) -> list[Stuck]:
        """Those that are not to be tried yet."""
        return [one for one, due_us in self._stuck.values() if due_us > elapsed_us]

    def note(self, tried: Iterable[str], stuck: Iterable[Stuck], elapsed_us: int) -> None:
        """What came of a try: `tried` went, or failed and are among `stuck`."""
        failed = {one.segment_id: one for one in stuck}
        for segment_id in tried:
            if segment_id not in failed:
                self._stuck.pop(segment_id, None)
                self._failures.pop(segment_id, None)
        for segment_id, one in failed.items():
            wait_us = min(RETRY_FIRST_US << min(self._failures[segment_id], 16), RETRY_LONGEST_US)
            self._failures[segment_id] += one.is_tried
            self._stuck[segment_id] = (one, elapsed_us + (wait_us if one.is_tried else 0))

    @property
    def count(self) -> int:
        """Segments that are stuck."""
        return len(self._stuck)

    def count_on(self, volume: str) -> int:
        """Those of one disk."""
        return sum(one.volume == volume for one, _ in self._stuck.values())
