"""The sound of a camera that libav reads: as what it is stored, and frames in the pictures' time, which libav minds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

from av.audio.stream import AudioStream
from av.packet import Packet as AvPacket

from recorder.capture import flac
from recorder.capture.rtp import aac
from recorder.capture.rtp.g711 import G711Depacketiser
from recorder.capture.rtp.opus import RATE_HZ as OPUS_RATE_HZ
from recorder.capture.rtp.opus import OpusDepacketiser, duration_samples, opus_head
from recorder.capture.rtp.units import AccessUnit, Depacketiser
from recorder.capture.source import AudioFrame, AudioTrack
from recorder.store.records import AudioCodec

WAITING_LIMIT_FRAMES = 600
"""Sound that waits for a picture: ten seconds at 60 frames a second. Older sound goes first."""

_LAWS: dict[str, Literal["pcma", "pcmu"]] = {"pcm_alaw": "pcma", "pcm_mulaw": "pcmu"}


class LibavAudio:
    """One audio stream."""

    def __init__(self, stream: AudioStream, track: AudioTrack, depacketiser: Depacketiser | None) -> None:
        """`depacketiser`: takes off what is not stored, and opens up what is stored otherwise."""
        self.stream = stream
        self.track = track
        self._depacketiser = depacketiser
        self._waiting: deque[AudioFrame] = deque(maxlen=WAITING_LIMIT_FRAMES)
        config = aac.parse_config(track.config) if track.codec is AudioCodec.AAC else None
        self._frame_samples = 0 if config is None else config.frame_samples * track.rate_hz // config.rate_hz

    def came(self, packet: AvPacket[AudioStream]) -> None:
        """Sound came."""
        if packet.pts is None:
            return
        at = round(packet.pts * packet.time_base * self.track.rate_hz)
        for unit in self._units(bytes(packet), at):
            frame = None if unit.damaged else self._frame(unit)
            if frame is not None:
                self._waiting.append(frame)

    def take(self) -> tuple[AudioFrame, ...]:
        """What has come since it was last asked."""
        frames = tuple(self._waiting)
        self._waiting.clear()
        return frames

    def _units(self, data: bytes, at: int) -> Sequence[AccessUnit]:
        if self._depacketiser is None or (self.track.codec is AudioCodec.AAC and not aac.is_adts(data)):
            return (AccessUnit(data, at, True, False),)
        return self._depacketiser.feed(memoryview(data), at, True)

    def _frame(self, unit: AccessUnit) -> AudioFrame | None:
        if self.track.codec is AudioCodec.FLAC:
            data = flac.verbatim_frame(unit.data, self.track.channels, max(unit.timestamp, 0))
            count = len(unit.data) // 2 // self.track.channels
            return None if data is None else AudioFrame(data, unit.timestamp, count)
        samples = duration_samples(unit.data) if self.track.codec is AudioCodec.OPUS else self._frame_samples
        return AudioFrame(unit.data, unit.timestamp, samples)


def audio_of(stream: AudioStream) -> LibavAudio | None:
    """A stream's sound; None: it cannot be recorded."""
    context = stream.codec_context
    rate_hz, channels, extradata = context.sample_rate, context.channels, bytes(context.extradata or b"")
    if not rate_hz or not 0 < channels <= flac.CHANNELS_MOST:
        return None
    name = context.name
    if name == "aac":
        told = extradata or aac.config_for(rate_hz, channels) or b""
        config = aac.parse_config(told)
        if config is None:
            return None
        # Under spectral band replication libav counts what is played.
        played_hz = config.rate_hz * (2 if rate_hz == 2 * config.rate_hz else 1)
        depacketiser = aac.AacDepacketiser(config, played_hz, {})
        return LibavAudio(stream, AudioTrack(AudioCodec.AAC, played_hz, config.channels, told), depacketiser)
    if name in ("opus", "libopus"):
        head = extradata if extradata.startswith(b"OpusHead") else opus_head(channels)
        return LibavAudio(stream, AudioTrack(AudioCodec.OPUS, OPUS_RATE_HZ, channels, head), OpusDepacketiser())
    if name in _LAWS:
        track = AudioTrack(AudioCodec.FLAC, rate_hz, channels, flac.stream_info(rate_hz, channels))
        return LibavAudio(stream, track, G711Depacketiser(_LAWS[name]))
    return None
