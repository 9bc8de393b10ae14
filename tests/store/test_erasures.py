"""Side records erased: really gone, told of, refused while law or hold wants them; the tree verifies as before."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import DAY_US, SECOND_US
from recorder.errors import CatalogueError, RecordErased, RecordKept, RecordUnknown, StorageFull
from recorder.store.erasures import REGISTER_DAYS, register_objection
from recorder.store.fsck import check
from recorder.store.log.errors import TokenMissing
from recorder.store.log.leaves import Leaf
from recorder.store.records import Asker, ErasureRule, ExportState, ViewKind
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence import package
from retention.evidence.export import Wanted, export
from retention.evidence.reading import verify_package
from tests.fakes.box import filled, hold, release, segments
from tests.fakes.clock import FakeClock

RULE = ErasureRule.TIME_OVER
YEARS_S = (REGISTER_DAYS + 1) * DAY_US / SECOND_US


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    return filled(tmp_path, clock, "gate", "yard", seconds=8)


def viewed(store: Store, clock: FakeClock, asker: Asker, kind: ViewKind = ViewKind.MEDIA) -> None:
    first = segments(store, clock)[0]
    store.views.note("gate.main", kind, first.t0_us, first.t1_us, asker)


def names(n: int) -> Asker:
    """Somebody whose every word is his own, short and long: up to several pages of the catalogue."""
    purpose = "".join(f"<{n}.{k}失窃>" for k in range(n * 37 % 700))
    return Asker(f"who-{n}-王小明" * (n % 7 + 1), f"192.0.2.{n}", purpose=purpose)


def words(asker: Asker) -> list[bytes]:
    return [asker.who.encode(), asker.address.encode() + b'"']


def files_with(root: Path, text: bytes) -> list[str]:
    return [path.name for path in sorted(root.rglob("*")) if path.is_file() and text in path.read_bytes()]


def pieces(root: Path) -> dict[int, set[bytes]]:
    """Of whose purposes which pieces stand in any file; a piece may lie over the end of a page."""
    found: dict[int, set[bytes]] = {}
    for path in root.rglob("*"):
        if path.is_file():
            for one in re.finditer(rb"<([0-9]+)\.([0-9]+)", path.read_bytes()):
                found.setdefault(int(one[1]), set()).add(one[2])
    return found


def test_what_was_erased_is_in_no_file(store: Store, clock: FakeClock) -> None:
    """Neither in the catalogue, nor in its write-ahead log, nor anywhere else; what was not erased is whole. Before, it
    stood there: the search finds what it looks for."""
    askers = [names(n) for n in range(60)]
    for asker in askers:
        viewed(store, clock, asker)
    clock.advance(YEARS_S)
    root = store.layout.root
    assert all(files_with(root, word) for asker in askers for word in words(asker))
    before = pieces(root)
    assert all(len(before[n]) >= 0.9 * (n * 37 % 700) for n in range(1, 60))

    gone = [n for n in range(60) if n % 3]
    for n in gone:
        done = store.erasures.erase(f"view:{n + 1}", RULE, "kept for three years")
        assert done.is_gone

    for n, asker in enumerate(askers):
        for word in words(asker):
            assert files_with(root, word) == ([] if n in gone else ["catalogue.sqlite"]), n
    assert not set(pieces(root)) & set(gone)
    shown = store.views.page(0, 2**60, 100)
    assert [one.id for one in shown if one.asker is None] == [n + 1 for n in gone]
    assert [one.asker for one in shown if one.asker] == [asker for n, asker in enumerate(askers) if n not in gone]
    assert all((one.erased_us is None) is (one.asker is not None) for one in shown)
    assert verify(store) == []


def test_the_tree_and_every_package_verify_as_before(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """One made before, and one made after, by all three verifiers; both hold the entry of the view."""
    viewed(store, clock, names(1))
    viewed(store, clock, names(2))
    store.checkpoint()
    begun_us, end_us = store.cameras.get("gate").registered_us + 3, segments(store, clock)[-2].t1_us
    wanted = Wanted("gate", begun_us, end_us, "case 7")
    export(store, wanted, tmp_path / "before", clock, "0")
    root = store.latest_checkpoint()
    clock.advance(YEARS_S)

    done = store.erasures.erase("view:1", RULE, "kept for three years")
    export(store, wanted, tmp_path / "after", clock, "0")

    assert root is not None
    assert store.ledger.tiles.frontier(root.size).root().hex() == root.root
    assert verify(store) == []
    for folder in (tmp_path / "before", tmp_path / "after"):
        assert verify_package(folder, store.fingerprint).is_good
        for command in (["sh", "verify.sh"], [sys.executable, "-I", "verify.py"]):
            answer = subprocess.run([*command, store.fingerprint], cwd=folder, capture_output=True, check=False)
            assert answer.returncode == 0, answer.stdout + answer.stderr
        assert (folder / package.CUSTODY).read_bytes().count(b'"type":"view"') == 2
    (told,) = [leaf for index, leaf in store.leaves(0, store.log_size) if index == done.audit_leaf]
    assert (told.type, told.fields["leaf"], told.fields["of"]) == ("audit", done.leaf_index, "view")
    assert told.fields["rule"] == "pipl-47-2"
    assert "three years" not in str(told)


def test_a_record_is_kept_while_its_time_runs(store: Store, clock: FakeClock) -> None:
    """By both clocks: a wall clock that was set to the future makes nothing old."""
    viewed(store, clock, names(1))
    clock.set_wall("2099-01-01T00:00:00Z")
    with pytest.raises(RecordKept):
        store.erasures.erase("view:1", RULE, "looked where I should not have")

    assert store.views.page(0, 2**60, 1)[0].asker == names(1)
    assert verify(store) == []


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_younger_of_two_ages_decides(wall_days: int, box_days: int) -> None:
    """Whatever the clocks say."""
    leaf = Leaf("view", 5_000, 7_000, {})
    why = register_objection(leaf, 5_000 + wall_days * DAY_US, 7_000 + box_days * DAY_US)

    assert (why == "") is (min(wall_days, box_days) >= REGISTER_DAYS)


def test_a_hold_keeps_its_record_and_those_of_who_had_its_footage(store: Store, clock: FakeClock) -> None:
    """Until it is released; then each may be erased, and the box shows that they were."""
    viewed(store, clock, names(1))
    end_us = clock.read().utc_us
    held = hold(store, ["gate"], 0, end_us, "case of 王小明", "theft", placed_by="王小明")
    clock.advance(YEARS_S)
    for which in (f"hold:{held.id}", "view:1"):
        with pytest.raises(RecordKept) as refused:
            store.erasures.erase(which, RULE, "over")
        assert f"hold {held.id}" in str(refused.value).lower()
    release(store, held.id, "closed by 李四")

    for which in (f"hold:{held.id}", f"release:{held.id}", "view:1"):
        store.erasures.erase(which, RULE, "over")

    again = store.holds.get(held.id)
    assert (again.case, again.reason, again.release_reason or "") == ("", "", "")
    assert not any(files_with(store.layout.root, word.encode()) for word in ("王小明", "李四"))
    assert check(store) == []


def test_an_export_keeps_its_record_while_its_package_is_here(store: Store, clock: FakeClock) -> None:
    """It names the case: whoever wants that gone takes the package away first."""
    one = store.exports.ask("gate.main", segments(store, clock)[0].t0_us, clock.read().utc_us, "王小明", "letter")
    clock.advance(YEARS_S)
    with pytest.raises(RecordKept, match="not done"):
        store.erasures.erase(f"export:{one.id}", RULE, "over")
    store.exports.end(one.id, ExportState.DONE)
    folder = store.layout.exports / str(one.id)
    folder.mkdir(parents=True)
    with pytest.raises(RecordKept, match="take it away"):
        store.erasures.erase(f"export:{one.id}", RULE, "over")
    shutil.rmtree(folder)

    store.erasures.erase(f"export:{one.id}", RULE, "over")

    assert store.exports.get(one.id).case == ""
    assert files_with(store.layout.root, "王小明".encode()) == []


def test_what_has_no_record_or_one_that_is_needed(store: Store, clock: FakeClock) -> None:
    """Each with its own word; nothing is changed by a refusal."""
    viewed(store, clock, names(1))
    clock.advance(YEARS_S)
    size = store.log_size
    for which in ("view:2", "view:0", "nobody:1", "0", "99999", "-1", "view:1 ", ""):
        with pytest.raises(RecordUnknown):
            store.erasures.erase(which, RULE, "over")
    camera = next(index for index, leaf in store.leaves(0, size) if leaf.type == "camera")
    with pytest.raises(RecordKept):
        store.erasures.erase(str(camera), RULE, "over")
    assert store.log_size == size

    entry = store.erasures.erase("view:1", RULE, "decided by 张三").audit_leaf
    with pytest.raises(RecordErased):
        store.erasures.erase("view:1", RULE, "over")
    with pytest.raises(RecordKept):
        store.erasures.erase(str(entry), RULE, "why it went is kept too")
    clock.advance(YEARS_S)
    store.erasures.erase(str(entry), RULE, "over")
    assert files_with(store.layout.root, "张三".encode()) == []


def test_a_reader_that_looks_at_older_pages_is_waited_for(store: Store, clock: FakeClock) -> None:
    """Erasing says that it is not gone yet; the checkpoint after the reader's end takes it away."""
    viewed(store, clock, names(1))
    clock.advance(YEARS_S)
    word = words(names(1))[0]
    with store.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM records").scalar()
        assert not store.erasures.erase("view:1", RULE, "over").is_gone
        store.checkpoint()
        assert files_with(store.layout.root, word)
    store.checkpoint()

    assert files_with(store.layout.root, word) == []


