"""The scrub: every stored byte is read again and again, and what is not right any more is told, and kept."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.times import DAY_US, SECOND_US
from recorder.errors import CameraUnknown, ScrubBusy
from recorder.store import files
from recorder.store.fsck import check
from recorder.store.hashing import READ_BYTES, hashes_of
from recorder.store.log.leaves import Leaf
from recorder.store.records import Damage
from recorder.store.scrubs import is_over
from recorder.store.store import Store
from recorder.store.verify import verify
from retention import scrub
from retention.pace import Load, Pace
from retention.scrub import Scrubber, check_now
from tests.fakes.box import filled, new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.plans import plans_of

PACE = Pace(1_000_000, 7)


def idle() -> Load:
    return Load(0.0, False)


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """A box with eight seconds of one camera in four segments, all due."""
    made = filled(tmp_path, clock, "gate", seconds=8)
    clock.advance(8 * 86400)
    yield made
    made.close()


def scrubbed(store: Store, clock: FakeClock) -> Scrubber:
    scrubber = Scrubber(store, clock, PACE, idle)
    while not scrubber.is_through:
        scrubber.run()
    return scrubber


def findings(store: Store) -> list[Leaf]:
    return [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "finding"]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def removed(path: Path) -> None:
    path.unlink()


def test_what_is_right_is_no_news(store: Store, clock: FakeClock) -> None:
    """All was read, no entry was written, and nothing is due before a week has passed."""
    size, stored = store.log_size, segments(store, clock)
    scrubbed(store, clock)
    (progress,) = store.scrubs.progress()

    assert progress.bytes == progress.total_bytes == sum(one.bytes for one in stored)
    assert (store.log_size, store.scrubs.damaged(10)) == (size, [])
    before = store.elapsed_us() - 7 * DAY_US
    assert store.scrubs.next("main", before, 10) == []
    clock.advance(7 * 86400 + 1)
    assert len(store.scrubs.next("main", store.elapsed_us() - 7 * DAY_US, 10)) == len(stored)


@pytest.mark.parametrize(
    ("harm", "damage"),
    [(flipped, Damage.HASH_DIFFERS), (cut, Damage.WRONG_SIZE), (removed, Damage.MISSING)],
    ids=["flipped", "cut", "removed"],
)
def test_damage_is_told_once_and_never_deleted(
    store: Store, clock: FakeClock, harm: Callable[[Path], None], damage: Damage
) -> None:
    """One entry by its name, however many passes find it; the file stays as it is."""
    one = segments(store, clock)[1]
    harm(store.media_path(one))
    there = store.media_path(one).exists()
    for _ in range(3):
        scrubbed(store, clock)
        clock.advance(8 * 86400)

    (leaf,) = findings(store)
    assert dict(leaf.fields) == {"what": "segment_damaged", "stream": "gate.main", "n": one.n, "damage": damage.value}
    assert [(found.segment_id, found.damage) for found in store.scrubs.damaged(10)] == [(one.id, damage)]
    assert store.scrubs.damaged_count() == 1
    assert store.media_path(one).exists() is there
    assert store.segment(one.id).state == one.state


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_disk_that_does_not_give_its_bytes(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """An error of one file, whichever, is damage of that file; the others are read all the same."""
    bad = store.media_path(segments(store, clock)[0])
    pieces = files.pieces

    def failing(path: Path, buffer: bytearray) -> Iterator[memoryview]:
        if path == bad:
            with files.translated(path):
                raise OSError(number, os.strerror(number))
        yield from pieces(path, buffer)

    monkeypatch.setattr(files, "pieces", failing)
    scrubbed(store, clock)

    assert [found.damage for found in store.scrubs.damaged(10)] == [Damage.UNREADABLE]
    assert store.scrubs.progress()[0].bytes == sum(one.bytes for one in segments(store, clock))


def test_what_is_right_again_is_told(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """A file that is back: an entry that names the one before, and no damage any more."""
    path = store.media_path(segments(store, clock)[2])
    shutil.move(path, tmp_path / "aside")
    scrubbed(store, clock)
    shutil.move(tmp_path / "aside", path)
    clock.advance(8 * 86400)
    scrubbed(store, clock)
    store.checkpoint()

    told, again = findings(store)
    assert again.fields["what"] == "segment_right_again"
    assert store.leaves(again.fields["told"], again.fields["told"] + 1).__next__()[1] == told
    assert store.scrubs.damaged(10) == []
    assert verify(store) == []


def test_a_volume_that_is_away_is_no_loss_of_footage(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Where another disk is mounted, or none, no file of it is called missing; when it is back, it is read."""
    shutil.move(store.layout.volume(), tmp_path / "aside")
    store.layout.volume().mkdir()
    scrubbed(store, clock)
    assert findings(store) == []
    store.layout.volume().rmdir()
    shutil.move(tmp_path / "aside", store.layout.volume())
    scrubbed(store, clock)

    assert findings(store) == []
    assert store.scrubs.progress()[0].bytes > 0


