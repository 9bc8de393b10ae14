"""Asks somebody outside the box something over HTTP, within a bound of time and size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from config.errors import CustosError

ANSWER_S = 15.0
"""For the whole answer. Who takes longer is asked again at the next turn."""

ANSWER_LIMIT_BYTES = 256 * 1024
"""A stamp with its certificates has some kilobytes, a cosignature some hundred bytes."""


class Unanswered(CustosError):
    """Nobody answers there, or not in time."""

    code = "unanswered"


class AnswerTooLarge(CustosError):
    """What was answered is larger than any answer should be."""

    code = "answer_too_large"


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    content_type: str
    body: bytes


def posted(url: str, content: bytes, headers: Mapping[str, str]) -> Reply:
    """Ask, and follow nobody who sends us elsewhere.

    Raises:
        Unanswered: nobody answers in time. AnswerTooLarge: somebody does not stop.
    """
    ends_s = time.monotonic() + ANSWER_S
    asked = {**headers, "Accept-Encoding": "identity"}  # a few packed bytes could be gigabytes
    received = bytearray()
    try:
        with httpx.stream("POST", url, content=content, headers=asked, timeout=ANSWER_S) as answer:
            for piece in answer.iter_raw():
                received += piece
                if len(received) > ANSWER_LIMIT_BYTES:
                    raise AnswerTooLarge
                if time.monotonic() > ends_s:
                    raise Unanswered
            return Reply(answer.status_code, answer.headers.get("Content-Type", ""), bytes(received))
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        raise Unanswered from err
