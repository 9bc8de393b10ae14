"""Making, opening and refusing data directories; cameras, ledger, database, files, access."""

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData, create_engine, select
from sqlalchemy.schema import CreateIndex, CreateTable

from config.errors import CustosError
from config.times import DAY_US
from recorder.causes import Cause
from recorder.errors import (
    CameraExists,
    CameraManagedByFile,
    CameraRetired,
    CatalogueCorrupt,
    ChainBroken,
    DataDirError,
    DataDirForeign,
    DataDirInUse,
    DataDirMissing,
    DataDirNotEmpty,
    DataDirTooNew,
    Refused,
    SegmentUnknown,
    StorageDenied,
    StorageError,
    StorageFailed,
    StorageFull,
    StorageReadOnly,
    VolumeMissing,
)
from recorder.store import access, files, tables
from recorder.store.boxes import header_box
from recorder.store.catalogue import MAX_SEGMENT_US
from recorder.store.database import Database
from recorder.store.fsck import check
from recorder.store.holds import active
from recorder.store.layout import Layout, segment_path
from recorder.store.ledger import heads_hash
from recorder.store.log.errors import KeyFileInvalid
from recorder.store.records import AnchorKind, ManagedBy, Outsider, SegmentFacts, SegmentHeader
from recorder.store.sidecar import read as read_record
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import blind, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.plans import plans_of
from tests.fakes.power import PowerCut

# -- making and opening


def test_a_new_box_has_a_signed_log_and_one_token(tmp_path: Path) -> None:
    """Genesis and a beat stand, signed; the token matches once it is told, and no other does."""
    clock = FakeClock()
    report = Store.create(tmp_path / "data", "test", clock, "0")
    store = Store.open(tmp_path / "data", clock)

    assert [leaf.type for _, leaf in store.leaves(0, 9)] == ["genesis", "beat"]
    assert store.fingerprint == report.fingerprint
    assert store.token_matches(report.token)
    assert not store.token_matches(report.token + "x")
    assert check(store) == []
    assert report.token not in (tmp_path / "data/keys/token.sha256").read_text()


def test_a_renewed_token_ends_the_old_one(tmp_path: Path) -> None:
    """There is one token at a time, in a file that only its owner reads."""
    layout = Layout(tmp_path)
    old, new = access.renew(layout), access.renew(layout)

    assert access.matches(layout, new)
    assert not access.matches(layout, old)
    assert layout.token.stat().st_mode & 0o777 == 0o600


def missing(data: Path) -> None:
    pass


def empty(data: Path) -> None:
    data.mkdir()


def foreign(data: Path) -> None:
    data.mkdir()
    (data / "letter.txt").write_text("hello")


