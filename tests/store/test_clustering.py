"""Where the rows of items lie in the catalogue: those of a stream together, and no row is lost for want of a place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from recorder.store import tables
from recorder.store.clustering import PLACES
from recorder.store.fsck import check
from recorder.store.rebuild import rebuild
from recorder.store.store import Store
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    """Two cameras that are recorded by turns."""
    store = new_store(tmp_path, clock, "gate", "yard")
    for _ in range(3):
        for camera in ("gate", "yard"):
            record(store, clock, SECOND * 2, camera)
    return store


def places(store: Store) -> list[tuple[str, int, int]]:
    """Stream, item and row, as they lie in the file."""
    with closing(sqlite3.connect(store.layout.catalogue)) as connection:
        return connection.execute("SELECT stream_id, n, rowid FROM items ORDER BY rowid").fetchall()


def test_rows_of_a_stream_lie_together(store: Store) -> None:
    """Whatever the order in which they came: by stream, as those were registered, and by number."""
    found = places(store)

    assert [one[:2] for one in found] == sorted(one[:2] for one in found)
    assert {one[2] - one[1] for one in found if one[0] == "gate.main"} == {PLACES}
    assert {one[2] - one[1] for one in found if one[0] == "yard.main"} == {2 * PLACES}


def test_a_place_that_is_taken(store: Store, clock: FakeClock) -> None:
    """The row lies elsewhere, and is found as ever: a place is a wish, and never keeps footage from being recorded."""
    with store.database.write() as connection:
        (next_n,) = connection.exec_driver_sql("SELECT next_n FROM streams WHERE id = 'gate.main'").one()
        moved = f"UPDATE items SET rowid = {PLACES + next_n + 1} WHERE stream_id = 'yard.main' AND n = 0"
        connection.exec_driver_sql(moved)
    before = len(segments(store, clock))
    record(store, clock, SECOND * 4)
    store.checkpoint()

    assert len(segments(store, clock)) > before
    (elsewhere,) = [one[2] for one in places(store) if one[:2] == ("gate.main", next_n + 1)]
    assert elsewhere > 2 * PLACES
    assert check(store) == []


def test_rows_that_were_numbered_anew(store: Store, clock: FakeClock) -> None:
    """As a `VACUUM` may do, which operators were told of, and as those of a catalogue from before places are: the box
    goes on behind them."""
    with store.database.write() as connection:
        anew = "SELECT row_number() OVER (ORDER BY rowid) AS place, stream_id, n FROM items"
        same = "old.stream_id = items.stream_id AND old.n = items.n"
        connection.exec_driver_sql(f"UPDATE items SET rowid = (SELECT place FROM ({anew}) AS old WHERE {same})")
    record(store, clock, SECOND * 2)
    store.checkpoint()

    found = places(store)
    assert [one[2] for one in found[:3]] == [1, 2, 3]
    assert found[-1][2] > PLACES
    assert check(store) == []


@pytest.mark.parametrize("number", [None, 0, -1, 2**31, 2**62])
def test_a_stream_without_a_number(store: Store, clock: FakeClock, number: int | None) -> None:
    """Or with one that nobody gave: nothing depends on it, and its rows lie behind all others."""
    with store.database.write() as connection:
        connection.execute(tables.streams.update().where(tables.streams.c.id == "gate.main").values(number=number))
    record(store, clock, SECOND * 2)
    store.checkpoint()

    assert places(store)[-1][0] == "gate.main"
    assert check(store) == []


def test_a_camera_beside_numbers_with_a_hole(store: Store) -> None:
    """It gets the next one behind the highest."""
    with store.database.write() as connection:
        connection.execute(tables.streams.update().where(tables.streams.c.id == "yard.main").values(number=7))
    store.cameras.add("door", "Door", "rtsp://127.0.0.1:554/main")

    with store.database.read() as connection:
        found = connection.execute(tables.streams.select().where(tables.streams.c.id == "door.main")).mappings().one()
    assert found["number"] == 8


def test_a_catalogue_that_is_made_anew(store: Store, clock: FakeClock) -> None:
    """Its rows lie where they lay: the log tells in which order cameras were registered."""
    store.checkpoint()
    before, root = places(store), store.layout.root
    store.close()
    rebuild(root, clock)

    again = Store.open(root, clock)
    assert places(again) == before
    again.close()
