"""Whether a minute is missing: every instant of an interval, judged by what a log proves. Pure.

A stream's items, segments and gaps, carry one counter, and each the hash of the one before. Beats bind where the
chain of every stream stood (its head). So between two beats there is one chain, and whoever wrote down two versions
of a minute can show only the one that both beats agree on. What no item on that chain tells of is missing, and nobody
said why. The rules are those of docs/proof.md; the guard of the law's day count is the one that deletion itself uses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from config.times import format_us
from recorder.causes import Cause
from recorder.store.daycount import bound_discard_us, earliest_discard_us, strictest_us, trusted_now_us
from recorder.store.keeping import Rule, floor_of, rules_hash
from recorder.store.tiling import lay_out


class Standing(StrEnum):
    """What can be said of a stretch of time."""

    PRESENT_VERIFIED = "present_verified"
    """The file is there, and hashes to what its leaf says."""
    GAP_EXPLAINED = "gap_explained"
    """Nothing was recorded, and the log says why."""
    DELETED_LAWFUL = "deleted_lawful"
    """It was recorded, and discarded by the rules: a receipt stands in the log."""
    BREACH = "breach"
    """It was recorded, and discarded before it might be, which the log admits: neither lawful, nor unexplained."""
    MISSING_UNEXPLAINED = "missing_unexplained"
    """Nothing in the log accounts for it."""
    ALTERED = "altered"
    """There is a file, and it is not what was recorded."""


BAD = (Standing.MISSING_UNEXPLAINED, Standing.ALTERED)
"""What leaves a record incomplete."""

_RANK = {
    Standing.ALTERED: 0,
    Standing.PRESENT_VERIFIED: 1,
    Standing.DELETED_LAWFUL: 2,
    Standing.BREACH: 3,
    Standing.GAP_EXPLAINED: 4,
    Standing.MISSING_UNEXPLAINED: 5,
}
"""Where an hour was lived through twice: what is recorded covers what is not, and nothing covers what was altered."""


@dataclass(frozen=True)
class ProvenItem:
    """A segment or a gap as its leaf tells it. That the leaf is in the log was proved by whoever made this."""

    hash: str
    """Of the leaf."""
    n: int
    prev: str
    t0_us: int
    t1_us: int
    elapsed_us: int
    """Box time at which the leaf was written (docs/time.md)."""
    index: int = 0
    """Of the leaf: which rules it was recorded under."""
    sha256: str | None = None
    """Of the media; None: it is a gap."""
    cause: Cause | None = None
    detail: str = ""
    run: int | None = None
    """Of a segment: the number of the first one of its run."""
    init_bytes: int = 0
    """Of a segment: how long the beginning of its file is, which all files of a run share."""
    sm3: str | None = None
    """Of the media, where it was hashed with SM3 too."""
    utc_offset_s: int | None = None
    """Of a segment: how far local time was ahead of UTC at its end; None: as in Shanghai, or its leaf is an old one."""


@dataclass(frozen=True)
class Tie:
    """Where a beat says that the stream's chain stood; number -1 before item 0, with the hash of its registration."""

    n: int
    hash: str


@dataclass(frozen=True)
class Receipt:
    """A `del` leaf: these items' media was discarded, then."""

    index: int
    n0: int
    n1: int
    at_us: int
    elapsed_us: int
    floor_days: int = 0
    """By the rule that was in force."""
    holds: str | None = None
    """Hash over the holds that were in force; None: it is not to be checked."""
    rules: str | None = None
    """Likewise over the camera's rules; None: its leaf is an old one."""
    utc_offset_s: int | None = None
    """How far local time was ahead of UTC then; None: its leaf is an old one."""

    def knows(self, rules: Iterable[Rule]) -> bool:
        """Whether those of the camera's rules that stood in the log then are all that it went by."""
        return self.rules is None or self.rules == rules_hash([one for one in rules if one.index < self.index])


@dataclass(frozen=True)
class ProvenBreach:
    """A `breach` leaf: a full disk took these items below their floor, as the owner of the box had wished."""

    index: int
    n0: int
    n1: int

    def covers(self, n: int, receipt: Receipt) -> bool:
        """Whether it speaks of an item that this receipt tells of, and was written down before it."""
        return self.index < receipt.index and self.n0 <= n <= self.n1


