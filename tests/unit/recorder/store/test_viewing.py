"""When a request is part of a view that was written down, and when it is another view."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from config.times import SECOND_US
from recorder.store.viewing import LASTS_US, REFILL_US, SLOT_US, VIEWS_LIMIT, Slots, Viewing, slots_of, uncovered

INSTANTS = st.integers(0, 100 * SLOT_US)
SLOTS = st.builds(lambda first, length: Slots(first, first + length), st.integers(0, 60), st.integers(1, 20))


def numbers(slots: list[Slots]) -> list[int]:
    return [n for one in slots for n in range(one.first, one.end)]


@given(INSTANTS, st.integers(0, 10 * SLOT_US))
def test_an_interval_lies_within_its_slots_and_no_smaller_ones(t0_us: int, length_us: int) -> None:
    """The entry says at least what was handed out, and less than a slot more at either end."""
    found = slots_of(t0_us, t0_us + length_us)

    assert found.t0_us <= t0_us < found.t0_us + SLOT_US
    assert t0_us + length_us <= found.t1_us < t0_us + max(length_us, 1) + SLOT_US


@given(SLOTS, st.lists(SLOTS, max_size=8))
def test_what_is_left_is_what_was_asked_without_what_is_covered(asked: Slots, covered: list[Slots]) -> None:
    """Each slot once, in order, in as few stretches as can be."""
    found = uncovered(asked, covered)

    assert numbers(found) == [n for n in range(asked.first, asked.end) if n not in numbers(covered)]
    assert all(one.end < two.first for one, two in pairwise(found))


STEPS = st.lists(st.tuples(st.integers(0, LASTS_US), st.sampled_from(["you", "me"]), SLOTS), min_size=1, max_size=40)


@given(STEPS)
def test_nothing_is_handed_out_that_is_not_written_down(steps: list[tuple[int, str, Slots]]) -> None:
    """Whatever is asked, and when: each slot of it is in a view of that very asker which is not older than an hour; and
    no slot is ever written down twice for him in that hour."""
    rule, now_us = Viewing(), 0
    written: list[tuple[int, str, Slots]] = []
    for wait_us, who, asked in steps:
        now_us += wait_us
        for one in rule.needed(who, asked, now_us):
            going_on = [slots for at_us, by, slots in written if by == who and now_us - at_us < LASTS_US]
            assert not set(numbers([one])) & set(numbers(going_on))
            rule.opened(who, [one], now_us)
            written.append((now_us, who, one))
        mine = [slots for at_us, by, slots in written if by == who and now_us - at_us < LASTS_US]
        assert set(numbers([asked])) <= set(numbers(mine))
        assert rule.needed(who, asked, now_us) == []


@given(st.lists(st.integers(0, 3 * SECOND_US), min_size=1, max_size=300))
def test_a_flood_is_let_through_at_the_named_rate(waits_us: list[int]) -> None:
    """However requests come, no more are written down than the limit and one for each second that passed."""
    rule, now_us, opened = Viewing(), 0, 0
    rule.opened("before", [Slots(n, n + 1) for n in range(VIEWS_LIMIT)], now_us)
    for number, wait_us in enumerate(waits_us):
        now_us += wait_us
        if rule.may_open(1, now_us):
            rule.opened(number, [Slots(number, number + 1)], now_us)
            opened += 1
        assert opened <= now_us // REFILL_US


def test_after_a_quiet_time_the_whole_limit_is_there_again() -> None:
    """And no more than that."""
    rule = Viewing()
    rule.opened("me", [Slots(n, n + 1) for n in range(VIEWS_LIMIT)], 0)
    later_us = 10 * VIEWS_LIMIT * REFILL_US

    assert not rule.may_open(1, REFILL_US - 1)
    assert rule.may_open(VIEWS_LIMIT, later_us)
    assert not rule.may_open(VIEWS_LIMIT + 1, later_us)


def test_memory_is_bounded_by_what_may_be_opened_in_an_hour() -> None:
    """A day of the worst flood leaves no more behind."""
    rule = Viewing()
    most = VIEWS_LIMIT + LASTS_US // REFILL_US
    for second in range(0, 86_400, 60):
        while rule.may_open(1, second * SECOND_US):
            rule.opened((second, len(rule)), [Slots(second, second + 1)], second * SECOND_US)
        assert len(rule) <= most
    assert len(rule) > LASTS_US // REFILL_US // 2


def test_a_view_is_over_after_its_hour() -> None:
    """Who has the same footage again then has another view."""
    rule = Viewing()
    rule.opened("me", [Slots(3, 5)], 0)

    assert rule.needed("me", Slots(4, 6), LASTS_US - 1) == [Slots(5, 6)]
    assert rule.needed("you", Slots(4, 5), 0) == [Slots(4, 5)]
    assert rule.needed("me", Slots(3, 5), LASTS_US) == [Slots(3, 5)]
