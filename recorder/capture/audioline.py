"""Sound on the time line of one run: frames without overlap, in order, from the run's start on. Pure.

Where frames nearly touch they are made to touch, for time stamps are rounded on their way; where they do not there is
silence, and where they overlap too far one is dropped.
"""

from __future__ import annotations

from recorder.capture.source import AudioFrame, AudioTrack
from recorder.capture.timeline import TICKS_PER_S

SEAM_MS = 5
"""A hole that nobody hears is closed: less than the shortest packet of telephone sound."""

OVERLAP_MS = 100
"""How far sound may be late on its own line, before a frame is dropped to catch up."""

AHEAD_MS = 5000
"""Sound of a picture that is still to come by more is misplaced: behind it all that is right would be dropped."""

FRAME_LIMIT_BYTES = 256 * 1024
FRAME_LIMIT_SAMPLES = 1 << 16
"""No codec here makes a larger frame, nor a longer one. Larger ones are nothing that a player would know."""


class AudioLine:
    """One audio track in one run."""

    def __init__(self, track: AudioTrack, origin_ticks: int) -> None:
        """`origin_ticks`: where the run's first picture stands."""
        self._origin = origin_ticks * track.rate_hz // TICKS_PER_S
        self._seam = track.rate_hz * SEAM_MS // 1000
        self._overlap = track.rate_hz * OVERLAP_MS // 1000
        self._ahead = track.rate_hz * AHEAD_MS // 1000
        self._rate_hz = track.rate_hz
        self._end = 0

    def is_before(self, frame: AudioFrame) -> bool:
        """Whether a frame is heard before the run's first picture: then it is not missing in it."""
        return frame.at < self._origin

    def place(self, frame: AudioFrame, picture_ticks: int) -> int | None:
        """Where a frame goes, in samples since the run's start; None: it is dropped.

        `picture_ticks`: where in the run the picture stands that it came with.
        """
        if not 0 < len(frame.data) <= FRAME_LIMIT_BYTES or not 0 < frame.samples <= FRAME_LIMIT_SAMPLES:
            return None
        at = frame.at - self._origin
        if at < max(0, self._end - self._overlap) or at > picture_ticks * self._rate_hz // TICKS_PER_S + self._ahead:
            return None
        if self._end and at <= self._end + self._seam:
            at = self._end
        self._end = at + frame.samples
        return at
