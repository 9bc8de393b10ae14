"""A box is copied while it runs, and put back: what comes back is whole, and nothing goes back unseen."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.times import parse_us
from recorder.errors import DataDirForeign, DataDirInUse, DataDirTooNew, StorageFull, StoreError
from recorder.store import files, fsck
from recorder.store import restore as restoring
from recorder.store.backup import (
    BackupFailed,
    BackupPlaceInside,
    BackupPlaceTaken,
    BackupReport,
    BackupUnsettled,
    digest_of_list,
    make_backup,
)
from recorder.store.layout import Layout
from recorder.store.log.errors import KeyFileInvalid, KeyReplaced
from recorder.store.restore import Accepted, BackupInvalid, BackupOther, RestoreReport, restore
from recorder.store.restored import Restored, RestoredUnreadable, read, write
from recorder.store.rollback import Known, WouldRollBack
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import filled, new_store, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.store.test_upgrade import LATER, STAGES, revision, unpacked

BOSS = Accepted("boss", "the disk died")


def backed_up(store: Store, folder: Path, clock: FakeClock, *, with_keys: bool = True) -> BackupReport:
    return make_backup(store, folder / "backup", clock.read().utc_us, "0.0.0", with_keys=with_keys)


def put_back(folder: Path, data: Path, clock: FakeClock, accepted: Accepted | None = None) -> RestoreReport:
    return restore(folder / "backup", data, clock, accepted=accepted, by="admin")


def started(data: Path, clock: FakeClock) -> Store:
    """As the next start of a box opens it."""
    clock.reboot("boot-after")
    store = Store.open(data, clock)
    store.recover()
    store.note("boot", {"boot": clock.boot_id()})
    store.checkpoint()
    return store


def told(store: Store) -> list[dict[str, object]]:
    """What the log says of restorings."""
    leaves = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "audit"]
    return [dict(leaf.fields) for leaf in leaves if leaf.fields["what"] == "restored"]


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}


def test_a_backup_is_whole_by_itself(tmp_path: Path) -> None:
    """Every file is in its list, nobody else may read it, and a stranger checks list and signature by two commands."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=6)
    os.umask(0o022)
    made = backed_up(store, tmp_path, clock)
    store.close()
    folder = made.folder

    listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == listed | {"SHA256SUMS", "SHA256SUMS.sig"}
    assert modes(folder) == {0o700, 0o600}
    assert not any(name.endswith(".mp4") for name in there)
    facts = json.loads((folder / "backup.json").read_bytes())
    assert (facts["size"], facts["with_keys"]) == (made.facts.size, True)
    assert "SECRET" in (folder / "README.txt").read_text()
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    check = "openssl pkeyutl -verify -rawin -pubin -inkey data/keys/log.pub.pem -in SHA256SUMS -sigfile SHA256SUMS.sig"
    subprocess.run(check.split(), cwd=folder, check=True, capture_output=True)
    assert list(tmp_path.glob(".*")) == []


def test_a_box_that_goes_on_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments and checkpoints that come between the steps are not in it, and it is whole all the same."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=6)
    beside = Store.open(tmp_path / "data", clock, exclusive=False)
    copy = beside.database.copy

    def busy(connection: object, path: Path) -> None:
        """The box signs between the view and the copy, and records on."""
        for _ in range(300):  # more than one tile
            store.note("clock", {"what": "step"})
        record(store, clock, SECOND * 4)
        store.checkpoint()
        copy(connection, path)  # type: ignore[arg-type]
        store.checkpoint()

    monkeypatch.setattr(beside.database, "copy", busy)
    size = store.log_size
    made = make_backup(beside, tmp_path / "backup", clock.read().utc_us, "0.0.0")
    beside.close()
    store.close()
    put_back(tmp_path, tmp_path / "other", clock)
    after = started(tmp_path / "other", clock)

    assert (made.facts.size, made.facts.entries) == (size, size)
    missing = [one for one in fsck.check(after) if one.invariant != 1]
    assert missing == []
    after.close()


