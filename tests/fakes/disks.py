"""Folders that behave like disks of their own: with a size, and with everything that can befall one."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass
class Disk:
    """One of them."""

    root: Path
    size_bytes: int
    ballast_bytes: int = 0
    """What somebody else fills of it."""
    is_read_only: bool = False

    @property
    def free_bytes(self) -> int:
        used = sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())
        return max(0, self.size_bytes - self.ballast_bytes - used)

    @property
    def elsewhere(self) -> Path:
        """Where its files are while it is not plugged in."""
        return self.root.with_name(f"{self.root.name}.elsewhere")

    def unplug(self) -> None:
        """The mount point stands, and is empty."""
        self.root.rename(self.elsewhere)
        self.root.mkdir()

    def plug_in(self) -> None:
        """The same disk is back; what was written to the mount point meanwhile is hidden by it."""
        shutil.rmtree(self.root)
        self.elsewhere.rename(self.root)

    @property
    def is_empty_mount_point(self) -> bool:
        return not any(self.root.iterdir())


class Disks:
    """Stands between the store and the kernel: `os.statvfs`, and all that writes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._all: list[Disk] = []
        self.broken: set[Path] = set()
        """Files that answer with input/output errors, whatever is asked of them."""
        self.touched: list[str] = []
        """The kernel was asked to change, or to open, something on a disk of ours: what and where."""
        self._statvfs = os.statvfs
        patch.setattr(os, "statvfs", self._space)
        patch.setattr(os, "open", self._opening(os.open))
        patch.setattr(os, "writev", self._writing(os.writev))
        for name in ("rename", "unlink", "mkdir"):
            patch.setattr(Path, name, self._changing(name, getattr(Path, name)))
        patch.setattr(Path, "open", self._path_open(Path.open))

    def add(self, root: Path, size_bytes: int = 100_000_000) -> Disk:
        """A folder becomes a disk."""
        root.mkdir(parents=True, exist_ok=True)
        self._all.append(Disk(root, size_bytes))
        return self._all[-1]

    def _of(self, path: Any) -> Disk | None:
        if not isinstance(path, str | Path):
            return None
        place = Path(path)
        return next((one for one in self._all if place == one.root or one.root in place.parents), None)

    def _space(self, path: Any) -> os.statvfs_result:
        disk = self._of(path)
        if disk is None:
            return self._statvfs(path)
        flags = os.ST_RDONLY if disk.is_read_only else 0
        free = disk.free_bytes
        return os.statvfs_result((1, 1, disk.size_bytes, free, free, 0, 0, 0, flags, 255))

    def _check(self, path: Any, what: str, *, writes: bool) -> None:
        disk = self._of(path)
        if disk is not None:
            self.touched.append(f"{what} {Path(path).relative_to(disk.root)}")
        if isinstance(path, str | Path) and Path(path) in self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        if writes and disk is not None and disk.is_read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def _opening(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *more: Any, **named: Any) -> int:
            self._check(path, "open", writes=bool(flags & _WRITING))
            return real(path, flags, *more, **named)

        return call

    def _writing(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(handle: int, pieces: Any) -> int:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            self._check(path, "write", writes=True)
            disk = self._of(path)
            if disk is not None and disk.free_bytes < sum(map(len, pieces)):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return real(handle, pieces)

        return call

    def _changing(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *arguments: Any, **named: Any) -> Any:
            self._check(path, name, writes=True)
            return real(path, *arguments, **named)

        return call

    def _path_open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            self._check(path, "open", writes=bool(set(mode) & set("wax+")))
            return real(path, mode, *arguments, **named)

        return call
