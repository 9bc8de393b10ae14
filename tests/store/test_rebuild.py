"""The catalogue made anew from media and log: the same rows, and what cannot be had is told by name."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from config.times import DAY_US
from config.volumes import VolumeWish
from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.errors import CatalogueCorrupt, DataDirInUse, DataDirTooNew, ReleaseRefused, StorageFailed
from recorder.store import codes, files, rebuild, replay, salvage, tables
from recorder.store.codes import Credential
from recorder.store.fsck import check
from recorder.store.held import Damage, Work
from recorder.store.log.errors import (
    CheckpointMalformed,
    LogDamaged,
    LogError,
    LogRolledBack,
    SignatureInvalid,
)
from recorder.store.parts import FinishedPart
from recorder.store.rebuild import RebuildReport
from recorder.store.records import (
    Asker,
    AudioCodec,
    AudioFacts,
    CameraSignature,
    CodecName,
    ErasureRule,
    ExportState,
    Head,
    ManagedBy,
    SegmentFacts,
    ViewKind,
)
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence.witnesses import Witness
from retention.scrub import check_now
from tests.fakes.box import SEGMENT_US, credentials, hold, new_store, record, release, segments
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock
from tests.fakes.power import Power, PowerCut
from tests.fakes.witness import logs, witness

ASKER = Asker("token", "192.0.2.7", agent="player/1", purpose="Theft at the gate")

Rows = dict[str, list[dict[str, Any]]]

UNLOGGED: dict[str, set[str]] = {
    # Side records: names, addresses, cases, reasons. A leaf has their hash alone, so that they can be erased.
    "records": {"salt", "body"},
    "cameras": {
        "name", "url", "username", "enabled", "transport", "audio", "allow_basic", "protection", "floor_days",
        "target_days", "purpose", "volume",
        "password_file", "ca_file",  # of the configuration file, which tells them again
        "description",  # what the camera says at the next connection
    },
    # How far a package is, and how it ended: lies on the disk, or is asked for again.
    "exports": {"state", "done_bytes", "total_bytes", "problem_code", "problem_text", "ended_us"},
    # In which order, why and since when they were wanted; and our signature on what was stamped.
    "anchors": {"id", "reason", "wanted_us", "note"},
    "log_keys": {"place"},  # of a private half in a token: the settings tell it
    "items": {"checked_elapsed_us", "volume"},  # when the scrub was there; where the file lies the disk tells
    "log_state": {"checkpoint_us"},  # a moment behind the beat that it closes
    "volumes": {"path"},  # where each is mounted the settings tell
}  # fmt: skip
"""Columns that cannot be had from media and log alone. All others can, and so can every row but those of
`UNLOGGED_ROWS`, of the volume inside the data directory, and of anchors that are still wanted."""

UNLOGGED_ROWS = ("scrubs", "hold_work", "left_behind")


def rows(data: Path) -> Rows:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{data / 'catalogue.sqlite'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            name: sorted((dict(row) for row in connection.execute(f"SELECT * FROM {name}")), key=str)
            for name in tables.metadata.tables
        }


def logged(found: Rows) -> Rows:
    """Without what no entry tells."""
    kept = {name: [_without(row, UNLOGGED.get(name, set())) for row in of] for name, of in found.items()}
    kept["anchors"] = [row for row in kept["anchors"] if row["token"] is not None]
    kept["volumes"] = [row for row in kept["volumes"] if row["name"] != "main"]
    for name in UNLOGGED_ROWS:
        del kept[name]
    return {name: sorted(of, key=str) for name, of in kept.items()}


def _without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def telling(store: Store, **facts: Any) -> None:
    """From now on its segments are written down with these facts."""
    commit = type(store).commit_finished

    def with_facts(part: FinishedPart, told: SegmentFacts) -> Head:
        return commit(store, part, replace(told, **facts))

    store.commit_finished = with_facts  # type: ignore[method-assign]


def interrupted(store: Store, clock: FakeClock) -> Store:
    """A box that was killed while it recorded, started again."""
    recording = Recording(store, "gate.main", 60 * SEGMENT_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    for packet in packets(SECOND * 3, clock):
        recording.feed(packet)
    store.close()
    clock.advance(20)
    clock.reboot("boot-2")
    again = Store.open(store.layout.root, clock, sm=True, volumes=disks(store.layout.root.parent))
    assert again.recover().recovered
    return again


def disks(folder: Path) -> list[VolumeWish]:
    """The volume inside the data directory, and another disk."""
    (folder / "disk2").mkdir(exist_ok=True)
    return [VolumeWish("main"), VolumeWish("disk2", folder / "disk2")]


def lived(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A box that has done everything that a store can do."""
    store = new_store(tmp_path, clock, "gate", "yard", "old", sm=True)
    clock.advance(2)
    cameras = store.cameras
    cameras.add(
        "file", "Of the file", "rtsps://127.0.0.1/x", managed_by=ManagedBy.FILE, password_file="/p", username="u"
    )
    cameras.change("file", ManagedBy.FILE, {"ca_file": "/ca.pem", "password_file": "/q"})
    cameras.change("gate", ManagedBy.API, {"name": "大门", "allow_basic": True, "floor_days": 33})
    cameras.change("gate", ManagedBy.API, {"target_days": 60, "purpose": "a trial"})
    cameras.describe("gate", b"v=0")
    record(store, clock, SECOND * 5)
    audio = AudioFacts(AudioCodec.AAC, 48_000, 2, 94, None)
    telling(store, audio=audio, clock_offset_us=-5, clock_drift_ppb=7, lost_packets=3)
    record(store, clock, SECOND * 4, "yard")
    telling(store, camsig=(CameraSignature.AXIS, CameraSignature.ONVIF))
    record(store, clock, SECOND * 4, "yard")
    telling(store, camsig=())
    record(store, clock, SECOND * 4, "yard")
    record(store, clock, SECOND * 2, "old")
    clock.advance(5)
    store.commit_gap_until_now("yard.main", Cause.STALLED, "cable")
    clock.utc_us -= 2_000_000
    store.commit_gap_until_now("old.main", Cause.OPERATOR)
    cameras.retire("old", ManagedBy.API)
    store.tell_retired("old.main")
    store.checkpoint()
    _anchored(store, clock, tmp_path)
    _handed_out(store, clock)
    store.rotate_key()
    again = interrupted(store, clock)
    _kept_and_discarded(again, clock, monkeypatch)
    return again


