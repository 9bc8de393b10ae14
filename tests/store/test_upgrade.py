"""A data directory of an earlier version opens in this one, and goes on; one of a later version is refused."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from recorder.errors import DataDirTooNew, DataDirTooOld
from recorder.store import fsck
from recorder.store.database import SCHEMA
from recorder.store.layout import FORMAT
from recorder.store.log.leaves import TYPES
from recorder.store.rebuild import rebuild
from recorder.store.records import ExportState, Segment
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.evidence.jobs import Exporter
from retention.evidence.reading import verify_package
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

FIXTURES = Path(__file__).parents[1] / "fixtures"
STAGES = sorted(path.name.partition(".")[0] for path in FIXTURES.glob("*.tar.xz"))
VERSIONS = Path(fsck.__file__).parent / "migrations" / "versions"
TOGETHER = {"0009", "0010", "0012", "0014", "0015", "0016", "0017"}
"""Steps that came with the one behind them: no box was ever left there."""

LATER = "2026-03-02T00:00:00Z"


def unpacked(stage: str, folder: Path) -> Path:
    with tarfile.open(FIXTURES / f"{stage}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "data"


def revision(store: Store) -> str:
    with store.database.read() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


@pytest.mark.parametrize("stage", STAGES)
def test_an_old_box_goes_on(tmp_path: Path, stage: str) -> None:
    """It is brought up to this version, found sound byte for byte, records on in the same chain, and what it recorded
    then is handed out with its proof."""
    data = unpacked(stage, tmp_path)
    clock = FakeClock(LATER, "boot-of-today")
    store = Store.open(data, clock)
    store.recover()
    old = segments(store, clock)
    newest = max(path.name[1:5] for path in VERSIONS.glob("s0*.py"))
    assert (stage < newest, revision(store)) == (True, newest)
    assert len(old) >= 2
    assert store.holds.all()
    assert verify(store, lambda *_: None) == []
    clock.advance(1)
    record(store, clock, SECOND * 4)
    store.cameras.bring_rules_in_force()
    store.checkpoint()
    assert verify(store, lambda *_: None) == []
    new = [one for one in segments(store, clock) if one.n > old[-1].n]
    assert len(new) == 2
    coverage = store.coverage("gate.main", old[0].t0_us, new[-1].t1_us)
    assert {one.kind.value for one in coverage} == {"recorded", "gap"}
    for which in (old, new):
        assert_handed_out(store, clock, which)
    store.close()


def assert_handed_out(store: Store, clock: FakeClock, which: list[Segment]) -> None:
    asked = store.exports.ask("gate.main", which[0].t0_us, which[-1].t1_us, "2026-115", "Letter of the police")
    Exporter(store, clock, "0.0.0").run()
    made = store.exports.get(asked.id)
    assert made.state is ExportState.DONE, made
    verdict = verify_package(store.layout.exports / str(asked.id), store.first_fingerprint, lambda *_: None)
    assert verdict.objections == ()


def numbers(data: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(data / "catalogue.sqlite")) as connection:
        query = "SELECT camera_id, number FROM streams JOIN cameras ON camera_id = cameras.id ORDER BY leaf_index"
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("stage", [STAGES[0], STAGES[-1]])
def test_streams_are_numbered_as_they_were_registered(tmp_path: Path, stage: str) -> None:
    """By the step that brings an old catalogue up, for a camera that comes then, and when it is made anew."""
    data = unpacked(stage, tmp_path)
    clock = FakeClock(LATER, "boot-of-today")
    store = Store.open(data, clock)
    store.recover()
    store.cameras.add("door", "Door", "rtsp://127.0.0.1:554/main")
    store.checkpoint()
    store.close()
    found = numbers(data)
    rebuild(data, clock)

    assert found == [("gate", 1), ("yard", 2), ("door", 3)]
    assert numbers(data) == found


def test_no_step_is_forgotten() -> None:
    """Of every step of the schema at which a box could be left, a directory is kept; the newest is what tests make."""
    steps = sorted(path.name[1:5] for path in VERSIONS.glob("s0*.py"))

    assert set(steps[: steps.index(STAGES[-1]) + 1]) == set(STAGES) | TOGETHER
    assert steps.index(STAGES[-1]) >= len(steps) - 6
    assert steps[-1] == SCHEMA


def newer_format(data: Path) -> None:
    facts = json.loads((data / "box.json").read_bytes())
    (data / "box.json").write_text(json.dumps(facts | {"format": FORMAT + 1}))


def newer_schema(data: Path) -> None:
    store = Store.open(data, FakeClock(), exclusive=False)
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()


def contents(data: Path) -> dict[str, bytes]:
    """Of every file, but for what SQLite keeps beside a catalogue that is open."""
    return {
        str(path.relative_to(data)): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file() and path.suffix not in (".sqlite-wal", ".sqlite-shm")
    }


@pytest.mark.parametrize("change", [newer_format, newer_schema], ids=lambda one: one.__name__)
@pytest.mark.parametrize("exclusive", [True, False], ids=["to run", "to read"])
def test_a_newer_directory(tmp_path: Path, change: Callable[[Path], None], exclusive: bool) -> None:
    """It is refused with a sentence that says what to do, and nothing in it is changed."""
    new_store(tmp_path, FakeClock()).close()
    change(tmp_path / "data")
    before = contents(tmp_path / "data")
    with pytest.raises(DataDirTooNew, match="newer version of Custos: use that version"):
        Store.open(tmp_path / "data", FakeClock(), exclusive=exclusive)

    assert contents(tmp_path / "data") == before


def test_entries_of_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log with entries of a kind, or of a form, that this version does not know is one of a newer version."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    with monkeypatch.context() as newer:
        newer.setattr("recorder.store.log.leaves.TYPES", TYPES | {"omen"})
        store.note("omen", {"what": "of a later version"})
        store.checkpoint()
    store.close()
    with pytest.raises(DataDirTooNew, match="omen"):
        Store.open(tmp_path / "data", clock)
    beside = Store.open(tmp_path / "data", clock, exclusive=False)
    assert any("does not know" in one.what for one in fsck.check(beside))
    beside.close()


def test_an_old_directory_is_only_read(tmp_path: Path) -> None:
    """Who reads brings nothing up to date: it is said what does, rather than that a column is missing."""
    with pytest.raises(DataDirTooOld, match="start the box once"):
        Store.open(unpacked(STAGES[0], tmp_path), FakeClock(LATER), exclusive=False)
