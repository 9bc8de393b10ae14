"""Signed checkpoints (C2SP signed-note, tlog-checkpoint)."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recorder.store.log.errors import CheckpointForeign, CheckpointMalformed, SignatureInvalid
from recorder.store.log.note import Checkpoint, key_id, open_checkpoint, sign_checkpoint, verifier_key

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "custos/0123456789abcdef"
SIGNED = Checkpoint(ORIGIN, 42, bytes(range(32)))


def test_the_published_example_has_this_key_id() -> None:
    """`PeterNeumann+c74f20a3+…`, the example key of Go's note package and of the C2SP specification."""
    public = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    key = Ed25519PublicKey.from_public_bytes(public[1:])

    assert key_id("PeterNeumann", key).hex() == "c74f20a3"
    assert verifier_key("PeterNeumann", key) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_the_published_example_verifies() -> None:
    """The signature of that example, made by another program, verifies over the text as the specification cuts it."""
    public = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )

    Ed25519PublicKey.from_public_bytes(public[1:]).verify(line[4:], text.encode())
    assert line[:4].hex() == "c74f20a3"


def test_a_checkpoint_comes_back() -> None:
    """What was signed is what is read."""
    assert open_checkpoint(sign_checkpoint(SIGNED, KEY), ORIGIN, KEY.public_key()) == SIGNED


def test_a_witness_line_is_let_stand() -> None:
    """Lines of other signers are not ours to judge."""
    text = sign_checkpoint(SIGNED, KEY) + "— witness.example AAAAAAAAAAAA\n"

    assert open_checkpoint(text, ORIGIN, KEY.public_key()) == SIGNED


@pytest.mark.parametrize(("old", "new"), [("\n42\n", "\n43\n"), ("\nAAEC", "\nAAED")])
def test_a_changed_size_or_root_is_noticed(old: str, new: str) -> None:
    """The signature covers both."""
    text = sign_checkpoint(SIGNED, KEY)
    assert old in text

    with pytest.raises(SignatureInvalid):
        open_checkpoint(text.replace(old, new), ORIGIN, KEY.public_key())


def test_another_box_and_another_key_are_foreign() -> None:
    """A clean second log does not verify under this box's name, nor under its key."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))

    with pytest.raises(CheckpointForeign):
        open_checkpoint(sign_checkpoint(Checkpoint("custos/other", 1, bytes(32)), KEY), ORIGIN, KEY.public_key())
    with pytest.raises(CheckpointForeign):
        open_checkpoint(sign_checkpoint(SIGNED, other), ORIGIN, KEY.public_key())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "a\nb\nc\n\n",
        f"{ORIGIN}\n042\nAAAA\n\n— x AAAA\n",
        f"{ORIGIN}\n42\nAAAA\n\n— x AAAA\n",
        f"{ORIGIN}\n42\n",
        "x" * 70000 + "\n\n— x AAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_called_so(text: str) -> None:
    """Any other text is malformed, and nothing worse happens."""
    with pytest.raises(CheckpointMalformed):
        open_checkpoint(text, ORIGIN, KEY.public_key())