def test_reading_goes_no_faster_than_it_may(store: Store, clock: FakeClock) -> None:
    """By the clock that was handed in: so many bytes take so many seconds."""
    before_us = clock.mono_us
    scrubbed(store, clock)

    stored = sum(one.bytes for one in segments(store, clock))
    assert clock.mono_us - before_us >= stored * SECOND_US // PACE.rate_bytes_s - 1000


def test_nothing_is_read_while_recording_has_trouble(store: Store, clock: FakeClock) -> None:
    """It waits until the disk does its work again, and then goes on where it was."""
    looks: list[int] = []

    def load() -> Load:
        looks.append(len(store.scrubs.progress()))
        return Load(2.0 if len(looks) < 5 else 0.0, False)

    before_us = clock.mono_us
    Scrubber(store, clock, PACE, load).run()

    assert clock.mono_us - before_us >= 4 * scrub.PRESSED_PAUSE_S * SECOND_US
    assert set(looks[:4]) == {0}
    assert store.scrubs.progress()[0].bytes == sum(one.bytes for one in segments(store, clock))


def test_a_box_that_stops_leaves_what_it_was_reading(store: Store, clock: FakeClock) -> None:
    """What was whole is written down; the rest is read at the next start, and nothing twice."""
    loads: list[int] = []

    def load() -> Load:
        loads.append(1)
        if len(loads) == 4:  # asked before each file, and behind each piece of it: the second is whole then
            scrubber.stop()
        return idle()

    scrubber = Scrubber(store, clock, PACE, load)
    scrubber.run()
    first = store.scrubs.progress()[0].bytes
    sizes = [one.bytes for one in segments(store, clock)]
    scrubber.run()

    assert first == sizes[0] + sizes[1]
    assert store.scrubs.progress()[0].bytes == first
    scrubbed(store, clock)
    assert store.scrubs.progress()[0].total_bytes == sum(sizes)


