"""A signing key in a token (PKCS #11): asked for when there is something to sign, and opened anew when it failed.

The only file that knows the PKCS #11 library, and the one in which its errors are translated. A token is a device of
another maker, behind a library that runs in our process and may hang: every call has a limit, and one that hangs is
left alone. The PIN is read from its file when the token is opened, and stands in no log, error or answer.

A PIN that was refused is not tried again: tokens lock after some wrong ones, for good. That it was refused is written
down by the time and size of its file, so that a box that is started over and over does not try it over and over.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final, TypeVar

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, exceptions
from pkcs11.constants import TokenFlag
from pkcs11.util.ec import encode_named_curve_parameters

from config.token_url import TokenUrl
from recorder.errors import StorageError
from recorder.store import files
from recorder.store.log.errors import (
    KeyUnavailable,
    TokenFailed,
    TokenKeyMissing,
    TokenKeyUnfit,
    TokenMissing,
    TokenModuleMissing,
    TokenPinLocked,
    TokenPinUnreadable,
    TokenPinWrong,
    TokenSilent,
)
from recorder.store.log.keys import OTHERS

ANSWER_S: Final = 15.0
"""A smart card makes a signature, or a key, in less than three seconds."""

PIN_LIMIT_BYTES: Final = 1024
"""Read of its file. The longest PINs that we know of have 255 bytes (SoftHSM); a file named by mistake may be of any
size."""

ED25519_OID: Final = "1.3.101.112"
"""RFC 8410, 3."""

KEY_BYTES: Final = 32
"""Of a public key (RFC 8032, 5.1.5)."""

STOPPED: Final = TokenFlag.USER_PIN_LOCKED | TokenFlag.USER_PIN_FINAL_TRY
"""Flags of a token that the next wrong PIN locks for good, or that is locked."""

_KINDS: Final[Mapping[type[exceptions.PKCS11Error], type[KeyUnavailable]]] = {
    exceptions.NoSuchToken: TokenMissing,
    exceptions.MultipleTokensReturned: TokenMissing,
    exceptions.TokenNotPresent: TokenMissing,
    exceptions.TokenNotRecognised: TokenMissing,
    exceptions.SlotIDInvalid: TokenMissing,
    exceptions.PinIncorrect: TokenPinWrong,
    exceptions.PinInvalid: TokenPinWrong,
    exceptions.PinLenRange: TokenPinWrong,
    exceptions.PinLocked: TokenPinLocked,
    exceptions.PinExpired: TokenPinLocked,
    exceptions.UserPinNotInitialized: TokenPinLocked,
    exceptions.NoSuchKey: TokenKeyMissing,
    exceptions.MultipleObjectsReturned: TokenKeyMissing,
    exceptions.MechanismInvalid: TokenKeyUnfit,
    exceptions.KeyTypeInconsistent: TokenKeyUnfit,
    exceptions.FunctionNotSupported: TokenKeyUnfit,
    exceptions.AttributeTypeInvalid: TokenKeyUnfit,
}

T = TypeVar("T")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the library says into our errors: by the kind of its error alone, for its text may hold anything."""
    try:
        yield
    except exceptions.PKCS11Error as err:
        kind = next((ours for theirs, ours in _KINDS.items() if isinstance(err, theirs)), TokenFailed)
        raise kind(f"{kind.sentence()} ({type(err).__name__})") from None


