"""The protocol between a log and its witness (C2SP tlog-witness): what is asked, and what an answer means. Pure.

`add-checkpoint` is a POST of the size that the witness saw last, a proof that the log went on from there, and the new
checkpoint::

    old <size>
    <base64 of a hash, a line each, 63 at most>

    <the checkpoint's signed note>

It answers 200 with its line for the note; 409 with the size that it saw last, when that is another, or
when it saw another root of that size; 404 and 403 for logs and keys that it does not know; 422 where the
proof does not lead from what it saw to what it is shown.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from http import HTTPStatus

from config.errors import CustosError
from config.verifier_keys import VerifierKey
from recorder.store.log.cosignature import cosigned_at_s
from recorder.store.log.errors import LogError
from recorder.store.log.note import NOTE_LIMIT_BYTES, signatures_of
from recorder.store.log.tree import HASH_BYTES

PROOF_LIMIT = 63
"""C2SP tlog-witness: no proof of a log of less than 2^63 leaves is longer."""

REQUEST_LIMIT_BYTES = NOTE_LIMIT_BYTES + 4096
"""A note, 63 hashes of 45 bytes, and the first line."""

SIZE_TYPE = "text/x.tlog.size"
"""C2SP tlog-witness: the type of a 409 that says which size the witness saw last."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class WitnessError(CustosError):
    """The witness could not be used."""

    code = "witness_error"


class WitnessSilent(WitnessError):
    """The witness does not answer: check its address, whether it runs, and whether this box may reach it."""

    code = "witness_silent"


class WitnessRefused(WitnessError):
    """The witness answered, but did not cosign."""

    code = "witness_refused"


class WitnessUnaware(WitnessRefused):
    """The witness does not know this log, or not this key of it: give it the verifier key of `custos log key`."""

    code = "witness_unaware"


class WitnessWrong(WitnessError):
    """What the witness answered is no cosignature of what it was shown, or not by the key in the configuration."""

    code = "witness_wrong"


class WitnessContradicts(WitnessError):
    """The witness has seen another log under this box's name."""

    code = "witness_contradicts"

    def __init__(self, size: int) -> None:
        """`size`: how many leaves it has seen."""
        super().__init__()
        self.size = size


class WitnessAhead(WitnessContradicts):
    """The witness has seen more of this log than there is: its end was cut off, or an old copy of it put back."""

    code = "witness_ahead"


class WitnessForked(WitnessContradicts):
    """The witness has seen another beginning of this log: it was written anew."""

    code = "witness_forked"


class RequestMalformed(CustosError):
    """That is no request to add a checkpoint, as C2SP tlog-witness writes it."""

    code = "request_malformed"


@dataclass(frozen=True)
class Asked:
    """One request."""

    old: int
    """What the witness saw last, as far as the log knows."""
    proof: tuple[bytes, ...]
    """RFC 6962, 2.1.2; empty where `old` is 0, or the checkpoint's size."""
    note: str

    @property
    def size(self) -> int:
        """Of the checkpoint."""
        return int(self.note.split("\n", 2)[1])

    def encode(self) -> bytes:
        """As it is sent."""
        lines = [f"old {self.old}", *(base64.b64encode(one).decode() for one in self.proof), "", self.note]
        return "\n".join(lines).encode()


@dataclass(frozen=True)
class Cosigned:
    """A believed answer."""

    note: str
    """The checkpoint with the witness's line behind those of the box."""
    at_s: int
    """By the witness's clock."""


@dataclass(frozen=True)
class SawLast:
    """It saw another size last than the log thought: it is to be asked again from there."""

    size: int


def read_request(body: bytes) -> Asked:
    """What somebody asks of a witness.

    Raises:
        RequestMalformed: nothing that is written so.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as err:
        raise RequestMalformed("The request is not UTF-8.") from err
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    if not gap or not first.startswith("old ") or not _SIZE.fullmatch(first[4:]):
        raise RequestMalformed("The request does not begin with `old`, a size and a proof.")
    if len(lines) > PROOF_LIMIT:
        raise RequestMalformed(f"The proof has {len(lines)} lines, and {PROOF_LIMIT} at most are read.")
    return Asked(int(first[4:]), tuple(map(_hash, lines)), note)


def _hash(line: str) -> bytes:
    try:
        found = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as err:
        raise RequestMalformed("A line of the proof is not base64.") from err
    if len(found) != HASH_BYTES:
        raise RequestMalformed("A line of the proof is not a SHA-256 hash.")
    return found


def judged(status: int, content_type: str, body: bytes, asked: Asked, witness: VerifierKey) -> Cosigned | SawLast:
    """What an answer means.

    Raises:
        WitnessUnaware, WitnessRefused, WitnessWrong, WitnessAhead, WitnessForked: as they say.
    """
    if status == HTTPStatus.OK:
        return _cosigned(body, asked, witness)
    if status == HTTPStatus.CONFLICT:
        return _conflict(content_type, body, asked)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and asked.old > 0:
        # The proof was checked before it was sent: it leads from our beginning, and the witness saw another.
        raise WitnessForked(asked.old)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
        raise WitnessUnaware(f"{WitnessUnaware.sentence()} (it answered {status})")
    raise WitnessRefused(f"{WitnessRefused.sentence()} (it answered {status})")


def _cosigned(body: bytes, asked: Asked, witness: VerifierKey) -> Cosigned:
    """Only what this key signed is taken over: of other lines nobody knows whose they are (C2SP tlog-witness)."""
    try:
        whole = asked.note + body.decode()
        at_s = cosigned_at_s(whole, witness)
        raws = [raw for name, raw in signatures_of(whole) if name == witness.name and raw[:4] == witness.id]
    except (LogError, UnicodeDecodeError) as err:
        raise WitnessWrong(f"{WitnessWrong.sentence()} ({err})") from err
    lines = [f"— {witness.name} {base64.b64encode(raw).decode()}\n" for raw in raws]
    return Cosigned(asked.note + "".join(lines), at_s)


def _conflict(content_type: str, body: bytes, asked: Asked) -> SawLast:
    size = _size(content_type, body)
    if asked.old == asked.size and size in (None, asked.size):
        raise WitnessForked(asked.size)
    if size is None or size == asked.old:
        raise WitnessWrong(f"{WitnessWrong.sentence()} (it answered 409 without another size)")
    if size > asked.size:
        raise WitnessAhead(size)
    return SawLast(size)


def _size(content_type: str, body: bytes) -> int | None:
    text = body.decode("ascii", "replace")
    plain = content_type.partition(";")[0].strip().lower() == SIZE_TYPE and text.endswith("\n")
    return int(text[:-1]) if plain and _SIZE.fullmatch(text[:-1]) else None
