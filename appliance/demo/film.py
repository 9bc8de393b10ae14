"""What the demonstration camera shows: a moving picture with a burnt-in clock, encoded as H.264.

`draw` is a function of the instant alone, so a picture can be made again in a test. The encoder keeps no B-frames and
looks at no later frame: what goes in comes out at once, as from a camera. Left to others: when a frame is due, and who
gets it (`appliance.demo.server`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol
from zoneinfo import ZoneInfo

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from appliance.demo.rtp import nal_units, payloads
from config.times import SECOND_US, to_datetime

WIDTH, HEIGHT = 640, 360
FRAMES_PER_S = 10
GOP_FRAMES = 10
"""A key frame each second: the box may cut, and a viewer may begin, within a second."""

RTP_TICKS_PER_S = 90_000
"""RFC 6184 clause 8.2.1: the clock of H.264 over RTP."""

PAYLOAD_TYPE = 96
"""The first dynamic payload type (RFC 3551 clause 6)."""

SWEEP_US = 6 * SECOND_US
"""How long the bar takes to cross the picture: slow enough to look calm, fast enough that a frozen picture shows."""

_SPS, _PPS = 7, 8
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SAND, _CLAY, _INK, _WHITE = (196, 214, 226), (88, 122, 201), (52, 42, 38), (255, 255, 255)


@dataclass(frozen=True)
class Frame:
    """One access unit, cut into what fits into packets."""

    payloads: tuple[bytes, ...]
    is_key: bool


class Film(Protocol):
    """What a server can show: one video (or audio) track without end."""

    @property
    def media_lines(self) -> tuple[str, ...]:
        """The media section of the SDP (RFC 8866): ``m=`` and its attributes, without ``a=control``."""
        ...

    @property
    def frames_per_s(self) -> int:
        """How many frames are due in a second."""
        ...

    @property
    def ticks_per_s(self) -> int:
        """The RTP clock of the track."""
        ...

    @property
    def payload_type(self) -> int:
        """The RTP payload type, as the SDP names it."""
        ...

    def next(self, utc_us: int) -> Frame:
        """The frame that shows the instant `utc_us`."""
        ...


def draw(utc_us: int, zone: ZoneInfo, title: str) -> NDArray[np.uint8]:
    """The picture at an instant, as BGR rows: a bar sweeping over a ground, and the time in UTC and in `zone`."""
    picture = _GROUND.copy()
    bar = round(utc_us % SWEEP_US / SWEEP_US * (WIDTH + 80)) - 40
    cv2.rectangle(picture, (bar - 40, 60), (bar + 40, HEIGHT - 20), _CLAY, thickness=-1)
    height = round(abs(utc_us % (2 * SECOND_US) / SECOND_US - 1) * 120)
    cv2.circle(picture, (WIDTH // 2, HEIGHT - 50 - height), 24, _INK, thickness=-1)
    moment = to_datetime(utc_us)
    local = moment.astimezone(zone)
    cv2.rectangle(picture, (0, 0), (WIDTH, 56), _INK, thickness=-1)
    cv2.putText(
        picture, f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 100_000} UTC", (10, 23), _FONT, 0.7, _WHITE
    )
    cv2.putText(picture, f"{local:%Y-%m-%d %H:%M:%S} {zone.key}   {title}", (10, 47), _FONT, 0.55, _SAND)
    return picture


def _ground() -> NDArray[np.uint8]:
    """What does not move: a soft slope of colour, drawn once."""
    slope = np.linspace(0.75, 1.0, HEIGHT)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(slope * np.array(_SAND), (HEIGHT, WIDTH, 3))).astype(np.uint8)


_GROUND = _ground()


class ClockFilm:
    """The demonstration camera's own film. Not thread-safe: one caller at a time.

    Args:
        zone: whose local time is burnt in beside UTC.
        title: burnt in behind the time, ASCII (the font has nothing else).
    """

    frames_per_s = FRAMES_PER_S
    ticks_per_s = RTP_TICKS_PER_S
    payload_type = PAYLOAD_TYPE

    def __init__(self, zone: ZoneInfo, title: str = "demo") -> None:
        self._zone = zone
        self._title = title
        self._encoder = _encoder()
        self._count = 0
        # The parameter sets are known only once something was encoded; the same settings give the same ones.
        self._media_lines = _media_lines(_encode(_encoder(), draw(0, zone, title), 0))

    @property
    def media_lines(self) -> tuple[str, ...]:
        """RFC 6184 clause 8.2.1, with the parameter sets, so that a client knows the size before the first frame."""
        return self._media_lines

    def next(self, utc_us: int) -> Frame:
        """Draw and encode the next frame; every tenth is a key frame with its parameter sets before it."""
        is_key = self._count % GOP_FRAMES == 0
        unit = _encode(self._encoder, draw(utc_us, self._zone, self._title), self._count)
        self._count += 1
        return Frame(tuple(payloads(unit)), is_key)


def _encoder() -> VideoCodecContext:
    """x264, tuned to give each frame back at once and to cost little; one thread, for two would only wait."""
    encoder = VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate = Fraction(FRAMES_PER_S)
    encoder.gop_size = GOP_FRAMES
    encoder.thread_count = 1
    encoder.options = {
        "preset": "superfast",
        "tune": "zerolatency",
        "crf": "26",
        "x264-params": "scenecut=0:repeat-headers=1",
    }
    return encoder


def _encode(encoder: VideoCodecContext, picture: NDArray[np.uint8], count: int) -> bytes:
    """One picture in, one access unit (Annex B) out."""
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
    frame.pts = count
    return b"".join(bytes(packet) for packet in encoder.encode(frame))


def _media_lines(unit: bytes) -> tuple[str, ...]:
    sets = [nal for nal in nal_units(unit) if nal[0] & 0x1F in (_SPS, _PPS)]
    profile = sets[0][1:4].hex().upper()
    sprop = ",".join(base64.b64encode(nal).decode() for nal in sets)
    return (
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{RTP_TICKS_PER_S}",
        f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sprop}",
        f"a=framerate:{FRAMES_PER_S}",
    )
