"""UDP brings packets in any order: a small window puts them right, and knows when to stop waiting. Pure."""

from __future__ import annotations

from collections.abc import Iterator

WINDOW_LIMIT_PACKETS = 64
"""Held behind a hole: a key frame of 4 Mbit/s has about 60 packets, and a network that swaps more has lost some."""

AGE_LIMIT_US = 50_000
"""How long a hole may hold up what came behind it: longer than any switch, shorter than anybody notices."""

RESTART_DISTANCE = 1000
"""Numbers this far from those expected belong to a camera that began anew: nothing is waited for."""


class ReorderWindow:
    """Packets of one track, by their sequence numbers."""

    def __init__(self) -> None:
        self._next = -1
        self._held: dict[int, bytes] = {}
        self._since_us = 0

    def take(self, number: int, packet: memoryview, now_us: int) -> Iterator[memoryview]:
        """A packet came; those that may go on now, in order. One that is late is dropped: its hole was given up."""
        if self._next < 0:
            self._next = number
        ahead = (number - self._next) & 0xFFFF
        if ahead == 0:
            self._next = (number + 1) & 0xFFFF
            yield packet
            yield from self._following(now_us)
        elif RESTART_DISTANCE < ahead < 0x10000 - RESTART_DISTANCE:
            yield from self._everything()
            self._next = (number + 1) & 0xFFFF
            yield packet
        elif ahead < 0x8000:
            if not self._held:
                self._since_us = now_us
            self._held[number] = bytes(packet)
            if len(self._held) >= WINDOW_LIMIT_PACKETS:
                yield from self._give_up(now_us)

    def older(self, now_us: int) -> Iterator[memoryview]:
        """Time passed: what waited too long goes on without what is missing before it."""
        if self._held and now_us - self._since_us > AGE_LIMIT_US:
            yield from self._give_up(now_us)

    def rest(self) -> Iterator[memoryview]:
        """Nothing more will come: what is held, in order."""
        yield from self._everything()

    def _give_up(self, now_us: int) -> Iterator[memoryview]:
        """The first hole is lost."""
        self._next = min(self._held, key=lambda number: (number - self._next) & 0xFFFF)
        yield from self._following(now_us)

    def _following(self, now_us: int) -> Iterator[memoryview]:
        self._since_us = now_us
        while self._next in self._held:
            packet = self._held.pop(self._next)
            self._next = (self._next + 1) & 0xFFFF
            yield memoryview(packet)

    def _everything(self) -> Iterator[memoryview]:
        for number in sorted(self._held, key=lambda one: (one - self._next) & 0xFFFF):
            yield memoryview(self._held[number])
        self._held.clear()
