"""The command line in this process, and what it left on the terminal."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import NamedTuple, Protocol

import pytest

from appliance import cli


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class Run(Protocol):
    """Runs `custos` with these arguments; `typed` is what it finds on standard input."""

    def __call__(self, *arguments: str, typed: bytes | None = None) -> Ended: ...


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What runs a command as its user does, as far as one process can."""

    def run(*arguments: str, typed: bytes | None = None) -> Ended:
        monkeypatch.setattr(sys, "argv", ["custos", *arguments])
        if typed is not None:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(typed)))
        code = 0
        try:
            cli.main()
        except SystemExit as err:
            code = int(err.code or 0)
        seen = capsys.readouterr()
        return Ended(code, seen.out, seen.err)

    return run
