"""Sound by way of libav: from files as other programs write them."""

import io
import itertools
from fractions import Fraction
from pathlib import Path
from threading import Event

import av
import pytest

from config.clock import SystemClock
from recorder.capture.libav import LibavSource
from recorder.capture.libavaudio import WAITING_LIMIT_FRAMES, audio_of
from recorder.capture.rtp.aac import config_for
from recorder.capture.rtp.g711 import A_LAW
from recorder.capture.source import Packet, Track
from recorder.errors import SourceEnded
from recorder.store.records import AudioCodec, CodecName
from tests.fakes.sound import encoded, g711, samples
from tests.fakes.video import access_units

SECONDS = 4


def film(folder: Path, name: str, encoder: str, rate_hz: int) -> Path:
    """A file with pictures and sound, by libav's own encoders."""
    path = folder / name
    with av.open(str(path), "w") as out:
        picture = out.add_stream_from_template(
            av.open(io.BytesIO(access_units(CodecName.H264, 50, 10)[0][0]), format="h264").streams.video[0]
        )
        sound = out.add_stream(encoder, rate=rate_hz, layout="mono")
        resampler = av.AudioResampler(sound.format.name, "mono", rate_hz, frame_size=sound.frame_size or 160)
        tone = av.AudioFrame.from_ndarray(samples(rate_hz, SECONDS)[None, :], "s16", "mono")
        tone.sample_rate = rate_hz
        sounds = [packet for frame in resampler.resample(tone) for packet in sound.encode(frame)]
        for n, (data, is_key) in enumerate(access_units(CodecName.H264, 25 * SECONDS, 10)):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = picture, Fraction(1, 25), is_key
            packet.dts = packet.pts = n
            while sounds and float((sounds[0].pts or 0) * sounds[0].time_base) <= n / 25:
                out.mux(sounds.pop(0))
            out.mux(packet)
    return path


def read(path: Path, *, audio: bool = True) -> tuple[Track, list[Packet]]:
    """All that comes of a file."""
    source, found, turn = LibavSource(f"file://{path}", None, None, SystemClock(), audio=audio), [], Event()
    track = source.open()
    try:
        for _ in range(2000):
            found += source.take()
            turn.wait(0.002)
    except SourceEnded:
        return track, found
    finally:
        source.release()
    raise AssertionError("the file has no end")


@pytest.mark.parametrize(
    ("name", "encoder", "rate_hz", "codec"),
    [
        ("film.mp4", "aac", 16_000, AudioCodec.AAC),
        ("film.ts", "aac", 16_000, AudioCodec.AAC),  # behind headers of ADTS, and no configuration told
        ("film.mkv", "libopus", 48_000, AudioCodec.OPUS),
        ("film.mov", "pcm_alaw", 8000, AudioCodec.FLAC),
        ("film.mov", "pcm_mulaw", 8000, AudioCodec.FLAC),
    ],
)
def test_sound_of_a_file(tmp_path: Path, name: str, encoder: str, rate_hz: int, codec: AudioCodec) -> None:
    """It rides with its pictures, at their times, one frame behind the other; the pictures are all there."""
    track, found = read(film(tmp_path, name, encoder, rate_hz))

    assert track.audio is not None
    assert (track.audio.codec, track.audio.rate_hz, track.audio.channels) == (codec, rate_hz, 1)
    assert track.left_out == ()
    assert len(found) == 25 * SECONDS
    assert [one.is_key for one in found[:11]] == [True] + [False] * 9 + [True]
    frames = [frame for one in found for frame in one.audio]
    assert sum(frame.samples for frame in frames) / rate_hz > SECONDS - 0.5
    steps = [after.at - before.at - before.samples for before, after in itertools.pairwise(frames)]
    assert all(abs(step) <= rate_hz // 1000 for step in steps)
    assert abs(frames[0].at / rate_hz - (found[0].pts or 0) / 90_000) < 0.1
    assert all(abs(one.audio[-1].at / rate_hz - (one.pts or 0) / 90_000) < 0.5 for one in found if one.audio)
    assert not any(frame.data[:2] == b"\xff\xf1" for frame in frames)


def test_sound_that_nobody_wants_is_left_out(tmp_path: Path) -> None:
    """And named."""
    track, found = read(film(tmp_path, "film.mp4", "aac", 16_000), audio=False)

    assert (track.audio, track.left_out) == (None, ("audio (aac)",))
    assert not any(one.audio for one in found)


def test_sound_of_another_kind_is_left_out(tmp_path: Path) -> None:
    """MP2, as radio has it."""
    track, _ = read(film(tmp_path, "film.ts", "mp2", 16_000))

    assert (track.audio, track.left_out) == (None, ("audio (mp2)",))


def test_frames_of_a_stream_come_out_as_they_are(tmp_path: Path) -> None:
    """AAC by itself, behind ADTS headers: the frames are those of the encoder."""
    _, frames, size = encoded("aac", 16_000, 2.0)
    path = tmp_path / "sound.aac"
    with av.open(str(path), "w", format="adts") as out:
        stream = out.add_stream("aac", rate=16_000, layout="mono")
        for n, frame in enumerate(frames):
            packet = av.Packet(frame)
            packet.stream, packet.time_base = stream, Fraction(1, 16_000)
            packet.dts = packet.pts = n * size
            out.mux(packet)
    with av.open(str(path)) as container:
        sound = audio_of(container.streams.audio[0])
        assert sound is not None
        assert sound.track.config == config_for(16_000, 1)
        for packet in container.demux():
            if packet.size:
                sound.came(packet)

    out_ = sound.take()
    assert [frame.data for frame in out_] == list(frames)
    assert [frame.at for frame in out_] == [n * size for n in range(len(frames))]
    assert sound.take() == ()


def test_sound_that_waits_for_pictures_is_bounded(tmp_path: Path) -> None:
    """The oldest goes first; what has no time is left out."""
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_alaw", rate=8000, layout="mono")
        for n, data in enumerate(g711(1.0)):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 8000)
            packet.dts = packet.pts = n * 160
            out.mux(packet)
    with av.open(str(path)) as container:
        sound = audio_of(container.streams.audio[0])
        assert sound is not None
        packet = next(container.demux())
        packet.pts = None
        sound.came(packet)
        assert sound.take() == ()
        for n in range(WAITING_LIMIT_FRAMES + 7):
            packet.pts = n
            sound.came(packet)

    frames = sound.take()
    assert len(frames) == WAITING_LIMIT_FRAMES
    assert frames[0].at == 7
    first = A_LAW[g711(1.0)[0][0]] & 0xFFFF
    assert frames[0].data[frames[0].data.index(b"\x02", 6) + 1 :][:2] == first.to_bytes(2, "big")
