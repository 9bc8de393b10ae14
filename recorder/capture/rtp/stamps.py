"""Time stamps of pictures to decode and presentation times, in ticks of 90 kHz. Pure.

RTP tells when a picture is shown. Where pictures come in another order than they are shown (B-frames), decode times
are the presentation times in rising order, behind by as many pictures as the stream was seen to swap. Never are they
computed from the pictures' own counters, which cameras fill in as they like.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush

from recorder.capture.timeline import TICKS_PER_S

STILL_LIMIT = 5
"""So many pictures under one time stamp: it stands still, and the time of arrival is all there is."""

REORDER_LIMIT = 16
"""Pictures that may be swapped: H.264 and H.265 keep at most 16 (A.3.1, max_dec_frame_buffering)."""

JUMP_TICKS = 2 * TICKS_PER_S
"""Pictures are swapped within fractions of a second; what lies further apart was not swapped, it jumped."""


class Stamps:
    """One video track."""

    def __init__(self, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._last_stamp: int | None = None
        self._same = 0
        self._origin: tuple[int, int] | None = None
        self._first_us = 0
        self._last_ticks = 0
        self._recent: deque[int] = deque(maxlen=REORDER_LIMIT)
        self._highest: int | None = None
        self._waiting: list[int] = []
        self.depth = 0
        """Pictures by which decoding runs ahead of showing, as far as told or seen."""

    def expect(self, depth: int) -> None:
        """The parameter sets say by how many pictures decoding runs ahead."""
        self.depth = max(self.depth, min(depth, REORDER_LIMIT))

    @property
    def stands_still(self) -> bool:
        """Whether the camera's time stamps tell nothing, so that arrival counts."""
        return self._origin is not None

    def take(self, stamp: int, arrived_us: int) -> tuple[int | None, int | None]:
        """Decode and presentation time of the next picture; None where the camera gave none. Arrival is monotonic."""
        if stamp != self._last_stamp:
            self._last_stamp, self._same, self._origin, self._first_us = stamp, 0, None, arrived_us
            pts = self._last_ticks = stamp if self._clock_rate_hz == TICKS_PER_S else self.in_ticks(stamp)
            return self._decode_time(pts), pts
        self._same += 1
        if self._same >= STILL_LIMIT and self._origin is None:
            self._origin = (self._last_ticks, self._first_us)
        if self._origin is not None:
            ticks = self._origin[0] + (arrived_us - self._origin[1]) * TICKS_PER_S // 1_000_000
            return ticks, ticks
        return None, None

    def in_ticks(self, stamp: int) -> int:
        """A stamp of the track's clock in ticks of 90 kHz."""
        return stamp if self._clock_rate_hz == TICKS_PER_S else stamp * TICKS_PER_S // self._clock_rate_hz

    def _decode_time(self, pts: int) -> int:
        if self._recent and abs(pts - self._recent[-1]) > JUMP_TICKS:
            self._recent.clear()
            self._waiting.clear()
            self._highest = None
        if self._highest is None or pts > self._highest:
            self._highest = pts
        else:
            self.depth = max(self.depth, sum(1 for one in self._recent if one > pts))
        self._recent.append(pts)
        if not self.depth:
            return pts
        heappush(self._waiting, pts)
        missing = self.depth + 1 - len(self._waiting)
        # The first pictures of a stream come before anything is shown: just before the first that is.
        return heappop(self._waiting) if missing <= 0 else self._waiting[0] - missing
