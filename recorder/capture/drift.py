"""How fast a camera's clock runs away from ours, by what its sender reports say. Pure.

One rule for the status and for segments (ADR 13): the line from the session's first report to its newest, once they lie
a minute apart. A step of either clock, or a camera that no longer tells, begins it anew.
"""

from __future__ import annotations

from config.clock import STEP_LIMIT_US
from config.times import SECOND_US

LEAST_US = 60 * SECOND_US
"""Reports are right to some milliseconds: over less than a minute that would look like drift."""

_PARTS = 1_000_000_000


class Drift:
    """Of one session. Tell it of every report; telling it of the same one again changes nothing."""

    def __init__(self) -> None:
        self.ppb: int | None = None
        """Parts in a thousand million by which the camera's clock is faster than ours; None: not known yet."""
        self._first: tuple[int, int] | None = None
        self._last_us = 0

    def take(self, now_us: int, offset_us: int | None) -> None:
        """The camera's clock is that far ahead of ours (None: it does not tell), as heard at `now_us`, monotonic.

        The same offset, to the microsecond, is the same report: else one that is never followed by another would make
        a clock look perfect.
        """
        if offset_us is None:
            self._first = self.ppb = None
        elif self._first is None or abs(offset_us - self._last_us) > STEP_LIMIT_US:
            self._first, self._last_us, self.ppb = (now_us, offset_us), offset_us, None
        elif offset_us != self._last_us:
            self._last_us = offset_us
            since_us, first_us = self._first
            if now_us - since_us >= LEAST_US:
                self.ppb = round((offset_us - first_us) * _PARTS / (now_us - since_us))
