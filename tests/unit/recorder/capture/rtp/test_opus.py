"""Opus packets, and how long they play."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.rtp.opus import PACKET_LIMIT_SAMPLES, OpusDepacketiser, duration_samples
from recorder.capture.rtp.units import AccessUnit


@pytest.mark.parametrize(
    ("configuration", "samples"),
    [(0, 480), (3, 2880), (11, 2880), (12, 480), (15, 960), (16, 120), (19, 960), (28, 120), (31, 960)],
)
def test_configurations(configuration: int, samples: int) -> None:
    """A frame is as long as table 2 of RFC 6716 says; two frames are twice as long."""
    assert duration_samples(bytes([configuration << 3, 0])) == samples
    assert duration_samples(bytes([configuration << 3 | 1, 0, 0])) == 2 * samples
    assert duration_samples(bytes([configuration << 3 | 2, 0, 0])) == 2 * samples


def test_frames_that_are_counted() -> None:
    """The second byte tells the number; none, none told, or more than 120 ms are no packet."""
    assert duration_samples(b"\xfb\x06") == 6 * 960
    assert duration_samples(b"\xfb\xc3") == 3 * 960
    assert [duration_samples(one) for one in (b"\xfb\x07", b"\xfb\x00", b"\xfb", b"")] == [0, 0, 0, 0]


@pytest.mark.parametrize("frame_ms", [5, 10, 20, 60])
def test_what_an_encoder_makes(frame_ms: int) -> None:
    """Packets of libopus come out as they went in, as long as the encoder was told to make them."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "s16"
    encoder.options = {"frame_duration": str(frame_ms)}
    encoder.open()
    count = 48 * frame_ms
    sound = (np.sin(np.arange(4 * count) / 20) * 9000).astype(np.int16)
    packets = []
    for index in range(4):
        frame = av.AudioFrame.from_ndarray(sound[None, index * count : (index + 1) * count], "s16", "mono")
        frame.sample_rate, frame.pts = 48_000, index * count
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    assert packets

    depacketiser = OpusDepacketiser()
    for index, packet in enumerate(packets):
        stamp = index * count
        assert depacketiser.feed(memoryview(packet), stamp, False) == (AccessUnit(packet, stamp, True, False),)
        assert duration_samples(packet) == count


def test_what_is_no_packet() -> None:
    """It is kept as it came, and called damaged; an empty payload is nothing."""
    depacketiser = OpusDepacketiser()
    depacketiser.lost()

    assert depacketiser.feed(memoryview(b"\xfb\x00"), 7, True) == (AccessUnit(b"\xfb\x00", 7, True, True),)
    assert depacketiser.feed(memoryview(b""), 8, True) == ()


@given(st.binary(max_size=100))
def test_any_bytes(payload: bytes) -> None:
    """Nothing is raised, no packet plays longer than one may, and every one comes out as it went in."""
    assert 0 <= duration_samples(payload) <= PACKET_LIMIT_SAMPLES
    out = OpusDepacketiser().feed(memoryview(payload), 0, False)
    assert b"".join(unit.data for unit in out) == payload
