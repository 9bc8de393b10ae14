"""Evidence holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.deps import PAGE_LIMIT, Box, Language, instant
from api.schemas import (
    CheckOut,
    CoveredOut,
    GoneOut,
    HeldOut,
    HoldList,
    HoldNew,
    HoldOut,
    HoldRelease,
    HoldReviewNew,
    OutlookOut,
    ReviewOut,
)
from config.times import format_us
from recorder.store.codes import Credential
from recorder.store.held import HeldState
from recorder.store.records import Hold, HoldPlan, HoldReview, ReceiptSpan, camera_of
from retention.evidence import holds as desk
from retention.evidence.holds import Outlook
from retention.holding import SOON_DAYS

router = APIRouter(prefix="/api/v1/holds", tags=["holds"])

HoldId = Annotated[int, Path(ge=1, le=2**53, description="Its number, as it was answered when it was placed.")]
InForce = Annotated[bool, Query(description="Only those that were not released.")]


@router.get("", summary="All holds, paged")
def all_holds(
    box: Box,
    language: Language,
    in_force: InForce = False,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Holds a page.")] = PAGE_LIMIT,
    after: Annotated[int, Query(ge=0, le=2**53, description="The `next` of the page before.")] = 0,
) -> HoldList:
    """Every hold ever placed, released ones too, oldest first; or those in force."""
    found = box.store.holds.page(limit + 1, after, in_force=in_force)
    page = found[:limit]
    return HoldList(holds=[shown(hold, language) for hold in page], next=page[-1].id if len(found) > limit else None)


@router.get("/{hold_id}", summary="One hold")
def hold(hold_id: HoldId, box: Box, language: Language) -> HoldOut:
    """A hold, what it covers now, how its media is, and how its review date was changed."""
    found = box.store.holds.get(hold_id)
    out = shown(found, language)
    out.covered = CoveredOut(**asdict(desk.covered(box.store, found)))
    out.held = _held(box.store.held.state(hold_id))
    out.reviews = [_review(one) for one in box.store.holds.reviews(hold_id)]
    return out


@router.post("", summary="Place a hold", status_code=201)
def place(body: HoldNew, box: Box, language: Language) -> HoldOut:
    """That footage stays, whatever its age, until the hold is released. In force and signed when answered; its media
    is linked and read by the box from then on.
    """
    plan = HoldPlan(
        cameras=tuple(body.cameras),
        t0_us=instant("start", body.start),
        t1_us=instant("end", body.end),
        case=body.case,
        reason=body.reason,
        padding_before_s=body.padding_before_s,
        padding_after_s=body.padding_after_s,
        basis=body.basis,
        reference=body.reference,
        placed_by=body.placed_by,
        review_us=None if body.review is None else instant("review", body.review),
    )
    placed, covered, outlook = desk.place(box.store, box.clock, plan)
    box.holds_changed()
    out = shown(placed, language)
    out.covered, out.outlook = CoveredOut(**asdict(covered)), _outlook(outlook)
    return out


@router.post("/{hold_id}/review", summary="Change the review date of a hold")
def review(hold_id: HoldId, body: HoldReviewNew, box: Box, language: Language) -> HoldOut:
    """When somebody is reminded of it. An entry of the log; it releases nothing, today or then."""
    review_us = None if body.review is None else instant("review", body.review)
    return shown(desk.review(box.store, box.clock, hold_id, review_us, body.reason, body.by), language)


@router.post("/{hold_id}/release", summary="Release a hold")
def release(hold_id: HoldId, body: HoldRelease, box: Box, language: Language) -> HoldOut:
    """The footage falls back under the ordinary rules. Two different persons, each with a release code; which of two
    codes is wrong is not told, and after five wrong pairs none is looked at for a quarter of an hour.
    """
    first, second = (Credential(one.holder, one.code.get_secret_value()) for one in body.by)
    released = desk.release(box.store, hold_id, body.reason, first, second)
    box.holds_changed()
    return shown(released, language)


def shown(one: Hold, language: str = "en") -> HoldOut:
    """A hold as it is answered."""
    return HoldOut(
        id=one.id,
        cameras=list(one.cameras),
        start=format_us(one.asked_t0_us),
        end=format_us(one.asked_t1_us),
        protected_start=format_us(one.t0_us),
        protected_end=format_us(one.t1_us),
        padding_before_s=one.padding_before_s,
        padding_after_s=one.padding_after_s,
        basis=one.basis,
        basis_text="" if one.basis is None else one.basis.sentence(language),
        reference=one.reference,
        case=one.case,
        reason=one.reason,
        placed=format_us(one.placed_us),
        placed_by=one.placed_by,
        review=_instant(one.review_us),
        released=_instant(one.released_us),
        release_reason=one.release_reason,
        released_by=list(one.released_by),
    )


def _held(one: HeldState) -> HeldOut:
    last = one.checked
    checked = None
    if last is not None:
        counts = {"segments": last.segments, "bytes": last.bytes, "damaged": last.damaged}
        checked = CheckOut(at=format_us(last.checked_us), entry=last.leaf_index, **counts)
    return HeldOut(is_linked=one.is_linked, is_checking=one.is_checking, damaged=one.damaged, checked=checked)


def _outlook(one: Outlook) -> OutlookOut:
    return OutlookOut(
        receipts=[_gone(receipt) for receipt in one.receipts],
        soon_days=SOON_DAYS,
        soon_segments=one.soon_segments,
        soon_bytes=one.soon_bytes,
        soon=_instant(one.soon_us),
        all_held_bytes=one.all_held_bytes,
        floor_fails=_instant(one.floor_fails_us),
        floor_fails_without=_instant(one.without_us),
        when_full="overwrite" if one.overwrites else "stop",
    )


def _gone(one: ReceiptSpan) -> GoneOut:
    return GoneOut(
        entry=one.leaf_index,
        camera=camera_of(one.stream_id),
        first_n=one.first_n,
        last_n=one.last_n,
        segments=one.segments,
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
    )


def _review(one: HoldReview) -> ReviewOut:
    return ReviewOut(
        at=format_us(one.changed_us),
        entry=one.leaf_index,
        review=_instant(one.review_us),
        reason=one.reason,
        by=one.changed_by,
    )


def _instant(instant_us: int | None) -> str | None:
    return None if instant_us is None else format_us(instant_us)
