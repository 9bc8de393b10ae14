"""Coverage: items laid over an interval so that they tile it exactly. Pure.

Items of a stream touch one another, so ordinarily they tile by themselves. After the clock was set back they
overlap: an hour was lived through twice. Then what is recorded covers what is not, so that nobody is told that
footage is missing which is there; what no item covers is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from recorder.causes import Cause
from recorder.store.records import Item, MediaState, Segment


class Span(Protocol):
    """A frozen dataclass that says something of an interval, half-open."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def t0_us(self) -> int:
        """Its start."""
        ...

    @property
    def t1_us(self) -> int:
        """Its end."""
        ...


SpanT = TypeVar("SpanT", bound=Span)


class Kind(StrEnum):
    """What a stretch of coverage is."""

    RECORDED = "recorded"
    DISCARDED = "discarded"
    GAP = "gap"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Stretch:
    """A part of the asked interval, half-open, never empty."""

    kind: Kind
    t0_us: int
    t1_us: int
    cause: Cause | None = None
    detail: str | None = None


_RANK = {Kind.RECORDED: 0, Kind.DISCARDED: 1, Kind.GAP: 2, Kind.UNKNOWN: 3}


def tile(items: Iterable[Item], start_us: int, end_us: int) -> list[Stretch]:
    """Stretches that tile ``[start_us, end_us)`` exactly, in order; neighbours of one kind and cause are one."""
    return lay_over((stretch_of(item) for item in items), start_us, end_us)


def lay_over(stretches: Iterable[Stretch], start_us: int, end_us: int) -> list[Stretch]:
    """The same of stretches that are as long as they are, and may overlap."""
    blank = Stretch(Kind.UNKNOWN, start_us, end_us)
    return lay_out(stretches, blank, lambda one: _RANK[one.kind])


def lay_out(spans: Iterable[SpanT], blank: SpanT, rank: Callable[[SpanT], int]) -> list[SpanT]:
    """Spans over an interval so that they tile it exactly, in order; neighbours that say the same are one.

    `blank` is the interval, and what is said where no span lies; of spans that overlap the one of the lowest rank is
    seen, and of those the one that starts first.
    """
    inside = merged(clipped(spans, blank.t0_us, blank.t1_us))
    laid: list[SpanT] = []
    free = [blank] if blank.t0_us < blank.t1_us else []
    for span in sorted(inside, key=lambda one: (rank(one), one.t0_us)):
        free, taken = _lay(span, free)
        laid += taken
    return merged(sorted(laid + free, key=lambda one: one.t0_us))


def stretch_of(item: Item) -> Stretch:
    """One item as a stretch of its own length; empty where a clock set back makes it so."""
    if isinstance(item, Segment):
        kind = Kind.DISCARDED if item.state is MediaState.GONE else Kind.RECORDED
        return Stretch(kind, item.t0_us, item.t1_us)
    return Stretch(Kind.GAP, item.t0_us, item.t1_us, item.cause, item.detail or None)


def clipped(spans: Iterable[SpanT], start_us: int, end_us: int) -> list[SpanT]:
    """What of the spans lies inside the interval, in order of their starts."""
    inside = (replace(one, t0_us=max(one.t0_us, start_us), t1_us=min(one.t1_us, end_us)) for one in spans)
    return sorted((one for one in inside if one.t0_us < one.t1_us), key=lambda one: one.t0_us)


def merged(spans: Sequence[SpanT]) -> list[SpanT]:
    """Neighbours that touch and say the same become one."""
    out: list[SpanT] = []
    for span in spans:
        if out and replace(out[-1], t0_us=span.t0_us, t1_us=span.t1_us) == span and out[-1].t1_us == span.t0_us:
            out[-1] = replace(out[-1], t1_us=span.t1_us)
        else:
            out.append(span)
    return out


def _lay(span: SpanT, free: list[SpanT]) -> tuple[list[SpanT], list[SpanT]]:
    """Lay one span on what is still free: what remains free, and where it came to lie."""
    rest: list[SpanT] = []
    taken: list[SpanT] = []
    for hole in free:
        t0_us, t1_us = max(span.t0_us, hole.t0_us), min(span.t1_us, hole.t1_us)
        if t0_us >= t1_us:
            rest.append(hole)
            continue
        taken.append(replace(span, t0_us=t0_us, t1_us=t1_us))
        rest += [part for part in (replace(hole, t1_us=t0_us), replace(hole, t0_us=t1_us)) if part.t0_us < part.t1_us]
    return rest, taken
