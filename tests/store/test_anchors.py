"""Anchors: a real authority of OpenSSL's on loopback, up, down, silent, lying, expired; and what a stamp proves."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from recorder.store.log.note import open_checkpoint
from recorder.store.log.tree import leaf_hash, root_of
from recorder.store.store import Store
from retention.evidence import asking
from retention.evidence.anchoring import Anchorer, Authorities
from retention.evidence.timestamp import AuthoritySilent, AuthorityUntrusted, AuthorityWrong, question
from tests.fakes.authority import Authority, authority
from tests.fakes.box import new_store, record
from tests.fakes.clock import FakeClock

SECOND = "I" + "P" * 9


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    made = new_store(tmp_path, clock, "gate")
    record(made, clock, SECOND * 4)
    made.checkpoint()
    return made


def anchorer(store: Store, clock: FakeClock, *whom: Authority) -> Anchorer:
    roots = whom[0].roots
    return Anchorer(store, clock, Authorities([one.url for one in whom], roots, 60))


def stamps(store: Store) -> list[Path]:
    return sorted((store.layout.log / "anchors").glob("*.tsr"))


def folder(tmp_path: Path, name: str = "tsa") -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def test_each_hours_checkpoint_is_stamped_once(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """The answer is kept, bound by a leaf, and OpenSSL believes it too."""
    with authority(folder(tmp_path)) as one:
        mine = anchorer(store, clock, one)
        mine.run()
        mine.run()
        assert len(one.asked) == 1
        clock.advance(3601)
        store.checkpoint()
        mine.run()

    kept = stamps(store)
    assert len(kept) == 2
    assert mine.problem is None
    leaves = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "anchor"]
    assert [leaf.fields["size"] for leaf in leaves] == [int(path.stem) for path in kept]
    for path in kept:
        command = ["openssl", "ts", "-verify", "-data", path.with_suffix(".body"), "-in", path, "-CAfile", one.roots]
        assert subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0


def test_an_authority_that_was_down_skips_nothing(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """What was wanted meanwhile waits, and is stamped in its order when it returns; recording goes on."""
    with authority(folder(tmp_path)) as one:
        one.is_down = True
        mine = anchorer(store, clock, one)
        for _ in range(3):
            mine.run()
            clock.advance(3601)
            record(store, clock, SECOND * 2)
            store.checkpoint()
        assert isinstance(mine.problem, AuthorityWrong)
        assert store.anchors.state().waiting == 3
        assert stamps(store) == []
        one.is_down = False
        mine.run()

    assert len(stamps(store)) >= 3
    assert store.anchors.state().waiting == 0
    assert mine.problem is None


def test_an_authority_that_does_not_answer(
    store: Store, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for within a bound, and named; one that nobody listens at too."""
    monkeypatch.setattr(asking, "ANSWER_S", 0.3)
    with authority(folder(tmp_path)) as one:
        one.is_silent = True
        mine = anchorer(store, clock, one)
        mine.run()
        assert isinstance(mine.problem, AuthoritySilent)
    mine.run()
    assert isinstance(mine.problem, AuthoritySilent)
    assert store.anchors.state().waiting == 1


def test_an_authority_that_lies(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """A stamp of something else, an old answer, no answer at all: none is kept."""
    with authority(folder(tmp_path)) as one:
        mine = anchorer(store, clock, one)
        one.stamps_instead = question(b"another log").as_bytes()
        mine.run()
        assert isinstance(mine.problem, AuthorityWrong)
        one.stamps_instead = None
        for junk in (b"junk", b"\x30\x03\x02\x01\x02", b"\x30\x05\x30\x03\x02\x01\x02", bytes(300_000)):
            one.answers_with = junk
            mine.run()
            assert mine.problem is not None, junk[:10]
    assert stamps(store) == []
    assert store.anchors.state().waiting == 1


def test_an_authority_that_nobody_named_or_whose_certificate_has_expired(
    store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    """Neither leads to what the owner believes."""
    with authority(folder(tmp_path)) as named, authority(folder(tmp_path, "other")) as other:
        mine = Anchorer(store, clock, Authorities([other.url], named.roots, 60))
        mine.run()
        assert isinstance(mine.problem, AuthorityUntrusted)
    with authority(folder(tmp_path, "old"), days=-10) as expired:
        mine = anchorer(store, clock, expired)
        mine.run()
        assert isinstance(mine.problem, AuthorityUntrusted)
    assert stamps(store) == []


def test_the_second_authority_where_the_first_fails(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """They are asked in their order."""
    with authority(folder(tmp_path)) as one, authority(folder(tmp_path, "other")) as two:
        one.is_down = True
        mine = Anchorer(store, clock, Authorities([one.url, two.url], two.roots, 60))
        mine.run()

    assert mine.problem is None
    assert len(stamps(store)) == 1


def test_yesterday_rewritten_and_signed_anew_is_caught_by_its_stamp(
    store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    """The owner, with the key, makes another log: what was stamped is no beginning of it."""
    with authority(folder(tmp_path)) as one:
        anchorer(store, clock, one).run()
    body = stamps(store)[0].with_suffix(".body").read_text()
    size, root = int(body.split("\n")[1]), body.split("\n")[2]
    now = open_checkpoint(store.checkpoint_text(), store.origin, store.public_key)
    assert now.size >= size

    bodies = _bodies(store, size)
    honest = root_of([leaf_hash(one) for one in bodies])
    forged = root_of([leaf_hash(one.replace(b"gate", b"gaol")) for one in bodies])
    assert base64.b64encode(honest).decode() == root
    assert base64.b64encode(forged).decode() != root


def _bodies(store: Store, size: int) -> list[bytes]:
    with store.database.read() as connection:
        return [body for _, body in store.ledger.bodies(connection, 0, size)]
