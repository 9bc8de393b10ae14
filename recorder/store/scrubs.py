"""The scrub as rows and leaves: what to look at next, and what was found (invariant 10, docs/storage.md).

What was not looked at for longest comes first, by box time, which nobody can set; the order lies in the rows, so a
restart loses nothing. Damage is told once, in a `finding` leaf: what is still damaged in the same way at the next pass
is no news. What is right again, because its disk was mounted anew, is a leaf too. Nothing is ever deleted here.

How fast and when files are read `retention.pace` decides, and `retention.scrub` reads them.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, case, func, insert, select, update

from config.clock import Clock
from recorder.errors import ScrubBusy, StorageError
from recorder.store import files, tables
from recorder.store.catalogue import MAX_SEGMENT_US
from recorder.store.database import Database
from recorder.store.hashing import hashes_of
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.records import (
    Checkable,
    Checked,
    Damage,
    Damaged,
    MediaState,
    ScrubProgress,
    segment_id_of,
)
from recorder.store.volumes import Volumes

_I = tables.items.c
_IS_HERE = _I.state == MediaState.PRESENT.value


class Scrubs:
    """The scrub of one box, as far as it is written down."""

    def __init__(self, layout: Layout, database: Database, ledger: Ledger, clock: Clock, volumes: Volumes) -> None:
        self._layout = layout
        self._volumes = volumes
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._asking = threading.Lock()

    @contextmanager
    def by_request(self) -> Iterator[None]:
        """While somebody has something checked at once: one at a time, for each takes all that the disk can give.

        Raises:
            ScrubBusy: another does.
        """
        if not self._asking.acquire(blocking=False):
            raise ScrubBusy
        try:
            yield
        finally:
            self._asking.release()

    def next(self, volume: str, before_elapsed_us: int, limit: int) -> list[Checkable]:
        """Of a volume, what was last looked at before that box time; what was not for longest comes first."""
        # What is due is asked for in order, and told apart here: a condition would walk all rows where nothing is due.
        query = _checkables().where(_IS_HERE, _I.volume == volume).order_by(_I.checked_elapsed_us).limit(limit)
        with self._database.read() as connection:
            found = [Checkable(**row) for row in connection.execute(query).mappings()]
        return [one for one in found if one.checked_elapsed_us is None or one.checked_elapsed_us < before_elapsed_us]

    def between(self, stream_id: str, start_us: int, end_us: int, limit: int, after_n: int = -1) -> list[Checkable]:
        """What is stored of an interval of a stream, in the order of its numbers, behind that one."""
        query = _checkables().where(_overlapping(stream_id, start_us, end_us), _I.n > after_n).order_by(_I.n)
        with self._database.read() as connection:
            return [Checkable(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def bytes_between(self, stream_id: str, start_us: int, end_us: int, after_n: int = -1) -> int:
        """How much that is."""
        query = select(func.coalesce(func.sum(_I.bytes), 0))
        query = query.where(_overlapping(stream_id, start_us, end_us), _I.n > after_n)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def look(self, what: Checkable, passed: Callable[[int], None] = lambda count: None) -> Checked:
        """Read a file and hold it to its entry. `passed`: see `hashing.hashes_of`.

        Raises:
            VolumeMissing: it is not there because its volume is not. StorageError: the volume cannot be asked.
        """
        return Checked(what, self._damage(what, passed))

    def note(self, found: Iterable[Checked], *, in_pass: bool = True) -> list[Checked]:
        """Write down what was found; what of it is news. What was discarded meanwhile is passed over.

        `in_pass`: it was looked at in its turn, and not because somebody asked for it.
        """
        results = list(found)
        if not results:
            return []
        with self._database.write() as connection:
            elapsed_us = self._ledger.elapsed_us(connection)
            news = [one for one in results if self._note(connection, one, elapsed_us)]
            for volume in sorted({one.what.volume for one in results}):
                mine = [one.what for one in results if one.what.volume == volume]
                self._advance(connection, volume, mine, elapsed_us, in_pass)
        return news

    def progress(self) -> list[ScrubProgress]:
        """Of each volume that was ever scrubbed, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(tables.scrubs).order_by(tables.scrubs.c.volume)).mappings()
            return [ScrubProgress(**row) for row in rows]

    def oldest_elapsed_us(self, volume: str) -> int | None:
        """Box time of the check that lies furthest back of all that is kept on a volume; None: there is none to tell,
        since it is empty, or holds what was never looked at.
        """
        query = select(_I.checked_elapsed_us).where(_IS_HERE, _I.volume == volume).order_by(_I.checked_elapsed_us)
        with self._database.read() as connection:
            found = connection.execute(query.limit(1)).scalar()
            return None if found is None else int(found)

    def stored_bytes(self, volume: str) -> int:
        """How much is kept on a volume. Walks all its rows: for people who ask, not for every minute."""
        query = select(func.coalesce(func.sum(_I.bytes), 0)).where(_IS_HERE, _I.volume == volume)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def damaged(self, limit: int) -> list[Damaged]:
        """What is still kept and was not right when it was last looked at, by stream and number."""
        query = select(_I.stream_id, _I.n, _I.damage, _I.damage_leaf, _I.t0_us, _I.t1_us)
        query = query.where(_I.damage.is_not(None), _IS_HERE).order_by(_I.stream_id, _I.n).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            Damaged(segment_id_of(row.stream_id, row.n), Damage(row.damage), row.damage_leaf, row.t0_us, row.t1_us)
            for row in rows
        ]

    def damaged_count(self) -> int:
        """How many those are."""
        # What is here is counted, not asked for: the database could take any index of what is here, and walk that.
        is_here = func.coalesce(func.sum(case((_IS_HERE, 1), else_=0)), 0)
        with self._database.read() as connection:
            return int(connection.execute(select(is_here).where(_I.damage.is_not(None))).scalar_one())

    def _damage(self, what: Checkable, passed: Callable[[int], None]) -> Damage | None:
        path = self._layout.volume(what.volume) / what.path
        try:
            if _size_of(path) != what.bytes:
                return Damage.WRONG_SIZE
            hashes = hashes_of(path, with_sm3=what.sm3 is not None, passed=passed)
        except StorageError as err:
            return self._why(what.volume, err)
        is_right = hashes.sha256 == what.sha256 and hashes.sm3 == what.sm3
        return None if is_right else Damage.HASH_DIFFERS

    def _why(self, volume: str, err: StorageError) -> Damage:
        """What an error is of: of the file, or of its volume, of which then nothing is said. A file that cannot be read
        for whatever reason keeps nobody from reading the next one.
        """
        self._volumes.refuse_away(volume)
        cause = err.__cause__
        is_missing = isinstance(cause, OSError) and cause.errno in (errno.ENOENT, errno.ENOTDIR)
        return Damage.MISSING if is_missing else Damage.UNREADABLE

    def _note(self, connection: Connection, one: Checked, elapsed_us: int) -> bool:
        chosen = (_I.stream_id == one.what.stream_id) & (_I.n == one.what.n) & _IS_HERE
        row = connection.execute(select(_I.damage, _I.damage_leaf).where(chosen)).one_or_none()
        if row is None:
            return False
        values: dict[str, Any] = {"checked_elapsed_us": elapsed_us}
        is_news = bool(row.damage != one.damage)
        if is_news:
            fields: dict[str, Any] = {"stream": one.what.stream_id, "n": one.what.n}
            if one.damage is None:
                fields |= {"what": "segment_right_again", "damage": row.damage, "told": row.damage_leaf}
            else:
                fields |= {"what": "segment_damaged", "damage": one.damage.value}
            entry = self._ledger.append(connection, "finding", fields)
            told = (None, None) if one.damage is None else (one.damage.value, entry.index)
            values["damage"], values["damage_leaf"] = told
        connection.execute(update(tables.items).where(chosen).values(**values))
        return is_news

    def _advance(
        self, connection: Connection, volume: str, looked: Sequence[Checkable], elapsed_us: int, in_pass: bool
    ) -> None:
        chosen = tables.scrubs.c.volume == volume
        row = connection.execute(select(tables.scrubs).where(chosen)).mappings().one_or_none()
        before = None if row is None else ScrubProgress(**row)
        after = before or ScrubProgress(volume, self._clock.read().utc_us, elapsed_us, 0, 0, 0)
        for what in looked:
            if in_pass and is_over(after, what):
                after = replace(after, begun_us=self._clock.read().utc_us, begun_elapsed_us=elapsed_us)
                after = replace(after, bytes=0, passes=after.passes + 1)
            read = after.bytes + (what.bytes if in_pass else 0)
            after = replace(after, bytes=read, total_bytes=after.total_bytes + what.bytes)
        values = {name: getattr(after, name) for name in tables.scrubs.c.keys()}  # noqa: SIM118 - columns, no mapping
        if before is None:
            connection.execute(insert(tables.scrubs).values(**values))
        else:
            connection.execute(update(tables.scrubs).where(chosen).values(**values))


def is_over(progress: ScrubProgress, upcoming: Checkable) -> bool:
    """Whether a pass has come to its end: what comes next, of all that was not looked at for longest, was in it."""
    checked = upcoming.checked_elapsed_us
    return checked is not None and checked >= progress.begun_elapsed_us


def _checkables() -> Select[Any]:
    return select(_I.stream_id, _I.n, _I.volume, _I.path, _I.bytes, _I.sha256, _I.sm3, _I.checked_elapsed_us)


def _overlapping(stream_id: str, start_us: int, end_us: int) -> Any:
    is_near = (_I.stream_id == stream_id) & (_I.t0_us > start_us - MAX_SEGMENT_US) & (_I.t0_us < end_us)
    return is_near & (_I.t1_us > start_us) & _IS_HERE


def _size_of(path: Path) -> int:
    with files.translated(path):
        return path.stat().st_size
