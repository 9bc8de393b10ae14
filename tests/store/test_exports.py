"""Exports: asked for, made, interrupted, cancelled; real packages from a real store."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.times import SECOND_US
from recorder.errors import (
    ExportNotDone,
    ExportOver,
    ExportsWaiting,
    NoRoomForExport,
    StorageError,
    StorageFailed,
    StorageFull,
)
from recorder.store import exports, files
from recorder.store.places import Space
from recorder.store.records import Export, ExportState
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence import jobs, room
from retention.evidence.handing import list_of
from retention.evidence.jobs import Exporter, folder_of
from retention.evidence.reading import verify_package
from retention.evidence.room import Room
from tests.fakes.box import filled, segments
from tests.fakes.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    return filled(tmp_path, clock, "gate", seconds=8)


def asked(store: Store, clock: FakeClock) -> Export:
    begun_us = store.cameras.get("gate").registered_us + 3 * SECOND_US
    return store.exports.ask("gate.main", begun_us, segments(store, clock)[-1].t1_us, "case 7", "letter")


def test_what_was_asked_for_is_made_and_good(store: Store, clock: FakeClock) -> None:
    """The package holds its own request, and verifies; the box's record is as it was."""
    one = asked(store, clock)
    Exporter(store, clock, "0").run()

    done = store.exports.get(one.id)
    assert (done.state, done.problem_text) == (ExportState.DONE, None)
    folder = folder_of(store, one)
    assert done.done_bytes == done.total_bytes == sum(path.stat().st_size for path in folder.rglob("*.mp4"))
    verdict = verify_package(folder, store.fingerprint)
    assert verdict.is_good, verdict.objections
    assert json.loads((folder / "custody.jsonl").read_text())["export"] == one.id
    assert verify(store) == []