def no_identity(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    (data / "box.json").write_text("[]")


def too_new(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    text = (data / "box.json").read_text()
    (data / "box.json").write_text(text.replace('"format": 1', '"format": 2'))


def newer_catalogue(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    with closing(sqlite3.connect(data / "catalogue.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def no_catalogue(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    (data / "catalogue.sqlite").unlink()


def catalogue_overwritten(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    (data / "catalogue.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)


def catalogue_torn(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    path = data / "catalogue.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 6] = b"\xa5" * (4096 * 5)
    path.write_bytes(content)


def key_overwritten(data: Path) -> None:
    Store.create(data, "t", FakeClock(), "0")
    (data / "keys" / "log.ed25519").write_text("nothing")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (missing, DataDirMissing),
        (empty, DataDirMissing),
        (foreign, DataDirForeign),
        (no_identity, DataDirForeign),
        (too_new, DataDirTooNew),
        (newer_catalogue, DataDirTooNew),
        (no_catalogue, CatalogueCorrupt),
        (catalogue_overwritten, CatalogueCorrupt),
        (catalogue_torn, CatalogueCorrupt),
        (key_overwritten, KeyFileInvalid),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_directory_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, spoil: Callable[[Path], None], error: type[CustosError]
) -> None:
    """Each fault has its own error and sentence; nothing in the directory changes."""
    data = tmp_path / "data"
    spoil(data)
    before = {path: path.read_bytes() for path in data.rglob("*.json")} if data.exists() else {}

    with pytest.raises(error) as refused:
        Store.open(data, FakeClock())

    assert str(refused.value).endswith((".", ")")) or "SQLite says" in str(refused.value)
    assert before == {path: path.read_bytes() for path in before}


def test_two_boxes_never_share_a_directory(tmp_path: Path) -> None:
    """The second is refused; a reader beside the first is not."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)

    with pytest.raises(DataDirInUse):
        Store.open(tmp_path / "data", clock)

    Store.open(tmp_path / "data", clock, exclusive=False).close()
    store.close()
    Store.open(tmp_path / "data", clock).close()


def test_a_directory_that_takes_no_writes_is_given_back(tmp_path: Path) -> None:
    """Its lock too: put right, it can be opened by the same process."""
    clock = FakeClock()
    new_store(tmp_path, clock).close()
    (tmp_path / "data" / ".writable").mkdir()
    with pytest.raises(DataDirError):
        Store.open(tmp_path / "data", clock)

    (tmp_path / "data" / ".writable").rmdir()
    Store.open(tmp_path / "data", clock).close()


def test_a_box_is_never_made_where_something_is(tmp_path: Path) -> None:
    """A folder with anything in it is left as it is."""
    foreign(tmp_path / "data")

    with pytest.raises(DataDirNotEmpty):
        Store.create(tmp_path / "data", "t", FakeClock(), "0")

    assert [path.name for path in (tmp_path / "data").iterdir()] == ["letter.txt"]


# -- cameras


def test_a_password_lies_apart_and_in_no_dump(tmp_path: Path) -> None:
    """In a file of mode 0600; not in the catalogue, not in a leaf, not in the camera."""
    store = new_store(tmp_path, FakeClock())
    camera = store.cameras.add("gate", "Gate", "rtsp://h/x", username="u", password=SecretStr("planted"))
    store.checkpoint()

    kept = store.cameras.password("gate")
    assert kept is not None
    assert kept.get_secret_value() == "planted"
    assert "planted" not in repr(camera)
    path = tmp_path / "data/keys/cameras/gate"
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(tmp_path / "data/catalogue.sqlite")) as connection:
        assert "planted" not in "\n".join(connection.iterdump())
    for file in (tmp_path / "data").rglob("*"):
        assert file == path or not file.is_file() or b"planted" not in file.read_bytes()


@pytest.mark.parametrize("text", ["planted", "planted\n", "planted\r\n", "planted\na note below\n"])
def test_the_first_line_of_a_password_file_is_the_password(tmp_path: Path, text: str) -> None:
    """However the editor ended it."""
    (tmp_path / "file").write_bytes(text.encode())
    store = new_store(tmp_path, FakeClock())
    store.cameras.add("gate", "Gate", "rtsp://h/x", username="u", password_file=str(tmp_path / "file"))

    found = store.cameras.password("gate")

    assert found is not None
    assert found.get_secret_value() == "planted"


def test_an_id_is_never_used_twice(tmp_path: Path) -> None:
    """Not even after its camera is retired; and a retired camera changes no more."""
    store = new_store(tmp_path, FakeClock(), "gate")
    store.cameras.retire("gate", ManagedBy.API)

    with pytest.raises(CameraExists):
        store.cameras.add("gate", "Other", "rtsp://h/y")
    with pytest.raises(CameraRetired):
        store.cameras.change("gate", ManagedBy.API, {"name": "x"})


def test_a_camera_of_the_file_is_changed_by_the_file_alone(tmp_path: Path) -> None:
    """Whoever else tries is told where."""
    store = new_store(tmp_path, FakeClock())
    store.cameras.add("gate", "Gate", "rtsp://h/x", managed_by=ManagedBy.FILE)

    with pytest.raises(CameraManagedByFile):
        store.cameras.change("gate", ManagedBy.API, {"name": "x"})
    with pytest.raises(CameraManagedByFile):
        store.cameras.retire("gate", ManagedBy.API)
    assert store.cameras.change("gate", ManagedBy.FILE, {"name": "x"}).name == "x"


def test_a_change_that_changes_nothing_leaves_no_leaf(tmp_path: Path) -> None:
    """Reconciling at every start must not fill the log."""
    store = new_store(tmp_path, FakeClock(), "gate")
    size = store.log_size

    store.cameras.change("gate", ManagedBy.API, {"name": "Gate", "enabled": True})

    assert store.log_size == size


@pytest.mark.parametrize("camera_id", ["", "Gate", "a.b", "a/b", "../x", "-a", "x" * 64])
def test_an_id_that_could_confuse_paths_is_refused(tmp_path: Path, camera_id: str) -> None:
    """Ids are parts of file names and of segment ids."""
    with pytest.raises(Refused):
        new_store(tmp_path, FakeClock()).cameras.add(camera_id, "x", "rtsp://h/x")


def test_addresses_stand_in_side_records_not_in_leaves(tmp_path: Path) -> None:
    """A leaf carries a salted hash; the record can be erased and everything still verifies."""
    store = new_store(tmp_path, FakeClock())
    store.cameras.add("gate", "Gate of Mrs Li", "rtsp://192.0.2.77/x")
    leaf = next(leaf for _, leaf in store.leaves(0, 9) if leaf.type == "camera")

    with store.database.read() as connection:
        assert read_record(connection, leaf.fields["record"])["name"] == "Gate of Mrs Li"
        assert active(connection) == []
    assert "Li" not in str(leaf.fields)
    with store.database.write() as connection:
        connection.execute(tables.records.delete())
    store.checkpoint()
    assert verify(store) == []


# -- chain, recovery, catalogue


def header(store: Store, n: int, prev: str, t0_us: int) -> SegmentHeader:
    return SegmentHeader(store.box_id, "gate", "gate.main", n, n, t0_us, prev)


def test_what_does_not_follow_the_head_is_refused(tmp_path: Path) -> None:
    """Another number, another hash, another start: no file is begun, nothing is written."""
    store = new_store(tmp_path, FakeClock(), "gate")
    head = store.head("gate.main")

    for wrong in (
        header(store, 1, head.prev, head.t1_us),
        header(store, 0, "00", head.t1_us),
        header(store, 0, head.prev, head.t1_us + 1),
    ):
        with pytest.raises(ChainBroken):
            store.begin(wrong)
    with pytest.raises(ChainBroken):
        store.commit_gap("gate.main", head.t1_us - 1, Cause.STALLED)
    with pytest.raises(ChainBroken):
        store.head("nobody.main")
    assert check(store) == []


def test_a_segment_that_lasts_no_time_is_refused(tmp_path: Path) -> None:
    """It could not be found again by its interval."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND)
    found = segments(store, clock)[0]
    head = store.head("gate.main")
    part = store.begin(header(store, head.next_n, head.prev, head.t1_us))
    part.append(header_box(part.header))

    with pytest.raises(ChainBroken):
        store.commit_segment(part, SegmentFacts(head.t1_us, 1, found.codec, 160, 120))


def left_in_the_middle_of_a_fragment(whole: bytes, part: Path, final: Path) -> str:
    part.write_bytes(whole[:-50])
    return "recovered"


def left_whole_but_not_renamed(whole: bytes, part: Path, final: Path) -> str:
    part.write_bytes(whole)
    return "recovered"


def left_renamed_but_without_a_row(whole: bytes, part: Path, final: Path) -> str:
    final.write_bytes(whole)
    return "recovered"


def left_with_zeroes_behind(whole: bytes, part: Path, final: Path) -> str:
    part.write_bytes(whole + bytes(5000))
    return "recovered"


def left_with_nothing_but_its_header(whole: bytes, part: Path, final: Path) -> str:
    part.write_bytes(whole[: whole.index(b"moof") - 4])
    return "empty"


def left_without_a_byte(whole: bytes, part: Path, final: Path) -> str:
    part.write_bytes(b"")
    return "damaged"


def left_by_another_item(whole: bytes, part: Path, final: Path) -> str:
    part.write_bytes(whole.replace(b'"n":', b'"N":'))
    return "damaged"


@pytest.mark.parametrize(
    "leave",
    [
        left_in_the_middle_of_a_fragment,
        left_whole_but_not_renamed,
        left_renamed_but_without_a_row,
        left_with_zeroes_behind,
        left_with_nothing_but_its_header,
        left_without_a_byte,
        left_by_another_item,
    ],
    ids=lambda one: one.__name__,
)
def test_what_a_crash_left_is_finished_at_start(tmp_path: Path, leave: Callable[[bytes, Path, Path], str]) -> None:
    """Whatever it is: recovered to its last whole fragment or put away, told, and nothing is wrong afterwards (MediaMTX
    4538)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 2)
    whole = store.media_path(segments(store, clock)[0]).read_bytes()
    head = store.head("gate.main")
    part = store.begin(header(store, head.next_n, head.prev, head.t1_us))
    part.close()
    body = whole.index(b"moof") - 4
    init = whole[: whole.index(b"uuid") - 4]
    whole = init + header_box(part.header) + whole[body:]
    expected = leave(whole, part.path, part.path.with_suffix(""))
    if not part.path.with_suffix("").exists() and expected == "recovered":
        assert part.path.exists()
    elif part.path.with_suffix("").exists():
        part.path.unlink()
    store.close()
    clock.advance(300)

    store = Store.open(tmp_path / "data", clock)
    report = store.recover()
    store.checkpoint()

    assert [bool(report.recovered), bool(report.damaged), bool(report.empty)] == [
        expected == kind for kind in ("recovered", "damaged", "empty")
    ]
    assert verify(store) == []
    assert store.head("gate.main").t1_us >= clock.read().utc_us - 1
    kinds = [one.kind.value for one in store.coverage("gate.main", head.t1_us, clock.read().utc_us)]
    assert "unknown" not in kinds


def test_pages_go_on_by_key_and_miss_nothing(tmp_path: Path) -> None:
    """Each segment stands on one page, in order, though others are added between."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 10)
    seen: list[int] = []
    after: int | None = None
    while True:
        page = store.page("gate.main", 0, clock.read().utc_us + MAX_SEGMENT_US, 2, after)
        seen += [one.n for one in page.segments]
        after = page.next_n
        if after is None:
            break
        if len(seen) == 2:
            record(store, clock, SECOND * 4)

    assert seen == [one.n for one in segments(store, clock)]
    with pytest.raises(SegmentUnknown):
        store.page("gate.main", 0, 1, 2, 999)


def test_what_was_recorded_is_found_by_an_index(tmp_path: Path) -> None:
    """A page, the one behind it, and what tells of gaps: no query walks the items, however many there are (Frigate
    2560; lightNVR 580)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 6)
    ahead_us = clock.utc_us + DAY_US
    next_n = store.page("gate.main", 0, ahead_us, 1).next_n

    steps = plans_of(
        store,
        "items",
        lambda: store.page("gate.main", 0, ahead_us, 1),
        lambda: store.page("gate.main", 0, ahead_us, 1, next_n),
        lambda: store.coverage("gate.main", 0, ahead_us),
    )
    assert len(steps) == 4
    assert all(step.startswith("SEARCH items USING INDEX") for step in steps), steps


def test_intervals_are_half_open(tmp_path: Path) -> None:
    """A segment that ends where the interval starts is not in it, nor one that starts where it ends."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 6)
    first, second, third = segments(store, clock)

    found = store.page("gate.main", second.t0_us, second.t1_us, 10).segments

    assert [one.n for one in found] == [second.n]
    assert (first.t1_us, third.t0_us) == (second.t0_us, second.t1_us)


# -- ledger and database


def test_a_rolled_back_transaction_leaves_no_leaf(tmp_path: Path) -> None:
    """A fact and its leaf come together or not at all."""
    store = new_store(tmp_path, FakeClock(), "gate")
    size = store.log_size

    def fails_behind_its_leaf() -> None:
        with store.database.write() as connection:
            store.ledger.append(connection, "audit", {"what": "x"})
            raise KeyError

    with pytest.raises(KeyError):
        fails_behind_its_leaf()

    assert store.log_size == size
    store.checkpoint()
    assert check(store) == []


@pytest.mark.parametrize("step", ["append", "half of the tiles", "write_atomically", "_remember", "forget_partials"])
def test_signing_that_breaks_off_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Between any two steps: the next checkpoint signs everything, and nothing is found wrong."""

    def cut(*arguments: object, **more: object) -> None:
        raise PowerCut

    write_together = files.write_together

    def cut_half_way(contents: dict[Path, bytes]) -> None:
        assert len(contents) > 3
        write_together(dict(list(contents.items())[::2]))
        raise PowerCut

    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 4)
    for number in range(700):
        store.note("finding", {"what": "damaged", "file": f"{number}"})
    target = {
        "append": "recorder.store.log.tiles.TileStore.append",
        "half of the tiles": "recorder.store.files.write_together",
        "write_atomically": "recorder.store.ledger.write_atomically",
        "_remember": "recorder.store.ledger.Ledger._remember",
        "forget_partials": "recorder.store.log.tiles.TileStore.forget_partials",
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(target, cut_half_way if step == "half of the tiles" else cut)
        with pytest.raises(PowerCut):
            store.checkpoint()
    store.close()

    store = Store.open(tmp_path / "data", clock)
    store.checkpoint()

    assert verify(store) == []


def test_heads_are_bound_whatever_their_order() -> None:
    """Canonical JSON: the same vector has one hash."""
    assert heads_hash({"a": [1, "x"], "b": [2, "y"]}) == heads_hash({"b": [2, "y"], "a": [1, "x"]})


def test_box_time_runs_through_restarts_and_never_back(tmp_path: Path) -> None:
    """Within a boot the time of a restart counts; over a reboot the box starts where its last leaf stood."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    clock.advance(100)
    before_us = store.elapsed_us()
    store.checkpoint()
    store.close()
    clock.advance(50)
    store = Store.open(tmp_path / "data", clock)
    assert store.elapsed_us() - before_us == 50_000_000
    store.checkpoint()
    store.close()
    clock.advance(1000)
    clock.reboot("boot-2")
    store = Store.open(tmp_path / "data", clock)

    assert store.elapsed_us() - before_us == 50_000_000


def test_the_schema_is_the_sum_of_its_steps(tmp_path: Path) -> None:
    """What the migrations build is what the tables say, index by index."""
    database = Database(tmp_path / "catalogue.sqlite")
    database.prepare()
    database.close()
    built = MetaData()
    engine = create_engine(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    built.reflect(engine)
    plain = create_engine("sqlite://")
    tables.metadata.create_all(plain)
    wanted = MetaData()
    wanted.reflect(plain)

    def described(schema: MetaData) -> dict[str, tuple[list[str], list[str]]]:
        return {
            name: (
                sorted(line.strip(" ,") for line in str(CreateTable(table).compile(plain)).splitlines()),
                sorted(str(CreateIndex(index).compile(plain)) for index in table.indexes),
            )
            for name, table in schema.tables.items()
            if name != "alembic_version"
        }

    assert described(built) == described(wanted)


UNDO = {
    "0019": ("ALTER TABLE streams DROP COLUMN number",),
    "0018": ("DROP INDEX runs_by_end", "DROP INDEX receipts_by_item"),
    "0017": (
        "DROP INDEX present_by_check",
        "DROP INDEX damaged",
        "ALTER TABLE items DROP COLUMN checked_elapsed_us",
        "ALTER TABLE items DROP COLUMN damage",
        "ALTER TABLE items DROP COLUMN damage_leaf",
        "DROP TABLE scrubs",
    ),
    "0016": (
        "DROP INDEX present_by_volume",
        "DROP TABLE breaches",
        "DROP TABLE overwriting",
        "DROP TABLE left_behind",
        "DROP TABLE volumes",
        "ALTER TABLE cameras DROP COLUMN volume",
    ),
    "0015": (
        "DROP TABLE release_refusals",
        "DROP TABLE release_holders",
        "DROP TABLE hold_work",
        "DROP TABLE hold_damage",
        "DROP TABLE hold_checks",
        "DROP TABLE hold_reviews",
        *(
            f"ALTER TABLE holds DROP COLUMN {name}"
            for name in ("asked_t0_us", "asked_t1_us", "padding_before_s", "padding_after_s", "basis", "review_us")
        ),
    ),
    "0014": (
        "DROP TABLE receipts",
        "ALTER TABLE cameras DROP COLUMN protection",
        "ALTER TABLE cameras DROP COLUMN floor_days",
        "ALTER TABLE cameras DROP COLUMN target_days",
        "ALTER TABLE cameras DROP COLUMN purpose",
        "DROP TABLE rules",
        "DROP INDEX present_by_end",
        "CREATE INDEX present_by_end ON items (t1_us, stream_id) WHERE state = 'present'",
    ),
    "0013": ("DROP TABLE log_keys",),
    "0012": (
        "ALTER TABLE items DROP COLUMN camsig",
        "ALTER TABLE items DROP COLUMN utc_offset_s",
        "DROP TABLE signing",
    ),
    "0011": (
        "ALTER TABLE items DROP COLUMN sm3",
        "ALTER TABLE log_state DROP COLUMN sm2_public",
        "ALTER TABLE log_state DROP COLUMN sm2_leaf",
    ),
    "0010": ("DROP TABLE views", "DROP TABLE erasures"),
    "0009": (
        "DROP INDEX anchors_of",
        "ALTER TABLE anchors DROP COLUMN kind",
        "ALTER TABLE anchors DROP COLUMN witness",
    ),
    "0008": ("DROP TABLE anchors",),
    "0007": ("DROP TABLE exports",),
    "0006": ("ALTER TABLE items DROP COLUMN clock_drift_ppb",),
    "0005": ("ALTER TABLE cameras DROP COLUMN allow_basic",),
}
"""What each step of the schema added, taken away again."""


def old_store(tmp_path: Path, clock: FakeClock, *cameras: str) -> Store:
    """A new box by a program that writes no rules of cameras yet: its log has no entries of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recorder.store.cameras.put_in_force", lambda *_: False)
        return new_store(tmp_path, clock, *cameras)


def put_back(data_dir: Path, version: str) -> None:
    """Make a catalogue what it was at that version."""
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite")) as connection, connection:
        for statement in (one for step, undoing in UNDO.items() if step > version for one in undoing):
            connection.execute(statement)
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def test_a_catalogue_from_before_witnesses(tmp_path: Path) -> None:
    """What was wanted of an authority then is wanted of it still, and of no witness."""
    clock = FakeClock()
    store = new_store(tmp_path, clock)
    store.anchors.want("hourly")
    store.close()
    put_back(tmp_path / "data", "0008")
    store = Store.open(tmp_path / "data", clock)

    assert len(store.anchors.pending()) == 1
    assert store.anchors.pending(by=Outsider(AnchorKind.WITNESS, "w+00000000+AAAA")) == []
    store.close()


def test_a_catalogue_from_before_basic_could_be_allowed(tmp_path: Path) -> None:
    """Its cameras are as they were, and may not be shown their password readable; allowing it is a leaf."""
    clock = FakeClock()
    old_store(tmp_path, clock, "gate").close()
    put_back(tmp_path / "data", "0004")
    store = Store.open(tmp_path / "data", clock)
    before = store.cameras.get("gate")
    store.cameras.change("gate", ManagedBy.API, {"allow_basic": True})
    after = store.cameras.get("gate")
    store.checkpoint()

    assert (before.name, before.allow_basic, after.allow_basic) == ("Gate", False, True)
    assert check(store) == []


def test_a_catalogue_from_before_segments_told_the_drift(tmp_path: Path) -> None:
    """Its segments know none, and their leaves, which have no such field, still agree with their rows."""
    clock = FakeClock()
    store = old_store(tmp_path, clock, "gate")
    blind(store)
    record(store, clock, SECOND * 5)
    store.checkpoint()
    store.close()
    put_back(tmp_path / "data", "0005")
    store = Store.open(tmp_path / "data", clock)

    assert {(one.clock_drift_ppb, one.camsig) for one in segments(store, clock)} == {(None, None)}
    assert verify(store) == []


def test_a_catalogue_from_before_sm(tmp_path: Path) -> None:
    """Its segments and its log are as they were; switched on, those that follow have the one, and the log the other."""
    clock = FakeClock()
    store = old_store(tmp_path, clock, "gate")
    blind(store)
    record(store, clock, SECOND * 5)
    store.checkpoint()
    store.close()
    put_back(tmp_path / "data", "0010")
    store = Store.open(tmp_path / "data", clock, sm=True)
    assert verify(store) == []
    record(store, clock, SECOND * 5)
    store.checkpoint()

    assert verify(store) == []
    assert store.sm2_public is not None


def test_a_full_disk_in_the_catalogue_is_a_full_disk(tmp_path: Path) -> None:
    """Not a trace of a library, and the transaction is undone."""
    store = new_store(tmp_path, FakeClock(), "gate")
    with store.database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        for _ in range(2000):
            store.note("audit", {"what": "x" * 2000})

    with pytest.raises(StorageFull):
        fill()

    with store.database.read() as connection:
        assert connection.execute(select(tables.log_state.c.size)).scalar_one() == store.log_size


# -- files


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EROFS, StorageReadOnly),
        (errno.EIO, StorageFailed),
        (errno.ENOENT, VolumeMissing),
        (errno.ENODEV, VolumeMissing),
        (errno.EPERM, StorageDenied),
    ],
)
def test_the_kernels_errors_have_our_names(code: int, error: type[StorageError]) -> None:
    """Full, read-only, failing and missing are four errors, never one."""
    with pytest.raises(StorageError) as told, files.translated(Path("/somewhere")):
        raise OSError(code, os.strerror(code))

    assert type(told.value) is error
    assert told.value.__cause__ is not None


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle leaves the old content, and no litter."""
    path = tmp_path / "a" / "b"
    files.write_atomically(path, b"old", mode=0o600)

    def full(handle: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(StorageFull):
        files.write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["b"]


def test_files_are_written_together_each_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are held open at once; and where the disk fills up with one of them, none of these is replaced."""
    places = [tmp_path / f"{number % 3}" / f"{number}" for number in range(files.FILES_TOGETHER + 9)]
    files.write_together({place: place.name.encode() for place in places})
    assert [place.read_text() for place in places] == [place.name for place in places]

    def full(handle: int, *pieces: bytes) -> None:
        if pieces == (b"new 2",):
            raise OSError(errno.ENOSPC, "full")
        os.write(handle, pieces[0])

    monkeypatch.setattr(files, "write_all", full)
    with pytest.raises(StorageFull):
        files.write_together({place: f"new {place.name}".encode() for place in places[:6]})

    assert [place.read_text() for place in places] == [place.name for place in places]
    assert sum(one.is_file() for one in tmp_path.rglob("*")) == len(places)


def test_a_copy_that_the_disk_begins_to_write_meanwhile_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a byte on, behind what stands there; and every piece was seen in its order."""
    monkeypatch.setattr(files, "COPY_BYTES", 10)
    monkeypatch.setattr(files, "WRITE_BEHIND_BYTES", 30)
    (tmp_path / "source").write_bytes(bytes(range(200)))
    (tmp_path / "target").write_bytes(b"begun")
    seen: list[bytes] = []
    files.copy(tmp_path / "source", tmp_path / "target", seen.append, 5)

    assert b"".join(seen) == bytes(range(5, 200))
    assert (tmp_path / "target").read_bytes() == b"begun" + bytes(range(5, 200))


def test_a_file_is_mapped_whatever_its_size(tmp_path: Path) -> None:
    """An empty one too, which the kernel cannot map; one that is not there is a storage error."""
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_bytes(b"abc")

    with files.mapped(tmp_path / "empty") as nothing, files.mapped(tmp_path / "full") as something:
        assert (bytes(nothing), bytes(something)) == (b"", b"abc")
    with pytest.raises(VolumeMissing), files.mapped(tmp_path / "none"):
        pass


def test_nothing_is_ever_overwritten_by_a_new_segment(tmp_path: Path) -> None:
    """A name that is taken is refused, when a file is begun and when it is sealed."""
    os.close(files.begin(tmp_path / "x"))
    with pytest.raises(StorageError):
        files.begin(tmp_path / "x")
    (tmp_path / "y").write_bytes(b"kept")
    with pytest.raises(StorageError):
        files.seal(tmp_path / "x", tmp_path / "y")

    assert (tmp_path / "y").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("code", "written", "is_open", "is_there"),
    [
        (errno.EIO, b"", False, False),
        (errno.EIO, b"kept", False, True),
        (errno.EIO, b"", True, True),
        (errno.EMFILE, b"", False, True),
    ],
)
def test_a_disk_fails_behind_having_made_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, written: bytes, is_open: bool, is_there: bool
) -> None:
    """What it left is removed; not what somebody wrote, or is about to, nor where the disk was never asked."""
    writer = files.begin(tmp_path / "x")
    os.write(writer, written)
    if not is_open:
        os.close(writer)
    really_open = os.open

    def fails(path: Path, flags: int, *more: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(code, os.strerror(code))
        return really_open(path, flags, *more)

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(StorageError):
        files.begin(tmp_path / "x")

    assert (tmp_path / "x").exists() == is_there
    if is_open:
        os.close(writer)


def test_a_volume_that_is_not_mounted_is_not_written_to(tmp_path: Path) -> None:
    """Its empty folder would fill the wrong disk."""
    store = new_store(tmp_path, FakeClock(), "gate")
    head = store.head("gate.main")
    (tmp_path / "data/media/main/volume.json").unlink()

    with pytest.raises(VolumeMissing):
        store.begin(header(store, 0, head.prev, head.t1_us))


def test_paths_tell_stream_time_and_number() -> None:
    """UTC, hour by hour, and the number first: no clock can make two segments share a name (Frigate 4270, 4261;
    Moonfire 244)."""
    path = segment_path("gate.main", 17, 1_772_323_200_123_456)

    assert str(path) == "gate.main/2026/03/01/00/17-20260301T000000.123Z.mp4"


def test_syncing_takes_some_time_and_no_error(tmp_path: Path) -> None:
    """One call for the whole volume."""
    assert new_store(tmp_path, FakeClock()).sync() >= 0


def test_the_last_item_of_a_retired_camera_says_so_once(tmp_path: Path) -> None:
    """However often the box starts afterwards."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 2)
    store.cameras.retire("gate", ManagedBy.API)
    clock.advance(5)
    for _ in range(3):
        store.recover()
        clock.advance(100)

    causes = [getattr(item, "cause", None) for item in store.items("gate.main", 0, clock.read().utc_us)]
    assert causes.count(Cause.RETIRED) == 1
    assert causes[-1] is Cause.RETIRED
    assert check(store) == []


def test_recording_leaves_room_for_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No segment is begun on a volume that has only its reserve left: somebody must be able to say that it is full."""
    store = new_store(tmp_path, FakeClock(), "gate")
    head = store.head("gate.main")
    monkeypatch.setattr("recorder.store.pressure.RESERVE_BYTES", 1 << 62)
    monkeypatch.setattr("recorder.store.pressure.RESERVE_SHARE", 1)

    with pytest.raises(StorageFull):
        store.begin(header(store, 0, head.prev, head.t1_us))


def test_a_box_is_never_made_over_a_box(tmp_path: Path) -> None:
    """And the sentence says that there is one."""
    new_store(tmp_path, FakeClock())

    with pytest.raises(DataDirNotEmpty, match="already"):
        Store.create(tmp_path / "data", "t", FakeClock(), "0")


def test_checks_beside_a_busy_box_find_nothing(tmp_path: Path) -> None:
    """While another thread records, signs and discards, `verify` has nothing to say: no view is older than the disk
    (Frigate 594, 6874, 7182)."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    record(store, clock, SECOND * 20)
    clock.advance(40 * 86400)
    store.checkpoint()
    beside = Store.open(tmp_path / "data", FakeClock(), exclusive=False)
    stop = threading.Event()

    def work() -> None:
        for old in segments(store, clock):
            store.commit_gap_until_now("gate.main", Cause.UNREACHABLE)
            record(store, clock, SECOND * 2)
            store.discard([old.id], "target")
            clock.advance(10)
            if stop.is_set():
                return

    worker = threading.Thread(target=work)
    worker.start()
    found = [verify(beside) for _ in range(6)]
    stop.set()
    worker.join(30)

    assert found == [[]] * 6
    assert verify(store) == []


def test_a_gap_behind_a_picture_that_lasts_beyond_now(tmp_path: Path) -> None:
    """The clock was not set back: the gap keeps its own cause, and begins where the picture ends."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 2)
    end_us = store.head("gate.main").t1_us
    clock.advance((end_us - clock.read().utc_us) / 1e6 - 0.04)
    store.commit_gap_until_now("gate.main", Cause.RETIRED)

    last = store.items("gate.main", 0, end_us + 1_000_000)[-1]
    assert (getattr(last, "cause", None), last.t0_us) == (Cause.RETIRED, end_us)
    assert end_us < last.t1_us < end_us + 10_000
    assert check(store) == []


def test_a_public_sm2_key_that_cannot_be_read_is_a_finding_and_no_end(tmp_path: Path) -> None:
    """The other invariants are checked all the same: one damaged place never hides another."""
    clock = FakeClock()
    new_store(tmp_path, clock, "gate").close()
    store = Store.open(tmp_path / "data", clock, sm=True)
    store.checkpoint()
    store.layout.sm2_public.unlink()
    store.layout.sm2_public.mkdir()
    (store.layout.log / "anchors").mkdir(exist_ok=True)
    (store.layout.log / "anchors" / "77.tsr").write_bytes(b"stray")
    found = check(store)
    store.close()

    assert any(one.invariant == 6 and "sm2" in one.where for one in found)
    assert 9 in {one.invariant for one in found}
