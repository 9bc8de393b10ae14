"""What parameter sets say of the order of pictures."""

from functools import cache

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.nal import parameter_sets
from recorder.capture.rtp.stamps import Stamps
from recorder.capture.sps import DEPTH_MOST, reorder_depth
from recorder.store.records import CodecName
from tests.fakes.video import access_units

ENCODERS = {CodecName.H264: ("libx264", "x264-params"), CodecName.H265: ("libx265", "x265-params")}


@cache
def swapped(codec: CodecName, parameters: str) -> tuple[tuple[bytes, int, int], ...]:
    """Pictures of an encoder so told, in the order of decoding: data, decode and presentation time."""
    name, key = ENCODERS[codec]
    encoder = VideoCodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = 160, 128, "yuv420p"
    encoder.framerate = 25  # type: ignore[assignment] # an int does
    encoder.options = {
        "preset": "veryfast",
        key: f"log-level=none:keyint=25:{parameters}" if "265" in name else f"keyint=25:{parameters}",
    }
    chance, packets = np.random.default_rng(1), []
    for index in range(60):
        picture = np.roll(chance.integers(0, 255, (128, 160, 3), np.uint8) // 8 + index, index, axis=1).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = index
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return tuple((bytes(one), int(one.dts or 0), int(one.pts or 0)) for one in packets)


CASES = [
    (CodecName.H264, "bframes=0", 0),
    (CodecName.H264, "bframes=2:b-pyramid=none:b-adapt=0", 1),
    (CodecName.H264, "bframes=4:b-pyramid=normal:b-adapt=0:nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500", 2),
    (CodecName.H264, "bframes=2:b-adapt=0:cqm=jvt", 1),
    (CodecName.H265, "bframes=0", 0),
    (CodecName.H265, "bframes=3:b-pyramid=0:b-adapt=0", 1),
    (CodecName.H265, "bframes=4:b-pyramid=1:b-adapt=0", 2),
]


@pytest.mark.parametrize(("codec", "parameters", "least"), CASES)
def test_quirk_8_pictures_in_another_order_than_they_are_shown(codec: CodecName, parameters: str, least: int) -> None:
    """The sets tell it; from the first picture on decode times rise, and none lies behind its showing."""
    shots = swapped(codec, parameters)
    depth = reorder_depth(parameter_sets(shots[0][0], codec), codec)
    assert depth is not None
    assert least <= depth <= least + 1

    stamps = Stamps(90_000)
    stamps.expect(depth)
    found = [stamps.take(pts * 3600, 0) for _, _, pts in shots]
    assert stamps.depth == depth
    times = [dts for dts, _ in found if dts is not None]
    assert len(times) == len(shots)
    assert times == sorted(set(times))
    assert all(dts is not None and pts is not None and dts <= pts for dts, pts in found)


def test_sets_that_say_nothing() -> None:
    """None at all, other units, sets that are cut off."""
    shots = swapped(*CASES[2][:2])
    sets = parameter_sets(shots[0][0], CodecName.H264)

    assert reorder_depth((), CodecName.H264) is None
    assert reorder_depth(sets[1:], CodecName.H264) is None
    assert all(reorder_depth((sets[0][:length],), CodecName.H264) is None for length in range(len(sets[0]) - 3))


def test_pictures_that_stand_by_themselves() -> None:
    """JPEG pictures are shown as they come, whatever their headers look like."""
    assert reorder_depth(parameter_sets(access_units(CodecName.MJPEG)[0][0], CodecName.MJPEG), CodecName.MJPEG) == 0


@given(st.binary(max_size=300), st.sampled_from(list(CodecName)))
def test_any_bytes(data: bytes, codec: CodecName) -> None:
    """A depth that can be, or none."""
    head = b"\x67" if codec is CodecName.H264 else b"\x42\x01"
    found = reorder_depth((head + data,), codec)

    assert found is None or 0 <= found <= DEPTH_MOST
