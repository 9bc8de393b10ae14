"""A picture as a JPEG, decoded from one key picture. Bytes in, bytes out.

What a camera sends may be made to break a decoder: this runs in a process of its own (`appliance.wiring.decoder`),
never in one that records or commits.
"""

from __future__ import annotations

import av
from av.video.codeccontext import VideoCodecContext

from recorder.errors import StillUnavailable

EDGE_LIMIT = 16_384
"""No camera's picture is wider or higher; more is a parameter set that was made to exhaust memory."""

QUALITY = 3
"""libav's scale from 2 (best) to 31."""

_DECODERS = {"h264": "h264", "h265": "hevc", "mjpeg": "mjpeg"}

av.logging.set_level(None)


def jpeg_of(codec: str, data: bytes) -> bytes:
    """The first picture in `data` (Annex B, with its parameter sets) as a JPEG.

    Raises:
        StillUnavailable: it cannot be decoded.
    """
    try:
        return _encoded(_decoded(codec, data))
    except (av.error.FFmpegError, MemoryError, KeyError) as err:
        raise StillUnavailable("The camera's newest key picture cannot be decoded.") from err


def _decoded(codec: str, data: bytes) -> av.VideoFrame:
    decoder = VideoCodecContext.create(_DECODERS[codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    if not frames or max(frames[0].width, frames[0].height) > EDGE_LIMIT:
        raise StillUnavailable("The camera's newest key picture cannot be decoded.")
    return frames[0]


def _encoded(frame: av.VideoFrame) -> bytes:
    encoder = VideoCodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.framerate = 1  # type: ignore[assignment]  # an int does
    encoder.qmin = encoder.qmax = QUALITY
    picture = frame.reformat(format="yuvj420p")
    picture.pts = 0
    return b"".join(bytes(one) for one in [*encoder.encode(picture), *encoder.encode(None)])
