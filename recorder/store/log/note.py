"""Checkpoints as C2SP signed notes: who says that the log has this size and root, signed with Ed25519.

    <origin>
    <size>
    <base64 of the root>

    — <origin> <base64 of key id and signature>

The signed text ends with the newline before the empty line. Lines of other signers (witnesses) may follow ours;
they are kept and not judged here.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.verifier_keys import ED25519, VerifierKey
from recorder.store.log.errors import CheckpointForeign, CheckpointMalformed, SignatureInvalid
from recorder.store.log.tree import HASH_BYTES

NOTE_LIMIT_BYTES = 64 * 1024
"""A note larger than this is no checkpoint of ours, whoever signed it."""

_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})", re.ASCII)
"""Spaces of ASCII end a name, as for the scripts of a package, which know no others."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class SigningKey(Protocol):
    """A key that signs: of a file (`Ed25519PrivateKey` is one), or of a token."""

    def public_key(self) -> Ed25519PublicKey:
        """Its public half."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """The signature (Ed25519, 64 bytes)."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A size and root of the log of that origin."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_id(name: str, key: Ed25519PublicKey) -> bytes:
    """The four bytes that name a signer's key (C2SP signed-note)."""
    return VerifierKey(name, ED25519, key.public_bytes_raw()).id


def verifier_key(name: str, key: Ed25519PublicKey) -> str:
    """The public key as other tools take it: ``name+hash+key``."""
    return VerifierKey(name, ED25519, key.public_bytes_raw()).text


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """The signed note."""
    body = checkpoint.body()
    signature = key_id(checkpoint.origin, key.public_key()) + key.sign(body.encode())
    return f"{body}\n— {checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def body_of(text: str) -> str:
    """The signed text of a note: up to the empty line, its last line break included."""
    return text.rpartition("\n\n")[0] + "\n"


def origin_of(text: str) -> str:
    """Whose checkpoint a note says that it is: its first line, not yet believed."""
    return text.partition("\n")[0]


def signatures_of(text: str) -> list[tuple[str, bytes]]:
    """Who signed a note, and how: name, and key id with signature, of each line. Nothing of it is believed yet.

    Raises:
        CheckpointMalformed: it is no signed note.
    """
    return _parts(text)[1]


def size_of(text: str) -> int:
    """Of how many leaves a note says that it is, not yet believed; 0 where it says nothing of the kind."""
    told = text.split("\n", 2)[1:2]
    return int(told[0]) if told and _SIZE.fullmatch(told[0]) else 0


def open_checkpoint(text: str, origin: str, key: Ed25519PublicKey) -> Checkpoint:
    """Read a note and check that this log and this key signed it.

    Raises:
        CheckpointMalformed: it is no checkpoint. CheckpointForeign: of another log, or not signed by this key.
        SignatureInvalid: it was changed after signing.
    """
    body, lines = _parts(text)
    checkpoint = read_body(body)
    if checkpoint.origin != origin:
        raise CheckpointForeign(f"The checkpoint is of {checkpoint.origin!r}, not of {origin!r}.")
    ours = [raw for name, raw in lines if name == origin and raw[:4] == key_id(origin, key)]
    if not ours:
        raise CheckpointForeign("No line of the checkpoint is signed with this box's key.")
    for raw in ours:
        try:
            key.verify(raw[4:], body.encode())
        except InvalidSignature as err:
            raise SignatureInvalid from err
    return checkpoint


def signatures_by(text: str, name: str, identity: bytes) -> list[bytes]:
    """What the lines of a note with this name and key id carry, of whatever algorithm; nothing of it is checked.

    Raises:
        CheckpointMalformed: it is no note.
    """
    return [raw[4:] for one, raw in _parts(text)[1] if (one, raw[:4]) == (name, identity)]


def _parts(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    body, gap, rest = text.rpartition("\n\n")
    if not gap or not rest.endswith("\n") or len(text.encode()) > NOTE_LIMIT_BYTES:
        raise CheckpointMalformed("The checkpoint has no signatures behind an empty line.")
    lines = []
    for line in rest[:-1].split("\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            raise CheckpointMalformed("A signature line of the checkpoint cannot be read.")
        try:
            lines.append((found[1], base64.b64decode(found[2], validate=True)))
        except binascii.Error as err:
            raise CheckpointMalformed("A signature of the checkpoint is not base64.") from err
    return body + "\n", lines


def read_body(body: str) -> Checkpoint:
    """What the text of a checkpoint says, whoever signed it.

    Raises:
        CheckpointMalformed: it is none.
    """
    lines = body.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise CheckpointMalformed("The checkpoint is not an origin, a size and a root.")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError) as err:
        raise CheckpointMalformed("The checkpoint's root is not base64.") from err
    if len(root) != HASH_BYTES:
        raise CheckpointMalformed("The checkpoint's root is not a SHA-256 hash.")
    return Checkpoint(lines[0], int(lines[1]), root)
