"""Deletion receipts: what the log says of what was discarded, a page at a time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from config.times import DAY_US, SECOND_US, format_us
from recorder.errors import CatalogueCorrupt
from recorder.store import tables
from recorder.store.fsck import check
from recorder.store.keeping import rules_hash
from recorder.store.receipts import announced, reported
from recorder.store.records import ManagedBy, Receipt
from recorder.store.segments import holds_hash
from recorder.store.store import Store
from recorder.store.verify import verify
from retention.sweep import sweep
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.plans import plans_of
from tests.fakes.power import PowerCut
from tests.store.test_store import put_back


def box(tmp_path: Path) -> tuple[Store, FakeClock]:
    """A box with three segments of camera `gate`, of 1 March 2026."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    clock.advance(1)
    record(store, clock, SECOND * 6)
    store.checkpoint()
    return store, clock


def test_a_receipt_tells_what_went_when_and_why(tmp_path: Path) -> None:
    """Items and times, both entries, rule and floor, ages by both clocks, and hashes of holds and rules (Frigate 2692,
    8810)."""
    store, clock = box(tmp_path)
    first, *_, last = segments(store, clock)
    clock.advance(40 * 86_400)
    clock.set_wall("2026-05-01T00:00:00Z")
    holds = holds_then(store)
    report = sweep(store, clock)

    (one,) = store.receipts.page("gate.main", 10)

    newest_s = 40 * 86_400 + round((clock.mono_us - 1_000 * SECOND_US - 40 * DAY_US - last.elapsed_us) / SECOND_US)
    assert (one.stream_id, one.n0, one.n1) == ("gate.main", first.n, last.n)
    assert (one.t0_us, one.t1_us) == (first.t0_us, last.t1_us)
    assert (one.at_us, one.bytes) == (clock.utc_us, report.bytes)
    assert (one.rule, one.floor_days) == ("target 31 days, floor 30 days", 30)
    assert one.age_wall_us == clock.utc_us - last.t1_us
    assert abs(one.age_elapsed_us - newest_s * SECOND_US) < 2 * SECOND_US
    assert (one.holds, one.rules) == (holds, rules_hash(store.cameras.rules("gate")))
    assert (one.zone, one.utc_offset_s) == ("Asia/Shanghai", 28_800)
    assert one.done_leaf is not None
    leaves = dict(store.leaves(0, store.log_size))
    assert (leaves[one.leaf_index].type, leaves[one.done_leaf].type) == ("del", "del.done")
    assert one.done_us == leaves[one.done_leaf].at_us
    assert store.receipts.page("yard.main", 10) == []
    assert verify(store) == []


def holds_then(store: Store) -> str:
    with store.database.read() as connection:
        return holds_hash(connection)


def test_what_is_still_to_be_unlinked_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power goes between the two entries: the receipt has one of them until the next start."""

    def cut(*arguments: object) -> None:
        raise PowerCut

    store, clock = box(tmp_path)
    clock.advance(40 * 86_400)
    with monkeypatch.context() as patch:
        patch.setattr("recorder.store.files.unlink", cut)
        with pytest.raises(PowerCut):
            sweep(store, clock)
    (half,) = store.receipts.page("gate.main", 10)
    store.close()
    store = Store.open(tmp_path / "data", clock)
    store.recover()
    store.checkpoint()
    (whole,) = store.receipts.page("gate.main", 10)

    assert (half.done_leaf, half.done_us) == (None, None)
    assert whole.done_leaf is not None
    assert whole.leaf_index == half.leaf_index
    assert verify(store) == []


def test_one_report_of_two_receipts(tmp_path: Path) -> None:
    """Footage of two floors goes at once: two entries announce it, one reports it, and each receipt has it."""
    store, clock = box(tmp_path)
    store.cameras.change("gate", ManagedBy.API, {"floor_days": 90})
    store.cameras.change("gate", ManagedBy.API, {"floor_days": None})
    head = store.head("gate.main")
    assert segments(store, clock)[-1].n == head.next_n - 1  # the next one follows without a gap between
    record(store, clock, SECOND * 2)
    clock.advance(100 * 86_400)
    store.discard([one.id for one in segments(store, clock)], "by hand")
    store.checkpoint()

    found = store.receipts.page("gate.main", 10)

    assert sorted(one.floor_days for one in found) == [30, 90]
    assert None not in {one.done_leaf for one in found}
    assert verify(store) == []


def test_a_catalogue_from_before_receipts_had_rows(tmp_path: Path) -> None:
    """What it discarded then its items tell: the rows are the same that it would have had."""
    store, clock = box(tmp_path)
    clock.advance(1)
    record(store, clock, SECOND * 2)
    clock.advance(40 * 86_400)
    first, second, *_ = segments(store, clock)
    store.discard([first.id, second.id], "by hand")
    clock.advance(1)
    sweep(store, clock)
    before = store.receipts.page("gate.main", 10)
    store.close()
    put_back(tmp_path / "data", "0013")
    store = Store.open(tmp_path / "data", clock)

    assert len(before) > 1
    assert store.receipts.page("gate.main", 10) == before


MANY = 3_000


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A box that has discarded an hour's footage of a camera three thousand times over; its disk is another's now."""
    clock = FakeClock()
    store = new_store(tmp_path_factory.mktemp("years"), clock, "gate", "yard")
    for begins in range(0, MANY, 500):
        more(store, clock, range(begins, begins + 500))
    store.checkpoint()
    shutil.rmtree(store.layout.volume())
    return store


