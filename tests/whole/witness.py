"""Another viewer of a server, over UDP, who only counts: what it sent, by somebody who is not our own client."""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from collections.abc import Sequence

ANSWER_LIMIT_BYTES = 65_536
READY_S = 20.0


class Witness:
    """Watches from now until the server hangs up."""

    def __init__(self, host: str, port: int, path: str) -> None:
        """Returns once it plays."""
        self.numbers: list[int] = []
        """Sequence numbers of the packets, as they came."""
        self.pictures = 0
        """Packets that ended a picture (their marker bit)."""
        self.is_over = False
        self._url = f"rtsp://{host}:{port}{path}"
        self._asked = 0
        self._connection = _connected(host, port)
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._rtp.bind((self._connection.getsockname()[0], 0))
        self._play()
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)
        self._thread.start()

    def has_seen_something(self) -> bool:
        """Whether the film is on."""
        return self.pictures > 0

    def close(self) -> None:
        """Enough seen."""
        self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._connection.close()
        self._rtp.close()

    def _play(self) -> None:
        ends_s = time.monotonic() + READY_S
        while not (track := re.search(r"^a=control:(\S+trackID=\S+)", self._ask("DESCRIBE", self._url), re.MULTILINE)):
            assert time.monotonic() < ends_s, "the server offers no track"
            time.sleep(0.05)
        port = self._rtp.getsockname()[1]
        answer = self._ask("SETUP", track[1], f"Transport: RTP/AVP;unicast;client_port={port}-{port + 1}")
        session = re.search(r"^Session: *([^;\s]+)", answer, re.MULTILINE)
        assert session, answer
        assert " 200 " in self._ask("PLAY", self._url, f"Session: {session[1]}")

    def _ask(self, method: str, url: str, header: str = "Accept: application/sdp") -> str:
        self._asked += 1
        self._connection.sendall(f"{method} {url} RTSP/1.0\r\nCSeq: {self._asked}\r\n{header}\r\n\r\n".encode())
        answer = ""
        while not _is_whole(answer):
            came = self._connection.recv(ANSWER_LIMIT_BYTES)
            assert came, f"hung up instead of answering {method}"
            answer += came.decode()
        return answer.replace("\r", "")

    def _watch(self) -> None:
        while not self.is_over:
            ready: Sequence[socket.socket] = select.select([self._rtp, self._connection], [], [], 1)[0]
            if self._rtp in ready:
                packet = self._rtp.recv(65_536)
                self.numbers.append(int.from_bytes(packet[2:4], "big"))
                self.pictures += packet[1] >> 7
            elif ready:  # nothing is left to read, and the connection has something to say
                self.is_over = self._has_hung_up()

    def _has_hung_up(self) -> bool:
        try:
            return not self._connection.recv(ANSWER_LIMIT_BYTES)
        except ConnectionError:
            return True


def _connected(host: str, port: int) -> socket.socket:
    """The server may still be starting."""
    ends_s = time.monotonic() + READY_S
    while True:
        try:
            return socket.create_connection((host, port), 5)
        except OSError:
            assert time.monotonic() < ends_s, "the server does not listen"
            time.sleep(0.02)


def _is_whole(answer: str) -> bool:
    head, gap, body = answer.partition("\r\n\r\n")
    length = re.search(r"^Content-Length: *(\d+)", head, re.MULTILINE)
    return bool(gap) and len(body) >= (int(length[1]) if length else 0)
