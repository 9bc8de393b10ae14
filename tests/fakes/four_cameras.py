"""Four cameras that are recorded at once, step by step, as the box does: pictures, commits, syncs, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from config.times import SECOND_US
from recorder.capture.recording import Recording
from recorder.capture.source import Packet, Track
from recorder.causes import Cause
from recorder.store.records import CodecName
from recorder.store.store import Store
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock

CAMERAS = ("east", "north", "south", "west")
SEGMENT_US = 3 * SECOND_US
SYNC_EVERY_S = 1
"""Half of what a crash may cost (`loss_bound_s`), as the box does."""
CHECKPOINT_EVERY_S = 4
TOGETHER = 5
"""Pictures of one camera before those of the next: half a second, during which the clock goes on for all."""


class FourCameras:
    """Records them until it is told to stop, or the power goes."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self._store = store
        self._clock = clock
        self.told_us: dict[str, int] = {}
        """Of each camera, where the pictures end that were handed to its recording."""
        self._films = {one: self._film(one) for one in CAMERAS}

    def _film(self, camera: str) -> tuple[Recording, Iterator[Packet]]:
        end_us = self._store.commit_gap_until_now(f"{camera}.main", Cause.NO_MEDIA).t1_us
        clock = FakeClock()
        clock.utc_us, clock.mono_us = max(self._clock.utc_us, end_us), self._clock.mono_us
        recording = Recording(self._store, f"{camera}.main", SEGMENT_US, Cause.NO_MEDIA, "")
        recording.begin(Track(CodecName.H264))
        return recording, packets(SECOND * 100, clock)

    def go_on(self, seconds: int) -> None:
        """Record for so long.

        Raises:
            PowerCut: before that.
        """
        for second in range(seconds):
            for _ in range(10 // TOGETHER):
                self._clock.advance(TOGETHER / 10)
                for camera in CAMERAS:
                    self._feed(camera)
            if second % SYNC_EVERY_S == 0:
                self._store.sync()
            if second % CHECKPOINT_EVERY_S == CHECKPOINT_EVERY_S - 1:
                self._store.checkpoint()

    def _feed(self, camera: str) -> None:
        recording, film = self._films[camera]
        for _ in range(TOGETHER):
            packet = next(film)
            self.told_us[camera] = packet.arrived.utc_us
            recording.feed(packet)
