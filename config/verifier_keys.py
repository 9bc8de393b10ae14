"""Public keys of logs and witnesses as people pass them on: ``name+hash+key`` (C2SP signed-note, verifier keys). Pure.

The name is that of the signer, the hash is the beginning of a SHA-256 over name and key, so that a slip of the pen is
noticed, and the key is base64 of a byte that names the algorithm and the public key itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

ED25519 = 0x01
"""A log's signature over its checkpoint (C2SP signed-note)."""

COSIGNATURE = 0x04
"""A witness's signature, with its time, over somebody else's checkpoint (C2SP tlog-cosignature)."""

PUBLIC_BYTES = 32
"""An Ed25519 public key (RFC 8032)."""

TEXT_LIMIT = 1000
"""A name longer than some hundred characters is no name."""

WITNESS_NAME = re.compile(r"[!#-*,-\[\]-~]+")
"""Printable ASCII but plus, quote and backslash. C2SP allows more; but names of witnesses stand in entries of the log,
which are read by scripts that know nothing of JSON's escapes, nor of other alphabets."""

_TEXT = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True)
class VerifierKey:
    """Who signs, how, and with which key."""

    name: str
    algorithm: int
    public: bytes
    """As RFC 8032 writes it."""

    @property
    def id(self) -> bytes:
        """The four bytes that name it in a signature line."""
        marked = bytes([self.algorithm]) + self.public
        return hashlib.sha256(self.name.encode() + b"\n" + marked).digest()[:4]

    @property
    def text(self) -> str:
        """As people pass it on."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.algorithm]) + self.public).decode()}"


def parse_verifier_key(text: str, algorithm: int) -> VerifierKey:
    """Read a key of that algorithm.

    Raises:
        ValueError: it is none, of another algorithm, or its hash is not that of its name and key.
    """
    found = _TEXT.fullmatch(text) if len(text) <= TEXT_LIMIT else None
    if found is None:
        raise ValueError("a verifier key is written name+hash+key")
    try:
        marked = base64.b64decode(found["key"], validate=True)
    except binascii.Error as err:
        raise ValueError("the key is not base64") from err
    if len(marked) != 1 + PUBLIC_BYTES or marked[0] != algorithm:
        raise ValueError(f"it is not the key of an Ed25519 signature of kind {algorithm}")
    key = VerifierKey(found["name"], algorithm, marked[1:])
    if algorithm == COSIGNATURE and not WITNESS_NAME.fullmatch(key.name):
        raise ValueError("the key's name is not of plain letters, digits and marks")
    if key.text != text:
        raise ValueError("its hash is not that of its name and key")
    return key
