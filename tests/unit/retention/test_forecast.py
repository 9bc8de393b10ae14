"""The forecast: against a disk that is filled day by day, and by its own rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US, HOUR_US, parse_us
from recorder.store.records import Recorded
from retention.forecast import (
    ALARM_DAYS,
    HORIZON_DAYS,
    RISE_SHARE,
    Load,
    Room,
    alarm_of,
    bytes_a_day,
    date_of,
    days_held,
    forecast,
    rate_of,
    risen,
)

GB = 10**9
DISK = Room("main", 1000 * GB, 2000 * GB, 0)
GATE = Load("gate", 10.0 * GB, 30, 31)

floors = st.integers(30, 120)


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """A camera with any history."""
    floor = draw(floors)
    return Load(
        camera=draw(st.sampled_from("abcd")),
        bytes_a_day=float(draw(st.integers(0, 50))),
        floor_days=floor,
        target_days=floor + draw(st.integers(0, 40)),
        stock=tuple(map(float, draw(st.lists(st.integers(0, 50), max_size=130)))),
        stock_floor_days=draw(st.integers(0, 120)),
        held_ahead_days=float(draw(st.integers(0, 3))),
    )


def filled(load: Load, days: int, *, kept: int, stock_kept: int) -> list[float]:
    """What lies there at the end of each of so many days: each day's footage by itself, thrown away at its time."""
    here = [(age, size, stock_kept, False) for age, size in enumerate(load.stock)]
    out = []
    for day in range(days + 1):
        here = [one for one in here if one[3] or one[0] + day <= one[2]]
        out.append(sum(size for _, size, _, _ in here))
        here.append((-day - 1 + 0, load.bytes_a_day, kept, day < load.held_ahead_days))
    return out


@given(st.lists(loads(), min_size=1, max_size=4), st.integers(0, 20_000))
def test_the_disk_is_full_when_a_disk_filled_day_by_day_is(cameras: list[Load], free_bytes: int) -> None:
    """The day is the same; the hour lies within it."""
    days = 170
    each = [
        filled(one, days, kept=one.target_days, stock_kept=max(one.stock_target_days, one.target_days))
        for one in cameras
    ]
    room = free_bytes + sum(sum(one.stock) for one in cameras)
    needed = [sum(column) for column in zip(*each, strict=True)]
    expected = next((day for day, size in enumerate(needed) if size > room), None)
    found = forecast([Room("main", free_bytes, 10**6, 0)], cameras, 0).days_to_full

    if expected is None or all(one.bytes_a_day == 0 for one in cameras):
        assert found is None
    else:
        assert found is not None
        assert max(0, expected - 1) <= found <= expected


@given(st.lists(loads(), min_size=1, max_size=4), st.integers(0, 20_000))
def test_the_floor_never_fails_before_the_disk_is_full(cameras: list[Load], free_bytes: int) -> None:
    """What must be kept is a part of what is meant to be; and the first to fail has the longest floor."""
    cameras = [replace(one, camera=f"{one.camera}{number}") for number, one in enumerate(cameras)]
    found = forecast([Room("main", free_bytes, 10**6, 0)], cameras, 0)
    (volume,) = found.volumes
    by_name = {one.camera: one for one in found.cameras}

    if volume.days_to_floor is not None:
        assert volume.days_to_full is not None
        # A shorter rule of today may stand beside a longer one of what is here already.
        if all(one.stock_floor_days <= one.target_days for one in cameras):
            assert volume.days_to_full <= volume.days_to_floor
        assert volume.first is not None
        assert by_name[volume.first].days_required == max(one.floor_days for one in cameras if one.bytes_a_day)
    for one in found.cameras:
        if one.days_to_floor is not None and volume.days_to_floor is not None:
            assert one.days_to_floor >= volume.days_to_floor


@given(st.lists(loads(), min_size=1, max_size=4), st.integers(0, 20_000))
def test_fewer_days_fit_than_required_means_that_the_floor_will_fail(cameras: list[Load], free_bytes: int) -> None:
    """The number that people read and the day that they are told agree."""
    found = forecast([Room("main", free_bytes, 10**6, 0)], cameras, 0)
    for one in found.cameras:
        if one.days_fit is not None and one.days_fit < one.days_required - 1e-6:
            assert found.volumes[0].days_to_floor is not None


