"""Who was handed footage, and the erasing of who and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.deps import PAGE_LIMIT, Between, Box, instant
from api.schemas import ErasedOut, RecordErase, ViewOut, ViewPage
from config.times import format_us
from recorder.store.records import View, camera_of, stream_of

router = APIRouter(prefix="/api/v1", tags=["views"])

Which = Annotated[
    str,
    Path(
        description="An entry of the log by its index, or `view:7`, `hold:7`, `release:7`, `export:7` by its number.",
        max_length=40,
        examples=["view:7"],
    ),
]


@router.get("/views", summary="Who was handed footage, paged")
def views(
    box: Box,
    between: Between,
    response: Response,
    camera: Annotated[str | None, Query(description="Of this camera alone.", max_length=100)] = None,
    showing: Annotated[
        str | None, Query(description="RFC 3339: those alone that name footage of this instant.", max_length=40)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Views a page.")] = 100,
    after: Annotated[int | None, Query(ge=1, le=2**53, description="The `next` of the page before.")] = None,
) -> ViewPage:
    """Views that were written down in the interval, oldest first. Paged by key. What was erased is shown as erased."""
    stream_id = None if camera is None else stream_of(box.store.cameras.get(camera).id)
    showing_us = None if showing is None else instant("showing", showing)
    found = box.store.views.page(
        between.start_us, between.end_us, limit + 1, stream_id=stream_id, showing_us=showing_us, after=after
    )
    response.headers["Cache-Control"] = "no-store"  # what is erased here must not stay in a cache
    page = found[:limit]
    return ViewPage(views=[shown(one) for one in page], next=page[-1].id if len(found) > limit else None)


@router.post("/records/{which}/erase", summary="Erase a side record")
def erase(which: Which, body: RecordErase, box: Box) -> ErasedOut:
    """Who and why of an entry go for good; the entry stays, and the log verifies as before. Refused while the law or a
    hold wants the record kept. An entry of its own says that it was erased, and under which rule.
    """
    done = box.store.erasures.erase(which, body.rule, body.reason)
    return ErasedOut(
        entry=done.leaf_index,
        kind=done.kind,
        erased=format_us(done.erased_us),
        audit_entry=done.audit_leaf,
        gone=done.is_gone,
    )


def shown(one: View) -> ViewOut:
    """A view as it is answered."""
    return ViewOut(
        id=one.id,
        camera=camera_of(one.stream_id),
        kind=one.kind.value,
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
        at=format_us(one.opened_us),
        entry=one.leaf_index,
        who=None if one.asker is None else one.asker.who,
        address=None if one.asker is None else one.asker.address,
        forwarded=None if one.asker is None else one.asker.forwarded,
        agent=None if one.asker is None else one.asker.agent,
        purpose=None if one.asker is None else one.asker.purpose,
        erased=None if one.erased_us is None else format_us(one.erased_us),
    )
