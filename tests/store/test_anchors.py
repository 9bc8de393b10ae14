"""Anchors: a real authority of OpenSSL's on loopback, up, down, silent, lying, expired; and what a stamp proves."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select, update

from recorder.store import tables
from recorder.store.database import Database
from recorder.store.fsck import check
from recorder.store.log.cosignature import witness_key
from recorder.store.log.note import open_checkpoint
from recorder.store.log.tree import leaf_hash, root_of
from recorder.store.records import AnchorKind, Outsider
from recorder.store.store import Store
from retention.evidence import asking
from retention.evidence.anchoring import Anchorer, Authorities
from retention.evidence.timestamp import AuthoritySilent, AuthorityUntrusted, AuthorityWrong, question, roots_of
from tests.fakes.authority import Authority, authority
from tests.fakes.box import record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


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
    assert [leaf.fields["size"] for leaf in leaves] == sorted(int(path.stem) for path in kept)
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


def findings(store: Store) -> list[str]:
    return [f"{one.where}: {one.what}" for one in check(store) if one.invariant == 9]


def test_fsck_knows_a_good_stamp_from_one_that_is_not(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """One that was kept, and the certificates beside it, are as they must be; edited, removed or added ones are not."""
    with authority(folder(tmp_path)) as one:
        anchorer(store, clock, one).run()
    assert check(store) == []

    stamp = stamps(store)[0]
    for path, said in ((stamp, stamp.name), (stamp.with_suffix(".body"), "the text that was stamped")):
        kept = path.read_bytes()
        path.write_bytes(kept[:-1])
        assert [one for one in findings(store) if said in one], path
        path.unlink()
        assert [one for one in findings(store) if said in one], path
        path.write_bytes(kept)
    added = stamp.with_name("77.tsr")
    added.write_bytes(b"a stamp")
    assert findings(store) == ["77.tsr: no anchor that was wanted is of this name"]


def test_fsck_finds_that_the_log_is_not_the_one_that_was_stamped(
    store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    """Row and file tell of another root than the tiles lead to."""
    with authority(folder(tmp_path)) as one:
        anchorer(store, clock, one).run()
    with store.database.write() as connection:
        note = connection.execute(select(tables.anchors.c.note)).scalar_one()
        lines = note.split("\n")
        lines[2] = base64.b64encode(bytes(32)).decode()
        connection.execute(update(tables.anchors).values(note="\n".join(lines)))
    stamps(store)[0].with_suffix(".body").write_text("\n".join(lines[:3]) + "\n")

    assert [one for one in findings(store) if "this one was written anew" in one]


def test_a_tail_that_was_cut_off_is_caught_by_its_stamp(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """The whole box is put back to what it was an hour ago, every file of it: but a stamp has been seen since."""
    store.close()
    shutil.copytree(store.layout.root, tmp_path / "an hour ago")
    later = Store.open(store.layout.root, clock)
    record(later, clock, SECOND * 4)
    later.checkpoint()
    with authority(folder(tmp_path)) as one:
        anchorer(later, clock, one).run()
    assert check(later) == []
    later.close()
    shutil.copytree(later.layout.log / "anchors", tmp_path / "an hour ago" / "log" / "anchors")
    back = Store.open(tmp_path / "an hour ago", clock)
    found = findings(back)
    back.close()

    assert [one for one in found if "no anchor that was wanted" in one]


def test_certificates_that_end_without_a_line_break(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Each set is handed out on lines of its own, as every program reads them."""
    for name in ("one", "two"):
        with authority(folder(tmp_path, name)) as one:
            one.roots.write_bytes(one.roots.read_bytes().rstrip())
            anchorer(store, clock, one).run()
            clock.advance(3601)
            store.checkpoint()

    assert len(roots_of(store.anchors.roots())) == 2
    assert store.anchors.roots().count(b"-----\n-----BEGIN") == 1


def test_what_a_power_cut_left_half_written_is_no_finding(store: Store) -> None:
    """A file that never got its name says nothing, against nobody."""
    left = store.layout.log / "anchors"
    left.mkdir(exist_ok=True)
    (left / ".6.tsr.tmp").write_bytes(b"half")

    assert check(store) == []


def test_the_stamps_nearest_to_some_entries(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """The newest that was written down before them, the first of a tree that holds them; one whose file is gone is
    left out."""
    with authority(folder(tmp_path)) as one:
        mine = anchorer(store, clock, one)
        for _ in range(4):
            mine.run()
            clock.advance(3601)
            record(store, clock, SECOND * 2)
            store.checkpoint()
    assert one.roots.read_bytes() == store.anchors.roots()
    sizes = [int(path.stem) for path in stamps(store)]
    sizes.sort()

    def around(first: int, last: int) -> list[int]:
        with store.database.read() as connection:
            return [one.size for one in store.anchors.around(connection, first, last)]

    assert around(sizes[1] + 2, sizes[2] - 1) == [sizes[1], sizes[2]]
    assert around(1, 2) == [sizes[0]]
    assert around(sizes[2], 10**6) == [sizes[1], sizes[3]]
    (store.layout.log / "anchors" / f"{sizes[1]}.tsr").unlink()
    assert around(sizes[1] + 2, sizes[2] - 1) == [sizes[2]]


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


def test_of_two_wishes_at_once_the_newer_one_stays(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's, for a newer checkpoint, comes in between: it is not put back to the older one."""
    key = witness_key("north.example/w", Ed25519PrivateKey.generate().public_key()).text
    by = Outsider(AnchorKind.WITNESS, key)
    real, came = Database.write, []

    @contextmanager
    def write(database: Database) -> Iterator[Connection]:
        if not came:
            came.append(True)
            record(store, clock, SECOND * 2)
            store.checkpoint()
            store.anchors.want("hold", by)
        with real(database) as connection:
            yield connection

    monkeypatch.setattr(Database, "write", write)
    store.anchors.want("due", by)

    newest = open_checkpoint(store.checkpoint_text(), store.origin, store.public_key)
    assert [one.size for one in store.anchors.pending(by=by)] == [newest.size]
