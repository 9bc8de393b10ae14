"""What may befall a camera, and what the record must say of it. Pure.

Each kind of fault names the causes that a gap may have by it, the one that must be there, and how long the recorder
may need afterwards; `deal` draws a script for each camera from a seed, `judge` holds a record against what happened.

The times are those the design promises (ingest.md, "Sessions"), written down here a second time on purpose: were they
taken from the program, a change of the promise would go unnoticed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from recorder.causes import Cause
from recorder.store.tiling import Kind as StretchKind
from recorder.store.tiling import Stretch

DEADLINE_S = 10.0
"""So long without a picture ends a session as `stalled`, and no answer an attempt as `no_media`."""

BACK_OFF_FIRST_S, BACK_OFF_MOST_S, BACK_OFF_JITTER = 1.0, 30.0, 0.2
"""Back-off doubles, so that after an outage of s seconds the next attempt is at most s + 1 seconds away."""

LOCKED_OUT_WAIT_S = 30.0
"""A refused password is not tried again for so long: cameras lock an account after some failures."""

SLACK_S = 4.0
"""For connecting, for the next key picture (a second), and for a machine with other things to do."""

BEFORE_S = 1.0
"""A gap may begin so long before its fault: with the end of the last picture that came, on a mapping of the camera's
time that a busy machine has made a little late."""

MICROS = 1_000_000


@dataclass(frozen=True)
class FaultKind:
    """One way to go wrong."""

    name: str
    shortest_s: float = 0.0
    longest_s: float = 0.0
    causes: frozenset[Cause] = frozenset()
    """A gap by this fault has one of these; none: there must be no gap at all."""
    must: Cause | None = None
    """The record must have a gap of this cause."""
    unnoticed_s: float = 0.0
    """So long nobody can notice: the back-off begins then."""
    hangs_s: float = 0.0
    """An attempt that began during the fault may hang so long after it."""
    least_wait_s: float = 0.0

    def recovery_s(self, length_s: float) -> float:
        """How long after a fault of that length pictures may be missing still."""
        if not self.causes:
            return 0.0
        tried_s = max(0.0, length_s - self.unnoticed_s) + self.hangs_s
        wait_s = max(self.least_wait_s, min(BACK_OFF_MOST_S, tried_s + BACK_OFF_FIRST_S))
        return self.hangs_s + wait_s * (1 + BACK_OFF_JITTER) + SLACK_S


def _ends(name: str, shortest_s: float, longest_s: float, must: Cause, *also: Cause, **more: float) -> FaultKind:
    return FaultKind(name, shortest_s, longest_s, frozenset({must, *also}), must, **more)


KINDS = (
    _ends("hang_up", 0, 0, Cause.UNREACHABLE),
    _ends("reset", 0, 0, Cause.UNREACHABLE),
    _ends("refuse", 3, 15, Cause.UNREACHABLE),
    _ends("lock_out", 3, 10, Cause.AUTH_REFUSED, Cause.UNREACHABLE, least_wait_s=LOCKED_OUT_WAIT_S),
    _ends("busy", 3, 10, Cause.NO_MEDIA, Cause.UNREACHABLE),
    _ends("overloaded", 3, 10, Cause.NO_MEDIA, Cause.UNREACHABLE),
    _ends("stall", 13, 20, Cause.STALLED, unnoticed_s=DEADLINE_S),
    # Neither pictures nor answers: the attempt that follows hangs as well, and ends as `no_media`.
    _ends("deaf", 13, 20, Cause.STALLED, Cause.NO_MEDIA, unnoticed_s=DEADLINE_S, hangs_s=DEADLINE_S),
    _ends("endless_header", 3, 8, Cause.STREAM_INVALID),
    _ends("garbage", 3, 8, Cause.STREAM_INVALID),
    _ends("audio_only", 3, 10, Cause.STREAM_INVALID, Cause.UNREACHABLE),
    _ends("clock_ahead", 0, 0, Cause.TIMESTAMP_JUMP),
    _ends("clock_back", 0, 0, Cause.TIMESTAMP_JUMP),
    # A run that ends at a key picture is followed by the next one at once: perhaps nothing is missing.
    FaultKind("clock_at_key", causes=frozenset({Cause.TIMESTAMP_JUMP})),
    # These must leave no gap. Pictures that were not sent in a stall below the deadline are missing from a segment
    # that goes on, and the one before them is shown as long: the camera's own time stamps say so.
    FaultKind("short_stall", 3, 7),
    FaultKind("noise", 2, 6),
    FaultKind("wild_noise", 2, 6),
    FaultKind("loss", 2, 8),
    FaultKind("twin_stamps", 2, 6),
    FaultKind("still_stamps", 2, 6),
    FaultKind("other_size", 2, 2),
    FaultKind("size_flips", 6, 6),
)
BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True)
class Fault:
    """One entry of a camera's script."""

    at_s: float
    kind: FaultKind
    length_s: float

    @property
    def over_s(self) -> float:
        """When a recorder must have everything again."""
        return self.at_s + self.length_s + self.kind.recovery_s(self.length_s)


