"""The day count of the law."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US, LAST_US, format_us, parse_us, to_datetime
from recorder.store.daycount import earliest_discard_us, trusted_now_us

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("end", "zone", "expected"),
    [
        # Recorded on 1 March local, kept through 31 March, free on 1 April, 00:00 local.
        ("2026-03-01T04:00:00Z", SHANGHAI, "2026-03-31T16:00:00.000000Z"),
        # The last instant lies before midnight: 1 March still.
        ("2026-03-01T16:00:00Z", SHANGHAI, "2026-03-31T16:00:00.000000Z"),
        # A microsecond into 2 March: a day longer.
        ("2026-03-01T16:00:00.000001Z", SHANGHAI, "2026-04-01T16:00:00.000000Z"),
        # 2024 is a leap year: from 31 January, thirty days reach 1 March.
        ("2024-01-31T04:00:00Z", SHANGHAI, "2024-03-01T16:00:00.000000Z"),
        # Clocks go forward on 29 March 2026 in Berlin: midnight there is 22:00 UTC then, 23:00 before.
        ("2026-03-01T12:00:00Z", BERLIN, "2026-03-31T22:00:00.000000Z"),
        ("2026-10-01T12:00:00Z", BERLIN, "2026-10-31T23:00:00.000000Z"),
    ],
)
def test_footage_of_a_day_is_free_thirty_one_midnights_later(end: str, zone: ZoneInfo, expected: str) -> None:
    """The first day is not counted (Civil Code, article 201); midnights are local ones."""
    assert format_us(earliest_discard_us(parse_us(end), 30, zone)) == expected


def test_a_midnight_that_happens_twice_counts_when_it_is_over() -> None:
    """Where clocks go back at midnight the later of the two counts."""
    havana = ZoneInfo("America/Havana")
    free = earliest_discard_us(parse_us("2026-10-01T16:00:00Z"), 30, havana)

    assert format_us(free) == "2026-11-01T05:00:00.000000Z"


@given(
    st.integers(min_value=0, max_value=4_000_000_000_000_000),
    st.integers(min_value=30, max_value=4000),
    st.sampled_from([SHANGHAI, BERLIN, ZoneInfo("America/Havana"), ZoneInfo("Pacific/Apia")]),
)
def test_never_less_than_the_days_and_never_much_more(t1_us: int, days: int, zone: ZoneInfo) -> None:
    """At least `days` whole days, less an hour that clocks skipped; at most two days more."""
    kept_us = earliest_discard_us(t1_us, days, zone) - t1_us

    assert days * DAY_US - DAY_US // 24 <= kept_us <= (days + 2) * DAY_US
    local = to_datetime(t1_us - 1).astimezone(zone).date()
    assert to_datetime(t1_us + kept_us).astimezone(zone).date() >= local + timedelta(days=days + 1)


def test_the_end_of_time_is_no_error() -> None:
    """A clock gone wild makes footage stay, not a crash."""
    assert earliest_discard_us(LAST_US, 30, SHANGHAI) == LAST_US


@given(
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=0, max_value=10**15),
)
def test_neither_clock_alone_makes_footage_old(t1_us: int, leaf_us: int, wall_us: int, elapsed_us: int) -> None:
    """The trusted age is never more than either clock says."""
    age_us = trusted_now_us(t1_us, leaf_us, wall_us, elapsed_us) - t1_us

    assert age_us <= wall_us - t1_us
    assert age_us <= elapsed_us - leaf_us
