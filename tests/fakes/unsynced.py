"""What of a folder would survive if the power went now. The folder itself knows nothing of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.disk import Disk
from tests.fakes.lottery import Lottery


@dataclass
class Unsynced:
    """Beside a folder: contents and names as they were when they were last made durable.

    A file is known by its inode, whose number must not be used again: a link to each is kept in a folder beside.
    """

    root: Path
    disk: Disk
    lottery: Lottery
    _contents: dict[int, bytes] = field(default_factory=dict)
    _names: dict[Path, dict[str, int]] = field(default_factory=dict)
    _folders: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._links = self.root.parent / "inodes"
        self._links.mkdir()
        self._all_durable()
        self.disk.seen = self._seen

    def _seen(self, call: str, path: Path) -> None:
        if call == "fsync" and path.is_dir():
            self._names[path] = self._name(path)
        elif call in ("fsync", "truncate"):  # the second makes it durable itself
            self._keep(path)
        elif call == "syncfs":
            self._all_durable()
        elif call == "COMMIT":
            for one in self.root.glob("catalogue.sqlite*"):
                self._keep(one)
            self._names[self.root] = self._name(self.root)

    def _keep(self, path: Path) -> None:
        self._contents[self._number(path)] = path.read_bytes()

    def _name(self, folder: Path) -> dict[str, int]:
        return {path.name: self._number(path) for path in folder.iterdir()}

    def _number(self, path: Path) -> int:
        number = path.stat().st_ino
        if path.is_dir():
            self._folders.add(number)
        elif not (self._links / str(number)).exists():
            os.link(path, self._links / str(number))
        return number

    def _all_durable(self) -> None:
        for folder, _, files in os.walk(self.root):
            self._names[Path(folder)] = self._name(Path(folder))
            for one in files:
                self._keep(Path(folder) / one)

    def cut(self, into: Path) -> None:
        """The power goes: make a folder as the disk will be found."""
        self._found(self.root, into)
        for shared in into.glob("*-shm"):  # memory, and no file
            shared.unlink()

    def _found(self, folder: Path, into: Path) -> None:
        into.mkdir()
        for name, number in self.lottery.names(self._names.get(folder, {}), self._name(folder)).items():
            if number in self._folders:
                self._found(folder / name, into / name)
                continue
            source = self._links / str(number)
            (into / name).write_bytes(self.lottery.content(self._contents.get(number, b""), source.read_bytes()))
            (into / name).chmod(source.stat().st_mode)
