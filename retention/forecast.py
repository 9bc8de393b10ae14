"""What is coming: when a disk is full, when the floor would fail and of which camera first, how many days fit. Pure.

What lies on a disk at the end of day d is what is here now and has not reached its time by then, and what the present
rates add. Twice counted: with each camera's target, past which footage goes, for the day on which the disk is full; and
with each camera's floor, for the day from which even what the law wants has no room. Footage of local date D that is to
be kept for 30 days goes at the midnight that begins D+31 (Civil Code, article 201), so at most 31 days of it lie there.

The floor is never broken here: on that day recording stops, or, where somebody chose so, the oldest footage goes, and
then the camera with the longest floor is the first whose footage is too young for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

from config.times import DAY_US, HOUR_US, LAST_US, to_datetime
from recorder.store.records import Recorded

DAY_S: Final = 86_400

ALARM_DAYS: Final = (30, 7, 1)
"""So many days ahead it is told, and told again: a month buys a disk, a week fetches one, a day releases a hold."""

HORIZON_DAYS: Final = 400
"""Nobody acts on what happens later, and rates do not stay what they are for as long."""

ASSUMED_BITRATE_BPS: Final = 4_000_000
"""Of a camera that nobody knows more of: 1080p at 25 pictures a second in H.264, as makers set it."""

RISE_SHARE: Final = 1.25
"""A rate that is so much higher than in the week before has risen. Noise of weather and season is less."""

CALM_SHARE: Final = 1.1
"""And only below this it has come down again: between the two nothing is said anew."""

RISE_LEAST_US: Final = 20 * HOUR_US
"""Recorded time that is compared: less would compare a day with a night."""

NEW_US: Final = 7 * DAY_US
"""For so long a camera counts as newly added: what goes wrong in its first week is told as its doing."""


@dataclass(frozen=True)
class Room:
    """A volume as a forecast sees it."""

    name: str
    free_bytes: int
    total_bytes: int
    reserve_bytes: int
    """What recording leaves free."""
    usable: bool = True
    """Whether footage can be written there at all."""


@dataclass(frozen=True)
class Load:
    """What a camera asks of the disks."""

    camera: str
    bytes_a_day: float
    floor_days: int
    target_days: int
    stock: Sequence[float] = ()
    """Bytes still here and under no hold, by age: recorded less than a day ago, a day ago, and so on."""
    stock_floor_days: int = 0
    """For so long what is here already must be kept, where that is longer than `floor_days`: older rules."""
    stock_target_days: int = 0
    held_bytes: int = 0
    """Of its footage that is under a hold: it stays, whatever its age."""
    held_ahead_days: float = 0
    """For so many days from now on what is recorded is under a hold already."""
    is_assumed: bool = False
    """Whether nothing of it was measured yet, and the rate is a guess."""
    is_new: bool = False
    before_bytes_a_day: float | None = None
    """Where its rate has risen: what it was."""

    def kept(self, day: int, floor: int | None = None) -> float:
        """Bytes of it at the end of a day, kept to its target; `floor`: to its floor, or that many days if fewer."""
        days, stock_days = self.target_days, max(self.stock_target_days, self.target_days)
        if floor is not None:
            days, stock_days = min(floor, self.floor_days), min(floor, max(self.stock_floor_days, self.floor_days))
        held = max(0.0, min(self.held_ahead_days, day - (days + 1)))
        return self.bytes_a_day * (min(day, days + 1) + held) + self._sums[_clamped(stock_days + 1 - day, self.stock)]

    @property
    def stock_bytes(self) -> float:
        """All that is here of it and may go some day."""
        return self._sums[-1]

    @property
    def longest_days(self) -> int:
        """From so many days on nothing changes any more."""
        longest = max(self.target_days, self.stock_target_days, self.floor_days, self.stock_floor_days)
        return longest + 1 + math.ceil(min(self.held_ahead_days, HORIZON_DAYS))

    @cached_property
    def _sums(self) -> list[float]:
        """Of the stock, what is younger than so many days."""
        return list(accumulate(self.stock, initial=0.0))


def _clamped(index: int, stock: Sequence[float]) -> int:
    return min(max(index, 0), len(stock))


@dataclass(frozen=True)
class VolumeForecast:
    """What becomes of one volume at the present rates."""

    name: str
    bytes_a_day: float
    days_to_full: float | None
    """Until it is full although all goes that is past its target; None: not within `HORIZON_DAYS`."""
    days_to_floor: float | None
    """Until it has no room even for what the law wants; None: likewise."""
    first: str | None
    """The camera whose floor fails first."""


@dataclass(frozen=True)
class CameraForecast:
    """What becomes of one camera's footage at the present rates."""

    camera: str
    bytes_a_day: float
    is_assumed: bool
    held_bytes: int
    days_required: int
    days_fit: float | None
    """For how many days its footage could be kept, when all are kept in the same proportion to what is required; None:
    nothing is recorded, or there is no disk."""
    days_to_full: float | None
    days_to_floor: float | None
    before_bytes_a_day: float | None = None
    is_new: bool = False


