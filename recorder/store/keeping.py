"""Which rule a camera's footage is kept by: of all that stand in the log, the one for each entry. Pure.

A rule is an entry, and none is undone by a later one for footage that it met: that must be kept for the longest of what
was in force when it was recorded and of all that came into force since. So raising a floor protects what lies there
already, and lowering it lets only what is recorded from then on go sooner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.keeping import DAYS_LIMIT, Protection

RULE_DAYS_LIMIT = 2 * DAYS_LIMIT
"""A target lies as far above its floor as the box's does: so no rule that a box writes has more days."""


@dataclass(frozen=True)
class Rule:
    """A rule that stands in the log."""

    index: int
    """Of its entry."""
    floor_days: int
    target_days: int


def floor_of(rules: Sequence[Rule], leaf_index: int) -> int:
    """For how many days the footage must be kept whose entry has that index.

    Args:
        rules: of its camera, all that came into force so far, in the order of the log. There is one at least; the first
            counts for what was recorded before it as well.
        leaf_index: of the footage's entry.
    """
    return max(one.floor_days for one in _since(rules, leaf_index))


def least_floor(rules: Sequence[Rule], first_index: int, last_index: int) -> int:
    """The lowest floor that was in force while any of these entries was written: no discard of what they tell of went
    by less, whatever was raised before it or since. Of what was recorded before the first rule, what the law wants:
    some of it may have gone before that rule too.

    Args:
        rules: as above.
        first_index: of the first entry.
        last_index: of the last one.
    """
    if first_index < rules[0].index:
        return Protection.ORDINARY.least_days
    first, *later = _since(rules, first_index)
    return min([first.floor_days, *(one.floor_days for one in later if one.index < last_index)])


def target_of(rules: Sequence[Rule], leaf_index: int) -> int:
    """Likewise after how many days it is to go: by the rule in force, and not before it may."""
    return max(rules[-1].target_days, floor_of(rules, leaf_index))


def epochs(rules: Sequence[Rule], size: int) -> list[tuple[range, int]]:
    """The entries of a log in stretches of one target, each with the days after which footage goes.

    Args:
        rules: of a camera; the log holds them.
        size: of the log: more than the index of any of them.
    """
    starts = [0, *(one.index for one in rules[1:])]
    return [
        (range(start, stop), target_of(rules, stop))
        for start, stop in zip(starts, [*starts[1:], size], strict=True)
        if start < stop
    ]


def _since(rules: Sequence[Rule], leaf_index: int) -> Sequence[Rule]:
    """The one in force when that entry was written, and all later ones."""
    earlier = sum(1 for one in rules if one.index < leaf_index)
    return rules[max(earlier - 1, 0) :]


def rules_hash(rules: Sequence[Rule]) -> str:
    """One hash over a camera's rules, so that an entry tells which were asked."""
    return hashlib.sha256("".join(f"{one.index} {one.floor_days}\n" for one in rules).encode()).hexdigest()


def read_rule(index: int, fields: Mapping[str, Any]) -> Rule:
    """A rule as its entry tells it.

    Raises:
        KeyError, ValueError: it is none.
    """
    floor_days, target_days = fields["floor_days"], fields["target_days"]
    if not (is_rule_days(floor_days) and is_rule_days(target_days)):
        raise ValueError("days that cannot be")
    return Rule(index, floor_days, target_days)


def is_rule_days(value: object) -> bool:
    """Whether an entry's floor or target can be so many days."""
    return type(value) is int and 0 < value <= RULE_DAYS_LIMIT
