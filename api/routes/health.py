"""Whether the box is alive, ready and well."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.deps import Box, Language
from api.schemas import Alive, Readiness, Status

router = APIRouter()


@router.get("/healthz", summary="Process alive", tags=["health"])
def healthz() -> Alive:
    """200 as long as the process answers. Needs no token."""
    return Alive()


@router.get(
    "/readyz",
    summary="Store and log work",
    tags=["health"],
    responses={503: {"model": Readiness, "description": "They do not; the reasons are given."}},
)
def readyz(box: Box, response: Response) -> Readiness:
    """200 only when the store can be written and the log is being signed."""
    found = box.ready()
    if not found.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return found


@router.get("/metrics", summary="Prometheus metrics", tags=["health"], response_class=Response)
def metrics(box: Box) -> Response:
    """Per camera: age of the last media, bytes, frames, gap seconds by cause, reconnects; disk, log and sync."""
    return Response(box.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/v1/status", summary="The whole box at a glance", tags=["health"])
def status(box: Box, language: Language) -> Status:
    """State, problems in words (English, or Chinese by Accept-Language), cameras, storage, log, retention."""
    return box.status(language)