def test_entries_that_were_not_signed_yet(tmp_path: Path) -> None:
    """They wait in the catalogue, come back with it, and the next start signs them."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    store.note("finding", {"what": "waits"})
    made = backed_up(store, tmp_path, clock)
    store.close()
    put_back(tmp_path, tmp_path / "other", clock)
    after = started(tmp_path / "other", clock)

    assert made.facts.entries == made.facts.size + 1
    assert "waits" in [leaf.fields.get("what") for _, leaf in after.leaves(0, after.log_size)]
    after.close()


def test_a_checkpoint_that_the_catalogue_does_not_remember(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between signing and remembering leaves it so; the backup of that is whole too."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    monkeypatch.setattr(store.ledger, "_remember", lambda _: None)
    store.checkpoint()
    made = backed_up(store, tmp_path, clock)
    store.close()
    report = put_back(tmp_path, tmp_path / "other", clock)
    after = started(tmp_path / "other", clock)

    assert made.facts.size == made.facts.entries == report.entries
    assert [one for one in fsck.check(after) if one.invariant != 1] == []
    after.close()


def test_a_checkpoint_that_does_not_fit(tmp_path: Path) -> None:
    """One that is older than the catalogue remembers is no state to copy: it says so, and leaves nothing."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    old = store.checkpoint_text()
    store.checkpoint()
    store.ledger.checkpoint_path.write_text(old)
    with pytest.raises(BackupUnsettled):
        backed_up(store, tmp_path, clock)
    store.close()

    assert not (tmp_path / "backup").exists()


def test_a_place_that_will_not_do(tmp_path: Path) -> None:
    """Nothing is written over, and nothing is put where it would be lost with the box."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    (tmp_path / "taken").write_text("somebody's")
    for place, error in (("taken", BackupPlaceTaken), ("data/backup", BackupPlaceInside)):
        with pytest.raises(error, match=place):
            make_backup(store, tmp_path / place, 0, "0.0.0")
    store.close()

    assert (tmp_path / "taken").read_text() == "somebody's"


def test_a_backup_that_has_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is left, under no name: half a backup has the keys in it too, and fills the disk for the next."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    begin = files.begin_private

    def full(path: Path) -> None:
        if path.name == "backup.json":
            raise StorageFull from OSError(errno.ENOSPC, "No space left on device", str(path))
        begin(path)

    monkeypatch.setattr(files, "begin_private", full)
    with pytest.raises(BackupFailed, match=r"backup\.json: No space left on device\)") as told:
        backed_up(store, tmp_path, clock)
    assert "recording resumes" not in str(told.value)  # that is of the box's own disks
    store.close()

    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_key_is_replaced_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue with one key in force and the files of another would be of no use: it is to be made anew."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    copy = store.database.copy

    def rotated(connection: object, path: Path) -> None:
        copy(connection, path)  # type: ignore[arg-type]
        store.rotate_key()

    monkeypatch.setattr(store.database, "copy", rotated)
    with pytest.raises(KeyReplaced):
        backed_up(store, tmp_path, clock)
    monkeypatch.undo()
    assert backed_up(store, tmp_path, clock).facts.size
    store.close()
    put_back(tmp_path, tmp_path / "other", clock)
    started(tmp_path / "other", clock).close()


def test_a_new_machine(tmp_path: Path) -> None:
    """Everything comes back but footage, of which each segment is missed; the log says that it was restored."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=6)
    backed_up(store, tmp_path, clock)
    fingerprint, size = store.first_fingerprint, store.log_size
    store.close()
    report = restore(tmp_path / "backup", tmp_path / "new" / "data", clock, fingerprint=fingerprint, by="admin")
    after = started(tmp_path / "new" / "data", clock)

    assert (report.missing, report.aside, report.replaced, report.has_key) == (3, 0, None, True)
    assert after.first_fingerprint == fingerprint
    (entry,) = told(after)
    digest = digest_of_list((tmp_path / "backup" / "SHA256SUMS").read_bytes())
    assert (entry["from"], entry["to"], entry["backup"], entry["segments"]) == (size, size, digest, 0)
    assert [leaf.type for _, leaf in after.leaves(size, size + 1)] == ["audit"]
    assert {one.invariant for one in fsck.check(after)} == {1}
    after.close()


