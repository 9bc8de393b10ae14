"""Evidence packages: asked for, made one after the other, and told how far they are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import Box, Ports, instant
from api.errors import RequestRefused
from api.schemas import ExportList, ExportNew, ExportOut
from config.times import format_us
from recorder.store.records import Export, ExportState, camera_of
from retention.evidence.export import checked
from retention.evidence.jobs import folder_of

router = APIRouter(prefix="/api/v1/exports", tags=["exports"])

ExportId = Annotated[int, Path(ge=1, le=2**53, description="Its number, as it was answered when it was asked for.")]


@router.get("", summary="All exports")
def all_exports(box: Box) -> ExportList:
    """Every export ever asked for, oldest first."""
    return ExportList(exports=[shown(box, one) for one in box.store.exports.all()])


@router.get("/{export_id}", summary="One export")
def one_export(export_id: ExportId, box: Box) -> ExportOut:
    """How far it is."""
    return shown(box, box.store.exports.get(export_id))


@router.post("", summary="Ask for a package", status_code=202)
def ask(body: ExportNew, box: Box) -> ExportOut:
    """Footage of an interval as evidence: it is made in the background, and stands in the log as asked for at once."""
    start_us, end_us = instant("start", body.start), instant("end", body.end)
    if start_us >= end_us:
        raise RequestRefused("`start` lies before `end`; this one does not.")
    stream_id = checked(box.store, body.camera, start_us, end_us)
    made = box.store.exports.ask(stream_id, start_us, end_us, body.case.strip(), body.reason.strip())
    box.exports_changed()
    return shown(box, made)


@router.delete("/{export_id}", summary="Cancel an export")
def cancel(export_id: ExportId, box: Box) -> ExportOut:
    """It is not made any further, and what was written of it goes. One that has ended stays as it is."""
    return shown(box, box.store.exports.end(export_id, ExportState.CANCELLED))


def shown(box: Ports, one: Export) -> ExportOut:
    """An export as it is answered."""
    return ExportOut(
        id=one.id,
        camera=camera_of(one.stream_id),
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
        case=one.case,
        reason=one.reason,
        asked=format_us(one.asked_us),
        state=one.state.value,
        done_bytes=one.done_bytes,
        total_bytes=one.total_bytes,
        folder=str(folder_of(box.store, one)) if one.state is ExportState.DONE else None,
        problem_code=one.problem_code,
        problem_text=one.problem_text,
        ended=None if one.ended_us is None else format_us(one.ended_us),
    )
