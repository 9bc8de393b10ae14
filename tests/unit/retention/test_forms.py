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