def test_media_that_survived(tmp_path: Path) -> None:
    """Footage as the backup knows it is all there again, and everything verifies; what came after is a gap."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=6)
    backed_up(store, tmp_path, clock)
    store.close()
    kept = tmp_path / "new" / "media"
    kept.parent.mkdir()
    shutil.move(tmp_path / "data" / "media", kept)
    clock.advance(60)
    report = put_back(tmp_path, tmp_path / "new", clock)
    after = started(tmp_path / "new", clock)

    assert (report.missing, report.found.segments) == (0, 0)
    assert verify(after, lambda *_: None) == []
    assert after.catalogue.last_cause("gate.main") is not None
    after.close()


def test_newer_media(tmp_path: Path) -> None:
    """Segments that the backup does not know mean a log that knew them: no, in numbers. Once somebody took it on
    himself, the first is taken in, the others lie aside, and the log says who, why and how many."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", "yard", seconds=6)
    backed_up(store, tmp_path, clock)
    record(store, clock, SECOND * 8)
    store.close()
    shutil.rmtree(tmp_path / "data" / "log")
    (tmp_path / "data" / "catalogue.sqlite").write_bytes(b"not a database")
    with pytest.raises(WouldRollBack, match=r"Of 4 segments on the disk .* gate.main 4 from number") as refused:
        put_back(tmp_path, tmp_path / "data", clock)
    assert "--accept-rollback" in str(refused.value)
    assert not (tmp_path / "data" / ".restoring").exists()
    report = put_back(tmp_path, tmp_path / "data", clock, BOSS)
    clock.advance(5)
    after = started(tmp_path / "data", clock)

    assert (report.aside, report.found.segments) == (3, 4)
    assert len([*(tmp_path / "data" / "media" / "main" / "replaced" / "1").rglob("*.mp4")]) == 3
    assert report.replaced is not None
    assert (report.replaced / "catalogue.sqlite").read_bytes() == b"not a database"
    assert verify(after, lambda *_: None) == []
    (entry,) = told(after)
    assert entry["segments"] == 4
    coverage = after.coverage("gate.main", parse_us("2026-03-01T00:00:02Z"), clock.read().utc_us)
    assert {one.kind.value for one in coverage} == {"recorded", "gap"}
    record(after, clock, SECOND * 4)
    after.checkpoint()
    assert verify(after, lambda *_: None) == []
    after.close()


def test_a_newer_log(tmp_path: Path) -> None:
    """The log that lies there has more entries, signed and waiting: no, with both numbers; with a reason, a leaf."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    made = backed_up(store, tmp_path, clock)
    store.note("finding", {"what": "newer"})
    store.checkpoint()
    store.note("finding", {"what": "waits"})
    size = store.log_size
    store.close()
    with pytest.raises(WouldRollBack) as refused:
        put_back(tmp_path, tmp_path / "data", clock)
    told_of = str(refused.value)
    assert f"The backup has {made.facts.entries} entries." in told_of
    assert f"The log in the data directory knows {size - 1}." in told_of
    assert f"The catalogue in the data directory knows {size}." in told_of
    assert f"takes {size - made.facts.entries} entries back" in told_of
    put_back(tmp_path, tmp_path / "data", clock, BOSS)
    after = started(tmp_path / "data", clock)
    (entry,) = told(after)

    assert (entry["from"], entry["to"]) == (size, made.facts.entries)
    assert "boss" not in str(entry)
    assert after.erasures is not None
    assert verify(after, lambda *_: None) == []
    after.close()
    again = Store.open(tmp_path / "data", clock)
    again.recover()
    assert len(told(again)) == 1
    again.close()


def test_another_log_of_the_same_box(tmp_path: Path) -> None:
    """Of two copies that both went on, the one that is restored over says that the other was there."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    store.close()
    shutil.copytree(tmp_path / "data", tmp_path / "twin")
    other = Store.open(tmp_path / "twin", clock)
    other.note("finding", {"what": "twin"})
    other.checkpoint()
    other.close()
    store = Store.open(tmp_path / "data", clock)
    for _ in range(5):
        store.note("finding", {"what": "ours"})
    store.checkpoint()
    backed_up(store, tmp_path, clock)
    store.close()
    with pytest.raises(WouldRollBack, match="another log"):
        put_back(tmp_path, tmp_path / "twin", clock)


