"""Ends connections whose request does not come.

Uvicorn waits for ever for the first byte of one, and for the rest of one that was begun. As it serves so many
connections at once and no more, a hundred idle ones from one machine would silence it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_S: Final = 20.0
"""From connecting, or from its first byte, to its last: a request has some kilobytes. Who is slower may ask again."""


class ImpatientProtocol(HttpToolsProtocol):
    """Uvicorn's own, which ends what takes longer than `REQUEST_S`; between two its `timeout_keep_alive` holds."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected: a request is to come."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Something came, and ended the wait for a next request: be it the first bytes of one, or of nothing."""
        if self.cycle is None or self.cycle.response_complete:
            self._expect()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request's first byte came."""
        super().on_message_begin()
        self._expect()

    def on_message_complete(self) -> None:
        """Its last one did; how long the answer takes is nobody's fault."""
        self._had()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._had()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(REQUEST_S, self._end)

    def _had(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        """At once: whoever sends nothing may not read either. Unless an answer is under way, behind which it waits."""
        self._late = None
        if self.pipeline:
            self._expect()
        else:
            self.transport.abort()