@dataclass(frozen=True)
class Forecast:
    """What is coming, seen from `now_us`."""

    now_us: int
    volumes: tuple[VolumeForecast, ...]
    cameras: tuple[CameraForecast, ...]

    @property
    def days_to_full(self) -> float | None:
        """Of the volume that is full first."""
        return _soonest(one.days_to_full for one in self.volumes)

    @property
    def days_to_floor(self) -> float | None:
        """Of the volume where the floor fails first."""
        return _soonest(one.days_to_floor for one in self.volumes)

    def of(self, camera: str) -> CameraForecast | None:
        """One camera's; None: it is not in it."""
        return self._by_name.get(camera)

    @cached_property
    def _by_name(self) -> dict[str, CameraForecast]:
        return {one.camera: one for one in self.cameras}

    @property
    def bytes_a_day(self) -> float:
        """Of all cameras."""
        return sum(one.bytes_a_day for one in self.cameras)


@dataclass(frozen=True)
class Outlook:
    """What is coming, and whose doing it is."""

    all: Forecast
    """With every camera that is to be recorded; one that nothing is known of yet at `ASSUMED_BITRATE_BPS`."""
    measured: Forecast
    """With those alone whose rate was measured."""
    settled: Forecast
    """Likewise, and without those that were added in the last week."""

    @property
    def newcomers(self) -> tuple[str, ...]:
        """Cameras without which the floor would not fail, or not so soon; none: they are not to blame, or it holds, or
        there are no others."""
        with_them, without = self.all.days_to_floor, self.settled.days_to_floor
        if with_them is None or (without is not None and without - with_them < 1) or not self.settled.bytes_a_day:
            return ()
        return tuple(one.camera for one in self.all.cameras if one.bytes_a_day > 0 and (one.is_new or one.is_assumed))


def outlook(rooms: Sequence[Room], loads: Sequence[Load], now_us: int) -> Outlook:
    """The forecasts that alarms are made of."""
    everything = forecast(rooms, loads, now_us)
    known = [one for one in loads if not one.is_assumed]
    measured = everything if len(known) == len(loads) else forecast(rooms, known, now_us)
    old = [one for one in known if not one.is_new]
    return Outlook(everything, measured, measured if len(old) == len(known) else forecast(rooms, old, now_us))


@dataclass(frozen=True)
class Admission:
    """What becomes of a box by one more camera, or by one that was changed."""

    bytes_a_day: float
    is_assumed: bool
    stored_bytes: float
    """What lies there of it, once its target is reached."""
    days_to_full: float | None
    days_to_floor: float | None
    """With it."""
    without_days_to_floor: float | None
    """And without."""


def admission(rooms: Sequence[Room], loads: Sequence[Load], candidate: Load, now_us: int) -> Admission:
    """What a camera changes; `loads` may have it already, as it was."""
    others = [one for one in loads if one.camera != candidate.camera]
    found, without = forecast(rooms, [*others, candidate], now_us), forecast(rooms, others, now_us)
    return Admission(
        bytes_a_day=candidate.bytes_a_day,
        is_assumed=candidate.is_assumed,
        stored_bytes=candidate.bytes_a_day * (candidate.target_days + 1),
        days_to_full=found.days_to_full,
        days_to_floor=found.days_to_floor,
        without_days_to_floor=without.days_to_floor,
    )


def forecast(rooms: Sequence[Room], loads: Sequence[Load], now_us: int) -> Forecast:
    """At the present rates, for a list of volumes.

    All volumes are one room: a camera whose own volume is full is written to another (ADR 28), so a volume is full when
    all of them together are.
    """
    usable = [one for one in rooms if one.usable]
    pool = _Pool(usable, loads)
    strictest = max((one.floor_days for one in loads), default=0)
    return Forecast(
        now_us,
        tuple(_of_volume(one, pool if one.usable else None, strictest) for one in rooms),
        tuple(_of_camera(one, pool if usable and one.bytes_a_day > 0 else None) for one in loads),
    )


def _of_volume(room: Room, pool: _Pool | None, strictest: int) -> VolumeForecast:
    """None: nothing can be written to it."""
    fails = None if pool is None else pool.days_to_floor(strictest)
    return VolumeForecast(
        name=room.name,
        bytes_a_day=0 if pool is None else sum(one.bytes_a_day for one in pool.loads),
        days_to_full=None if pool is None else pool.days_to_full(),
        days_to_floor=fails,
        first=None if pool is None or fails is None else pool.first(),
    )