def test_somebody_outside_saw_more(tmp_path: Path) -> None:
    """An anchor that lies there, or a witness that was asked, remembers what log and catalogue cannot say any more."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    backed_up(store, tmp_path, clock)
    store.note("finding", {"what": "newer"})
    store.checkpoint()
    store.close()
    data = tmp_path / "data"
    (data / "log" / "anchors").mkdir()
    note = (data / "log" / "checkpoint").read_text()
    shutil.rmtree(data / "log" / "tile")
    (data / "log" / "checkpoint").unlink()
    (data / "catalogue.sqlite").unlink()
    (data / "log" / "anchors" / "99.0a0b0c0d.note").write_text(note)
    with pytest.raises(WouldRollBack, match=r"anchor log/anchors/99.0a0b0c0d.note knows"):
        put_back(tmp_path, data, clock)
    with pytest.raises(WouldRollBack, match=r"Witness north knows 4711"):
        restore(tmp_path / "backup", tmp_path / "new", clock, also=[Known("Witness north", 4711)])


def cut_off(backup: Path) -> None:
    (backup / "data" / "log" / "checkpoint").unlink()


def changed(backup: Path) -> None:
    path = backup / "data" / "box.json"
    path.write_bytes(path.read_bytes().replace(b"test", b"tost"))


def added(backup: Path) -> None:
    (backup / "data" / "more").write_text("x")


def another_list(backup: Path) -> None:
    """Whoever changes a file can change the list, but not sign it."""
    changed(backup)
    digest = subprocess.run(
        ["sha256sum", backup / "data" / "box.json"], capture_output=True, check=True
    ).stdout.split()[0]
    lines = (backup / "SHA256SUMS").read_text().splitlines()
    lines = [f"{digest.decode()}  data/box.json" if line.endswith("  data/box.json") else line for line in lines]
    (backup / "SHA256SUMS").write_text("\n".join(lines) + "\n")


def outside(backup: Path) -> None:
    with (backup / "SHA256SUMS").open("a") as stream:
        stream.write("0" * 64 + "  data/../../etc/passwd\n")


def garbled(backup: Path) -> None:
    (backup / "backup.json").write_text("{}")


def none_at_all(backup: Path) -> None:
    shutil.rmtree(backup)
    backup.mkdir()


def linked(backup: Path) -> None:
    (backup / "data" / "box.json").unlink()
    (backup / "data" / "box.json").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    "damage",
    [cut_off, changed, added, another_list, outside, garbled, none_at_all, linked],
    ids=lambda one: one.__name__,
)
def test_a_damaged_backup(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """It is refused, and what stands there is not touched."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    backed_up(store, tmp_path, clock)
    store.close()
    damage(tmp_path / "backup")
    before = sorted(path for path in (tmp_path / "data").rglob("*"))
    with pytest.raises(BackupInvalid):
        put_back(tmp_path, tmp_path / "data", clock, BOSS)

    assert sorted(path for path in (tmp_path / "data").rglob("*")) == before
    Store.open(tmp_path / "data", clock).close()


def test_a_newer_backup(tmp_path: Path) -> None:
    """Of a later version of Custos: use that."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    backed_up(store, tmp_path, clock)
    store.close()
    path = tmp_path / "backup" / "backup.json"
    path.write_bytes(json.dumps(json.loads(path.read_bytes()) | {"format": 2, "more": 1}).encode())
    with pytest.raises(DataDirTooNew, match="newer version"):
        put_back(tmp_path, tmp_path / "other", clock)


def test_another_box(tmp_path: Path) -> None:
    """Neither is a box replaced by another, nor one restored that is not the one on the papers."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    backed_up(store, tmp_path, clock)
    store.close()
    Store.create(tmp_path / "other", "other", clock, "0.0.0")
    with pytest.raises(DataDirForeign, match="lives box"):
        put_back(tmp_path, tmp_path / "other", clock, BOSS)
    with pytest.raises(BackupOther):
        restore(tmp_path / "backup", tmp_path / "new", clock, fingerprint="0" * 64)


