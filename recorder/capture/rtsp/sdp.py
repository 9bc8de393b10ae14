"""What a camera says it will send: SDP (RFC 8866), as cameras really write it. Pure.

Lines may end in LF alone and carry trailing blanks and zeros; the origin, session and time lines may be missing; bytes
need not be UTF-8. Only a text without any media is refused. Control URLs are joined as cameras expect it: behind the
base with a slash, even where the base has a query, although RFC 2326, C.1.1 would have them resolved as RFC 1808 says.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from recorder.capture.nal import PARAMETER_SETS, unit_type
from recorder.errors import SourceInvalid
from recorder.store.records import CodecName

TEXT_LIMIT_BYTES = 64 * 1024
"""Cameras send one or two kilobytes."""

MEDIA_LIMIT = 32
LINE_LIMIT = 1000
VALUE_LIMIT_CHARACTERS = 4096
"""Parameter sets of H.265 have some hundreds."""

SIDE_LIMIT_PIXELS = 8192
"""No camera's picture is wider; whoever looks at the first one makes room for it, whatever is in it."""

STATIC_TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("PCMU", 8000, 1),
    8: ("PCMA", 8000, 1),
    14: ("MPA", 90_000, 1),
    26: ("JPEG", 90_000, 1),
}
"""RFC 3551, table 4 and 5: encoding, clock rate and channels of types that need no rtpmap."""


@dataclass(frozen=True)
class MediaDescription:
    """One track."""

    kind: str
    """`video`, `audio`, `application`, …"""
    payload_type: int
    encoding: str = ""
    """In capital letters, as rtpmap has it; empty where nothing names it."""
    clock_rate_hz: int = 90_000
    channels: int = 1
    fmtp: Mapping[str, str] = field(default_factory=dict)
    """Format parameters; names in small letters."""
    control_url: str = ""
    """Absolute."""
    size: tuple[int, int] | None = None
    """Width and height, where told: of JPEG pictures that are larger than their packets can tell."""


@dataclass(frozen=True)
class SessionDescription:
    """All tracks."""

    media: tuple[MediaDescription, ...]
    control: str | None = None
    """URL that stands for all tracks together; None: the base."""


def parse(text: bytes, base_url: str) -> SessionDescription:
    """Read a description.

    Raises:
        SourceInvalid: there is no media in it, or no end to it.
    """
    if len(text) > TEXT_LIMIT_BYTES:
        raise SourceInvalid("The camera's description has no end.")
    sections: list[list[tuple[str, str]]] = [[]]
    for key, value in _lines(text):
        if key == "m":
            if len(sections) > MEDIA_LIMIT:
                break
            sections.append([])
        sections[-1].append((key, value))
    media = tuple(found for one in sections[1:] if (found := _media(one, base_url)) is not None)
    if not media:
        raise SourceInvalid("The camera's description names no media.")
    control = _attribute(sections[0], "control")
    whole = None if control in (None, "*", "") else resolved(base_url, str(control))
    return SessionDescription(media, whole)


def base_of(request_url: str, content_base: str, content_location: str) -> str:
    """What control URLs are relative to (RFC 2326, C.1.1), where cameras often name a host that is not theirs.

    The host is always the one that was asked: a camera behind a router does not know what it is called from outside.
    """
    named = (content_base or content_location).strip()
    here = urlsplit(request_url)
    try:
        there = urlsplit(named if "://" in named else f"//{named.lstrip('/')}" if named[:2] == "//" else named)
    except ValueError:
        return request_url
    if there.netloc:
        return there._replace(scheme=here.scheme, netloc=here.netloc).geturl()
    if named.startswith("/"):
        return f"{here.scheme}://{here.netloc}{named}"
    head = f"{here.hostname}"
    if head and named.startswith(head):  # a URL that has lost its scheme
        _, _, rest = named.partition("/")
        return f"{here.scheme}://{here.netloc}/{rest}"
    return request_url


