"""The rule of a witness (C2SP tlog-witness): which checkpoint may be cosigned, and who may ask how often. Pure.

`decide` is a function of values: what is asked, which logs are known, what was cosigned last. It grants or refuses; it
never signs. `retention.evidence.notary` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.times import SECOND_US
from config.verifier_keys import VerifierKey
from recorder.store.log.errors import CheckpointForeign, CheckpointMalformed, ProofInvalid, SignatureInvalid
from recorder.store.log.note import Checkpoint, open_checkpoint, origin_of
from recorder.store.log.tree import EMPTY_ROOT, verify_consistency
from retention.evidence.cosigning import SIZE_TYPE, RequestMalformed, read_request

PLAIN_TYPE = "text/plain; charset=utf-8"

ASKING_LIMIT: Final = 60
"""Requests of one address in a minute. A box asks once in ten minutes, and at each hold and export."""

SIGNING_LIMIT: Final = 30
"""New checkpoints of one log in a minute: each is a file that is written durably, and whoever has the log's key could
make them without end."""

KEYS_LIMIT: Final = 1000
"""Addresses counted at the same time; past it the ones longest quiet are forgotten."""

Logs = Mapping[str, Sequence[VerifierKey]]
"""Origins of the logs that are known, each with the keys that may sign for it."""


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    body: str
    content_type: str = PLAIN_TYPE


TOO_MANY: Final = Answer(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests: try again in a minute.\n")


@dataclass(frozen=True)
class Granted:
    """It may be cosigned, once it is remembered."""

    checkpoint: Checkpoint
    note: str


def decide(body: bytes, logs: Logs, last: Mapping[str, Checkpoint]) -> Granted | Answer:
    """Whether to cosign, checked in the order of the specification (C2SP tlog-witness, add-checkpoint).

    Args:
        body: the request.
        logs: who is known.
        last: what was cosigned last, by origin.
    """
    try:
        asked = read_request(body)
    except RequestMalformed as err:
        return Answer(HTTPStatus.BAD_REQUEST, f"{err}\n")
    keys = logs.get(origin_of(asked.note))
    if keys is None:
        return Answer(HTTPStatus.NOT_FOUND, "This witness does not know that log.\n")
    try:
        shown = _signed(asked.note, keys)
    except CheckpointMalformed as err:
        return Answer(HTTPStatus.BAD_REQUEST, f"{err}\n")
    if shown is None:
        return Answer(HTTPStatus.FORBIDDEN, "No key that this witness knows has signed the checkpoint.\n")
    if asked.old > shown.size:
        return Answer(HTTPStatus.BAD_REQUEST, "The old size is larger than the checkpoint's.\n")
    seen = last.get(shown.origin, Checkpoint(shown.origin, 0, EMPTY_ROOT))
    if asked.old != seen.size or (shown.size == seen.size and shown.root != seen.root):
        return Answer(HTTPStatus.CONFLICT, f"{seen.size}\n", SIZE_TYPE)
    try:
        verify_consistency(seen.size, shown.size, seen.root, shown.root, asked.proof)
    except ProofInvalid as err:
        return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{err}\n")
    return Granted(shown, asked.note)


def _signed(note: str, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """The checkpoint, if one of the keys signed it; lines of others are not looked at.

    Raises:
        CheckpointMalformed: it is no note.
    """
    for key in keys:
        try:
            return open_checkpoint(note, key.name, Ed25519PublicKey.from_public_bytes(key.public))
        except (CheckpointForeign, SignatureInvalid):
            continue
    return None


class Limiter:
    """So many times a minute for each key, and not all at once again before they have passed. Not thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left: dict[str, tuple[float, int]] = {}

    def takes(self, key: str, mono_us: int) -> bool:
        """Whether one more is within the limit at this moment of monotonic time; if so, it counts."""
        left, since_us = self._left.pop(key, (float(self._limit), mono_us))
        left = min(float(self._limit), left + (mono_us - since_us) * self._limit / (60 * SECOND_US))
        granted = left >= 1
        self._left[key] = (left - 1 if granted else left, mono_us)
        while len(self._left) > KEYS_LIMIT:
            del self._left[next(iter(self._left))]
        return granted
