"""Completeness: every instant judged by the one chain that the beats agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US, SECOND_US
from recorder.causes import Cause
from recorder.store.keeping import Rule, rules_hash
from retention.evidence.completeness import (
    Judgement,
    Proven,
    ProvenBreach,
    ProvenHold,
    ProvenItem,
    Receipt,
    Standing,
    Tie,
    hash_of_holds,
    judge,
)

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN_US = 1_790_000_000 * SECOND_US
STEP_US = 60 * SECOND_US


def chain(kinds: str) -> list[ProvenItem]:
    """Items of a minute each: S is a segment, G a gap."""
    items: list[ProvenItem] = []
    for n, kind in enumerate(kinds):
        t0_us = BEGIN_US + n * STEP_US
        one = ProvenItem(f"h{n}", n, f"h{n - 1}", t0_us, t0_us + STEP_US, t0_us - BEGIN_US)
        items.append(replace(one, sha256=f"m{n}") if kind == "S" else replace(one, cause=Cause.UNREACHABLE))
    return items


def ties(*numbers: int) -> list[Tie]:
    return [Tie(n, f"h{n}") for n in numbers]


def judged(
    items: Sequence[ProvenItem],
    heads: Sequence[Tie],
    missing: Sequence[int] = (),
    receipts: Sequence[Receipt] = (),
    holds: Sequence[ProvenHold] = (),
    minutes: int | None = None,
    rules: Sequence[Rule] = (),
    breaches: Sequence[ProvenBreach] = (),
) -> Judgement:
    media = {one.n: one.sha256 for one in items if one.sha256 is not None and one.n not in missing}
    end_us = BEGIN_US + (len(items) if minutes is None else minutes) * STEP_US
    proven = Proven(items, heads, receipts, holds, "gate", rules, breaches)
    return judge(proven, media, BEGIN_US, end_us, floor_days=30, zone=ZONE)


def shape(judgement: Judgement) -> list[tuple[str, int]]:
    return [(one.standing.value, (one.t1_us - one.t0_us) // STEP_US) for one in judgement.stretches]


def receipt(days: float, index: int = 100) -> Receipt:
    later_us = round(days * DAY_US)
    return Receipt(index, 1, 1, BEGIN_US + later_us, later_us)


def test_an_honest_hour_is_complete() -> None:
    """Segments whose files hash to their leaves, and gaps with their causes, account for everything."""
    found = judged(chain("SSGS"), ties(-1, 3))

    assert shape(found) == [("present_verified", 2), ("gap_explained", 1), ("present_verified", 1)]
    assert found.stretches[1].cause is Cause.UNREACHABLE
    assert found.is_complete


def test_a_file_that_is_not_there_is_missing() -> None:
    """A leaf without its file, and without a receipt, is no explanation."""
    found = judged(chain("SSS"), ties(-1, 2), missing=[1])

    assert shape(found) == [("present_verified", 1), ("missing_unexplained", 1), ("present_verified", 1)]
    assert "item 1" in found.stretches[1].why
    assert not found.is_complete


def test_a_file_with_other_bytes_is_altered() -> None:
    """What hashes to something else was altered, and that is never hidden."""
    items = chain("SS")
    found = judge(
        Proven(items, ties(-1, 1)), {0: "m0", 1: "x"}, BEGIN_US, BEGIN_US + 2 * STEP_US, floor_days=30, zone=ZONE
    )

    assert shape(found) == [("present_verified", 1), ("altered", 1)]


def test_an_item_that_was_left_out_is_missing() -> None:
    """What follows points back to it; what came before is not bound any more."""
    items = chain("SSS")
    found = judged([items[0], items[2]], ties(-1, 2), minutes=3)

    assert shape(found) == [("missing_unexplained", 2), ("present_verified", 1)]
    assert "Item 1" in found.broken[0]


def test_a_beat_between_bounds_what_a_break_costs() -> None:
    """Each stretch between two beats stands by itself."""
    items = chain("SSSS")
    found = judged([items[0], items[1], items[3]], ties(-1, 1, 3), minutes=4)

    assert shape(found) == [("present_verified", 2), ("missing_unexplained", 1), ("present_verified", 1)]


def test_items_left_out_and_the_rest_renumbered_do_not_lead_to_the_beat() -> None:
    """Numbers can be written anew; hashes cannot."""
    items = chain("SSS")
    forged = [items[0], replace(items[2], n=1, prev="h0", hash="other")]
    found = judged(forged, ties(-1, 2), minutes=3)

    assert not found.is_complete
    assert found.broken


def test_of_two_versions_of_a_minute_only_the_bound_one_counts() -> None:
    """An owner who wrote down both can show only the one that the beats agree on."""
    items = chain("SS")
    other = replace(items[1], hash="hedged", sha256=None, cause=Cause.NO_MEDIA)
    found = judged([*items, other], ties(-1, 1), minutes=2)

    assert shape(found) == [("present_verified", 2)]


def test_a_later_beat_that_knows_less_is_another_record() -> None:
    """Heads only grow."""
    found = judged(chain("SSS"), ties(-1, 2, 1))

    assert any("two records" in one for one in found.broken)


def test_an_item_that_does_not_follow_the_beat_before() -> None:
    """The first item points back to what the earlier beat binds."""
    found = judged(chain("SS"), [Tie(-1, "other camera"), Tie(1, "h1")])

    assert any("does not follow" in one for one in found.broken)


def test_items_that_do_not_touch_are_told() -> None:
    """A minute between two items that nothing tells of is missing, and the place is named."""
    items = chain("SS")
    later = replace(items[1], t0_us=items[1].t0_us + SECOND_US)
    found = judged([items[0], later], ties(-1, 1))

    assert [one.standing for one in found.stretches] == [
        Standing.PRESENT_VERIFIED,
        Standing.MISSING_UNEXPLAINED,
        Standing.PRESENT_VERIFIED,
    ]
    assert "Item 1 starts" in found.broken[0]


def test_a_clock_set_back_hides_nothing() -> None:
    """An hour that was lived through twice is shown as recorded where one of the two was."""
    items = chain("SGS")
    back = replace(items[1], t1_us=items[1].t0_us - STEP_US // 2, cause=Cause.CLOCK_STEP)
    after = replace(items[2], t0_us=back.t1_us, t1_us=back.t1_us + STEP_US)
    found = judged([items[0], back, after], ties(-1, 2), minutes=1)

    assert shape(found) == [("present_verified", 1)]
    assert found.is_complete


def test_a_discard_after_the_legal_time_is_lawful() -> None:
    """A receipt written on day D+31 or later (order 168, article 28; Civil Code, article 201)."""
    found = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[receipt(32)])

    assert shape(found)[1] == ("deleted_lawful", 1)
    assert found.is_complete


@pytest.mark.parametrize(
    ("wall_days", "box_days"), [(29, 29), (3650, 2), (2, 3650)], ids=["early", "clock set ahead", "clock set back"]
)
def test_a_discard_before_the_legal_time_is_no_explanation(wall_days: int, box_days: int) -> None:
    """Both clocks must have seen the time pass."""
    early = Receipt(100, 1, 1, BEGIN_US + wall_days * DAY_US, box_days * DAY_US)
    found = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[early])

    assert shape(found)[1] == ("missing_unexplained", 1)
    assert "had to be kept" in found.stretches[1].why


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        (ProvenBreach(99, 1, 1), "breach"),
        (ProvenBreach(99, 0, 5), "breach"),
        (ProvenBreach(101, 1, 1), "missing_unexplained"),
        (ProvenBreach(100, 1, 1), "missing_unexplained"),
        (ProvenBreach(99, 0, 0), "missing_unexplained"),
        (ProvenBreach(99, 2, 9), "missing_unexplained"),
    ],
)
def test_a_discard_that_the_log_admits_is_a_breach(told: ProvenBreach, standing: str) -> None:
    """Neither lawful nor missing, where the entry is of that item, and came before its discard."""
    found = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[receipt(5)], breaches=[told])

    assert shape(found)[1] == (standing, 1)
    assert "had to be kept" in found.stretches[1].why
    assert found.is_complete is (standing == "breach")


def test_a_breach_excuses_no_hold_and_makes_nothing_of_what_was_lawful() -> None:
    """A hold that lay on it is missed as ever; what was old enough is lawful, whatever else was admitted."""
    hold = ProvenHold(7, frozenset(["gate"]), BEGIN_US, BEGIN_US + 2 * STEP_US, 10, None)
    told = [ProvenBreach(99, 1, 1)]
    held = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[receipt(5)], holds=[hold], breaches=told)
    old = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[receipt(40)], breaches=told)

    assert shape(held)[1] == ("missing_unexplained", 1)
    assert shape(old)[1] == ("deleted_lawful", 1)


@pytest.mark.parametrize(("released", "is_lawful"), [(None, False), (150, False), (50, True)])
def test_a_discard_under_a_hold_is_no_explanation(released: int | None, is_lawful: bool) -> None:
    """A hold that lay on it when it was discarded; one that was released before does not matter (article 29)."""
    hold = ProvenHold(7, frozenset(["gate"]), BEGIN_US, BEGIN_US + 2 * STEP_US, 10, released)
    found = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[receipt(40)], holds=[hold])

    assert (shape(found)[1][0] == "deleted_lawful") is is_lawful


def test_a_hold_that_was_not_handed_over_is_missed() -> None:
    """The receipt binds a hash over all that were in force."""
    hold = ProvenHold(7, frozenset(["yard"]), 0, 1, 10, None, "record")
    told = replace(receipt(40), holds=hash_of_holds([hold]))

    assert judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[told], holds=[hold]).is_complete
    assert not judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[told]).is_complete


def test_the_floor_of_then_counts_where_it_was_higher() -> None:
    """Ninety days for a place of counter-terrorism: whatever somebody says now."""
    told = replace(receipt(40), floor_days=90)

    assert not judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[told]).is_complete


@pytest.mark.parametrize(
    ("rules", "days", "is_lawful"),
    [
        ([Rule(20, 90, 91)], 40, False),
        ([Rule(20, 90, 91)], 92, True),
        ([Rule(1, 90, 91), Rule(40, 30, 31)], 40, False),
        ([Rule(1, 90, 91), Rule(5, 30, 31)], 40, True),
        ([Rule(1, 30, 31), Rule(120, 90, 91)], 40, True),
    ],
    ids=["the first counts for before", "and lets it go", "lowered since", "recorded after that", "raised afterwards"],
)
def test_the_rules_of_the_camera_count(rules: list[Rule], days: int, is_lawful: bool) -> None:
    """Item 1 stands at entry 10, its receipt at 100: of the rule in force at its entry, and of all between, the highest
    floor."""
    items = [replace(one, index=10) if one.n == 1 else one for one in chain("SSS")]
    found = judged(items, ties(-1, 2), missing=[1], receipts=[receipt(days)], rules=rules)

    assert (shape(found)[1][0] == "deleted_lawful") is is_lawful


def test_a_rule_that_was_not_handed_over_is_missed() -> None:
    """The receipt binds a hash over all that stood before it; one that came later is none of its business."""
    rules = [Rule(1, 30, 31), Rule(5, 31, 32)]
    told = replace(receipt(40), rules=rules_hash(rules))

    for handed, is_complete in ((rules, True), ([*rules, Rule(120, 90, 91)], True), (rules[1:], False), ([], False)):
        found = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[told], rules=handed)
        assert found.is_complete is is_complete


def test_footage_taken_away_is_not_covered_by_a_second_pass() -> None:
    """The clock was set back, and the minute recorded again: the first file is missing all the same."""
    items = chain("SGS")
    back = replace(items[1], t1_us=items[0].t0_us, cause=Cause.CLOCK_STEP)
    again = replace(items[2], t0_us=items[0].t0_us, t1_us=items[0].t1_us)
    found = judged([items[0], back, again], ties(-1, 2), missing=[0], minutes=1)

    assert [one.standing for one in found.stretches] == [Standing.MISSING_UNEXPLAINED]


def test_a_hold_placed_after_the_discard_does_not_matter() -> None:
    """Nobody can know in advance."""
    hold = ProvenHold(7, frozenset(["gate"]), BEGIN_US, BEGIN_US + 2 * STEP_US, 101, None)
    found = judged(chain("SSS"), ties(-1, 2), missing=[1], receipts=[receipt(40)], holds=[hold])

    assert found.is_complete


def test_time_that_no_item_tells_of_is_missing() -> None:
    """Before the first item and behind the last one."""
    found = judged(chain("S"), ties(-1, 0), minutes=3)

    assert shape(found) == [("present_verified", 1), ("missing_unexplained", 2)]


@given(st.text("SG", min_size=1, max_size=12), st.data())
def test_leaving_anything_out_is_noticed(kinds: str, data: st.DataObject) -> None:
    """Whatever set of items is left out of a chain, it is not complete any more; whole, it is."""
    items = chain(kinds)
    left_out = data.draw(st.sets(st.integers(0, len(items) - 1)))
    found = judged([one for one in items if one.n not in left_out], ties(-1, len(items) - 1), minutes=len(items))

    assert found.is_complete is not bool(left_out)
    assert sum(one.t1_us - one.t0_us for one in found.stretches) == len(items) * STEP_US
