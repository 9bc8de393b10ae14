"""What a hold costs, and when it is to be looked at again: rules, tried with many values."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US, HOUR_US, parse_us
from recorder.store.daycount import earliest_discard_us
from recorder.store.records import Hold
from retention.holding import (
    HORIZON_DAYS,
    Reminder,
    Span,
    Stock,
    due_before_us,
    full_in_days,
    gone_us,
    held_spans,
    merged,
    reminder,
    with_holds,
)

NOW_US = parse_us("2026-03-01T12:00:00Z")
DAYS = st.integers(-60, 60)
SPANS = st.lists(
    st.tuples(DAYS, DAYS).map(lambda two: (NOW_US + two[0] * DAY_US, NOW_US + two[1] * DAY_US)), max_size=6
)


@st.composite
def stocks(draw: st.DrawFn) -> Stock:
    """A camera that has recorded for some days."""
    oldest_us = NOW_US - draw(st.integers(0, 90)) * DAY_US
    return Stock(draw(st.integers(0, 100)), oldest_us, draw(st.integers(30, 40)), tuple(merged(draw(SPANS))))


def hold(number: int, cameras: tuple[str, ...], span: Span) -> Hold:
    return Hold(number, cameras, *span, "c", "r", NOW_US, None, None, *span)


@given(SPANS, st.integers(-61, 61))
def test_merged_spans_cover_the_same_instants_and_stand_apart(spans: list[Span], day: int) -> None:
    """Whatever overlaps: an instant is held once or not at all."""
    found, instant = merged(spans), NOW_US + day * DAY_US

    assert any(t0 <= instant < t1 for t0, t1 in found) is any(t0 <= instant < t1 for t0, t1 in spans)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(stocks(), st.integers(0, 120))
def test_what_goes_is_counted_as_if_day_by_day(stock: Stock, days: int) -> None:
    """The sum over each half day that was or will be recorded: it goes when it is old enough, and is not held."""
    begin_us, step_us = min(stock.oldest_us, NOW_US - 100 * DAY_US), DAY_US // 2
    goes = 0
    for at_us in range(begin_us, NOW_US + 130 * DAY_US, step_us):
        due_us = at_us + stock.target_days * DAY_US
        is_held = any(t0 <= at_us < t1 for t0, t1 in stock.held)
        if at_us >= stock.oldest_us and NOW_US <= due_us < NOW_US + days * DAY_US and not is_held:
            goes += step_us

    assert gone_us(stock, NOW_US, days) == goes


@given(st.lists(stocks(), max_size=3), st.integers(0, 5000), st.integers(0, 500))
def test_more_room_is_never_full_sooner(some: list[Stock], free: int, more: int) -> None:
    """And a hold that is taken away never brings the day nearer."""
    first, later = full_in_days(free, some, NOW_US), full_in_days(free + more, some, NOW_US)
    bare = full_in_days(free, [Stock(one.bytes_a_day, one.oldest_us, one.target_days) for one in some], NOW_US)

    far = HORIZON_DAYS + 1
    assert (first or far) <= (later or far)
    assert (first or far) <= (bare or far)


@given(st.lists(stocks(), max_size=3), st.integers(0, 9000))
def test_the_day_on_which_a_disk_is_full_is_the_first_of_all(some: list[Stock], free: int) -> None:
    """Though not every day is looked at: on none before has more come than gone and than is free."""

    def needed(days: int) -> float:
        went = sum(one.bytes_a_day * gone_us(one, NOW_US, days) / DAY_US for one in some)
        return sum(one.bytes_a_day for one in some) * days - went

    first = next((days for days in range(1, 130) if needed(days) > free), None)

    assert full_in_days(free, some, NOW_US) == first


@given(stocks(), SPANS)
def test_one_hold_more_never_lets_more_go(stock: Stock, spans: list[Span]) -> None:
    """However it lies to the others."""
    more = Stock(stock.bytes_a_day, stock.oldest_us, stock.target_days, tuple(merged([*stock.held, *spans])))

    assert all(gone_us(more, NOW_US, days) <= gone_us(stock, NOW_US, days) for days in range(0, 120, 7))


def test_a_disk_in_balance_fills_because_of_a_hold() -> None:
    """Ten a day come and ten go; with five days held, whose days come in between, fifty more are needed."""
    held = [(NOW_US - 20 * DAY_US, NOW_US - 15 * DAY_US)]
    stock = Stock(10, NOW_US - 31 * DAY_US, 31)

    assert full_in_days(0, [stock], NOW_US) is None
    assert full_in_days(49, with_holds({"gate": stock}, {"gate": held}), NOW_US) == 16
    assert full_in_days(50, with_holds({"gate": stock}, {"gate": held}), NOW_US) is None
    assert full_in_days(-1, [stock], NOW_US) == 0


def test_a_hold_without_an_end_in_sight_fills_every_disk() -> None:
    """What is recorded into it never goes."""
    stock = Stock(10, NOW_US, 31, ((NOW_US, NOW_US + 10_000 * DAY_US),))

    assert full_in_days(1000, [stock], NOW_US) == 101
    assert full_in_days(10**9, [stock], NOW_US) is None


def test_what_holds_protect_of_a_camera_is_one_list() -> None:
    """Two holds that overlap, of one that they share."""
    holds = [hold(1, ("gate", "yard"), (0, 10)), hold(2, ("gate",), (5, 20))]

    assert held_spans(holds) == {"gate": [(0, 20)], "yard": [(0, 10)]}


@given(st.integers(0, 40), st.integers(0, 24 * 60), st.integers(30, 60))
def test_what_is_due_soon_is_what_the_day_count_says(days: int, minutes: int, target: int) -> None:
    """Footage that ended by then may go by that day, and a minute later it may not."""
    zone = ZoneInfo("Asia/Shanghai")
    now_us = NOW_US + minutes * 60 * 10**6
    before_us = due_before_us(now_us, days, target, zone)

    assert earliest_discard_us(before_us, target, zone) <= now_us + days * DAY_US
    assert earliest_discard_us(before_us + 60 * 10**6, target, zone) > now_us + days * DAY_US


@pytest.mark.parametrize(
    ("ahead_us", "expected"),
    [
        (31 * DAY_US, None),
        (30 * DAY_US, Reminder(30, 30)),
        (8 * DAY_US, Reminder(8, 30)),
        (7 * DAY_US, Reminder(7, 7)),
        (DAY_US + HOUR_US, Reminder(2, 7)),
        (DAY_US, Reminder(1, 1)),
        (HOUR_US, Reminder(1, 1)),
        (0, Reminder(0, 0)),
        (-HOUR_US, Reminder(0, 0)),
        (-DAY_US, Reminder(-1, -1)),
        (-400 * DAY_US, Reminder(-400, -400)),
    ],
)
def test_a_review_date_reminds_before_and_then_daily(ahead_us: int, expected: Reminder | None) -> None:
    """Thirty, seven and one day before, and every day from then on: each has a stage of its own."""
    assert reminder(NOW_US + ahead_us, NOW_US) == expected
    assert reminder(None, NOW_US) is None
