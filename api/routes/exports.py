"""Evidence packages: asked for, made one after the other, handed out as one file, and removed."""

from __future__ import annotations

from collections.abc import Generator
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.deps import Box, Ports, instant
from api.errors import RequestRefused
from api.routes.ranges import chosen, matches_none
from api.schemas import ExportList, ExportNew, ExportOut
from config.errors import CustosError
from config.times import format_us
from recorder.store.records import Export, ExportState, camera_of
from retention.evidence import jobs
from retention.evidence.archive import Form
from retention.evidence.handing import Packed, pack, sent
from retention.evidence.jobs import folder_of

router = APIRouter(prefix="/api/v1/exports", tags=["exports"])

log = structlog.get_logger("api")

ExportId = Annotated[int, Path(ge=1, le=2**53, description="Its number, as it was answered when it was asked for.")]

KINDS: dict[str, Any] = {form.media_type: {} for form in Form}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": KINDS, "description": "The package, whole."},
    206: {"content": KINDS, "description": "The asked range of it."},
    304: {"description": "What the asker has is this package."},
}


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
    """Footage of an interval as evidence: it is made in the background, and stands in the log as asked for at once.

    507 when the disk could not hold it beside what recording needs.
    """
    start_us, end_us = instant("start", body.start), instant("end", body.end)
    if start_us >= end_us:
        raise RequestRefused("`start` lies before `end`; this one does not.")
    made = jobs.ask(box.store, box.clock, body.camera, start_us, end_us, body.case.strip(), body.reason.strip())
    box.exports_changed()
    return shown(box, made)


@router.delete("/{export_id}", summary="Cancel an export")
def cancel(export_id: ExportId, box: Box) -> ExportOut:
    """It is not made any further, and what was written of it goes. One that has ended stays as it is."""
    return shown(box, box.store.exports.end(export_id, ExportState.CANCELLED))


@router.delete("/{export_id}/package", summary="Remove a package")
def remove(export_id: ExportId, box: Box) -> ExportOut:
    """The files of an export that is done go; it may be the last copy of its footage. Its entries in the log stay."""
    return shown(box, jobs.remove(box.store, export_id))


class Sent(StreamingResponse):
    """Bytes of a package. What fails in the middle breaks the connection: the answer is then short of its length."""

    def __init__(self, pieces: Generator[bytes], status: HTTPStatus, headers: dict[str, str], media_type: str) -> None:
        super().__init__(pieces, status, headers=headers, media_type=media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and give back the open file whatever becomes of the listener."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()

    async def stream_response(self, send: Send) -> None:
        """Send the pieces. After an error nothing says that the body is complete: so the server closes the connection,
        and whoever listens has fewer bytes than were announced (ASGI; RFC 9112, 6.3).
        """
        try:
            await super().stream_response(send)
        except CustosError as err:
            log.warning("a package broke off while it was handed out", code=err.code, reason=str(err))


@router.head("/{export_id}/package.{form}", summary="Size and name of a package", responses=ANSWERS)
@router.get(
    "/{export_id}/package.{form}",
    summary="A package as one file",
    response_class=StreamingResponse,
    responses=ANSWERS,
)
async def download(export_id: ExportId, form: Form, request: Request, box: Box) -> Response:
    """The whole folder as `zip` (stored, ZIP64) or `tar` (pax), always the same bytes.

    What broke off goes on by `Range` and `If-Range`. Each download is an entry of the log.

    409 while it is not done; 410 when it was removed; 500 `package_damaged` when the disk does not have it as it was
    written.
    """
    one = await run_in_threadpool(_packed, box, export_id, form)
    headers = _headers(one)
    if matches_none(request.headers.get("if-none-match"), one.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    span, status = chosen(request, one.archive.size, headers)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=form.media_type)
    goes_on = span.start > 0
    await run_in_threadpool(box.store.exports.handed_out, export_id, form.value, one.sums_sha256, goes_on=goes_on)
    return Sent(sent(one, span.start, span.end), status, headers, form.media_type)


def _packed(box: Ports, export_id: int, form: Form) -> Packed:
    one = box.store.exports.get(export_id)
    return pack(one, folder_of(box.store, one), form)


def _headers(one: Packed) -> dict[str, str]:
    return {
        "ETag": one.etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",  # a copy that nobody asked the box for would be in no log
        "Content-Disposition": disposition(one.file_name),
        "X-Content-Type-Options": "nosniff",
    }


def disposition(file_name: str) -> str:
    """`Content-Disposition` of a name in any script (RFC 6266, 4.3; RFC 8187, 3.2), with one for old programs."""
    plain = file_name.encode("ascii", "replace").decode().replace("?", "_")
    if plain == file_name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


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
