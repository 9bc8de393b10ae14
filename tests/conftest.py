"""What holds for all tests."""

import shutil
from collections.abc import Iterator

import pytest
from hypothesis import settings

from recorder.store import codes
from recorder.store.database import Database
from tests.fakes.clock import FakeClock

# A limit in milliseconds for each example would fail on a busy machine, and says nothing of what is tested.
settings.register_profile("custos", deadline=None)
settings.load_profile("custos")

codes.COST = 2  # type: ignore[misc] # every test makes a box; `test_codes` makes codes as a box does


@pytest.fixture(autouse=True, scope="session")
def new_catalogues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copies of one that the migrations made: every other test makes a box, and to walk them takes longer than most."""
    walked, prepare = tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite", Database.prepare
    made = Database(walked)
    prepare(made)
    made.close()

    def prepared(itself: Database) -> None:
        if not itself._path.exists():
            shutil.copyfile(walked, itself._path)
        prepare(itself)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "prepare", prepared)
        yield


@pytest.fixture
def clock() -> FakeClock:
    """The box's time, which goes on when it is told to."""
    return FakeClock()
