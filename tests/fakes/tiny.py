"""Footage that costs next to nothing to record: two seconds of two pictures, by the store's own calls."""

from __future__ import annotations

from functools import lru_cache

from config.times import SECOND_US
from recorder.capture.fragments import VIDEO_TRACK, Sample, TrackPart, fragment, picture_pieces
from recorder.capture.writer import RunWriter
from recorder.errors import StoreError
from recorder.store.boxes import TIMESCALE_HZ, header_box
from recorder.store.records import CodecName, Head, SegmentFacts, SegmentHeader, camera_of
from recorder.store.store import Store
from tests.fakes.clock import FakeClock
from tests.fakes.power import PowerCut
from tests.fakes.video import HEIGHT, WIDTH, access_units

LENGTH_S = 2
"""Of a segment; a fragment has one of them."""


def record(store: Store, clock: FakeClock, stream_id: str, count: int = 1) -> Head:
    """A run of so many segments, from where the stream's record ends. The clock goes on with it."""
    head = store.head(stream_id)
    run = head.next_n
    for number in range(count):
        head = _segment(store, clock, head, run, number * LENGTH_S)
    return head


def _segment(store: Store, clock: FakeClock, head: Head, run: int, media_s: int) -> Head:
    header = SegmentHeader(
        store.box_id, camera_of(head.stream_id), head.stream_id, run, head.next_n, head.t1_us, head.prev
    )
    part = store.begin(header)
    try:
        part.append(beginning(), header_box(header))
        for at in range(LENGTH_S):
            clock.advance(1)
            part.append(second(at + 1, media_s + at))
    except (StoreError, PowerCut):
        part.close()  # as recording does, and the end of a process
        raise
    facts = SegmentFacts(head.t1_us + LENGTH_S * SECOND_US, LENGTH_S, CodecName.H264, WIDTH, HEIGHT, camsig=())
    return store.commit_segment(part, facts)


@lru_cache(maxsize=1)
def beginning() -> bytes:
    """What every file begins with."""
    return RunWriter(CodecName.H264, access_units()[0][0])._beginning


@lru_cache(maxsize=64)
def second(number: int, media_s: int) -> bytes:
    """A fragment of one picture, that is shown for a second."""
    pieces = picture_pieces(access_units()[0][0], CodecName.H264, None)
    sample = Sample(TIMESCALE_HZ, sum(map(len, pieces)), 0, True, pieces)
    return b"".join(fragment(number, [TrackPart(VIDEO_TRACK, media_s * TIMESCALE_HZ, [sample])]))
