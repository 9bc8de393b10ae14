"""The application put together."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI

from api import errors
from api.deps import Ports, guard
from api.routes import cameras, footage, health, holds, log, media
from api.schemas import Problem

_DESCRIPTION = """
The box's own interface. Times are RFC 3339 in UTC; intervals are half-open. Errors are RFC 9457 problem details with
a stable `code`. On loopback the access token may be left out; elsewhere send it as `Authorization: Bearer …`.
"""


def create_app(ports: Ports) -> FastAPI:
    """All routes over one box."""
    answers: dict[int | str, dict[str, Any]] = {
        "default": {"model": Problem, "description": "What is wrong, in words."}
    }
    app = FastAPI(
        title="Custos",
        summary="An on-site video recorder whose footage can stand as evidence",
        description=_DESCRIPTION,
        version=ports.program,
        dependencies=[Depends(guard)],
        responses=answers,
        redoc_url=None,
    )
    app.state.ports = ports
    errors.install(app)
    for page in (health, cameras, footage, media, holds, log):
        app.include_router(page.router)
    return app