class TokenKey:
    """The key that a URL names. Thread-safe; obeys `note.SigningKey`."""

    def __init__(self, url: TokenUrl, refused: Path) -> None:
        """`refused`: where it is written down that a PIN was refused."""
        self.url = url
        self._refused = refused
        self._refused_now: dict[str, Any] | None = None
        self._begun = 0
        """How often the module had begun when the session was opened; see `_library`."""
        self._hanging: Future[Any] | None = None
        self._session: pkcs11.Session | None = None
        self._private: Any = None
        """The handle of the private key; the library's types leave out that it signs."""
        self._public: Ed25519PublicKey | None = None

    def public_key(self) -> Ed25519PublicKey:
        """Its public half, asked of the token once.

        Raises:
            KeyUnavailable: one of its kinds.
        """
        if self._public is None:
            self._within(self._open)
        assert self._public is not None
        return self._public

    def sign(self, data: bytes, /) -> bytes:
        """Ed25519 (CKM_EDDSA), checked before it is handed out. A token that was away is opened anew.

        Raises:
            KeyUnavailable: one of its kinds.
        """
        signature = self._within(lambda: self._signed(data))
        try:
            self.public_key().verify(signature, data)
        except InvalidSignature as err:
            raise TokenKeyUnfit("The token's signature does not verify with the public key that it shows.") from err
        return signature

    def ensure(self) -> None:
        """Make the key in the token, where there is none of that name; it can never leave it.

        Raises:
            KeyUnavailable: one of its kinds.
        """
        self._within(self._ensured)

    def close(self) -> None:
        """Log out, if the token lets us."""
        if self._session is not None:
            with contextlib.suppress(TokenSilent):
                self._within(self._drop)

    # -- inside; everything below runs in a thread that nobody waits for longer than `ANSWER_S`

    def _within(self, work: Callable[[], T]) -> T:
        with _ONE_AT_A_TIME:
            if self._hanging is not None and not self._hanging.done():
                raise TokenSilent
            future: Future[T] = Future()
            Thread(target=_settle, args=(future, work), name="token", daemon=True).start()
            try:
                return future.result(ANSWER_S)
            except TimeoutError:
                self._hanging = future
                raise TokenSilent from None

    def _signed(self, data: bytes) -> bytes:
        try:
            return self._sign_once(data)
        except TokenFailed:  # a session outlives its token: the one that is there now may be the same
            self._drop()
            return self._sign_once(data)

    def _sign_once(self, data: bytes) -> bytes:
        self._open()
        try:
            with translated():
                return bytes(self._private.sign(data, mechanism=Mechanism.EDDSA))
        except KeyUnavailable:
            self._drop()
            raise

    def _open(self) -> None:
        if self._begun != _begun.get(self.url.module):
            self._session = self._private = None  # not closed: its handle may be another's by now
        if self._private is not None:
            return
        try:
            session = self._session = self._session or self._logged_in(rw=False)
            with translated():
                private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, **self._which())
                public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, **self._which())
                point = bytes(public[Attribute.EC_POINT])
        except KeyUnavailable:
            self._drop()
            raise
        found = _ed25519(point)
        if self._public is not None and found != self._public:
            self._drop()
            raise TokenKeyMissing("The token holds another key under that name than it did before.")
        self._private, self._public = private, found

    def _ensured(self) -> None:
        try:
            self._open()
        except TokenKeyMissing:
            self._make()

    def _make(self) -> None:
        session = self._logged_in(rw=True)
        try:
            with translated():
                parameters = session.create_domain_parameters(
                    KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: encode_named_curve_parameters(ED25519_OID)}, local=True
                )
                fixed = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
                parameters.generate_keypair(
                    mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                    store=True,
                    label=self.url.object,
                    id=self.url.id,
                    private_template=fixed,
                )
        finally:
            session.close()

    def _logged_in(self, *, rw: bool) -> pkcs11.Session:
        pin, mark = self._pin()
        token = self._token()
        if token.flags & STOPPED:
            raise TokenPinLocked
        try:
            with translated():
                return token.open(rw=rw, user_pin=pin)
        except TokenPinWrong:
            self._remember_refused(mark)
            raise

    def _token(self) -> pkcs11.Token:
        library = _library(self.url.module)
        self._begun = _begun[self.url.module]
        wanted: dict[str, Any] = {}
        if self.url.token is not None:
            wanted["token_label"] = self.url.token
        if self.url.serial is not None:
            wanted["token_serial"] = self.url.serial.encode()
        with translated():
            found: pkcs11.Token = library.get_token(**wanted)
        return found

    def _which(self) -> dict[str, Any]:
        return {name: value for name, value in (("label", self.url.object), ("id", self.url.id)) if value is not None}

    def _drop(self) -> None:
        session, self._session, self._private = self._session, None, None
        if session is not None and self._begun == _begun.get(self.url.module):
            with contextlib.suppress(exceptions.PKCS11Error):  # it may have ended with its token
                session.close()

    # -- the PIN

    def _pin(self) -> tuple[str, dict[str, Any]]:
        """Of its file, and what tells that file from another; not if the very file was refused before."""
        path = self.url.pin_file
        try:
            with files.translated(path), path.open("rb") as stream:
                found = os.fstat(stream.fileno())  # of what is read: the file may be put right meanwhile
                if found.st_mode & OTHERS:
                    raise TokenPinUnreadable(f"{TokenPinUnreadable.sentence()} ({path})")
                lines = stream.read(PIN_LIMIT_BYTES).decode("utf-8", "replace").splitlines()
        except StorageError as err:
            raise TokenPinUnreadable(f"{TokenPinUnreadable.sentence()} ({path})") from err
        if not lines or not lines[0]:
            raise TokenPinUnreadable(f"{TokenPinUnreadable.sentence()} ({path})")
        mark = self._mark(found)
        if mark in (self._refused_now, self._refused_before()):
            raise TokenPinWrong
        return lines[0], mark

    def _mark(self, found: os.stat_result) -> dict[str, Any]:
        """What tells this PIN's file from another, or from itself after a change, and nothing of the PIN."""
        url = self.url
        which = {"token": url.token, "serial": url.serial, "file": str(url.pin_file)}
        return {**which, "changed_ns": found.st_mtime_ns, "inode": found.st_ino}

    def _refused_before(self) -> Any:
        """None: none was, or the note of it cannot be read: then one more try is made."""
        try:
            return json.loads(self._refused.read_bytes())
        except (OSError, ValueError):
            return None

    def _remember_refused(self, mark: dict[str, Any]) -> None:
        self._refused_now = mark
        text = json.dumps(self._refused_now).encode() + b"\n"
        with contextlib.suppress(StorageError):  # this process knows; the disk's trouble is told by who records on it
            files.write_atomically(self._refused, text, mode=0o600)


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as err:  # noqa: BLE001 - handed to who waits for it
        future.set_exception(err)