def _of_camera(load: Load, pool: _Pool | None) -> CameraForecast:
    """None: nothing is recorded of it, or nothing can be written."""
    return CameraForecast(
        camera=load.camera,
        bytes_a_day=load.bytes_a_day,
        is_assumed=load.is_assumed,
        held_bytes=load.held_bytes,
        days_required=load.floor_days,
        days_fit=None if pool is None else pool.days_fit(load),
        days_to_full=None if pool is None else pool.days_to_full(),
        days_to_floor=None if pool is None else pool.days_to_floor(load.floor_days),
        before_bytes_a_day=load.before_bytes_a_day,
        is_new=load.is_new,
    )


class _Pool:
    """Volumes, and the cameras that fill them."""

    def __init__(self, rooms: Sequence[Room], loads: Sequence[Load]) -> None:
        self.rooms, self.loads = rooms, loads
        free = sum(one.free_bytes - one.reserve_bytes for one in rooms)
        self._room_bytes = free + sum(one.stock_bytes for one in loads)
        self._end = min(HORIZON_DAYS, max((one.longest_days for one in loads), default=0) + 1)
        self._known: dict[int | None, float | None] = {}

    def days_to_full(self) -> float | None:
        """Until what is meant to lie here has no room."""
        return self._days_until(None)

    def days_to_floor(self, floor: int) -> float | None:
        """Until what must lie here for a camera of that floor to keep its days has no room: all that is younger."""
        return self._days_until(floor)

    def first(self) -> str | None:
        """Whose floor fails first: the longest, and of those the camera that needs most."""
        recorded = [one for one in self.loads if one.bytes_a_day > 0]
        worst = max(recorded, key=lambda one: (one.floor_days, one.bytes_a_day, one.camera), default=None)
        return None if worst is None else worst.camera

    def days_fit(self, load: Load) -> float:
        """For how many days a camera's footage could be kept here."""
        wanted = sum(one.bytes_a_day * (one.floor_days + 1) for one in self.loads)
        share = max(0.0, self._room_bytes) / wanted if wanted > 0 else math.inf
        return max(0.0, share * (load.floor_days + 1) - 1)

    def _days_until(self, floor: int | None) -> float | None:
        if floor not in self._known:
            self._known[floor] = self._searched(floor)
        return self._known[floor]

    def _searched(self, floor: int | None) -> float | None:
        """The first day at whose end the room is too small, and how much of that day passes before."""
        if not self.rooms or all(one.bytes_a_day <= 0 for one in self.loads):
            return None
        before = 0.0
        for day in range(self._end + 1):
            needed = sum(one.kept(day, floor) for one in self.loads)
            if needed > self._room_bytes:
                return 0.0 if day == 0 else day - 1 + (self._room_bytes - before) / (needed - before)
            before = needed
        return None


def risen(told: float | None, last: Recorded, before: Recorded) -> float | None:
    """The rate, in bytes a day, whose rise is to be told now; None: none has risen.

    Args:
        told: what this answered the last time: a rise is one as long as it stays, and another only from there on.
        last: what was recorded in the last day.
        before: and in the week before that.
    """
    if min(last.length_us, before.length_us) < RISE_LEAST_US:
        return told
    now, then = rate_of(last), rate_of(before)
    if now < CALM_SHARE * then:
        return None
    return now if now >= RISE_SHARE * (then if told is None else told) else told


def rate_of(recorded: Recorded) -> float:
    """Bytes a day, of a camera that is recorded all day as it was then; 0: nothing was recorded."""
    return recorded.bytes * DAY_US / recorded.length_us if recorded.length_us > 0 else 0.0


def alarm_of(days: float | None) -> int | None:
    """The tightest of `ALARM_DAYS` that has been reached; None: none yet."""
    return min((one for one in ALARM_DAYS if days is not None and days <= one), default=None)


def date_of(now_us: int, days: float, zone: ZoneInfo) -> date:
    """The local date so many days from now."""
    return to_datetime(min(now_us + round(days * DAY_US), LAST_US - 2 * DAY_US)).astimezone(zone).date()


def days_held(since_us: int | None, now_us: int) -> float | None:
    """How far back footage reaches without a hole; None when there is none."""
    return None if since_us is None else max(0.0, (now_us - since_us) / DAY_US)


def bytes_a_day(bitrate_bps: float) -> float:
    """What a bit rate comes to."""
    return bitrate_bps / 8 * DAY_S


def _soonest(days: Iterable[float | None]) -> float | None:
    return min((one for one in days if one is not None), default=None)
