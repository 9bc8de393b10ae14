"""What is known beyond a backup is weighed: when it is a rollback, and how that is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import parse_us
from recorder.store.rollback import NAMED, Evidence, Known, Newer, sentence

NOON_US = parse_us("2026-03-01T12:00:00Z")


@given(st.lists(st.integers(0, 10**9), max_size=5), st.integers(1, 10**9))
def test_sizes_decide(sizes: list[int], backup: int) -> None:
    """Entries are taken back exactly where somebody knows more than the backup has; by how many, the largest says."""
    found = Evidence(tuple(Known("the log", size) for size in sizes))

    assert found.takes_back(backup) is any(size > backup for size in sizes)
    assert found.size(backup) == max([backup, *sizes])


@pytest.mark.parametrize(
    "found",
    [
        Evidence(newer=(Newer("gate.main", 1, 7, NOON_US),)),
        Evidence(known=(Known("the log", 5, is_other=True),)),
        Evidence(before=1),
    ],
    ids=["newer media", "another log", "an earlier attempt"],
)
def test_what_is_no_size(found: Evidence) -> None:
    """Media that the backup knows nothing of, another log, what an attempt found that broke off: each of them does."""
    assert found.takes_back(10)
    assert found.size(10) == 10


def test_a_refusal_in_numbers() -> None:
    """It says what knows how much, how many segments are newer and how new, and names five streams at most."""
    newer = tuple(Newer(f"cam{number}.main", 2, 9, NOON_US + number) for number in range(NAMED + 2))
    known = (Known("The log in the data directory", 120), Known("An anchor", 99), Known("Witness north", 130))
    told = sentence(100, Evidence(known, newer))

    assert told.startswith(
        "The backup has 100 entries. The log in the data directory knows 120. Witness north knows 130."
    )
    assert f"Of {2 * (NAMED + 2)} segments" in told
    assert "2026-03-01T12:00:00.000006Z" in told
    assert "cam4.main 2 from number 9 on and 2 streams more." in told
    assert "takes 30 entries back" in told
    assert "--accept-rollback REASON" in told
    assert "An anchor" not in told
    assert "written anew" in sentence(100, Evidence((Known("The log", 90, is_other=True),)))
