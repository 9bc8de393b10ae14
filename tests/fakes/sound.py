"""Real sound, made on the spot: AAC and Opus by PyAV, G.711 by arithmetic; every frame different."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

from recorder.capture import flac
from recorder.capture.rtp.g711 import G711Depacketiser
from recorder.capture.rtp.opus import opus_head
from recorder.capture.source import AudioFrame, AudioTrack, Packet
from recorder.capture.timeline import TICKS_PER_S
from recorder.store.records import AudioCodec

TONE_HZ = 440


def samples(rate_hz: int, seconds: float) -> np.ndarray:
    """A tone that grows higher, 16 bits."""
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    return (np.sin(2 * np.pi * (TONE_HZ + 40 * at) * at) * 9000).astype(np.int16)


@lru_cache(maxsize=8)
def encoded(codec: str, rate_hz: int, seconds: float, channels: int = 1) -> tuple[bytes, tuple[bytes, ...], int]:
    """Configuration, frames, and how many samples each has; `codec` is an encoder of libav."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout = rate_hz, "mono" if channels == 1 else "stereo"
    encoder.format, encoder.time_base = ("fltp" if codec == "aac" else "s16"), Fraction(1, rate_hz)
    encoder.open()
    size, tone, frames = encoder.frame_size, samples(rate_hz, seconds), list[bytes]()
    for at in range(0, len(tone) - size + 1, size):
        part = tone[at : at + size]
        if codec == "aac":
            picture = np.repeat((part / 32768).astype(np.float32)[None, :], channels, 0)
        else:
            picture = np.repeat(part, channels)[None, :]
        frame = av.AudioFrame.from_ndarray(picture, encoder.format.name, encoder.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
        frames += [bytes(packet) for packet in encoder.encode(frame)]
    return bytes(encoder.extradata or b""), tuple(frames), size


def g711(seconds: float, law: str = "pcma", size: int = 160) -> tuple[bytes, ...]:
    """Packets of A-law or mu-law, 8000 a second."""
    encoder = av.CodecContext.create("pcm_alaw" if law == "pcma" else "pcm_mulaw", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    encoder.time_base = Fraction(1, 8000)
    encoder.open()
    tone, packets = samples(8000, seconds), list[bytes]()
    for at in range(0, len(tone) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(tone[None, at : at + size], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, at, Fraction(1, 8000)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(packets)


@dataclass(frozen=True)
class Sound:
    """A track of sound, as it is stored."""

    track: AudioTrack
    frames: Sequence[bytes]
    samples: int
    """Of each frame."""


def sound_of(codec: AudioCodec, seconds: float) -> Sound:
    """Some seconds of sound."""
    if codec is AudioCodec.AAC:
        config, frames, size = encoded("aac", 16_000, seconds)
        return Sound(AudioTrack(codec, 16_000, 1, config), frames, size)
    if codec is AudioCodec.OPUS:
        _, frames, size = encoded("libopus", 48_000, seconds)
        return Sound(AudioTrack(codec, 48_000, 1, opus_head(1)), frames, size)
    opened = (G711Depacketiser("pcma").feed(memoryview(one), 0, False)[0].data for one in g711(seconds))
    frames = tuple(flac.verbatim_frame(one, 1, 160 * n) or b"" for n, one in enumerate(opened))
    return Sound(AudioTrack(codec, 8000, 1, flac.stream_info(8000, 1)), frames, 160)


def beside(
    pictures: Iterable[Packet], sound: Sound, heard: Callable[[float], bool] = lambda at_s: True
) -> Iterator[Packet]:
    """Pictures with the sound of the time since the one before; `heard`: whether there is any at that second."""
    rate_hz, told, begun = sound.track.rate_hz, 0, 0
    for index, packet in enumerate(pictures):
        dts = packet.dts or 0
        begun = dts if index == 0 else begun
        upto = (dts - begun) * rate_hz // TICKS_PER_S
        frames = []
        while told < len(sound.frames) and (told + 1) * sound.samples <= upto:
            at = told * sound.samples
            if heard(at / rate_hz):
                frames.append(AudioFrame(sound.frames[told], begun * rate_hz // TICKS_PER_S + at, sound.samples))
            told += 1
        yield packet._replace(audio=tuple(frames), audio_lost=0)
