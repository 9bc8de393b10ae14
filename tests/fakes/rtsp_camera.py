"""A camera that speaks RTSP over TCP as it is told to: real sockets on loopback, and any oddity in between.

A `Behaviour` answers requests well; a test overrides what its camera does differently. Media are sent right behind
the answer to PLAY, as fast as they are read.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recorder.capture.nal import units
from recorder.capture.rtp.jpeg import JpegDepacketiser
from recorder.store.records import CodecName
from tests.fakes.video import access_units
from tests.unit.recorder.capture.rtp.packets import h264_payloads, h265_payloads, jpeg_payloads

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 {name}/90000\r\na=control:track1\r\n"
)
ENCODINGS = {CodecName.H264: "H264", CodecName.H265: "H265", CodecName.MJPEG: "JPEG"}
SSRC = 0x1234ABCD


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    url: str
    headers: dict[str, str]
    """Names in small letters."""


def rtp(payload: bytes, number: int, stamp: int, marker: bool, ssrc: int = SSRC) -> bytes:
    """An RTP packet (RFC 3550, 5.1)."""
    return struct.pack("!BBHII", 0x80, 96 | marker << 7, number & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def interleaved(packet: bytes, channel: int = 0) -> bytes:
    """Behind its `$` (RFC 2326, 10.12)."""
    return b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet


def film(codec: CodecName, pictures: int = 25) -> list[bytes]:
    """Pictures as they should come out; JPEG with those headers that RTP leaves out and the other side makes again."""
    if codec is CodecName.MJPEG:
        return [headed(shot) for shot, _ in access_units(codec, pictures)]
    return [b"".join(b"\0\0\0\1" + one for one in units(shot)) for shot, _ in access_units(codec, pictures, 25)]


def large_film(codec: CodecName) -> list[bytes]:
    """Likewise, of 12 pictures that are too large for one packet, one record of TLS, and all of them for one look."""
    shots = [shot for shot, _ in access_units(codec, 12, 6, 320, 240, 100)]
    if codec is CodecName.MJPEG:
        return [headed(shot) for shot in shots]
    return [b"".join(b"\0\0\0\1" + one for one in units(shot)) for shot in shots]


def headed(picture: bytes) -> bytes:
    """A JPEG file as it comes out of RTP: the same scan behind other headers."""
    depacketiser = JpegDepacketiser()
    done = [depacketiser.feed(memoryview(one), 0, marker) for one, marker in jpeg_payloads(picture, 60_000)]
    return done[-1][0].data


def payloads(shot: bytes, codec: CodecName) -> Iterator[tuple[bytes, bool]]:
    """A picture as RTP payloads with their marker bits."""
    if codec is CodecName.MJPEG:
        return jpeg_payloads(shot, 1000)
    split = h264_payloads if codec is CodecName.H264 else h265_payloads
    return split(list(units(shot)), 1000)


def packets(shots: Iterable[bytes], codec: CodecName, first_stamp: int = 0, ssrc: int = SSRC) -> Iterator[bytes]:
    """A film as RTP packets, 25 pictures a second."""
    number = 0
    for index, shot in enumerate(shots):
        for payload, marker in payloads(shot, codec):
            yield rtp(payload, number, first_stamp + index * 3600, marker, ssrc)
            number += 1


class Behaviour:
    """A camera without oddities."""

    def __init__(self, codec: CodecName = CodecName.H264, pictures: int = 25) -> None:
        self.codec = codec
        self.shots = film(codec, pictures)
        self.asked: list[Asked] = []
        self.stays = True
        """Whether the connection is held after the film."""

    def answer(self, asked: Asked) -> bytes | None:
        """The answer to a request; None: there is none. b"": hang up."""
        head, body = {
            "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER", ""),
            "DESCRIBE": ("Content-Type: application/sdp", self.sdp()),
            "SETUP": (f"Session: 4711;timeout=60\r\nTransport: {self.transport()}", ""),
        }.get(asked.method, ("Session: 4711", ""))
        return self.say(asked, 200, head, body)

    def say(self, asked: Asked, status: int, head: str = "", body: str = "") -> bytes:
        """An answer in RTSP."""
        lines = [f"RTSP/1.0 {status} Reason", f"CSeq: {asked.headers.get('cseq', '')}", *([head] if head else [])]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def sdp(self) -> str:
        """What the camera says it sends."""
        return SDP.format(name=ENCODINGS[self.codec])

    def transport(self) -> str:
        """What it agrees to."""
        return "RTP/AVP/TCP;unicast;interleaved=0-1"

    def media(self) -> Iterator[bytes]:
        """Bytes behind the answer to PLAY."""
        for packet in packets(self.shots, self.codec):
            yield interleaved(packet)


class BasicOnly(Behaviour):
    """Lets in who shows this name and password, and knows no other way than showing them."""

    def __init__(self, username: str, password: str, pictures: int = 25) -> None:
        super().__init__(pictures=pictures)
        self.right = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def answer(self, asked: Asked) -> bytes | None:
        if asked.method == "OPTIONS" or asked.headers.get("authorization") == self.right:
            return super().answer(asked)
        return self.say(asked, 401, 'WWW-Authenticate: Basic realm="cam"')


class RtspCamera:
    """Serves one behaviour to one client after the other."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Of its stream."""
        scheme = "rtsp" if self._tls is None else "rtsps"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/live"

    def close(self) -> None:
        """Switch it off."""
        for one in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # switched off, or nobody came
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(20)
                self._connections.append(connection)
                with contextlib.suppress(OSError):  # the client went away, or did not believe us
                    if self._tls is not None:
                        connection = self._tls.wrap_socket(connection, server_side=True)
                        self._connections.append(connection)
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        incoming = connection.makefile("rb")
        while (asked := _read(incoming)) is not None:
            self.behaviour.asked.append(asked)
            told = self.behaviour.answer(asked)
            if told == b"":
                break
            connection.sendall(told or b"")
            if asked.method == "PLAY":
                for data in self.behaviour.media():
                    connection.sendall(data)
                if not self.behaviour.stays:
                    break
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def _read(incoming: object) -> Asked | None:
    """The next request; what the client sends between `$` marks is passed over."""
    read, line = incoming.read, incoming.readline  # type: ignore[attr-defined]  # a binary file of the socket
    start = read(1)
    while start == b"$":
        header = read(3)
        read(int.from_bytes(header[1:], "big"))
        start = read(1)
    words = (start + line()).decode().split()
    headers = {}
    while (text := line().decode().strip()) != "":
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return Asked(words[0], words[1], headers) if len(words) > 1 else None


@contextlib.contextmanager
def camera(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of a camera that behaves so."""
    one = RtspCamera(behaviour, tls)
    try:
        yield one.url
    finally:
        one.close()
