"""What the box says about itself: structured lines on standard error, none of which carries a secret.

Promises that every line, from our own code, from uvicorn or from libav, passes one processor that takes user
names and passwords out of URLs, and every registered secret out of every value and every traceback. Whether
something is worth a line is left to those who write it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, Final
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.clock import Clock, SystemClock
from config.times import format_us

HIDDEN: Final = "***"
"""What stands where a secret stood."""

WORD_LENGTH: Final = 6
"""A shorter secret is hidden only where it stands as a word: hiding "1" everywhere would spoil every number."""

DEPTH_LIMIT: Final = 16
"""Values nested deeper are written as text: a log line is no place for a tree, and a ring would never end."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<rest>[^\s\"'<>]+)")
_ENDS_AUTHORITY = re.compile(r"[/?#]")
_HOST_AND_PORT = re.compile(r"[^:@]*(:\d*)?|\[[^\]]*\](:\d*)?")
_NAMED = re.compile(r"(?i)\b((?:password|passwd|pwd|passphrase|secret|token|access_token|auth)=)[^\s&;,\"'<>]+")
_AUTHORIZATION = re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}")


class _Secrets:
    """The secrets known to this process; written by any thread, read by all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Hide this secret from now on, in every form in which it may be written."""
        with self._lock:
            self._known |= {form for form in _forms(secret) if form.strip()}
            longest_first = sorted(self._known, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(_as_pattern(form) for form in longest_first)) if longest_first else None

    def hide(self, text: str) -> str:
        """The text without any of them."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


_SECRETS = _Secrets()


def register_secret(secret: str) -> None:
    """Hide this password or token in everything that is logged from now on.

    Registering is for life: a secret that was changed is still a secret to whoever used it twice.
    """
    _SECRETS.add(secret)


def redact(text: str) -> str:
    """The text without registered secrets, user names and passwords in URLs, or values named like secrets."""
    text = _SECRETS.hide(text)
    text = _URL.sub(_without_userinfo, text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    return _AUTHORIZATION.sub(rf"\1{HIDDEN}", text)


def carries_credentials(url: str) -> bool:
    """Whether a user name or password stands in the URL, also one written unescaped, with a slash in it."""
    return (
        "@" in _ENDS_AUTHORITY.split(url.partition("://")[2], maxsplit=1)[0] or _URL.sub(_without_userinfo, url) != url
    )


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The structlog processor: every key and every value, however deep, without secrets."""
    return {redact(str(key)): _redact_value(value, DEPTH_LIMIT) for key, value in event.items()}


def configure(
    *, as_json: bool | None = None, level: str = "INFO", stream: IO[str] | None = None, clock: Clock | None = None
) -> None:
    """Send all logging of this process through the one chain, as JSON lines or as lines for people.

    Args:
        as_json: JSON if true, lines for people if false; by default JSON unless ``stream`` is a terminal.
        level: the least level that is written, such as ``"INFO"``.
        stream: where lines go; standard error by default, since standard output belongs to a command's answer.
        clock: what stamps the lines.
    """
    out = stream or sys.stderr
    to_terminal = out.isatty()
    shared = _shared(clock or SystemClock())
    renderer = _renderer(as_json if as_json is not None else not to_terminal, colours=to_terminal)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact_event, renderer],
        )
    )
    _take_over_stdlib(handler, level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    threading.excepthook = _log_thread_crash


def _shared(clock: Clock) -> list[Processor]:
    """What our own lines and those of libraries pass alike."""

    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["at"] = format_us(clock.read().utc_us)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        stamp,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def _renderer(as_json: bool, *, colours: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=colours, timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
    )


def _take_over_stdlib(handler: logging.Handler, level: str) -> None:
    """Make this handler the only way out: one that a library hung up would write past the redaction."""
    for name in list(logging.root.manager.loggerDict):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    logging.captureWarnings(capture=True)


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    """A thread that dies says so in the log: Python's own hook would print its traceback with all it holds."""
    name = crash.thread.name if crash.thread else "unknown"
    if crash.exc_value is None:
        return
    structlog.get_logger("custos.threads").critical("thread died", thread=name, exc_info=crash.exc_value)


def _redact_value(value: Any, depth: int) -> Any:
    """Any value as plain data without secrets; what is not plain data becomes text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "backslashreplace"))
    if depth and isinstance(value, Mapping):
        return {redact(str(key)): _redact_value(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(inner, depth - 1) for inner in value]
    return redact(str(value) if isinstance(value, BaseException) else repr(value))


def _without_userinfo(match: re.Match[str]) -> str:
    """The URL without what stands before the last ``@`` of its authority.

    An ``@`` past the first slash may belong to a path, or to a password with a slash in it that somebody wrote
    unescaped. It counts as the end of a password unless what stands before the slash reads as host and port.
    """
    scheme, rest = match["scheme"], match["rest"]
    authority = _ENDS_AUTHORITY.split(rest, maxsplit=1)[0]
    if "@" in authority:
        cut = authority.rindex("@")
    elif "@" in rest and not _HOST_AND_PORT.fullmatch(authority):
        cut = rest.rindex("@")
    else:
        return match[0]
    return f"{scheme}{HIDDEN}@{rest[cut + 1 :]}"


def _forms(secret: str) -> set[str]:
    """The secret as such, as URLs write it, and as Python and JSON write it between quotes."""
    return {secret, quote(secret, safe=""), quote(secret), repr(secret)[1:-1], json.dumps(secret)[1:-1]}


def _as_pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= WORD_LENGTH else rf"(?<!\w){escaped}(?!\w)"
