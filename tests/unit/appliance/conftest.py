"""What the tests of the command line stand on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import logs
from tests.fakes.terminal import Run, runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    yield runner(monkeypatch, capsys)
    # Logging was sent to this test's own standard error, which ends with the test.
    logs.configure(level="WARNING", stream=sys.__stderr__)
