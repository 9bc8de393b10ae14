"""What a month comes to, and by which indexes what is asked often is found: nothing walks what years leave behind."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from appliance.health.survey import Survey
from config.times import SECOND_US
from recorder.causes import Cause
from recorder.errors import StorageFailed
from recorder.store import files
from recorder.store.spans import spans
from recorder.store.store import Store
from recorder.store.tiling import Kind, tile
from retention.sweep import sweep
from tests.fakes.box import hold, new_store, segments
from tests.fakes.clock import FakeClock
from tests.fakes.tiny import record

STREAM = "gate.main"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    made = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    yield made
    made.close()


def pause(store: Store, clock: FakeClock, cause: Cause, passed_s: float) -> None:
    clock.advance(passed_s)
    store.commit_gap(STREAM, clock.utc_us, cause, "")


def agree(store: Store, clock: FakeClock) -> set[Kind]:
    """Coverage is what the items come to, for every interval between two of their ends, and within some."""
    items = store.items(STREAM, 0, 2**62)
    ends = sorted({end for one in items for end in (one.t0_us, one.t1_us, one.t1_us - SECOND_US)} | {clock.utc_us})
    kinds = set()
    for at, start_us in enumerate(ends):
        for end_us in ends[at + 1 :]:
            found = store.coverage(STREAM, start_us, end_us)
            assert found == tile(store.items(STREAM, start_us, end_us), start_us, end_us)
            kinds |= {one.kind for one in found}
    return kinds


def test_coverage_told_by_runs_is_that_of_the_items(store: Store, clock: FakeClock) -> None:
    """Runs with gaps between them and without, footage that went and that a hold keeps, and a clock set back."""
    record(store, clock, STREAM, 4)
    record(store, clock, STREAM, 2)  # at once behind the run before
    pause(store, clock, Cause.UNREACHABLE, 7)
    record(store, clock, STREAM, 2)
    kept = segments(store, clock)
    hold(store, ["gate"], kept[2].t0_us, kept[2].t1_us)
    pause(store, clock, Cause.BOX_DOWN, 40 * 86400)
    sweep(store, clock)
    record(store, clock, STREAM, 2)
    clock.utc_us -= 3 * SECOND_US
    store.commit_gap(STREAM, clock.utc_us, Cause.CLOCK_STEP, "")
    record(store, clock, STREAM, 1)

    assert agree(store, clock) == {Kind.RECORDED, Kind.DISCARDED, Kind.GAP}


def test_media_that_could_not_be_removed_is_not_told_as_gone(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one receipt some files went, and one is still there."""
    record(store, clock, STREAM, 4)
    bad = segments(store, clock)[1]
    clock.advance(40 * 86400)
    unlink: Callable[[Path], None] = files.unlink

    def failing(path: Path) -> None:
        if path.name == Path(bad.path).name:
            raise StorageFailed
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "unlink", failing)
        sweep(store, clock)
    assert agree(store, clock) == {Kind.RECORDED, Kind.DISCARDED, Kind.UNKNOWN}
    store.finish_discards()
    assert agree(store, clock) == {Kind.DISCARDED, Kind.UNKNOWN}


def test_nothing_of_an_empty_stretch_is_told(store: Store, clock: FakeClock) -> None:
    """Before the first run there is none; only the gap that lies there."""
    pause(store, clock, Cause.UNREACHABLE, 5)
    record(store, clock, STREAM, 1)
    with store.database.read() as connection:
        assert [one.kind for one in spans(connection, STREAM, 0, clock.utc_us - 3 * SECOND_US)] == [Kind.GAP]


def test_gaps_that_were_summed_are_not_read_again(store: Store, clock: FakeClock) -> None:
    """What came since is added to what was known, and it is the same as all at once."""
    pause(store, clock, Cause.UNREACHABLE, 5)
    record(store, clock, STREAM, 1)
    before = store.gap_seconds(STREAM)
    pause(store, clock, Cause.NO_MEDIA, 3)
    pause(store, clock, Cause.UNREACHABLE, 2)
    after = store.gap_seconds(STREAM, before)

    assert before.seconds == {Cause.UNREACHABLE: 6.0}
    assert after == store.gap_seconds(STREAM)
    assert after.seconds == {Cause.UNREACHABLE: 8.0, Cause.NO_MEDIA: 3.0}
    assert store.gap_seconds(STREAM, after) == after


class Plans:
    """What SQLite does for each statement that is carried out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked: dict[str, Any] = {}
        for engine in (store.database._reader, store.database._writer):
            event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE")):
            self._asked[statement] = parameters

    def of(self, *tables: str) -> dict[str, list[str]]:
        """Of each statement that looks at these tables, what is done with them."""
        connection = sqlite3.connect(self._store.layout.catalogue)
        found = {}
        for statement, parameters in self._asked.items():
            lines = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, parameters)]
            found[statement] = [line for line in lines if any(f" {name} " in f"{line} " for name in tables)]
        connection.close()
        return {statement: lines for statement, lines in found.items() if lines}


FEW = ("USING INDEX going", "USING INDEX damaged")
"""Indexes of what is never much: they may be walked."""


def test_what_is_done_often_walks_no_table(store: Store, clock: FakeClock) -> None:
    """Of 33 million rows a start, a survey, a sweep, a page and a month's coverage find theirs by an index, and none
    goes over all items of a stream: it did, for gaps at each survey, and for what is going at each discard."""
    record(store, clock, STREAM, 3)
    pause(store, clock, Cause.UNREACHABLE, 5)
    clock.advance(40 * 86400)
    plans = Plans(store)
    store.recover()
    survey = Survey(store)
    for _ in range(2):
        survey.look(store.cameras.all(), clock.utc_us)
    assert sweep(store, clock).did == 3
    store.page(STREAM, 0, clock.utc_us, 500)
    store.page(STREAM, 0, clock.utc_us, 500, after_n=1)
    store.coverage(STREAM, 0, clock.utc_us)
    store.ends_us(STREAM)
    store.scrubs.next("main", 2**62, 16)
    assert (store.scrubs.damaged_count(), store.scrubs.damaged(3)) == (0, [])

    found = plans.of("items", "receipts", "runs")
    assert len(found) >= 15
    walked = {line for lines in found.values() for line in lines if "SCAN" in line or line.endswith("(stream_id=?)")}
    assert {line for line in walked if not any(name in line for name in FEW)} <= LAST
    done = "\n".join(line for lines in found.values() for line in lines)
    for index in (
        "runs_by_end (stream_id=? AND t1_us>?)",
        "receipts_by_item (stream_id=? AND n0>? AND n0<?)",
        "gaps_by_end (stream_id=? AND t1_us>?)",
        "items_by_start (stream_id=? AND (t0_us,n)>(?,?) AND t0_us<?)",
    ):
        assert index in done


LAST = {
    "SEARCH items USING INDEX sqlite_autoindex_items_1 (stream_id=?)",  # the newest, in the order of the key: one row
    "SEARCH items USING COVERING INDEX items_by_start (stream_id=?)",  # the highest start: the end of the index
}
"""One row at the end of a range."""
