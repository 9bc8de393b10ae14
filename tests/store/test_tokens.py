"""The signing key in a token: a real one, in software (SoftHSM): there, away, refused, pulled, back, and hanging."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from appliance.wiring.box import RecordingBox
from config.settings import BoxSettings, ProofSettings, Settings
from config.token_url import parse
from recorder.errors import DataDirMissing
from recorder.store.log import tokens
from recorder.store.log.errors import (
    KeyForeign,
    KeyInForce,
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
from recorder.store.log.keys import fingerprint, load_public
from recorder.store.log.tokens import TokenKey
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence.export import Wanted, export
from retention.evidence.reading import verify_package
from tests.fakes.box import hold, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.softhsm import LABEL, PIN, SO_PIN, SoftToken, soft_token


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    """One token of one test: its module forgets it when the next one begins anew."""
    monkeypatch.setenv("SOFTHSM2_CONF", os.environ.get("SOFTHSM2_CONF", ""))
    return soft_token(tmp_path / "hsm")


def key_of(token: SoftToken, tmp_path: Path, url: str | None = None) -> TokenKey:
    return TokenKey(parse(url or token.url()), tmp_path / "refused")


def box(tmp_path: Path, clock: FakeClock, url: str) -> Store:
    """A box whose first key lies in the token, with a camera and some footage."""
    Store.create(tmp_path / "data", "test", clock, "0.0.0", key_url=url)
    store = Store.open(tmp_path / "data", clock, key_url=url)
    store.cameras.add("gate", "Gate", "rtsp://127.0.0.1:554/main")
    record(store, clock, SECOND * 3)
    store.checkpoint()
    return store


def private_files(store: Store) -> list[str]:
    return [path.name for path in store.layout.keys.iterdir() if b"PRIVATE" in path.read_bytes()]


# -- the key


def test_a_key_is_made_in_the_token_and_signs(token: SoftToken, tmp_path: Path) -> None:
    """Once: the next time the same one is there. Its signatures are those of Ed25519."""
    key = key_of(token, tmp_path)
    key.ensure()
    key.ensure()
    key.public_key().verify(key.sign(b"text"), b"text")
    key.close()

    assert key_of(token, tmp_path).public_key() == key.public_key()


def test_a_key_never_leaves_the_token(token: SoftToken, tmp_path: Path) -> None:
    """Neither its maker nor anybody with the PIN can read it: it is sensitive, and cannot be extracted."""
    key = key_of(token, tmp_path)
    key.ensure()
    key.public_key()
    private = key._private
    assert private is not None

    assert private[tokens.Attribute.SENSITIVE]
    assert not private[tokens.Attribute.EXTRACTABLE]
    with pytest.raises(tokens.exceptions.PKCS11Error):
        private[tokens.Attribute.VALUE]


def no_module(token: SoftToken) -> str:
    return token.url(module="/usr/lib/there-is-none.so")


def a_module_that_is_none(token: SoftToken) -> str:
    return token.url(module=str(token.pin_file))


def another_token(token: SoftToken) -> str:
    return token.url(token="other")


def another_key(token: SoftToken) -> str:
    return token.url("other")


def no_pin_file(token: SoftToken) -> str:
    token.pin_file.unlink()
    return token.url()


def an_empty_pin_file(token: SoftToken) -> str:
    token.pin_file.write_text("")
    return token.url()


def a_pin_file_that_others_can_read(token: SoftToken) -> str:
    token.pin_file.chmod(0o644)
    return token.url()


def another_pin(token: SoftToken) -> str:
    token.pin_file.write_text("0000\n")
    return token.url()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (no_module, TokenModuleMissing),
        (a_module_that_is_none, TokenModuleMissing),
        (another_token, TokenMissing),
        (another_key, TokenKeyMissing),
        (no_pin_file, TokenPinUnreadable),
        (an_empty_pin_file, TokenPinUnreadable),
        (a_pin_file_that_others_can_read, TokenPinUnreadable),
        (another_pin, TokenPinWrong),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_is_missing_is_called_by_its_name(
    token: SoftToken, tmp_path: Path, spoil: object, error: type[KeyUnavailable]
) -> None:
    """Each with its sentence; the PIN stands in none of them."""
    key_of(token, tmp_path).ensure()
    assert callable(spoil)
    with pytest.raises(KeyUnavailable) as refused:
        key_of(token, tmp_path, spoil(token)).public_key()

    assert type(refused.value) is error
    assert str(refused.value).startswith(error.sentence()[:20])
    assert PIN not in str(refused.value)
    assert PIN not in repr(refused.value.__cause__)


def refusals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every PIN that was tried from here on."""
    tried: list[str] = []
    real = TokenKey._pin

    def pin(key: TokenKey) -> tuple[str, dict[str, Any]]:
        found = real(key)
        tried.append(found[0])
        return found

    monkeypatch.setattr(TokenKey, "_pin", pin)
    return tried