def test_where_it_was_survives_a_restart(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Pass, bytes and order lie in the catalogue."""
    due = store.scrubs.next("main", store.elapsed_us(), 2)
    store.scrubs.note(store.scrubs.look(one) for one in due)
    before = store.scrubs.progress()
    store.close()
    again = Store.open(tmp_path / "data", clock)

    assert again.scrubs.progress() == before
    left = again.scrubs.next("main", again.elapsed_us(), 10)
    assert not {one.n for one in left} & {one.n for one in due}
    again.close()


def test_a_pass_ends_and_the_next_begins(store: Store, clock: FakeClock) -> None:
    """When what comes next was looked at in this pass already; bytes begin anew, and the whole is not forgotten."""
    scrubbed(store, clock)
    (one,) = store.scrubs.progress()
    clock.advance(8 * 86400)
    scrubbed(store, clock)
    (two,) = store.scrubs.progress()

    assert (one.passes, two.passes) == (0, 1)
    assert two.bytes == one.bytes
    assert two.total_bytes == 2 * one.bytes
    assert two.begun_us > one.begun_us
    assert is_over(two, store.scrubs.next("main", 2**62, 1)[0])


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["scrub", "ask", "record", "day", "set back"]), max_size=8))
def test_nothing_is_looked_at_while_something_older_waits(
    tmp_path_factory: pytest.TempPathFactory, does: list[str]
) -> None:
    """Whatever was recorded, asked for or set meanwhile: of all that is stored, what comes next waited longest."""
    clock = FakeClock()
    store = filled(tmp_path_factory.mktemp("box"), clock, "gate", seconds=4)
    for one in does:
        _do(store, clock, one)
        before_us = min(found.checked_elapsed_us or 0 for found in _all(store))
        found = store.scrubs.next("main", 2**62, 1)[0]
        assert (found.checked_elapsed_us or 0) == before_us
    store.close()


def _do(store: Store, clock: FakeClock, what: str) -> None:
    clock.advance(60)
    if what == "scrub":
        store.scrubs.note([store.scrubs.look(store.scrubs.next("main", 2**62, 1)[0])])
    elif what == "ask":
        check_now(store, clock, "gate", 0, 2**62)
    elif what == "record":
        record(store, clock, SECOND * 2)
    elif what == "day":
        clock.advance(86400)
    else:
        clock.utc_us -= 400 * DAY_US


def _all(store: Store) -> list[Any]:
    return store.scrubs.between("gate.main", 0, 2**62, 1000)


def test_a_discard_tells_what_the_scrub_last_found(store: Store, clock: FakeClock) -> None:
    """When what goes was last looked at, in box time, and how much of it was not right."""
    flipped(store.media_path(segments(store, clock)[0]))
    scrubbed(store, clock)
    at_us = store.elapsed_us()
    clock.advance(40 * 86400)
    store.discard([one.id for one in segments(store, clock)], "target")
    (leaf,) = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "del"]

    assert leaf.fields["damaged"] == 1
    assert 0 <= at_us - leaf.fields["checked_elapsed_us"] < 120 * SECOND_US
    assert store.scrubs.damaged(10) == []
    assert check(store) == []


def test_what_goes_while_it_is_read_is_no_damage(store: Store, clock: FakeClock) -> None:
    """A discard between reading and writing down: its row is not `present` any more, and nothing is said of it."""
    clock.advance(40 * 86400)
    (one, *_) = segments(store, clock)
    what = store.scrubs.between("gate.main", one.t0_us, one.t1_us, 1)[0]
    store.discard([one.id], "target")
    found = store.scrubs.look(what)

    assert found.damage is Damage.MISSING
    assert store.scrubs.note([found]) == []
    assert findings(store) == []


def test_an_interval_is_checked_at_once(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few files a request, each told where to go on; what is damaged is written down as by the scrub."""
    monkeypatch.setattr(scrub, "NOW_LIMIT", 2)
    stored = segments(store, clock)
    flipped(store.media_path(stored[-1]))
    pages, after = [], None
    while not pages or after is not None:
        pages.append(check_now(store, clock, "gate", 0, 2**62, after))
        after = pages[-1].next_n

    assert sum(page.checked for page in pages) == len(stored)
    assert pages[0].left_bytes == sum(one.bytes for one in stored[2:])
    assert [one.what.id for page in pages for one in page.damaged] == [stored[-1].id]
    assert len(findings(store)) == 1


def test_one_is_checked_for_at_a_time(store: Store, clock: FakeClock) -> None:
    """The second is told so; and a camera that is none is named."""
    with store.scrubs.by_request(), pytest.raises(ScrubBusy):
        check_now(store, clock, "gate", 0, 2**62)
    with pytest.raises(CameraUnknown):
        check_now(store, clock, "nobody", 0, 2**62)
    assert check_now(store, clock, "gate", 0, 1).checked == 0


def test_reading_leaves_nothing_in_the_page_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece is given back as soon as it was hashed, and the buffer is one piece, however large the file."""
    advice: list[tuple[int, int, int]] = []
    real = os.posix_fadvise
    monkeypatch.setattr(os, "posix_fadvise", lambda fd, at, n, how: (advice.append((at, n, how)), real(fd, at, n, how)))
    path = tmp_path / "file"
    path.write_bytes(bytes(READ_BYTES * 2 + 5))
    seen: list[int] = []
    hashes_of(path, with_sm3=False, passed=seen.append)

    assert seen == [READ_BYTES, READ_BYTES, 5]
    given_back = [(at, n) for at, n, how in advice if how == os.POSIX_FADV_DONTNEED]
    assert given_back == [(0, READ_BYTES), (READ_BYTES, READ_BYTES), (2 * READ_BYTES, 5)]


def test_what_is_asked_every_minute_walks_no_table(store: Store) -> None:
    """The queries behind status and scrub go by an index of what is here, or of what is damaged."""
    scrubs = store.scrubs
    due = plans_of(store, "items", lambda: scrubs.next("main", 2**62, 16), lambda: scrubs.oldest_elapsed_us("main"))
    bad = plans_of(store, "items", scrubs.damaged_count, lambda: scrubs.damaged(3))

    assert len(due) == len(bad) == 2  # no step besides, such as putting in order
    assert all("INDEX present_by_check" in one for one in due), due
    assert all("INDEX damaged" in one for one in bad), bad


def test_an_old_box_is_looked_at_first(tmp_path: Path, clock: FakeClock) -> None:
    """What lay there before there was a scrub was never looked at: it comes before all else, and `del` says nothing."""
    store = new_store(tmp_path, clock, "gate", "yard")
    clock.advance(2)
    record(store, clock, SECOND * 4)
    record(store, clock, SECOND * 4, "yard")
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE items SET checked_elapsed_us = NULL WHERE stream_id = 'yard.main'")
    assert {one.stream_id for one in store.scrubs.next("main", 0, 10)} == {"yard.main"}
    clock.advance(40 * 86400)
    store.discard([one.id for one in segments(store, clock, "yard")], "target")
    (leaf,) = [leaf for _, leaf in store.leaves(0, store.log_size) if leaf.type == "del"]

    assert not {"damaged", "checked_elapsed_us"} & set(leaf.fields)
    store.close()
