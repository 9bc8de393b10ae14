"""What is coming: how many days fit, when the disk is full, by how much the floor is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.times import DAY_US


@dataclass(frozen=True)
class Forecast:
    """The disk at the present rates."""

    bytes_a_day: Mapping[str, float]
    """By camera."""
    days_to_full: float | None
    """None while nothing is recorded: then nothing fills the disk."""


def forecast(recorded_bytes: Mapping[str, int], over_us: int, free_bytes: int) -> Forecast:
    """From what each camera recorded in the last `over_us`, and the space left."""
    rates = {camera: size * DAY_US / over_us for camera, size in recorded_bytes.items()} if over_us > 0 else {}
    total = sum(rates.values())
    return Forecast(rates, free_bytes / total if total > 0 else None)


def days_held(oldest_us: int | None, now_us: int) -> float | None:
    """How far back footage is still here; None when there is none."""
    return None if oldest_us is None else max(0.0, (now_us - oldest_us) / DAY_US)
