"""What is asked of the store once a minute and remembered, so that a scrape or a status page costs no query over rows.

Left to others: what the numbers mean (`retention.forecast`, `appliance.health`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from config.times import DAY_US, HOUR_US
from recorder.store.records import Camera, Signing
from recorder.store.store import Store

RATE_OVER_US: Final = DAY_US
"""The rate of a camera is that of its last day, so that night and day both count."""

RATE_LEAST_US: Final = HOUR_US // 60
"""A forecast from less than a minute of footage would swing wildly."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one camera."""

    oldest_us: int | None = None
    bytes_a_day: float | None = None
    gap_seconds: Mapping[str, float] = field(default_factory=dict)
    signing: Signing | None = None
    """Of a camera that signs, or once did."""


class Survey:
    """The numbers of the last look. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: dict[str, Kept] = {}

    def look(self, cameras: list[Camera], now_us: int) -> None:
        """Ask the store anew about every camera.

        Raises:
            CatalogueError: it does not answer.
        """
        kept = {camera.id: self._of(camera, now_us) for camera in cameras}
        with self._lock:
            self._kept = kept

    def of(self, camera_id: str) -> Kept:
        """What was last seen of a camera; empty when it is too new."""
        with self._lock:
            return self._kept.get(camera_id, Kept())

    def bytes_a_day(self) -> dict[str, float]:
        """What each camera needs a day, of those that have recorded for long enough to tell."""
        with self._lock:
            return {name: kept.bytes_a_day for name, kept in self._kept.items() if kept.bytes_a_day is not None}

    def oldest_us(self) -> int | None:
        """Where the oldest footage of any camera starts."""
        with self._lock:
            return min((kept.oldest_us for kept in self._kept.values() if kept.oldest_us is not None), default=None)

    def _of(self, camera: Camera, now_us: int) -> Kept:
        gaps = {cause.value: seconds for cause, seconds in self._store.gap_seconds(camera.stream_id).items()}
        signing = self._store.signing(camera.stream_id)
        oldest_us = self._store.oldest_present_us(camera.stream_id)
        if oldest_us is None or camera.retired_us is not None:
            return Kept(oldest_us, None, gaps, signing)
        start_us = max(oldest_us, now_us - RATE_OVER_US)
        if now_us - start_us < RATE_LEAST_US:
            return Kept(oldest_us, None, gaps, signing)
        recorded = self._store.bytes_between(camera.stream_id, start_us, now_us)
        return Kept(oldest_us, recorded * DAY_US / (now_us - start_us), gaps, signing)