@given(st.lists(loads(), min_size=1, max_size=3), loads(), st.integers(0, 20_000), st.integers(1, 5000))
def test_another_camera_makes_nothing_better_and_another_disk_nothing_worse(
    cameras: list[Load], more: Load, free_bytes: int, disk_bytes: int
) -> None:
    """Neither day comes later by a camera, neither comes sooner by room."""
    more = replace(more, stock=())
    room = Room("main", free_bytes, 10**6, 0)

    def days(rooms: list[Room], of: list[Load]) -> list[float]:
        found = forecast(rooms, of, 0)
        return [HORIZON_DAYS if one is None else one for one in (found.days_to_full, found.days_to_floor)]

    plain = days([room], cameras)
    assert all(now <= before + 1e-9 for now, before in zip(days([room], [*cameras, more]), plain, strict=True))
    wider = days([room, Room("second", disk_bytes, 10**6, 0)], cameras)
    assert all(now >= before - 1e-9 for now, before in zip(wider, plain, strict=True))


def test_a_new_box_fills_its_disk() -> None:
    """Nothing is here yet: a terabyte takes a hundred days of 10 GB, and the first is not full before."""
    assert forecast([DISK], [replace(GATE, floor_days=120, target_days=121)], 0).days_to_full == pytest.approx(100)
    assert forecast([DISK], [GATE], 0).days_to_full is None


def test_what_goes_makes_room() -> None:
    """In the steady state as much goes as comes: a disk with a day of room stays as full as it is."""
    steady = replace(GATE, stock=(10.0 * GB,) * 32)
    room = replace(DISK, free_bytes=int(0.5 * GB))
    found = forecast([room], [steady], 0)

    assert found.days_to_full is None
    assert found.cameras[0].days_fit == pytest.approx((320.5 / 310) * 31 - 1)


def test_somebody_raised_the_frame_rate() -> None:
    """Thirty days were believed to fit. What goes is as small as it was, what comes is twice as much, so the disk is
    full long before the thirty days are over, and the day is told (MilestonePSTools 104)."""
    raised = replace(GATE, bytes_a_day=20.0 * GB, stock=(10.0 * GB,) * 32)
    found = forecast([replace(DISK, free_bytes=50 * GB)], [raised], 0)
    (volume,) = found.volumes

    # 10 GB more come than go each day; 50 GB are free, and a day past the floor and one of margin may go.
    assert volume.days_to_full == pytest.approx(5)
    assert volume.days_to_floor == pytest.approx(6)
    assert volume.first == "gate"
    assert found.cameras[0].days_fit == pytest.approx(370 / 620 * 31 - 1)


def test_the_longest_floor_fails_first() -> None:
    """Ninety days of one camera and thirty of the others: the one fails, and when, and the others later or never."""
    others = [replace(GATE, camera=f"c{number}") for number in range(3)]
    ninety = replace(GATE, camera="vault", floor_days=90, target_days=91)
    found = forecast([replace(DISK, free_bytes=1500 * GB)], [*others, ninety], 0)
    (volume,) = found.volumes

    assert volume.first == "vault"
    assert volume.days_to_floor == pytest.approx(57)  # three times 31 days of 10 GB, and the rest for the one
    assert [one.days_to_floor for one in found.cameras] == [None, None, None, volume.days_to_floor]


def test_a_hold_on_what_is_still_to_come_takes_room() -> None:
    """What is recorded under a hold never goes by itself."""
    room = replace(DISK, free_bytes=340 * GB)
    assert forecast([room], [GATE], 0).days_to_full is None
    assert forecast([room], [replace(GATE, held_ahead_days=10)], 0).days_to_full == pytest.approx(34)


def test_a_small_disk_is_full_when_all_are() -> None:
    """Whoever is pinned to it is written to another then (ADR 28): all that can be written to is one room."""
    rooms = [Room("large", 900 * GB, 900 * GB, 0), Room("small", 100 * GB, 100 * GB, 0), replace(DISK, usable=False)]
    large, small, away = forecast(rooms, [replace(GATE, floor_days=120, target_days=121)], 0).volumes

    assert large.days_to_full == small.days_to_full == pytest.approx(100)
    assert (large.first, small.first) == ("gate", "gate")
    assert (away.days_to_full, away.bytes_a_day, away.first) == (None, 0, None)


