"""A key follows another: in force from its leaf on, whatever write fails, and the old one goes when it is over."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.errors import StoreError
from recorder.store import rotation
from recorder.store.fsck import check
from recorder.store.log.errors import CheckpointForeign, KeyForeign, KeyReplaced, KeysTooMany, LinkBroken
from recorder.store.log.keys import create_key, fingerprint, load_key, load_public, public_pem
from recorder.store.log.note import open_checkpoint, origin_of
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import new_store, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.failing_writes import FailingWrites, Mode


def key_files(data: Path) -> dict[str, str]:
    """Every private key in the data directory, and its fingerprint."""
    return {path.name: fingerprint(load_key(path).public_key()) for path in sorted((data / "keys").glob("*.ed25519"))}


def is_signed_by(store: Store, key_fingerprint: str) -> bool:
    note = store.checkpoint_text()
    key = next(one.key for one in store.keys.all() if fingerprint(one.key) == key_fingerprint)
    try:
        open_checkpoint(note, origin_of(note), key)
    except CheckpointForeign:
        return False
    return True


def test_a_new_key_signs_from_the_next_checkpoint_on(store: Store, clock: FakeClock) -> None:
    """A leaf puts it in force, the origin stays, the old private key is gone and every public one is there."""
    before = store.fingerprint
    done = store.rotate_key()

    assert (done.number, done.kind, done.old_fingerprint, done.first_fingerprint) == (1, "file", before, before)
    assert store.fingerprint == done.fingerprint != before
    assert store.first_fingerprint == before
    assert is_signed_by(store, done.fingerprint)
    assert [leaf.type for _, leaf in store.leaves(done.leaf_index, store.log_size)] == ["key", "beat"]
    assert key_files(store.layout.root) == {"log.ed25519": done.fingerprint}
    assert fingerprint(load_public(store.layout.public_key)) == done.fingerprint
    assert fingerprint(load_public(store.layout.earlier_key(0))) == before
    record(store, clock, SECOND * 3)
    store.checkpoint()
    assert verify(store) == []


def test_keys_follow_each_other_over_starts(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """After each, the box opens, signs and finds nothing wrong; the first fingerprint stays."""
    first, seen = store.fingerprint, [store.fingerprint]
    for number in (1, 2, 3):
        seen.append(store.rotate_key().fingerprint)
        store.close()
        store = Store.open(tmp_path / "data", clock)
        store.checkpoint()
        assert (store.first_fingerprint, store.fingerprint) == (first, seen[-1])
        assert [fingerprint(load_public(store.layout.earlier_key(one))) for one in range(number)] == seen[:-1]
        assert verify(store) == []

    assert len(set(seen)) == 4


def test_a_checkpoint_from_before_is_still_believed(store: Store) -> None:
    """Whoever kept one opens it with the key of its time."""
    note = store.checkpoint_text()
    store.rotate_key()

    assert store.keys.opened(note).size < store.keys.opened(store.checkpoint_text()).size


def test_the_old_private_key_is_overwritten_before_it_goes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are not left to whoever reads the disk; through another name of the same file they would still be."""
    link = store.layout.root / "same-file"
    os.link(store.layout.key, link)
    store.rotate_key()

    assert b"PRIVATE" not in link.read_bytes()


