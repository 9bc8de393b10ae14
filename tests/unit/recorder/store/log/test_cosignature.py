"""Cosignatures (C2SP tlog-cosignature): ours, and those of a witness that runs another program."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.verifier_keys import COSIGNATURE, VerifierKey, parse_verifier_key
from recorder.store.log.cosignature import LAST_S, cosign, cosigned_at_s, cosigned_text, witness_key
from recorder.store.log.errors import CheckpointForeign, CheckpointMalformed, SignatureInvalid
from recorder.store.log.note import Checkpoint, body_of, open_checkpoint, sign_checkpoint, signatures_of

BOX = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME, NOW_S = "witness.example/north", 1_790_000_000
WITNESS = witness_key(NAME, KEY.public_key())
ORIGIN = "custos/0123456789abcdef"
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 42, bytes(range(32))), BOX)

PUBLISHED = """arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— transparency.dev/DEV:witness-little-garden \
2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— remora.n621.de \
2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
"""
"""A checkpoint of a public log, with cosignatures of two public witnesses, which run programs of others."""

PUBLISHED_KEYS = [
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
]


@pytest.mark.parametrize("text", PUBLISHED_KEYS)
def test_cosignatures_of_public_witnesses_verify(text: str) -> None:
    """Over the text as the specification makes it, with the time that stands in the line."""
    key = parse_verifier_key(text, COSIGNATURE)

    assert cosigned_at_s(PUBLISHED, key) == 1779573024
    with pytest.raises(SignatureInvalid):
        cosigned_at_s(PUBLISHED.replace("\n1432088532\n", "\n1432088533\n"), key)


def test_a_cosignature_comes_back() -> None:
    """Its time too; and the box's own signature still opens the note."""
    note = NOTE + cosign(NOTE, NAME, KEY, NOW_S)

    assert cosigned_at_s(note, WITNESS) == NOW_S
    assert open_checkpoint(note, ORIGIN, BOX.public_key()).size == 42


def test_openssl_verifies_it_with_what_the_documents_tell(tmp_path: Path) -> None:
    """Two lines and the checkpoint's text, the signature behind key id and time: nothing of ours is needed."""
    note = NOTE + cosign(NOTE, NAME, KEY, NOW_S)
    line = note.splitlines()[-1]
    raw = base64.b64decode(line.split(" ")[2])
    (tmp_path / "said").write_text(f"cosignature/v1\ntime {int.from_bytes(raw[4:12], 'big')}\n{body_of(note)}")
    (tmp_path / "sig").write_bytes(raw[12:])
    (tmp_path / "key.pem").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "said"]

    done = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, capture_output=True, timeout=20, check=False)

    assert done.returncode == 0, done.stdout
    assert (tmp_path / "said").read_bytes() == cosigned_text(body_of(note), NOW_S)


def forged(at: int, value: bytes) -> str:
    """The note with other bytes in the witness's line."""
    line = cosign(NOTE, NAME, KEY, NOW_S)
    raw = bytearray(base64.b64decode(line.split(" ")[2]))
    raw[at : at + len(value)] = value
    return f"{NOTE}— {NAME} {base64.b64encode(bytes(raw)).decode()}\n"


def test_what_was_touched_is_no_cosignature() -> None:
    """Another time, size or signature; one cut off; one by the witness's key of another kind; a time that is none."""
    whole = NOTE + cosign(NOTE, NAME, KEY, NOW_S)
    plain = base64.b64encode(WITNESS.id + KEY.sign(body_of(NOTE).encode())).decode()
    late = LAST_S + 1
    wrong = [
        forged(11, b"\x01"),
        forged(20, b"\x01\x02"),
        whole.replace("\n42\n", "\n43\n"),
        f"{NOTE}— {NAME} {plain}\n",
        forged(4, bytes(8)),
        NOTE + _line(late),
    ]

    for note in wrong:
        with pytest.raises(SignatureInvalid):
            cosigned_at_s(note, WITNESS)


def _line(time_s: int) -> str:
    raw = WITNESS.id + time_s.to_bytes(8, "big") + KEY.sign(cosigned_text(body_of(NOTE), time_s))
    return f"— {NAME} {base64.b64encode(raw).decode()}\n"


def test_one_good_line_does_not_hide_a_wrong_one() -> None:
    """Of two lines of the same key both must be right (C2SP signed-note)."""
    wrong = forged(20, b"\x01\x02").removeprefix(NOTE)

    with pytest.raises(SignatureInvalid):
        cosigned_at_s(NOTE + cosign(NOTE, NAME, KEY, NOW_S) + wrong, WITNESS)


def test_lines_of_others_are_nobodys() -> None:
    """Another key under the witness's name, its key under another name, none at all, and what is no note."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for note in (NOTE, NOTE + cosign(NOTE, NAME, other, NOW_S), NOTE + cosign(NOTE, "somebody", KEY, NOW_S)):
        with pytest.raises(CheckpointForeign):
            cosigned_at_s(note, WITNESS)
    with pytest.raises(CheckpointMalformed):
        cosigned_at_s("no note", WITNESS)


def test_a_log_key_never_passes_for_a_witness() -> None:
    """The kind of key is part of its id."""
    assert WITNESS.id != VerifierKey(NAME, 1, WITNESS.public).id
    assert [name for name, _ in signatures_of(NOTE)] == [ORIGIN]
