"""Evidence holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import Box, instant
from api.schemas import CoveredOut, HoldList, HoldNew, HoldOut, HoldRelease
from config.times import format_us
from recorder.store.records import Hold
from retention.evidence import holds as desk
from retention.evidence.holds import Covered

router = APIRouter(prefix="/api/v1/holds", tags=["holds"])

HoldId = Annotated[int, Path(ge=1, le=2**53, description="Its number, as it was answered when it was placed.")]


@router.get("", summary="All holds")
def all_holds(box: Box) -> HoldList:
    """Every hold ever placed, oldest first."""
    return HoldList(holds=[shown(hold) for hold in box.store.holds.all()])


@router.get("/{hold_id}", summary="One hold")
def hold(hold_id: HoldId, box: Box) -> HoldOut:
    """A hold, and what it covers now."""
    found = box.store.holds.get(hold_id)
    return shown(found, desk.covered(box.store, found))


@router.post("", summary="Place a hold", status_code=201)
def place(body: HoldNew, box: Box) -> HoldOut:
    """That footage stays, whatever its age, until the hold is released. In force and signed when answered."""
    start_us, end_us = instant("start", body.start), instant("end", body.end)
    placed, covered = desk.place(box.store, body.cameras, start_us, end_us, body.case, body.reason)
    box.holds_changed()
    return shown(placed, covered)


@router.post("/{hold_id}/release", summary="Release a hold")
def release(hold_id: HoldId, body: HoldRelease, box: Box) -> HoldOut:
    """The footage falls back under the ordinary rules."""
    released = desk.release(box.store, hold_id, body.reason)
    box.holds_changed()
    return shown(released)


def shown(one: Hold, covered: Covered | None = None) -> HoldOut:
    """A hold as it is answered."""
    return HoldOut(
        id=one.id,
        cameras=list(one.cameras),
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
        case=one.case,
        reason=one.reason,
        placed=format_us(one.placed_us),
        released=None if one.released_us is None else format_us(one.released_us),
        release_reason=one.release_reason,
        covered=None if covered is None else CoveredOut(**asdict(covered)),
    )
