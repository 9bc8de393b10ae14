"""What libav is told of sound: exactly what the camera said."""

import av
import pytest

from recorder.capture import flac
from recorder.capture.rtp.opus import opus_head
from recorder.capture.source import AudioTrack
from recorder.capture.template import open_template
from recorder.store.records import AudioCodec

TRACKS = [
    AudioTrack(AudioCodec.AAC, 16_000, 1, b"\x14\x08"),
    AudioTrack(AudioCodec.AAC, 48_000, 2, b"\x11\x90"),
    AudioTrack(AudioCodec.OPUS, 48_000, 2, opus_head(2)),
    AudioTrack(AudioCodec.FLAC, 8000, 1, flac.stream_info(8000, 1)),
    AudioTrack(AudioCodec.FLAC, 16_000, 8, flac.stream_info(16_000, 8)),
]


@pytest.mark.parametrize("track", TRACKS, ids=lambda one: f"{one.codec}-{one.rate_hz}")
def test_a_stream_is_described_as_it_was_told(track: AudioTrack) -> None:
    """Codec, rate, channels, and the configuration byte for byte."""
    container, stream = open_template(track)
    context = stream.codec_context

    assert (context.name, context.sample_rate, context.channels) == (track.codec.value, track.rate_hz, track.channels)
    assert bytes(context.extradata or b"") == track.config
    container.close()


@pytest.mark.parametrize("track", TRACKS, ids=lambda one: f"{one.codec}-{one.rate_hz}")
def test_a_configuration_of_any_bytes(track: AudioTrack) -> None:
    """Either there is a stream, or libav refuses it; there is no third."""
    for config in (b"", b"\xff", track.config[:-1], track.config + b"\x00" * 40, bytes(3000)):
        try:
            container, _ = open_template(AudioTrack(track.codec, track.rate_hz, track.channels, config))
        except av.error.FFmpegError:
            continue
        container.close()
