"""Leaves: what one entry of the log says, as canonical JSON (RFC 8785), so that equal facts are equal bytes.

Every leaf carries two clocks: `at` (UTC, which anybody can set) and `elapsed_us` (box time: monotonic time summed
over all boots, which nobody can turn back). With both, ages can be judged by whoever holds the log alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from config.times import format_us, parse_us
from recorder.store.log.errors import LeafMalformed, LeafTooLarge, LeafUnknown
from recorder.store.log.tiles import ENTRY_LIMIT_BYTES

VERSION = 1

TYPES = frozenset(
    [
        "genesis",
        "boot",
        "cfg",
        "camera",
        "seg",
        "gap",
        "beat",
        "hold",
        "release",
        "request",
        "refuse",
        "view",
        "export",
        "publish",
        "del",
        "del.done",
        "audit",
        "clock",
        "finding",
        "anchor",
        "sm2",
        "key",
        "breach",
        "doc",
    ]
)
"""The closed set of docs/storage.md: an entry of another kind is a mistake, or another program's."""

_OWN = ("v", "type", "at", "elapsed_us")


@dataclass(frozen=True)
class Leaf:
    """One entry of the log."""

    type: str
    at_us: int
    elapsed_us: int
    fields: Mapping[str, Any]


def encode_leaf(kind: str, at_us: int, elapsed_us: int, fields: Mapping[str, Any]) -> bytes:
    """The bytes of a leaf.

    Raises:
        LeafTooLarge: more than 65,535 bytes.
        ValueError: an unknown type, a field that is the leaf's own, or a value that is no whole number or text.
    """
    if kind not in TYPES:
        raise ValueError(f"{kind!r} is not a type of leaf")
    taken = set(fields) & set(_OWN)
    if taken:
        raise ValueError(f"fields named like the leaf's own: {sorted(taken)}")
    _refuse_floats(fields)
    body = rfc8785.dumps({"v": VERSION, "type": kind, "at": format_us(at_us), "elapsed_us": elapsed_us, **fields})
    if len(body) > ENTRY_LIMIT_BYTES:
        raise LeafTooLarge(f"{LeafTooLarge.sentence()} It has {len(body)} bytes.")
    return body


def decode_leaf(body: bytes) -> Leaf:
    """Read a leaf back; only the very bytes that `encode_leaf` writes are taken.

    Raises:
        LeafUnknown: it is of a later version, or of a kind that came with one. LeafMalformed: anything else.
    """
    try:
        facts = json.loads(body)
        version, kind = facts.pop("v"), facts.pop("type")
        if _is_later(version) or (isinstance(kind, str) and kind not in TYPES):
            raise LeafUnknown(f"{LeafUnknown.sentence()} (version {version!r}, type {kind!r})")
        at_us, elapsed_us = parse_us(facts.pop("at")), facts.pop("elapsed_us")
        if version != VERSION or not isinstance(elapsed_us, int):
            raise LeafMalformed(f"{LeafMalformed.sentence()} (version {version!r})")
        again = encode_leaf(kind, at_us, elapsed_us, facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise LeafMalformed from err
    if again != body:
        raise LeafMalformed(f"{LeafMalformed.sentence()} (it is JSON, but not the canonical form)")
    return Leaf(kind, at_us, elapsed_us, facts)


def _is_later(version: object) -> bool:
    return isinstance(version, int) and not isinstance(version, bool) and version > VERSION


def bind_record(record: Mapping[str, Any], salt: bytes) -> str:
    """What a leaf carries of a side record: hex SHA-256 of the salt and the record's canonical JSON."""
    return hashlib.sha256(salt + rfc8785.dumps(dict(record))).hexdigest()


def _refuse_floats(value: object) -> None:
    """A float may be written in more ways than one reader thinks of; instants and sizes are whole numbers."""
    if isinstance(value, float):
        raise ValueError("a leaf holds whole numbers only")  # noqa: TRY004 - one kind of error for every wrong value
    if isinstance(value, Mapping):
        for one in value.values():
            _refuse_floats(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _refuse_floats(one)
