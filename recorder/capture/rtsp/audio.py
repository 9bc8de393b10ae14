"""The sound of an RTSP camera: which tracks can be recorded and as what, and frames in the pictures' time. Pure.

AAC and Opus are stored as they come. G.711 is stored as 16-bit samples, in frames of FLAC (ADR 10).
"""

from __future__ import annotations

import binascii
from collections import deque
from collections.abc import Iterable
from typing import Literal

from recorder.capture import flac
from recorder.capture.rtp import aac
from recorder.capture.rtp.alignment import Alignment
from recorder.capture.rtp.g711 import G711Depacketiser
from recorder.capture.rtp.opus import RATE_HZ as OPUS_RATE_HZ
from recorder.capture.rtp.opus import OpusDepacketiser, duration_samples, opus_head
from recorder.capture.rtp.units import AccessUnit, Depacketiser
from recorder.capture.rtsp.sdp import MediaDescription
from recorder.capture.source import AudioFrame, AudioTrack
from recorder.store.records import AudioCodec

OPUS_CHANNELS = 2
"""RFC 7587, 7: `opus/48000/2`, always; a mono packet plays on both."""

WAITING_LIMIT_FRAMES = 600
WAITING_LIMIT_BYTES = 512 * 1024
"""Sound that waits for a picture, or to be placed: ten seconds at 60 frames a second. Older sound goes first."""

_LAWS: dict[str, Literal["pcma", "pcmu"]] = {"PCMA": "pcma", "PCMU": "pcmu"}


def audio_track(media: MediaDescription) -> AudioTrack | None:
    """What a track would be stored as; None: it is no sound, or none that can be recorded."""
    if media.kind != "audio":
        return None
    if media.encoding == "MPEG4-GENERIC":
        return _aac_track(media)
    if media.encoding == "OPUS":
        return AudioTrack(AudioCodec.OPUS, OPUS_RATE_HZ, OPUS_CHANNELS, opus_head(OPUS_CHANNELS))
    fits = 0 < media.clock_rate_hz <= flac.RATE_MOST_HZ and 0 < media.channels <= flac.CHANNELS_MOST
    if media.encoding in _LAWS and fits:
        info = flac.stream_info(media.clock_rate_hz, media.channels)
        return AudioTrack(AudioCodec.FLAC, media.clock_rate_hz, media.channels, info)
    return None


def depacketiser_of(media: MediaDescription) -> Depacketiser:
    """For a track that `audio_track` knows."""
    if media.encoding == "OPUS":
        return OpusDepacketiser()
    if media.encoding in _LAWS:
        return G711Depacketiser(_LAWS[media.encoding])
    config = aac.parse_config(_aac_config(media))
    assert config is not None, "a track that cannot be recorded"
    return aac.AacDepacketiser(config, media.clock_rate_hz, media.fmtp)


class AudioIntake:
    """One audio track on its way to the pictures it belongs to."""

    def __init__(self, media: MediaDescription, track: AudioTrack) -> None:
        self._media = media
        self.track = track
        self._alignment = Alignment(track.rate_hz)
        self._frame_samples = 0
        config = aac.parse_config(track.config) if track.codec is AudioCodec.AAC else None
        if config is not None:
            self._frame_samples = config.frame_samples * track.rate_hz // config.rate_hz
        self._waiting: deque[tuple[bytes, int, int]] = deque()
        self._waiting_bytes = 0
        self.dropped = 0
        """Frames that could not be understood, or that waited too long."""

    def came(self, units: Iterable[AccessUnit], arrived_us: int) -> None:
        """Sound came, at that monotonic time."""
        for unit in units:
            frame = None if unit.damaged else self._stored(unit)
            if frame is None:
                self.dropped += 1
                continue
            data, samples = frame
            sample = self._in_samples(unit.timestamp)
            self._alignment.sound(sample, arrived_us)
            self._waiting.append((data, sample, samples))
            self._waiting_bytes += len(data)
        while len(self._waiting) > WAITING_LIMIT_FRAMES or self._waiting_bytes > WAITING_LIMIT_BYTES:
            self._waiting_bytes -= len(self._waiting.popleft()[0])
            self.dropped += 1

    def reports(self, picture: tuple[int, int] | None, sound: tuple[int, int] | None) -> None:
        """What the camera reported: its clock in microseconds, and where the track stood then; of pictures in ticks."""
        self._alignment.reports(picture, None if sound is None else (sound[0], self._in_samples(sound[1])))

    def picture(self, ticks: int | None, arrived_us: int) -> tuple[AudioFrame, ...]:
        """A picture came, to be shown at `ticks`: the sound that goes on with it."""
        if ticks is not None:
            self._alignment.picture(ticks, arrived_us)
        if not self._waiting or not self._alignment.is_settled():
            return ()
        self._alignment.settle()
        place = self._alignment.place
        frames = tuple(AudioFrame(data, place(sample), samples) for data, sample, samples in self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return frames

    def _in_samples(self, stamp: int) -> int:
        """By the rate that sound is stored at, which is that of the track's clock, or should be."""
        clock_rate_hz = self._media.clock_rate_hz
        return stamp if clock_rate_hz == self.track.rate_hz else stamp * self.track.rate_hz // clock_rate_hz

    def _stored(self, unit: AccessUnit) -> tuple[bytes, int] | None:
        """A frame as it is stored, and how many samples it has; None: it is none."""
        if self.track.codec is AudioCodec.FLAC:
            channels = self.track.channels
            frame = flac.verbatim_frame(unit.data, channels, unit.timestamp)
            return None if frame is None else (frame, len(unit.data) // 2 // channels)
        if self.track.codec is AudioCodec.OPUS:
            return unit.data, duration_samples(unit.data)
        return unit.data, self._frame_samples


def _aac_track(media: MediaDescription) -> AudioTrack | None:
    data = _aac_config(media)
    config = aac.parse_config(data)
    if config is None:
        return None
    # Under spectral band replication the clock counts what is played, twice as much; any other rate is a mistake.
    doubled = media.clock_rate_hz == 2 * config.rate_hz
    return AudioTrack(AudioCodec.AAC, config.rate_hz * (2 if doubled else 1), config.channels, data)


def _aac_config(media: MediaDescription) -> bytes:
    """As the camera tells it (RFC 3640, 4.1), or as its clock and channels let one suppose."""
    try:
        told = binascii.unhexlify(media.fmtp.get("config", "").strip('"'))
    except (binascii.Error, ValueError):
        told = b""
    return told or aac.config_for(media.clock_rate_hz, media.channels) or b""
