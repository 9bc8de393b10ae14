"""How an interval stands: by the log and the files of a real store, whoever changed them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from recorder.causes import Cause
from recorder.errors import NotSignedYet, VolumeMissing
from recorder.store.hashing import Hashes, hashed
from recorder.store.store import Store
from retention.evidence.completeness import Standing as Class
from retention.evidence.standing import NothingRecorded, Standing, standing
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


def filled(tmp_path: Path, clock: FakeClock) -> Store:
    """Six seconds, a gap of thirty, six seconds, signed."""
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 6)
    store.checkpoint()
    clock.advance(30)
    store.commit_gap("gate.main", clock.read().utc_us, Cause.UNREACHABLE, "cable")
    record(store, clock, SECOND * 6)
    store.checkpoint()
    return store


def whole(store: Store, clock: FakeClock) -> Standing:
    begun_us = store.cameras.get("gate").registered_us
    return standing(store, "gate", begun_us, segments(store, clock)[-1].t1_us)


def test_an_honest_record_is_complete(tmp_path: Path) -> None:
    """What was recorded is verified, what was not says why (Moonfire 178)."""
    clock = FakeClock()
    found = whole(filled(tmp_path, clock), clock)

    assert found.is_complete, found
    assert [one.standing for one in found.judgement.stretches] == [
        Class.PRESENT_VERIFIED,
        Class.GAP_EXPLAINED,
        Class.PRESENT_VERIFIED,
    ]


def test_a_file_that_is_gone_and_one_that_was_altered(tmp_path: Path) -> None:
    """Each is named by its own word, and the rest stands."""
    clock = FakeClock()
    store = filled(tmp_path, clock)
    first, second, *_ = segments(store, clock)
    store.media_path(first).unlink()
    path = store.media_path(second)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")

    found = whole(store, clock)

    assert not found.is_complete
    assert [one.standing for one in found.judgement.stretches[:3]] == [
        Class.MISSING_UNEXPLAINED,
        Class.ALTERED,
        Class.PRESENT_VERIFIED,
    ]


def test_what_is_not_signed_yet_cannot_be_judged(tmp_path: Path) -> None:
    """It is below no checkpoint: ask again in a minute."""
    clock = FakeClock()
    store = filled(tmp_path, clock)
    record(store, clock, SECOND * 4)

    with pytest.raises(NotSignedYet):
        standing(store, "gate", clock.read().utc_us - 1_000_000, clock.read().utc_us)


def test_before_the_camera_was_registered(tmp_path: Path) -> None:
    """The log tells of nothing then."""
    clock = FakeClock()
    store = filled(tmp_path, clock)

    with pytest.raises(NothingRecorded):
        standing(store, "gate", 0, 1_000_000)


def test_a_discarded_hour_is_lawful(tmp_path: Path) -> None:
    """Forty days later its receipt accounts for it; nothing of it is missing."""
    clock = FakeClock()
    store = filled(tmp_path, clock)
    clock.advance(40 * 86_400)
    gone = [one.id for one in segments(store, clock)][:3]
    assert len(store.discard(gone, "target 31 days, floor 30 days").discarded) == 3

    found = whole(store, clock)

    assert found.is_complete, found
    assert found.judgement.stretches[0].standing is Class.DELETED_LAWFUL


def test_a_catalogue_that_was_edited_hides_nothing(tmp_path: Path) -> None:
    """An intruder drops the rows of a minute: what remains does not lead to what the beats bind."""
    import sqlite3

    clock = FakeClock()
    store = filled(tmp_path, clock)
    store.close()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy" / "catalogue.sqlite") as connection:
        connection.execute("DELETE FROM items WHERE stream_id = 'gate.main' AND n = 1")
    again = Store.open(tmp_path / "copy", clock, exclusive=False)

    assert not whole(again, clock).is_complete


def test_files_are_hashed_by_all_processors_in_their_order(tmp_path: Path) -> None:
    """Each result is that of its own file, and one that cannot be read keeps no other waiting."""
    paths = [tmp_path / f"{n}" for n in range(40)]
    for n, path in enumerate(paths):
        if n % 7:
            path.write_bytes(b"%d" % n * n * 1000)

    found = list(hashed(paths))

    for n, digest in enumerate(found):
        expected = hashlib.sha256(b"%d" % n * n * 1000).hexdigest()
        assert digest == Hashes(expected) if n % 7 else isinstance(digest, VolumeMissing)
