"""Instants and their written forms, and clocks."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.clock import Reading, SystemClock, step_us
from config.times import LAST_US, format_name, format_us, from_datetime, parse_us, to_datetime


@given(st.integers(min_value=-62_135_596_800_000_000, max_value=LAST_US))
def test_an_instant_comes_back_from_its_written_form(instant_us: int) -> None:
    """From year 1 to 9999, to the microsecond; and every form has the same length."""
    assert parse_us(format_us(instant_us)) == instant_us
    assert len(format_us(instant_us)) == 27


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-24T16:00:00+08:00", "2026-11-24T08:00:00.000000Z"),
        ("2026-11-24t08:00:00z", "2026-11-24T08:00:00.000000Z"),
        ("2026-11-24T08:00:00.123456789Z", "2026-11-24T08:00:00.123456Z"),
    ],
)
def test_any_offset_is_read(text: str, same: str) -> None:
    """What it means is one instant."""
    assert format_us(parse_us(text)) == same


@pytest.mark.parametrize(
    "text", ["2026-11-24", "2026-11-24T08:00:00", "now", "", "2026-13-24T08:00:00Z", "20261124T080000Z"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """Above all a local time: it would mean something else on every machine."""
    with pytest.raises(ValueError, match=r".+"):
        parse_us(text)


def test_file_names_sort_as_time_does() -> None:
    """Year first, milliseconds last."""
    names = [format_name(us) for us in (0, 999, 1000, 10**15, 1_795_500_000_000_000)]

    assert names == sorted(names)
    assert names[0] == "19700101T000000.000Z"


def test_a_naive_datetime_is_refused() -> None:
    """It is no instant."""
    with pytest.raises(ValueError, match="offset"):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    assert to_datetime(0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_step_is_what_the_wall_clock_moved_beyond_the_monotonic_one() -> None:
    """Time that passes is no step."""
    assert step_us(Reading(100, 5), Reading(160, 65)) == 0
    assert step_us(Reading(100, 5), Reading(100 - 3600, 65)) == -3660


def test_the_machines_clock_runs_forwards() -> None:
    """Both of its clocks, and it knows which boot this is."""
    clock = SystemClock()
    first, second = clock.read(), clock.read()

    assert second.mono_us >= first.mono_us
    assert len(clock.boot_id()) == 36
