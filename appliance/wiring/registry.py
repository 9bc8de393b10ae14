"""The cameras of the configuration file against those of the registry: what to add, change and retire. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from config.errors import Fault
from config.keeping import NOTHING_SAID, Wish
from recorder.store.records import Camera, ManagedBy


@dataclass(frozen=True)
class FileCamera:
    """A camera as the configuration file has it."""

    id: str
    name: str
    url: str
    username: str | None
    password_file: str | None
    enabled: bool
    transport: str = "tcp"
    ca_file: str | None = None
    audio: str = "off"
    allow_basic: bool = False
    wish: Wish = NOTHING_SAID
    volume: str | None = None

    def settings(self) -> dict[str, Any]:
        """What a registered camera may differ in."""
        return {
            "name": self.name,
            "url": self.url,
            "username": self.username,
            "password_file": self.password_file,
            "enabled": self.enabled,
            "transport": self.transport,
            "ca_file": self.ca_file,
            "audio": self.audio,
            "allow_basic": self.allow_basic,
            "volume": self.volume,
            **asdict(self.wish),
        }


@dataclass(frozen=True)
class Add:
    """Register this camera."""

    camera: FileCamera


@dataclass(frozen=True)
class Change:
    """Change these settings of a registered camera."""

    camera_id: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Retire:
    """Retire a camera that the file no longer has."""

    camera_id: str


Step = Add | Change | Retire


def steps(wanted: Sequence[FileCamera], registered: Sequence[Camera]) -> list[Step]:
    """What makes the registry agree with the file; cameras managed by people are not touched."""
    known = {camera.id: camera for camera in registered}
    named = {camera.id for camera in wanted}
    found: list[Step] = [
        Retire(camera.id)
        for camera in registered
        if camera.managed_by is ManagedBy.FILE and camera.retired_us is None and camera.id not in named
    ]
    for camera in wanted:
        if camera.id not in known:
            found.append(Add(camera))
        elif differing := _differing(camera, known[camera.id]):
            found.append(Change(camera.id, differing))
    return found


def faults(wanted: Sequence[FileCamera], registered: Sequence[Camera]) -> list[Fault]:
    """Why the file cannot be followed: ids that are spent, or belong to a camera that people manage."""
    known = {camera.id: camera for camera in registered}
    found = []
    for camera in wanted:
        there = known.get(camera.id)
        if there is not None and there.retired_us is not None:
            found.append(
                Fault(
                    f"custos.toml, [[cameras]] id {camera.id!r}",
                    "this camera was retired, and ids are never used twice",
                    "a new id, for example with a number behind it",
                    "该采集设备已停用，编号不可重复使用",
                    "新的编号，例如在其后加数字",
                )
            )
        elif there is not None and there.managed_by is not ManagedBy.FILE:
            found.append(
                Fault(
                    f"custos.toml, [[cameras]] id {camera.id!r}",
                    "a camera of that id was registered by hand",
                    "another id, or no entry in the file for it",
                    "该编号的采集设备是手工登记的",
                    "另一个编号，或从文件中去掉该条目",
                )
            )
    return found


def _differing(wanted: FileCamera, there: Camera) -> dict[str, Any]:
    return {key: value for key, value in wanted.settings().items() if getattr(there, key) != value}
