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
    unit_starts: tuple[int, ...] = ()
    """Video: where the NAL units begin, each with a start code of four bytes. Empty for sound and JPEG, and where there
    are more than any camera sends."""


class Middle(NamedTuple):
    """How a payload begins that only goes on with a unit in pieces: nine packets of ten in a video stream."""

    mask: int
    kind: int
    """Of the first byte, under the mask."""
    header_bytes: int
    """The last of them has the flags: `_ENDS` where the piece is the first or the last of its unit."""


class Fragmenting(Protocol):
    """A depacketiser whose units come in pieces, and that lets the pieces in the middle be appended by who has them.

    Whole pictures may be taken past it, by those who know how (`whole`).
    """

    middle: Middle
    is_h265: bool
    """Else it is H.264."""

    def is_between(self) -> bool:
        """Whether no picture has begun, nothing is missing, and all is as usual: then one may be taken past it."""
        ...

    def passed(self, stamp: int) -> None:
        """Pictures were, up to the one of this stamp, unwrapped."""
        ...

    def room(self) -> int:
        """How many bytes may be appended; 0: no unit is growing that is whole so far."""
        ...

    def grow(self, pieces: list[memoryview], size: int) -> None:
        """Append these pieces, of that size together: no more than there is room for. `settle` is for them too."""
        ...


class Depacketiser(Protocol):
    """Payloads of one track in order of their sequence numbers in; access units out.

    Payloads may be kept where they lie until `settle`. What comes out is never where they lay.
    """

    def feed(self, payload: memoryview, timestamp: int, marker: bool) -> Sequence[AccessUnit]:
        """One packet's payload, without RTP header, extension and padding; what it completed, mostly nothing."""
        ...

    def settle(self) -> None:
        """The place where payloads lie is about to be written over."""
        ...

    def lost(self) -> None:
        """Packets between the last one fed and the next one are missing."""
        ...

    def finish(self) -> Sequence[AccessUnit]:
        """The sender said that nothing more will come; what was waiting for its end."""
        ...
