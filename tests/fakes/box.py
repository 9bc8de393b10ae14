"""A real store in a temporary folder, with a clock that is handed in and real segments at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.times import SECOND_US
from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.store.codes import Credential
from recorder.store.making import InitReport
from recorder.store.parts import FinishedPart
from recorder.store.records import CodecName, Head, Hold, HoldPlan, Segment, SegmentFacts
from recorder.store.store import Store
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock

SEGMENT_US = 2 * SECOND_US


def new_store(tmp_path: Path, clock: FakeClock, *cameras: str, sm: bool = False) -> Store:
    """A new box with these cameras registered; whoever holds its release codes is known to `credentials`."""
    made = Store.create(tmp_path / "data", "test", clock, "0.0.0")
    remember(made)
    store = Store.open(tmp_path / "data", clock, sm=sm)
    for camera_id in cameras:
        store.cameras.add(camera_id, camera_id.title(), "rtsp://127.0.0.1:554/main")
    return store


_ISSUED: dict[str, tuple[Credential, Credential]] = {}


def remember(made: InitReport) -> None:
    """Keep the codes of a box that was just made, as its two holders do."""
    first, second = (Credential(one.holder, one.code) for one in made.release_codes)
    _ISSUED[made.box_id] = (first, second)


def credentials(store: Store) -> tuple[Credential, Credential]:
    """What the two holders of a box's release codes give."""
    return _ISSUED[store.box_id]


def hold(
    store: Store,
    cameras: Sequence[str],
    t0_us: int,
    t1_us: int,
    case: str = "case",
    reason: str = "reason",
    **more: Any,
) -> Hold:
    """Place a hold without padding, unless it is named."""
    return store.holds.place(HoldPlan(tuple(cameras), t0_us, t1_us, case, reason, **more))


def release(store: Store, hold_id: int, reason: str = "done") -> Hold:
    """Both holders release a hold."""
    return store.holds.release(hold_id, reason, *credentials(store))


def filled(tmp_path: Path, clock: FakeClock, *cameras: str, seconds: int) -> Store:
    """A new box whose first camera has recorded for so long, two seconds after it was registered; signed."""
    store = new_store(tmp_path, clock, *cameras)
    clock.advance(2)
    record(store, clock, SECOND * seconds, cameras[0])
    store.checkpoint()
    return store


def record(store: Store, clock: FakeClock, drawing: str, camera_id: str = "gate") -> Recording:
    """Record what is drawn (`tests.fakes.camera`), in one session, to its end."""
    recording = Recording(store, f"{camera_id}.main", SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in packets(drawing, clock):
        recording.feed(packet)
    recording.stop(Cause.UNREACHABLE, "the drawing ended")
    return recording


def blind(store: Store) -> None:
    """From now on its segments are written down as by a program that did not look for signatures of cameras yet."""
    commit = store.commit_finished

    def without(part: FinishedPart, facts: SegmentFacts) -> Head:
        return commit(part, replace(facts, camsig=None))

    store.commit_finished = without  # type: ignore[method-assign]


def segments(store: Store, clock: FakeClock, camera_id: str = "gate") -> list[Segment]:
    """All segments of a camera."""
    items = store.items(f"{camera_id}.main", 0, 2**62)
    return [item for item in items if isinstance(item, Segment)]
