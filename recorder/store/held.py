"""Media under holds: its second names on the disk, and what is known of its bytes.

A held segment that is here has a hard link `hold/<number>/<path>` on its own volume, one for each hold that lies on it:
a file that somebody removes by hand, past all rules, is still there. What protects it from Custos itself is not the
link but the guard of `segments.discard`. A link is made when a segment is committed into a held interval, or soon after
the hold was placed, and goes only once the hold was released; what a crash left between is made good by
`bring_in_line`.

What a pass over held media found is written down here as well (`retention.custody` reads the files): damage is a
`finding` leaf, told once; the end of a pass an `audit` leaf. Nothing here removes media.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    false,
    func,
    insert,
    select,
    tuple_,
    update,
)

from config.times import HOUR_US
from config.volumes import MAIN_VOLUME
from recorder.errors import StorageError
from recorder.store import files, tables
from recorder.store.database import Database
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.records import HoldCheck, MediaState, camera_of, segment_id_of, stream_of
from recorder.store.volumes import Volumes

LINK_BATCH: Final = 500
"""Second names made between two looks at whether the hold is still in force."""

MAX_SEGMENT_US: Final = HOUR_US
"""No segment is longer (`catalogue`): one range on the start finds all that overlap an interval."""

log = structlog.get_logger("store")

_PRESENT = MediaState.PRESENT.value

_I, _H, _W = tables.items.c, tables.holds.c, tables.hold_work.c


class Damage(StrEnum):
    """What is wrong with held media."""

    ALTERED = "altered"
    UNREADABLE = "unreadable"
    MISSING = "missing"


@dataclass(frozen=True)
class HeldMedia:
    """A held segment that is here, and what its entry in the log says of its bytes."""

    stream_id: str
    n: int
    bytes: int
    sha256: str
    sm3: str | None
    path: Path
    held_path: Path
    """Its second name, for this hold."""
    volume: str = MAIN_VOLUME
    """Where both lie."""

    @property
    def id(self) -> str:
        """Of the segment."""
        return segment_id_of(self.stream_id, self.n)


@dataclass(frozen=True)
class HoldFolder:
    """Where the second names of a hold lie on one volume."""

    volume: str
    path: Path

    @property
    def hold_id(self) -> int | None:
        """Whose they are; None: it is no hold's name."""
        name = self.path.name
        return int(name) if name.isascii() and name.isdigit() and len(name) < 16 else None


@dataclass(frozen=True)
class Work:
    """What is still to be done for a hold, and how far a pass over its media has come."""

    is_linked: bool = False
    behind: tuple[str, int] | None = None
    segments: int = 0
    bytes: int = 0
    damaged: int = 0


@dataclass(frozen=True)
class HeldState:
    """How it stands with the media of a hold."""

    hold_id: int
    is_linked: bool
    is_checking: bool
    checked: HoldCheck | None
    """The last pass that came to its end; None: none has."""
    damaged: int
    """Segments that are not as they were recorded, by the last look at each."""