@dataclass(frozen=True)
class ProvenHold:
    """A hold, in force from its leaf to that of its release."""

    id: int
    cameras: frozenset[str]
    t0_us: int
    t1_us: int
    placed_index: int
    released_index: int | None
    record: str = ""
    """Hash of its side record, as its leaf has it."""

    def is_in_force(self, index: int) -> bool:
        """When the entry of that index was written."""
        return self.placed_index < index and (self.released_index is None or self.released_index > index)


@dataclass(frozen=True)
class Proven:
    """All that a log proves of one stream, as far as it was handed over."""

    items: Sequence[ProvenItem]
    ties: Sequence[Tie]
    """One for each beat, in the order of the log; the first before the interval, the last behind it."""
    receipts: Sequence[Receipt] = ()
    holds: Sequence[ProvenHold] = ()
    """All that ever were: what was not handed over, a receipt's hash tells."""
    camera: str = ""
    """Whose stream it is."""
    rules: Sequence[Rule] = ()
    """By which its footage is kept, in the order of the log."""
    breaches: Sequence[ProvenBreach] = ()
    """Of what was discarded below its floor."""


@dataclass(frozen=True)
class Judged:
    """A stretch of the interval, half-open, never empty."""

    standing: Standing
    t0_us: int
    t1_us: int
    cause: Cause | None = None
    """Of a gap."""
    why: str = ""
    """A sentence, where there is more to say."""
    item: int | None = None
    """Which item, where something is wrong with it; None: no item tells of that time, or all is well."""


@dataclass(frozen=True)
class Judgement:
    """The whole interval, tiled exactly, and what is wrong with the chain itself."""

    stretches: tuple[Judged, ...]
    broken: tuple[str, ...] = field(default=())

    @property
    def is_complete(self) -> bool:
        """Whether every instant is accounted for, and the chain holds."""
        return not self.broken and not any(one.standing in BAD for one in self.stretches)


def judge(
    proven: Proven, media: Mapping[int, str], start_us: int, end_us: int, *, floor_days: int, zone: ZoneInfo | None
) -> Judgement:
    """Judge every instant of ``[start_us, end_us)``.

    Args:
        proven: what the log proves.
        media: hex SHA-256 of the file of each item, by its number, as far as files were handed over.
        start_us: of the interval.
        end_us: of the interval.
        floor_days: how long the law wanted such footage kept: a receipt that is older than that is none.
        zone: by whose midnights days are counted where the leaves do not bind it; None: nobody knows, so that the
            strictest count holds.
    """
    chain, broken = tied(proven.items, proven.ties)
    broken += [
        _does_not_touch(one, two) for one, two in pairwise(chain) if two.t0_us != one.t1_us and two.n == one.n + 1
    ]
    linked = {item.hash for item in chain}
    broken += [
        f"Item {one.n} is not on the chain that the beats bind." for one in proven.items if one.hash not in linked
    ]
    judged = [_judged(item, media.get(item.n), proven, floor_days, zone) for item in chain]
    blank = Judged(Standing.MISSING_UNEXPLAINED, start_us, end_us, why="No item of the log accounts for this time.")
    stretches = lay_out(judged, blank, _rank)
    return Judgement(tuple(stretches), tuple(broken))


def _rank(one: Judged) -> int:
    """What somebody took away is not covered by what was recorded when the clock had been set back."""
    return 0 if one.item is not None and one.standing in BAD else _RANK[one.standing]


def tied(items: Iterable[ProvenItem], ties: Sequence[Tie]) -> tuple[list[ProvenItem], list[str]]:
    """The items on the one chain that all beats agree on, in order; and where it does not hold, in words.

    Each stretch between two beats is followed backwards, by hashes, from what the later one binds: an item that
    nothing points to is not on it, whatever its number.
    """
    by_hash = {item.hash: item for item in items}
    chain: list[ProvenItem] = []
    broken: list[str] = []
    for before, after in pairwise(ties):
        found, why = _between(by_hash, before, after)
        chain += found
        broken += why
    return chain, broken


