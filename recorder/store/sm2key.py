"""The SM2 key of a box: made once, bound by the log, and signing through OpenSSL.

`cryptography` does not know the curve; the `openssl` command does, and whoever keeps the machine patches it. It is run
for each signature, once a minute, within a bound. The private key lies in its file, and passes once, when it is made,
through a pipe. Whatever goes wrong here costs the second signature and nothing else: it is remembered for the status,
and tried again (`ready`).
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from config.clock import Clock
from config.times import MINUTE_US
from recorder.errors import StorageError
from recorder.store import files
from recorder.store.layout import Layout
from recorder.store.log import sm2
from recorder.store.log.errors import LogError, Sm2Error, Sm2KeyLost, Sm2KeyOpen, Sm2Refused, Sm2Silent, Sm2Unavailable
from recorder.store.log.keys import OTHERS

OPENSSL_S = 5.0
"""A signature takes some ten milliseconds. Other checkpoints wait meanwhile, those of holds and discards too; no commit
does."""

AGAIN_US = MINUTE_US
"""After a failure it is not tried at every checkpoint: those of holds and discards come when people wait for them."""

TRIAL = b"Can this key sign?\n"
"""Signed before a beat says that it will: no checkpoint, which has three lines."""


class Sm2Key:
    """The second key of one box, where it was told to have one. Thread-safe."""

    def __init__(self, layout: Layout, clock: Clock, *, is_on: bool) -> None:
        self.is_on = is_on
        self.problem: LogError | StorageError | None = None
        """Why it last could not sign; None: it could."""
        self._path, self._public_path = layout.sm2_key, layout.sm2_public
        self._clock = clock
        self._lock = Lock()
        self._public: str | None = None
        self._failed_us = 0

    def ready(self, bound: str | None) -> str | None:
        """The public key, as the log writes it, when it can sign now; None: it is off, or cannot.

        `bound`: the key that the log binds already; None: none yet, and one is made when there is no file of one.
        """
        with self._lock:
            if not self.is_on or (self.problem is not None and self._now_us() < self._failed_us + AGAIN_US):
                return None
            if self._public is None:
                try:
                    self._public = self._tried(bound)
                except (Sm2Error, StorageError) as err:
                    self._fail(err)
                    return None
                self.problem = None
            return self._public

    def line(self, name: str, public: str, text: bytes) -> str:
        """The signature line of a checkpoint's text.

        Raises:
            Sm2Error: one of its kinds; it is remembered, and the key not ready until it was tried again.
        """
        try:
            return sm2.line(name, public, self._sign(public, text))
        except Sm2Error as err:
            with self._lock:
                self._fail(err)
            raise

    # -- inside

    def _fail(self, err: LogError | StorageError) -> None:
        self.problem, self._public, self._failed_us = err, None, self._now_us()

    def _now_us(self) -> int:
        return self._clock.read().mono_us

    def _tried(self, bound: str | None) -> str:
        """The key, loaded or made, after it has signed something."""
        with files.translated(self._path):
            is_there = self._path.exists()
        if not is_there:
            if bound is not None:
                raise Sm2KeyLost
            made = _openssl(["genpkey", "-algorithm", "SM2"])
            _public_half([], made)  # what is no key is not kept: it would stand in the way of one
            files.write_atomically(self._path, made, mode=0o600)
        self._refuse_open()
        public = _public_half(["-in", str(self._path)])
        if bound is not None and public != bound:
            raise Sm2KeyLost
        self._sign(public, TRIAL)
        files.write_atomically(self._public_path, sm2.pem(public))
        return public

    def _refuse_open(self) -> None:
        with files.translated(self._path):
            if self._path.stat().st_mode & OTHERS:
                raise Sm2KeyOpen(f"{Sm2KeyOpen.sentence()} ({self._path})")

    def _sign(self, public: str, text: bytes) -> bytes:
        """A signature that our own check has found good: nothing else is put on a checkpoint."""
        signing = ["pkeyutl", "-sign", "-inkey", str(self._path), "-rawin", "-digest", "sm3"]
        signature = _openssl([*signing, "-pkeyopt", f"distid:{sm2.DISTID}"], text)
        if not sm2.is_signature(public, text, signature):
            raise Sm2Refused
        return signature


def _public_half(source: Sequence[str], text: bytes = b"") -> str:
    """Of a private key, as the log writes it."""
    public = base64.b64encode(_openssl(["pkey", *source, "-pubout", "-outform", "DER"], text)).decode()
    try:
        sm2.point_of(public)
    except ValueError as err:
        raise Sm2Refused(f"{Sm2Refused.sentence()} ({err})") from err
    return public


def _openssl(arguments: Sequence[str], text: bytes = b"") -> bytes:
    """What the command writes.

    Raises:
        Sm2Unavailable, Sm2Refused, Sm2Silent: as they say.
    """
    program = shutil.which("openssl")
    if program is None:
        raise Sm2Unavailable
    try:
        done = subprocess.run(  # noqa: S603 - our own words and paths, and no shell
            [program, *arguments], input=text, capture_output=True, timeout=OPENSSL_S, check=True
        )
    except subprocess.TimeoutExpired as err:
        raise Sm2Silent from err
    except subprocess.CalledProcessError as err:
        why = err.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Sm2Refused(
            f"{Sm2Refused.sentence()} ({Path(program).name}: {why[0] if why else err.returncode})"
        ) from None
    except OSError as err:
        raise Sm2Unavailable(f"{Sm2Unavailable.sentence()} ({err.strerror})") from err
    return done.stdout
