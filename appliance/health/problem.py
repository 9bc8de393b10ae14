"""What a problem is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Weight(IntEnum):
    """How much a problem weighs; the state of the box is that of its heaviest problem."""

    NOTICE = 0
    DEGRADED = 1
    FAILING = 2


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    code: str
    text: str
    weight: Weight
    camera: str | None = None
