"""Time as an input: what hands out readings of the clocks, and what waits.

A reading always pairs the two clocks, because neither means much alone: the wall clock (UTC) can be set,
the monotonic one forgets at power-off. Everything that needs time is handed a `Clock`; tests hand in theirs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple, Protocol

from config.times import SECOND_US

STEP_LIMIT_US = SECOND_US // 2
"""A change of more than 0.5 s between the two clocks is a step: it closes runs (docs/time.md)."""


class Reading(NamedTuple):
    """Both clocks read at one moment, in microseconds."""

    utc_us: int
    mono_us: int

    def offset_us(self) -> int:
        """UTC at monotonic zero: constant as long as nobody sets the wall clock."""
        return self.utc_us - self.mono_us


class Signal(Protocol):
    """What a waiting thread can be woken by: `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether it was given."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it."""
        ...


class Clock(Protocol):
    """Where time comes from."""

    def read(self) -> Reading:
        """Both clocks, now."""
        ...

    def wait(self, signal: Signal, timeout_s: float) -> bool:
        """Wait until `signal` is set (true) or `timeout_s` seconds of monotonic time have passed (false)."""
        ...

    def boot_id(self) -> str:
        """What names this start of the machine: monotonic readings compare only within one boot."""
        ...


class SystemClock:
    """The machine's own clocks.

    The monotonic one is CLOCK_BOOTTIME, which goes on while the machine sleeps: CLOCK_MONOTONIC would make
    footage look younger than it is after a suspend, and run media time apart from UTC.
    """

    def read(self) -> Reading:
        """Both clocks, read back to back."""
        mono_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        return Reading(time.time_ns() // 1000, mono_us)

    def wait(self, signal: Signal, timeout_s: float) -> bool:
        """Wait in real time."""
        return signal.wait(timeout_s)

    def boot_id(self) -> str:
        """The kernel's boot id."""
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def step_us(before: Reading, after: Reading) -> int:
    """How far the wall clock was set between two readings: 0 when nobody touched it, negative when set back."""
    return after.offset_us() - before.offset_us()
