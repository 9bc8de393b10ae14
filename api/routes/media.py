"""The stored bytes of a segment, as they are (RFC 9110: ranges, conditions, HEAD)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiofiles
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.deps import Box
from api.errors import RangeRefused
from recorder.errors import MediaGone, VolumeMissing
from recorder.store.records import MediaState, Segment

PIECE_BYTES = 256 * 1024
"""Read at a time: large enough to keep the disk busy, small enough for many listeners."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

router = APIRouter(prefix="/api/v1", tags=["footage"])


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `end`, the last one not included."""

    start: int
    end: int


@router.api_route(
    "/segments/{segment_id}/media", methods=["GET", "HEAD"], summary="The stored bytes", response_class=Response
)
async def media(segment_id: str, request: Request, box: Box) -> Response:
    """The file as it was recorded; its ETag is its SHA-256, as the log has it. 410 when it was discarded."""
    segment = await run_in_threadpool(box.store.segment, segment_id)
    if segment.state is not MediaState.PRESENT:
        raise MediaGone(f"{MediaGone.sentence()} ({segment_id})")
    path = box.store.media_path(segment)
    if not await run_in_threadpool(path.is_file):
        raise VolumeMissing(f"The media of {segment_id} is not where it should be; `custos fsck` says more.")
    headers = _headers(segment)
    if request.headers.get("if-none-match") in (headers["ETag"], "*"):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    span = _asked(request, segment, headers["ETag"])
    whole = span is None
    chosen = span or Span(0, segment.bytes)
    headers["Content-Length"] = str(chosen.end - chosen.start)
    if not whole:
        headers["Content-Range"] = f"bytes {chosen.start}-{chosen.end - 1}/{segment.bytes}"
    status = HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    return StreamingResponse(_pieces(path, chosen), status, headers=headers, media_type="video/mp4")


def byte_range(text: str, size: int) -> Span | None:
    """One range of RFC 9110, 14.1.2; None for anything else, which may be ignored (14.2).

    Raises:
        RangeRefused: it lies behind the end.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        length = int(found[2])
        if length == 0:
            raise RangeRefused(size)
        return Span(max(0, size - length), size)
    start = int(found[1])
    end = size if found[2] == "" else min(int(found[2]) + 1, size)
    if start >= size:
        raise RangeRefused(size)
    return Span(start, end) if start < end else None


def _asked(request: Request, segment: Segment, etag: str) -> Span | None:
    text = request.headers.get("range")
    condition = request.headers.get("if-range")
    if text is None or (condition is not None and condition != etag):
        return None
    return byte_range(text, segment.bytes)


def _headers(segment: Segment) -> dict[str, str]:
    return {
        "ETag": f'"{segment.sha256}"',
        "Accept-Ranges": "bytes",
        # Immutable, but not for shared caches: footage is for the entitled.
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f'inline; filename="{segment.id}.mp4"',
        "X-Content-Type-Options": "nosniff",
    }


async def _pieces(path: Path, span: Span) -> AsyncIterator[bytes]:
    async with aiofiles.open(path, "rb") as stream:
        await stream.seek(span.start)
        left = span.end - span.start
        while left > 0:
            piece = await stream.read(min(PIECE_BYTES, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
