"""What the simulated cameras show: 1080p25 of really 4 Mbit/s, encoded once, and cut into packets that loop for ever.

A film is made by x264 from a moving, noisy picture under a constant rate, so that neither a still scene nor an easy one
makes the work lighter than a real camera's; it is kept among the system's temporary files. A train is one turn of the
film as the bytes of an RTSP connection, each burst with its time. Every further turn has the same bytes with later
sequence numbers and time stamps, so that a recorder sees one camera that never starts anew.
"""

from __future__ import annotations

import base64
import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from appliance.demo.rtp import interleaved, nal_units, payloads, rtp_packet

TICKS_PER_S = 90_000
"""RFC 6184, 8.2.1: the clock of H.264 over RTP."""

PAYLOAD_TYPE = 96
SSRC = 0x43555354

PACKET_LIMIT_BYTES = 1400
RTP_HEADER_BYTES = 12

BURST_PACKETS = 3
BURST_STEP_US = 1500
"""How a network delivers a frame: about three packets at a time, a millisecond and a half apart."""

KEY, FIRST, LAST = 4, 2, 1
"""What a burst is to its frame: the beginning of a key frame, the beginning, the end."""

_SPS, _PPS, _IDR = 7, 8, 5
_NUMBER_AT = 4 + 2
"""Of a packet's sequence number behind the `$` mark of its interleaved frame; the time stamp follows it."""


@dataclass(frozen=True)
class Scene:
    """What is filmed. Two films of one scene are the same bytes."""

    width: int = 1920
    height: int = 1080
    frames_per_s: int = 25
    gop_frames: int = 50
    frames: int = 250
    """Of one turn: whole groups of pictures, so that a turn begins with a key frame."""
    bits_per_s: int = 4_000_000


@dataclass(frozen=True)
class Film:
    """One turn of a scene, encoded."""

    scene: Scene
    frames: tuple[bytes, ...]
    """Access units as Annex B has them; key frames carry their parameter sets."""

    @property
    def media_lines(self) -> tuple[str, ...]:
        """The media section of the SDP, with the parameter sets (RFC 6184, 8.2.1)."""
        sets = [nal for nal in nal_units(self.frames[0]) if nal[0] & 0x1F in (_SPS, _PPS)]
        told = ",".join(base64.b64encode(one).decode() for one in sets)
        return (
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
            f"a=rtpmap:{PAYLOAD_TYPE} H264/{TICKS_PER_S}",
            f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={sets[0][1:4].hex()};"
            f"sprop-parameter-sets={told}",
        )


@dataclass(frozen=True)
class Burst:
    """What is sent at once."""

    at_us: int
    """Since the beginning of the turn."""
    begin: int
    end: int
    """Bytes of the turn."""
    role: int
    """`KEY`, `FIRST`, `LAST`, or none of them, added up."""