def more(store: Store, clock: FakeClock, numbers: range) -> None:
    """Entries and rows as `discard` writes them, of another camera now and then; one report tells of ten of them."""
    with store.database.write() as connection:
        for number in numbers:
            for stream_id in ("gate.main", "yard.main")[: 1 + (number % 10 == 0)]:
                clock.advance(60)
                span = {"stream": stream_id, "n0": 60 * number, "n1": 60 * number + 59}
                fields = {**span, "rule": "target 31 days, floor 30 days", "floor_days": 30, "bytes": number}
                fields |= {"t1": format_us(clock.utc_us - 32 * DAY_US), "age_wall_us": 32 * DAY_US}
                fields |= {"age_elapsed_us": 32 * DAY_US, "holds": "0" * 64}
                entry = store.ledger.append(connection, "del", fields)
                announced(connection, entry.index, stream_id, span["n0"], span["n1"])
            if number % 10 == 9:
                span = {"stream": "gate.main", "n0": 60 * (number - 9), "n1": 60 * number + 59}
                done = store.ledger.append(connection, "del.done", span)
                reported(connection, done.index, "gate.main", span["n0"], span["n1"])


def paged(store: Store, limit: int) -> list[list[Receipt]]:
    pages: list[list[Receipt]] = []
    while found := store.receipts.page("gate.main", limit, pages[-1][-1].leaf_index if pages else None):
        pages.append(found)
    return pages


@pytest.mark.parametrize("limit", [7, 500, 1_000])
def test_thousands_of_receipts_are_paged_by_key(years: Store, limit: int) -> None:
    """Each once, the newest first, of this camera alone; and no media is touched, for there is none."""
    pages = paged(years, limit)

    assert {len(page) for page in pages[:-1]} <= {limit}
    found = [one.n0 // 60 for page in pages for one in page]
    assert found == list(range(MANY - 1, -1, -1))
    assert {one.bytes - one.n0 // 60 for page in pages for one in page} == {0}
    assert None not in {one.done_us for page in pages for one in page}
    assert not years.layout.volume().exists()


def test_a_page_never_shifts_while_more_is_discarded(tmp_path: Path) -> None:
    """What comes meanwhile stands before the pages that were read already."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate", "yard")
    more(store, clock, range(50))
    first = store.receipts.page("gate.main", 20)
    more(store, clock, range(50, 90))
    second = store.receipts.page("gate.main", 20, first[-1].leaf_index)

    assert [one.n0 // 60 for one in (*first, *second)] == list(range(49, 9, -1))


def test_a_page_is_found_by_its_index(years: Store) -> None:
    """However many receipts there are, as many rows are read as the page has."""
    of_receipts, of_items = plans_of(years, "receipts", lambda: years.receipts.page("gate.main", 100, 5000))

    assert "USING INDEX receipts_of (stream_id=? AND leaf_index<?)" in of_receipts
    assert of_items.startswith("SEARCH items USING INDEX")


FORGED = {
    "a receipt is taken away": "DELETE FROM receipts",
    "a receipt tells of another item": "UPDATE receipts SET n1 = n1 + 1",
    "a receipt of no entry": "INSERT INTO receipts (leaf_index, stream_id, n0, n1) VALUES (0, 'gate.main', 0, 0)",
    "a receipt forgets that it is done": "UPDATE receipts SET done_leaf = NULL",
    "a receipt is done by another entry": "UPDATE receipts SET done_leaf = 0",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_row_of_a_receipt_that_somebody_edited_is_found(tmp_path: Path, name: str) -> None:
    """Invariant 5: each row is what its entries say, and each entry has its row."""
    store, clock = box(tmp_path)
    clock.advance(40 * 86_400)
    sweep(store, clock)
    store.checkpoint()
    assert check(store) == []
    with store.database.write() as connection:
        connection.exec_driver_sql(FORGED[name])

    found = check(store)

    assert {one.invariant for one in found} == {5}
    assert all(one.where.startswith("receipt ") for one in found)


def test_a_row_that_points_to_another_entry_is_no_receipt(tmp_path: Path) -> None:
    """Nothing is told from it; the sentence says what to run."""
    store, clock = box(tmp_path)
    clock.advance(40 * 86_400)
    sweep(store, clock)
    with store.database.write() as connection:
        assert connection.execute(select(tables.receipts.c.leaf_index)).scalar_one() > 0
        connection.exec_driver_sql("UPDATE receipts SET leaf_index = 0")

    with pytest.raises(CatalogueCorrupt, match="custos fsck"):
        store.receipts.page("gate.main", 10)
