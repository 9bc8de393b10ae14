"""The nth write of the store fails: before it is done, or after it was."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import Connection

from recorder.errors import StorageFailed
from recorder.store import files
from recorder.store.database import Database

Mode = Literal["failed", "failed but written"]


class FailingWrites:
    """Counts what becomes durable one step at a time: contents of files, their names, transactions."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._fail_at: int | None = None
        self._mode: Mode = "failed"
        write, call = Database.write, self

        @contextmanager
        def failing(database: Database) -> Iterator[Connection]:
            is_hit = call._is_hit()
            with write(database) as connection:
                yield connection
                if is_hit and call._mode == "failed":
                    raise StorageFailed
            if is_hit:
                raise StorageFailed

        patch.setattr(Database, "write", failing)
        for owner, name in ((files, "_write_new"), (files, "_overwrite"), (Path, "rename"), (Path, "unlink")):
            patch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    @contextmanager
    def at(self, number: int | None, mode: Mode) -> Iterator[None]:
        """While this lasts, that one fails; None: none does."""
        self.count, self._fail_at, self._mode = 0, number, mode
        try:
            yield
        finally:
            self._fail_at = None

    def _is_hit(self) -> bool:
        self.count += 1
        return self.count == self._fail_at

    def _wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            is_hit = self._is_hit()
            if is_hit and self._mode == "failed":
                raise OSError(errno.EIO, "failed")
            answer = real(*arguments, **named)
            if is_hit:
                raise OSError(errno.EIO, "failed, but written")
            return answer

        return call