def test_a_wrong_pin_is_tried_once(token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither again, nor by the next start: tokens lock. A changed file is tried, and the right one is good."""
    key_of(token, tmp_path).ensure()
    token.pin_file.write_text("0000\n")
    tried = refusals(monkeypatch)
    key = key_of(token, tmp_path)
    for one in (key, key, key_of(token, tmp_path), key_of(token, tmp_path)):
        with pytest.raises(TokenPinWrong):
            one.public_key()
    assert tried == ["0000"]
    assert "0000" not in (tmp_path / "refused").read_text()

    token.pin_file.write_text(f"{PIN}\n")
    key.public_key()
    assert tried == ["0000", PIN]


def test_a_pin_that_is_put_right_while_the_wrong_one_is_refused(
    token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered as refused is the file that was read, and the one that is there now is tried."""
    key_of(token, tmp_path).ensure()
    token.pin_file.write_text("0000\n")
    key = key_of(token, tmp_path)
    reach = key._token

    def meanwhile() -> object:
        token.pin_file.write_text(f"{PIN}\n")
        return reach()

    monkeypatch.setattr(key, "_token", meanwhile)
    with pytest.raises(TokenPinWrong):
        key.public_key()

    assert key_of(token, tmp_path).public_key()


def test_a_token_that_warns_of_its_last_try_is_left_alone(
    token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next wrong PIN would lock it for good."""
    key = key_of(token, tmp_path)
    monkeypatch.setattr(tokens, "STOPPED", tokens.TokenFlag.TOKEN_INITIALIZED)
    with pytest.raises(TokenPinLocked):
        key.ensure()


def test_a_token_that_is_pulled_signs_again_when_it_is_back(token: SoftToken, tmp_path: Path) -> None:
    """While it is away that is said; nobody has to start anything anew."""
    key = key_of(token, tmp_path)
    key.ensure()
    key.sign(b"before")
    token.pull()
    for _ in range(2):
        with pytest.raises((TokenMissing, TokenFailed)):
            key.sign(b"away")
    token.put_back()

    key.public_key().verify(key.sign(b"back"), b"back")


def test_two_keys_behind_one_module_never_sign_for_each_other(token: SoftToken, tmp_path: Path) -> None:
    """The module begins anew for each, and hands its old handles out again."""
    one, two = key_of(token, tmp_path), key_of(token, tmp_path, token.url("second"))
    for key in (one, two):
        key.ensure()
    for key in (one, two, two, one, one, two):
        key.public_key().verify(key._within(lambda key=key: key._signed(b"text")), b"text")  # type: ignore[misc]


def test_a_token_that_hangs_is_left_alone(token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits is told in time; it is not asked again before it has answered."""
    key, released, asked = key_of(token, tmp_path), Event(), []

    def hangs(which: TokenKey) -> None:
        asked.append(1)
        released.wait(60)

    monkeypatch.setattr(tokens, "ANSWER_S", 0.05)
    monkeypatch.setattr(TokenKey, "_open", hangs)
    for _ in range(3):
        with pytest.raises(TokenSilent):
            key.public_key()
    released.set()

    assert len(asked) == 1


def test_a_signature_that_does_not_verify_is_not_handed_out(
    token: SoftToken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token may hold a private key that is not the other half of the public one."""
    key = key_of(token, tmp_path)
    key.ensure()
    monkeypatch.setattr(TokenKey, "_sign_once", lambda which, data: bytes(64))

    with pytest.raises(TokenKeyUnfit):
        key.sign(b"text")


def test_another_key_under_the_same_name_is_refused(token: SoftToken, tmp_path: Path) -> None:
    """Somebody put another token with the same label in its place."""
    key = key_of(token, tmp_path)
    key.ensure()
    key.public_key()
    token.pull()
    command = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--so-pin", SO_PIN, "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    key_of(token, tmp_path).ensure()

    with pytest.raises(TokenKeyMissing):
        key.sign(b"text")


# -- a box with one


def test_a_new_box_has_its_key_in_the_token(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """No private key lies on its disk; checks, and packages, need no token."""
    store = box(tmp_path, clock, token.url())
    assert private_files(store) == []
    assert store.keys.all()[-1].kind == "token"
    assert fingerprint(load_public(store.layout.public_key)) == store.fingerprint
    begun_us = store.cameras.get("gate").registered_us
    wanted = Wanted("gate", begun_us + 1, clock.read().utc_us - 1_000_000, "case 1")
    export(store, wanted, tmp_path / "package", clock, "0")
    store.close()
    token.pull()
    reader = Store.open(tmp_path / "data", clock, exclusive=False)

    assert verify(reader) == []
    assert verify_package(tmp_path / "package", reader.fingerprint).is_good


def test_a_box_is_made_once_its_tokens_pin_is_right(
    token: SoftToken, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong one is tried once, however often somebody tries to make the box; the folder can be used afterwards."""
    token.pin_file.write_text("0000\n")
    tried = refusals(monkeypatch)
    for _ in range(3):
        with pytest.raises(TokenPinWrong):
            Store.create(tmp_path / "data", "test", clock, "0", key_url=token.url())
        with pytest.raises(DataDirMissing):
            Store.open(tmp_path / "data", clock)
    token.pin_file.write_text(f"{PIN}\n")
    Store.create(tmp_path / "data", "test", clock, "0", key_url=token.url())

    assert tried[0] == "0000"
    assert set(tried[1:]) == {PIN}


def test_recording_goes_on_while_the_token_is_away(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """Segments and holds stand in the log, over a start too, and are signed when it is back; nothing is discarded."""
    store = box(tmp_path, clock, token.url())
    token.pull()
    with pytest.raises(KeyUnavailable):
        store.checkpoint()
    store.close()
    store = Store.open(tmp_path / "data", clock, key_url=token.url())
    store.recover()
    before = len(segments(store, clock))
    record(store, clock, SECOND * 3)
    placed = hold(store, ["gate"], 0, clock.read().utc_us)
    assert len(segments(store, clock)) > before
    assert [one.id for one in store.holds.all()] == [placed.id]
    assert verify(store) == []
    with pytest.raises(KeyUnavailable):
        store.checkpoint()
    token.put_back()
    signed = store.checkpoint()

    assert signed.size == store.log_size
    assert verify(store) == []


def test_a_box_starts_and_ends_while_its_token_is_away(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """Its record begins; that it is not signed is told by each beat, and what is signed later is all of it."""
    store = box(tmp_path, clock, token.url())
    token.pull()
    told = ProofSettings(key=token.url())
    running = RecordingBox(Settings(box=BoxSettings(data_dir=tmp_path / "data"), proof=told), clock, store, demo=False)
    running.begin()
    with pytest.raises(KeyUnavailable):
        running._beat()
    facts = running._gatherer.facts()
    running.end()
    token.put_back()
    store.checkpoint()

    assert (facts.key.kind, facts.key.is_as_told, facts.key.fingerprint) == ("token", True, store.fingerprint)
    assert "boot" in [leaf.type for _, leaf in store.leaves(0, store.log_size)]
    assert verify(store) == []


def test_the_key_moves_from_a_file_to_a_token(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """Until it is asked for, the file signs; then the token does, and the file is gone. The papers stay good."""
    store = new_store(tmp_path, clock, "gate")
    first = store.fingerprint
    store.close()
    store = Store.open(tmp_path / "data", clock, key_url=token.url())
    store.checkpoint()
    assert (store.fingerprint, store.keys.is_as_told()) == (first, False)
    done = store.rotate_key()
    record(store, clock, SECOND * 3)
    store.checkpoint()

    assert (done.kind, store.keys.is_as_told(), private_files(store)) == ("token", True, [])
    assert store.first_fingerprint == first
    assert verify(store) == []
    with pytest.raises(KeyInForce):
        store.rotate_key()


def test_the_old_file_stays_until_the_token_has_signed(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """Pulled between the leaf and the checkpoint, over a start: the file goes behind the first checkpoint."""
    store = new_store(tmp_path, clock, "gate")
    store.close()
    store = Store.open(tmp_path / "data", clock, key_url=token.url())
    real = store.ledger.sign

    def pulled(size: int) -> object:
        token.pull()
        return real(size)

    store.ledger.sign = pulled  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyUnavailable):
        store.rotate_key()
    store.close()
    store = Store.open(tmp_path / "data", clock, key_url=token.url())
    assert private_files(store) == ["log.ed25519"]
    assert store.keys.all()[-1].kind == "token"
    token.put_back()
    store.checkpoint()

    assert private_files(store) == []
    assert verify(store) == []


def test_the_key_moves_from_a_token_to_another_key_and_to_a_file(
    token: SoftToken, tmp_path: Path, clock: FakeClock
) -> None:
    """The settings say where the next one is to lie; where the present one lies the box remembers."""
    store = box(tmp_path, clock, token.url())
    prints = [store.fingerprint]
    for url in (token.url("second"), None):
        store.close()
        store = Store.open(tmp_path / "data", clock, key_url=url)
        store.checkpoint()
        assert not store.keys.is_as_told()
        prints.append(store.rotate_key().fingerprint)
        assert store.keys.is_as_told()
        assert verify(store) == []

    assert len(set(prints)) == 3
    assert private_files(store) == ["log.ed25519"]
    assert store.first_fingerprint == prints[0]


def test_a_token_reached_in_another_way_is_the_same(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """The PIN's file, or the module, may move."""
    store = box(tmp_path, clock, token.url())
    store.close()
    moved = token.pin_file.rename(tmp_path / "moved-pin")
    url = token.url().replace(str(token.pin_file), str(moved))
    store = Store.open(tmp_path / "data", clock, key_url=url)
    store.checkpoint()

    assert store.keys.is_as_told()


def test_a_token_with_another_key_signs_nothing(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """The key of the log is not to be found: that is said, and no other signs in its place."""
    store = new_store(tmp_path, clock, "gate")
    store.close()
    store = Store.open(tmp_path / "data", clock, key_url=token.url())
    store.rotate_key()
    note = store.checkpoint_text()
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE log_keys SET place = NULL WHERE number = 1")
    store.close()
    with pytest.raises(KeyForeign):
        Store.open(tmp_path / "data", clock)

    reader = Store.open(tmp_path / "data", clock, exclusive=False)
    assert reader.checkpoint_text() == note


def test_the_pin_stands_nowhere_on_the_disk(token: SoftToken, tmp_path: Path, clock: FakeClock) -> None:
    """But in its own file."""
    store = box(tmp_path, clock, token.url())
    store.close()
    holding = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and PIN.encode() in path.read_bytes()]
    assert holding == []
