"""Logs on paper: an honest one and its forks, signed by their owner, and what is asked of a witness about them."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.verifier_keys import ED25519, VerifierKey
from recorder.store.log.note import Checkpoint, sign_checkpoint
from recorder.store.log.tree import consistency_proof, leaf_hash, root_of
from retention.evidence.cosigning import Asked

ORIGIN = "custos/0123456789abcdef"
BOX = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def known(*keys: Ed25519PrivateKey) -> dict[str, list[VerifierKey]]:
    return {ORIGIN: [VerifierKey(ORIGIN, ED25519, key.public_key().public_bytes_raw()) for key in keys]}


class Log:
    """A log of so many leaves; two of different names share the leaves up to where they part."""

    def __init__(self, name: str = "honest", parts_at: int = 0) -> None:
        self._name, self._parts_at = name, parts_at

    def leaves(self, size: int) -> list[bytes]:
        return [leaf_hash(f"{n}{self._name if n >= self._parts_at else ''}".encode()) for n in range(size)]

    def at(self, size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, root_of(self.leaves(size)))

    def request(self, old: int, new: int, key: Ed25519PrivateKey = BOX) -> bytes:
        leaves = self.leaves(new)
        proof = consistency_proof(
            min(old, new), new, lambda height, index: root_of(leaves[index << height : (index + 1) << height])
        )
        return Asked(old, tuple(proof), sign_checkpoint(self.at(new), key)).encode()
