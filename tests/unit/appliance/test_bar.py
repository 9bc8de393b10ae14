"""What a long command says of how far it is, where no line can be drawn anew."""

from __future__ import annotations

import os
import pty
import sys

import pytest

from appliance.cli.bar import bar
from appliance.cli.options import Desk
from config.settings import Settings


def desk(*, as_json: bool = False) -> Desk:
    return Desk(Settings(), as_json, "en", {})


def test_one_line_however_often_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As soon as it is known how much there is to do; nothing where that never is, and nothing for programs."""
    for as_json in (False, True):
        with bar(desk(as_json=as_json), "Reading") as progress:
            progress(0, 0)
            for done in range(500):
                progress(done, 12_300)
    with bar(desk(), "Reading") as progress:
        progress(0, 0)

    assert capsys.readouterr().err == "Reading: 12.3 kB\n"


def test_a_terminal_that_draws_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same line: it would show control characters as they are."""
    monkeypatch.setenv("TERM", "dumb")
    mine, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with bar(desk(), "Reading") as progress:
            progress(1, 2000)
            progress(2000, 2000)
    seen = os.read(mine, 4096)
    os.close(mine)

    assert seen == b"Reading: 2.0 kB\r\n"
