"""A clock that stands still until told otherwise, and whose waiting is over at once."""

from __future__ import annotations

from config.clock import Reading, Signal
from config.times import SECOND_US, parse_us

START = "2026-03-01T00:00:00Z"


class FakeClock:
    """Obeys `config.clock.Clock`; wall and monotonic time move only by `advance`, `set_wall` and `wait`."""

    def __init__(self, start: str = START, boot: str = "boot-1") -> None:
        self.utc_us = parse_us(start)
        self.mono_us = 1_000 * SECOND_US
        self.mono_total = 0
        """All monotonic time that ever passed, over all boots: what a box can have seen at most."""
        self._boot = boot

    def read(self) -> Reading:
        return Reading(self.utc_us, self.mono_us)

    def boot_id(self) -> str:
        return self._boot

    def wait(self, signal: Signal, timeout_s: float) -> bool:
        """Time passes in no time: the waiter gets its timeout, or the signal if it stands already."""
        if signal.is_set():
            return True
        self.advance(timeout_s)
        return signal.is_set()

    def advance(self, seconds: float) -> None:
        """Let both clocks run on."""
        self.utc_us += round(seconds * SECOND_US)
        self.mono_us += round(seconds * SECOND_US)
        self.mono_total += round(seconds * SECOND_US)

    def set_wall(self, text: str) -> None:
        """Somebody sets the wall clock; the monotonic one does not notice."""
        self.utc_us = parse_us(text)

    def reboot(self, boot: str) -> None:
        """The machine starts anew: the monotonic clock begins again near zero."""
        self._boot = boot
        self.mono_us = 5 * SECOND_US