_libraries: dict[Path, Any] = {}
"""Loaded once in a process: PKCS #11, 5.4 (C_Initialize) knows no second user beside the first."""

_begun: dict[Path, int] = {}
"""How often each was begun. When one begins anew, all its sessions are over, and their handles are given out again: a
key that went on with its old ones could sign with another key."""

_ONE_AT_A_TIME = Lock()
"""For all keys: two of them may lie behind one module."""


def _library(module: Path) -> Any:
    """The module, begun anew where it was in use before: some see only the tokens that were there when they began."""
    try:
        if module in _libraries:
            _begun[module] += 1  # even if it fails: the old sessions are over
            _libraries[module].reinitialize()
        else:
            _libraries[module] = pkcs11.lib(str(module))
            _begun[module] = 1
    except exceptions.PKCS11Error as err:
        if module in _libraries:
            raise TokenFailed(f"{TokenFailed.sentence()} ({type(err).__name__})") from None
        raise TokenModuleMissing(f"{TokenModuleMissing.sentence()} ({module})") from None
    return _libraries[module]


def _ed25519(point: bytes) -> Ed25519PublicKey:
    """CKA_EC_POINT: the key as an OCTET STRING (PKCS #11 3.0, 2.3.5), or bare, as some tokens have it."""
    raw = point[2:] if len(point) == KEY_BYTES + 2 and point[:2] == bytes([4, KEY_BYTES]) else point
    if len(raw) != KEY_BYTES:
        raise TokenKeyUnfit
    return Ed25519PublicKey.from_public_bytes(raw)
