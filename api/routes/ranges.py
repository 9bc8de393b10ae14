"""Which bytes of a file are answered with, and whether any are (RFC 9110: conditions, ranges). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request

from api.errors import RangeRefused

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `end`, the last one not included."""

    start: int
    end: int


def matches_none(text: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names what we have (RFC 9110, 13.1.2): any of a list, weak or not, or `*`."""
    if text is None:
        return False
    return text.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in text.split(","))


def byte_range(text: str, size: int) -> Span | None:
    """One range of RFC 9110, 14.1.2; None for anything else, which may be ignored (14.2).

    Raises:
        RangeRefused: it lies behind the end.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        length = int(found[2])
        if length == 0:
            raise RangeRefused(size)
        return Span(max(0, size - length), size)
    start = int(found[1])
    end = size if found[2] == "" else min(int(found[2]) + 1, size)
    if start >= size:
        raise RangeRefused(size)
    return Span(start, end) if start < end else None


def chosen(request: Request, size: int, headers: dict[str, str]) -> tuple[Span, HTTPStatus]:
    """The bytes that answer a request for a file of this size, and the status; `headers` have its ETag, and are told.

    Raises:
        RangeRefused: they lie behind the end.
    """
    # A range is part of a GET alone (RFC 9110, 14.2).
    asked = _asked(request, size, headers["ETag"]) if request.method == "GET" else None
    span = asked or Span(0, size)
    headers["Content-Length"] = str(span.end - span.start)
    if asked is None:
        return span, HTTPStatus.OK
    headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    return span, HTTPStatus.PARTIAL_CONTENT


def _asked(request: Request, size: int, etag: str) -> Span | None:
    """The range, where there is one and what the asker has a part of is still what we have (RFC 9110, 13.1.5)."""
    text, condition = request.headers.get("range"), request.headers.get("if-range")
    if text is None or (condition is not None and condition != etag):
        return None
    return byte_range(text, size)