def test_no_disk_and_no_camera_have_no_day() -> None:
    """A disk that is missing is a problem of its own, and a box that records nothing fills nothing."""
    gone = replace(DISK, usable=False)
    assert forecast([gone], [GATE], 0).volumes[0].days_to_full is None
    assert forecast([gone], [GATE], 0).cameras[0].days_fit is None
    assert forecast([DISK], [], 0).days_to_floor is None
    assert forecast([DISK], [replace(GATE, bytes_a_day=0)], 0).cameras[0].days_fit is None
    assert forecast([], [], 0).volumes == ()


def test_a_disk_that_is_full_already_is_full_today() -> None:
    """Not in the past, and not never."""
    assert forecast([replace(DISK, free_bytes=5, reserve_bytes=10)], [GATE], 0).days_to_full == 0


def of(hours: float, gb_a_day: float) -> Recorded:
    return Recorded(round(gb_a_day * GB * hours / 24), round(hours * HOUR_US))


def test_a_rate_rises() -> None:
    """It is told at once, and not again while it stays; a second rise is told from there on; calm ends it."""
    week = of(168, 10)
    told = risen(None, of(24, 13), week)
    assert told == pytest.approx(13 * GB)
    assert risen(told, of(24, 13.5), week) == told
    assert risen(told, of(24, 11.5), week) == told  # between calm and rise: not over, and no news
    assert risen(told, of(24, 17), week) == pytest.approx(17 * GB)
    assert risen(told, of(24, 10.5), week) is None
    assert risen(None, of(24, 11.5), week) is None


def test_a_day_is_not_compared_with_a_night() -> None:
    """A few hours say nothing, neither of the last day nor of the week before."""
    assert risen(None, of(10, 30), of(168, 10)) is None
    assert risen(None, of(24, 30), of(10, 10)) is None
    assert risen(7.0, of(10, 30), of(168, 10)) == 7.0


@given(st.lists(st.floats(0.5, 3), min_size=1, max_size=40))
def test_a_rise_is_told_once(shares: list[float]) -> None:
    """However it flutters above, each telling is a quarter above the one before, or calm lay between."""
    told: float | None = None
    tellings: list[float] = []
    for share in shares:
        now = risen(told, of(24, 10 * share), of(168, 10))
        if now is None:
            tellings.clear()
        elif now != told:
            tellings.append(now)
        told = now
        assert all(later >= earlier * RISE_SHARE for earlier, later in pairwise(tellings))


def test_days_become_dates_of_the_box() -> None:
    """In Shanghai it is tomorrow already when it is eight in the evening in London; no clock is too wild."""
    now_us = parse_us("2026-03-01T15:00:00Z")
    zone = ZoneInfo("Asia/Shanghai")
    assert date_of(now_us, 0, zone) == date(2026, 3, 1)
    assert date_of(now_us, 0.5, zone) == date(2026, 3, 2)
    assert date_of(2**62, 400, zone).year == 9999


def test_alarms_come_a_month_a_week_and_a_day_ahead() -> None:
    """Each once it is reached."""
    assert ALARM_DAYS == (30, 7, 1)
    assert [alarm_of(days) for days in (None, 31, 30, 8, 7, 1.5, 1, 0)] == [None, None, 30, 30, 7, 7, 1, 1]


def test_rates_are_bytes_of_a_whole_day() -> None:
    """Of what was recorded, however short that was; a bit rate of 4 Mbit/s is 43 GB."""
    assert rate_of(Recorded(500, DAY_US // 2)) == 1000
    assert rate_of(Recorded()) == 0
    assert bytes_a_day(4_000_000) == pytest.approx(43.2 * GB)


def test_days_held_reach_back_to_the_oldest_footage() -> None:
    """None where there is none; never negative, though the clock was set back."""
    assert days_held(None, DAY_US) is None
    assert days_held(0, 3 * DAY_US) == 3.0
    assert days_held(5 * DAY_US, DAY_US) == 0.0
