"""The application put together, and how it describes itself."""

from __future__ import annotations

from asyncio import Semaphore
from typing import Any

from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from api import errors
from api.deps import VIEW_THREADS, Guard, Ports
from api.routes import (
    breaches,
    cameras,
    exports,
    footage,
    forecast,
    health,
    holds,
    log,
    media,
    scrub,
    views,
)
from api.schemas import Problem

BODY_LIMIT_BYTES = 256 * 1024
"""A hold over a thousand cameras with both texts full of escaped letters has less; what is larger is no request."""

_DESCRIPTION = """
The box's own interface. Times are RFC 3339 in UTC; intervals are half-open. Errors are RFC 9457 problem details with
a stable `code`. On loopback the access token may be left out; elsewhere send it as `Authorization: Bearer …`.
"""


class Application(FastAPI):
    """All routes over one box."""

    def openapi(self) -> dict[str, Any]:
        """The description as OpenAPI: every error is a problem; the token may be left out on loopback only."""
        if self.openapi_schema is None:
            self.openapi_schema = _told_truly(super().openapi())
        return self.openapi_schema


def create_app(ports: Ports) -> FastAPI:
    """The application of one box."""
    app = Application(
        title="Custos",
        summary="An on-site video recorder whose footage can stand as evidence",
        description=_DESCRIPTION,
        version=ports.program,
        responses={"default": {"model": Problem, "description": "What is wrong, in words."}},
        # Their pages load programs from elsewhere, which could then do anything here; a box need not reach elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.ports = ports
    app.state.view_threads = Semaphore(VIEW_THREADS)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=BODY_LIMIT_BYTES)
    app.add_middleware(Guard, box=ports, body_limit_bytes=BODY_LIMIT_BYTES)
    errors.install(app)
    for page in (health, forecast, cameras, footage, media, holds, breaches, exports, views, log, scrub):
        app.include_router(page.router)
    return app


def _told_truly(document: dict[str, Any]) -> dict[str, Any]:
    """FastAPI describes errors as it would answer them itself, in JSON of its own form."""
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}, {}]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            answers = operation["responses"]["default"]["content"]
            operation["responses"]["default"]["content"] = {errors.MEDIA_TYPE: next(iter(answers.values()))}
    return document
