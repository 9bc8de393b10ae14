"""How much disk a site needs, before there is a box: bytes for cameras, or cameras and days for a disk. Pure.

What is counted, and from where: footage of local date D that must be kept for 30 days goes at the midnight that begins
D+31 (Civil Code, article 201), and the box keeps a day of margin, so at most 32 days of it lie there. To what a camera
sends comes what its file, the log and the catalogue say of it, and a margin for cameras that send more at times. The
reserve, which recording leaves free, is added at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

DAY_S: Final = 86_400

MARGIN_DAYS: Final = 1
"""As `[retention] margin_days`: the target lies so far above the floor."""

CONTAINER_BYTES_A_S: Final = 450
"""What a file says of its pictures: 12 bytes a picture and a header for each fragment, at 30 pictures a second."""

SEGMENT_BYTES: Final = 1024 + 4096
"""Of each segment: its own header, and what its last block of the file system leaves empty, at most."""

CATALOGUE_BYTES: Final = 600
"""Of each segment in the catalogue: its row and what finds it again. Measured: 580."""

LOG_BYTES: Final = 700
"""Of each segment in the log: its entry, and the tiles above it. Measured, of 33 million: 640."""

LIFE_DAYS: Final = 5 * 365
"""Log and catalogue are never cut, so they are counted for as long as a disk lives."""

MARGIN_SHARE: Final = 0.10
"""What cameras send above what they are set to: by night, in rain, in a crowd."""


@dataclass(frozen=True)
class Group:
    """Cameras that are alike."""

    cameras: int
    bitrate_bps: float
    days: int
    """For which their footage must be kept."""

    @property
    def days_stored(self) -> int:
        """So many days of it lie there at most: the day of recording is not counted, and a day is margin."""
        return self.days + MARGIN_DAYS + 1


@dataclass(frozen=True)
class Need:
    """What groups of cameras need, in bytes, by what it is for."""

    video: int
    container: int
    log: int
    catalogue: int
    margin: int
    reserve: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.video + self.container + self.log + self.catalogue + self.margin + self.reserve


@dataclass(frozen=True)
class Fit:
    """What a disk of a size comes to."""

    disk_bytes: int
    fits: bool
    days: tuple[int, ...]
    """For how many days each group could be kept there, all in the same proportion to what was asked."""
    cameras: tuple[int, ...]
    """How many of each group would fit beside all of the others, for the days asked; not fewer than none."""


def need(groups: Sequence[Group], segment_s: float, reserve_bytes: int) -> Need:
    """What they need together."""
    parts = [_parts(one, segment_s) for one in groups]
    video, container, log, catalogue = (math.ceil(sum(each)) for each in zip(*parts, strict=True))
    margin = math.ceil((video + container) * MARGIN_SHARE)
    return Need(video, container, log, catalogue, margin, reserve_bytes)


def fit(groups: Sequence[Group], segment_s: float, disk_bytes: int, reserve_bytes: int) -> Fit:
    """How many days, or cameras, a disk has room for."""
    each = [_bytes_of_one(one, segment_s) for one in groups]
    lasting = sum(one.cameras * fixed for one, (_, fixed) in zip(groups, each, strict=True))
    media = sum(one.cameras * size for one, (size, _) in zip(groups, each, strict=True))
    room = disk_bytes - reserve_bytes
    share = max(0.0, room - lasting) / media if media else math.inf
    return Fit(
        disk_bytes=disk_bytes,
        fits=need(groups, segment_s, reserve_bytes).total <= disk_bytes,
        days=tuple(max(0, math.floor(share * one.days_stored + _DUST) - MARGIN_DAYS - 1) for one in groups),
        cameras=tuple(
            max(0, math.floor((room - lasting - media) / sum(size) + one.cameras + _DUST))
            for one, size in zip(groups, each, strict=True)
        ),
    )


_DUST = 1e-9
"""A disk bought to the byte holds what it was bought for."""


def _parts(group: Group, segment_s: float) -> tuple[float, float, float, float]:
    seconds = group.cameras * group.days_stored * DAY_S
    container = seconds * CONTAINER_BYTES_A_S + seconds / segment_s * SEGMENT_BYTES
    told = group.cameras * max(LIFE_DAYS, group.days_stored) * DAY_S / segment_s
    return seconds * group.bitrate_bps / 8, container, told * LOG_BYTES, told * CATALOGUE_BYTES


def _bytes_of_one(group: Group, segment_s: float) -> tuple[float, float]:
    """Of one camera: what its days take, and what lasts."""
    video, container, log, catalogue = _parts(replace(group, cameras=1), segment_s)
    return (video + container) * (1 + MARGIN_SHARE), log + catalogue
