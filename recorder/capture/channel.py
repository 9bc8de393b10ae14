"""Small messages between the main process and one that works for it, over a Unix socket pair.

Either side asks (`call`, answered or refused), or tells (no answer). A message is a head (lengths of two parts, 32 bits
each), a JSON part, and bytes that need no JSON. What the other side refuses is raised here as the error it named.
When the other side goes away every call that waits is refused, and `gone` is called once.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

import structlog

from config.errors import CustosError
from recorder.errors import PeerGone

JSON_LIMIT_BYTES = 16 * 1024 * 1024
"""The settings of some hundred cameras, or all their states, are some hundred kilobytes."""

BLOB_LIMIT_BYTES = 32 * 1024 * 1024
"""A key picture, or what was made of it."""

ANSWER_S = 60.0
"""How long an answer is waited for where nothing else is said: longer than any disk stalls that will ever answer."""

_HEAD = struct.Struct("!II")

log = structlog.get_logger("channel")


@dataclass(frozen=True)
class Answer:
    """What the other side answered."""

    body: Mapping[str, Any]
    blob: bytes = b""


@dataclass(frozen=True)
class Asked:
    """What the other side asks, or tells; `answer` and `refuse` may come later, and from any thread."""

    kind: str
    body: Mapping[str, Any]
    blob: bytes
    number: int | None
    """None: it was told, and wants no answer."""
    channel: Channel = field(repr=False)

    def answer(self, body: Mapping[str, Any] | None = None, blob: bytes = b"") -> None:
        """Done, and this came of it."""
        if self.number is not None:
            self.channel.post({"re": self.number, "body": body or {}}, blob)

    def refuse(self, error: CustosError) -> None:
        """It could not be done."""
        if self.number is not None:
            self.channel.post({"re": self.number, "error": {"code": error.code, "text": str(error)}})

    def carry_out(self, work: Callable[[Asked], Answer]) -> None:
        """Do it and answer; whatever goes wrong is the answer."""
        try:
            done = work(self)
        except CustosError as err:
            self.refuse(err)
        except Exception as err:  # top of what a message asked for: reported to who asked
            log.exception("a message could not be answered", kind=self.kind)
            self.refuse(CustosError(f"A fault in Custos itself ({type(err).__name__}); the log has the details."))
        else:
            self.answer(done.body, done.blob)


class Channel:
    """One end. `handle` is called in the reading thread, and must be quick or hand the work on."""

    def __init__(
        self, end: socket.socket, handle: Callable[[Asked], None], gone: Callable[[], None], *, name: str
    ) -> None:
        self._socket = end
        self._handle = handle
        self._gone = gone
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Answer]] = {}
        self._number = 0
        self._is_gone = False
        self._thread = threading.Thread(target=self._read, name=f"channel-{name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def call(self, kind: str, body: Mapping[str, Any], blob: bytes = b"", *, timeout_s: float = ANSWER_S) -> Answer:
        """Ask, and wait for the answer.

        Raises:
            PeerGone: there is nobody, or no answer in time. CustosError: as the other side refused.
        """
        future = self.ask(kind, body, blob)
        try:
            return future.result(timeout_s)
        except FutureTimeout as err:
            raise PeerGone(f"{PeerGone.sentence()} ({kind}: no answer within {timeout_s:g} s)") from err

    def ask(self, kind: str, body: Mapping[str, Any], blob: bytes = b"") -> Future[Answer]:
        """Ask; the answer comes later."""
        future: Future[Answer] = Future()
        with self._lock:
            if self._is_gone:
                raise PeerGone
            self._number += 1
            number = self._number
            self._waiting[number] = future
        self.post({"id": number, "kind": kind, "body": body}, blob)
        return future

    def tell(self, kind: str, body: Mapping[str, Any], blob: bytes = b"") -> None:
        """Say something that wants no answer."""
        self.post({"kind": kind, "body": body}, blob)

    def post(self, message: Mapping[str, Any], blob: bytes = b"") -> None:
        """Send; to nobody, where nobody is there any more: the reading thread finds that out."""
        text = json.dumps(message, separators=(",", ":")).encode()
        assert len(text) <= JSON_LIMIT_BYTES
        assert len(blob) <= BLOB_LIMIT_BYTES
        try:
            with self._sending:
                self._socket.sendall(_HEAD.pack(len(text), len(blob)) + text + blob)
        except OSError:
            self._lost()

    def close(self) -> None:
        """Hang up: the other side learns of it at once."""
        with contextlib.suppress(OSError):  # the other side was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    # -- the reading thread

    def _read(self) -> None:
        incoming = self._socket.makefile("rb")
        try:
            with contextlib.suppress(OSError, ValueError, KeyError):  # cut off in the middle: as good as gone
                while (message := _message(incoming)) is not None:
                    self._take(*message)
        finally:
            incoming.close()
            self._lost()
            self._gone()

    def _take(self, message: Mapping[str, Any], blob: bytes) -> None:
        number = message.get("re")
        if number is None:
            self._handle(Asked(message["kind"], message["body"], blob, message.get("id"), self))
            return
        with self._lock:
            future = self._waiting.pop(number, None)
        if future is None:
            return  # it was waited for too long
        if "error" in message:
            future.set_exception(error_of(message["error"]["code"], message["error"]["text"]))
        else:
            future.set_result(Answer(message["body"], blob))

    def _lost(self) -> None:
        with self._lock:
            self._is_gone = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(PeerGone())


def _message(incoming: Any) -> tuple[Mapping[str, Any], bytes] | None:
    """The next message; None: the other side hung up."""
    head = incoming.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size, more = _HEAD.unpack(head)
    if size > JSON_LIMIT_BYTES or more > BLOB_LIMIT_BYTES:
        raise ValueError("a message without end")
    text, blob = incoming.read(size), incoming.read(more)
    if len(text) < size or len(blob) < more:
        return None
    return json.loads(text), blob


def error_of(code: str, text: str) -> CustosError:
    """The error of that code, as whoever named it meant it; a code that nobody here knows is the root of all errors."""
    kind = _kinds(CustosError).get(code)
    if kind is None or kind.__init__ is not CustosError.__init__:
        return CustosError(text)
    return kind(text)


def _kinds(base: type[CustosError]) -> dict[str, type[CustosError]]:
    found: dict[str, type[CustosError]] = {}
    for child in base.__subclasses__():
        found |= _kinds(child)
    return found | {base.code: base}
