"""Where sound belongs on the time line of the pictures. Pure.

Both tracks have clocks that begin anywhere. The camera's sender reports say where each stood at one time; without
them, or where they contradict what is seen, the least delayed of both tracks are taken for simultaneous. The distance
so found is kept, so that sound runs on without seams, until it is wrong by more than `REALIGN_US`. The pictures are
never moved.
"""

from __future__ import annotations

from config.times import SECOND_US
from recorder.capture.timeline import ticks_to_us

SETTLE_US = SECOND_US
"""How long arrivals are watched before sound is placed: pre-roll arrives in a burst, well within a second."""

WINDOW_US = 10 * SECOND_US
"""The least delayed of one to two such windows count: long enough to meet one, short enough to follow drift."""

REALIGN_US = 90_000
"""Sound ahead of its picture by more is not accepted by viewers (ITU-R BT.1359-1, 3)."""

REPORTS_TRUSTED_US = SECOND_US
"""Sender reports that differ further from the arrivals are of two clocks, or of one that was set between them."""

JUMP_US = 2 * SECOND_US
"""Media time that moves so far at once does not go on: what was known of it is forgotten."""


class Lateness:
    """How late a track's units arrive, by its own clock: only differences mean anything."""

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._since_us: int | None = None
        self._window_us = 0
        self._before: int | None = None
        self._now: int | None = None

    def take(self, media_us: int, arrived_us: int) -> None:
        """A unit arrived."""
        if self._last_us is None or abs(media_us - self._last_us) > JUMP_US:
            self._since_us = self._window_us = arrived_us
            self._before = self._now = None
        self._last_us = media_us
        if arrived_us - self._window_us > WINDOW_US:
            self._window_us, self._before, self._now = arrived_us, self._now, None
        late_us = arrived_us - media_us
        self._now = late_us if self._now is None else min(self._now, late_us)

    def least_us(self) -> int | None:
        """Of the newest units; None: none came."""
        known = [one for one in (self._before, self._now) if one is not None]
        return min(known, default=None)

    def since_us(self) -> int | None:
        """From when on it has been watched; None: nothing came yet."""
        return self._since_us


class Alignment:
    """One audio track beside one video track. Arrivals are monotonic."""

    def __init__(self, rate_hz: int) -> None:
        """`rate_hz`: of the samples that sound is counted in."""
        self._rate_hz = rate_hz
        self._pictures = Lateness()
        self._sound = Lateness()
        self._reported: tuple[int, int] | None = None
        self._offset_us: int | None = None
        self._seen_us = 0
        self.realigned = 0
        """How often sound was moved, since it was first placed."""

    def picture(self, ticks: int, arrived_us: int) -> None:
        """A picture came, to be shown at `ticks`."""
        self._pictures.take(ticks_to_us(ticks), arrived_us)
        self._seen_us = max(self._seen_us, arrived_us)

    def sound(self, sample: int, arrived_us: int) -> None:
        """Sound came that begins with that sample, by its own count."""
        self._sound.take(sample * SECOND_US // self._rate_hz, arrived_us)
        self._seen_us = max(self._seen_us, arrived_us)

    def reports(self, picture: tuple[int, int] | None, sound: tuple[int, int] | None) -> None:
        """What the camera last reported of both: at that time by its clock, in microseconds, the track stood there."""
        if picture is None or sound is None:
            self._reported = None
            return
        self._reported = picture[0] - ticks_to_us(picture[1]), sound[0] - sound[1] * SECOND_US // self._rate_hz

    def is_settled(self) -> bool:
        """Whether sound can be placed: pictures have come for long enough, and some sound."""
        begun_us = self._pictures.since_us()
        return begun_us is not None and self._sound.since_us() is not None and self._seen_us - begun_us >= SETTLE_US

    def settle(self) -> None:
        """Look whether the distance is still right; to be called before sound is placed."""
        wanted_us = self._wanted_us()
        if wanted_us is None:
            return
        if self._offset_us is None:
            self._offset_us = wanted_us
        elif abs(wanted_us - self._offset_us) > REALIGN_US:
            self._offset_us = wanted_us
            self.realigned += 1

    def place(self, sample: int) -> int:
        """Where that sample is on the time line of the pictures, in samples; whole ones stay whole."""
        assert self._offset_us is not None, "place before settle"
        return sample + self._offset_us * self._rate_hz // SECOND_US

    def _wanted_us(self) -> int | None:
        pictures_us, sound_us = self._pictures.least_us(), self._sound.least_us()
        if pictures_us is None or sound_us is None:
            return None
        seen_us = sound_us - pictures_us
        if self._reported is None:
            return seen_us
        told_us = self._reported[1] - self._reported[0]
        return told_us if abs(told_us - seen_us) <= REPORTS_TRUSTED_US else seen_us
