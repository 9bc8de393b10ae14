"""What of a folder would survive if the power went now. The folder itself knows nothing of it."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.disk import Disk

PAGE_BYTES = 4096


@dataclass
class Unsynced:
    """Beside a folder: contents and names as they were when they were last made durable.

    A file is known by its inode, whose number must not be used again: a link to each is kept in a folder beside.
    """

    root: Path
    disk: Disk
    chance: random.Random
    _contents: dict[int, bytes] = field(default_factory=dict)
    _names: dict[Path, dict[str, int | None]] = field(default_factory=dict)
    """Of each folder its names, with inodes of files, and None for folders."""
    _new: dict[int, bool] = field(default_factory=dict)
    """Of each file whose name changed, whether that is on the disk: a file that moves has one of the two names."""

    def __post_init__(self) -> None:
        self._links = self.root.parent / "inodes"
        self._links.mkdir()
        self._all_durable()
        self.disk.seen = self._seen

    def _seen(self, call: str, path: Path) -> None:
        if call == "fsync":
            if path.is_dir():
                self._name(path)
            else:
                self._keep(path)
        elif call == "truncate":  # which makes it durable itself
            self._keep(path)
        elif call == "syncfs":
            self._all_durable()
        elif call == "COMMIT":
            for one in self.root.glob("catalogue.sqlite*"):
                self._keep(one)
            self._name(self.root)

    def _keep(self, path: Path) -> None:
        number = path.stat().st_ino
        link = self._links / str(number)
        if not link.exists():
            os.link(path, link)
        self._contents[number] = path.read_bytes()

    def _name(self, folder: Path) -> None:
        names: dict[str, int | None] = {}
        for path in folder.iterdir():
            names[path.name] = None if path.is_dir() else path.stat().st_ino
            link = self._links / str(names[path.name])
            if names[path.name] is not None and not link.exists():
                os.link(path, link)
        self._names[folder] = names

    def _all_durable(self) -> None:
        for folder, _, files in os.walk(self.root):
            self._name(Path(folder))
            for one in files:
                self._keep(Path(folder) / one)

    # -- the moment

    def cut(self, into: Path) -> None:
        """Make a folder as the disk would be found."""
        self._found(self.root, into)
        for shared in into.glob("*-shm"):  # memory, and no file
            shared.unlink()

    def _found(self, folder: Path, into: Path) -> None:
        into.mkdir()
        was = self._names.get(folder, {})
        now = {one.name: None if one.is_dir() else one.stat().st_ino for one in folder.iterdir()}
        for name in sorted({**was, **now}):
            changed = now.get(name, was.get(name))
            names = now if (name in was and was[name] == now.get(name, 0)) or self._is_new(changed) else was
            if name not in names:  # a new one that is not there yet, or an old one that is gone already
                continue
            inode = names[name]
            if inode is None:
                self._found(folder / name, into / name)
            else:
                link = self._links / str(inode)
                source = link if link.exists() else folder / name
                (into / name).write_bytes(self._content(inode, source))
                (into / name).chmod(source.stat().st_mode)

    def _is_new(self, inode: int | None) -> bool:
        if inode is None:
            return self.chance.random() < 0.5
        return self._new.setdefault(inode, self.chance.random() < 0.5)

    def _content(self, inode: int, path: Path) -> bytes:
        now = path.read_bytes()
        was = self._contents.get(inode, b"")
        if now == was or self.chance.random() < 0.2:
            return now
        if not now.startswith(was):  # written over: page by page as it is, or as it was
            size = self.chance.choice([len(was), len(now)])
            pages = range(0, size, PAGE_BYTES)
            return b"".join(self.chance.choice((was, now))[at : at + PAGE_BYTES] for at in pages)[:size]
        return self._torn(was, now)

    def _torn(self, was: bytes, now: bytes) -> bytes:
        """Of what was appended: up to a byte, up to a page, or as long as it was and zeros from there on."""
        at = self.chance.randrange(len(was), len(now) + 1)
        how = self.chance.choice(["byte", "page", "zeros"])
        if how == "byte":
            return now[:at]
        at = max(len(was), at // PAGE_BYTES * PAGE_BYTES)
        return now[:at] if how == "page" else now[:at] + bytes(len(now) - at)
