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
