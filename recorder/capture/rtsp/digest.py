"""Who we are to a camera: digest (RFC 7616, RFC 2617) and basic authentication (RFC 7617), the client's side. Pure.

The best of what a camera offers is taken, in whatever order it offers: SHA-256 before MD5 before basic, the last only
where the connection is encrypted or somebody allowed it. Nothing here shows the password, in no error and no `repr`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from pydantic import SecretStr

CHALLENGES_LIMIT = 16
"""Challenges in one answer; cameras send one to three."""

CHALLENGE_LIMIT_CHARACTERS = 4096

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?:\s+|$)(?!=)")
_PARAMETER = re.compile(rf"[\s,]*({_WORD})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]*))")


class Outcome(StrEnum):
    """What follows from a challenge."""

    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True)
class Challenge:
    """One way that the camera offers."""

    scheme: str
    """In small letters."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""

    @property
    def algorithm(self) -> str:
        """Of a digest; MD5 where none is named (RFC 2617, 3.2.1)."""
        return self.parameters.get("algorithm", "MD5").upper() or "MD5"


def _md5(text: bytes) -> str:
    return hashlib.md5(text, usedforsecurity=False).hexdigest()  # what the camera asks for


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


ALGORITHMS: Mapping[str, Callable[[bytes], str]] = {
    "SHA-256-SESS": _sha256,
    "SHA-256": _sha256,
    "MD5-SESS": _md5,
    "MD5": _md5,
}
"""Best first."""


def parse_challenges(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """All challenges of an answer: several headers, or several in one."""
    found: list[Challenge] = []
    for header in headers[:CHALLENGES_LIMIT]:
        text, at = header[:CHALLENGE_LIMIT_CHARACTERS], 0
        while scheme := _SCHEME.match(text, at):
            at = scheme.end()
            parameters: dict[str, str] = {}
            while one := _PARAMETER.match(text, at):
                quoted = one[2]
                parameters[one[1].lower()] = one[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                at = one.end()
            found.append(Challenge(scheme[1].lower(), parameters))
    return tuple(found[:CHALLENGES_LIMIT])


class Authenticator:
    """One session's credentials, and what the camera wants to see of them."""

    def __init__(
        self,
        username: str | None,
        password: SecretStr | None,
        *,
        basic_allowed: bool,
        cnonce: Callable[[], str],
    ) -> None:
        """`cnonce` makes a fresh text for each request: chance is handed in."""
        self._username = username
        self._password = password
        self._basic_allowed = basic_allowed
        self._cnonce = cnonce
        self._chosen: Challenge | None = None
        self._session_key = ""
        self._count = 0
        self._offered: tuple[Challenge, ...] = ()
        self._tried = False
        self._accepted = False

    def challenged(self, headers: Sequence[str]) -> Outcome:
        """The camera answered 401 with these headers."""
        before = self._chosen
        self._offered = parse_challenges(headers)
        self._chosen = self._best()
        self._count, self._session_key = 0, ""
        if self._username is None or self._chosen is None:
            return Outcome.REFUSED
        was_tried, self._tried = self._tried, True
        if not was_tried or before is None:
            return Outcome.RETRY
        if self._chosen.parameters.get("stale", "").lower() == "true":
            return Outcome.RETRY
        # Another nonce without `stale`: some cameras renew it so. With the same one, the credentials are wrong.
        renewed = self._chosen.parameters.get("nonce") != before.parameters.get("nonce")
        return Outcome.RETRY if renewed and self._accepted else Outcome.REFUSED

    def accepted(self) -> None:
        """The camera took a request: if with credentials, a later refusal is about the nonce first.

        Wrong credentials are not tried again and again: cameras lock an account after a few failures.
        """
        self._accepted = self._chosen is not None

    def explanation(self) -> str:
        """Why there is no getting in, where that is not simply a wrong password."""
        if self._username is None:
            return "The camera asks for a user name and password, and none are set for it."
        if self._chosen is not None:
            return ""
        names = sorted({one.algorithm if one.scheme == "digest" else one.scheme for one in self._offered})
        offered = ", ".join(name[:40] for name in names) or "nothing"
        return f"The camera offers {offered} for authentication; this box can do digest with MD5 and SHA-256."

    @property
    def lacks_basic(self) -> bool:
        """Whether basic, which is not allowed, is the only way to log in that is offered and known here."""
        is_offered = any(one.scheme == "basic" for one in self._offered)
        return self._username is not None and self._chosen is None and is_offered

    @property
    def uses_basic(self) -> bool:
        """Whether requests carry the password itself."""
        return self._chosen is not None and self._username is not None and self._chosen.scheme == "basic"

    def authorization(self, method: str, uri: str) -> str | None:
        """The header for a request; None before the camera asked."""
        if self._chosen is None or self._username is None:
            return None
        if self.uses_basic:
            return "Basic " + base64.b64encode(f"{self._username}:{self._secret()}".encode()).decode()
        return self._digest(self._chosen, method, uri)

    def _best(self) -> Challenge | None:
        digests = [one for one in self._offered if one.scheme == "digest" and _is_usable(one)]
        for name in ALGORITHMS:
            found = next((one for one in digests if one.algorithm == name), None)
            if found is not None:
                return found
        basics = (one for one in self._offered if one.scheme == "basic")
        return next(basics, None) if self._basic_allowed else None

    def _secret(self) -> str:
        return "" if self._password is None else self._password.get_secret_value()

    def _digest(self, challenge: Challenge, method: str, uri: str) -> str:
        """RFC 7616, 3.4; without `qop` as RFC 2069 had it (RFC 2617, 3.2.2.1)."""
        of = challenge.parameters
        realm, nonce = of.get("realm", ""), of["nonce"]
        make, algorithm = ALGORITHMS[challenge.algorithm], challenge.algorithm
        self._count += 1
        cnonce, count = self._cnonce(), f"{self._count:08x}"
        key = make(f"{self._username}:{realm}:{self._secret()}".encode())
        if algorithm.endswith("-SESS"):
            self._session_key = self._session_key or make(f"{key}:{nonce}:{cnonce}".encode())
            key = self._session_key
        asked = make(f"{method}:{uri}".encode())
        middle = f"{nonce}:{count}:{cnonce}:auth" if "qop" in of else nonce
        fields = [("username", self._username or ""), ("realm", realm), ("nonce", nonce), ("uri", uri)]
        fields.append(("response", make(f"{key}:{middle}:{asked}".encode())))
        plain = [("algorithm", of["algorithm"])] if "algorithm" in of else []
        if "opaque" in of:
            fields.append(("opaque", of["opaque"]))
        if "qop" in of:
            plain += [("qop", "auth"), ("nc", count)]
            fields.append(("cnonce", cnonce))
        quoted = (f'{name}="{_escaped(value)}"' for name, value in fields)
        return "Digest " + ", ".join(chain(quoted, (f"{name}={value}" for name, value in plain)))


def _is_usable(challenge: Challenge) -> bool:
    offered = challenge.parameters.get("qop")
    methods = [] if offered is None else [one.strip().lower() for one in offered.split(",")]
    return (
        challenge.algorithm in ALGORITHMS
        and bool(challenge.parameters.get("nonce"))
        and (offered is None or "auth" in methods)
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
