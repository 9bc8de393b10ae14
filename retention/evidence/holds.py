"""Placing, reviewing and releasing holds, and what one covers.

Whoever places a hold is told at once what it cannot bring back, what it saved by days, how much it keeps, and on which
day the disk will be full because of it: then nobody learns of that from a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from config.clock import Clock
from config.times import DAY_US
from recorder.errors import Refused
from recorder.store.codes import Credential
from recorder.store.keeping import epochs
from recorder.store.pressure import HERE, rooms
from recorder.store.records import Camera, Hold, HoldPlan, ReceiptSpan, stream_of
from recorder.store.store import Store
from retention.custody import held_bytes
from retention.holding import SOON_DAYS, Span, Stock, due_before_us, full_in_days, held_spans, with_holds
from retention.policy import Now, Policy, due_us

TEXT_LIMIT = 2000
"""Characters of a reason or a case number: papers belong into the archive, not into a field."""

NAME_LIMIT = 200
"""Characters of a letter's number, and of who places a hold."""

CAMERA_LIMIT = 1000
"""Cameras of one hold."""

CAMERAS_LIMIT_BYTES = 60_000
"""Of all their names as its leaf has them, each in quotes and behind a comma: it must fit the log's limit of 64 KB."""

PADDING_S = 300
"""Before and after what was asked for: what led to an event and what followed it, and clocks that differ."""

PADDING_LIMIT_S = 86_400
"""A day. Whoever wants more asks for a longer interval."""

RECEIPTS_LIMIT = 100
"""Entries of discards that an answer lists; how many segments went it counts all the same."""


class HoldInvalid(Refused):
    """A hold needs at least one camera, a start before its end, a case and a reason."""

    code = "hold_invalid"


@dataclass(frozen=True)
class Covered:
    """What a hold covers at this moment."""

    segments: int
    bytes: int
    already_gone: int
    """Segments of the interval whose media had been discarded before: a hold cannot bring them back."""


@dataclass(frozen=True)
class Outlook:
    """What comes of a hold, by what was known when it was placed."""

    receipts: tuple[ReceiptSpan, ...]
    """The entries that announced what had gone, the first `RECEIPTS_LIMIT`."""
    soon_segments: int
    """Of what it keeps: what would have gone within `SOON_DAYS`."""
    soon_bytes: int
    soon_us: int | None
    """When the first of that was due; None: nothing was."""
    all_held_bytes: int
    """What all holds in force keep together, each file counted once."""
    floor_fails_us: int | None
    """About when the disk is full with nothing on it that may go: recording stops, and the floor fails. None: not
    within `HORIZON_DAYS`, by the rates of the last day."""
    without_us: int | None
    """When it would be without this hold."""
    overwrites: bool = False
    """Whether what is under no hold is then overwritten below its floor, as the owner wished, and recording goes on."""


def place(store: Store, clock: Clock, plan: HoldPlan) -> tuple[Hold, Covered, Outlook]:
    """Place a hold; in force and signed when this returns.

    Raises:
        HoldInvalid: with what is missing. CameraUnknown: one of the cameras was never registered.
    """
    now_us = clock.read().utc_us
    hold = store.holds.place(_checked(plan, now_us))
    return hold, covered(store, hold), outlook(store, hold, now_us)


def review(store: Store, clock: Clock, hold_id: int, review_us: int | None, reason: str, changed_by: str = "") -> Hold:
    """Change the review date of a hold; None: nobody is reminded.

    Raises:
        HoldInvalid: there is no reason, or the date lies behind. HoldUnknown, HoldReleased: as they say.
    """
    _refuse_past(review_us, clock.read().utc_us)
    return store.holds.review(hold_id, review_us, _text("reason", reason), _name("`by`", changed_by))


def release(store: Store, hold_id: int, reason: str, first: Credential, second: Credential) -> Hold:
    """Release a hold; the footage falls back under the ordinary rules.

    Raises:
        HoldInvalid: there is no reason. HoldUnknown, HoldReleased: as they say. Those of `ReleaseCodes.check`.
    """
    return store.holds.release(hold_id, _text("reason", reason), first, second)


def covered(store: Store, hold: Hold) -> Covered:
    """What the hold covers now."""
    found = [store.stock(stream_of(camera), hold.t0_us, hold.t1_us) for camera in hold.cameras]
    return Covered(sum(one.segments for one in found), sum(one.bytes for one in found), sum(one.gone for one in found))


def outlook(store: Store, hold: Hold, now_us: int) -> Outlook:
    """What comes of a hold that was just placed."""
    holds = store.holds.active()
    others = [one for one in holds if one.id != hold.id]
    kept = held_spans(others)
    soon = [_soon(store, camera, hold, kept.get(camera, ()), now_us) for camera in hold.cameras]
    fails, without = _fails(store, holds, others, now_us)
    return Outlook(
        receipts=_receipts(store, hold),
        soon_segments=sum(one.segments for one in soon),
        soon_bytes=sum(one.bytes for one in soon),
        soon_us=min((one.first_us for one in soon if one.first_us is not None), default=None),
        all_held_bytes=held_bytes(store, holds),
        floor_fails_us=fails,
        without_us=without,
        overwrites=store.overwriting.is_on(),
    )


