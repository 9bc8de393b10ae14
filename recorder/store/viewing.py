"""When footage that is handed out is a view of its own, and when it is part of one that was written down. Pure.

A player asks hundreds of times for one viewing. Time is cut into slots of ten minutes. A view names whole slots, and
is written down before anything of them is handed out; what the same asker then has of the same stream, in the same way
and within those slots, is part of it for an hour. So nothing that was written down is ever changed, and an entry may
say some minutes more than was seen, never less.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from config.times import HOUR_US, MINUTE_US, SECOND_US

SLOT_US = 10 * MINUTE_US
"""Whole minutes of footage that a view names: one entry for ten segments. Finer ones would fill the log with what
nobody asks; coarser ones would say that somebody had an hour who had a minute of it."""

LASTS_US = HOUR_US
"""How long a view goes on, from when it was written down. Who comes back later has another."""

VIEWS_LIMIT = 1000
"""New views at once: four operators in front of a box of 256 cameras, when the next ten minutes begin."""

REFILL_US = SECOND_US
"""One more each second: 86,400 a day, about 90 MB of log and catalogue, is the most that anybody can fill them with."""


@dataclass(frozen=True)
class Slots:
    """Slots `first` to `end`, the last one not included; slot k begins at k times `SLOT_US`."""

    first: int
    end: int

    @property
    def t0_us(self) -> int:
        """Where they begin."""
        return self.first * SLOT_US

    @property
    def t1_us(self) -> int:
        """Where they end."""
        return self.end * SLOT_US


def slots_of(t0_us: int, t1_us: int) -> Slots:
    """The fewest slots that hold an interval; one that has no length is an instant."""
    first = t0_us // SLOT_US
    return Slots(first, max(first + 1, -(-t1_us // SLOT_US)))


def uncovered(asked: Slots, covered: Iterable[Slots]) -> list[Slots]:
    """What is asked and not covered, in order, each stretch as long as it can be."""
    left = [asked]
    for one in covered:
        left = [
            piece
            for whole in left
            for piece in (
                Slots(whole.first, min(whole.end, one.first)),
                Slots(max(whole.first, one.end), whole.end),
            )
            if piece.first < piece.end
        ]
    return sorted(left, key=lambda piece: piece.first)


class Viewing:
    """Which views go on, and how many more may be opened; fed with monotonic time, which it never reads itself.

    Its memory is bounded by the same limit: what may be opened in the hour that a view lasts.
    """

    def __init__(self) -> None:
        self._open: dict[Hashable, list[tuple[int, Slots]]] = {}
        self._order: deque[tuple[int, Hashable]] = deque()
        self._left = VIEWS_LIMIT
        self._counted_us: int | None = None

    def needed(self, who: Hashable, asked: Slots, now_us: int) -> list[Slots]:
        """The views that must be written down first; none: all of it is part of views that go on.

        `who`: everything that makes a view another one, beside its slots: asker, stream, kind.
        """
        return uncovered(asked, [slots for opened_us, slots in self._open.get(who, ()) if _lasts(opened_us, now_us)])

    def may_open(self, count: int, now_us: int) -> bool:
        """Whether so many more may be written down now."""
        self._refill(now_us)
        return count <= self._left

    def opened(self, who: Hashable, views: Iterable[Slots], now_us: int) -> None:
        """They were written down."""
        self._refill(now_us)
        self._forget(now_us)
        for one in views:
            self._open.setdefault(who, []).append((now_us, one))
            self._order.append((now_us, who))
            self._left -= 1

    def __len__(self) -> int:
        return len(self._order)

    def _refill(self, now_us: int) -> None:
        if self._counted_us is None:
            self._counted_us = now_us
        more = max(0, now_us - self._counted_us) // REFILL_US
        self._left = min(VIEWS_LIMIT, self._left + more)
        self._counted_us += more * REFILL_US

    def _forget(self, now_us: int) -> None:
        """Views that are over: all last equally long, so the oldest is over first."""
        while self._order and not _lasts(self._order[0][0], now_us):
            _, who = self._order.popleft()
            self._open[who].pop(0)
            if not self._open[who]:
                del self._open[who]


def _lasts(opened_us: int, now_us: int) -> bool:
    return now_us - opened_us < LASTS_US
