"""Cosignatures: a witness says when it saw a checkpoint, and that it contradicts none that it saw before.

A line behind the box's own in the checkpoint's note (C2SP tlog-cosignature, `cosignature/v1`)::

    — <name of the witness> <base64 of key id, time and signature>

The time is in seconds since the epoch, eight bytes, the highest first. What is signed are two lines and the text of the
checkpoint, up to the empty line::

    cosignature/v1
    time <seconds>
    <origin>
    <size>
    <base64 of the root>
"""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.times import LAST_US, SECOND_US
from config.verifier_keys import COSIGNATURE, VerifierKey
from recorder.store.log.errors import CheckpointForeign, SignatureInvalid
from recorder.store.log.note import body_of, signatures_of

TIME_BYTES = 8
LAST_S = LAST_US // SECOND_US
"""A later time cannot be written down, and is nobody's."""

_LINE_BYTES = 4 + TIME_BYTES + 64


def witness_key(name: str, key: Ed25519PublicKey) -> VerifierKey:
    """A witness's public key under its name."""
    return VerifierKey(name, COSIGNATURE, key.public_bytes_raw())


def cosigned_text(body: str, time_s: int) -> bytes:
    """What a witness signs of a checkpoint's text."""
    return f"cosignature/v1\ntime {time_s}\n{body}".encode()


def cosign(note: str, name: str, key: Ed25519PrivateKey, time_s: int) -> str:
    """The line of a witness that saw this note at that time."""
    signature = key.sign(cosigned_text(body_of(note), time_s))
    raw = witness_key(name, key.public_key()).id + time_s.to_bytes(TIME_BYTES, "big") + signature
    return f"— {name} {base64.b64encode(raw).decode()}\n"


def cosigned_at_s(note: str, witness: VerifierKey) -> int:
    """When that witness cosigned this note, in seconds since the epoch, by its clock.

    Raises:
        CheckpointMalformed: it is no note. CheckpointForeign: no line is that witness's.
        SignatureInvalid: one is, and is wrong; or its time is no time.
    """
    key, body = Ed25519PublicKey.from_public_bytes(witness.public), body_of(note)
    found = [raw for name, raw in signatures_of(note) if name == witness.name and raw[:4] == witness.id]
    if not found:
        raise CheckpointForeign(f"No line of the checkpoint is signed by the witness {witness.name}.")
    return max(_time_s(raw, body, key) for raw in found)


def _time_s(raw: bytes, body: str, key: Ed25519PublicKey) -> int:
    time_s = int.from_bytes(raw[4 : 4 + TIME_BYTES], "big")
    if len(raw) != _LINE_BYTES or not 0 < time_s <= LAST_S:
        raise SignatureInvalid("The witness's line is not a time and a signature.")
    try:
        key.verify(raw[4 + TIME_BYTES :], cosigned_text(body, time_s))
    except InvalidSignature as err:
        raise SignatureInvalid("The witness's signature is not over this checkpoint.") from err
    return time_s
