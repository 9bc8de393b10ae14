"""RTSP 1.0 messages (RFC 2326, sections 4 to 7): bytes to values and back. Pure.

Read as cameras write them: lines may end in LF alone, header names have any case, values trailing blanks, and a
header may stand there several times. What has no start line of RTSP at all is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from recorder.errors import SourceInvalid

HEAD_LIMIT_BYTES = 16 * 1024
"""Start line and headers: real ones have hundreds of bytes. A head without end is cut off here."""

BODY_LIMIT_BYTES = 64 * 1024
"""An SDP has one or two kilobytes."""

HEADER_LIMIT = 100
"""Header lines in one message."""

_STATUS = re.compile(rb"RTSP/\d+\.\d+[ \t]+(\d{3})[ \t]*(.*)", re.IGNORECASE)
_REQUEST = re.compile(rb"([A-Z_]{3,20})[ \t]+(\S{1,2000})[ \t]+RTSP/\d+\.\d+[ \t]*", re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Headers:
    """The headers of a message, in order."""

    items: tuple[tuple[str, str], ...] = ()
    """Names in small letters."""

    def first(self, name: str, default: str = "") -> str:
        """The first value of that name (small letters)."""
        return next((value for key, value in self.items if key == name), default)

    def every(self, name: str) -> tuple[str, ...]:
        """All values of that name."""
        return tuple(value for key, value in self.items if key == name)

    def number(self, name: str) -> int | None:
        """The value as a whole number; None when there is none."""
        text = self.first(name).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


@dataclass(frozen=True)
class Response:
    """What the camera answers."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True)
class ServerRequest:
    """What the camera asks of us: some send OPTIONS or SET_PARAMETER to see whether we live."""

    method: str
    headers: Headers


Message = Response | ServerRequest


def request(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """A request as bytes. What is in it has no line breaks: URL and names come from checked settings and answers.

    Raises:
        SourceInvalid: something has, so that the camera would read headers that we did not write.
    """
    lines = [f"{method} {url} RTSP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise SourceInvalid("The camera asked for something that cannot be sent to it.")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


def answer(asked: ServerRequest) -> bytes:
    """The answer to a request of the camera: alive, and nothing else is done for it."""
    status = "200 OK" if asked.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER") else "501 Not Implemented"
    cseq = asked.headers.number("cseq")
    line = "" if cseq is None else f"CSeq: {cseq}\r\n"
    return f"RTSP/1.0 {status}\r\n{line}\r\n".encode()


def head_length(data: bytes | bytearray | memoryview) -> int | None:
    """How many bytes the head has, its empty line included; None while that has not come.

    Raises:
        SourceInvalid: it is longer than any head.
    """
    found = _HEAD_END.search(data)
    if (found.end() if found else len(data)) > HEAD_LIMIT_BYTES:
        raise SourceInvalid("The camera sent a header without end.")
    return found.end() if found else None


def parse_head(head: bytes) -> Message:
    """Start line and headers; the body is added by who knows where it ends.

    Raises:
        SourceInvalid: this is no RTSP.
    """
    lines = head.split(b"\n")
    start = lines[0].strip()
    headers = _headers(lines[1:])
    status = _STATUS.fullmatch(start)
    if status:
        return Response(int(status[1]), status[2].decode("utf-8", "replace").strip()[:100], headers)
    asked = _REQUEST.fullmatch(start)
    if asked:
        return ServerRequest(asked[1].decode("ascii").upper(), headers)
    raise SourceInvalid()


def body_length(message: Message) -> int:
    """How long the body is by its header.

    Raises:
        SourceInvalid: longer than any body.
    """
    length = message.headers.number("content-length") or 0
    if length > BODY_LIMIT_BYTES:
        raise SourceInvalid("The camera announced a description without end.")
    return length


def _headers(lines: list[bytes]) -> Headers:
    found: list[tuple[str, str]] = []
    for line in lines[: HEADER_LIMIT + 1]:
        text = line.rstrip(b"\r\0 \t").decode("utf-8", "replace")
        if text[:1] in (" ", "\t") and found:  # a folded header goes on in the next line
            found[-1] = (found[-1][0], f"{found[-1][1]} {text.strip()}")
            continue
        name, colon, value = text.partition(":")
        if colon:
            found.append((name.strip().lower(), value.strip()))
    return Headers(tuple(found[:HEADER_LIMIT]))
