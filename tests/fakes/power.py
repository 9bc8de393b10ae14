"""Power that fails: the call that makes something durable is never made, and what was not yet durable may be gone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


class PowerCut(BaseException):
    """The machine is off: nothing of the program runs on, so nothing may catch this."""


class Power:
    """Counts the calls that write, and fails before the one that it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self._fails_at: int | None = None
        for owner, name in ((os, "writev"), (os, "fsync"), (Path, "rename")):
            monkeypatch.setattr(owner, name, self._counted(name, getattr(owner, name)))

    def fail_before(self, number: int | None) -> None:
        """Of the calls from now on, the one of this number (the first is 0); None: none."""
        self.calls.clear()
        self._fails_at = number

    def _counted(self, name: str, call: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            if self._fails_at == len(self.calls):
                raise PowerCut
            self.calls.append(name)
            return call(*arguments)

        return counted
