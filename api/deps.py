"""What the routes are handed: the parts that wiring made, and the words of the request."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol
from urllib.parse import unquote

from fastapi import Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import check
from api.errors import BodyTooLarge, RequestRefused, answer
from api.schemas import AdmissionOut, ForecastOut, Readiness, Status
from config.clock import Clock
from config.errors import CustosError
from config.times import DAY_US, LAST_US, parse_us
from recorder.store.records import Asker, ViewKind
from recorder.store.store import Store
from recorder.store.views import Views

INTERVAL_LIMIT_DAYS = 400
"""The longest interval that is answered at once."""


PAGE_LIMIT = 1000
"""Entries of a page: some hundred kilobytes of JSON. Who wants more asks for the next one."""

PURPOSE_LIMIT = 500
"""Characters: a sentence or two. What is longer is refused, so that nobody believes that all of it was kept."""

VIEW_THREADS = 8
"""That write down views at once, of forty that there are: one transaction writes at a time, more would only wait."""

AGENT_LIMIT = 200
"""Characters of what a program says of itself, and of whom it says it asks for; the rest is cut off."""


class StillOut(Protocol):
    """A picture to be handed out."""

    @property
    def jpeg(self) -> bytes:
        """Its bytes."""
        ...

    @property
    def age_s(self) -> float:
        """How old it is."""
        ...

    @property
    def utc_us(self) -> int:
        """When it came."""
        ...


@dataclass(frozen=True)
class Ports:
    """The box, as the ways in see it."""

    store: Store
    clock: Clock
    status: Callable[[str], Status]
    """Takes the language, `en` or `zh-CN`."""
    forecast: Callable[[str], ForecastOut]
    """Likewise."""
    admit: Callable[[str, int | None, str], AdmissionOut | None]
    """Takes a camera's id, the bit rate that somebody declared, and the language; None: it is not recorded."""
    metrics: Callable[[], bytes]
    ready: Callable[[], Readiness]
    still: Callable[[str, float], StillOut]
    """A camera's newest key picture as a JPEG, at most so many seconds old; raises `StillUnavailable`."""
    holds_changed: Callable[[], None]
    """To be called after a hold was placed or released: the checkpoint that says so is stamped soon."""
    exports_changed: Callable[[], None]
    """To be called after an export was asked for, so that it is made at once."""
    cameras_changed: Callable[[], None]
    """To be called after the registry changed, so that the cameras are started and stopped at once."""
    token_needed: bool
    """False where the box listens on loopback only."""
    program: str
    """Version of the program."""


@dataclass(frozen=True)
class Interval:
    """A half-open interval of UTC."""

    start_us: int
    end_us: int


def ports(request: Request) -> Ports:
    """The box of this application."""
    found = request.app.state.ports
    assert isinstance(found, Ports)
    return found


