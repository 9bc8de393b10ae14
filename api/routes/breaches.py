"""What a full disk took of footage that had to be kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Box
from api.schemas import BreachList, BreachOut
from config.times import format_us
from recorder.store.overwriting import PAGE_LIMIT
from recorder.store.records import Breach

router = APIRouter(prefix="/api/v1/breaches", tags=["keeping"])


@router.get("", summary="Breaches of the floor")
def breaches(
    box: Box,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="At most so many, the newest first.")] = 100,
    after: Annotated[int | None, Query(ge=0, le=2**53, description="The `next` of the page before.")] = None,
) -> BreachList:
    """Footage that was discarded below its floor, because a disk was full and `when_full` is `overwrite`.

    Each is an entry of the log.
    """
    found, told = box.store.overwriting.count(), box.store.overwriting.breaches(limit + 1, after)
    page = told[:limit]
    return BreachList(
        breaches=[_shown(one) for one in page],
        segments=found.count,
        bytes=found.bytes,
        next=page[-1].leaf_index if len(told) > limit else None,
    )


def _shown(one: Breach) -> BreachOut:
    return BreachOut(
        entry=one.leaf_index,
        stream=one.stream_id,
        first=one.n0,
        last=one.n1,
        at=format_us(one.at_us),
        floor_days=one.floor_days,
        too_early_s=one.short_us / 1e6,
        bytes=one.bytes,
        volume=one.volume,
    )