def deal(seed: int, cameras: int, seconds: float, rest_s: float) -> list[list[Fault]]:
    """A script for each camera: one fault after the other is over, and the last one over within `seconds`.

    Kinds are dealt like cards: before one comes a second time, all that still fit have come once.
    """
    chance = random.Random(seed)
    scripts: list[list[Fault]] = [[] for _ in range(cameras)]
    free_s = {number: chance.uniform(0, min(rest_s, seconds / 8)) for number in range(cameras)}
    deck: list[FaultKind] = []
    while free_s:
        number = min(free_s, key=lambda one: (free_s[one], one))
        if not any(free_s[number] + _least_s(kind) <= seconds for kind in deck):
            deck += chance.sample(KINDS, len(KINDS))
        kind = next((kind for kind in deck if free_s[number] + _least_s(kind) <= seconds), None)
        if kind is None:
            del free_s[number]
            continue
        deck.remove(kind)
        fault = Fault(free_s[number], kind, chance.uniform(kind.shortest_s, kind.longest_s))
        if fault.over_s > seconds:
            fault = replace(fault, length_s=kind.shortest_s)
        scripts[number].append(fault)
        free_s[number] = fault.over_s + chance.uniform(0.5, rest_s)
    return scripts


def _least_s(kind: FaultKind) -> float:
    return kind.shortest_s + kind.recovery_s(kind.shortest_s)


@dataclass(frozen=True)
class Happened:
    """A fault as it was carried out, by the wall clock that the box has too."""

    camera: str
    kind: str
    began_us: int
    ended_us: int

    @property
    def until_us(self) -> int:
        """Where its gaps must have ended."""
        length_s = (self.ended_us - self.began_us) / MICROS
        return self.ended_us + round(BY_NAME[self.kind].recovery_s(length_s) * MICROS)

    def explains(self, gap: Stretch) -> bool:
        """Whether the gap has a cause that this fault has, and lies where it may."""
        inside = self.began_us - BEFORE_S * MICROS <= gap.t0_us and gap.t1_us <= self.until_us
        return inside and gap.cause in BY_NAME[self.kind].causes

    def line(self) -> dict[str, Any]:
        """For the journal, with what a reader wants to compare."""
        kind = BY_NAME[self.kind]
        return asdict(self) | {"until_us": self.until_us, "causes": sorted(kind.causes), "must": kind.must}


@dataclass(frozen=True)
class Verdict:
    """What is wrong with one camera's record, and how well it did."""

    complaints: tuple[str, ...]
    beyond_s: tuple[tuple[float, str], ...] = ()
    """For each fault with a gap: how long after its end the gap ended, and its kind."""
    gap_s: float = 0.0


def judge(camera: str, stretches: Sequence[Stretch], happened: Iterable[Happened], begun_us: int) -> Verdict:
    """Hold a camera's coverage, from its registration on, against what befell it.

    Args:
        camera: whose.
        stretches: of the whole time asked for.
        happened: its faults.
        begun_us: by then the first picture must have been recorded.
    """
    faults = list(happened)
    gaps = [one for one in stretches if one.kind is StretchKind.GAP]
    complaints = [*_untiled(stretches), *_unexplained(gaps, faults, begun_us), *_untold(gaps, faults)]
    return Verdict(
        tuple(f"{camera}: {one}" for one in complaints),
        tuple(_beyond(gaps, faults)),
        sum(gap.t1_us - gap.t0_us for gap in gaps) / MICROS,
    )


def _beyond(gaps: Sequence[Stretch], faults: Sequence[Happened]) -> Iterable[tuple[float, str]]:
    for fault in faults:
        ends = [gap.t1_us for gap in gaps if fault.explains(gap)]
        if ends:
            yield (max(ends) - fault.ended_us) / MICROS, fault.kind


def _untiled(stretches: Sequence[Stretch]) -> Iterable[str]:
    for before, after in pairwise(stretches):
        if before.t1_us != after.t0_us:
            yield f"between {before.t1_us} and {after.t0_us} there is neither footage nor a gap"
    for one in stretches:
        if one.kind not in (StretchKind.RECORDED, StretchKind.GAP):
            yield f"{(one.t1_us - one.t0_us) / MICROS:.3f} s from {one.t0_us} on are {one.kind.value}"


def _unexplained(gaps: Sequence[Stretch], faults: Sequence[Happened], begun_us: int) -> Iterable[str]:
    for number, gap in enumerate(gaps):
        at_start = number == 0 and gap.cause is Cause.NO_MEDIA and gap.t1_us <= begun_us
        if at_start or any(fault.explains(gap) for fault in faults):
            continue
        yield f"{_words(gap)} is explained by nothing; nearest: {_nearest(gap, faults)}"


def _untold(gaps: Sequence[Stretch], faults: Sequence[Happened]) -> Iterable[str]:
    for fault in faults:
        must = BY_NAME[fault.kind].must
        if must is not None and not any(gap.cause is must and fault.explains(gap) for gap in gaps):
            yield f"{fault.kind} at {fault.began_us} left no gap of the cause {must.value}"


def _nearest(gap: Stretch, faults: Sequence[Happened]) -> str:
    near = [one for one in faults if one.began_us <= gap.t1_us]
    if not near:
        return "no fault before it"
    last = max(near, key=lambda one: one.began_us)
    after_s = [(edge - last.ended_us) / MICROS for edge in (gap.t0_us, gap.t1_us)]
    length_s, most_s = (last.ended_us - last.began_us) / MICROS, (last.until_us - last.ended_us) / MICROS
    where = f"the gap from {after_s[0]:+.2f} s to {after_s[1]:+.2f} s about its end, {most_s:.2f} s allowed"
    return f"{last.kind} of {length_s:.2f} s, {where}"


def _words(gap: Stretch) -> str:
    cause = gap.cause.value if gap.cause else "?"
    return f"a gap of {(gap.t1_us - gap.t0_us) / MICROS:.3f} s from {gap.t0_us} on, {cause} ({gap.detail or ''})"