def test_one_that_was_interrupted_goes_on(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The box stops in the middle; the next start keeps the copies that are whole, and ends it (Frigate 11701)."""
    monkeypatch.setattr(jobs, "TELL_BYTES", 1)
    one, first = asked(store, clock), Exporter(store, clock, "0")
    told = store.exports.progress

    def stop_half_way(export_id: int, done_bytes: int, total_bytes: int) -> bool:
        if total_bytes and done_bytes > total_bytes // 3:
            first.stop()
        return told(export_id, done_bytes, total_bytes)

    monkeypatch.setattr(store.exports, "progress", stop_half_way)
    first.run()
    monkeypatch.undo()
    whole = sorted(folder_of(store, one).rglob("*.mp4"))
    times = [path.stat().st_mtime_ns for path in whole]
    assert whole
    assert store.exports.get(one.id).state is ExportState.RUNNING

    Exporter(store, clock, "0").run()

    assert store.exports.get(one.id).state is ExportState.DONE
    assert [path.stat().st_mtime_ns for path in whole] == times
    assert verify_package(folder_of(store, one), store.fingerprint).is_good


def test_one_that_is_cancelled_leaves_nothing(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is begun, or in the middle; and what has ended cannot be cancelled."""
    monkeypatch.setattr(jobs, "TELL_BYTES", 1)
    early, late = asked(store, clock), asked(store, clock)
    store.exports.end(early.id, ExportState.CANCELLED)
    told = store.exports.progress

    def cancel_half_way(export_id: int, done_bytes: int, total_bytes: int) -> bool:
        if total_bytes and done_bytes > total_bytes // 3:
            store.exports.end(export_id, ExportState.CANCELLED)
        return told(export_id, done_bytes, total_bytes)

    monkeypatch.setattr(store.exports, "progress", cancel_half_way)
    Exporter(store, clock, "0").run()

    assert [one.state for one in store.exports.all()] == [ExportState.CANCELLED] * 2
    assert not folder_of(store, early).exists()
    assert not folder_of(store, late).exists()
    with pytest.raises(ExportOver):
        store.exports.end(late.id, ExportState.CANCELLED)


def test_one_that_the_disk_has_no_room_for_fails_and_the_next_is_made(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left belongs to recording: the export gives its room back and says why."""
    first, second = asked(store, clock), asked(store, clock)
    plenty, little = Space(10**12, 10**13), Space(10**6, 10**13)
    answers = iter([plenty, little])  # when it looks around, and before the first byte
    monkeypatch.setattr(room, "space_of", lambda root: next(answers, plenty))
    Exporter(store, clock, "0").run()

    failed = store.exports.get(first.id)
    assert (failed.state, failed.problem_code) == (ExportState.FAILED, "no_room_for_export")
    assert not folder_of(store, first).exists()
    assert store.exports.get(second.id).state is ExportState.DONE


def test_recording_that_needs_the_disk_meanwhile_ends_an_export(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked all along, not only before; what was written goes at once, and the reason has its numbers."""
    monkeypatch.setattr(jobs, "TELL_BYTES", 1)
    one = asked(store, clock)
    total = 1000 * 10**9
    kept = room.kept_bytes(total, *[sum(part.bytes for part in segments(store, clock))] * 2)
    written = []

    def shrinking(root: Path) -> Space:
        written.append(sum(path.stat().st_size for path in folder_of(store, one).rglob("*.mp4")))
        return Space(kept + 100_000 if len(written) < 5 else kept - 1, total)

    monkeypatch.setattr(room, "space_of", shrinking)
    Exporter(store, clock, "0").run()

    failed = store.exports.get(one.id)
    assert (failed.state, failed.problem_code) == (ExportState.FAILED, "no_room_for_export")
    assert "MB are free" in str(failed.problem_text)
    assert written[-1] > 0
    assert not folder_of(store, one).exists()
    assert not list_of(folder_of(store, one)).exists()


def test_one_that_goes_on_needs_no_room_for_what_is_there(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with just enough for a package has enough for the rest of it after a restart."""
    one = asked(store, clock)
    Exporter(store, clock, "0").run()
    size = store.exports.get(one.id).total_bytes
    again = asked(store, clock)
    copied = folder_of(store, again)
    shutil.copytree(folder_of(store, one) / "media", copied / "media")
    monkeypatch.setattr(room, "space_of", lambda root: Space(size // 2, 10**4))
    monkeypatch.setattr(room, "kept_bytes", lambda *facts: 0)
    Exporter(store, clock, "0").run()

    assert store.exports.get(again.id).state is ExportState.DONE


def test_what_the_disk_cannot_hold_is_not_asked_for(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused at once, and nothing stands in the log of it."""
    monkeypatch.setattr(room, "space_of", lambda root: Space(10**6, 10**13))
    size = store.log_size
    begun_us = store.cameras.get("gate").registered_us
    with pytest.raises(NoRoomForExport):
        jobs.ask(store, clock, "gate", begun_us, segments(store, clock)[-1].t1_us, "7", "letter")

    assert (store.log_size, store.exports.all()) == (size, [])


def test_another_disk_for_packages_keeps_no_room_for_recording(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording does not write there; the reserve stays all the same."""
    monkeypatch.setattr(room, "space_of", lambda root: Space(10**6, 10**7))
    with pytest.raises(NoRoomForExport):
        Room(store, clock.utc_us).check(10**6 - segments(store, clock)[0].bytes)
    monkeypatch.setattr(Room, "_is_shared", lambda self, store: False)
    Room(store, clock.utc_us).check(10**6 - room.reserve_bytes(10**7))


def test_more_exports_than_anybody_waits_for(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have ended do not count; one too many is refused, and stands nowhere."""
    monkeypatch.setattr(exports, "WAITING_LIMIT", 2)
    first, _ = asked(store, clock), asked(store, clock)
    size = store.log_size
    with pytest.raises(ExportsWaiting):
        asked(store, clock)
    assert store.log_size == size
    store.exports.end(first.id, ExportState.CANCELLED)
    assert asked(store, clock).id == 3


def test_a_package_is_removed(store: Store, clock: FakeClock) -> None:
    """Its files go; row and log keep that it was, and that it is no more. It can be asked for anew."""
    one = asked(store, clock)
    with pytest.raises(ExportNotDone):
        jobs.remove(store, one.id)
    Exporter(store, clock, "0").run()
    size = store.log_size

    assert jobs.remove(store, one.id).state is ExportState.REMOVED
    assert not folder_of(store, one).exists()
    assert not list_of(folder_of(store, one)).exists()
    ((_, leaf),) = store.leaves(size, store.log_size)
    assert (leaf.type, leaf.fields) == ("audit", {"what": "package_removed", "export": one.id})
    with pytest.raises(ExportNotDone):
        jobs.remove(store, one.id)
    again = asked(store, clock)
    Exporter(store, clock, "0").run()
    assert verify_package(folder_of(store, again), store.fingerprint).is_good
    assert verify(store) == []


def test_a_removal_that_broke_off_is_finished(store: Store, clock: FakeClock) -> None:
    """The row says so before any file goes; the next start removes what is left."""
    one = asked(store, clock)
    Exporter(store, clock, "0").run()
    store.exports.remove(one.id)
    assert folder_of(store, one).exists()
    Exporter(store, clock, "0").run()

    assert not folder_of(store, one).exists()


def test_a_download_is_an_entry_however_often_it_breaks_off(store: Store, clock: FakeClock) -> None:
    """From the beginning it is one each time; from the middle on only where there was none of it within an hour."""
    one = asked(store, clock)
    begun = store.log_size

    def handed(form: str, *, goes_on: bool) -> int:
        store.exports.handed_out(one.id, form, "ab" * 32, goes_on=goes_on)
        return store.log_size - begun

    assert handed("zip", goes_on=True) == 1
    assert handed("zip", goes_on=True) == 1
    assert handed("tar", goes_on=True) == 2
    assert handed("zip", goes_on=False) == 3
    clock.advance(3599)
    assert handed("zip", goes_on=True) == 3
    clock.advance(3600)
    assert handed("zip", goes_on=True) == 4
    leaf = next(leaf for _, leaf in store.leaves(begun, store.log_size))
    assert (leaf.type, leaf.fields) == ("publish", {"export": one.id, "form": "zip", "files": "ab" * 32})
    assert verify(store) == []


def test_altered_footage_is_handed_out_and_called_that(store: Store, clock: FakeClock) -> None:
    """By the export, and by whoever checks the package."""
    path = store.media_path(segments(store, clock)[1])
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    one = asked(store, clock)
    Exporter(store, clock, "0").run()

    done = store.exports.get(one.id)
    assert (done.state, done.problem_code) == (ExportState.DONE, "media_altered")
    assert not verify_package(folder_of(store, one), store.fingerprint).is_good


def test_a_lost_original_is_left_out_and_said(store: Store, clock: FakeClock) -> None:
    """The rest is handed out; whoever checks the package is told which item is missing."""
    store.media_path(segments(store, clock)[1]).unlink()
    one = asked(store, clock)
    Exporter(store, clock, "0").run()

    assert store.exports.get(one.id).problem_code == "media_altered"
    verdict = verify_package(folder_of(store, one), store.fingerprint)
    assert [part.file for part in verdict.objections] == ["media/gate.main/2"]


def test_one_that_fails_by_a_fault_of_ours_keeps_nobody_waiting(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends as failed; the next one is made (Frigate 11701)."""
    first, second = asked(store, clock), asked(store, clock)
    folder_of(store, first).parent.mkdir(exist_ok=True)
    folder_of(store, first).write_text("in the way")
    Exporter(store, clock, "0").run()

    assert store.exports.get(first.id).state is ExportState.FAILED
    assert store.exports.get(second.id).state is ExportState.DONE


LEADS_NOWHERE = "n" * 300
"""A link to it cannot be followed: no file system has names so long (ENAMETOOLONG)."""


def test_one_whose_folder_cannot_be_looked_at_fails_and_the_next_is_made(store: Store, clock: FakeClock) -> None:
    """What lies there is not taken for nothing: the room would be counted wrong. It is named, and goes."""
    first, second = asked(store, clock), asked(store, clock)
    store.layout.exports.mkdir(exist_ok=True)
    folder_of(store, first).symlink_to(LEADS_NOWHERE)
    Exporter(store, clock, "0").run()

    ended = store.exports.get(first.id)
    assert (ended.state, ended.problem_code) == (ExportState.FAILED, "storage_error")
    assert not folder_of(store, first).is_symlink()
    assert store.exports.get(second.id).state is ExportState.DONE


def test_files_that_cannot_be_removed_keep_nobody_waiting(store: Store, clock: FakeClock) -> None:
    """While no folder can be looked at each export fails, and each turn says that something is left; then all goes."""
    first, second = asked(store, clock), asked(store, clock)
    store.layout.exports.symlink_to(LEADS_NOWHERE)
    exporter = Exporter(store, clock, "0")
    with pytest.raises(StorageError):
        exporter.run()  # told in the very turn in which they failed
    third = asked(store, clock)
    with pytest.raises(StorageError):
        exporter.run()
    ended = [store.exports.get(one.id) for one in (first, second, third)]
    assert [(one.state, one.problem_code) for one in ended] == [(ExportState.FAILED, "storage_error")] * 3

    store.layout.exports.unlink()
    fourth = asked(store, clock)
    exporter.run()
    assert store.exports.get(fourth.id).state is ExportState.DONE


def test_a_package_that_is_a_link_goes_and_what_it_leads_to_stays(
    store: Store, clock: FakeClock, tmp_path: Path
) -> None:
    """Somebody moved it to another disk, and has it there."""
    one = asked(store, clock)
    Exporter(store, clock, "0").run()
    moved = folder_of(store, one).rename(tmp_path / "moved")
    folder_of(store, one).symlink_to(moved)
    jobs.remove(store, one.id)

    assert not folder_of(store, one).is_symlink()
    assert (moved / "SHA256SUMS").is_file()


def test_what_an_attempt_before_left_behind_is_not_in_the_package(store: Store, clock: FakeClock) -> None:
    """A head vector of an older beat, and a copy that nobody lists."""
    one = asked(store, clock)
    stray = folder_of(store, one) / "proof" / "heads" / "7.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    Exporter(store, clock, "0").run()

    assert not stray.exists()
    assert verify_package(folder_of(store, one), store.fingerprint).is_good


@pytest.mark.parametrize("which", [0, 2, -1])
def test_copy_that_cannot_be_made_durable_fails_the_export(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """Whichever it is, the first or the film behind all others: it is sealed while the next is read, and still told."""
    sealed: list[Path] = []
    seal = files.seal
    monkeypatch.setattr(files, "seal", lambda part, name: (sealed.append(name), seal(part, name)))
    asked(store, clock)  # a good one first: what it seals is what the next seals
    Exporter(store, clock, "0").run()
    one, failing = asked(store, clock), sealed[which].name

    def fail(part: Path, name: Path) -> None:
        if name.name == failing:
            raise StorageFailed
        seal(part, name)

    monkeypatch.setattr(files, "seal", fail)
    Exporter(store, clock, "0").run()

    ended = store.exports.get(one.id)
    assert (ended.state, ended.problem_code) == (ExportState.FAILED, "storage_failed")
    assert not folder_of(store, one).exists()


def test_a_download_that_could_not_be_written_down_does_not_go_on(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry of the first try was never made, so the rest of the package is a try to make it again."""
    one = asked(store, clock)
    append, tried = store.ledger.append, list[object]()

    def full(*arguments: object) -> NoReturn:
        tried.append(arguments)
        raise StorageFull

    monkeypatch.setattr(store.ledger, "append", full)
    for goes_on in (False, True):
        with pytest.raises(StorageFull):
            store.exports.handed_out(one.id, "zip", "00" * 32, goes_on=goes_on)
    assert len(tried) == 2

    monkeypatch.setattr(store.ledger, "append", append)
    size = store.log_size
    for goes_on in (True, True):
        store.exports.handed_out(one.id, "zip", "00" * 32, goes_on=goes_on)
    assert store.log_size == size + 1


def test_the_key_is_replaced_while_a_package_is_made(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins again with the new key, and keeps its copies; nothing is lost."""
    one, sign = asked(store, clock), store.sign
    signed: list[bytes] = []

    def replaced(text: bytes, by: Ed25519PublicKey) -> bytes:
        if not signed:
            store.rotate_key()
        signed.append(text)
        return sign(text, by)

    monkeypatch.setattr(store, "sign", replaced)
    Exporter(store, clock, "0").run()

    assert store.exports.get(one.id).state is ExportState.DONE
    assert len(signed) == 2
    assert verify_package(folder_of(store, one), store.fingerprint).is_good
