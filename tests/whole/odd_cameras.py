"""Cameras that a recorder cannot record, each for one reason, served in this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from appliance.demo import DemoServer, Film, Frame
from config.clock import SystemClock


class SilentAudio:
    """An intercom: sound, and no picture (G.711, RFC 3551 clause 4.5.14)."""

    media_lines = ("m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
    frames_per_s = 50
    ticks_per_s = 8000
    payload_type = 0

    def next(self, utc_us: int) -> Frame:
        return Frame((b"\xff" * 160,), is_key=True)


class OldVideo:
    """A camera from before H.264: MPEG-4 part 2 (RFC 6416), which this box does not store."""

    frames_per_s = 10
    ticks_per_s = 90_000
    payload_type = 97

    def __init__(self) -> None:
        self._encoder = VideoCodecContext.create("mpeg4", "w")
        self._encoder.width, self._encoder.height, self._encoder.pix_fmt = 320, 240, "yuv420p"
        self._encoder.framerate = self.frames_per_s  # type: ignore[assignment] # an int does
        self._encoder.gop_size = 1
        self._count = 0

    @property
    def media_lines(self) -> tuple[str, ...]:
        return ("m=video 0 RTP/AVP 97", "a=rtpmap:97 MP4V-ES/90000")

    def next(self, utc_us: int) -> Frame:
        picture = np.full((240, 320, 3), self._count % 255, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
        frame.pts = self._count
        self._count += 1
        data = b"".join(bytes(packet) for packet in self._encoder.encode(frame))
        return Frame(tuple(data[at : at + 1400] for at in range(0, len(data), 1400)), is_key=True)


@contextmanager
def odd_cameras() -> Iterator[Mapping[str, str]]:
    """URLs of ``audio`` (no video track), ``old`` (a codec that cannot be stored) and ``missing`` (no such stream)."""
    films: dict[str, Film] = {"audio": SilentAudio(), "old": OldVideo()}
    server = DemoServer(films, SystemClock())
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    serving = loop.create_task(server.run(ready.set))

    def serve() -> None:
        try:
            loop.run_until_complete(serving)
        except asyncio.CancelledError:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    try:
        yield {name: server.url(name) for name in (*films, "missing")}
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()


@contextmanager
def web_server() -> Iterator[str]:
    """Something at the camera's address that speaks, but not RTSP; an RTSP URL of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.settimeout(5)
                    client.recv(4096)
                    client.sendall(b"220 mail.example ESMTP ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"rtsp://127.0.0.1:{listener.getsockname()[1]}/stream"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def nobody() -> str:
    """The URL of a port that nothing listens on: taken and given back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"rtsp://127.0.0.1:{listener.getsockname()[1]}/stream"
