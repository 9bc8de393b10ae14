"""What holds for all tests."""

import pytest
from hypothesis import settings

from recorder.store import codes
from tests.fakes.clock import FakeClock

# A limit in milliseconds for each example would fail on a busy machine, and says nothing of what is tested.
settings.register_profile("custos", deadline=None)
settings.load_profile("custos")

codes.COST = 2  # type: ignore[misc] # every test makes a box; `test_codes` makes codes as a box does


@pytest.fixture
def clock() -> FakeClock:
    """The box's time, which goes on when it is told to."""
    return FakeClock()
