"""How fast a camera's clock runs away from ours, by what its sender reports say. Pure.

One rule for the status and for segments (ADR 13): the line from the session's first minute with reports to the newest
that is over, once they lie ten minutes apart. Of each minute the report counts that was heard the soonest: they are
heard at the next look at the connection, up to a tenth of a second late, so that single ones would show drift where
there is none. A step of either clock begins it anew.
"""

from __future__ import annotations

from config.clock import STEP_LIMIT_US
from config.times import SECOND_US

WINDOW_US = 60 * SECOND_US
"""Cameras report every few seconds: of a dozen, one is heard within some milliseconds."""

LEAST_US = 600 * SECOND_US
"""A tenth of a second of doubt is 170 millionths over that, and 28 in an hour; where reports come every five seconds, a
tenth of it. Over less, doubt would be all there is to tell."""

_PARTS = 1_000_000_000

_Heard = tuple[int, int]
"""When, and how far ahead the clock was."""


class Drift:
    """Of one session. Tell it of every report; telling it of the same one again changes nothing."""

    def __init__(self) -> None:
        self.ppb: int | None = None
        """Parts in a thousand million by which the camera's clock is faster than ours; None: not known yet."""
        self._first: _Heard | None = None
        self._soonest: _Heard | None = None
        self._begun_us = self._last_us = 0

    def take(self, now_us: int, offset_us: int | None) -> None:
        """The camera's clock is that far ahead of ours (None: it does not tell), as heard at `now_us`, monotonic.

        The same offset, to the microsecond, is the same report: else one that is never followed by another would make
        a clock look perfect.
        """
        if offset_us is None:
            self._first = self._soonest = self.ppb = None
        elif self._soonest is None or abs(offset_us - self._last_us) > STEP_LIMIT_US:
            self._first, self.ppb = None, None
            self._begin(now_us, offset_us)
        elif offset_us != self._last_us:
            self._last_us = offset_us
            if now_us - self._begun_us >= WINDOW_US:
                self._end(self._soonest)
                self._begin(now_us, offset_us)
            elif offset_us > self._soonest[1]:  # the later a report is heard, the less the clock seems ahead
                self._soonest = (now_us, offset_us)

    def _begin(self, now_us: int, offset_us: int) -> None:
        self._soonest = (now_us, offset_us)
        self._begun_us, self._last_us = now_us, offset_us

    def _end(self, newest: _Heard) -> None:
        """A minute is over."""
        self._first = self._first or newest
        passed_us = newest[0] - self._first[0]
        if passed_us >= LEAST_US:
            self.ppb = round((newest[1] - self._first[1]) * _PARTS / passed_us)
