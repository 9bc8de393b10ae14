"""What a camera looks like to us: packets, or an error that names the cause of the gap it makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from config.clock import Reading
from recorder.store.records import CodecName


@dataclass(frozen=True)
class Packet:
    """One picture as the camera sent it: an access unit of NAL units with start codes (Annex B)."""

    data: bytes
    dts: int | None
    """Decode time in ticks of 90 kHz, from wherever the camera counts; None where it gave none."""
    pts: int | None
    is_key: bool
    arrived: Reading
    lost_packets: int | None = None
    """Missing on the way since the picture before; None: this source cannot tell."""
    clock_offset_us: int | None = None
    """How far the camera's own clock is ahead of ours, as it last told; None: it has not."""
    stamps_stand_still: bool = False
    """Whether the camera's time stamps tell nothing, so that the time of arrival stands in their place."""


@dataclass(frozen=True)
class Track:
    """What a source said it will send."""

    codec: CodecName
    sets: tuple[bytes, ...] = ()
    """Parameter sets told before the first picture (SDP), for cameras that do not repeat them in the stream."""
    left_out: tuple[str, ...] = ()
    """Other tracks, in words: they are not recorded."""


class Source(Protocol):
    """One session with a camera. `open`, then `packets` until it ends; `close` may come from another thread."""

    def open(self) -> Track:
        """Connect and agree on the track.

        Raises:
            SourceError: one of its kinds.
        """
        ...

    def packets(self) -> Iterator[Packet]:
        """Pictures as they arrive.

        Raises:
            SourceError: the session ended; a camera that says goodbye ends it too.
        """
        ...

    def close(self) -> None:
        """Ask `packets` to end soon; from any thread, harmless when done already."""
        ...

    def release(self) -> None:
        """Let go of the connection: by the thread that reads, when it is done."""
        ...


@dataclass(frozen=True)
class WantedCamera:
    """A camera that should be recorded, with all that decides how: two that are equal need no restart."""

    id: str
    stream_id: str
    url: str
    username: str | None
    password_key: str
    """Changes when the password does, and tells nothing of it."""
    transport: str = "tcp"
    """`tcp`, `udp`, `multicast`, or `libav`."""
    ca_file: str | None = None
    """Whom to believe about its certificate; None: whom the system believes."""


class SourceFactory(Protocol):
    """Makes a session with a camera; nothing is connected yet."""

    def __call__(self, camera: WantedCamera) -> Source:
        """A source for one session."""
        ...
