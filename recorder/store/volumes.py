"""The disks of one box that footage lies on: which there are, which of them are there, and how it stands with each.

A volume is made once: its folder is empty then, it gets a `volume.json` with an id of its own, and the log says so.
From then on a folder without that file, or with another one, is never written to: the disk is not mounted, or is
another. Which state a volume is in is told by `pressure`; which of its files are footage by `segments`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import structlog
from sqlalchemy import Connection, insert, select, update

from config.clock import Clock
from config.times import SECOND_US
from config.volumes import VolumeWish
from recorder.errors import (
    StorageDenied,
    StorageError,
    StorageFailed,
    VolumeForeign,
    VolumeMissing,
    VolumeNotEmpty,
    VolumeSilent,
    VolumeUnknown,
)
from recorder.store import files, tables
from recorder.store.database import Database
from recorder.store.layout import VOLUME, Layout
from recorder.store.ledger import Ledger
from recorder.store.places import Place, identify, identity_of, is_unused, look_at, write_identity
from recorder.store.pressure import ERASABLE, HERE, Look, condition, in_order, reserve_bytes
from recorder.store.records import Condition, MediaState, VolumeState

_V = tables.volumes.c

SILENT_S = 15.0
"""A disk that has not answered for so long is asked nothing more until it does: a disk that hangs keeps whoever asks it
in a call to the kernel that nothing ends. One that has to be set turning answers sooner."""

log = structlog.get_logger("volumes")


SYNC_S = 5.0
"""So long one disk is waited for before the others are made durable again."""


class Volumes:
    """The volumes of one box. Thread-safe."""

    def __init__(
        self,
        layout: Layout,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        box_id: str,
        wanted: Sequence[VolumeWish] = (),
    ) -> None:
        """`wanted`: those that new footage may go to; none: the one inside the data directory."""
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._box_id = box_id
        self._wanted = {one.name: one for one in wanted or [VolumeWish(VOLUME)]}
        self._ids: dict[str, str | None] = {}
        """Of those that were made: what their folders must say."""
        self._before: dict[str, Condition] = {}
        self._failed_us: dict[str, int] = {}
        self._told: dict[str, StorageError] = {}
        """What each did not do last."""
        self._asked: dict[str, dict[object, int]] = {}
        """Since when who asks a disk waits for its answer."""
        self._given_up: set[str] = set()
        """Of these, those that `look_around` does not wait for any more."""
        self._syncing: set[str] = set()
        """Those that are being made durable."""
        self._lock = threading.Lock()
        for one in self._wanted.values():
            if one.path is not None:
                layout.volumes[one.name] = one.path

    def read(self) -> None:
        """Remember what the catalogue knows of them.

        Raises:
            CatalogueError: it does not answer.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(tables.volumes)).mappings().all()
            is_used = _is_used(connection)
        for row in rows:
            if row["name"] != VOLUME:
                self._layout.volumes.setdefault(row["name"], Path(row["path"]))
            if row["name"] != VOLUME or is_used or VOLUME in self._wanted:
                self._ids[row["name"]] = row["id"]
        if is_used and VOLUME not in self._wanted:
            self._ids.setdefault(VOLUME, None)

    def make(self) -> None:
        """Make those that are new, where their folders are there and empty; the others are tried again later.

        Raises:
            CatalogueError: it does not answer.
        """
        for wish in self._wanted.values():
            with self._reported(wish.name):
                if wish.name not in self._ids:
                    self._make(wish)
                elif wish.path is not None:
                    self._moved(wish)

    def states(self) -> list[VolumeState]:
        """How it stands with each, now; those that footage may go to before those that it once did."""
        known = [*self._wanted, *sorted(set(self._ids) - set(self._wanted))]
        return [self._state(name) for name in known if name in self._wanted or name in self._ids]

    def places(self, pinned: str | None = None) -> list[Place]:
        """Where the next segment of a camera that is pinned so may go, the best first."""
        return [self._place(one.name, one.state) for one in in_order(self.states(), pinned)]

    def failed(self, name: str, error: StorageError) -> None:
        """A volume did not do what it was asked."""
        with self._lock:
            self._told[name] = error
            if isinstance(error, StorageFailed | StorageDenied):
                self._failed_us[name] = self._clock.read().mono_us

    def refuse_away(self, name: str) -> None:
        """Whether what lies there can be read at all.

        Raises:
            VolumeMissing, VolumeForeign: the volume is not there. VolumeSilent: it does not answer.
            StorageError: it cannot be asked.
        """
        with self._asking(name):
            identify(self._place(name))

    def look_around(self) -> None:
        """Ask each disk by a thread of its own, for who must not hang with it: one that does not answer is `missing`
        behind this, and none of the other calls asks it.
        """
        names = [*self._wanted, *sorted(set(self._ids) - set(self._wanted))]
        threads = [Thread(target=self._state, args=(name,), name=f"look at {name}", daemon=True) for name in names]
        for one in threads:
            one.start()
        for name, one in zip(names, threads, strict=True):
            one.join(SILENT_S)
            with self._lock:
                if one.is_alive():
                    self._given_up.add(name)

    def sync(self) -> None:
        """Make durable what was written to each that is there: side by side, for one that hangs keeps its thread.

        Raises:
            StorageError: of one that did not do it; the others have. VolumeSilent: it has not done it yet.
        """
        there = [one for one in self.states() if one.state in ERASABLE]
        faults: dict[str, BaseException] = {}
        if len(there) == 1:
            self._sync(there[0], faults)
        else:
            self._sync_all(there, faults)
        for error in faults.values():
            raise error

    def _sync_all(self, there: Sequence[VolumeState], faults: dict[str, BaseException]) -> None:
        threads = {
            one.name: Thread(target=self._sync, args=(one, faults), name=f"sync {one.name}", daemon=True)
            for one in there
        }
        with self._lock:
            hanging = self._syncing & set(threads)
            self._syncing |= set(threads)
        for name, thread in threads.items():
            if name not in hanging:
                thread.start()
        for name, thread in threads.items():
            if name not in hanging:
                thread.join(SYNC_S)
            if name in hanging or thread.is_alive():
                faults.setdefault(name, VolumeSilent(f"{VolumeSilent.sentence()} ({name})"))

    def _sync(self, one: VolumeState, faults: dict[str, BaseException]) -> None:
        try:
            files.sync_volume(Path(one.path))
        except BaseException as err:  # noqa: BLE001 - it belongs to who waits, not to this thread
            faults[one.name] = err
            if isinstance(err, StorageError):
                self.failed(one.name, err)
        finally:
            with self._lock:
                self._syncing.discard(one.name)

    def refuse_unknown(self, name: str | None) -> None:
        """Whether a camera may be pinned to it; None: it is pinned to none.

        Raises:
            VolumeUnknown: the settings name no such volume.
        """
        if name is not None and name not in self._wanted:
            raise VolumeUnknown(f"{VolumeUnknown.sentence()} ({name}; there is {', '.join(sorted(self._wanted))})")

    @property
    def wanted(self) -> tuple[str, ...]:
        """Those that new footage may go to."""
        return tuple(self._wanted)

    def here(self) -> list[str]:
        """Those whose footage can be read."""
        return [one.name for one in self.states() if one.state in HERE]

    # -- inside

    def _place(self, name: str, state: str = Condition.OK) -> Place:
        wish = self._wanted.get(name)
        reserve = None if wish is None else wish.reserve_bytes
        return Place(name, self._layout.volume(name), self._box_id, self._ids.get(name), reserve, state)

    def _state(self, name: str) -> VolumeState:
        place, silent = self._place(name), None
        try:
            with self._asking(name):
                look, device = look_at(place)
        except VolumeSilent as err:
            (look, device), silent = (Look(trouble=Condition.MISSING), None), err
        with self._lock:
            failed_us = self._failed_us.get(name)
            ago_us = None if failed_us is None else self._clock.read().mono_us - failed_us
            now = condition(look, place.reserve_bytes, self._before.get(name), ago_us)
            self._before[name] = now
            is_told = name not in self._ids or now == Condition.IO_ERROR
            why = silent or (self._told.get(name) if is_told else None)
        return VolumeState(
            name,
            str(place.root),
            look.free_bytes,
            look.total_bytes,
            now,
            is_written=name in self._wanted,
            reserve_bytes=reserve_bytes(look.total_bytes, place.reserve_bytes),
            device=device,
            why_code=None if why is None else why.code,
            why="" if why is None else str(why),
        )

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """While a disk is asked whether it is there.

        Raises:
            VolumeSilent: somebody has been waiting for its answer for too long.
        """
        token, now_us = object(), self._clock.read().mono_us
        with self._lock:
            waiting = self._asked.setdefault(name, {})
            is_late = name in self._given_up or now_us - min(waiting.values(), default=now_us) >= SILENT_S * SECOND_US
            if waiting and is_late:
                raise VolumeSilent(f"{VolumeSilent.sentence()} ({name})")
            waiting[token] = now_us
        try:
            yield
        finally:
            with self._lock:
                del waiting[token]
                self._given_up.discard(name)  # it has answered

    def _make(self, wish: VolumeWish) -> None:
        root = self._layout.volume(wish.name)
        with self._asking(wish.name):
            volume_id = self._found_id(wish, root)
        if volume_id is None and wish.name != VOLUME:
            volume_id = secrets.token_hex(8)
            write_identity(root, wish.name, self._box_id, volume_id)
        row: dict[str, Any] = {"name": wish.name, "id": volume_id, "path": str(root), "leaf_index": None}
        with self._database.write() as connection:
            if wish.name != VOLUME:
                fields = {"what": "volume_made", "volume": wish.name, "id": volume_id}
                row["leaf_index"] = self._ledger.append(connection, "audit", fields).index
            connection.execute(insert(tables.volumes).values(**row))
        self._ids[wish.name] = volume_id
        log.info("a volume was made", volume=wish.name, path=str(root))

    def _found_id(self, wish: VolumeWish, root: Path) -> str | None:
        """The id that stands there already, from an attempt before or from the making of the box.

        Raises:
            VolumeForeign: something else lies there. VolumeMissing: nothing is there.
        """
        if wish.name != VOLUME and is_unused(root):
            return None
        try:
            found = identity_of(root)
        except VolumeForeign:
            raise
        except VolumeMissing as err:  # there are files, and none that says whose
            if wish.name == VOLUME:
                raise
            raise VolumeNotEmpty(f"{VolumeNotEmpty.sentence()} ({root})") from err
        if (found.get("volume"), found.get("box")) != (wish.name, self._box_id):
            raise VolumeForeign(f"{VolumeForeign.sentence()} ({root})")
        told = found.get("id")
        return told if isinstance(told, str) else None

    def _moved(self, wish: VolumeWish) -> None:
        """The settings may name another folder for the same disk: where it is then is where it is looked for."""
        with self._database.read() as connection:
            known = connection.execute(select(_V.path).where(_V.name == wish.name)).scalar()
        if known != str(wish.path):
            self.refuse_away(wish.name)
            with self._database.write() as connection:
                connection.execute(update(tables.volumes).where(_V.name == wish.name).values(path=str(wish.path)))

    def _reported(self, name: str) -> _Reported:
        return _Reported(name, self.failed)


def _is_used(connection: Connection) -> bool:
    """Whether footage lies inside the data directory; by the indexes of what is here, and of what is going."""
    inside = tables.items.c.volume == VOLUME
    queries = [
        select(tables.items.c.n).where(inside, tables.items.c.state == state.value).limit(1)
        for state in (MediaState.PRESENT, MediaState.GOING)
    ]
    return any(connection.execute(query).scalar() is not None for query in queries)


class _Reported:
    """One volume that cannot be made, or asked, keeps no other from it: its state says so."""

    def __init__(self, name: str, failed: Callable[[str, StorageError], None]) -> None:
        self._name, self._failed = name, failed

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, err: BaseException | None, trace: object) -> bool:
        if not isinstance(err, StorageError):
            return False
        self._failed(self._name, err)
        log.debug("a volume is not made yet", volume=self._name, code=err.code, why=str(err))
        return True
