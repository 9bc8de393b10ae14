"""The bench of rows: that its catalogue is a real one, that all is measured, and that the page says what was found.

Nothing is timed here; what the rows of years cost is for `make bench` to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from bench import rows, years
from bench.proof import TooLittleDisk
from bench.rows import Figures, Measuring
from config.clock import SystemClock
from config.times import DAY_US, MINUTE_US
from recorder.capture.recording import Recording
from recorder.capture.source import Track
from recorder.causes import Cause
from recorder.store.daycount import may_go_us
from recorder.store.records import CodecName, Gap, MediaState, Segment
from recorder.store.store import Store
from recorder.store.tiling import Kind
from tests.fakes.box import new_store
from tests.fakes.camera import SECOND, packets
from tests.fakes.clock import FakeClock

FEW = years.SLOTS_A_DAY // 2 + 5
"""Minutes of each stream: with the day's gap, and two runs."""


DUE = 5
"""Segments of each stream that are past their target."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box of three streams, made once; who changes it is told last."""
    made, clock = tmp_path_factory.mktemp("rows"), SystemClock()
    wanted = replace(years.extent(3 * years.ROWS_A_STREAM, clock.read().utc_us, due=12), slots=FEW)
    assert (wanted.streams, wanted.due_slots) == (3, DUE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(years, "TOGETHER", 600)
        patch.setattr(years, "ENTRIES_KEPT", 512)
        years.make(made / "box", wanted, clock)
    return made


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    opened = Store.open(folder / "box", SystemClock())
    yield opened
    opened.close()


def test_generated_rows_are_what_the_log_tells(store: Store) -> None:
    """Their chain holds, the newest says what its leaf says, and the tree of the leaves is the signed one."""
    items = store.items("camera-001.main", 0, 2**62)

    assert [one.n for one in items] == list(range(FEW))
    assert all((after.prev, after.t0_us) == (one.leaf_hash, one.t1_us) for one, after in pairwise(items))
    assert [one.n for one in items if isinstance(one, Gap)] == [years.SLOTS_A_DAY // 2]
    assert {one.run for one in items if isinstance(one, Segment)} == {0, years.SLOTS_A_DAY // 2 + 1}
    newest = items[-1]
    ((_, leaf),) = store.leaves(newest.leaf_index, newest.leaf_index + 1)
    assert isinstance(newest, Segment)
    assert leaf.fields["stream"] == newest.stream_id
    told = ("n", "prev", "sha256", "bytes", "init_sha256", "run", "width", "clock_drift_ppb")
    assert [leaf.fields[name] for name in told] == [getattr(newest, name) for name in told]
    signed = store.latest_checkpoint()
    assert signed is not None
    assert store.root_at(signed.size).hex() == signed.root


def test_what_is_due_is_there_and_nothing_else(store: Store) -> None:
    """The first minutes of each stream are past their target, by both clocks, and have files."""
    now_us, elapsed_us = SystemClock().read().utc_us, store.elapsed_us()
    for camera in store.cameras.all():
        media = [one for one in store.items(camera.stream_id, 0, 2**62) if isinstance(one, Segment)]
        due = [one for one in media if may_go_us(one.t1_us, years.KEPT_DAYS, store.zone, None, now_us) <= now_us]
        assert due == media[:DUE]
        assert [one for one in media if store.media_path(one).exists()] == due
        assert all(elapsed_us - one.elapsed_us > years.KEPT_DAYS * DAY_US for one in due)


def test_thirty_three_million_rows_are_256_streams_of_ninety_days() -> None:
    """And some hours more of each, which are due; a million are eight."""
    now_us = 1_795_000_000_000_000
    large, small = years.extent(33_177_600, now_us), years.extent(1_000_000, now_us)

    assert (large.streams, small.streams) == (256, 8)
    assert large.slots >= years.ROWS_A_STREAM
    assert small.streams * (small.due_slots - 1) >= years.DUE
    assert large.begin_us + large.slots * MINUTE_US <= now_us < large.begin_us + (large.slots + 1) * MINUTE_US


def test_everything_is_measured_and_what_is_due_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure is there, segments were committed meanwhile, and what went is told as gone."""
    for name, value in {"ASKED": 5, "COLD": 1, "COMMITS_S": 0.1, "COMMIT_EACH_S": 0.01, "PAGE": 3}.items():
        monkeypatch.setattr(rows, name, value)
    monkeypatch.setattr(Measuring, "_start", lambda self: None)  # it starts a whole box: `make bench` does
    found = Measuring(folder / "box").run()

    assert found.rows > 3 * FEW
    assert (found.streams, found.swept) == (3, 3 * DUE)
    assert (len(found.page_us), len(found.month_us), len(found.survey_us), len(found.api_us)) == (5, 5, 3, 1)
    assert found.beside_us
    store = Store.open(folder / "box", SystemClock(), exclusive=False)
    media = [one for one in store.items("camera-002.main", 0, 2**62) if isinstance(one, Segment)]
    assert [one.state for one in media[: DUE + 1]] == [MediaState.GONE] * DUE + [MediaState.PRESENT]
    assert len([one for one in store.items("beside.main", 0, 2**62) if isinstance(one, Segment)]) >= 1
    assert not any(store.media_path(one).exists() for one in media)
    assert store.coverage("camera-002.main", media[0].t0_us, media[-1].t1_us)[0].kind is Kind.DISCARDED
    store.close()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    """With how much it would take; and nothing is left."""
    with pytest.raises(TooLittleDisk, match="GB"):
        rows.figures_of(10**12, tmp_path)
    assert list(tmp_path.iterdir()) == []


def figures(count: int) -> Figures:
    found = Figures(rows=count, streams=8, catalogue_bytes=count * 640, log_bytes=count * 34)
    found.page_us = found.page_cpu_us = found.page_cold_us = found.api_us = [3000, 4000, 5000]
    found.month_us = found.month_cpu_us = found.month_cold_us = [1000, 2000]
    found.survey_us, found.open_us, found.first_frame_us = [900_000, 80_000], [700_000, 400_000], [1_900_000, 1_500_000]
    found.on_disk_us = [3_900_000, 3_600_000]
    found.alone_us, found.beside_us, found.sweep_us, found.swept = [4000], [5000, 30_000], 4_000_000, 20_000
    return found


def test_page_says_what_was_found() -> None:
    """A column for each catalogue, with the goals beside; what a sweep of another length comes to, too."""
    page = rows.page([figures(131_000), figures(33_000_000)], ["date: today", "the machine was shared"])

    for words in (
        "- date: today\n- the machine was shared\n",
        "|  | 131,000 rows | 33,000,000 rows |",
        "| catalogue, bytes | 83,840,000 (640 a row) | 21,120,000,000 (640 a row) |",
        "| page of 500 (goal: 5 ms) | 4.0 / 5.0 ms |",
        "| sweep (goal: 10,000 in 10 s) | 20,000 in 4.0 s (10,000: 2.0 s) |",
        "| commit beside the sweep (goal: 100 ms more) | 5.0 / 30.0 ms, at most 30.0 ms |",
        "| `custos run` to the first recorded frame (goal: 2 s) | 1.90 s, 1.50 s |",
        "| — until that lay on the disk | 3.90 s, 3.60 s |",
    ):
        assert words in page, page


def test_the_beginning_of_a_file_is_no_frame(tmp_path: Path, clock: FakeClock) -> None:
    """It is written before any picture is; a frame lies on the disk when its fragment does."""
    store = new_store(tmp_path, clock, "gate")
    clock.advance(1)
    recording = Recording(store, "gate.main", MINUTE_US, Cause.NO_MEDIA, "")
    recording.begin(Track(CodecName.H264))
    volume, seen = store.layout.volume(), list[tuple[bool, int]]()
    for packet in packets("I" + "P" * 19 + SECOND * 2, clock):
        recording.feed(packet)
        sizes = [one.stat().st_size for one in volume.rglob("*.part")]
        seen.append((sizes > [0], len(rows.with_fragment(volume))))

    assert [one for one, _ in groupby(seen)] == [(False, 0), (True, 0), (True, 1)]
    recording.abandon()
    store.close()


def test_a_box_that_records_nothing_has_no_figure() -> None:
    """It is told, and is no failure of the page."""
    found = figures(131_000)
    found.first_frame_us, found.alone_us = [], []
    assert "none came" in rows.table([found])


def test_arguments_are_understood() -> None:
    """A million rows; the whole thirty-three million when asked for."""
    assert rows.arguments([]).rows == 1_000_000
    assert rows.arguments(["--rows", "33177600", "--make", "/x"]).make == Path("/x")
