"""Days of recording in simulated time: the clock and the camera are handed in, store, files and log are real.

Eight days by `make soak`, a night in CI.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from config.times import DAY_US, HOUR_US, SECOND_US, format_us
from recorder.capture.session import Session
from recorder.causes import Cause
from recorder.store.fsck import check
from recorder.store.records import Gap, Segment
from recorder.store.store import Store
from tests.fakes.box import new_store
from tests.fakes.camera import wanted
from tests.fakes.clock import FakeClock
from tests.fakes.clockwork_camera import ClockworkCamera
from tests.fakes.stepping import at_once, stopped

pytestmark = pytest.mark.whole

LENGTH_US = 8 * DAY_US if os.environ.get("CUSTOS_LONG") else 9 * HOUR_US
PERIOD_US = SECOND_US
"""A picture a second: 691,200 in eight days."""

SEGMENT_US = 60 * SECOND_US
CHECKPOINT_US = HOUR_US
DRIFT_LIMIT_US = SECOND_US
GROWTH_LIMIT_BYTES = 16 * 1024 * 1024
"""What a process may grow by in a week: SQLite's and Python's caches fill up once; a leak of a byte a frame shows."""

BLOCKS_LIMIT = 5000
"""What Python may hold more than before: one for each picture would be five times as many in a night."""


def resident_bytes() -> int:
    """Of this process."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Seen:
    """Along the way: how far the record was from UTC, and what the process held when its caches were full."""

    worst_us: int = 0
    settled_bytes: int = 0
    settled_blocks: int = 0


def recorded(session: Session, store: Store, clock: FakeClock) -> Seen:
    """All the days, a picture a second, with a look at every checkpoint."""
    begun_us, signed_us, seen = clock.read().mono_us, 0, Seen()
    while (passed_us := clock.read().mono_us - begun_us) < LENGTH_US:
        session.step(clock.read())
        clock.advance(0.1 if passed_us % PERIOD_US == 0 else 0.9)
        if passed_us - signed_us >= CHECKPOINT_US:
            signed_us = passed_us
            store.checkpoint()
            # What is recorded was taken at most a segment and the picture that is held back ago.
            late_us = clock.read().utc_us - store.head("gate.main").t1_us
            seen.worst_us = max(seen.worst_us, -late_us, late_us - SEGMENT_US - 10 * PERIOD_US)
            if not seen.settled_bytes and passed_us > LENGTH_US // 4:
                gc.collect()
                seen.settled_bytes, seen.settled_blocks = resident_bytes(), sys.getallocatedblocks()
    return seen


@pytest.mark.timeout(900)
@pytest.mark.parametrize("drift_ppm", [100.0, -250.0])
def test_media_time_stays_with_utc_for_days(tmp_path: Path, drift_ppm: float) -> None:
    """Stamps and numbers wrap, the camera's clock runs wrong, the network delays: the record stays within a second of
    UTC, is whole, and nothing grows; what the camera's clock does is told (Moonfire 350)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    camera = ClockworkCamera(clock, period_us=PERIOD_US, drift_ppm=drift_ppm, delay_us=80_000, seed=1)
    session = Session(wanted(), store, lambda one: camera, clock, segment_us=SEGMENT_US, connect=at_once, store=at_once)
    seen = recorded(session, store, clock)
    status = session.status()
    session.stop(Cause.BOX_DOWN)
    assert stopped(session, clock)
    store.checkpoint()
    gc.collect()
    blocks = sys.getallocatedblocks() - seen.settled_blocks
    grown = resident_bytes() - seen.settled_bytes  # before the rows of eight days are read at once

    items = store.items("gate.main", 0, clock.read().utc_us + DAY_US)
    segments = [one for one in items if isinstance(one, Segment)]
    end_us = clock.read().utc_us - segments[-1].t1_us
    print(
        f"\n{LENGTH_US // HOUR_US} h at {drift_ppm:+g} ppm: {camera.sent} pictures, {len(segments)} segments, record "
        f"ends {end_us / 1e6:+.3f} s before now at {format_us(segments[-1].t1_us)}, worst {seen.worst_us / 1e6:.3f} s, "
        f"told drift {(status.clock_drift_ppb or 0) / 1000} ppm, offset {(status.clock_offset_us or 0) / 1e6:.2f} s, "
        f"grown {grown / 1e6:+.1f} MB and {blocks} blocks"
    )
    assert sum(one.frames for one in segments) == camera.sent
    assert [one.cause for one in items if isinstance(one, Gap)] in ([], [Cause.NO_MEDIA])
    assert all(before.t1_us == after.t0_us for before, after in pairwise(segments))
    assert len({one.run for one in segments}) == 1
    assert abs(end_us) < DRIFT_LIMIT_US + PERIOD_US
    assert seen.worst_us < DRIFT_LIMIT_US
    assert status.clock_drift_ppb is not None
    assert abs(status.clock_drift_ppb / 1000 - drift_ppm) < 5
    drifts = [one.clock_drift_ppb for one in segments]
    assert None not in drifts[14:]
    assert all(abs((one or 0) / 1000 - drift_ppm) < 5 for one in drifts[20:])
    if os.environ.get("CUSTOS_LONG"):  # in hours, beside what other tests left in this process, it would say nothing
        assert grown < GROWTH_LIMIT_BYTES
    assert blocks < BLOCKS_LIMIT
    assert check(store) == []
