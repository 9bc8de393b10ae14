"""Time stamps by an authority (RFC 3161): what to ask, and whether to believe the answer. No network, no clock.

The authority signs that somebody knew the hash of a checkpoint at its time. It is believed when the answer is to this
very question (its hash and its nonce), is signed by a certificate for time stamping, and that leads to a root which the
box's owner named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from config.errors import CustosError
from config.times import from_datetime

GRANTED = (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS)


class AuthorityError(CustosError):
    """The time-stamping authority could not be used."""

    code = "tsa_error"


class AuthoritySilent(AuthorityError):
    """The time-stamping authority does not answer: check its address, and whether this box may reach it."""

    code = "tsa_silent"


class AuthorityRefused(AuthorityError):
    """The time-stamping authority answered, but gave no stamp."""

    code = "tsa_refused"


class AuthorityWrong(AuthorityError):
    """What the time-stamping authority answered is no stamp of what it was asked for."""

    code = "tsa_wrong"


class AuthorityUntrusted(AuthorityError):
    """The stamp does not lead to a certificate of `tsa_ca_file`, or one on the way has expired."""

    code = "tsa_untrusted"


class RootsInvalid(AuthorityError):
    """The file with the authority's certificates cannot be read as PEM."""

    code = "tsa_roots_invalid"


@dataclass(frozen=True)
class Stamp:
    """A believed answer."""

    token: bytes
    """As it came (DER)."""
    at_us: int
    """The authority's time."""


def question(body: bytes) -> TimeStampRequest:
    """What to ask of a checkpoint's text: SHA-256, with a nonce, and with the authority's certificate in the answer."""
    made = TimestampRequestBuilder().data(body).hash_algorithm(HashAlgorithm.SHA256)
    return made.nonce(nonce=True).cert_request(cert_request=True).build()


def roots_of(pem: bytes) -> list[x509.Certificate]:
    """Whom the owner believes.

    Raises:
        RootsInvalid: no certificate can be read.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as err:
        raise RootsInvalid from err


def judged(answer: bytes, asked: TimeStampRequest, body: bytes, roots: Sequence[x509.Certificate]) -> Stamp:
    """Whether to believe an answer.

    Raises:
        AuthorityRefused, AuthorityWrong, AuthorityUntrusted: as they say.
    """
    at_us = stamped_us(answer, body, roots)
    if decode_timestamp_response(answer).tst_info.nonce != asked.nonce:  # an old answer, sent again
        raise AuthorityWrong
    return Stamp(answer, at_us)


def stamped_us(answer: bytes, body: bytes, roots: Sequence[x509.Certificate]) -> int:
    """The authority's time in an answer, if it is to be believed: by certificates that were good then.

    Raises:
        AuthorityRefused, AuthorityWrong, AuthorityUntrusted: as they say.
    """
    digest, verifier = hashlib.sha256(body).digest(), VerifierBuilder()
    try:
        response = decode_timestamp_response(answer)
        if PKIStatus(response.status) not in GRANTED:
            raise AuthorityRefused(f"{AuthorityRefused.sentence()} (status {response.status})")
        facts = response.tst_info
    except ValueError as err:
        raise AuthorityWrong from err
    if facts.message_imprint.message != digest:
        raise AuthorityWrong
    for root in roots:
        verifier = verifier.add_root_certificate(root)
    try:
        verifier.build().verify(response, digest)
    except (VerificationError, ValueError) as err:
        raise AuthorityUntrusted from err
    return from_datetime(facts.gen_time)
