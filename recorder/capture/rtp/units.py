"""What comes out of a depacketiser, and what one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

UNIT_LIMIT_BYTES = 8 * 1024 * 1024
"""A picture has less (a 4K key frame has one or two megabytes); a unit without end is cut off here and is damaged."""


class AccessUnit(NamedTuple):
    """One picture, or one piece of sound."""

    data: bytes
    """Video: NAL units with start codes (Annex B), or a JPEG file. Sound: one frame as the codec defines it."""
    timestamp: int
    """In ticks of the track's clock, unwrapped: it goes on past 2^32."""
    is_key: bool
    """Whether decoding can begin here; always so for sound and JPEG."""
    damaged: bool
    """Whether packets of it are missing, or could not be understood. Of JPEG, which has no parts: before it."""


class Depacketiser(Protocol):
    """Payloads of one track in order of their sequence numbers in; access units out."""

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet's payload, without RTP header, extension and padding; what it completed, mostly nothing."""
        ...

    def lost(self) -> None:
        """Packets between the last one fed and the next one are missing."""
        ...

    def finish(self) -> Sequence[AccessUnit]:
        """The sender said that nothing more will come; what was waiting for its end."""
        ...
