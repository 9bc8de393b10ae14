"""What the tests of the store stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.store.store import Store
from tests.fakes.box import filled
from tests.fakes.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Store:
    """A box with one camera and four seconds of it; a test that wants another has its own."""
    return filled(tmp_path, clock, "gate", seconds=4)
