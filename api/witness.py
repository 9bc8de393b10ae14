"""A witness's way in: one call of C2SP tlog-witness, and a page that says who this is. No token: whoever asks shows a
checkpoint that a known log has signed, or is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect

from recorder.errors import StorageError
from retention.evidence.cosigning import REQUEST_LIMIT_BYTES
from retention.evidence.notary import Notary
from retention.evidence.witness import PLAIN_TYPE, TOO_MANY, Answer

REQUEST_S: Final = 10.0
"""How long a request may take to arrive; it is some hundred bytes."""

log = structlog.get_logger("custos.witness")


def create_witness(notary: Notary, page: str) -> FastAPI:
    """The application of one witness.

    Args:
        notary: who decides.
        page: what it says of itself to who opens it in a browser.
    """
    app = FastAPI(title="Custos witness", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=REQUEST_LIMIT_BYTES)

    @app.get("/")
    def about() -> Response:
        """Who this is."""
        return Response(page, media_type=PLAIN_TYPE)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        """C2SP tlog-witness, add-checkpoint."""
        return _response(await _answer(notary, request))

    return app


async def _answer(notary: Notary, request: Request) -> Answer:
    if not notary.admits(_network(request)):
        return TOO_MANY
    try:
        async with asyncio.timeout(REQUEST_S):
            body = await request.body()
    except (TimeoutError, ClientDisconnect):
        return Answer(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive.\n")
    try:
        return await asyncio.to_thread(notary.answer, body)
    except StorageError as err:
        log.warning("a checkpoint could not be remembered, so it was not cosigned", code=err.code, why=str(err))
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "The witness cannot remember what it would cosign.\n")


def _network(request: Request) -> str:
    """Who asks, as far as is counted: of IPv6 the network, since one machine has as many addresses as it likes."""
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))


def _response(answer: Answer) -> Response:
    headers = {"Content-Type": answer.content_type, "Cache-Control": "no-store"}
    if answer is TOO_MANY:
        headers["Retry-After"] = "60"
    return Response(answer.body, status_code=answer.status, headers=headers)
