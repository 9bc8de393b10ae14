"""How fast a camera's clock runs away, by what it says from time to time."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from config.clock import STEP_LIMIT_US
from config.times import SECOND_US
from recorder.capture.drift import LEAST_US, WINDOW_US, Drift

Told = tuple[int, int | None]

LOOK_US = 100_000

starts = st.integers(-(10**15), 10**15)
pauses = st.lists(st.integers(SECOND_US // 2, 40 * SECOND_US), min_size=1, max_size=60)
"""Between reports."""
offsets = st.lists(
    st.tuples(st.integers(SECOND_US // 2, 20 * SECOND_US), st.none() | st.integers(-2 * SECOND_US, 2 * SECOND_US)),
    min_size=1,
    max_size=60,
)
"""Any, each with the pause before it."""


def of(told: Sequence[Told]) -> int | None:
    meter = Drift()
    for now_us, offset_us in told:
        meter.take(now_us, offset_us)
    return meter.ppb


def timed(steps: Sequence[Told]) -> list[Told]:
    """With the time of each instead of its pause."""
    now_us, found = 0, []
    for pause_us, offset_us in steps:
        now_us += pause_us
        found.append((now_us, offset_us))
    return found


def reports(begun_us: int, ahead_us: int, ppm: int, between: Sequence[int]) -> list[Told]:
    """Of a clock that runs that much too fast, exactly."""
    times = [sum(between[:count]) for count in range(len(between) + 1)]
    return [(begun_us + passed_us, ahead_us + passed_us * ppm // 1_000_000) for passed_us in times]


@given(starts, starts, st.integers(-5000, 5000).filter(bool), pauses)
def test_a_clock_that_runs_wrong(begun_us: int, ahead_us: int, ppm: int, between: list[int]) -> None:
    """What is told is what it does, to a microsecond over ten minutes; earlier, nothing."""
    told = of(reports(begun_us, ahead_us, ppm, between))

    assert told is None or abs(told - ppm * 1000) <= 2
    assert sum(between) >= LEAST_US or told is None
    assert sum(between) < LEAST_US + 3 * WINDOW_US + 40 * SECOND_US or told is not None


@given(st.integers(-500, 500), st.integers(0, 2**32))
def test_reports_that_are_heard_at_the_next_look(ppm: int, seed: int) -> None:
    """Up to a tenth of a second late, each by another part of it: over an hour that is hardly seen."""
    chance = random.Random(seed)
    exact = reports(0, 7, ppm, [chance.randrange(3 * SECOND_US, 6 * SECOND_US) for _ in range(800)])
    looks = [(now_us // LOOK_US * LOOK_US + LOOK_US, now_us, off_us) for now_us, off_us in exact]
    told = of(
        [(heard_us, None if off_us is None else off_us - (heard_us - now_us)) for heard_us, now_us, off_us in looks]
    )

    assert told is not None
    assert abs(told - ppm * 1000) < 28_000


@given(offsets, starts, starts)
def test_what_times_are_counted_from(steps: list[Told], later_us: int, ahead_us: int) -> None:
    """Makes no difference: neither when the session began, nor how wrong the clock was then."""
    told = timed(steps)
    moved = [(now_us + later_us, None if off_us is None else off_us + ahead_us) for now_us, off_us in told]

    assert of(moved) == of(told)


@given(offsets)
def test_the_same_report_again(steps: list[Told]) -> None:
    """Pictures between two reports bring the older one again and again: nothing follows from that."""
    told = timed(steps)
    again = [one for now_us, off_us in told for one in ((now_us, off_us), (now_us + 1, off_us))]

    assert of(again) == of(told)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=20))
def test_a_single_report(pauses_us: list[int]) -> None:
    """However long it is looked at, it tells no drift; above all not that there is none."""
    assert of([(sum(pauses_us[:count]), 5) for count in range(len(pauses_us))]) is None


@given(offsets, st.sampled_from([-1, 1]), offsets)
def test_a_step_begins_it_anew(before: list[Told], sign: int, after: list[Told]) -> None:
    """What was before a step, or before the camera told nothing, has no part in what follows."""
    told, further = timed(before), timed(after)
    end_us = told[-1][0]
    last_us = next((one for _, one in reversed(told) if one is not None), 0)
    first_us = further[0][1] or 0
    step_us = last_us + sign * (STEP_LIMIT_US + 1) - first_us
    stepped = [(end_us + now_us, None if one is None else one + step_us) for now_us, one in further]
    silent = [(end_us, None), *((end_us + now_us, one) for now_us, one in further)]

    assert of(told + stepped) == of(further)
    assert of(told + silent) == of(further)


def test_a_step_that_is_none() -> None:
    """Half a second more is no step, and belongs to what the clock did; the next microsecond does not."""
    ends = [(LEAST_US, STEP_LIMIT_US), (LEAST_US + WINDOW_US, STEP_LIMIT_US + 1)]
    assert of([(0, 0), *ends]) == STEP_LIMIT_US * 1_000_000_000 // LEAST_US
    assert of([(0, 0), *((now_us, off_us + 1) for now_us, off_us in ends)]) is None
