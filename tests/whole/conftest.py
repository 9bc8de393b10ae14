"""What the tests of the whole box stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with an empty disk; whatever runs on it is ended with the test."""
    here = Machine(tmp_path)
    yield here
    here.end()