class Train:
    """A film as bursts of interleaved packets."""

    def __init__(self, film: Film, burst_packets: int | None) -> None:
        """`burst_packets`: how many packets are sent at once; None: a whole frame."""
        rate = film.scene.frames_per_s
        self.turn_us = len(film.frames) * 1_000_000 // rate
        self.gop_us = film.scene.gop_frames * 1_000_000 // rate
        self._turn_ticks = len(film.frames) * TICKS_PER_S // rate
        data, numbers_at, ticks, bursts = bytearray(), [], [], []
        free_us = 0
        for index, frame in enumerate(film.frames):
            begins = [len(data)]
            for packet in _packets(frame):
                numbers_at.append(begins[-1] + _NUMBER_AT)
                ticks.append(index * TICKS_PER_S // rate)
                data += packet
                begins.append(len(data))
            for burst in _bursts(begins, burst_packets, max(index * 1_000_000 // rate, free_us), _is_key(frame)):
                bursts.append(burst)
                free_us = burst.at_us + BURST_STEP_US  # a frame that takes longer than its time delays the next
        self.bursts: tuple[Burst, ...] = tuple(bursts)
        self._data = np.frombuffer(bytes(data), np.uint8)
        self._numbers_at = np.array(numbers_at)
        self._ticks = np.array(ticks, np.int64)

    @property
    def turn_bytes(self) -> int:
        """Of one turn."""
        return len(self._data)

    def turn(self, count: int) -> memoryview:
        """The bytes of turn number `count`."""
        numbers = count * len(self._numbers_at) + np.arange(len(self._numbers_at))
        stamps = count * self._turn_ticks + self._ticks
        data = self._data.copy()
        for offset, value in enumerate((numbers >> 8, numbers, stamps >> 24, stamps >> 16, stamps >> 8, stamps)):
            data[self._numbers_at + offset] = (value & 0xFF).astype(np.uint8)
        return memoryview(data.tobytes())


def _packets(frame: bytes) -> Iterator[bytes]:
    parts = list(payloads(frame, PACKET_LIMIT_BYTES - RTP_HEADER_BYTES))
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        packet = rtp_packet(part, payload_type=PAYLOAD_TYPE, seq=0, ticks=0, ssrc=SSRC, marker=last)
        yield interleaved(0, packet)


def _bursts(begins: list[int], packets: int | None, at_us: int, is_key: bool) -> Iterator[Burst]:
    count = len(begins) - 1
    step = packets or count
    for number, at in enumerate(range(0, count, step)):
        role = (FIRST | KEY * is_key if at == 0 else 0) | (LAST if at + step >= count else 0)
        yield Burst(at_us + number * BURST_STEP_US, begins[at], begins[min(at + step, count)], role)


def _is_key(frame: bytes) -> bool:
    return any(nal[0] & 0x1F == _IDR for nal in nal_units(frame))


# -- making it


def film_of(scene: Scene) -> Film:
    """The film of a scene: made now, or read from where it was kept."""
    kept = _kept_at(scene)
    try:
        return Film(scene, tuple(_read(kept.read_bytes())))
    except FileNotFoundError:
        # The first group of pictures is left out: the encoder is still finding its way there.
        film = Film(scene, tuple(_encoded(scene))[scene.gop_frames :])
        being_written = kept.with_suffix(f".{os.getpid()}")
        being_written.write_bytes(b"".join(struct.pack("!I", len(one)) + one for one in film.frames))
        being_written.rename(kept)
        return film


def _kept_at(scene: Scene) -> Path:
    """In a folder of one's own: whoever could put a film there could have anything parsed here."""
    folder = Path(tempfile.gettempdir()) / f"custos-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.stat()
    if about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise PermissionError(f"{folder} is not ours alone")
    name = f"{scene.width}x{scene.height}-{scene.frames_per_s}-{scene.gop_frames}-{scene.frames}-{scene.bits_per_s}"
    return folder / f"{name}.film"


def _read(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("!I", data, at)
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def _encoded(scene: Scene) -> Iterator[bytes]:
    # Not above: the cameras, which read a film that is there, would share libav's pages with the recorders.
    import av
    from av.video.codeccontext import VideoCodecContext

    encoder = VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = scene.width, scene.height, "yuv420p"
    encoder.framerate = Fraction(scene.frames_per_s)
    encoder.time_base = Fraction(1, scene.frames_per_s)
    encoder.gop_size = scene.gop_frames
    kbits = scene.bits_per_s // 1000
    encoder.bit_rate = scene.bits_per_s
    encoder.options = {
        "preset": "superfast",
        "bf": "0",
        "rc-lookahead": "0",
        # A constant rate by the standard's own model: what the picture does not need is filled up.
        "x264-params": f"nal-hrd=cbr:vbv-maxrate={kbits}:vbv-bufsize={kbits // 2}:sliced-threads=0:scenecut=0"
        ":open-gop=0:repeat-headers=1",
    }
    for count, picture in enumerate(_pictures(scene)):
        shot = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        shot.pts = count
        yield from (bytes(packet) for packet in encoder.encode(shot))
    yield from (bytes(packet) for packet in encoder.encode(None))


def _pictures(scene: Scene) -> Iterator[NDArray[np.uint8]]:
    """A pan over a wall of blocks, seen by a noisy sensor."""
    chance = np.random.default_rng(4)
    width, height = scene.width, scene.height
    blocks = chance.integers(40, 210, (height // 20 + 20, width // 20 + 20), np.uint8)
    wall = np.kron(blocks, np.ones((20, 20), np.uint8))
    noise = [chance.normal(0, 3, (height, width)).astype(np.int16) for _ in range(4)]
    colour = np.full((height // 2, width), 128, np.uint8)
    for count in range(scene.gop_frames + scene.frames):
        x, y = count * 3 % 380, count * 2 % 380
        seen = wall[y : y + height, x : x + width] + np.roll(noise[count % 4], count * 97, 1)
        yield np.concatenate([np.clip(seen, 16, 235).astype(np.uint8), colour])
