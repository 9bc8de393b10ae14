"""What an entry of the log must look like to be judged by: its fields and their kinds. Pure.

Whoever has the key and the program may write anything into an entry. What is not of the form that an honest program
writes is refused before anything is concluded from it; so a field that is missing, or of another kind, never counts as
nothing. The two scripts of a package hold the same table (docs/proof.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from config.times import parse_us
from recorder.causes import Cause
from recorder.store.keeping import is_rule_days

NUMBER_LIMIT: Final = 10**15
"""Above all numbers of items and bytes; below what a shell counts with."""

DAYS_LIMIT: Final = 99_999

Kind = Callable[[Any], bool]

_HASH = re.compile("[0-9a-f]{64}")
_CAMERA = re.compile("[a-z0-9][a-z0-9_-]*")
_STREAM = re.compile(r"[a-z0-9][a-z0-9_-]*\.[a-z]+")
_WORD = re.compile("[a-z0-9_]+")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def _number(value: object) -> bool:
    return type(value) is int and 0 <= value < NUMBER_LIMIT


def _integer(value: object) -> bool:
    return type(value) is int and abs(value) < NUMBER_LIMIT


def _days(value: object) -> bool:
    return type(value) is int and 0 <= value <= DAYS_LIMIT


def _text(value: object) -> bool:
    return isinstance(value, str)


def _hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _hashes(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_hash, value))


def _camera(value: object) -> bool:
    return isinstance(value, str) and _CAMERA.fullmatch(value) is not None


def _cameras(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_camera, value))


def _stream(value: object) -> bool:
    return isinstance(value, str) and _STREAM.fullmatch(value) is not None


def _word(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _cause(value: object) -> bool:
    return value in list(Cause)


def _moment(value: object) -> bool:
    """A day and a time that there are, as this log writes them."""
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return False
    try:
        parse_us(value)
    except ValueError:
        return False
    return True


def _or_nothing(kind: Kind) -> Kind:
    return lambda value: value is None or kind(value)


_SPAN: Final = {"t0": _moment, "t1": _moment}
_ITEM: Final = {"stream": _stream, "n": _number, "prev": _hash, **_SPAN}

MUST: Final[Mapping[str, Mapping[str, Kind]]] = {
    "genesis": {"box": _text, "key": _hash, "origin": _text},
    "camera": {"camera": _camera, "op": _word},
    "camera rule": {"floor_days": is_rule_days, "target_days": is_rule_days},
    "seg": {
        **_ITEM,
        "sha256": _hash,
        "run": _number,
        "init_bytes": _number,
        "bytes": _number,
        "frames": _number,
        "codec": _word,
    },
    "gap": {**_ITEM, "cause": _cause, "detail": _text},
    "del": {"stream": _stream, "n0": _number, "n1": _number, "floor_days": _days, "holds": _hash, "rule": _text},
    "breach": {
        "stream": _stream,
        "n0": _number,
        "n1": _number,
        "floor_days": _days,
        "until": _moment,
        "short_us": _number,
        "wish": _number,
    },
    "hold": {"hold": _number, "cameras": _cameras, **_SPAN, "record": _hash},
    "release": {"hold": _number},
    "view": {"stream": _stream},
    "export": {"stream": _stream},
    "beat": {"heads": _hash},
    "anchor": {"kind": _word, "size": _number, "token": _hash},
}
"""What an entry of each type must tell; and of each operation, where it has one that tells more."""

MAY: Final[Mapping[str, Mapping[str, Kind]]] = {
    "seg": {"sm3": _hash, "clock_offset_us": _or_nothing(_integer), "clock_drift_ppb": _integer},
    "beat": {"holds": _hash, "sm2": _hash},
    "del": {"rules": _hash},
    "hold": {
        "asked_t0": _moment,
        "asked_t1": _moment,
        "padding_before_s": _number,
        "padding_after_s": _number,
        "basis": _word,
        "review": _moment,
    },
    "release": {"by": _hashes},
    "genesis": {"release_codes": _hashes},
}
"""What it may tell, and then must tell so."""

NEVER: Final[Mapping[str, tuple[str, ...]]] = {"gap": ("sha256", "sm3")}
"""What it may not: a gap with a hash would be footage to one reader, and none to another."""


def check(kind: str, elapsed_us: object, fields: Mapping[str, Any]) -> None:
    """Whether an entry is of the form that this log writes.

    Raises:
        ValueError: it is not; with the field.
    """
    if not _number(elapsed_us):
        raise ValueError("elapsed_us is not of its kind")
    must = {**MUST.get(kind, {}), **MUST.get(f"{kind} {fields.get('op')}", {})}
    for name, allowed in must.items():
        if name not in fields or not allowed(fields[name]):
            raise ValueError(f"{name} is missing, or not of its kind")
    for name, allowed in MAY.get(kind, {}).items():
        if name in fields and not allowed(fields[name]):
            raise ValueError(f"{name} is not of its kind")
    for name in NEVER.get(kind, ()):
        if name in fields:
            raise ValueError(f"there is a field {name}")
    audio = fields.get("audio", {})
    if not isinstance(audio, dict) or any(isinstance(one, dict | list) for one in audio.values()):
        raise ValueError("fields in fields of audio")


def head_vector(vector: object) -> bool:
    """Whether that is what a beat binds: of each stream the number of its last item, and that item's hash."""
    return isinstance(vector, dict) and all(
        _stream(name) and isinstance(head, list) and len(head) == 2 and _number(head[0]) and _hash(head[1])
        for name, head in vector.items()
    )