class HeldMediaStore:
    """The second names of held media, and what is known of it."""

    def __init__(self, layout: Layout, database: Database, ledger: Ledger, volumes: Volumes) -> None:
        self._layout = layout
        self._volumes = volumes
        self._database = database
        self._ledger = ledger
        self._is_behind = False
        """Whether a segment could not be given its second name when it was committed."""
        self._away: set[str] = set()
        """Volumes that were not there when second names were made: what is held there gets its names once they are."""
        self._lock = threading.Lock()
        """Names of one hold are either made or taken away."""

    # -- second names

    def link_new(self, hold_ids: Iterable[int], volume: str, path: str) -> None:
        """Second names, on its own volume, for a segment that was just committed into held intervals.

        A fault keeps no commit: the row stands, nothing discards it, and `bring_in_line` makes the name.
        """
        names = {self._layout.held(one, path, volume): self._layout.volume(volume) / path for one in hold_ids}
        try:
            with self._lock:
                files.link(names)
        except StorageError as err:
            self._is_behind = True
            log.warning("a held segment has no second name yet", path=path, code=err.code, why=str(err))

    def link_heads(self) -> None:
        """At start: the newest segment of each stream, where a crash came between its commit and its second name.

        A fault keeps no box from recording: the duty makes the name, or says why it cannot.
        """
        with self._database.read() as connection:
            if connection.execute(select(_H.id).where(_H.released_us.is_(None)).limit(1)).scalar() is None:
                return
            streams = connection.execute(select(tables.streams.c.id)).scalars().all()
            newest = [row for one in streams if (row := _newest(connection, one)) is not None]
            held = [(hold_id, row) for row in newest for hold_id in holds_of(connection, row)]
        try:
            self._link(held)
        except StorageError as err:
            self._is_behind = True
            log.warning("the newest held segments have no second names yet", code=err.code, why=str(err))

    def bring_in_line(self, *, anew: bool) -> int:
        """What `hold/` must have it has, and nothing else; how many names were made or taken away.

        Args:
            anew: also where all was in line once; else only of holds that were placed or released since.

        Raises:
            StorageError: one of its kinds; the rest is done at the next turn.
        """
        folders = self.folders()  # first: that of a hold which is placed meanwhile is not one of these
        with self._database.read() as connection:
            in_force = set(connection.execute(select(_H.id).where(_H.released_us.is_(None))).scalars())
            over = set(connection.execute(select(_W.hold_id).where(_W.hold_id.not_in(in_force))).scalars())
            linked = set(connection.execute(select(_W.hold_id).where(_W.is_linked)).scalars())
        done = sum(self._clear(one) for one in folders if one.hold_id not in in_force)
        if over:
            with self._database.write() as connection:
                connection.execute(delete(tables.hold_work).where(_W.hold_id.in_(over)))
        # Before looking: what fails meanwhile sets it again.
        was_behind, self._is_behind = self._is_behind or self._is_back(), False
        faults = []
        for hold_id in sorted(in_force if anew or was_behind else in_force - linked):
            try:
                done += self._link_all(hold_id)
            except StorageError as err:  # the names of the other holds do not wait for it
                faults.append(err)
        if faults:
            self._is_behind = True
            raise faults[0]
        return done

    def _is_back(self) -> bool:
        """Whether a volume that was away when second names were made is there."""
        back = self._away.intersection(self._volumes.here())
        self._away -= back
        return bool(back)

    def folders(self) -> list[HoldFolder]:
        """The folders of holds under the `hold/` of each volume that is there, whether those are in force or not."""
        return [one for volume in self._volumes.here() for one in self._folders(volume)]

    def _folders(self, volume: str) -> list[HoldFolder]:
        tree = self._layout.hold_tree(volume)
        with files.translated(tree):
            return [HoldFolder(volume, path) for path in sorted(tree.iterdir())] if tree.is_dir() else []

    def second_names(self, volume: str, path: str) -> list[Path]:
        """Those that a segment's file has, of whatever holds."""
        names = [folder.path / path for folder in self._folders(volume)]
        return [name for name in names if name.exists()]

    def _link_all(self, hold_id: int) -> int:
        made = 0
        faults = []
        for rows in self._batches(hold_id):
            try:
                made += self._link([(hold_id, row) for row in rows])
            except StorageError as err:
                faults.append(err)
        if faults:
            raise faults[0]
        with self._database.write() as connection:
            _remember(connection, hold_id, is_linked=True)
        return made

    def _link(self, held: Sequence[tuple[int, RowMapping]]) -> int:
        """Media that somebody removed by hand has no file to be named: the pass over it tells so, not this."""
        names = {}
        here = set(self._volumes.here())
        with self._lock:
            in_force = self._in_force({hold_id for hold_id, _ in held})
            for hold_id, row in held:
                if row["volume"] not in here:
                    self._away.add(row["volume"])
                    continue
                path = self._layout.volume(row["volume"]) / row["path"]
                with files.translated(path):
                    is_there = path.exists()
                if is_there and hold_id in in_force:
                    names[self._layout.held(hold_id, row["path"], row["volume"])] = path
            return files.link(names)

    def _in_force(self, hold_ids: Set[int]) -> set[int]:
        query = select(_H.id).where(_H.id.in_(hold_ids), _H.released_us.is_(None))
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def _batches(self, hold_id: int) -> Iterator[list[RowMapping]]:
        after: tuple[str, int] | None = None
        while rows := self._page(hold_id, after, LINK_BATCH):
            yield rows
            after = (rows[-1]["stream_id"], rows[-1]["n"])

    def _page(self, hold_id: int, behind: tuple[str, int] | None, limit: int) -> list[RowMapping]:
        """Present segments of a hold that is in force, a stream after the other, each by its start."""
        with self._database.read() as connection:
            hold = connection.execute(select(tables.holds).where(_H.id == hold_id)).mappings().one_or_none()
            if hold is None or hold["released_us"] is not None:
                return []
            cameras = select(tables.hold_cameras.c.camera_id).where(tables.hold_cameras.c.hold_id == hold_id)
            for stream_id in sorted(map(stream_of, connection.execute(cameras).scalars())):
                if behind is not None and stream_id < behind[0]:
                    continue
                after = _key(connection, behind) if behind is not None and stream_id == behind[0] else None
                query = _held_items(stream_id, hold["t0_us"], hold["t1_us"], after)
                if rows := list(connection.execute(query.limit(limit)).mappings()):
                    return rows
            return []

    def _clear(self, of: HoldFolder) -> int:
        """The names of a hold that was released, or never was. A file whose only name this is gets its first one back:
        present media is nobody's to lose; and what was discarded meanwhile goes with it."""
        gone, folder = 0, of.path
        with self._lock:
            for name in [one for one in folder.rglob("*") if not one.is_dir()]:
                gone += 1
                path = str(name.relative_to(folder))
                with self._database.read() as connection:
                    state = state_of(connection, of.volume, path)
                first = self._layout.volume(of.volume) / path
                if state is None:
                    files.put_away(name, self._layout.damaged_on(of.volume))
                elif not files.drop_second_name(name, first, is_kept=state == _PRESENT):
                    log.warning("a segment's file got its name back from a hold", path=path)
            files.drop_empty(folder)
        return gone

    # -- what is known of the bytes

    def work(self, hold_id: int) -> Work:
        """What is still to be done for a hold."""
        with self._database.read() as connection:
            row = connection.execute(select(tables.hold_work).where(_W.hold_id == hold_id)).mappings().one_or_none()
        if row is None:
            return Work()
        behind = None if row["stream_id"] is None else (row["stream_id"], row["n"])
        return Work(row["is_linked"], behind, row["segments"], row["bytes"], row["damaged"])

    def next_media(self, hold_id: int, behind: tuple[str, int] | None, limit: int) -> list[HeldMedia]:
        """Held media that is here, in order, behind an item; with what the log says of it.

        Raises:
            LogError: an entry cannot be read.
        """
        rows = self._page(hold_id, behind, limit)
        with self._database.read() as connection:
            return [self._media(connection, hold_id, row) for row in rows]

    def all_media(self, hold_id: int) -> Iterator[HeldMedia]:
        """The same of all of it."""
        for rows in self._batches(hold_id):
            with self._database.read() as connection:
                found = [self._media(connection, hold_id, row) for row in rows]
            yield from found

    def held_by(self, connection: Connection, volume: str, path: str) -> list[int]:
        """The holds in force on the present segment whose file has that path; none: there is no such segment."""
        if state_of(connection, volume, path) != _PRESENT:
            return []
        row = connection.execute(select(tables.items).where(_chosen(volume, path))).mappings().one()
        return holds_of(connection, row)

    def is_ending(self, connection: Connection, hold_id: int) -> bool:
        """Whether a hold was released, and its second names are still to be taken away."""
        ended = select(_W.hold_id).join(tables.holds, _H.id == _W.hold_id).where(_H.released_us.is_not(None))
        return connection.execute(ended.where(_W.hold_id == hold_id)).scalar() is not None

    def go_on(self, hold_id: int, work: Work) -> None:
        """Remember how far a pass has come."""
        with self._database.write() as connection:
            behind = work.behind or (None, None)
            counts = {"segments": work.segments, "bytes": work.bytes, "damaged": work.damaged}
            _remember(connection, hold_id, stream_id=behind[0], n=behind[1], **counts)

    def end(self, hold_id: int, work: Work) -> HoldCheck:
        """A pass has come to its end: an entry says what it came to."""
        with self._database.write() as connection:
            counts = {"segments": work.segments, "bytes": work.bytes, "damaged": work.damaged}
            entry = self._ledger.append(connection, "audit", {"what": "hold_checked", "hold": hold_id, **counts})
            row = {"leaf_index": entry.index, "hold_id": hold_id, "checked_us": entry.at_us, **counts}
            connection.execute(insert(tables.hold_checks).values(**row))
            _remember(connection, hold_id, stream_id=None, n=None, segments=0, bytes=0, damaged=0)
        return HoldCheck(entry.index, entry.at_us, **counts)

    def tell(self, hold_id: int, media: HeldMedia, damage: Damage | None) -> None:
        """Write down that held media is damaged, or is whole again; what was told already is not told twice."""
        chosen = (tables.hold_damage.c.stream_id == media.stream_id) & (tables.hold_damage.c.n == media.n)
        with self._database.read() as connection:
            known = connection.execute(select(tables.hold_damage.c.why).where(chosen)).scalar()
        if known == (None if damage is None else damage.value):
            return
        with self._database.write() as connection:
            what = "held_whole_again" if damage is None else "held_damaged"
            fields = {"what": what, "hold": hold_id, "stream": media.stream_id, "n": media.n}
            why = {} if damage is None else {"why": damage.value}
            entry = self._ledger.append(connection, "finding", {**fields, **why})
            connection.execute(delete(tables.hold_damage).where(chosen))
            if damage is not None:
                row = {"stream_id": media.stream_id, "n": media.n, "why": damage.value, "leaf_index": entry.index}
                connection.execute(insert(tables.hold_damage).values(**row))

    def name_back(self, media: HeldMedia) -> None:
        """Give a file that has only its second name its first one back; an entry says so.

        Raises:
            StorageError: one of its kinds.
        """
        files.link({media.path: media.held_path})
        with self._database.write() as connection:
            fields = {"what": "held_name_back", "stream": media.stream_id, "n": media.n}
            self._ledger.append(connection, "finding", fields)

    def states(self) -> list[HeldState]:
        """How it stands with the media of each hold in force."""
        with self._database.read() as connection:
            ids = connection.execute(select(_H.id).where(_H.released_us.is_(None)).order_by(_H.id)).scalars().all()
            damaged = _damaged(connection)
            return [_state(connection, hold_id, damaged.get(hold_id, 0)) for hold_id in ids]

    def damaged_count(self) -> int:
        """Segments under holds in force that are not as they were recorded, however many holds lie on each."""
        of = tables.hold_damage.c
        each = _damaged_items(of.stream_id, of.n).distinct().subquery()
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(each)).scalar_one())

    def state(self, hold_id: int) -> HeldState:
        """Of one hold."""
        with self._database.read() as connection:
            return _state(connection, hold_id, _damaged(connection).get(hold_id, 0))

    def _media(self, connection: Connection, hold_id: int, row: RowMapping) -> HeldMedia:
        facts = self._ledger.leaf(connection, row["leaf_index"]).fields
        return HeldMedia(
            stream_id=row["stream_id"],
            n=row["n"],
            bytes=row["bytes"],
            sha256=str(facts["sha256"]),
            sm3=facts.get("sm3"),
            path=self._layout.volume(row["volume"]) / row["path"],
            held_path=self._layout.held(hold_id, row["path"], row["volume"]),
            volume=row["volume"],
        )