class FullDisk:
    """A connection of a catalogue whose disk takes no writes."""

    def cursor(self) -> FullDisk:
        return self

    def execute(self, text: str) -> None:
        if "wal_checkpoint" in text:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    def close(self) -> None:
        """Nothing is open."""


def test_a_disk_that_is_full_when_pages_are_to_go(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has its name; the erasure stands, says that it is not gone yet, and a later checkpoint ends it."""
    viewed(store, clock, names(1))
    clock.advance(YEARS_S)
    whole, full = store.database.forget, FullDisk()

    def forget() -> bool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store.database._writer, "raw_connection", lambda: full)
            return whole()

    monkeypatch.setattr(store.database, "forget", forget)
    with pytest.raises(StorageFull):
        store.database.forget()
    assert not store.erasures.erase("view:1", RULE, "over").is_gone
    assert files_with(store.layout.root, words(names(1))[0])
    monkeypatch.undo()
    store.checkpoint()

    assert files_with(store.layout.root, words(names(1))[0]) == []


def test_a_crash_between_an_erasure_and_the_end_of_its_pages_is_mended(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The next start takes them away with its first checkpoint."""
    viewed(store, clock, names(1))
    clock.advance(YEARS_S)

    def crash() -> bool:
        raise CatalogueError

    monkeypatch.setattr(store.database, "forget", crash)
    assert not store.erasures.erase("view:1", RULE, "over").is_gone
    word = words(names(1))[0]
    left = shutil.copytree(store.layout.root, tmp_path / "left")
    assert files_with(left, word)

    again = Store.open(left, clock)
    again.checkpoint()
    assert files_with(left, word) == []
    assert check(again) == []
    again.close()


def test_an_erasure_that_nobody_told_is_found(store: Store, clock: FakeClock) -> None:
    """Written over by hand, with and without a row that says so."""
    for n in (1, 2):
        viewed(store, clock, names(n))
    blank = "UPDATE records SET salt = zeroblob(16), body = '  ' WHERE hash = (SELECT record FROM views WHERE id = {})"
    with store.database.write() as connection:
        connection.exec_driver_sql(blank.format(1))
        connection.exec_driver_sql(blank.format(2))
        connection.exec_driver_sql("INSERT INTO erasures SELECT record, leaf_index, 1, 0 FROM views WHERE id = 2")

    assert [one.what.partition(",")[0] for one in check(store)] == ["its record was erased", "it is blank"]


def test_what_is_erased_while_pages_go_is_not_forgotten(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat takes pages away just when somebody erases: the next checkpoint still has something to do."""
    viewed(store, clock, names(1))
    clock.advance(YEARS_S)
    forget, forgot = store.database.forget, list[bool]()

    def meanwhile() -> bool:
        forgot.append(True)
        if len(forgot) == 1:
            store.erasures._is_pending = True  # what `erase` says behind its transaction, in another thread
        return forget()

    store.erasures.erase("view:1", RULE, "over")
    monkeypatch.setattr(store.database, "forget", meanwhile)
    store.erasures._is_pending = True
    store.checkpoint()
    store.checkpoint()
    store.checkpoint()

    assert len(forgot) == 2


def test_what_is_erased_while_the_key_is_away_is_gone_all_the_same(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is away keeps signatures waiting, and no name: the erasure stands, and is told so."""
    viewed(store, clock, names(1))
    clock.advance(YEARS_S)

    def away(*_: object) -> None:
        raise TokenMissing

    monkeypatch.setattr(store.ledger, "sign", away)
    erased = store.erasures.erase("view:1", RULE, "over")

    assert erased.is_gone
    assert not any(files_with(store.layout.root, word) for word in words(names(1)))
