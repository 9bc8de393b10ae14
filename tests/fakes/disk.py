"""The disk between a store and the kernel: it counts what is written step by step, fails as told, or loses power.

A step is one call that changes what is on the disk, or makes it last: a file is created, written, made durable, gets
another name or goes; a transaction begins, changes rows, commits. SQLite writes for itself, so of the catalogue a step
is what it is asked for. Only what lies under one folder is looked at.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from recorder.store import files
from tests.fakes.power import PowerCut

Mode = Literal["failed", "failed but written"]

_OF_SQLITE = {
    errno.ENOSPC: (sqlite3.SQLITE_FULL, "database or disk is full"),
    errno.EIO: (sqlite3.SQLITE_IOERR_WRITE, "disk I/O error"),
    errno.EROFS: (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}

_CHANGING = ("INSERT", "UPDATE", "DELETE")


class Weather(Enum):
    """How the disk is."""

    WELL = "well"
    RESERVE_LEFT = "reserve left"
    """Recording must stop; catalogue and log go on."""
    FULL = "full"
    """Not a byte is free."""
    READ_ONLY = "read-only"


_GROWING = ("create", "write", "mkdir", "COMMIT")
_CHANGING_ANYTHING = (*_GROWING, "rename", "unlink", "truncate", "BEGIN")
_REFUSED: dict[Weather, tuple[int, tuple[str, ...]]] = {
    Weather.WELL: (0, ()),
    Weather.RESERVE_LEFT: (0, ()),
    Weather.FULL: (errno.ENOSPC, _GROWING),
    Weather.READ_ONLY: (errno.EROFS, _CHANGING_ANYTHING),
}


class Disk:
    """All steps below one folder."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path) -> None:
        self.weather = Weather.WELL
        self.steps: list[str] = []
        """Since the last `at`, `cut_before` or `count`."""
        self.seen: Callable[[str, Path], None] = lambda call, path: None
        """Called behind each step that was done."""
        self._root = str(root)
        self._fails: tuple[Callable[[], bool], Mode, int] | None = None
        self._has_failed = False
        self._cut: tuple[int, Callable[[], None]] | None = None
        self._patch_files(patch)
        self._patch_database(patch)

    # -- what shall happen

    @contextmanager
    def at(self, step: int | tuple[str, int] | None, mode: Mode, code: int) -> Iterator[None]:
        """While this lasts, that step fails: by its number, or its name and how many of that name come before.

        None: none does. Whether it came, `has_failed` says until the next.
        """
        self.steps.clear()
        self._has_failed = False
        if step is not None:
            self.fail(step, mode, code)
        try:
            yield
        finally:
            self._fails = None

    def fail(self, step: int | tuple[str, int], mode: Mode, code: int) -> None:
        """That step fails, from now on counted; those behind it do not."""
        self.steps.clear()
        self._has_failed = False
        self._fails = (lambda: self._is(step), mode, code)

    def _is(self, step: int | tuple[str, int]) -> bool:
        """Whether the newest step is that one."""
        if isinstance(step, int):
            return len(self.steps) == step + 1
        return self.steps[-1] == step[0] and self.steps.count(step[0]) == step[1] + 1

    def cut_before(self, number: int, moment: Callable[[], None] = lambda: None) -> None:
        """The power goes before the step of that number, from now on; `moment` is called just then."""
        self.steps.clear()
        self._cut = (number, moment)

    def mend(self) -> None:
        """Power and disk are there again."""
        self._cut = None
        self.forget_failure()
        self.weather = Weather.WELL

    def forget_failure(self) -> None:
        """What failed once fails no more."""
        self._fails, self._has_failed = None, False

    @property
    def has_failed(self) -> bool:
        """Whether the step came that was to fail."""
        return self._has_failed

    # -- what happens

    def _step(self, call: str, path: Path | None, real: Callable[[], Any], half: Callable[[], object] = bool) -> Any:
        """Do one, or not. `half`: what a call does of it that fails."""
        if path is not None and not str(path).startswith(self._root):
            return real()
        number = len(self.steps)
        if self._cut is not None and number >= self._cut[0]:
            if number == self._cut[0]:
                self.steps.append("the power goes")
                self._cut[1]()
            raise PowerCut
        self.steps.append(call if path is None else f"{call} {_subject(path)}")
        code, calls = _REFUSED[self.weather]
        if call in calls:
            raise _error(code, call)
        if self._fails is None or self._has_failed or not self._fails[0]():
            answer = real()
            self.seen(call, path or Path(self._root))
            return answer
        _, mode, code = self._fails
        self._has_failed = True
        if mode == "failed":
            half()
        else:
            real()
            self.seen(call, path or Path(self._root))
        raise _error(code, call)

    def _patch_files(self, patch: pytest.MonkeyPatch) -> None:
        opened, writev, fsync, statvfs = os.open, os.writev, os.fsync, os.statvfs
        step = self._step

        def os_open(path: Any, flags: int, *more: Any, **named: Any) -> int:
            def real() -> int:
                return opened(path, flags, *more, **named)

            return step("create", Path(path), real) if flags & os.O_CREAT and "dir_fd" not in named else real()

        def os_writev(handle: int, pieces: Any) -> int:
            whole = b"".join(pieces)
            half = whole[: len(whole) // 2]
            return step("write", _path_of(handle), lambda: writev(handle, pieces), lambda: writev(handle, [half]))

        def os_fsync(handle: int) -> None:
            step("fsync", _path_of(handle), lambda: fsync(handle))

        def os_statvfs(path: Any) -> Any:
            found = statvfs(path)
            if self.weather not in (Weather.FULL, Weather.RESERVE_LEFT):
                return found
            return os.statvfs_result((*found[:3], 0, 0, *found[5:]))

        patch.setattr(os, "open", os_open)
        patch.setattr(os, "writev", os_writev)
        patch.setattr(os, "fsync", os_fsync)
        patch.setattr(os, "statvfs", os_statvfs)
        for owner, name, call in (
            (Path, "rename", "rename"),
            (Path, "unlink", "unlink"),
            (Path, "mkdir", "mkdir"),
            (files, "cut", "truncate"),
        ):
            patch.setattr(owner, name, self._of_path(call, getattr(owner, name)))
        patch.setattr(files, "_libc", _Libc(step))
        patch.setattr(files, "SYNCS_AT_ONCE", 1)  # in the same order each time

    def _of_path(self, call: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(path: Path, *arguments: Any, **named: Any) -> Any:
            if named.get("missing_ok") and not path.exists():  # changes nothing
                return real(path, *arguments, **named)
            with files.translated(path) if call == "truncate" else _as_it_is():
                return self._step(call, path, lambda: real(path, *arguments, **named))

        return stepped

    def _patch_database(self, patch: pytest.MonkeyPatch) -> None:
        dialect = SQLiteDialect_pysqlite
        step = self._step

        def executed(real: Callable[..., Any]) -> Callable[..., Any]:
            def execute(itself: Any, cursor: Any, statement: str, *more: Any) -> Any:
                def done() -> Any:
                    return real(itself, cursor, statement, *more)

                if statement == "BEGIN IMMEDIATE":
                    return step("BEGIN", None, done)
                if statement.startswith(_CHANGING):
                    words = statement.split(maxsplit=3)
                    return step(f"{words[0]} {words[1 if words[0] == 'UPDATE' else 2].strip('(')}", None, done)
                return done()

            return execute

        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            patch.setattr(dialect, name, executed(getattr(dialect, name)))
        commit = dialect.do_commit

        def committed(itself: Any, connection: Any) -> None:
            step("COMMIT", None, lambda: commit(itself, connection))

        patch.setattr(dialect, "do_commit", committed)


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


class _Libc:
    """Of the C library, what the store calls."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._real = files._libc
        self._step = step

    def syncfs(self, handle: int) -> int:
        try:
            return int(self._step("syncfs", _path_of(handle), lambda: self._real.syncfs(handle)))
        except OSError as err:
            ctypes.set_errno(err.errno or errno.EIO)
            return -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _error(code: int, call: str) -> Exception:
    if not call.isupper() and not call.startswith(_CHANGING):
        return OSError(code, os.strerror(code))
    number, text = _OF_SQLITE[code]
    err = sqlite3.OperationalError(text)
    err.sqlite_errorcode = number
    return err


def _path_of(handle: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{handle}"))  # noqa: PTH115 - as it is, not where it leads


def _subject(path: Path) -> str:
    """What a path is, in few words, the same for every box."""
    name = path.name.removeprefix(".").removesuffix(".tmp")
    if name.endswith((".part", ".mp4")):
        return "media" if name.endswith(".mp4") else "part"
    if path.is_dir():
        return "folder"
    return "tile" if "tile" in path.parts else name