def _newest(connection: Connection, stream_id: str) -> RowMapping | None:
    """The last segment of a stream, if it is here: by the key, from the end."""
    query = select(tables.items).where(_I.stream_id == stream_id, _I.kind == "segment")
    row = connection.execute(query.order_by(_I.n.desc()).limit(1)).mappings().one_or_none()
    return row if row is not None and row["state"] == _PRESENT else None


def state_of(connection: Connection, volume: str, path: str) -> str | None:
    """What the row says of the segment whose file has that path in that volume; None: no row knows it."""
    return connection.execute(select(_I.state).where(_chosen(volume, path))).scalar()


def _chosen(volume: str, path: str) -> ColumnElement[bool]:
    """By the key: there is no index of paths."""
    parts = Path(path).parts
    number = parts[-1].partition("-")[0] if parts else ""
    is_number = number.isascii() and number.isdigit() and len(number) < 16
    if not is_number:
        return false()
    return (_I.stream_id == parts[0]) & (_I.n == int(number)) & (_I.path == path) & (_I.volume == volume)


def holds_of(connection: Connection, row: RowMapping) -> list[int]:
    """The holds in force on an item."""
    query = (
        select(_H.id)
        .join(tables.hold_cameras, tables.hold_cameras.c.hold_id == _H.id)
        .where(tables.hold_cameras.c.camera_id == camera_of(row["stream_id"]), _H.released_us.is_(None))
        .where(_H.t0_us < row["t1_us"], _H.t1_us > row["t0_us"])
    )
    return [int(one) for one in connection.execute(query).scalars()]


