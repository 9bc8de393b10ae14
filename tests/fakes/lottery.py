"""What a disk had done, when the power went, of what it was not asked to make durable: drawn by lot."""

from __future__ import annotations

import random
from collections.abc import Mapping

PAGE_BYTES = 4096


class Lottery:
    """What the disk had done of what it was not asked to make durable. A file is known by a number."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._moved: dict[int, bool] = {}
        """Whether a file's new name is on the disk, or its old one: it has one of the two, and never both."""

    def names(self, was: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
        """Of a folder: each change of a name is there, or not yet."""
        out: dict[str, int] = {}
        for name in sorted({*was, *now}):
            number = now.get(name, was.get(name, 0))
            chosen = now if was.get(name) == now.get(name) or self._has_moved(number) else was
            if name in chosen:
                out[name] = chosen[name]
        return out

    def _has_moved(self, number: int) -> bool:
        return self._moved.setdefault(number, self._chance.random() < 0.5)

    def content(self, was: bytes, now: bytes) -> bytes:
        """Of a file: as it is; or what was appended up to a byte or a page, or as zeros; or each page old or new."""
        if now == was or self._chance.random() < 0.2:
            return now
        if now.startswith(was):
            return self._torn(len(was), now)
        size = self._chance.choice([len(was), len(now)])
        pages = range(0, size, PAGE_BYTES)
        return b"".join(self._chance.choice((was, now))[at : at + PAGE_BYTES] for at in pages)[:size]

    def _torn(self, sure: int, now: bytes) -> bytes:
        at = self._chance.randrange(sure, len(now) + 1)
        how = self._chance.choice(["byte", "page", "zeros"])
        if how == "byte":
            return now[:at]
        at = max(sure, at // PAGE_BYTES * PAGE_BYTES)
        return now[:at] if how == "page" else now[:at] + bytes(len(now) - at)
