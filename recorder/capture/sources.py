"""Which source reads a camera: our own client for RTSP, libav for every other URL and where somebody chose it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from urllib.parse import urlsplit

import av
from pydantic import SecretStr

from config.clock import Clock
from config.times import SECOND_US
from recorder.capture.libav import LibavSource
from recorder.capture.nal import parameter_sets, with_sets
from recorder.capture.rtsp.connection import Target
from recorder.capture.rtsp.source import RtspSource
from recorder.capture.rtsp.transport import Transport
from recorder.capture.source import READ_TICK_S, Packet, Source, Track
from recorder.capture.timeline import TICKS_PER_S
from recorder.errors import SourceEnded, SourceInvalid, SourceSilent
from recorder.store.records import CodecName

LIBAV = "libav"

PROBE_US = 2 * SECOND_US
"""How long pictures are counted, from the first key picture on."""

PROBE_PATIENCE_US = 15 * SECOND_US
"""How long a key picture is waited for: slow cameras send one every ten seconds."""

_FORMATS = {CodecName.H264: "h264", CodecName.H265: "hevc", CodecName.MJPEG: "mjpeg"}


@dataclass(frozen=True)
class ProbeResult:
    """What a camera turned out to send."""

    codec: CodecName
    width: int
    height: int
    frames_per_s: float | None
    left_out: tuple[str, ...]
    key_interval_s: float | None = None
    """Between key pictures, where two came while it was looked at."""
    clock_offset_s: float | None = None
    """How far the camera's clock is ahead of ours; None: it did not tell meanwhile."""
    bitrate_bps: int | None = None
    """About what it sends, in bits a second; None: its time stamps do not tell."""


def source_of(
    url: str,
    username: str | None,
    password: SecretStr | None,
    transport: str,
    clock: Clock,
    *,
    ca_file: str | None = None,
    audio: bool = False,
    allow_basic: bool = False,
) -> Source:
    """A session with that camera, with its sound where `audio`; nothing is connected yet.

    How libav logs in is libav's: `allow_basic` is for our own client.
    """
    if transport == LIBAV or urlsplit(url).scheme not in ("rtsp", "rtsps"):
        return LibavSource(url, username, password, clock, audio=audio)
    target = Target(
        url, username, password, Transport(transport), ca_file=ca_file, audio=audio, allow_basic=allow_basic
    )
    return RtspSource(target, clock)


def probe(source: Source, clock: Clock) -> ProbeResult:
    """Connect, look at some pictures, and leave.

    Raises:
        SourceError: one of its kinds.
    """
    try:
        track = source.open()
        pictures = _look(source, clock)
        width, height = _size(track, pictures[0])
        return ProbeResult(
            track.codec,
            width,
            height,
            _rate(pictures),
            track.left_out,
            _key_interval(pictures),
            _offset(pictures),
            _bitrate(pictures),
        )
    finally:
        source.release()


def packets(source: Source, clock: Clock) -> Iterator[Packet]:
    """Pictures as they arrive, for who has nothing else to do; ends with the error that ends the session."""
    never = Event()
    while True:
        yield from source.take()
        clock.wait(never, READ_TICK_S)


def _look(source: Source, clock: Clock) -> list[Packet]:
    """The first key picture and what follows it for a while."""
    begun_us = clock.read().mono_us
    found: list[Packet] = []
    try:
        for packet in packets(source, clock):
            if found or packet.is_key:
                found.append(packet)
            if found and packet.arrived.mono_us - found[0].arrived.mono_us > PROBE_US:
                break
            if not found and packet.arrived.mono_us - begun_us > PROBE_PATIENCE_US:
                raise SourceSilent("The camera sends pictures, but none that decoding can begin with: shorten its GOP.")
    except SourceEnded:
        if not found:  # a film that was played to its end was seen all the same
            raise
    return found


def _size(track: Track, key: Packet) -> tuple[int, int]:
    sets = () if parameter_sets(key.data, track.codec) else track.sets
    try:
        with av.open(io.BytesIO(with_sets(sets, key.data)), format=_FORMATS[track.codec]) as container:
            video = container.streams.video[0]
            return video.width, video.height
    except av.error.FFmpegError as err:
        raise SourceInvalid("The camera's first picture cannot be read.") from err


def _key_interval(pictures: list[Packet]) -> float | None:
    keys = [one.pts for one in pictures if one.is_key and one.pts is not None]
    return None if len(keys) < 2 else round((keys[1] - keys[0]) / TICKS_PER_S, 2)


def _bitrate(pictures: list[Packet]) -> int | None:
    """Bits of pictures a second, over whole groups of them where there are any: key pictures are the large ones."""
    keys = [at for at, one in enumerate(pictures) if one.is_key]
    last = keys[-1] if len(keys) > 1 else len(pictures) - 1
    begun, ended = pictures[0].pts, pictures[last].pts
    if begun is None or ended is None or ended <= begun:
        return None
    bits = 8 * sum(len(one.data) for one in pictures[:last])
    return round(bits * TICKS_PER_S / (ended - begun))


def _offset(pictures: list[Packet]) -> float | None:
    told = [one.clock_offset_us for one in pictures if one.clock_offset_us is not None]
    return round(told[-1] / SECOND_US, 3) if told else None


def _rate(pictures: list[Packet]) -> float | None:
    """Pictures a second by the camera's own time stamps; None where they do not tell."""
    stamps = [one.pts for one in pictures if one.pts is not None]
    if len(stamps) < 2 or max(stamps) <= min(stamps):
        return None
    return round((len(stamps) - 1) * TICKS_PER_S / (max(stamps) - min(stamps)), 2)