def _held_items(stream_id: str, t0_us: int, t1_us: int, after: tuple[int, int] | None) -> Select[tuple[object, ...]]:
    """By the index of starts: a hold may name months, and no page looks at what lies before it."""
    query = select(tables.items).where(_I.stream_id == stream_id, _I.state == _PRESENT)
    query = query.where(_I.t0_us > t0_us - MAX_SEGMENT_US, _I.t0_us < t1_us, _I.t1_us > t0_us)
    if after is not None:
        query = query.where(tuple_(_I.t0_us, _I.n) > after)
    return query.order_by(_I.t0_us, _I.n)


def _key(connection: Connection, item: tuple[str, int]) -> tuple[int, int]:
    query = select(_I.t0_us).where(_I.stream_id == item[0], _I.n == item[1])
    return int(connection.execute(query).scalar_one()), item[1]


def _damaged(connection: Connection) -> dict[int, int]:
    """How many damaged segments lie in each hold in force."""
    query = _damaged_items(_H.id, func.count()).group_by(_H.id)
    return {int(hold_id): int(count) for hold_id, count in connection.execute(query)}


def _damaged_items(*columns: Any) -> Select[Any]:
    """Each as often as holds in force lie on it."""
    of = tables.hold_damage.c
    return (
        select(*columns)
        .select_from(tables.hold_damage)
        .join(tables.items, and_(_I.stream_id == of.stream_id, _I.n == of.n))
        .join(tables.streams, tables.streams.c.id == of.stream_id)
        .join(tables.hold_cameras, tables.hold_cameras.c.camera_id == tables.streams.c.camera_id)
        .join(tables.holds, _H.id == tables.hold_cameras.c.hold_id)
        .where(_H.released_us.is_(None), _H.t0_us < _I.t1_us, _H.t1_us > _I.t0_us)
    )


