"""Errors as RFC 9457 problem details: one table from our errors to HTTP, the most specific class wins.

An answer has a stable `code` and a sentence; never a trace, never a secret. What is not in the table is a mistake of
the program: it is logged under a number, and only the number is told.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from config.errors import CustosError
from recorder.errors import (
    CatalogueError,
    MediaGone,
    NoRoomForExport,
    PackageRemoved,
    Refused,
    ReleaseBySamePerson,
    ReleaseCodeNew,
    ReleaseRefused,
    ReleaseTooOften,
    SourceError,
    StorageError,
    StoreError,
    TooManyViews,
    Unknown,
)
from recorder.store.log.errors import KeyUnavailable

MEDIA_TYPE = "application/problem+json"

RETRY_S = 1
"""After so long one more view may be written down (`recorder.store.viewing`)."""

log = structlog.get_logger("api")


class RequestRefused(CustosError):
    """The request cannot be answered as it was made."""

    code = "invalid_request"


class TokenNeeded(CustosError):
    """This box asks for its access token: send it as `Authorization: Bearer …`."""

    code = "token_needed"


class TokenWrong(CustosError):
    """That is not the access token of this box; `custos token renew` makes a new one."""

    code = "token_wrong"


class HostRefused(CustosError):
    """This box answers on this machine only, under a loopback name."""

    code = "host_refused"


class OriginRefused(CustosError):
    """Another site's page may not change anything here."""

    code = "origin_refused"


class BodyTooLarge(CustosError):
    """The body is larger than any request needs."""

    code = "body_too_large"


class RangeRefused(CustosError):
    """The asked range lies behind the end of the file."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes = size_bytes


STATUS: Mapping[type[CustosError], HTTPStatus] = {
    RequestRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    TokenNeeded: HTTPStatus.UNAUTHORIZED,
    TokenWrong: HTTPStatus.UNAUTHORIZED,
    HostRefused: HTTPStatus.MISDIRECTED_REQUEST,
    OriginRefused: HTTPStatus.FORBIDDEN,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RangeRefused: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    Unknown: HTTPStatus.NOT_FOUND,
    MediaGone: HTTPStatus.GONE,
    TooManyViews: HTTPStatus.TOO_MANY_REQUESTS,
    ReleaseTooOften: HTTPStatus.TOO_MANY_REQUESTS,
    ReleaseRefused: HTTPStatus.FORBIDDEN,
    ReleaseBySamePerson: HTTPStatus.FORBIDDEN,
    ReleaseCodeNew: HTTPStatus.FORBIDDEN,
    PackageRemoved: HTTPStatus.GONE,
    NoRoomForExport: HTTPStatus.INSUFFICIENT_STORAGE,
    Refused: HTTPStatus.CONFLICT,
    SourceError: HTTPStatus.BAD_GATEWAY,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
    CatalogueError: HTTPStatus.SERVICE_UNAVAILABLE,
    KeyUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The nearest base class that stands here decides."""

_CODES: Mapping[HTTPStatus, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: (RequestRefused.code, "The body is not JSON."),
    HTTPStatus.NOT_FOUND: ("no_such_route", ""),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", ""),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (BodyTooLarge.code, "The body is larger than any request needs."),
}
"""What the web framework itself refuses, before a route is asked."""


def status_of(error: type[CustosError]) -> HTTPStatus | None:
    """The HTTP status of one of our errors; None: nobody foresaw it."""
    return next((STATUS[base] for base in error.__mro__ if base in STATUS), None)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""
    app.add_exception_handler(CustosError, answer)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def problem(status: HTTPStatus, code: str, detail: str, **more: Any) -> JSONResponse:
    """An answer that says what is wrong."""
    body = {"type": f"urn:custos:problem:{code}", "title": status.phrase, "status": status.value, "detail": detail}
    headers = more.pop("headers", None)
    return JSONResponse({**body, "code": code, **more}, status.value, headers=headers, media_type=MEDIA_TYPE)


async def answer(request: Request, error: Exception) -> JSONResponse:
    """One of our errors as a problem."""
    assert isinstance(error, CustosError)
    status = status_of(type(error))
    if status is None:
        return await _bug(request, error)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="custos"'
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = str(error.retry_s if isinstance(error, ReleaseTooOften) else RETRY_S)
    if isinstance(error, RangeRefused):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return problem(status, error.code, str(error), headers=headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """What pydantic says, without the values: a password may be among them."""
    assert isinstance(error, RequestValidationError)
    faults = [
        {"location": ".".join(str(part) for part in one["loc"]), "expected": str(one["msg"])} for one in error.errors()
    ]
    detail = "The request is not right: " + "; ".join(f"{one['location']}: {one['expected']}" for one in faults) + "."
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, RequestRefused.code, detail, errors=faults)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code, detail = f"http_{status.value}", status.phrase + "."
    if status in _CODES:
        code, detail = _CODES[status]
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        detail = f"There is nothing at {request.method} {request.url.path}."
    return problem(status, code, detail, headers=dict(error.headers or {}))


async def _bug(request: Request, error: Exception) -> JSONResponse:
    number = secrets.token_hex(4)
    log.error("answering failed", error_id=number, method=request.method, path=request.url.path, exc_info=error)
    detail = f"The box met an error of its own; it stands in its log under {number}."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "bug", detail)
