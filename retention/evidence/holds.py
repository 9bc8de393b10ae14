"""Placing and releasing holds, and what one covers. One person is enough for now; two come with accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorder.errors import Refused
from recorder.store.records import Hold, MediaState, Segment, stream_of
from recorder.store.store import Store

TEXT_LIMIT = 2000
"""Characters of a reason or a case number: papers belong into the archive, not into a field."""

CAMERA_LIMIT = 1000
"""Cameras of one hold; its leaf must fit the log's limit of 64 KB."""


PAGE_LIMIT = 1000
"""Segments in memory at once while counting what a hold covers."""


class HoldInvalid(Refused):
    """A hold needs at least one camera, a start before its end, a case and a reason."""

    code = "hold_invalid"


@dataclass(frozen=True)
class Covered:
    """What a hold covers at this moment."""

    segments: int
    bytes: int
    already_gone: int
    """Segments of the interval whose media had been discarded before: a hold cannot bring them back."""


def place(store: Store, cameras: Sequence[str], t0_us: int, t1_us: int, case: str, reason: str) -> tuple[Hold, Covered]:
    """Place a hold; in force and signed when this returns.

    Raises:
        HoldInvalid: with what is missing. CameraUnknown: one of the cameras was never registered.
    """
    if not cameras or len(set(cameras)) > CAMERA_LIMIT:
        raise HoldInvalid(f"A hold names 1 to {CAMERA_LIMIT} cameras.")
    if t0_us >= t1_us:
        raise HoldInvalid("A hold's start lies before its end.")
    hold = store.holds.place(cameras, t0_us, t1_us, _text("case", case), _text("reason", reason))
    return hold, covered(store, hold)


def release(store: Store, hold_id: int, reason: str) -> Hold:
    """Release a hold; the footage falls back under the ordinary rules.

    Raises:
        HoldInvalid: there is no reason. HoldUnknown, HoldReleased: as they say.
    """
    return store.holds.release(hold_id, _text("reason", reason))


def covered(store: Store, hold: Hold) -> Covered:
    """What the hold covers now, counted a page at a time: a hold may name years of hundreds of cameras."""
    segments = size = already_gone = 0
    for page in _pages(store, hold):
        present = [one for one in page if one.state is MediaState.PRESENT]
        segments, size = segments + len(present), size + sum(one.bytes for one in present)
        already_gone += len(page) - len(present)
    return Covered(segments, size, already_gone)


def _pages(store: Store, hold: Hold) -> Iterator[tuple[Segment, ...]]:
    for camera in hold.cameras:
        page = store.page(stream_of(camera), hold.t0_us, hold.t1_us, PAGE_LIMIT)
        yield page.segments
        while page.next_n is not None:
            page = store.page(stream_of(camera), hold.t0_us, hold.t1_us, PAGE_LIMIT, page.next_n)
            yield page.segments


def _text(name: str, text: str) -> str:
    if not text.strip() or len(text) > TEXT_LIMIT:
        raise HoldInvalid(f"A hold's {name} has 1 to {TEXT_LIMIT} characters.")
    return text.strip()