def _state(connection: Connection, hold_id: int, damaged: int) -> HeldState:
    work = connection.execute(select(tables.hold_work).where(_W.hold_id == hold_id)).mappings().one_or_none()
    of = tables.hold_checks.c
    newest = select(tables.hold_checks).where(of.hold_id == hold_id).order_by(of.leaf_index.desc()).limit(1)
    row = connection.execute(newest).mappings().one_or_none()
    return HeldState(
        hold_id=hold_id,
        is_linked=bool(work and work["is_linked"]),
        is_checking=bool(work and work["stream_id"] is not None),
        checked=None if row is None else _check(row),
        damaged=damaged,
    )


def _check(row: RowMapping) -> HoldCheck:
    return HoldCheck(row["leaf_index"], row["checked_us"], row["segments"], row["bytes"], row["damaged"])


def _remember(connection: Connection, hold_id: int, **values: object) -> None:
    """Of a hold that is in force; of one that was released meanwhile nothing is to be done any more."""
    if connection.execute(select(_H.id).where(_H.id == hold_id, _H.released_us.is_(None))).scalar() is None:
        return
    if connection.execute(select(_W.hold_id).where(_W.hold_id == hold_id)).scalar() is None:
        start = {"is_linked": False, "segments": 0, "bytes": 0, "damaged": 0}
        connection.execute(insert(tables.hold_work).values(hold_id=hold_id, **{**start, **values}))
    else:
        connection.execute(update(tables.hold_work).where(_W.hold_id == hold_id).values(**values))
