"""What a camera looks like to us: packets, or an error that names the cause of the gap it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from config.clock import Reading
from recorder.store.records import AudioCodec, CodecName

READ_TICK_S = 0.05
"""How long whoever reads sources rests between two looks (ADR 8): datagrams that wait for longer may be dropped."""

STREAM_PERIOD_US = 100_000
"""How often a source is looked at that can wait, because what it sends then waits at the camera: at 4 Mbit/s that is
about 50 KB. A process that wakes up has forgotten what it did (its caches are cold), so half as often costs a third
less."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """Sound of some milliseconds, as it is stored."""

    data: bytes
    at: int
    """When it is heard: in samples, counted from where the times of the pictures are counted."""
    samples: int
    """How long it plays."""


@dataclass(frozen=True)
class AudioTrack:
    """Sound that a source will send beside its pictures, where somebody asked for it."""

    codec: AudioCodec
    rate_hz: int
    """Samples a second."""
    channels: int
    config: bytes
    """What a decoder must be told: AudioSpecificConfig, OpusHead, or STREAMINFO."""


class Packet(NamedTuple):
    """One picture as the camera sent it: an access unit of NAL units with start codes (Annex B), or a JPEG file."""

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
    audio: tuple[AudioFrame, ...] = ()
    """Sound that came since the picture before. It rides with pictures: so it never keeps anything going by itself."""
    audio_lost: int | None = None
    """Packets of sound missing on the way, and frames that cannot be stored, likewise; None: as `lost_packets`."""
    unit_starts: tuple[int, ...] | None = None
    """Where the units begin, each with a start code of four bytes; None: not known."""


@dataclass(frozen=True)
class Track:
    """What a source said it will send."""

    codec: CodecName
    sets: tuple[bytes, ...] = ()
    """Parameter sets told before the first picture (SDP), for cameras that do not repeat them in the stream."""
    left_out: tuple[str, ...] = ()
    """Other tracks, in words: they are not recorded."""
    description: bytes = b""
    """What the camera said of itself, raw (SDP); empty where the source has none."""
    audio: AudioTrack | None = None
    """Its sound; None: there is none, or none is wanted. That it was announced does not mean that it comes."""
    password_in_clear: bool = False
    """Whether the password went over the network readable to get it; false as well where the source cannot tell."""


class Source(Protocol):
    """One session with a camera: `open`, then `take` until it raises; `close` may come from another thread."""

    def open(self) -> Track:
        """Connect and agree on the track; blocks, within limits.

        Raises:
            SourceError: one of its kinds.
        """
        ...

    def take(self) -> Sequence[Packet]:
        """The pictures that have come since it was last asked; never waits. One thread at a time.

        Raises:
            SourceError: the session ended, and all that came before was handed out; a goodbye ends it too.
        """
        ...

    def close(self) -> None:
        """Ask `open` to give up soon; from any thread, harmless when done already."""
        ...

    def release(self) -> None:
        """Say goodbye and let go of the connection; may take a moment. Nothing is asked of the source afterwards."""
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
    audio: str = "off"
    """`off`, or `on`: its sound is recorded too."""
    allow_basic: bool = False
    """Whether it may be shown the password readable, by basic authentication without TLS."""


class SourceFactory(Protocol):
    """Makes a session with a camera; nothing is connected yet."""

    def __call__(self, camera: WantedCamera) -> Source:
        """A source for one session."""
        ...
