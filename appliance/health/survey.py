"""What is asked of the store once a minute and remembered, so that a scrape or a status page costs no query over rows.

Of a month's 33 million rows a look reads a few per stream: the last hours anew, and of what was recorded before, while
that is not known, a sample of a few days more. So hours after its start a large box knows all of its history, and a
small one at once; until then what is not known counts at the present rate.

Left to others: what the numbers mean (`retention.forecast`, `appliance.health`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

import structlog

from config.keeping import Terms
from config.times import DAY_US, HOUR_US, MINUTE_US
from recorder.store.keeping import floor_of, target_of
from recorder.store.pressure import WRITABLE, rooms
from recorder.store.records import Camera, Condition, GapSum, Reach, Recorded, Sample, Signing
from recorder.store.store import Store
from retention.forecast import (
    ASSUMED_BITRATE_BPS,
    NEW_US,
    Load,
    Outlook,
    Room,
    bytes_a_day,
    outlook,
    rate_of,
    risen,
)
from retention.holding import held_spans

RATE_LEAST_US: Final = HOUR_US // 60
"""A forecast from less than a minute of footage would swing wildly."""

SETTLED_US: Final = HOUR_US
"""An hour or day that ended so long ago gets no more segments: none is longer."""

SAMPLE: Final = Sample(every_us=3 * HOUR_US, for_us=20 * MINUTE_US)
"""Of a day that is past: eight times twenty minutes, so that day and night count, and a ninth of its rows."""

DAYS_A_LOOK: Final = 512
"""Days of all streams that are sampled in one look: some ten thousand rows, and a hundred milliseconds."""

HELD_STEP_US: Final = 31 * DAY_US
"""So much of an interval under a hold is counted at once: a month of a stream, forty thousand rows."""

HELD_STEPS: Final = 8
"""Of these in one look: a hold may name months of hundreds of cameras, and the look is for everything else too."""

HELD_TAIL_US: Final = 6 * HOUR_US
"""What is counted anew at each look, or at once, of an interval that is not past."""

WEEK: Final = range(2, 9)
"""Days ago with which the last day is compared."""

_USABLE: Final = (*WRITABLE, Condition.FULL)

log = structlog.get_logger("custos.survey")


@dataclass(frozen=True)
class Kept:
    """What is kept of one camera."""

    reach: Reach | None = None
    """How far back its footage reaches without a hole."""
    bytes_a_day: float | None = None
    """As in its last day; None: less than a minute of it is known."""
    gap_seconds: Mapping[str, float] = field(default_factory=dict)
    signing: Signing | None = None
    """Of a camera that signs, or once did."""
    before_bytes_a_day: float | None = None
    """Where its rate has risen: what it was in the week before."""
    held_bytes: int = 0

    @property
    def since_us(self) -> int | None:
        """Since when there is footage without a hole."""
        return None if self.reach is None else self.reach.since_us


class Meter:
    """How much one stream recorded, hour by hour and day by day, as far as it was asked."""

    def __init__(self) -> None:
        self._hours: dict[int, Recorded] = {}
        self._days: dict[int, Recorded] = {}
        self.told: float | None = None
        """The rate whose rise was told."""

    def read_hours(self, store: Store, stream_id: str, now_us: int) -> None:
        """The hours of the last day that are not settled yet, or not known.

        Raises:
            CatalogueError: the store does not answer.
        """
        current = now_us // HOUR_US
        if any(hour > current for hour in self._hours):
            self._hours.clear()  # the clock was set back: what lies ahead of it will be recorded anew
            self._days.clear()
        window = range(current - 23, current + 1)
        settled = (now_us - SETTLED_US) // HOUR_US
        first = min(hour for hour in window if hour >= settled or hour not in self._hours)
        found = store.hourly(stream_id, first * HOUR_US, (current + 1) * HOUR_US)
        before = {hour: self._hours[hour] for hour in window if hour < first}
        self._hours = before | {hour: found.get(hour, Recorded()) for hour in window if hour >= first}

    def missing_days(self, since_us: int, now_us: int) -> Iterable[int]:
        """Past days since then that are not known, the newest first."""
        first, last = since_us // DAY_US, (now_us - SETTLED_US) // DAY_US
        self._days = {day: one for day, one in self._days.items() if first <= day < last}
        return (day for day in range(last - 1, first - 1, -1) if day not in self._days)

    def read_day(self, store: Store, stream_id: str, day: int) -> None:
        """A sample of a day that is past.

        Raises:
            CatalogueError: the store does not answer.
        """
        found = store.recorded(stream_id, day * DAY_US, (day + 1) * DAY_US, SAMPLE)
        share = SAMPLE.every_us // SAMPLE.for_us
        self._days[day] = Recorded(found.bytes * share, found.length_us * share)

    def last_day(self) -> Recorded:
        """All of the last day."""
        return _sum(self._hours.values())

    def week_before(self, now_us: int) -> Recorded:
        """The week before the last day, as far as it is known."""
        today = now_us // DAY_US
        return _sum(self._days[today - ago] for ago in WEEK if today - ago in self._days)

    def rate(self) -> float | None:
        """Bytes a day: of the last day, or, where nothing was recorded in it, of the newest that is known."""
        last = self.last_day()
        if last.length_us >= RATE_LEAST_US:
            return rate_of(last)
        known = next((one for _, one in sorted(self._days.items(), reverse=True) if one.length_us), None)
        return None if known is None else rate_of(known)

    def stock(self, since_us: int, now_us: int, held: Sequence[tuple[int, int]]) -> list[float]:
        """Bytes by age in days, of what reaches back without a hole and is under no hold; what is not known counts at
        the present rate."""
        rate = self.rate() or 0.0
        today = now_us // DAY_US
        out = []
        for day in range(today, since_us // DAY_US - 1, -1):
            start_us, end_us = max(day * DAY_US, since_us), min((day + 1) * DAY_US, now_us)
            known = self._days.get(day)
            of_day = rate if known is None else known.bytes
            out.append(of_day * (end_us - start_us) / DAY_US * (1 - _covered(held, start_us, end_us)))
        return out


class Survey:
    """The numbers of the last look. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._looking = Lock()
        self._meters: dict[str, Meter] = {}
        self._held: dict[tuple[str, int], tuple[int, int]] = {}
        """By stream and where an interval under a hold begins: until when it was counted, and its bytes."""
        self._gaps: dict[str, GapSum] = {}
        """By stream: a camera that comes and goes leaves a gap each time, and in years hundreds of thousands."""
        self._steps = 0
        self._kept: dict[str, Kept] = {}
        self._loads: tuple[Load, ...] = ()
        self._outlook: Outlook | None = None

    def look(self, cameras: Sequence[Camera], now_us: int) -> None:
        """Ask the store anew about every camera.

        Raises:
            CatalogueError: it does not answer.
        """
        with self._looking:  # the duty's, and whoever has just added a camera
            keeping, held = self._store.cameras.all_keeping(), held_spans(self._store.holds.active())
            kept, loads = {}, []
            budget, self._steps = max(1, DAYS_A_LOOK // max(1, len(cameras))), HELD_STEPS
            for camera in cameras:
                terms = keeping.get(camera.id) or self._store.cameras.keeping(camera.id)
                intervals = held.get(camera.id, [])
                kept[camera.id] = self._of(camera, terms, intervals, now_us, budget)
                loads.append(self._load(camera, terms, kept[camera.id], intervals, now_us))
            found = outlook(self.rooms(), loads, now_us)
            with self._lock:
                self._kept, self._loads, self._outlook = kept, tuple(loads), found

    def of(self, camera_id: str) -> Kept:
        """What was last seen of a camera; empty when it is too new."""
        with self._lock:
            return self._kept.get(camera_id, Kept())

    def outlook(self) -> Outlook | None:
        """What is coming, as of the last look; None: there was none yet."""
        with self._lock:
            return self._outlook

    def loads(self) -> tuple[Load, ...]:
        """What the cameras asked of the disks at the last look."""
        with self._lock:
            return self._loads

    def rooms(self) -> list[Room]:
        """The volumes that footage is written to, as of now; those of one file system are one room."""
        return [
            Room(one.name, one.free_bytes, one.total_bytes, one.reserve_bytes, one.state in _USABLE)
            for one in rooms(self._store.volumes())
        ]

    def _of(self, camera: Camera, terms: Terms, held: Sequence[tuple[int, int]], now_us: int, budget: int) -> Kept:
        stream, store = camera.stream_id, self._store
        summed = self._gaps[stream] = store.gap_seconds(stream, self._gaps.get(stream))
        gaps = {cause.value: seconds for cause, seconds in summed.seconds.items()}
        # Nothing older is meant to be there: what is, is under a hold, of an older rule, or about to go.
        reach = store.reach(stream, now_us - (terms.target_days + 1) * DAY_US, held)
        kept = Kept(reach, None, gaps, store.signing(stream), held_bytes=self._held_bytes(stream, held, now_us))
        if reach is None:
            return kept
        meter = self._meters.setdefault(stream, Meter())
        meter.read_hours(store, stream, now_us)
        for day, _ in zip(meter.missing_days(reach.since_us, now_us), range(budget), strict=False):
            meter.read_day(store, stream, day)
        if camera.retired_us is not None or not camera.enabled:
            return kept
        before = meter.week_before(now_us)
        told, meter.told = meter.told, risen(meter.told, meter.last_day(), before)
        if meter.told is not None and meter.told != told:
            log.warning("a camera's bit rate has risen", camera=camera.id, bytes_a_day=round(meter.told))
        has_risen = rate_of(before) if meter.told is not None else None
        return replace(kept, bytes_a_day=meter.rate(), before_bytes_a_day=has_risen)

    def _load(self, camera: Camera, terms: Terms, kept: Kept, held: Sequence[tuple[int, int]], now_us: int) -> Load:
        is_recorded = camera.enabled and camera.retired_us is None
        load = Load(
            camera=camera.id,
            bytes_a_day=(kept.bytes_a_day or bytes_a_day(ASSUMED_BITRATE_BPS)) if is_recorded else 0.0,
            floor_days=terms.floor_days,
            target_days=terms.target_days,
            held_bytes=kept.held_bytes,
            held_ahead_days=max([0.0, *((t1_us - now_us) / DAY_US for t0_us, t1_us in held if t0_us <= now_us)]),
            is_assumed=is_recorded and not kept.bytes_a_day,
            is_new=is_recorded and now_us - camera.registered_us < NEW_US,
            before_bytes_a_day=kept.before_bytes_a_day,
        )
        if kept.reach is None or camera.stream_id not in self._meters:
            return load
        rules = self._store.cameras.rules(camera.id)
        return replace(
            load,
            stock=tuple(self._meters[camera.stream_id].stock(kept.reach.since_us, now_us, held)),
            stock_floor_days=floor_of(rules, kept.reach.leaf_index),
            stock_target_days=target_of(rules, kept.reach.leaf_index),
        )

    def _held_bytes(self, stream_id: str, held: Sequence[tuple[int, int]], now_us: int) -> int:
        """Under a hold, as far as it was counted: of what is past nothing comes and nothing goes, so it is counted
        once, a month at a time, and only its last hours anew."""
        total = 0
        for t0_us, t1_us in held:
            until_us, size = self._counted((stream_id, t0_us), t1_us, now_us)
            end_us = min(t1_us, now_us)
            is_near = until_us < end_us <= until_us + HELD_TAIL_US
            total += size + (self._store.present_bytes(stream_id, until_us, end_us) if is_near else 0)
        starts = {t0_us for t0_us, _ in held}
        for key in [one for one in self._held if one[0] == stream_id and one[1] not in starts]:
            del self._held[key]
        return total

    def _counted(self, key: tuple[str, int], t1_us: int, now_us: int) -> tuple[int, int]:
        """Until when an interval under a hold was counted, and what came of it; a step further, where there is one."""
        until_us, size = self._held.get(key, (key[1], 0))
        if until_us > t1_us:  # a hold behind it was released
            until_us, size = key[1], 0
        next_us = min(t1_us, (now_us - SETTLED_US) // HOUR_US * HOUR_US, until_us + HELD_STEP_US)
        is_long = next_us - until_us > HELD_TAIL_US
        if next_us > until_us and (self._steps > 0 or not is_long):
            self._steps -= is_long
            until_us, size = next_us, size + self._store.present_bytes(key[0], until_us, next_us)
        self._held[key] = (until_us, size)
        return until_us, size


def _covered(held: Sequence[tuple[int, int]], start_us: int, end_us: int) -> float:
    """Which share of a stretch is under a hold."""
    inside = sum(max(0, min(t1_us, end_us) - max(t0_us, start_us)) for t0_us, t1_us in held)
    return inside / (end_us - start_us) if end_us > start_us else 0.0


def _sum(parts: Iterable[Recorded]) -> Recorded:
    each = list(parts)
    return Recorded(sum(one.bytes for one in each), sum(one.length_us for one in each))
