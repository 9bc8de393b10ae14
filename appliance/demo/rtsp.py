"""One RTSP conversation (RFC 2326) as a machine: bytes in, commands out. No socket, no clock.

What a recorder needs and no more: OPTIONS, DESCRIBE, SETUP over TCP (UDP is answered with 461), PLAY, PAUSE, TEARDOWN,
GET_PARAMETER and SET_PARAMETER as keep-alive, and Digest (RFC 2617 without qop, as RTSP has it) where the server has
an account. Left to others: sending what is played (`appliance.demo.server`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REQUEST_LIMIT_BYTES = 16_384
"""No request of a recorder comes near; more is not a request, and would fill memory."""

SESSION_TIMEOUT_S = 60
"""Told to the client, which keeps the session alive; the connection's end ends it in any case."""

REALM = "custos demo"
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-(\d{1,3})")
_DIGEST_FIELD = re.compile(r'(\w+)="?([^",]*)"?')
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    461: "Unsupported Transport",
}


@dataclass(frozen=True)
class Reply:
    """Send these bytes."""

    data: bytes


@dataclass(frozen=True)
class Play:
    """Begin to send the film of this name on these interleaved channels."""

    name: str
    rtp_channel: int
    rtcp_channel: int


@dataclass(frozen=True)
class Pause:
    """Stop sending, and keep the connection."""


@dataclass(frozen=True)
class HangUp:
    """Close the connection once everything is sent."""


Command = Reply | Play | Pause | HangUp


@dataclass(frozen=True)
class Account:
    """Who may look."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]


class Conversation:
    """One client's connection.

    Args:
        films: the media section of the SDP of each film, by the name in the URL's path.
        session: the session's name, and the nonce of its digest: random, chosen by the caller.
        account: None lets everybody look.
    """

    def __init__(self, films: Mapping[str, tuple[str, ...]], session: str, account: Account | None = None) -> None:
        self._films = films
        self._session = session
        self._account = account
        self._buffer = b""
        self._channels: tuple[int, int] | None = None

    def receive(self, data: bytes) -> Iterator[Command]:
        """Take what came in; give what is to be done about it, in order."""
        self._buffer += data
        while self._buffer:
            if self._buffer[0] == 0x24:  # the client's own interleaved packets, receiver reports: not needed here
                if len(self._buffer) < 4 or len(self._buffer) < self._interleaved_end():
                    return
                self._buffer = self._buffer[self._interleaved_end() :]
                continue
            head, found, _ = self._buffer.partition(b"\r\n\r\n")
            if not found:
                if len(self._buffer) > REQUEST_LIMIT_BYTES:
                    yield HangUp()
                return
            request = _parse(head)
            body_bytes = int(request.headers.get("content-length", "0")) if request else 0
            end = len(head) + 4 + body_bytes
            if request is None or body_bytes > REQUEST_LIMIT_BYTES:
                yield Reply(_response(400, "0"))
                yield HangUp()
                return
            if len(self._buffer) < end:
                return
            self._buffer = self._buffer[end:]
            yield from self._answer(request)

    def _interleaved_end(self) -> int:
        return 4 + int.from_bytes(self._buffer[2:4], "big")

    def _answer(self, request: _Request) -> Iterator[Command]:
        cseq = request.headers.get("cseq", "0")
        if request.method == "OPTIONS":
            methods = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
            yield Reply(_response(200, cseq, {"Public": methods}))
        elif not self._let_in(request):
            challenge = f'Digest realm="{REALM}", nonce="{self._session}", algorithm="MD5"'
            yield Reply(_response(401, cseq, {"WWW-Authenticate": challenge}))
        elif (name := self._film(request.url)) is None:
            yield Reply(_response(404, cseq))
        else:
            yield from self._answer_about(request, cseq, name)

    def _answer_about(self, request: _Request, cseq: str, name: str) -> Iterator[Command]:
        if request.method == "DESCRIBE":
            yield Reply(_description(request.url, cseq, name, self._films[name]))
        elif request.method == "SETUP":
            yield Reply(self._set_up(request, cseq))
        elif request.method == "TEARDOWN":
            yield Pause()
            yield Reply(_response(200, cseq))
            yield HangUp()
        elif request.method in ("GET_PARAMETER", "SET_PARAMETER"):
            yield Reply(_response(200, cseq, {"Session": self._session}))
        elif request.method not in ("PLAY", "PAUSE"):
            yield Reply(_response(405, cseq))
        elif self._channels is None:
            yield Reply(_response(454, cseq))
        else:
            yield Reply(_response(200, cseq, {"Session": self._session, "Range": "npt=now-"}))
            yield Play(name, *self._channels) if request.method == "PLAY" else Pause()

    def _set_up(self, request: _Request, cseq: str) -> bytes:
        transport = request.headers.get("transport", "")
        if "RTP/AVP/TCP" not in transport:
            return _response(461, cseq)
        match = _INTERLEAVED.search(transport)
        rtp, rtcp = (int(match[1]), int(match[2])) if match else (0, 1)
        if max(rtp, rtcp) > 255:
            return _response(461, cseq)
        self._channels = (rtp, rtcp)
        return _response(
            200,
            cseq,
            {
                "Transport": f"RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}",
                "Session": f"{self._session};timeout={SESSION_TIMEOUT_S}",
            },
        )

    def _film(self, url: str) -> str | None:
        """The film a URL names: the first element of its path (the track, where there is one, follows)."""
        name = urlsplit(url).path.strip("/").split("/")[0]
        return name if name in self._films else None

    def _let_in(self, request: _Request) -> bool:
        """RFC 2617 clause 3.2.2.1 without qop."""
        if self._account is None:
            return True
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "digest":
            return False
        fields = dict(_DIGEST_FIELD.findall(rest))
        secret = _md5(f"{self._account.username}:{REALM}:{self._account.password}")
        asked = _md5(f"{request.method}:{fields.get('uri', '')}")
        wanted = _md5(f"{secret}:{self._session}:{asked}")
        who = fields.get("username") == self._account.username and fields.get("nonce") == self._session
        return who and hmac.compare_digest(wanted, fields.get("response", ""))


def _parse(head: bytes) -> _Request | None:
    """A request's first line and headers; None: that is no RTSP."""
    lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    first = lines[0].split(" ")
    if len(first) != 3 or not first[2].startswith("RTSP/"):
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if not headers.get("content-length", "0").isdecimal():
        return None
    return _Request(first[0], first[1], headers)


def _response(status: int, cseq: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    lines = [f"RTSP/1.0 {status} {_REASONS[status]}", f"CSeq: {cseq}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _description(url: str, cseq: str, name: str, media: tuple[str, ...]) -> bytes:
    """The SDP (RFC 8866) of a film; its one track is asked for by ``track1``."""
    sdp = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", f"s={name}", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
    body = "\r\n".join([*sdp, *media, "a=control:track1", ""])
    base = url if url.endswith("/") else url + "/"
    return _response(200, cseq, {"Content-Base": base, "Content-Type": "application/sdp"}, body)


def _md5(text: str) -> str:
    """What Digest asks for; it protects nothing here but the demonstration."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