def _between(by_hash: Mapping[str, ProvenItem], before: Tie, after: Tie) -> tuple[list[ProvenItem], list[str]]:
    if after.n < before.n:
        return [], [f"A later beat knows {after.n + 1} items, an earlier one {before.n + 1}: there were two records."]
    found: list[ProvenItem] = []
    at = after
    while at.n > before.n:
        item = by_hash.get(at.hash)
        if item is None or item.n != at.n:
            return found[::-1], [f"Item {at.n}, which what follows points back to, is not there."]
        found.append(item)
        at = Tie(item.n - 1, item.prev)
    if at.hash != before.hash:
        return found[::-1], [f"Item {before.n + 1} does not follow the item that the beat before it binds."]
    return found[::-1], []


def _does_not_touch(one: ProvenItem, two: ProvenItem) -> str:
    return f"Item {two.n} starts at {format_us(two.t0_us)}, but item {one.n} ended at {format_us(one.t1_us)}."


def _judged(item: ProvenItem, digest: str | None, proven: Proven, floor_days: int, zone: ZoneInfo | None) -> Judged:
    whole = Judged(Standing.PRESENT_VERIFIED, item.t0_us, item.t1_us)
    if item.sha256 is None:
        return replace(whole, standing=Standing.GAP_EXPLAINED, cause=item.cause, why=item.detail)
    if digest == item.sha256:
        return whole
    if digest is not None:
        why = f"The file of item {item.n} is not what was recorded."
        return replace(whole, standing=Standing.ALTERED, why=why, item=item.n)
    whole = replace(whole, item=item.n)
    receipts = [one for one in proven.receipts if one.n0 <= item.n <= one.n1]
    if not receipts:
        return replace(whole, standing=Standing.MISSING_UNEXPLAINED, why=f"The file of item {item.n} is not there.")
    verdicts = [_verdict(item, one, proven, floor_days, zone) for one in receipts]
    if any(not why and not early for why, early in verdicts):
        return replace(whole, standing=Standing.DELETED_LAWFUL, item=None)
    if any(not why for why, _ in verdicts):
        early = next(early for why, early in verdicts if not why)
        return replace(whole, standing=Standing.BREACH, item=None, why=early)
    return replace(whole, standing=Standing.MISSING_UNEXPLAINED, why=verdicts[0][0])


def _verdict(
    item: ProvenItem, receipt: Receipt, proven: Proven, floor_days: int, zone: ZoneInfo | None
) -> tuple[str, str]:
    """What is held against a discard, and what the log admits of it; both empty: it was lawful.

    By order 168, articles 28 and 29, and the Civil Code, article 201. That it was too early may be admitted; that a
    hold lay on it excuses nothing.
    """
    rules = [one for one in proven.rules if one.index < receipt.index]
    if not receipt.knows(proven.rules):
        return f"Item {item.n} was discarded by rules that are not all handed over.", ""
    days = max(floor_days, receipt.floor_days, floor_of(rules, item.index) if rules else 0)
    earliest_us = _earliest_us(item, receipt, days, zone)
    early = ""
    if trusted_now_us(item.t1_us, item.elapsed_us, receipt.at_us, receipt.elapsed_us) < earliest_us:
        early = f"Item {item.n} was discarded before {format_us(earliest_us)}, until when it had to be kept."
        if not any(one.covers(item.n, receipt) for one in proven.breaches):
            return early, ""
    in_force = [hold for hold in proven.holds if hold.is_in_force(receipt.index)]
    if receipt.holds is not None and receipt.holds != hash_of_holds(in_force):
        return f"Item {item.n} was discarded while holds were in force that are not all handed over.", ""
    for hold in in_force:
        if proven.camera in hold.cameras and hold.t0_us < item.t1_us and item.t0_us < hold.t1_us:
            return f"Item {item.n} was discarded while hold {hold.id} lay on it.", ""
    return "", early


def _earliest_us(item: ProvenItem, receipt: Receipt, days: int, zone: ZoneInfo | None) -> int:
    """What the leaves bind counts (ADR 23). A discard that binds nothing, of footage that does, is of no honest box."""
    if receipt.utc_offset_s is not None:
        return bound_discard_us(item.t1_us, days, item.utc_offset_s, receipt.utc_offset_s)
    if zone is None or item.utc_offset_s is not None:
        return strictest_us(item.t1_us, days)
    return earliest_discard_us(item.t1_us, days, zone)


def hash_of_holds(holds: Iterable[ProvenHold]) -> str:
    """As a `del` leaf has it of the holds in force: their numbers and records, in order."""
    lines = [f"{hold.id} {hold.record}\n" for hold in sorted(holds, key=lambda one: one.id)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
