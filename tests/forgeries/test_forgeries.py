"""`verify` finds, names and places every forgery of the museum (`forge`)."""

import hashlib
import shutil
from pathlib import Path

import pytest

from recorder.causes import Cause
from recorder.store.records import Asker, ViewKind
from recorder.store.store import Store
from recorder.store.verify import verify
from tests.fakes.box import new_store, record
from tests.fakes.clock import FakeClock
from tests.forgeries.forge import PLACES, SM_PLACES, Forger

SECOND = "I" + "P" * 9


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed data directory with nothing wrong: two cameras, gaps, runs, two checkpoints."""
    return filled(tmp_path_factory.mktemp("honest"), sm=False)


@pytest.fixture(scope="module")
def with_sm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a box with commercial cryptography."""
    return filled(tmp_path_factory.mktemp("sm"), sm=True)


def filled(folder: Path, *, sm: bool) -> Path:
    clock = FakeClock()
    store = new_store(folder, clock, "gate", "yard", sm=sm)
    clock.advance(3)
    record(store, clock, SECOND * 8)
    record(store, clock, SECOND * 4, "yard")
    store.views.note("gate.main", ViewKind.MEDIA, clock.read().utc_us, clock.read().utc_us, Asker("token", "192.0.2.7"))
    store.checkpoint()
    older = store.checkpoint_text()
    clock.advance(30)
    store.commit_gap("gate.main", clock.read().utc_us, Cause.UNREACHABLE, "cable")
    record(store, clock, SECOND * 8)
    record(store, clock, SECOND * 4, "yard")
    store.commit_gap("gate.main", clock.read().utc_us, Cause.NO_MEDIA)
    store.checkpoint()
    store.close()
    (folder / "data" / "older-checkpoint").write_text(older)
    return folder / "data"


def findings(data: Path) -> list[tuple[int, str, str]]:
    store = Store.open(data, FakeClock(), exclusive=False)
    try:
        return [(one.invariant, one.where, one.what) for one in verify(store)]
    finally:
        store.close()


def test_an_honest_directory_has_no_findings(honest: Path) -> None:
    """Nothing is found where nothing is wrong; otherwise the other tests would prove nothing."""
    assert findings(honest) == []


@pytest.mark.parametrize("forger", PLACES, ids=lambda forger: forger.__name__)
def test_a_forgery_is_found_named_and_placed(honest: Path, tmp_path: Path, forger: Forger) -> None:
    """The right invariant speaks of the right place, in words, and nothing is mended."""
    data = tmp_path / "data"
    shutil.copytree(honest, data)
    forger(data)

    found = findings(data)

    invariant, place = PLACES[forger]
    assert [one for one in found if one[0] == invariant and place in one[1]], found
    assert all(what for _, _, what in found)


@pytest.mark.parametrize("forger", SM_PLACES, ids=lambda forger: forger.__name__)
def test_a_forgery_about_sm_is_found(with_sm: Path, tmp_path: Path, forger: Forger) -> None:
    """In a directory with which nothing is wrong before."""
    data = tmp_path / "data"
    shutil.copytree(with_sm, data)
    assert findings(data) == []
    forger(data)

    found = findings(data)

    invariant, place = SM_PLACES[forger]
    assert [one for one in found if one[0] == invariant and place in one[1]], found


def test_an_sm3_that_was_wrong_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that lies to its log: bytes are compared with both hashes."""
    monkeypatch.setattr("recorder.store.parts.sm3", hashlib.sha256)
    found = findings(filled(tmp_path, sm=True))

    assert {invariant for invariant, _, _ in found} == {10}


def test_one_damaged_place_does_not_hide_another(honest: Path, tmp_path: Path) -> None:
    """Checks go on behind what they found."""
    data = tmp_path / "data"
    shutil.copytree(honest, data)
    by_name = {forger.__name__: forger for forger in PLACES}
    for name in ("byte_flipped_in_media", "media_file_deleted", "hash_tile_edited"):
        by_name[name](data)

    assert {1, 6, 10} <= {invariant for invariant, _, _ in findings(data)}
