"""Commercial cryptography in a real store: SM3 of segments, SM2 of checkpoints, on, off, and failing."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from config.errors import CustosError
from recorder.errors import CatalogueError
from recorder.store import sm2key
from recorder.store.ledger import Entry
from recorder.store.log import sm2
from recorder.store.log.errors import (
    Sm2Error,
    Sm2KeyLost,
    Sm2KeyOpen,
    Sm2Refused,
    Sm2Silent,
    Sm2Unavailable,
    Sm3Unavailable,
)
from recorder.store.log.leaves import Leaf
from recorder.store.log.note import body_of, open_checkpoint, signatures_by
from recorder.store.log.sm3 import sm3
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence.standing import standing
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    made = new_store(tmp_path, clock, "gate", sm=True)
    clock.advance(3)
    record(made, clock, SECOND * 4)
    return made


def reopened(store: Store, clock: FakeClock, *, sm: bool) -> Store:
    store.close()
    return Store.open(store.layout.root, clock, sm=sm)


def leaves(store: Store, kind: str) -> list[Leaf]:
    return [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == kind]


def second_signatures(store: Store) -> list[bytes]:
    assert store.sm2_public is not None
    return signatures_by(store.checkpoint_text(), store.origin, sm2.key_id(store.origin, store.sm2_public))


def is_signed_twice(store: Store) -> bool:
    """And its beat says so; once, and its beat says nothing of it, is the only other thing there may be."""
    open_checkpoint(store.checkpoint_text(), store.origin, store.public_key)
    named = leaves(store, "beat")[-1].fields.get("sm2")
    assert (named is not None) == bool(second_signatures(store))
    assert verify(store) == []
    return named is not None


def test_a_segment_is_hashed_with_sm3_too(store: Store, clock: FakeClock) -> None:
    """As openssl hashes its file; row, leaf and disk agree."""
    store.checkpoint()
    for one, leaf in zip(segments(store, clock), leaves(store, "seg"), strict=True):
        command = ["openssl", "dgst", "-sm3", "-r", store.media_path(one)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        assert answer.stdout.split()[0] == leaf.fields["sm3"]
    assert verify(store) == []
    assert standing(store, "gate", segments(store, clock)[0].t0_us, segments(store, clock)[-1].t1_us).is_complete


def test_what_a_crash_left_is_hashed_with_sm3_too(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recovered segment is no lesser one."""
    kept = store.ledger.append

    def without_segments(connection: Connection, kind: str, fields: Mapping[str, Any]) -> Entry:
        if kind == "seg":
            raise CatalogueError
        return kept(connection, kind, fields)

    monkeypatch.setattr(store.ledger, "append", without_segments)
    with pytest.raises(CatalogueError):
        record(store, clock, SECOND * 4)
    again = reopened(store, clock, sm=True)
    report = again.recover()
    again.checkpoint()

    assert len(report.recovered) == 1
    told = leaves(again, "seg")[-1].fields
    assert told["recovered"]
    assert told["sm3"] == sm3(again.media_path(segments(again, clock)[-1]).read_bytes()).hexdigest()
    assert is_signed_twice(again)


def test_without_it_nothing_is_different(tmp_path: Path, clock: FakeClock) -> None:
    """No field, no leaf, no key, no line."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 4)
    store.checkpoint()

    told = {name for _, leaf in store.leaves(0, store.log_size) for name in (leaf.type, *leaf.fields)}
    assert not {name for name in told if name.startswith(("sm2", "sm3"))}
    assert store.checkpoint_text().count("— ") == 1
    assert not list(store.layout.keys.glob("*sm2*"))


def test_a_checkpoint_is_signed_with_sm2_too(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """By a key that is made then, that only its owner can read, and that a leaf binds; openssl believes it."""
    store.checkpoint()
    store.checkpoint()

    assert is_signed_twice(store)
    assert store.layout.sm2_key.stat().st_mode & 0o777 == 0o600
    (bound,) = leaves(store, "sm2")
    assert store.layout.sm2_public.read_bytes() == sm2.pem(bound.fields["public"])
    assert leaves(store, "beat")[-1].fields["sm2"] == sm2.fingerprint(bound.fields["public"])
    (tmp_path / "body").write_text(body_of(store.checkpoint_text()))
    (tmp_path / "signature").write_bytes(second_signatures(store)[0])
    checking = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        store.layout.sm2_public,
        "-rawin",
        "-digest",
        "sm3",
    ]
    files = ["-in", tmp_path / "body", "-sigfile", tmp_path / "signature", "-pkeyopt", "distid:1234567812345678"]
    assert subprocess.run([*checking, *files], check=False, capture_output=True, timeout=20).returncode == 0


def test_switched_off_and_on_again(store: Store, clock: FakeClock) -> None:
    """Leaves of either time stay valid, and the key is the same when it returns."""
    store.checkpoint()
    off = reopened(store, clock, sm=False)
    record(off, clock, SECOND * 2)
    off.checkpoint()
    assert not is_signed_twice(off)
    assert "sm3" not in leaves(off, "seg")[-1].fields
    on = reopened(off, clock, sm=True)
    record(on, clock, SECOND * 2)
    on.checkpoint()

    assert is_signed_twice(on)
    assert "sm3" in leaves(on, "seg")[-1].fields
    assert len(leaves(on, "sm2")) == 1


def test_a_python_without_sm3_is_told_of_at_the_start(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is recorded that would lack it; without the setting the box starts."""

    def without() -> None:
        raise Sm3Unavailable

    monkeypatch.setattr("recorder.store.store.sm3", without)
    store.close()
    with pytest.raises(Sm3Unavailable):
        Store.open(store.layout.root, clock, sm=True)
    Store.open(store.layout.root, clock).close()


