"""RTSP servers that this project did not write, each as a process of its own, and the films that they show.

Every one is a context that ends with its process. `host` is the namespace that it runs in, None: here.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from recorder.capture.nal import unit_type, units
from recorder.store.records import CodecName
from tests.fakes.video import HEIGHT, WIDTH, access_units
from tests.unit.recorder.capture.rtp.packets import jpeg_segments
from tests.whole.machine import ROOT

FPS = 25
USER, PASSWORD = "viewer", "p@ss:w/rd%"
NAMES = {CodecName.H264: "h264", CodecName.H265: "h265", CodecName.MJPEG: "jpeg"}

LIVE555 = ROOT / ".stamps" / "live555_camera"
"""Made by scripts/live555.sh."""

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
"""VLC refuses to run as root."""

VLC_DELAY_S = 3
"""VLC plays whether anybody watches or not: it sends everything so much later, that whoever is there by then sees the
film from its beginning. What it has not sent when it has read the film to its end, it never sends."""

GOP = 20

Picture = tuple[bytes, ...]
"""The slices of a picture, without parameter sets, delimiters and SEI, which a server may send apart. Of a JPEG its
scan: what stands before it is left out on the way, and made again."""


def slices(unit: bytes, codec: CodecName) -> Picture:
    """What carries the picture in an access unit; libav sets a second end behind a JPEG."""
    if codec is CodecName.MJPEG:
        return (re.sub(rb"(\xff\xd9)+$", b"", jpeg_segments(unit)[1]),)
    picture = range(1, 6) if codec is CodecName.H264 else range(32)
    return tuple(one for one in units(unit) if unit_type(one, codec) in picture)


@dataclass(frozen=True)
class Film:
    """A film as its servers want it, and its pictures in the order in which they are sent."""

    path: Path
    codec: CodecName
    pictures: Sequence[Picture]


def row_of(folder: Path, codec: CodecName, seconds: int, width: int = WIDTH, height: int = HEIGHT) -> Film:
    """For GStreamer: each access unit behind its length."""
    shots = [unit for unit, _ in access_units(codec, seconds * FPS, GOP, width, height)]
    path = folder / f"{codec.value}-{width}.row"
    path.write_bytes(b"".join(len(unit).to_bytes(4, "big") + unit for unit in shots))
    return Film(path, codec, [slices(unit, codec) for unit in shots])


def stream_of(folder: Path, codec: CodecName, seconds: int) -> Film:
    """For LIVE555: a byte stream. Two "end of sequence" units follow, because it never sends the last two of a file."""
    shots = [unit for unit, _ in access_units(codec, seconds * FPS, GOP)]
    path = folder / f"{codec.value}.stream"
    end = b"\0\0\0\1\x0a" if codec is CodecName.H264 else b"\0\0\0\1\x48\x01"
    path.write_bytes(b"".join(shots) + 2 * end)
    return Film(path, codec, [slices(unit, codec) for unit in shots])


def swapped_of(folder: Path, codec: CodecName, seconds: int) -> Film:
    """For VLC: an MP4 file whose pictures are shown in another order than they are decoded in (B-frames)."""
    path = folder / f"{codec.value}.mp4"
    swapped = "scenecut=0:bframes=2:b-adapt=0"
    name, more = {
        CodecName.H264: ("libx264", {"x264-params": f"{swapped}:threads=1"}),
        CodecName.H265: ("libx265", {"x265-params": f"{swapped}:open-gop=0:pools=none:frame-threads=1:log-level=none"}),
    }[codec]
    pictures: list[Picture] = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream(name, rate=FPS, options={"preset": "ultrafast", **more})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", GOP
        noise = np.random.default_rng(1)
        for n in range(seconds * FPS + 1):
            shot = np.zeros((240, 320, 3), np.uint8)
            shot[100:140] = noise.integers(0, 256, (40, 320, 3), np.uint8)  # so that pictures need several packets
            last = n == seconds * FPS
            for packet in stream.encode(None if last else av.VideoFrame.from_ndarray(shot, format="rgb24")):
                pictures.append(slices(bytes(packet), codec))
                out.mux(packet)
    return Film(path, codec, pictures)


@contextmanager
def process(command: Sequence[str | Path], host: str | None) -> Iterator[subprocess.Popen[str]]:
    """A server; killed in the end."""
    inside = [] if host is None else ["ip", "netns", "exec", host]
    with subprocess.Popen(
        [*inside, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            yield server
        finally:
            server.kill()


def port_of(server: subprocess.Popen[str]) -> int:
    """The first thing that our servers say."""
    assert server.stdout is not None
    said = server.stdout.readline().strip()
    assert said, "the server did not start"
    return int(said)


@contextmanager
def gst(
    film: Film, address: str, host: str | None = None, certificate: Path | None = None, kind: str | None = None
) -> Iterator[str]:
    """GStreamer's; the URL, to which its paths are added."""
    script = Path(__file__).with_name("gst_camera.py")
    group = f"239.77.{list(NAMES).index(film.codec)}.0"
    kind = kind or NAMES[film.codec]
    command = ["/usr/bin/python3", script, film.path, kind, str(FPS), USER, PASSWORD, address, group]
    with process([*command, *([] if certificate is None else [certificate])], host) as server:
        yield f"{'rtsp' if certificate is None else 'rtsps'}://{address}:{port_of(server)}"


@contextmanager
def gst_loop(path: Path, address: str, host: str | None = None) -> Iterator[str]:
    """GStreamer's, with a film that is shown again and again under one time stamp; its URL."""
    script = Path(__file__).with_name("gst_loop.py")
    with process(["/usr/bin/python3", script, path, str(FPS), address], host) as server:
        yield f"rtsp://{address}:{port_of(server)}/main"


@contextmanager
def live555(films: Sequence[Film], address: str, host: str | None = None) -> Iterator[str]:
    """LIVE555's; the URL, to which `/h264` or `/h265` is added."""
    with process([LIVE555, address, USER, PASSWORD, *(film.path for film in films)], host) as server:
        yield f"rtsp://{address}:{port_of(server)}"


@contextmanager
def vlc(film: Film, address: str, host: str | None = None) -> Iterator[int]:
    """VLC, which shows the film once; the port that it will listen at under `/film`."""
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which is root's alone
        Path(folder).chmod(0o755)
        copy = shutil.copy(film.path, folder)
        port = _free_port()
        command = ["vlc", "-I", "dummy", "--no-media-library", "--file-caching=0", "--no-audio", copy]
        command += ["--sout", f"#rtp{{sdp=rtsp://{address}:{port}/film}}", "vlc://quit"]
        command += [f"--sout-rtp-caching={VLC_DELAY_S * 1000}"]
        with process([*(NOBODY if os.geteuid() == 0 else []), *command], host):
            yield port


def _free_port() -> int:
    """Of this host; another one has nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
