"""The day count of the law."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config.times import DAY_US, LAST_US, format_us, parse_us, to_datetime
from recorder.store.daycount import (
    OFFSET_LIMIT_S,
    SHANGHAI_S,
    bound_discard_us,
    earliest_discard_us,
    is_offset,
    is_undated,
    may_go_us,
    offset_s,
    recorded_offset_s,
    strictest_us,
    trusted_now_us,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")
offsets = st.integers(-OFFSET_LIMIT_S, OFFSET_LIMIT_S)
instants = st.integers(0, 4_000_000_000_000_000)


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
    free = earliest_discard_us(parse_us("2026-10-01T16:00:00Z"), 30, HAVANA)

    assert format_us(free) == "2026-11-01T05:00:00.000000Z"


@given(
    st.integers(min_value=0, max_value=4_000_000_000_000_000),
    st.integers(min_value=30, max_value=4000),
    st.sampled_from([SHANGHAI, BERLIN, HAVANA, ZoneInfo("Pacific/Apia")]),
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
    """The trusted age is never more than box time says, nor than the wall does where that says anything."""
    age_us = trusted_now_us(t1_us, leaf_us, wall_us, elapsed_us) - t1_us

    assert age_us <= elapsed_us - leaf_us
    assert age_us <= wall_us - t1_us or is_undated(t1_us, wall_us)


@given(
    instants, instants, st.integers(30, 400), st.integers(0, 500 * DAY_US), st.sampled_from([SHANGHAI, BERLIN, HAVANA])
)
def test_footage_of_an_unknown_date_is_kept_for_as_long_as_if_it_were_known(
    true_us: int, told_us: int, days: int, passed_us: int, zone: ZoneInfo
) -> None:
    """Whatever time it was given by a clock that stood ahead: it does not go before its true date lets it."""
    wall_us = true_us + passed_us
    assume(is_undated(told_us, wall_us))

    if trusted_now_us(told_us, 0, wall_us, passed_us) >= may_go_us(told_us, days, zone, None, wall_us):
        assert wall_us >= earliest_discard_us(true_us, days, zone)


@given(instants, st.integers(30, 400), st.none() | offsets, offsets)
def test_no_offset_at_the_discard_lets_footage_go_sooner_than_that_at_recording(
    t1_us: int, days: int, recorded_s: int | None, discarded_s: int
) -> None:
    """Whatever zone somebody chose for the discard; never before so many whole days, never later than the strictest."""
    mine_us = bound_discard_us(t1_us, days, recorded_s, discarded_s)
    honest_us = bound_discard_us(t1_us, days, recorded_s, SHANGHAI_S if recorded_s is None else recorded_s)

    assert t1_us + days * DAY_US <= honest_us <= mine_us <= strictest_us(t1_us, days)


@given(instants, st.integers(30, 400))
def test_without_summer_time_what_is_bound_is_the_zones_own_count(t1_us: int, days: int) -> None:
    """In Shanghai, where leaves need not say so, and in Seoul, where they do."""
    t1_us += 1_000_000_000_000_000  # both had summer time before
    for zone in (SHANGHAI, ZoneInfo("Asia/Seoul")):
        now_us = t1_us + 100 * DAY_US
        bound_us = bound_discard_us(t1_us, days, recorded_offset_s(t1_us, zone), offset_s(now_us, zone))
        assert bound_us == earliest_discard_us(t1_us, days, zone)


def test_most_leaves_need_not_say_it() -> None:
    """Those of Shanghai; elsewhere it is the offset of the footage's last instant."""
    summer_us = parse_us("2026-03-29T01:00:00Z")

    assert recorded_offset_s(summer_us, SHANGHAI) is None
    assert [recorded_offset_s(summer_us + n, BERLIN) for n in (0, 1)] == [3600, 7200]


def test_footage_recorded_nobody_knows_where_is_kept_the_longest() -> None:
    """A leaf without an offset, and a discard that is not counted by Shanghai's."""
    assert bound_discard_us(0, 30, None, 3600) == strictest_us(0, 30)
    assert bound_discard_us(0, 30, None, SHANGHAI_S) == earliest_discard_us(0, 30, SHANGHAI)


@given(instants, st.integers(30, 400), st.none() | offsets, st.integers(-(10**16), 10**18))
def test_the_box_is_never_less_strict_than_who_judges_it(
    t1_us: int, days: int, recorded_s: int | None, now_us: int
) -> None:
    """By its zone and by what its log binds; a clock gone wild is no error."""
    allowed_us = may_go_us(t1_us, days, BERLIN, recorded_s, now_us)

    assert allowed_us >= earliest_discard_us(t1_us, days, BERLIN)
    assert allowed_us >= bound_discard_us(t1_us, days, recorded_s, offset_s(now_us, BERLIN))


def test_the_last_date_is_the_end_of_waiting() -> None:
    """Footage of a clock gone wild goes at no instant that cannot be written."""
    assert may_go_us(LAST_US, 30, BERLIN, None, LAST_US) == LAST_US


@pytest.mark.parametrize("value", [None, True, "3600", 1.0, OFFSET_LIMIT_S + 1, -OFFSET_LIMIT_S - 1])
def test_what_is_no_offset(value: object) -> None:
    """Only whole seconds, and no more than any place has."""
    assert not is_offset(value)
    assert is_offset(OFFSET_LIMIT_S)
    assert is_offset(-OFFSET_LIMIT_S)