def program(folder: Path, text: str) -> None:
    """An openssl that does this."""
    folder.mkdir(exist_ok=True)
    path = folder / "openssl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


BROKEN: dict[str, tuple[str | None, type[Sm2Error]]] = {
    "there is none": (None, Sm2Unavailable),
    "it cannot be run": ("#", Sm2Unavailable),
    "it knows no SM2": ("echo Algorithm SM2 not found >&2; exit 1", Sm2Refused),
    "it writes something else": ("echo hello", Sm2Refused),
    "it writes nothing": ("exit 0", Sm2Refused),
    "it does not end": ("exec sleep 30", Sm2Silent),
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_openssl_that_fails(
    store: Store, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Checkpoints are signed as ever, the reason is kept, and when it works again so does the second signature."""
    text, expected = BROKEN[how]
    store.checkpoint()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "bin"))
        patch.setattr(sm2key, "OPENSSL_S", 0.2)
        if text is not None:
            program(tmp_path / "bin", text)
        if text == "#":
            (tmp_path / "bin" / "openssl").write_bytes(b"\x7fELF and nothing else")
        patch.setenv("PATH", f"{tmp_path / 'bin'}:/bin" if text and "sleep" in text else str(tmp_path / "bin"))
        store.checkpoint()
        assert isinstance(store.sm2.problem, expected)
        assert not is_signed_twice(store)
        size = store.log_size
        store.checkpoint()
        assert store.log_size == size + 1
    clock.advance(61)
    store.checkpoint()

    assert store.sm2.problem is None
    assert is_signed_twice(store)


def test_it_never_worked(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is bound that was never seen to sign, and what is no key is not kept as one."""
    store = new_store(tmp_path, clock, "gate", sm=True)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path / "bin"))
        store.checkpoint()
        assert isinstance(store.sm2.problem, Sm2Unavailable)
        program(tmp_path / "bin", "echo hello")
        clock.advance(61)
        store.checkpoint()
    assert isinstance(store.sm2.problem, Sm2Refused)
    assert store.sm2_public is None
    assert not store.layout.sm2_key.exists()
    assert verify(store) == []
    clock.advance(61)
    store.checkpoint()
    assert is_signed_twice(store)


def test_the_key_is_gone_or_another_or_open(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """None of it makes the box bind another key; put back as it was, it signs again."""
    store.checkpoint()
    key, public = store.layout.sm2_key, store.layout.sm2_public.read_bytes()
    kept = key.read_bytes()
    other = new_store(tmp_path / "other", clock, sm=True)
    other.checkpoint()

    def after(change: object) -> CustosError | None:
        clock.advance(61)
        again = Store.open(store.layout.root, clock, sm=True)
        again.checkpoint()
        assert (again.sm2.problem is None) == is_signed_twice(again)
        assert len(leaves(again, "sm2")) == 1
        assert store.layout.sm2_public.read_bytes() == public
        again.close()
        return again.sm2.problem

    store.close()
    assert isinstance(after(key.unlink()), Sm2KeyLost)
    assert isinstance(after(_put(key, other.layout.sm2_key.read_bytes(), 0o600)), Sm2KeyLost)
    assert isinstance(after(_put(key, b"no key", 0o600)), Sm2Refused)
    assert isinstance(after(_put(key, kept, 0o644)), Sm2KeyOpen)
    assert after(_put(key, kept, 0o600)) is None


def _put(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def test_the_key_is_lost_while_the_box_runs(store: Store, clock: FakeClock) -> None:
    """Found out when it should sign: a second beat says no more of it."""
    store.checkpoint()
    size = store.log_size
    store.layout.sm2_key.unlink()
    store.checkpoint()

    assert not is_signed_twice(store)
    assert store.log_size == size + 2
    clock.advance(61)
    store.checkpoint()
    assert isinstance(store.sm2.problem, Sm2KeyLost)
    assert not is_signed_twice(store)


def test_a_crash_between_making_the_key_and_binding_it(store: Store, clock: FakeClock) -> None:
    """The key that is there is bound then."""
    assert store.sm2.ready(None) is not None
    made = store.layout.sm2_key.read_bytes()
    again = reopened(store, clock, sm=True)
    again.checkpoint()

    assert is_signed_twice(again)
    assert again.layout.sm2_key.read_bytes() == made


def test_no_secret_is_told(store: Store, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to the command line of what signs, nor by an error."""
    store.checkpoint()
    real = os.environ["PATH"]
    program(tmp_path / "bin", f'echo "$@" >>{tmp_path}/told; PATH={real} exec openssl "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{real}")
    store.checkpoint()
    body = base64.b64decode("".join(store.layout.sm2_key.read_text().split("\n")[1:-2]))

    told = (tmp_path / "told").read_text()
    assert "pkeyutl -sign" in told
    assert body[36:68].hex() not in told
    assert base64.b64encode(body[36:68]).decode()[4:-4] not in told
