"""The box's signing key: a file of mode 0600, and its public half for everybody."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from recorder.store import files
from recorder.store.log.errors import KeyFileInvalid, KeyFileOpen

PUBLIC_NAME = "log.pub.pem"
"""Beside the private key; everybody may have it."""

OTHERS = 0o077


def create_key(path: Path, public_name: str = PUBLIC_NAME) -> Ed25519PrivateKey:
    """Make a new key at `path` (PKCS #8), with its public half beside it.

    Raises:
        StorageError: it cannot be written.
    """
    key = create_private(path)
    files.write_atomically(path.with_name(public_name), public_pem(key.public_key()))
    return key


def create_private(path: Path) -> Ed25519PrivateKey:
    """Make a new key at `path` (PKCS #8), and nothing beside it.

    Raises:
        StorageError: it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    files.write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public half as OpenSSL reads it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_public(path: Path) -> Ed25519PublicKey:
    """Load a public half.

    Raises:
        KeyFileInvalid: it is no Ed25519 key. StorageError: it cannot be read.
    """
    with files.translated(path):
        data = path.read_bytes()
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as err:
        raise KeyFileInvalid(f"A public key cannot be read. ({path})") from err
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileInvalid(f"A public key is not of Ed25519. ({path})")
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """Load the key.

    Raises:
        KeyFileOpen: others may read it. KeyFileInvalid: it is no Ed25519 key. StorageError: it cannot be read.
    """
    with files.translated(path):
        if path.stat().st_mode & OTHERS:
            raise KeyFileOpen(f"{KeyFileOpen.sentence()} ({path})")
        data = path.read_bytes()
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as err:
        raise KeyFileInvalid(f"{KeyFileInvalid.sentence()} ({path})") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileInvalid(f"{KeyFileInvalid.sentence()} ({path})")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Hex SHA-256 of the DER SubjectPublicKeyInfo: what the acceptance report carries, and openssl can compute."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
