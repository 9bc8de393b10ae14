"""Where things lie in a data directory (docs/storage.md, "Layout"). Pure: names, no files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from config.times import format_name, to_datetime
from config.volumes import MAIN_VOLUME

FORMAT = 1
"""Of the data directory; raised when an older program could no longer read it."""

VOLUME = MAIN_VOLUME
"""The volume inside the data directory."""

PART = ".part"

HOLD = "hold"
"""A folder of a volume: second names of held media."""

REPLACED = "replaced"
"""A folder of a volume: media that is newer than the backup that was restored. No stream is called so."""

SPOOL = "spool"
"""What recovery put away, on a volume of its own: no stream has a name without a dot."""


class Layout:
    """The paths of one data directory."""

    def __init__(self, root: Path, volumes: Mapping[str, Path] | None = None) -> None:
        """`volumes`: folders of those that lie elsewhere, by name."""
        self.volumes = dict(volumes or {})
        self.root = root
        self.box = root / "box.json"
        self.catalogue = root / "catalogue.sqlite"
        self.keys = root / "keys"
        self.key = self.keys / "log.ed25519"
        self.sm2_key = self.keys / "log.sm2"
        self.sm2_public = self.keys / "log.sm2.pub.pem"
        self.next_key = self.keys / "next.ed25519"
        self.public_key = self.keys / "log.pub.pem"
        self.refused_pin = self.keys / "refused-pin.json"
        self.token = self.keys / "token.sha256"
        self.release_codes = self.keys / "release-codes.json"
        self.passwords = self.keys / "cameras"
        self.log = root / "log"
        self.media = root / "media"
        self.damaged = root / "spool" / "damaged"
        self.empty = root / "spool" / "empty"
        self.exports = root / "exports"
        self.replaced = root / "spool" / "replaced"
        self.restoring = root / ".restoring"
        self.restored = root / "restored.json"
        self.kept = root / "kept"

    def earlier_key(self, number: int) -> Path:
        """The public half of an earlier key of the log: 0 is the first."""
        return self.keys / f"log-{number}.pub.pem"

    def volume(self, name: str = VOLUME) -> Path:
        """The folder of a volume."""
        return self.volumes.get(name) or self.media / name

    def hold_tree(self, name: str = VOLUME) -> Path:
        """Where second names of held media lie, by hold: no stream is of that name, for it has no dot."""
        return self.volume(name) / HOLD

    def held(self, hold_id: int, path: str, name: str = VOLUME) -> Path:
        """The second name of a segment's file for one hold."""
        return self.hold_tree(name) / str(hold_id) / path

    def volume_file(self, name: str = VOLUME) -> Path:
        """What says which volume is mounted here."""
        return self.volume(name) / "volume.json"

    def damaged_on(self, name: str) -> Path:
        """Where what cannot be read is kept: on its own disk."""
        return self.volume(name) / SPOOL / "damaged" if name in self.volumes else self.damaged

    def empty_on(self, name: str) -> Path:
        """Likewise what had no frame yet."""
        return self.volume(name) / SPOOL / "empty" if name in self.volumes else self.empty


def segment_path(stream_id: str, n: int, t0_us: int) -> PurePosixPath:
    """A segment's path inside its volume: UTC, with its number, so that no clock can make two files share a name."""
    start = to_datetime(t0_us)
    folder = PurePosixPath(stream_id, f"{start.year:04d}", f"{start:%m}", f"{start:%d}", f"{start:%H}")
    return folder / f"{n}-{format_name(t0_us)}.mp4"
