"""Media time to UTC (docs/time.md). Pure.

A run starts at the smallest of (receive time - media time so far) over its first second: the least delayed frame
wins, so that a camera which replays what it had buffered does not shift the record. After that media time rules; its
mapping to UTC is steered by at most 500 ppm, segment by segment, towards the least delayed frame of the segment
before. Receive time is the monotonic clock, mapped to UTC by the offset at the start of the run: a clock that is set
during a run moves nothing, it ends the run.
"""

from __future__ import annotations

STEER_LIMIT_PPM = 500
"""Camera clocks run wrong by 20 to 500 ppm; what needs more steering than that is not drift."""

EARLY_LIMIT_US = 1_000_000
"""No frame arrives before it was made: where one is earlier than its media time by so much, media time is wrong: stamps
jumped ahead, run too fast, or the run began with what the camera had buffered."""

LATE_LIMIT_US = 5_000_000
"""Networks make frames wait, but hardly the least delayed one of a whole segment by so much: stamps run too slow."""

TICKS_PER_S = 90_000


def ticks_to_us(ticks: int) -> int:
    """Media ticks of 90 kHz as microseconds."""
    return ticks * 100 // 9


class Timeline:
    """The mapping of one run; media time is in ticks since its first frame."""

    def __init__(self, start_us: int) -> None:
        self._anchor_ticks = 0
        self._anchor_us = start_us
        self._ppm = 0
        self._earliest_us: int | None = None

    def utc_us(self, ticks: int) -> int:
        """The UTC of a media time, by the rate of the current segment."""
        passed_us = (ticks - self._anchor_ticks) * 100 // 9  # `ticks_to_us`: asked for each picture
        return self._anchor_us + passed_us + passed_us * self._ppm // 1_000_000

    def late_us(self, ticks: int, received_us: int) -> int:
        """How much later than its media time says a frame arrived."""
        return received_us - self.utc_us(ticks)

    def observe(self, late_us: int) -> None:
        """A frame was so late; the least late one of a segment decides how to steer."""
        self._earliest_us = late_us if self._earliest_us is None else min(self._earliest_us, late_us)

    def saw(self, ticks: int, received_us: int) -> None:
        """A frame of that media time arrived."""
        late_us = received_us - self.utc_us(ticks)
        if self._earliest_us is None or late_us < self._earliest_us:
            self._earliest_us = late_us

    @property
    def is_early(self) -> bool:
        """Whether a frame of this segment came before it can have been made."""
        return self._earliest_us is not None and self._earliest_us < -EARLY_LIMIT_US

    @property
    def begun_us(self) -> int:
        """Where the segment began."""
        return self._anchor_us

    def cut(self, ticks: int) -> int:
        """End a segment at that media time: its UTC, from which the next one is steered.

        What cannot be steered is put right here: the segment then lasts as long as it was received, whatever media
        time says, and nothing that follows is told at a wrong time (ADR 14).
        """
        end_us = self.utc_us(ticks)
        length_us = max(end_us - self._anchor_us, 1)
        least_us = 0 if self._earliest_us is None else self._earliest_us
        if least_us < -EARLY_LIMIT_US or least_us > LATE_LIMIT_US:
            end_us = max(end_us + least_us, self._anchor_us + 1)
            self._ppm = 0
        else:
            self._ppm = max(-STEER_LIMIT_PPM, min(STEER_LIMIT_PPM, least_us * 1_000_000 // length_us))
        self._anchor_ticks, self._anchor_us, self._earliest_us = ticks, end_us, None
        return end_us
