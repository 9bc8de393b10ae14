"""What was recorded: segments, coverage, playlists. Lists touch no file."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from api.deps import PAGE_LIMIT, Asking, Between, Box, Interval, Language, Ports
from api.errors import RequestRefused
from api.schemas import (
    CoverageOut,
    ReceiptOut,
    ReceiptPage,
    SegmentAudioOut,
    SegmentOut,
    SegmentPage,
    StretchOut,
)
from config.times import DAY_US, SECOND_US, format_us
from recorder.playback.hls import media_playlist
from recorder.store.records import MediaState, Receipt, Segment, ViewKind, camera_of, stream_of
from recorder.store.tiling import Kind, Stretch

PLAYLIST_LIMIT_DAYS = 7
"""A playlist is read whole by the player; a week of 60 s segments is 10,000 entries."""

RECEIPTS_LIMIT = 500
"""Receipts of a page: of each, two entries of the log are read."""

router = APIRouter(prefix="/api/v1", tags=["footage"])


@router.get("/cameras/{camera_id}/segments", summary="Stored segments, paged")
def segments(
    camera_id: str,
    box: Box,
    between: Between,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Segments a page.")] = 100,
    after: Annotated[str | None, Query(description="The `next` of the page before.", max_length=20)] = None,
) -> SegmentPage:
    """Segments that overlap the interval, by start. Paged by key: a page never shifts while others are added."""
    page = box.store.page(stream_of(camera_id), between.start_us, between.end_us, limit, _cursor(after))
    following = None if page.next_n is None else str(page.next_n)
    return SegmentPage(segments=[shown(one) for one in page.segments], next=following)


@router.get("/cameras/{camera_id}/coverage", summary="What was recorded, and why the rest was not")
def coverage(camera_id: str, box: Box, between: Between, language: Language) -> CoverageOut:
    """Stretches that tile the asked interval exactly: recorded, gap with its cause, discarded, unknown."""
    found = box.store.coverage(stream_of(camera_id), between.start_us, between.end_us)
    return CoverageOut(
        items=[_stretch(one, language) for one in found],
        recorded_s=_seconds(found, Kind.RECORDED),
        gap_s=_seconds(found, Kind.GAP),
    )


@router.get("/cameras/{camera_id}/receipts", summary="Deletion receipts, paged")
def receipts(
    camera_id: str,
    box: Box,
    limit: Annotated[int, Query(ge=1, le=RECEIPTS_LIMIT, description="Receipts a page.")] = 100,
    after: Annotated[int | None, Query(ge=0, le=2**53, description="The `next` of the page before.")] = None,
) -> ReceiptPage:
    """What was discarded of a camera, the newest first: when, by which rule, and how old it was by each clock. Paged by
    key: a page never shifts while more is discarded. Read from the catalogue and the log alone.
    """
    stream_id = stream_of(box.store.cameras.get(camera_id).id)
    found = box.store.receipts.page(stream_id, limit + 1, after)
    page = found[:limit]
    return ReceiptPage(
        receipts=[_receipt(one) for one in page], next=page[-1].leaf_index if len(found) > limit else None
    )


@router.get("/segments/{segment_id}", summary="One segment")
def segment(segment_id: str, box: Box) -> SegmentOut:
    """A segment by its id, such as `gate.main.17`."""
    return shown(box.store.segment(segment_id))


@router.get("/cameras/{camera_id}/playlist.m3u8", summary="HLS playlist", response_class=Response)
async def playlist(camera_id: str, box: Box, between: Between, asking: Asking) -> Response:
    """Plays the stored bytes themselves (RFC 8216): byte ranges of `/segments/{id}/media.mp4`.

    Where sound begins or ends in the interval, the film is shown without: no browser can bear that.
    """
    if between.end_us - between.start_us > PLAYLIST_LIMIT_DAYS * DAY_US:
        raise RequestRefused(f"A playlist covers at most {PLAYLIST_LIMIT_DAYS} days.")
    film = await run_in_threadpool(_film, box, camera_id, between)
    if film:
        span = (min(one.t0_us for one in film), max(one.t1_us for one in film))
        await asking.written_down(stream_of(camera_id), ViewKind.PLAYLIST, *span)
    text = await run_in_threadpool(media_playlist, film, _uri, _pictures_uri)
    return Response(text, media_type="application/vnd.apple.mpegurl", headers={"Cache-Control": "no-cache"})


def _film(box: Ports, camera_id: str, between: Interval) -> list[Segment]:
    """What of an interval is still here."""
    box.store.cameras.get(camera_id)
    items = box.store.items(stream_of(camera_id), between.start_us, between.end_us)
    return [one for one in items if isinstance(one, Segment) and one.state is MediaState.PRESENT]


def shown(one: Segment) -> SegmentOut:
    """A segment; one on its way out is told as gone."""
    return SegmentOut(
        id=one.id,
        camera=camera_of(one.stream_id),
        run=one.run,
        n=one.n,
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
        bytes=one.bytes,
        frames=one.frames,
        codec=one.codec.value,
        width=one.width,
        height=one.height,
        audio=_audio(one),
        clock_offset_s=None if one.clock_offset_us is None else one.clock_offset_us / 1e6,
        clock_drift_ppm=None if one.clock_drift_ppb is None else one.clock_drift_ppb / 1000,
        camsig=None if one.camsig is None else [kind.value for kind in one.camsig],
        sha256=one.sha256,
        state="present" if one.state is MediaState.PRESENT else "gone",
        held=one.held,
    )


def _audio(one: Segment) -> SegmentAudioOut | None:
    if one.audio is None:
        return None
    return SegmentAudioOut(
        codec=one.audio.codec.value,
        rate_hz=one.audio.rate_hz,
        channels=one.audio.channels,
        frames=one.audio.frames,
        lost_packets=one.audio.lost_packets,
    )


def _uri(one: Segment) -> str:
    """With the ending that says what it is: ffmpeg, and what is built on it, refuses a playlist's entry without."""
    return f"/api/v1/segments/{quote(one.id, safe='')}/media.mp4"


def _pictures_uri(one: Segment, part: str) -> str:
    return f"{_uri(one)}?pictures={part}"


def _receipt(one: Receipt) -> ReceiptOut:
    return ReceiptOut(
        entry=one.leaf_index,
        done_entry=one.done_leaf,
        first=one.n0,
        last=one.n1,
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
        at=format_us(one.at_us),
        done_at=None if one.done_us is None else format_us(one.done_us),
        rule=one.rule,
        floor_days=one.floor_days,
        age_wall_s=one.age_wall_us / SECOND_US,
        age_elapsed_s=one.age_elapsed_us / SECOND_US,
        bytes=one.bytes,
        holds=one.holds,
        rules=one.rules,
        zone=one.zone,
        utc_offset_s=one.utc_offset_s,
    )


def _cursor(after: str | None) -> int | None:
    if after is None:
        return None
    if not after.isascii() or not after.isdigit() or len(after) > 15:
        raise RequestRefused("`after` is the `next` of the page before.")
    return int(after)


def _stretch(one: Stretch, language: str) -> StretchOut:
    return StretchOut(
        kind=one.kind.value,
        start=format_us(one.t0_us),
        end=format_us(one.t1_us),
        cause=None if one.cause is None else one.cause.value,
        sentence=None if one.cause is None else one.cause.sentence(language),
        detail=one.detail,
    )


def _seconds(found: list[Stretch], kind: Kind) -> float:
    return sum(one.t1_us - one.t0_us for one in found if one.kind is kind) / 1e6