@dataclass(frozen=True)
class _Soon:
    segments: int
    bytes: int
    first_us: int | None


def _soon(store: Store, camera_id: str, hold: Hold, kept: Sequence[Span], now_us: int) -> _Soon:
    """By the camera's rules, each for the entries that it counts for. What other holds keep would not have gone."""
    others = [one for one in kept if one[0] < hold.t1_us and one[1] > hold.t0_us]
    rules, stream_id = tuple(store.cameras.rules(camera_id)), stream_of(camera_id)
    segments = size = 0
    firsts = []
    for entries, target_days in epochs(rules, store.log_size):
        before_us = due_before_us(now_us, SOON_DAYS, target_days, store.zone)
        found = store.due(stream_id, hold.t0_us, hold.t1_us, before_us, entries, others)
        segments, size = segments + found.segments, size + found.bytes
        if found.first_us is not None:
            firsts += _due_us(store, stream_id, found.first_us, Policy(rules, store.zone), now_us)
    return _Soon(segments, size, min(firsts, default=None))


def _due_us(store: Store, stream_id: str, ends_us: int, policy: Policy, now_us: int) -> list[int]:
    """When the segment that ends then goes by the rules."""
    now = Now(now_us, store.elapsed_us())
    return [due_us(one, policy, now) for one in store.page(stream_id, ends_us - 1, ends_us, 1).segments]


def _receipts(store: Store, hold: Hold) -> tuple[ReceiptSpan, ...]:
    streams = map(stream_of, hold.cameras)
    found = [one for name in streams for one in store.announced(name, hold.t0_us, hold.t1_us, RECEIPTS_LIMIT)]
    return tuple(sorted(found, key=lambda one: one.leaf_index)[:RECEIPTS_LIMIT])


def _fails(store: Store, holds: Sequence[Hold], others: Sequence[Hold], now_us: int) -> tuple[int | None, int | None]:
    """When the floor fails, with all holds and without one, at the rates of the last day."""
    live = [one for one in store.cameras.all() if one.retired_us is None and one.enabled]
    stocks = {one.id: _stock(store, one, now_us) for one in live}
    taking = [one for one in rooms(store.volumes()) if one.state in HERE]
    free = sum(max(0, one.free_bytes - one.reserve_bytes) for one in taking)
    days = [full_in_days(free, with_holds(stocks, held_spans(some)), now_us) for some in (holds, others)]
    fails, without = (None if one is None else now_us + one * DAY_US for one in days)
    return fails, without


def _stock(store: Store, camera: Camera, now_us: int) -> Stock:
    begin_us = max(now_us - DAY_US, camera.registered_us)
    recorded = store.bytes_between(camera.stream_id, begin_us, now_us)
    oldest_us = store.oldest_present_us(camera.stream_id)
    return Stock(
        bytes_a_day=recorded * DAY_US / (now_us - begin_us) if begin_us < now_us else 0.0,
        oldest_us=now_us if oldest_us is None else oldest_us,
        # The day of recording is not counted (`daycount`): footage of 31 days goes up to 32 days after it was recorded.
        target_days=store.cameras.keeping(camera.id).target_days + 1,
    )


def _checked(plan: HoldPlan, now_us: int) -> HoldPlan:
    if not plan.cameras or len(set(plan.cameras)) > CAMERA_LIMIT:
        raise HoldInvalid(f"A hold names 1 to {CAMERA_LIMIT} cameras.")
    if sum(len(camera) + 3 for camera in set(plan.cameras)) > CAMERAS_LIMIT_BYTES:
        raise HoldInvalid("A hold with so many cameras of such long names does not fit the log: place two.")
    if plan.t0_us >= plan.t1_us:
        raise HoldInvalid("A hold's start lies before its end.")
    for padding_s in (plan.padding_before_s, plan.padding_after_s):
        if not 0 <= padding_s <= PADDING_LIMIT_S:
            raise HoldInvalid(f"The padding of a hold has 0 to {PADDING_LIMIT_S} s on each side.")
    reference = _name("reference", plan.reference)
    if plan.basis.needs_reference and not reference:
        raise HoldInvalid("What an authority asks for comes with a letter: give its number as the reference.")
    _refuse_past(plan.review_us, now_us)
    return replace(
        plan,
        case=_text("case", plan.case),
        reason=_text("reason", plan.reason),
        reference=reference,
        placed_by=_name("`placed_by`", plan.placed_by),
    )


def _refuse_past(review_us: int | None, now_us: int) -> None:
    if review_us is not None and review_us <= now_us:
        raise HoldInvalid("The review date of a hold lies ahead.")


def _text(name: str, text: str) -> str:
    if not text.strip() or len(text) > TEXT_LIMIT:
        raise HoldInvalid(f"A hold's {name} has 1 to {TEXT_LIMIT} characters.")
    return text.strip()


def _name(name: str, text: str) -> str:
    if len(text) > NAME_LIMIT:
        raise HoldInvalid(f"A hold's {name} has at most {NAME_LIMIT} characters.")
    return text.strip()
