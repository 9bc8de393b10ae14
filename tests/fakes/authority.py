"""A time-stamping authority (RFC 3161) on loopback: OpenSSL's, with certificates of its own, and honest or not."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakes.serving import Quiet, answering

CONFIGURATION = """
[ tsa ]
default_tsa = tsa1
[ tsa1 ]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""


@dataclass
class Authority:
    """What it does when it is asked."""

    url: str
    roots: Path
    asked: list[bytes] = field(default_factory=list)
    is_down: bool = False
    is_silent: bool = False
    answers_with: bytes | None = None
    """Instead of a stamp."""
    stamps_instead: bytes | None = None
    """A question that is stamped in place of what was asked."""


@contextlib.contextmanager
def authority(folder: Path, *, days: int = 30) -> Iterator[Authority]:
    """One that lives for as long as this does; its certificates are good for so many days, or ended so long ago."""
    _certificates(folder, days)
    (folder / "serial").write_text("01")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
    over = threading.Event()

    class Answer(Quiet):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            made.asked.append(query)
            if made.is_silent:
                over.wait(30)
                return
            if made.is_down:
                self.send_response(503)
                self.end_headers()
                return
            answer = made.answers_with or _stamped(folder, made.stamps_instead or query)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

    with answering(Answer, over) as url:
        made = Authority(f"{url}/tsa", folder / "roots.pem")
        yield made


def _stamped(folder: Path, query: bytes) -> bytes:
    (folder / "query").write_bytes(query)
    command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "answer"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=20)
    return (folder / "answer").read_bytes()


def _certificates(folder: Path, days: int) -> None:
    root_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    now = datetime.now(UTC)
    begins, ends = (now - timedelta(days=1), now + timedelta(days=days)) if days > 0 else (
        now + timedelta(days=2 * days),
        now + timedelta(days=days),
    )  # fmt: skip
    root_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (f"Root of {folder.name}", "Stamps")
    )
    plain = x509.CertificateBuilder().not_valid_before(begins).not_valid_after(ends).issuer_name(root_name)
    root = (
        plain.subject_name(root_name)
        .public_key(root_key.public_key())
        .serial_number(1)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(root_key, hashes.SHA256())
    )
    stamps = (
        plain.subject_name(name)
        .public_key(key.public_key())
        .serial_number(2)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
        .sign(root_key, hashes.SHA256())
    )
    (folder / "roots.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "tsa.pem").write_bytes(stamps.public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