def test_a_box_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put back under its feet; nor by two at the same time."""
    monkeypatch.setattr("recorder.store.files.LOCK_PATIENCE_S", 0.0)
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    backed_up(store, tmp_path, clock)
    with pytest.raises(DataDirInUse):
        put_back(tmp_path, tmp_path / "data", clock, BOSS)
    store.close()
    with restoring._alone(Layout(tmp_path / "data")), pytest.raises(DataDirInUse, match="else is being restored"):
        put_back(tmp_path, tmp_path / "data", clock, BOSS)


def test_without_keys(tmp_path: Path) -> None:
    """No private key, password or token hash leaves the box; where the key is put beside it, it goes on."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    store.cameras.add("gate", "Gate", "rtsp://127.0.0.1:554/main", username="u", password=SecretStr("geheim"))
    store.checkpoint()
    made = backed_up(store, tmp_path, clock, with_keys=False)
    store.close()
    there = {path.name for path in (made.folder / "data" / "keys").rglob("*") if path.is_file()}
    assert there == {"log.pub.pem"}
    assert not any(b"geheim" in path.read_bytes() for path in made.folder.rglob("*") if path.is_file())
    report = put_back(tmp_path, tmp_path / "new", clock)
    assert not report.has_key
    with pytest.raises((StoreError, KeyFileInvalid)):
        Store.open(tmp_path / "new", clock)
    shutil.copy(tmp_path / "data" / "keys" / "log.ed25519", tmp_path / "new" / "keys")
    started(tmp_path / "new", clock).close()
    report = put_back(tmp_path, tmp_path / "new", clock, BOSS)  # the keys that are there stay there

    assert report.has_key
    started(tmp_path / "new", clock).close()


@pytest.mark.parametrize("step", [1, 2, 3, 6, 9, 10])
def test_a_crash_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Restoring again mends it; and what was known at first is known still, so nothing goes back unseen."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    backed_up(store, tmp_path, clock)
    record(store, clock, SECOND * 6)
    store.checkpoint()
    size = store.log_size
    store.close()
    done = 0
    move = restoring.files.move

    def failing(path: Path, place: Path) -> None:
        nonlocal done
        done += 1
        if done == step:
            raise KeyboardInterrupt
        move(path, place)

    monkeypatch.setattr(restoring.files, "move", failing)
    with pytest.raises(KeyboardInterrupt):
        put_back(tmp_path, tmp_path / "data", clock, BOSS)
    monkeypatch.undo()
    assert (tmp_path / "data" / "box.json").exists() is (step == 1)  # half a box does not look like a whole one
    with pytest.raises(WouldRollBack, match=str(size)):
        put_back(tmp_path, tmp_path / "data", clock)
    put_back(tmp_path, tmp_path / "data", clock, BOSS)
    after = started(tmp_path / "data", clock)
    (entry,) = told(after)

    assert (entry["from"], entry["segments"]) == (size, 3)
    assert verify(after, lambda *_: None) == []
    after.close()


def test_a_crash_while_the_log_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the entry and the end of the file that wants it: told once all the same."""
    clock = FakeClock()
    store = filled(tmp_path, clock, "gate", seconds=4)
    backed_up(store, tmp_path, clock)
    store.close()
    put_back(tmp_path, tmp_path / "new", clock)
    before = read(Layout(tmp_path / "new"))
    assert isinstance(before, Restored)
    first = Store.open(tmp_path / "new", clock)
    write(first.layout, before)
    first.recover()

    assert len(told(first)) == 1
    assert read(first.layout) is None
    first.layout.restored.write_text("garbled")
    with pytest.raises(RestoredUnreadable):
        first.recover()
    first.close()


def test_an_older_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that an older version made is brought up to this one; the backup stays as it is."""
    clock = FakeClock(LATER, "boot-of-today")
    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.database.Database.must_be_of_today", lambda itself: None)
        store = Store.open(unpacked(STAGES[-1], tmp_path / "old"), clock, exclusive=False)
    made = backed_up(store, tmp_path, clock)
    old = revision(store)
    store.close()
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    put_back(tmp_path, tmp_path / "new", clock)
    after = started(tmp_path / "new", clock)

    assert (old, revision(after) > old) == (STAGES[-1], True)
    assert {one.invariant for one in fsck.check(after)} == {1}  # a backup has no media
    after.close()

    assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before
