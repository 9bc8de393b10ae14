"""Where a key lies in a token: PKCS #11 URLs (RFC 7512), as far as one signing key needs them. Pure.

    pkcs11:token=custos;object=log?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/custos/pin

What is not understood is refused: an attribute that was overlooked may be the one that told two tokens apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

SCHEME = "pkcs11:"
FILE_SCHEME = "file:"
LENGTH_LIMIT = 2000
"""Characters: two labels of 32 bytes, a serial, an id and two paths, all percent-encoded, have fewer. What is longer
is no such URL, and would stand in the log as long as it is."""


class TokenUrlInvalid(ValueError):
    """That URL names no key in a token."""


class TokenUrlSecret(TokenUrlInvalid):
    """The PIN stands in the URL: it belongs into a file, named by pin-source."""


@dataclass(frozen=True)
class TokenUrl:
    """One key in one token."""

    module: Path
    """The PKCS #11 library of the token's maker."""
    pin_file: Path
    """Holds the PIN in its first line."""
    token: str | None = None
    """The token's label."""
    serial: str | None = None
    object: str | None = None
    """The key's label (CKA_LABEL)."""
    id: bytes | None = None
    """The key's CKA_ID."""


def parse(text: str) -> TokenUrl:
    """Read a URL.

    Raises:
        TokenUrlSecret: it holds a PIN; the sentence does not show it. TokenUrlInvalid: anything else.
    """
    if not text.startswith(SCHEME):
        raise TokenUrlInvalid("it does not begin with pkcs11:")
    if len(text) > LENGTH_LIMIT:
        raise TokenUrlInvalid(f"it has more than {LENGTH_LIMIT} characters")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    if any(one.startswith("pin-value") for one in query.split("&")):
        raise TokenUrlSecret(str(TokenUrlSecret.__doc__))
    named = _attributes(path, ";", {"token": _text, "serial": _text, "object": _text, "id": bytes, "type": _private})
    asked = _attributes(query, "&", {"module-path": _text, "pin-source": _text})
    if not {"token", "serial"} & set(named) or not {"object", "id"} & set(named):
        raise TokenUrlInvalid("it needs token or serial, and object or id")
    if set(asked) != {"module-path", "pin-source"}:
        raise TokenUrlInvalid("it needs module-path and pin-source")
    named.pop("type", None)
    return TokenUrl(module=_file(asked["module-path"]), pin_file=_file(asked["pin-source"]), **named)


def _attributes(text: str, between: str, known: dict[str, Callable[[bytes], Any]]) -> dict[str, Any]:
    """Each once, percent-decoded (RFC 7512, 2.3)."""
    found: dict[str, Any] = {}
    for piece in text.split(between) if text else ():
        name, is_given, value = piece.partition("=")
        if name not in known or name in found or not is_given or not value:
            raise TokenUrlInvalid(f"{name!r} is unknown, empty, or stands twice")
        found[name] = known[name](unquote_to_bytes(value))
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as err:
        raise TokenUrlInvalid("a part of it is not UTF-8") from err


def _private(value: bytes) -> str:
    if value != b"private":
        raise TokenUrlInvalid("type is not private")
    return "private"


def _file(value: object) -> Path:
    """An absolute path, or one as a ``file:`` URL."""
    path = str(value).removeprefix(FILE_SCHEME)
    path = path.removeprefix("//") if path.startswith("///") else path
    if not path.startswith("/") or "\0" in path:
        raise TokenUrlInvalid("module-path and pin-source are absolute paths")
    return Path(path)
