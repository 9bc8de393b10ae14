"""Real video, made on the spot: H.264, H.265 and MJPEG by PyAV, every picture different."""

from __future__ import annotations

import io
from functools import lru_cache

import av
import numpy as np

from recorder.store.records import CodecName

WIDTH, HEIGHT = 160, 120
_ENCODERS = {
    CodecName.H264: ("libx264", "h264"),
    CodecName.H265: ("libx265", "hevc"),
    CodecName.MJPEG: ("mjpeg", "mjpeg"),
}
_QUIET = {
    "libx264": {"x264-params": "scenecut=0:bframes=0", "preset": "ultrafast"},
    "libx265": {"x265-params": "log-level=none:scenecut=0:bframes=0", "preset": "ultrafast"},
    "mjpeg": {"huffman": "default"},  # the codes that RTP leaves out
}


@lru_cache(maxsize=16)
def access_units(
    codec: CodecName = CodecName.H264,
    frames: int = 50,
    gop: int = 10,
    width: int = WIDTH,
    height: int = HEIGHT,
    grain: int = 0,
) -> tuple[tuple[bytes, bool], ...]:
    """`frames` access units in Annex B with whether each is a key picture; parameter sets before every key picture.

    `grain` is the strength of noise in the pictures (0 to 127): without it they have a few hundred bytes each.
    """
    chance = np.random.default_rng(0)
    name, container_format = _ENCODERS[codec]
    buffer = io.BytesIO()
    out = av.open(buffer, "w", format=container_format)
    stream = out.add_stream(name, rate=25, options=_QUIET[name])
    stream.width, stream.height, stream.gop_size = width, height, gop
    stream.pix_fmt = "yuvj420p" if codec is CodecName.MJPEG else "yuv420p"
    for n in range(frames):
        picture = np.full((height, width, 3), (n * 7) % 256, np.uint8)
        picture[:, (n * 3) % width] = 255
        if grain:
            picture = picture // 2 + chance.integers(0, grain, picture.shape, np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    out.mux(stream.encode())
    out.close()
    with av.open(io.BytesIO(buffer.getvalue()), format=container_format) as source:
        return tuple((bytes(one), one.is_keyframe) for one in source.demux(video=0) if one.size)
