"""The stored bytes of a segment, as they are (RFC 9110: ranges, conditions, HEAD)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal

import aiofiles
from aiofiles.threadpool.binary import AsyncBufferedReader
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.deps import Asked, Asking, Box, Ports
from api.routes.ranges import Span, chosen, matches_none
from recorder.errors import MediaGone, MediaLost, StorageFailed
from recorder.playback.pictures import Piece, fragment_pieces, init_pieces, length_of
from recorder.store.files import mapped_open, translated
from recorder.store.records import MediaState, Segment, ViewKind

PIECE_BYTES = 256 * 1024
"""Read at a time: large enough to keep the disk busy, small enough for many listeners."""

MP4 = "video/mp4"
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {MP4: {}}, "description": "The file as it was recorded."},
    206: {"content": {MP4: {}}, "description": "The asked range of it."},
    304: {"description": "What the asker has is what was recorded."},
}

PicturesQuery = Annotated[
    Literal["init", "fragments"] | None, Query(description="The pictures alone: their beginning, or all that follows.")
]

router = APIRouter(prefix="/api/v1", tags=["footage"])


class Stored(StreamingResponse):
    """Bytes of an open file; the file is closed whatever becomes of the listener."""

    def __init__(
        self, stream: AsyncBufferedReader, pieces: Sequence[Piece], status: HTTPStatus, headers: dict[str, str]
    ) -> None:
        super().__init__(_all_of(stream, pieces), status, headers=headers, media_type=MP4)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._stream.close()


@router.head("/segments/{segment_id}/media.mp4", summary="Their size and hash, by that name", responses=ANSWERS)
@router.get(
    "/segments/{segment_id}/media.mp4",
    summary="The stored bytes, named as players want it",
    response_class=StreamingResponse,
    responses=ANSWERS,
)
@router.head("/segments/{segment_id}/media", summary="Size and hash of the stored bytes", responses=ANSWERS)
@router.get(
    "/segments/{segment_id}/media", summary="The stored bytes", response_class=StreamingResponse, responses=ANSWERS
)
async def media(
    segment_id: str, request: Request, box: Box, asking: Asking, pictures: PicturesQuery = None
) -> Response:
    """The file as it was recorded; its ETag is its SHA-256, as the log has it. 410 when it was discarded.

    With `pictures` a part of it without its sound, for players: that is not what was recorded, and has no ETag.
    Nothing is handed out that is not written down first as a view; `HEAD` and 304 hand out nothing.
    """
    segment = await run_in_threadpool(_present, box, segment_id)
    if pictures is not None:
        return await _pictures(box, segment, pictures, None if request.method == "HEAD" else asking)
    headers = _headers(segment)
    if matches_none(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    span, status = chosen(request, segment.bytes, headers)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=MP4)
    stream = await _opened(box, segment)
    await _written_down(segment, asking, stream)
    return Stored(stream, [(span.start, span.end)], status, headers)


def _headers(segment: Segment) -> dict[str, str]:
    return {
        "ETag": f'"{segment.sha256}"',
        "Accept-Ranges": "bytes",
        # Immutable, but not for shared caches: footage is for the entitled.
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": f'inline; filename="{segment.id}.mp4"',
        "X-Content-Type-Options": "nosniff",
    }


def _present(box: Ports, segment_id: str) -> Segment:
    segment = box.store.segment(segment_id)
    if segment.state is not MediaState.PRESENT:
        raise MediaGone(f"{MediaGone.sentence()} ({segment_id})")
    return segment


async def _opened(box: Ports, segment: Segment) -> AsyncBufferedReader:
    """Its file, before anything is answered: once open, a discard no longer takes it away from the listener.

    Raises:
        MediaGone: it was discarded meanwhile. VolumeMissing: its disk is not there, or another one is.
        MediaLost: it is not there, or not whole. StorageFailed: the disk.
    """
    path = box.store.media_path(segment)
    try:
        stream = await aiofiles.open(path, "rb")
    except FileNotFoundError as err:
        await run_in_threadpool(_present, box, segment.id)
        await run_in_threadpool(box.store.refuse_away, [segment])
        raise MediaLost(f"{MediaLost.sentence()} ({segment.id})") from err
    except OSError as err:
        raise StorageFailed(f"The media of {segment.id} cannot be read: {err.strerror}.") from err
    if await stream.seek(0, os.SEEK_END) != segment.bytes:
        await stream.close()
        raise MediaLost(f"{MediaLost.sentence()} ({segment.id})")
    return stream


async def _written_down(segment: Segment, asking: Asked, stream: AsyncBufferedReader) -> None:
    """That this asker is handed footage of this segment; where that cannot be written down, he is not.

    Raises:
        TooManyViews, StorageError, CatalogueError: as they say.
    """
    try:
        await asking.written_down(segment.stream_id, ViewKind.MEDIA, segment.t0_us, segment.t1_us)
    except BaseException:  # also when the asker hangs up meanwhile: nobody else closes the file then
        await stream.close()
        raise


async def _pictures(box: Ports, segment: Segment, part: str, asking: Asked | None) -> Response:
    """A part of the file without its sound, made while it is sent; `asking`: None where nothing is."""
    stream = await _opened(box, segment)
    try:
        pieces = await run_in_threadpool(_pieces_of, stream.fileno(), box.store.media_path(segment), part)
    except BaseException:  # also when the asker hangs up meanwhile: nobody else closes the file then
        await stream.close()
        raise
    headers = {
        "Content-Length": str(length_of(pieces)),
        "Accept-Ranges": "none",
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    if asking is None:
        await stream.close()
        return Response(headers=headers, media_type=MP4)
    await _written_down(segment, asking, stream)
    return Stored(stream, pieces, HTTPStatus.OK, headers)


def _pieces_of(handle: int, path: Path, part: str) -> list[Piece]:
    """Of the open file: a discard meanwhile takes its name away, and nothing else."""
    with translated(path), mapped_open(handle) as data:
        return list(init_pieces(data) if part == "init" else fragment_pieces(data))


async def _all_of(stream: AsyncBufferedReader, pieces: Sequence[Piece]) -> AsyncIterator[bytes]:
    for one in pieces:
        if isinstance(one, bytes):
            yield one
        else:
            async for piece in _pieces(stream, Span(*one)):
                yield piece


async def _pieces(stream: AsyncBufferedReader, span: Span) -> AsyncIterator[bytes]:
    await stream.seek(span.start)
    left = span.end - span.start
    while left > 0 and (piece := await stream.read(min(PIECE_BYTES, left))):
        left -= len(piece)
        yield piece
