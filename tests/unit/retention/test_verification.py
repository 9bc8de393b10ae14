"""Steps of verification that packages of honest boxes do not reach; all others are tried in `tests/forgeries`."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.store.log.cosignature import witness_key
from recorder.store.log.keys import public_pem
from recorder.store.log.leaves import encode_leaf
from recorder.store.log.note import Checkpoint, sign_checkpoint
from recorder.store.log.tree import leaf_hash, root_of
from retention.evidence.verification import Seen, Verification

ORIGIN = "custos/0123456789abcdef"
WITNESS = witness_key("north", Ed25519PrivateKey.generate().public_key())


def of_two_anchors(token: bytes) -> Verification:
    """A log of two entries: a witness's cosignature and an authority's stamp of the checkpoint of one size."""
    key = Ed25519PrivateKey.generate()
    facts: list[dict[str, Any]] = [
        {"kind": "witness", "size": 7, "token": "00" * 32, "witness": WITNESS.text},
        {"kind": "rfc3161", "size": 7, "token": hashlib.sha256(token).hexdigest()},
    ]
    bodies = [encode_leaf("anchor", 0, 0, one) for one in facts]
    hashes = [leaf_hash(body) for body in bodies]
    made = Verification()
    made.key("key", public_pem(key.public_key()))
    made.checkpoint("checkpoint", sign_checkpoint(Checkpoint(ORIGIN, 2, root_of(hashes)), key))
    for index, body in enumerate(bodies):
        made.leaf("leaves", index, body, [hashes[1 - index]])
    return made


def test_a_witness_and_an_authority_saw_the_same_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the authority's entry binds the stamp; the witness's binds a note, which is missed by its own name."""
    monkeypatch.setattr("retention.evidence.verification.stamped_us", lambda *_: 5)
    made = of_two_anchors(b"answer")
    made.stamp("7.tsr", 7, b"body", b"answer", [])
    made.all_anchors("anchors")

    assert [one.file for one in made.problems] == [f"anchors/7.{WITNESS.id.hex()}.note"]
    assert made._seen_outside == [Seen(7, 5, 1)]

    other = of_two_anchors(b"another")
    other.stamp("7.tsr", 7, b"body", b"answer", [])
    assert [one.file for one in other.problems] == ["7.tsr"]
