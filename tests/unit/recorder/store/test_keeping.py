"""Which of a camera's rules counts for which footage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.store.keeping import Rule, epochs, floor_of, least_floor, read_rule, rules_hash, target_of

RULES = st.lists(st.tuples(st.integers(1, 9), st.integers(30, 200), st.integers(0, 90)), min_size=1, max_size=6).map(
    lambda steps: [
        Rule(sum(step for step, _, _ in steps[: place + 1]), floor, floor + above)
        for place, (_, floor, above) in enumerate(steps)
    ]
)


@pytest.mark.parametrize(
    ("floors", "days"),
    [
        ((30,), (30, 30, 30)),
        ((30, 90), (90, 90, 90)),
        ((90, 30), (90, 90, 30)),
        ((60, 90, 30), (90, 90, 90)),
    ],
    ids=["one rule", "raised", "lowered", "raised and lowered"],
)
def test_raising_protects_what_is_there_and_lowering_takes_nothing_from_it(
    floors: tuple[int, ...], days: tuple[int, int, int]
) -> None:
    """Of footage from before the first rule, under the first, and under the second."""
    rules = [Rule(10 * (place + 1), floor, floor + 1) for place, floor in enumerate(floors)]

    assert tuple(floor_of(rules, index) for index in (5, 15, 25)) == days


@given(RULES, st.integers(0, 60), st.integers(30, 200))
def test_the_floor_of_existing_footage_never_goes_down(rules: list[Rule], index: int, floor: int) -> None:
    """Whatever rule follows."""
    more = [*rules, Rule(rules[-1].index + 1, floor, floor)]

    if index <= rules[-1].index:
        assert floor_of(more, index) >= floor_of(rules, index)
    assert floor_of(more, index) >= floor
    assert target_of(more, index) >= floor_of(more, index)


@given(RULES, st.integers(1, 20))
def test_stretches_of_the_log_have_the_target_of_each_of_their_entries(rules: list[Rule], more: int) -> None:
    """Of a log that holds those rules: each entry lies in one stretch, and its footage goes when the rules say."""
    size, ruled = rules[-1].index + more, {rule.index for rule in rules}
    found = epochs(rules, size)

    assert [index for entries, _ in found for index in entries] == list(range(size))
    for entries, days in found:
        assert {target_of(rules, index) for index in entries if index not in ruled} <= {days}


def test_a_rule_that_is_none_is_refused() -> None:
    """What stands in an entry may have been written by anybody."""
    assert read_rule(7, {"floor_days": 30, "target_days": 31}) == Rule(7, 30, 31)
    for days in (0, -1, 73_001, True, "30", 30.0, None):
        with pytest.raises(ValueError, match="days"):
            read_rule(7, {"floor_days": days, "target_days": 31})


def test_the_hash_tells_rules_apart() -> None:
    """By where they stand and what they want; the target is no matter of the guard."""
    one, two = Rule(3, 30, 31), Rule(9, 90, 91)

    assert len({rules_hash(rules) for rules in ([], [one], [two], [one, two], [Rule(3, 31, 31)])}) == 5
    assert rules_hash([one]) == rules_hash([Rule(3, 30, 90)])


@given(RULES, st.lists(st.integers(0, 60), min_size=1, max_size=5), st.integers(0, 60))
def test_no_discard_of_a_stretch_went_by_less_than_its_least_floor(
    rules: list[Rule], entries: list[int], later: int
) -> None:
    """Whenever it was: by the rules that stood in the log then; and some of it was recorded under just that floor."""
    least = least_floor(rules, min(entries), max(entries))
    discard = max(entries) + 1 + later
    then = [one for one in rules if one.index < discard] or [Rule(0, 30, 31)]  # of a program from before rules

    assert all(floor_of(then, entry) >= least for entry in entries)
    assert least in {30, *(one.floor_days for one in rules)}
