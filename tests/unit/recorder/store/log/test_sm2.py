"""SM2 with SM3: our check, that of the script that is handed out, and OpenSSL's are of one opinion."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from recorder.store.log import sm2
from recorder.store.log.note import Checkpoint, open_checkpoint, sign_checkpoint, signatures_by

HANDED_OUT = Path(__file__).parents[5] / "retention" / "evidence" / "handed-out" / "verify.py"
SPKI = "3059301306072a8648ce3d020106082a811ccf5501822d03420004"
POINT = (
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
STANDARD = base64.b64encode(bytes.fromhex(SPKI + POINT)).decode()
"""The key of the standard's example (GB/T 32918.5, annex A)."""

SIGNED = encode_dss_signature(
    0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
    0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA,
)
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


def openssl(*arguments: str, text: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=True, timeout=20).stdout


@pytest.fixture(scope="module")
def handed_out() -> ModuleType:
    spec = importlib.util.spec_from_file_location("handed_out_verify", HANDED_OUT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key.pem"
    path.write_bytes(openssl("genpkey", "-algorithm", "SM2"))
    return path


def public_of(key: Path) -> str:
    return base64.b64encode(openssl("pkey", "-in", str(key), "-pubout", "-outform", "DER")).decode()


def signed(key: Path, text: bytes, distid: str = sm2.DISTID) -> bytes:
    signing = ["pkeyutl", "-sign", "-inkey", str(key), "-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{distid}"]
    return openssl(*signing, text=text)


def test_the_example_of_the_standard(handed_out: ModuleType) -> None:
    """GB/T 32918.5, annex A: this key, this text, this signature; no other."""
    assert sm2.is_signature(STANDARD, b"message digest", SIGNED)
    assert not sm2.is_signature(STANDARD, b"message digests", SIGNED)
    assert handed_out.is_sm2_signature(base64.b64decode(STANDARD), b"message digest", SIGNED)
    assert not handed_out.is_sm2_signature(base64.b64decode(STANDARD), b"message digests", SIGNED)


def test_what_openssl_signs_holds(key: Path, handed_out: ModuleType) -> None:
    """Texts of many lengths; with each, a text that differs and a signer of another name do not."""
    public = public_of(key)
    for length in (0, 1, 55, 56, 64, 100, 4000):
        text = bytes(range(256)) * 16
        signature = signed(key, text[:length])
        for check in (sm2.is_signature, lambda a, b, c: handed_out.is_sm2_signature(base64.b64decode(a), b, c)):
            assert check(public, text[:length], signature), length
            assert not check(public, text[:length] + b"x", signature), length
            assert not check(STANDARD, text[:length], signature), length
    assert not sm2.is_signature(public, b"abc", signed(key, b"abc", "ALICE123@YAHOO.COM"))


def test_what_is_no_signature(key: Path, handed_out: ModuleType) -> None:
    """Other bytes, numbers out of range, another encoding of the same numbers: refused, and nothing raised."""
    r, s = decode_dss_signature(SIGNED)
    short = SIGNED[2:]
    wrong = [
        b"",
        b"\x30",
        b"\x30\x00",
        bytes(64),
        SIGNED[:-1],
        SIGNED + b"\x00",
        b"\x30\x81" + bytes([len(short)]) + short,
        encode_dss_signature(0, s),
        encode_dss_signature(r, 0),
        encode_dss_signature(r + ORDER, s),
        encode_dss_signature(r, s + ORDER),
        encode_dss_signature(r, ORDER - r),
        encode_dss_signature(s, r),
    ]
    for one in wrong:
        assert not sm2.is_signature(STANDARD, b"message digest", one), one.hex()
        assert not handed_out.is_sm2_signature(base64.b64decode(STANDARD), b"message digest", one), one.hex()


@pytest.mark.parametrize(
    "public",
    [
        "",
        "no base64",
        base64.b64encode(bytes(91)).decode(),
        base64.b64encode(bytes.fromhex(SPKI + POINT[:-2] + "14")).decode(),
        base64.b64encode(bytes.fromhex(SPKI) + b"\xff" * 64).decode(),
        STANDARD + "\n",
        base64.b64encode(bytes.fromhex(SPKI + POINT) + b"\x00").decode(),
    ],
)
def test_what_is_no_key(public: str) -> None:
    """A point that lies beside the curve among others: it would let anybody sign."""
    with pytest.raises(ValueError):
        sm2.point_of(public)


def test_openssl_reads_the_key_as_a_file(tmp_path: Path) -> None:
    """And gives the same file back."""
    path = tmp_path / "key.pem"
    path.write_bytes(sm2.pem(STANDARD))

    assert openssl("pkey", "-pubin", "-in", str(path), "-pubout") == sm2.pem(STANDARD)
    der = openssl("pkey", "-pubin", "-in", str(path), "-outform", "DER")
    assert hashlib.sha256(der).hexdigest() == sm2.fingerprint(STANDARD)


def test_a_line_is_named_by_key_and_algorithm_and_others_pass_over_it() -> None:
    """C2SP signed-note: the id is the hash of name, 0xff, the algorithm's name and the key; who knows Ed25519 alone
    reads the note as ever."""
    body = Checkpoint("custos/0123456789abcdef", 42, bytes(32))
    ed25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    text = sign_checkpoint(body, ed25519) + sm2.line(body.origin, STANDARD, SIGNED)
    whole = f"{body.origin}\n".encode() + b"\xff" + b"custos/sm2-with-sm3" + base64.b64decode(STANDARD)

    assert sm2.key_id(body.origin, STANDARD) == hashlib.sha256(whole).digest()[:4]
    assert signatures_by(text, body.origin, sm2.key_id(body.origin, STANDARD)) == [SIGNED]
    assert signatures_by(text, "other", sm2.key_id(body.origin, STANDARD)) == []
    assert open_checkpoint(text, body.origin, ed25519.public_key()) == body
