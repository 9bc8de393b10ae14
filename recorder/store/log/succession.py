"""One key of a log follows another: what both say, and the walk from the first to the present. Pure.

The statement is text of a form that nothing else of ours has, so that a signature of it can be taken for nothing else::

    This is no checkpoint: one key of a log follows another.
    origin custos/0123456789abcdef
    number 1
    old <fingerprint of the key that signed until now>
    new <fingerprint of the key that signs from here on>

The second line of a checkpoint is a number, and each line of a list of files begins with 64 hex digits. Both keys sign
the same text: the old one says by it who comes after, the new one whom it comes after. The `key` leaf carries both keys
and both signatures, and ``openssl pkeyutl -verify -rawin`` checks them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.verifier_keys import ED25519
from recorder.store.log.errors import LinkBroken
from recorder.store.log.keys import fingerprint
from recorder.store.log.note import SigningKey, verifier_key

LEAF = "key"
"""The type of the leaf."""

SIGNATURE_BYTES = 64
FIRST_LINE = "This is no checkpoint: one key of a log follows another."
_FIELDS = frozenset(("number", "old", "new", "old_key", "new_key", "old_signature", "new_signature"))


@dataclass(frozen=True)
class Link:
    """That one key follows another: 1 for the key after the first, and so on."""

    number: int
    old: Ed25519PublicKey
    new: Ed25519PublicKey


def statement(origin: str, number: int, old: Ed25519PublicKey, new: Ed25519PublicKey) -> bytes:
    """What both keys sign."""
    lines = (FIRST_LINE, f"origin {origin}", f"number {number}", f"old {fingerprint(old)}", f"new {fingerprint(new)}")
    return "".join(f"{line}\n" for line in lines).encode()


def sign_link(origin: str, number: int, old: SigningKey, new: SigningKey) -> dict[str, Any]:
    """The fields of the leaf: fingerprints, keys as other tools take them (C2SP vkey), and both signatures (base64)."""
    before, after = old.public_key(), new.public_key()
    text = statement(origin, number, before, after)
    return {
        "number": number,
        "old": fingerprint(before),
        "new": fingerprint(after),
        "old_key": verifier_key(origin, before),
        "new_key": verifier_key(origin, after),
        "old_signature": base64.b64encode(old.sign(text)).decode(),
        "new_signature": base64.b64encode(new.sign(text)).decode(),
    }


def read_link(origin: str, fields: Mapping[str, Any]) -> Link:
    """Read a leaf's fields back, and check both signatures.

    Raises:
        LinkBroken: they are of another form or another log, or one of the two keys did not sign this.
    """
    if set(fields) != _FIELDS or type(number := fields["number"]) is not int or number < 1:
        raise LinkBroken("An entry about a new key is not of the form that this log writes.")
    old, new = (_key(origin, fields, name) for name in ("old", "new"))
    text = statement(origin, number, old, new)
    for key, name in ((old, "old_signature"), (new, "new_signature")):
        try:
            key.verify(_bytes(fields[name], SIGNATURE_BYTES), text)
        except InvalidSignature as err:
            raise LinkBroken(f"Key {number} of the log was not signed for by both keys ({name}).") from err
    return Link(number, old, new)


def walk(first_fingerprint: str, links: Iterable[Link]) -> list[Ed25519PublicKey]:
    """All keys of a log, the first one first; empty where there is no link, since then only its fingerprint is known.

    Args:
        first_fingerprint: of the key that the log's first entry names.
        links: in the order of the log.

    Raises:
        LinkBroken: one is missing, or in another place.
    """
    found: list[Ed25519PublicKey] = []
    present = first_fingerprint
    for number, link in enumerate(links, 1):
        if link.number != number or fingerprint(link.old) != present:
            raise LinkBroken(f"Key {link.number} of the log does not follow the one before it.")
        found = found or [link.old]
        found.append(link.new)
        present = fingerprint(link.new)
    return found


def read_verifier_key(origin: str, text: str) -> Ed25519PublicKey:
    """A key of this log in the form of other tools (``name+hash+key``); only the very text that we write is taken.

    Raises:
        LinkBroken: anything else.
    """
    raw = _bytes(text.removeprefix(f"{origin}+").partition("+")[2], 1 + 32)
    key = Ed25519PublicKey.from_public_bytes(raw[1:])
    if raw[0] != ED25519 or verifier_key(origin, key) != text:
        raise LinkBroken("A key of the log is not of the form that this log writes.")
    return key


def _key(origin: str, fields: Mapping[str, Any], name: str) -> Ed25519PublicKey:
    key = read_verifier_key(origin, str(fields[f"{name}_key"]))
    if fingerprint(key) != fields[name]:
        raise LinkBroken("An entry about a new key names another fingerprint than the key's.")
    return key


def _bytes(text: object, length: int) -> bytes:
    """Base64 of so many bytes, written in the one way (RFC 4648, 3.5)."""
    try:
        raw = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as err:
        raise LinkBroken("A key or signature of the log is not base64.") from err
    if len(raw) != length or base64.b64encode(raw).decode() != text:
        raise LinkBroken("A key or signature of the log has another length, or is written in another way.")
    return raw
