"""What an entry must look like to be judged by; whole packages are tried in `tests/forgeries`."""

from __future__ import annotations

from typing import Any

import pytest

from retention.evidence import forms

HASH = "a" * 64
GAP: dict[str, Any] = {
    "stream": "gate.main",
    "n": 0,
    "prev": HASH,
    "t0": "2026-03-01T00:00:00.000000Z",
    "t1": "2026-03-01T00:00:01.000000Z",
    "cause": "unreachable",
    "detail": "",
}


def test_an_entry_of_an_honest_box_is_taken() -> None:
    """And so is one of a type of which nothing is concluded."""
    forms.check("gap", 0, GAP)
    forms.check("boot", 0, {"anything": 1})


@pytest.mark.parametrize("name", sorted(GAP))
@pytest.mark.parametrize("value", [None, True, -1, 10**15, "?", []])
def test_a_field_that_is_missing_or_of_another_kind_is_refused(name: str, value: object) -> None:
    """By its name: nothing counts for nothing."""
    if name == "detail" and value == "?":
        return
    with pytest.raises(ValueError, match=name):
        forms.check("gap", 0, {**GAP, name: value})
    with pytest.raises(ValueError, match=name):
        forms.check("gap", 0, {key: one for key, one in GAP.items() if key != name})


def test_a_gap_with_a_hash_is_refused() -> None:
    """To one reader it would be footage."""
    with pytest.raises(ValueError, match="sha256"):
        forms.check("gap", 0, {**GAP, "sha256": HASH})


@pytest.mark.parametrize("vector", [None, [], {"gate.main": 5}, {"gate.main": [-1, HASH]}, {"gate.main": [0, "x"]}])
def test_a_head_vector_that_is_none(vector: object) -> None:
    """Numbers and hashes of last items, and nothing else."""
    assert not forms.head_vector(vector)
    assert forms.head_vector({"gate.main": [0, HASH]})


RULE: dict[str, Any] = {"camera": "gate", "op": "rule", "floor_days": 90, "target_days": 91}
DISCARD: dict[str, Any] = {
    "stream": "gate.main",
    "n0": 0,
    "n1": 1,
    "floor_days": 90,
    "holds": HASH,
    "rule": "target 91 days, floor 90 days",
}


def test_a_rule_tells_both_its_days() -> None:
    """Other changes of a camera tell of none; a rule of ninety days and of two hundred years is one."""
    forms.check("camera", 0, RULE)
    forms.check("camera", 0, RULE | {"target_days": 73_000, "protection": "counter_terrorism", "record": HASH})
    forms.check("camera", 0, {"camera": "gate", "op": "changed"})


@pytest.mark.parametrize("name", ["floor_days", "target_days"])
@pytest.mark.parametrize("value", [None, True, 0, -1, 73_001, 30.0, "30", []])
def test_a_rule_whose_days_cannot_be_is_refused(name: str, value: object) -> None:
    """By the name of the field, missing or of another kind."""
    with pytest.raises(ValueError, match=name):
        forms.check("camera", 0, RULE | {name: value})
    with pytest.raises(ValueError, match=name):
        forms.check("camera", 0, {key: one for key, one in RULE.items() if key != name})


def test_a_discard_may_tell_by_which_rules_it_went() -> None:
    """Those of older boxes do not; what stands there is a hash."""
    forms.check("del", 0, DISCARD)
    forms.check("del", 0, DISCARD | {"rules": HASH})
    for value in (None, 5, "none", HASH[1:], [HASH]):
        with pytest.raises(ValueError, match="rules"):
            forms.check("del", 0, DISCARD | {"rules": value})


HOLD: dict[str, Any] = {
    "hold": 1,
    "cameras": ["gate"],
    "t0": GAP["t0"],
    "t1": GAP["t1"],
    "record": HASH,
    "asked_t0": GAP["t0"],
    "asked_t1": GAP["t1"],
    "padding_before_s": 300,
    "padding_after_s": 0,
    "basis": "order_168_29",
    "review": GAP["t1"],
}


@pytest.mark.parametrize("name", ["asked_t0", "asked_t1", "basis", "padding_after_s", "padding_before_s", "review"])
def test_a_hold_may_tell_more_than_it_must_and_then_in_its_form(name: str) -> None:
    """One of an older program tells none of it; who released it is told by hashes."""
    forms.check("hold", 0, HOLD)
    forms.check("hold", 0, {key: value for key, value in HOLD.items() if key != name})
    with pytest.raises(ValueError, match=name):
        forms.check("hold", 0, {**HOLD, name: ["x"]})
    forms.check("release", 0, {"hold": 1, "by": [HASH, HASH]})
    with pytest.raises(ValueError, match="by"):
        forms.check("release", 0, {"hold": 1, "by": ["Li"]})