def _anchored(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    store.anchors.want("due")
    (one,) = store.anchors.pending()
    store.anchors.keep(one, b"a stamp", clock.utc_us, b"certificates")
    with witness(tmp_path / "witness", logs(store), clock) as there:
        Witness(store, clock, there.url, there.key, 10).run()
    clock.advance(60)
    store.checkpoint()
    store.anchors.want("hold")


def _handed_out(store: Store, clock: FakeClock) -> None:
    held = hold(store, ["gate", "yard"], 0, clock.utc_us, "case 1", "theft")
    released = hold(store, ["old"], 0, clock.utc_us, "case 2", "fire")
    release(store, released.id, "over")
    store.erasures.erase(f"release:{released.id}", ErasureRule.PURPOSE_OVER, "asked for")
    asked = [store.exports.ask("gate.main", 0, clock.utc_us, f"case {held.id}", "court") for _ in range(5)]
    store.exports.progress(asked[0].id, 5, 10)
    for one in (asked[1], asked[4]):
        store.exports.progress(one.id, 10, 10)
        store.exports.end(one.id, ExportState.DONE)
        store.exports.handed_out(one.id, "zip", "00" * 32, goes_on=False)
    store.exports.remove(asked[4].id)
    store.exports.end(asked[2].id, ExportState.FAILED, "storage_full", "The disk is full.")
    store.views.note("gate.main", ViewKind.MEDIA, 0, clock.utc_us, ASKER)
    store.views.note("yard.main", ViewKind.STILL, 0, 1, replace(ASKER, purpose="看一下"))


def _kept_and_discarded(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    hurt, back = segments(store, clock)[0], segments(store, clock)[1]
    for one in (hurt, back):
        shutil.move(store.media_path(one), store.layout.root / one.id)
    check_now(store, clock, "gate", 0, 2**62)
    shutil.move(store.layout.root / back.id, store.media_path(back))
    clock.advance(100)
    store.scrubs.note([store.scrubs.look(one) for one in store.scrubs.next("main", 2**62, 3)])
    check_now(store, clock, "gate", 0, 2**62)
    shutil.move(store.layout.root / hurt.id, store.media_path(hurt))
    clock.advance(100 * DAY_US / 1e6)
    store.discard([segments(store, clock, "old")[0].id], "target")
    release(store, 1, "over")
    for export in store.exports.all():
        if export.state in (ExportState.QUEUED, ExportState.RUNNING) and export.id != 4:
            store.exports.end(export.id, ExportState.CANCELLED)
    with monkeypatch.context() as patch:  # the disk does not let it go: half of a discard stays
        patch.setattr(files, "unlink", lambda path: (_ for _ in ()).throw(StorageFailed()))
        assert len(store.discard([one.id for one in segments(store, clock, "yard")[:2]], "target").stuck) == 2
    _overwritten(store, clock, monkeypatch)
    _held(store)
    store.checkpoint()


def _overwritten(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    store.cameras.change("gate", ManagedBy.API, {"volume": "disk2"})
    store.commit_gap_until_now("gate.main", Cause.BOX_DOWN)
    clock.advance(70)  # of the disk that did not let anything go
    record(store, clock, SECOND * 2)
    young = segments(store, clock)[-1]
    assert young.volume == "disk2"
    store.overwriting.put_in_force(is_on=True)
    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.segments.overwritable", list)  # both disks are full
        assert store.discard([young.id], "a full disk is overwritten", store.overwriting.on("disk2")).discarded
    store.overwriting.put_in_force(is_on=False)
    with store.database.write() as connection:
        row = {"volume": "disk2", "path": "gate.main/1.mp4", "stream_id": "gate.main", "n": 1}
        connection.execute(insert(tables.left_behind).values(**row))


def _held(store: Store) -> None:
    placed = hold(store, ["yard"], 0, 2**52, review_us=2**52, padding_before_s=3)
    store.holds.review(placed.id, 2**51 + 1, "later", "Li")
    store.holds.review(placed.id, None, "never", "Li")
    one, two, *_ = store.held.all_media(placed.id)
    store.held.tell(placed.id, one, Damage.ALTERED)
    store.held.tell(placed.id, two, Damage.MISSING)
    store.held.tell(placed.id, two, None)
    store.held.bring_in_line(anew=True)
    store.held.end(placed.id, Work(segments=2, bytes=7, damaged=1))
    first, second = credentials(store)
    with pytest.raises(ReleaseRefused):
        store.holds.release(placed.id, "x", first, Credential(second.holder, "wrong"))
    codes.renew(store.layout, first.holder, second)
    assert store.holds.codes.tell()


def made_anew(
    data: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, volumes: Sequence[VolumeWish] = ()
) -> tuple[Rows, RebuildReport]:
    """The rows as they come out, before the log is told of it."""
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_tell", lambda *arguments: None)
        report = rebuild.rebuild(data, clock, volumes=volumes)
    return rows(data), report


def differences(before: Rows, after: Rows) -> dict[str, Any]:
    """What is not the same, and nothing else: sixty rows would hide it."""
    return {
        name: ([row for row in of if row not in after[name]], [row for row in after[name] if row not in of])
        for name, of in before.items()
        if of != after[name]
    }


def test_every_row_is_as_it_was(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the old catalogue at hand all tables are the same, unsigned entries and half a discard too; fsck finds
    nothing that it did not find before, and the record goes on in its chain.
    """
    store = lived(tmp_path, clock, monkeypatch)
    store.commit_gap_until_now("gate.main", Cause.UNREACHABLE, "not signed yet")
    found = check(store)
    store.close()
    before = rows(tmp_path / "data")
    after, report = made_anew(tmp_path / "data", clock, monkeypatch)

    assert differences(before, after) == {}
    assert all(before[name] for name in tables.metadata.tables), "every table has something to be made anew"
    assert report.lost == ()
    assert report.unsigned == 1
    assert report.kept is not None
    assert report.kept.joinpath("catalogue.sqlite").exists()
    store = Store.open(tmp_path / "data", clock, sm=True)
    assert check(store) == found
    assert len(store.finish_discards().discarded) == 2
    record(store, clock, SECOND * 3)
    store.checkpoint()
    assert verify(store) == []
    store.close()


def test_from_media_and_log_alone(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the old catalogue all rows are the same but for the columns of `UNLOGGED`; what is lost is told by name,
    fsck speaks of the side records alone, and the record goes on (ex_nvr 616)."""
    store = lived(tmp_path, clock, monkeypatch)
    store.close()
    before = rows(tmp_path / "data")
    for path in (tmp_path / "data").glob("catalogue.sqlite*"):
        path.unlink()
    with pytest.raises(CatalogueCorrupt, match="--rebuild"):
        Store.open(tmp_path / "data", clock)
    after, report = made_anew(tmp_path / "data", clock, monkeypatch, disks(tmp_path))

    assert differences(logged(before), logged(after)) == {}
    assert report.kept is None
    told = " ".join(report.lost)
    for name in ("camera gate", "hold 1", "export 2", "release 1", "type view: 2", "export 4", "switched off"):
        assert name in told, name
    store = Store.open(tmp_path / "data", clock, sm=True)
    gate = store.cameras.get("gate")
    assert (gate.name, gate.url, gate.enabled) == ("gate", replay.LOST_URL, False)
    assert {one.invariant for one in check(store)} == {11}
    assert len(store.views.page(0, 2**62, 10)) == 2
    record(store, clock, SECOND * 3)
    store.checkpoint()
    assert {one.invariant for one in verify(store)} == {11}
    store.close()


def test_a_damaged_catalogue_gives_what_it_can(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file whose pages were overwritten the rest is taken; nothing that it says wrongly is believed."""
    store = lived(tmp_path, clock, monkeypatch)
    store.close()
    before = rows(tmp_path / "data")
    path = tmp_path / "data" / "catalogue.sqlite"
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET body = '{\"case\":\"another\"}' WHERE body LIKE '%case 1%'")
        connection.execute("UPDATE items SET sha256 = '00', state = 'gone'")
    after, report = made_anew(tmp_path / "data", clock, monkeypatch)
    assert after["items"] == before["items"]
    assert "hold 1" in " ".join(report.lost)

    path.write_bytes(whole[:8192] + b"\xff" * 4096 * 4 + whole[8192 + 4096 * 4 :])
    after, _ = made_anew(tmp_path / "data", clock, monkeypatch)
    assert differences(logged(before), logged(after)) == {}

    path.write_bytes(b"this is no database" * 1000)
    after, report = made_anew(tmp_path / "data", clock, monkeypatch)
    assert differences(logged(before), logged(after)) == {}
    assert len(list((tmp_path / "data" / "kept").iterdir())) == 3


def test_the_log_tells_that_it_was_done(tmp_path: Path, clock: FakeClock) -> None:
    """An entry, signed at once; and a box that runs is refused, with nothing changed."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 2)
    store.checkpoint()
    monitor = files.LOCK_PATIENCE_S
    files.LOCK_PATIENCE_S = 0.0
    try:
        with pytest.raises(DataDirInUse):
            rebuild.rebuild(tmp_path / "data", clock)
    finally:
        files.LOCK_PATIENCE_S = monitor
    assert not (tmp_path / "data" / "catalogue.sqlite.new").exists()
    store.close()
    seen: list[tuple[int, int]] = []
    report = rebuild.rebuild(tmp_path / "data", clock, lambda done, total: seen.append((done, total)))
    store = Store.open(tmp_path / "data", clock)

    *_, told, beat = [leaf for _, leaf in store.leaves(0, store.log_size)]
    assert dict(told.fields) == {"what": replay.REBUILT, "entries": report.entries, "lost": 0}
    assert beat.type == "beat"
    assert seen[-1][0] > 0
    assert verify(store) == []
    assert rebuild.summary(report)["entries"] == report.entries
    store.close()


def an_entry_is_changed(data: Path) -> None:
    path = next((data / "log" / "tile" / "entries").rglob("*.p/*"))
    path.write_bytes(path.read_bytes().replace(b'"0.0.0"', b'"0.0.1"', 1))


def an_entry_is_cut_off(data: Path) -> None:
    path = next((data / "log" / "tile" / "entries").rglob("*.p/*"))
    path.write_bytes(path.read_bytes()[:-5])


def a_bundle_is_gone(data: Path) -> None:
    next((data / "log" / "tile" / "entries").rglob("*.p/*")).unlink()


def the_checkpoint_is_no_note(data: Path) -> None:
    (data / "log" / "checkpoint").write_text("hello")


def the_checkpoint_is_signed_by_nobody(data: Path) -> None:
    path = data / "log" / "checkpoint"
    head, _, signature = path.read_text().rpartition(" ")
    path.write_text(f"{head} {signature[:20]}{'B' if signature[20] == 'A' else 'A'}{signature[21:]}")


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (an_entry_is_changed, LogDamaged),
        (an_entry_is_cut_off, LogDamaged),
        (a_bundle_is_gone, LogDamaged),
        (the_checkpoint_is_no_note, CheckpointMalformed),
        (the_checkpoint_is_signed_by_nobody, SignatureInvalid),
    ],
    ids=lambda one: one.__name__,
)
def test_a_log_that_cannot_be_believed_ends_it_by_name(
    tmp_path: Path, clock: FakeClock, harm: Callable[[Path], None], error: type[LogError]
) -> None:
    """And the catalogue stands as it was."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 2)
    store.checkpoint()
    store.close()
    harm(tmp_path / "data")
    before = rows(tmp_path / "data")

    with pytest.raises(error):
        rebuild.rebuild(tmp_path / "data", clock)
    assert rows(tmp_path / "data") == before
    assert list((tmp_path / "data").glob("kept/*")) == []
    assert list((tmp_path / "data").glob("catalogue.sqlite.new*")) == []


def test_a_log_that_was_put_back_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """The catalogue remembers a longer one: made anew from the shorter, footage would be forgotten."""
    store = new_store(tmp_path, clock, "gate")
    store.checkpoint()
    shutil.copytree(store.layout.log, tmp_path / "copy")
    record(store, clock, SECOND * 2)
    store.checkpoint()
    store.close()
    shutil.rmtree(tmp_path / "data" / "log")
    shutil.move(tmp_path / "copy", tmp_path / "data" / "log")

    with pytest.raises(LogRolledBack):
        rebuild.rebuild(tmp_path / "data", clock)


def test_media_that_is_missing_is_no_obstacle(tmp_path: Path, clock: FakeClock) -> None:
    """Its row is there as the log tells it, and fsck names it (Shinobi 71; iSpy 307)."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 4)
    store.checkpoint()
    one = segments(store, clock)[0]
    store.media_path(one).unlink()
    store.close()
    rebuild.rebuild(tmp_path / "data", clock)
    store = Store.open(tmp_path / "data", clock)

    assert [(found.invariant, found.where) for found in check(store)] == [(1, one.id)]
    store.close()


def test_entries_that_a_crash_left_in_the_tiles_are_not_lost(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles were written and the checkpoint was not: without the catalogue they are the only ones that have them."""
    store = new_store(tmp_path, clock, "gate")
    store.checkpoint()
    record(store, clock, SECOND * 2)
    before = store.checkpoint_text()
    store.checkpoint()
    size = store.log_size
    store.ledger.checkpoint_path.write_text(before)
    store.close()
    for path in (tmp_path / "data").glob("catalogue.sqlite*"):
        path.unlink()
    _, report = made_anew(tmp_path / "data", clock, monkeypatch)
    store = Store.open(tmp_path / "data", clock)

    assert report.entries == size
    assert report.unsigned == size - int(before.split("\n")[1])
    assert len(segments(store, clock)) == 1
    store.checkpoint()
    assert {one.invariant for one in verify(store)} == {11}
    store.close()


def test_power_fails_while_the_catalogue_is_made_anew(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any call that makes something durable: a catalogue stands, old or new, with the same rows; the next
    attempt ends well.
    """
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 4)
    store.checkpoint()
    store.close()
    monkeypatch.setattr(rebuild, "_tell", lambda *arguments: None)
    before = rows(tmp_path / "data")
    step, done = 0, False
    with monkeypatch.context() as patch:
        power = Power(patch)
        while not done:
            power.fail_before(step)
            try:
                rebuild.rebuild(tmp_path / "data", clock)
                done = True
            except PowerCut:
                power.fail_before(None)
                assert rows(tmp_path / "data") == before
            step += 1
    assert step > 4
    assert rows(tmp_path / "data") == before


def test_a_catalogue_of_an_older_program(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not, begins as where a step of the schema adds it; one of a newer program is refused."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 4)
    store.checkpoint()
    store.anchors.want("due")
    store.close()
    before = rows(tmp_path / "data")
    path = tmp_path / "data" / "catalogue.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in ("INDEX present_by_check", "INDEX damaged", "INDEX anchors_of", "TABLE scrubs"):
            connection.execute(f"DROP {statement}")
        for column in ("checked_elapsed_us", "damage", "damage_leaf"):
            connection.execute(f"ALTER TABLE items DROP COLUMN {column}")
        for column in ("kind", "witness"):
            connection.execute(f"ALTER TABLE anchors DROP COLUMN {column}")
    after, report = made_anew(tmp_path / "data", clock, monkeypatch)
    for row in before["items"]:
        row["checked_elapsed_us"] = None
    assert differences(before, after) == {}
    assert report.lost == ()

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataDirTooNew):
        rebuild.rebuild(tmp_path / "data", clock)


def test_an_old_write_ahead_log_is_never_taken_for_the_new_catalogues(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the old file cannot be opened, its log lies beside it under `kept`, and nowhere else."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 4)
    store.checkpoint()
    store.close()
    before = rows(tmp_path / "data")
    (tmp_path / "data" / "catalogue.sqlite").write_bytes(b"no database")
    (tmp_path / "data" / "catalogue.sqlite-wal").write_bytes(b"its log")
    after, report = made_anew(tmp_path / "data", clock, monkeypatch)

    assert report.kept is not None
    assert (report.kept / "catalogue.sqlite-wal").read_bytes() == b"its log"
    assert (report.kept / "catalogue.sqlite").read_bytes() == b"no database"
    wal = tmp_path / "data" / "catalogue.sqlite-wal"
    assert not wal.exists() or wal.read_bytes() == b""
    assert differences(logged(before), logged(after)) == {}


def test_a_file_system_without_hard_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a name that is taken is left as it is."""
    one, two = tmp_path / "one", tmp_path / "deep" / "two"
    one.write_text("x")

    def none(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "hardlink_to", none)
        files.second_name(one, two)
    assert two.read_text() == "x"
    with pytest.raises(files.StorageError):
        files.second_name(one, two)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted("rghdxvkneswc")), min_size=3, max_size=14))
def test_any_order_of_doings_comes_out_the_same(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, does: list[str]
) -> None:
    """Recording, gaps, holds, discards, exports, views, keys, erasures, scrubs, days and checkpoints, in any order."""
    clock = FakeClock()
    folder = tmp_path_factory.mktemp("box")
    store = new_store(folder, clock, "gate")
    clock.advance(1)
    for one in does:
        _do(store, clock, one)
        clock.advance(1)
    store.close()
    before = rows(folder / "data")
    after, report = made_anew(folder / "data", clock, monkeypatch)

    assert differences(before, after) == {}
    assert report.lost == ()


def _do(store: Store, clock: FakeClock, what: str) -> None:
    held = store.holds.active()
    match what:
        case "r":
            record(store, clock, SECOND * 2)
        case "g":
            store.commit_gap_until_now("gate.main", Cause.STALLED)
        case "h":
            hold(store, ["gate"], 0, clock.utc_us)
        case "x" if held:
            release(store, held[0].id, "over")
        case "e" if store.holds.all() and store.holds.all()[0].released_us is not None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("recorder.store.erasures.RecordErased", KeyError)
                try:
                    store.erasures.erase("release:1", ErasureRule.PURPOSE_OVER, "asked for")
                except KeyError:
                    return
        case "d":
            clock.advance(40 * 86400)
            store.discard([one.id for one in segments(store, clock)], "target")
        case "n":
            store.exports.end(store.exports.ask("gate.main", 0, 1, "case", "reason").id, ExportState.CANCELLED)
        case "v":
            store.views.note("gate.main", ViewKind.MEDIA, 0, clock.utc_us, ASKER)
        case "k":
            store.rotate_key()
        case "s":
            store.scrubs.note([store.scrubs.look(one) for one in store.scrubs.next("main", 2**62, 2)])
        case "w":
            store.anchors.want("due")
        case "c":
            store.checkpoint()


def test_what_no_entry_tells_is_salvaged_by_name() -> None:
    """The list of the tests and that of the program are of the same columns, side records apart."""
    of_program = {name: set(columns) for name, columns in salvage._UNLOGGED.items()}
    of_records = {"cameras": UNLOGGED["cameras"] - of_program["cameras"]}

    assert {name for name in UNLOGGED if name != "records"} == set(of_program)
    assert of_records["cameras"] <= {column.name for column in tables.cameras.c}
    assert select(tables.records) is not None
    for name in set(of_program) - {"cameras", "log_state"}:
        assert UNLOGGED[name] == of_program[name], name
