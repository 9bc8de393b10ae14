"""Reading stored footage again: how far it is, what it found, and having something checked at once."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import PAGE_LIMIT, Box, instant
from api.errors import RequestRefused
from api.schemas import CheckedOut, DamagedOut, ScrubChecked, ScrubNew, ScrubStatus, VolumeScrubStatus
from config.times import format_us
from retention.scrub import check_now

router = APIRouter(prefix="/api/v1/scrub", tags=["footage"])


@router.get("", summary="How far the scrub is")
def scrub(box: Box) -> ScrubStatus:
    """Of each volume how much was read in the present pass, and how much is stored; and every damaged segment, up to a
    thousand. Walks the index once.
    """
    store = box.store
    elapsed_us, volumes = store.elapsed_us(), []
    for one in store.scrubs.progress():
        oldest_us = store.scrubs.oldest_elapsed_us(one.volume)
        volumes.append(
            VolumeScrubStatus(
                volume=one.volume,
                begun=format_us(one.begun_us),
                bytes=one.bytes,
                passes=one.passes,
                total_bytes=one.total_bytes,
                oldest_age_s=None if oldest_us is None else max(0, elapsed_us - oldest_us) / 1e6,
                stored_bytes=store.scrubs.stored_bytes(one.volume),
            )
        )
    damaged = [DamagedOut.of(one) for one in store.scrubs.damaged(PAGE_LIMIT)]
    return ScrubStatus(volumes=volumes, damaged_count=store.scrubs.damaged_count(), damaged=damaged)


@router.post("", summary="Check stored footage now")
def check(body: ScrubNew, box: Box) -> ScrubChecked:
    """Reads what is stored of an interval of a camera, for a few seconds; `next` says where to go on. What is damaged
    is written down as by the scrub itself.
    """
    start_us, end_us = instant("start", body.start), instant("end", body.end)
    if start_us >= end_us:  # else nothing is checked, which reads as if all were well
        raise RequestRefused("`start` lies before `end`; this one does not.")
    found = check_now(box.store, box.clock, body.camera, start_us, end_us, body.after)
    return ScrubChecked(
        checked=found.checked,
        bytes=found.bytes,
        left_bytes=found.left_bytes,
        damaged=[
            CheckedOut(segment=one.what.id, damage=one.damage.value) for one in found.damaged if one.damage is not None
        ],
        next=found.next_n,
    )
