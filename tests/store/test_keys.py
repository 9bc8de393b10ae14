"""The signing key on disk."""

import subprocess
from pathlib import Path

import pytest

from recorder.store.log.errors import KeyFileInvalid, KeyFileOpen
from recorder.store.log.keys import create_key, fingerprint, load_key


def test_the_key_comes_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """Mode 0600, and the public half beside it."""
    path = tmp_path / "keys" / "log.ed25519"
    key = create_key(path)

    assert load_key(path).private_bytes_raw() == key.private_bytes_raw()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / "log.pub.pem").read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_openssl_computes_the_same_fingerprint(tmp_path: Path) -> None:
    """A stranger checks the fingerprint on the papers with openssl alone."""
    key = create_key(tmp_path / "log.ed25519")
    command = f"openssl pkey -pubin -in {tmp_path / 'log.pub.pem'} -outform DER | sha256sum"
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=30)

    assert answer.stdout.split()[0] == fingerprint(key.public_key())


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """It may be known already."""
    create_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)

    with pytest.raises(KeyFileOpen):
        load_key(tmp_path / "key")


def test_a_damaged_key_is_called_so(tmp_path: Path) -> None:
    """Not a trace of a library's error."""
    (tmp_path / "key").write_text("no key")
    (tmp_path / "key").chmod(0o600)

    with pytest.raises(KeyFileInvalid):
        load_key(tmp_path / "key")
