"""How long footage is to be kept: what the law wants, and what box and camera were told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.keeping import AS_THE_LAW, NOTHING_SAID, Defaults, KeepingInvalid, Protection, Terms, Wish, terms_of

DAYS = st.integers(min_value=1, max_value=400)


def test_nothing_said_is_what_the_law_wants() -> None:
    """Thirty days (order 168, article 28), and a day more for its first one and for a margin."""
    assert terms_of(AS_THE_LAW, NOTHING_SAID) == Terms(Protection.ORDINARY, 30, 31, 1)


@pytest.mark.parametrize(
    ("defaults", "wish", "days"),
    [
        (AS_THE_LAW, Wish(Protection.COUNTER_TERRORISM), (90, 91)),
        (Defaults(60, 65), NOTHING_SAID, (60, 65)),
        (Defaults(60, 65), Wish(floor_days=30), (30, 35)),
        (Defaults(60, 65), Wish(Protection.COUNTER_TERRORISM), (90, 95)),
        (Defaults(120, 125), Wish(Protection.COUNTER_TERRORISM), (120, 125)),
        (AS_THE_LAW, Wish(target_days=180, purpose="A building site"), (30, 180)),
        (AS_THE_LAW, Wish(floor_days=60, target_days=60), (60, 60)),
    ],
)
def test_a_camera_may_be_kept_in_its_own_way(defaults: Defaults, wish: Wish, days: tuple[int, int]) -> None:
    """By a floor of its own, or of its kind; its target follows it, unless it has one."""
    terms = terms_of(defaults, wish)

    assert (terms.floor_days, terms.target_days) == days


@pytest.mark.parametrize(
    ("wish", "setting"),
    [
        (Wish(floor_days=29), "floor_days"),
        (Wish(Protection.COUNTER_TERRORISM, floor_days=89), "floor_days"),
        (Wish(floor_days=36_501), "floor_days"),
        (Wish(target_days=29), "target_days"),
        (Wish(Protection.COUNTER_TERRORISM, target_days=60), "target_days"),
        (Wish(target_days=40_000), "target_days"),
    ],
)
def test_what_the_law_forbids_is_refused_by_name(wish: Wish, setting: str) -> None:
    """And it is said which of the two is to be changed."""
    with pytest.raises(KeepingInvalid) as caught:
        terms_of(AS_THE_LAW, wish)

    assert caught.value.setting == setting


@pytest.mark.parametrize(
    ("target_days", "purpose", "needs"),
    [(31, None, False), (32, None, True), (32, "Accident of 3 May", False), (400, None, True), (400, " \n", True)],
)
def test_longer_than_floor_and_margin_needs_a_purpose(target_days: int, purpose: str | None, needs: bool) -> None:
    """Order 799, article 17: footage is deleted once its purpose is achieved."""
    assert terms_of(AS_THE_LAW, Wish(target_days=target_days, purpose=purpose)).needs_purpose is needs


@given(DAYS, DAYS, DAYS | st.none(), DAYS | st.none(), st.sampled_from(Protection))
def test_no_terms_lie_below_the_law(
    floor: int, above: int, own_floor: int | None, own_target: int | None, protection: Protection
) -> None:
    """Whatever is asked for: it is refused, or its floor is that of its kind at least, and its target no lower."""
    try:
        terms = terms_of(Defaults(30 + floor, 30 + floor + above), Wish(protection, own_floor, own_target))
    except KeepingInvalid:
        return
    assert protection.least_days <= terms.floor_days <= terms.target_days