class Guard:
    """Stands before everything: routes, paths that are none, the description of the interface.

    A dependency of the routes would let the last two pass, and would have the body read before it is asked. A body
    that is announced as too large is refused here, in our words; the framework would answer in its own.
    """

    def __init__(self, app: ASGIApp, box: Ports, body_limit_bytes: int) -> None:
        self._app = app
        self._box = box
        self._body_limit_bytes = body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer why not."""
        if scope["type"] == "http":
            request = Request(scope)
            try:
                await run_in_threadpool(self._check, request)
            except CustosError as error:
                await (await answer(request, error))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        check(
            request.method,
            request.url.path,
            request.headers.get("host", ""),
            request.headers.get("origin"),
            request.headers.get("authorization"),
            token_needed=self._box.token_needed,
            matches=self._box.store.token_matches,
        )
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self._body_limit_bytes:
            raise BodyTooLarge()


def language(request: Request) -> str:
    """`zh-CN` for who prefers Chinese, else `en` (RFC 9110, 12.5.4, first choice only)."""
    preferred = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "zh-CN" if preferred.startswith("zh") else "en"


StartQuery = Annotated[
    str | None,
    Query(
        description="RFC 3339; the interval begins here. A day before `end` when left out.",
        examples=["2026-11-24T08:00:00Z"],
    ),
]
EndQuery = Annotated[
    str | None,
    Query(description="RFC 3339; the interval ends before this. Now when left out.", examples=["2026-11-24T09:00:00Z"]),
]


def interval(request: Request, start: StartQuery = None, end: EndQuery = None) -> Interval:
    """The asked interval.

    Raises:
        RequestRefused: not times, or the wrong way round, or too long.
    """
    end_us = ports(request).clock.read().utc_us if end is None else instant("end", end)
    start_us = max(0, end_us - DAY_US) if start is None else instant("start", start)
    if start_us >= end_us:
        raise RequestRefused("`start` lies before `end`; this one does not.")
    if end_us - start_us > INTERVAL_LIMIT_DAYS * DAY_US:
        raise RequestRefused(f"An interval has at most {INTERVAL_LIMIT_DAYS} days.")
    return Interval(start_us, end_us)


def instant(name: str, text: str) -> int:
    """A time of the request, from 1970 to 9999: what answers, leaves and file names can write.

    Raises:
        RequestRefused: it is none.
    """
    try:
        found_us = parse_us(text)
    except (ValueError, OverflowError) as err:
        raise RequestRefused(f"`{name}`: {text[:40]!r} is not a time such as 2026-11-24T08:00:00Z.") from err
    if not 0 <= found_us <= LAST_US:
        raise RequestRefused(f"`{name}`: {text[:40]!r} lies outside the years 1970 to 9999.")
    return found_us


PurposeHeader = Annotated[
    str,
    Header(
        alias="Custos-Purpose",
        description="Why: UTF-8, percent-encoded (RFC 3986); kept with the view, and never part of the log.",
        examples=["Theft%20at%20the%20gate"],
    ),
]


@dataclass(frozen=True)
class Asked:
    """Somebody who is about to be handed footage."""

    asker: Asker
    views: Views
    threads: Semaphore

    async def written_down(self, stream_id: str, kind: ViewKind, t0_us: int, t1_us: int) -> None:
        """That he is; where it cannot be written down, he must not be.

        Only a few threads wait for that: while a disk hangs, the others still answer how the box does.

        Raises:
            TooManyViews, StorageError, CatalogueError: as they say.
        """
        async with self.threads:
            await run_in_threadpool(self.views.note, stream_id, kind, t0_us, t1_us, self.asker)


def asked(request: Request, purpose: PurposeHeader = "") -> Asked:
    """Who is about to be handed footage, as far as a request tells.

    Raises:
        RequestRefused: the purpose cannot be read, or is too long.
    """
    try:
        told = unquote(purpose, errors="strict").strip()
    except UnicodeDecodeError as err:
        raise RequestRefused("`Custos-Purpose` is text in UTF-8, percent-encoded.") from err
    if len(told) > PURPOSE_LIMIT:
        raise RequestRefused(f"`Custos-Purpose` has at most {PURPOSE_LIMIT} characters.")
    asker = Asker(
        who="token" if request.headers.get("authorization") else "this machine",
        address="" if request.client is None else request.client.host,
        forwarded=_told(request.headers.get("x-forwarded-for", "")),
        agent=_told(request.headers.get("user-agent", "")),
        purpose=_printable(told),
    )
    return Asked(asker, ports(request).store.views, request.app.state.view_threads)


def _told(text: str) -> str:
    return _printable(text[:AGENT_LIMIT])


def _printable(text: str) -> str:
    """Whoever reads it may have a terminal that obeys control characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


Box = Annotated[Ports, Depends(ports)]
Asking = Annotated[Asked, Depends(asked)]
Between = Annotated[Interval, Depends(interval)]
Language = Annotated[str, Depends(language)]
