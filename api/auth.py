"""Who may ask. Until there are accounts: who has the access token, or who is on this machine.

On loopback the token may be left out. Then two doors must be shut that a web browser opens: a page of another site
may not change anything (its `Origin` differs), and a name of the attacker's that resolves to 127.0.0.1 is not ours
(its `Host` is not a loopback name).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from api.errors import HostRefused, OriginRefused, TokenNeeded, TokenWrong

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/healthz"})


def is_loopback(host: str) -> bool:
    """Whether that host can only be this machine."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check(
    method: str,
    path: str,
    host: str,
    origin: str | None,
    authorization: str | None,
    *,
    token_needed: bool,
    matches: Callable[[str], bool],
) -> None:
    """Let a request pass, or say why not.

    Raises:
        TokenNeeded, TokenWrong, HostRefused, OriginRefused: as they say.
    """
    if path in OPEN_PATHS:
        return
    token = _bearer(authorization)
    if token is not None and not matches(token):
        raise TokenWrong
    if token is None and token_needed:
        raise TokenNeeded
    if token is None and not is_loopback(_name_of(host)):
        raise HostRefused
    if method not in SAFE_METHODS and origin is not None and _authority_of(origin) != host.lower():
        raise OriginRefused


def _bearer(authorization: str | None) -> str | None:
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenWrong
    return token.strip()


def _authority_of(origin: str) -> str:
    """Name and port of an `Origin`; nothing for `null` and for what is none, which equals no host."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """The name in a `Host` header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