@pytest.mark.parametrize("mode", get_args(Mode))
def test_each_write_fails_once(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    """Going on, and after a crash, exactly one key is in force, it signs, and nothing is found wrong."""
    made = new_store(tmp_path, clock, "gate")
    record(made, clock, SECOND * 3)
    made.checkpoint()
    made.close()
    writes = FailingWrites(monkeypatch)
    number, failed = 0, 0
    while True:
        number += 1
        data = tmp_path / str(number)
        shutil.copytree(tmp_path / "data", data)
        store = Store.open(data, clock)
        before = store.fingerprint
        with writes.at(number, mode):
            try:
                store.rotate_key()
            except StoreError:
                failed += 1
        if writes.count < number:
            store.close()
            break
        crashed = tmp_path / f"{number}-crashed"
        shutil.copytree(data, crashed)  # the disk as it is at that moment
        stands_as_it_must(store, before)
        goes_on(store, clock, before)
        store.close()
        store = Store.open(crashed, clock)
        goes_on(store, clock, before)
        store.close()
        shutil.rmtree(data)
        shutil.rmtree(crashed)

    assert failed > 12, "writes were counted"


def stands_as_it_must(store: Store, before: str) -> None:
    """Between two steps: the checkpoint's key is one that the log names, and the old key is there until it is over."""
    reader = Store.open(store.layout.root, FakeClock(), exclusive=False)
    assert check(reader) == []
    if not is_signed_by(reader, reader.fingerprint) or reader.fingerprint == before:
        assert before in key_files(store.layout.root).values()
    reader.close()


def goes_on(store: Store, clock: FakeClock, before: str) -> None:
    """It signs with the one key that is left, and may rotate again."""
    store.recover()
    store.checkpoint()
    assert is_signed_by(store, store.fingerprint)
    kept = key_files(store.layout.root)
    if store.fingerprint != before:
        assert kept == {"log.ed25519": store.fingerprint}
        assert fingerprint(load_public(store.layout.earlier_key(0))) == before
    assert kept["log.ed25519"] == store.fingerprint
    assert fingerprint(load_public(store.layout.public_key)) == store.fingerprint
    again = store.rotate_key()
    assert key_files(store.layout.root) == {"log.ed25519": again.fingerprint}
    assert check(store) == []


def test_a_box_from_before_keys_could_follow_each_other(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Its catalogue knows no key; its key is the one beside it, and is written down when another follows."""
    store.close()
    with closing(sqlite3.connect(tmp_path / "data" / "catalogue.sqlite")) as connection, connection:
        connection.execute("DELETE FROM log_keys")
    store = Store.open(tmp_path / "data", clock)
    assert verify(store) == []
    first = store.fingerprint
    store.rotate_key()

    assert store.first_fingerprint == first
    assert [one.number for one in store.keys.all()] == [0, 1]
    assert verify(store) == []


def test_the_key_of_another_box_is_refused(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """At start, before anything is signed with it."""
    store.close()
    create_key(store.layout.key)

    with pytest.raises(KeyForeign):
        Store.open(tmp_path / "data", clock)


def test_a_catalogue_that_knows_another_first_key_is_refused(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Genesis says which one it was."""
    create_key(store.layout.key)
    other = Store.create(tmp_path / "other", "t", clock, "0")
    key = load_key(tmp_path / "other" / "keys" / "log.ed25519").public_key()
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM log_keys")
        store.keys.remember(connection, 0, 0, key)
    store.close()
    shutil.copy(tmp_path / "other" / "keys" / "log.ed25519", store.layout.key)

    assert other.fingerprint == fingerprint(key)
    with pytest.raises(KeyForeign):
        Store.open(tmp_path / "data", clock)


def test_a_row_that_names_a_key_of_which_no_leaf_tells_is_refused(store: Store, tmp_path: Path) -> None:
    """Nobody is put in force by the catalogue."""
    stranger = Ed25519PrivateKey.generate().public_key()
    with store.database.write() as connection:
        store.keys.remember(connection, 1, 1, stranger)
    store.close()

    with pytest.raises(LinkBroken):
        Store.open(tmp_path / "data", FakeClock())
    reader = Store.open(tmp_path / "data", FakeClock(), exclusive=False)
    assert {(one.invariant, one.where) for one in check(reader)} >= {(6, "keys")}


def test_checks_find_what_is_wrong_with_keys(store: Store) -> None:
    """A row that is gone, an earlier public key that was exchanged or lost: named, and nothing is mended."""
    store.rotate_key()
    store.layout.earlier_key(0).write_bytes(public_pem(Ed25519PrivateKey.generate().public_key()))
    assert ("keys/log-0.pub.pem") in [one.where for one in check(store) if one.invariant == 6]
    store.layout.earlier_key(0).unlink()
    assert "keys" in [one.where for one in check(store) if one.invariant == 6]
    store.layout.public_key.write_bytes(public_pem(Ed25519PrivateKey.generate().public_key()))
    with store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM log_keys WHERE number = 1")
    found = check(store)

    assert [one for one in found if one.invariant == 5 and "log entry" in one.where]
    assert "checkpoint" in [one.where for one in found if one.invariant == 6]


def test_a_log_has_no_more_keys_than_a_package_holds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused changes nothing."""
    monkeypatch.setattr(rotation, "KEYS_LIMIT", 2)
    done = store.rotate_key()
    with pytest.raises(KeysTooMany):
        store.rotate_key()

    assert store.fingerprint == done.fingerprint
    assert check(store) == []


def test_nothing_is_signed_with_a_key_that_was_replaced_meanwhile(store: Store) -> None:
    """A package that holds the old key cannot be closed with the new one: it is to be asked for again."""
    before = store.public_key
    store.rotate_key()

    with pytest.raises(KeyReplaced):
        store.sign(b"list", before)
    store.public_key.verify(store.sign(b"list", store.public_key), b"list")
