"""How much of a disk an evidence package may take: never what recording needs.

A package can be made again, and what was not recorded cannot. Nothing removes an old package by itself either: it may
be the last copy of its footage. So an export that would leave too little ends, and somebody decides what goes.
"""

from __future__ import annotations

from config.times import DAY_US, HOUR_US
from recorder.errors import NoRoomForExport
from recorder.store import files
from recorder.store.places import Space, space_of
from recorder.store.pressure import reserve_bytes
from recorder.store.store import Store

MB = 1_000_000


def kept_bytes(total_bytes: int, last_day_bytes: int, last_hour_bytes: int) -> int:
    """What stays free of a disk: the reserve of catalogue and log, and a day of recording, in which somebody can act.

    A day as the last one was, or as the last hour is: cameras may have come since.
    """
    return reserve_bytes(total_bytes) + max(last_day_bytes, 24 * last_hour_bytes)


def refuse(space: Space, kept: int, wanted_bytes: int) -> None:
    """Let so many bytes more be written, or not.

    Raises:
        NoRoomForExport: less than what is kept would be left; with the numbers.
    """
    left = space.free_bytes - wanted_bytes
    if left < kept:
        needs = f"it needs {wanted_bytes / MB:.0f} MB more, {space.free_bytes / MB:.0f} MB are free"
        raise NoRoomForExport(f"{NoRoomForExport.sentence()} ({needs}, and {kept / MB:.0f} MB stay free)")


class Room:
    """The room for packages of one box, by what recording wrote until now.

    Raises:
        StorageError: the disk cannot be asked.
    """

    def __init__(self, store: Store, now_us: int) -> None:
        exports = store.layout.exports
        with files.translated(exports):
            self._place = exports if exports.is_dir() else store.layout.root
        space = space_of(self._place)
        day, hour = (_recorded(store, now_us - span_us, now_us) for span_us in (DAY_US, HOUR_US))
        self._kept = (
            kept_bytes(space.total_bytes, day, hour) if self._is_shared(store) else reserve_bytes(space.total_bytes)
        )

    def check(self, wanted_bytes: int) -> None:
        """Whether so many bytes more may be written now.

        Raises:
            NoRoomForExport: they may not. StorageError: the disk cannot be asked.
        """
        refuse(space_of(self._place), self._kept, wanted_bytes)

    def _is_shared(self, store: Store) -> bool:
        """Whether recording writes to the same disk."""
        with files.translated(self._place):
            device = self._place.stat().st_dev
        return any(one.is_written and one.device == device for one in store.volumes())


def needed_bytes(store: Store, stream_id: str, start_us: int, end_us: int) -> int:
    """Of the package of an interval, about: its media, twice. Tables and proofs are a few thousandths of that."""
    return 2 * store.bytes_between(stream_id, start_us, end_us)


def _recorded(store: Store, start_us: int, end_us: int) -> int:
    return sum(store.bytes_between(camera.stream_id, start_us, end_us) for camera in store.cameras.all())
