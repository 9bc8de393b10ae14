"""What a hold costs, and when somebody is to look at it again. Pure.

A hold keeps footage for longer than the rules, so a disk that was in balance fills. The day on which nothing is left
that may go is told when a hold is placed: from then on recording stops, and the floor fails.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from config.times import DAY_US, from_datetime, to_datetime
from recorder.store.records import Hold

Span = tuple[int, int]
"""Half-open, in microseconds since the epoch."""

SOON_DAYS: Final = 7
"""What goes by the rules within so many days is told when a hold is placed: it is what came just in time."""

HORIZON_DAYS: Final = 3650
"""Further ahead nothing is told: rates and disks will be others."""

REMIND_DAYS: Final = (30, 7, 1)
"""So many days before its review date a hold is told of; from that date on, every day."""


@dataclass(frozen=True)
class Stock:
    """One camera's part in filling the disk."""

    bytes_a_day: float
    """At its present rate; what it recorded so far is taken to have come at that rate too."""
    oldest_us: int
    """Where its oldest footage that is still here begins; what goes by the rules begins no earlier than its target."""
    target_days: int
    """After so many days its footage goes."""
    held: Sequence[Span] = ()
    """What does not: see `merged`."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that neither overlap nor touch, in order, over the same instants; empty ones are left out."""
    out: list[Span] = []
    for begin, end in sorted(one for one in spans if one[0] < one[1]):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((begin, end))
    return out


def held_spans(holds: Iterable[Hold]) -> dict[str, list[Span]]:
    """What the holds protect of each camera, however they overlap."""
    found: dict[str, list[Span]] = {}
    for hold in holds:
        for camera in hold.cameras:
            found.setdefault(camera, []).append((hold.t0_us, hold.t1_us))
    return {camera: merged(spans) for camera, spans in found.items()}


def gone_us(stock: Stock, now_us: int, days: int) -> int:
    """How much of a camera's footage, in microseconds of it, goes by the rules from now until so many days ahead.

    Footage goes `target_days` after it was recorded, unless it is held; what was due before now has gone.
    """
    begin = max(stock.oldest_us, now_us - stock.target_days * DAY_US)
    end = now_us + (days - stock.target_days) * DAY_US
    if end <= begin:
        return 0
    kept = sum(max(0, min(end, t1) - max(begin, t0)) for t0, t1 in merged(stock.held))
    return end - begin - kept


def full_in_days(free_bytes: float, stocks: Sequence[Stock], now_us: int) -> int | None:
    """After how many days of recording the disk is full and nothing may go; None: not within `HORIZON_DAYS`.

    Looked at day by day, as the sweep takes footage: what has gone by the end of a day makes room for that day.
    """
    rates = [max(0.0, one.bytes_a_day) for one in stocks]
    if free_bytes < 0:
        return 0

    def is_full(days: int) -> bool:
        went = sum(rate * gone_us(one, now_us, days) / DAY_US for rate, one in zip(rates, stocks, strict=True))
        return sum(rates) * days - went > free_bytes

    # No camera lets go of more in a day than it brings, so a disk that is full stays full: not each day is looked at.
    days = range(1, _steady_days(stocks, now_us) + 1)
    found = bisect_left(days, True, key=is_full)
    return days[found] if found < len(days) else None


def _steady_days(stocks: Sequence[Stock], now_us: int) -> int:
    """From then on a day takes what it brings: all that is held has been passed by, and every target was reached."""
    ends = [max([now_us, *(t1 for _, t1 in one.held)]) + one.target_days * DAY_US for one in stocks]
    return min(HORIZON_DAYS, max((-(-(end - now_us) // DAY_US) for end in ends), default=0) + 1)


def with_holds(stocks: Mapping[str, Stock], held: Mapping[str, Sequence[Span]]) -> list[Stock]:
    """The same cameras under those holds."""
    return [
        Stock(one.bytes_a_day, one.oldest_us, one.target_days, tuple(held.get(camera, ())))
        for camera, one in sorted(stocks.items())
    ]


def due_before_us(now_us: int, days: int, target_days: int, zone: ZoneInfo) -> int:
    """What ended by then goes by the rules within so many days: it is of a local date that is old enough by then."""
    last = (to_datetime(now_us).astimezone(zone) + timedelta(days=days)).date() - timedelta(days=target_days)
    return max(0, from_datetime(datetime.combine(last, time(0), tzinfo=zone).astimezone(UTC)))


@dataclass(frozen=True)
class Reminder:
    """A hold whose review date is near or over."""

    days: int
    """Until then, begun ones counted; 0 or less: so many since."""
    stage: int
    """Which of the reminders it is: changes when somebody is to be told anew."""


def reminder(review_us: int | None, now_us: int) -> Reminder | None:
    """Whether somebody is to be reminded of a hold: thirty, seven and one day before its date, and then daily.

    It never decides anything: a hold whose date is long over is in force as before.
    """
    if review_us is None:
        return None
    days = -((now_us - review_us) // DAY_US)
    if days > REMIND_DAYS[0]:
        return None
    stage = min(one for one in REMIND_DAYS if days <= one) if days > 0 else days
    return Reminder(days, stage)