def resolved(base_url: str, control: str) -> str:
    """A control URL made absolute, on the host that was asked."""
    control = control.strip()
    if control in ("", "*"):
        return base_url
    if re.match(r"rtsps?://", control, re.IGNORECASE):
        try:
            there, here = urlsplit(control), urlsplit(base_url)
        except ValueError:
            return base_url
        return there._replace(scheme=here.scheme, netloc=here.netloc).geturl()
    if control.startswith("/"):
        here = urlsplit(base_url)
        return f"{here.scheme}://{here.netloc}{control}"
    return base_url + ("" if base_url.endswith("/") else "/") + control


def sets_from_fmtp(media: MediaDescription, codec: CodecName) -> tuple[bytes, ...]:
    """The parameter sets that are told ahead (RFC 6184, 8.1; RFC 7798, 7.1).

    What is wrong among them is left out: the pictures bring their own.
    """
    names = ("sprop-parameter-sets",) if codec is CodecName.H264 else ("sprop-vps", "sprop-sps", "sprop-pps")
    texts = (part for name in names for part in media.fmtp.get(name, "").split(","))
    found = (unit for text in texts for unit in _decoded(text))
    return tuple(dict.fromkeys(unit for unit in found if unit_type(unit, codec) in PARAMETER_SETS[codec]))


def _decoded(text: str) -> Iterator[bytes]:
    """Base64 with or without its padding; some cameras leave start codes in it."""
    text = text.strip().rstrip("=")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return
    for unit in re.split(b"\x00\x00\x00?\x01", data):
        if len(unit) > 2:
            yield unit


def _lines(text: bytes) -> Iterator[tuple[str, str]]:
    for line in re.split(rb"[\r\n]+", text)[:LINE_LIMIT]:
        words = line.decode("utf-8", "replace").strip(" \t\0")
        if len(words) > 1 and words[1:].lstrip()[:1] == "=":
            yield words[0].lower(), words.partition("=")[2].strip()[:VALUE_LIMIT_CHARACTERS]


def _attribute(section: list[tuple[str, str]], name: str) -> str | None:
    return next(_attributes(section, name), None)


def _attributes(section: list[tuple[str, str]], name: str) -> Iterator[str]:
    for key, value in section:
        key_of, _, rest = value.partition(":")
        if key == "a" and key_of.strip().lower() == name:
            yield rest.strip()


def _media(section: list[tuple[str, str]], base_url: str) -> MediaDescription | None:
    words = section[0][1].split()
    types = [number for word in words[3:] if (number := _number(word, 127)) is not None]
    if len(words) < 3 or not types:
        return None
    maps = {_number(one.partition(" ")[0], 127): _mapped(one) for one in _attributes(section, "rtpmap")}
    chosen = next((one for one in types if one in maps or one in STATIC_TYPES), types[0])
    encoding, clock_rate_hz, channels = maps.get(chosen) or STATIC_TYPES.get(chosen, ("", 90_000, 1))
    return MediaDescription(
        words[0].lower(),
        chosen,
        encoding,
        clock_rate_hz,
        channels,
        _parameters(section, chosen),
        resolved(base_url, _attribute(section, "control") or ""),
        _size(_attribute(section, "x-dimensions") or ""),
    )


def _mapped(text: str) -> tuple[str, int, int]:
    """`96 H264/90000` (RFC 8866, 6.6)."""
    name, *numbers = text.partition(" ")[2].strip().split("/")
    rate = _number(numbers[0], 10_000_000) if numbers else None
    channels = _number(numbers[1], 64) if len(numbers) > 1 else None
    return name.strip().upper(), rate or 90_000, channels or 1


def _parameters(section: list[tuple[str, str]], payload_type: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in _attributes(section, "fmtp"):
        number, _, rest = text.partition(" ")
        if _number(number, 127) == payload_type:
            for part in rest.split(";"):
                name, _, value = part.partition("=")
                found[name.strip().lower()] = value.strip()
    found.pop("", None)
    return found


def _size(text: str) -> tuple[int, int] | None:
    """`3840,2160`: not of any standard, but what servers write beside RFC 2435, whose packets end at 2040 pixels."""
    width, height = (_number(one, SIDE_LIMIT_PIXELS) for one in (text.partition(",")[0], text.partition(",")[2]))
    return (width, height) if width and height else None


def _number(text: str, most: int) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return int(text) if int(text) <= most else None
