"""Makes the catalogue anew from media and log (docs/adr/0029): `custos fsck --rebuild`.

Each step is durable before the next::

    1 take the lock of the data directory: no box runs on it
    2 put the old catalogue aside: kept/catalogue-<UTC>/ has it, and its write-ahead log, under second names
    3 replay the log into catalogue.sqlite.new; it must hash to the checkpoint, which this log's key signed
    4 fill in what no entry tells from the old catalogue, as far as that can be read
    5 give the new one its name (rename): up to here the old one stands
    6 say so in the log

What cannot be read of the log ends it at 3, by name and with nothing changed. What is lost with the old catalogue is
told by name. No media is touched.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from config.clock import Clock
from config.errors import CustosError
from config.times import format_name
from config.volumes import VolumeWish
from recorder.errors import StorageError
from recorder.store import datadir, files, salvage, tables
from recorder.store.anchors import file_name
from recorder.store.database import Database
from recorder.store.datadir import BoxFacts
from recorder.store.keyring import KeyRing
from recorder.store.layout import VOLUME, Layout
from recorder.store.log.errors import KeyUnavailable, LeafMalformed, LogDamaged, LogError, LogRolledBack, TileMissing
from recorder.store.log.keys import fingerprint, load_public
from recorder.store.log.leaves import decode_leaf
from recorder.store.log.note import Checkpoint, body_of, read_body, verifier_key
from recorder.store.log.succession import read_verifier_key
from recorder.store.log.tiles import TileStore
from recorder.store.log.tree import Frontier, leaf_hash
from recorder.store.places import of_box
from recorder.store.records import AnchorKind, ExportState, Outsider
from recorder.store.replay import REBUILT, Replay
from recorder.store.salvage import Old
from recorder.store.store import Store

ENTRIES_AT_ONCE = 4096
"""Of one transaction: bounds memory and the write-ahead log."""

NAMED_LIMIT = 20
"""Side records that are lost are named up to so many; past it they are counted."""

NAMES_LIMIT = 1000
"""Attempts of one second that are told apart; nobody makes more, and behind them the name is taken and refused."""

Progress = Callable[[int, int], None]
"""Called with bytes of entries done and in all."""


@dataclass(frozen=True)
class RebuildReport:
    """What came of it."""

    entries: int
    """Of the log."""
    items: int
    unsigned: int
    """Of the entries, how many no checkpoint covers yet."""
    kept: Path | None
    """Where the old catalogue lies now; None: there was none."""
    lost: tuple[str, ...]
    """What cannot be had from media and log, and the old catalogue did not tell: a sentence each."""


def rebuild(
    data_dir: Path,
    clock: Clock,
    progress: Progress = lambda done, total: None,
    *,
    key_url: str | None = None,
    volumes: Sequence[VolumeWish] = (),
) -> RebuildReport:
    """Make the catalogue anew, and say so in the log.

    `volumes`: where its settings say that its footage lies; what the old catalogue knows of that counts too.

    Raises:
        DataDirInUse: a box runs on it. DataDirError: one of its other kinds.
        LogDamaged, LogRolledBack, LogError: the log cannot be believed; nothing was changed.
        StorageError, CatalogueError: the new catalogue cannot be written; the old one stands.
    """
    layout = Layout(data_dir.absolute())
    facts = datadir.read_facts(layout)
    held = files.lock(layout.box)
    try:
        datadir.probe_writing(layout)
        layout.volumes.update({one.name: one.path for one in volumes if one.path is not None})
        report = _remade(layout, facts, clock, progress, key_url)
        _tell(layout, clock, report, key_url)
    finally:
        os.close(held)
    return report


def _remade(layout: Layout, facts: BoxFacts, clock: Clock, progress: Progress, key_url: str | None) -> RebuildReport:
    new = layout.catalogue.with_name(f"{layout.catalogue.name}.new")
    _remove(new)  # of an attempt before
    # Before the old one is opened: of a file that is no database SQLite throws the write-ahead log away.
    kept = _put_aside(layout, clock)
    try:
        with contextlib.closing(Old(layout.catalogue)) as old:
            old.refuse_newer()
            made = Making(layout, facts, Database(new), old, key_url)
            try:
                report = made.make(progress)
            finally:
                made.database.close()  # which brings what is left of its write-ahead log into its file
            is_folded = old.fold()
        if _with_companions(new)[1].exists():
            raise StorageError(f"{StorageError.sentence()} ({new}: it could not be finished)")
    except CustosError:
        _remove(new)
        if kept is not None:
            files.remove_tree(kept)
        raise
    if not is_folded:  # else it would be taken for that of the new one; what it has lies in `kept`
        for path in _with_companions(layout.catalogue)[1:]:
            files.remove_copy(path)
    files.put_in_place(new, layout.catalogue)
    return RebuildReport(report.entries, report.items, report.unsigned, kept, report.lost)


def _remove(made: Path) -> None:
    for path in _with_companions(made):
        files.remove_copy(path)


class Making:
    """The new catalogue while it is made."""

    def __init__(self, layout: Layout, facts: BoxFacts, database: Database, old: Old, key_url: str | None) -> None:
        self.database = database
        self._layout = layout
        self._origin = facts.origin
        self._old = old
        self._key_url = key_url
        self._keys = KeyRing(layout, database, facts.origin, key_url)
        self._tiles = TileStore(layout.log)
        here = _volumes(layout, facts.box_id, old)
        self._replay = Replay(old.record, here, layout.volume)
        self._is_one = len(here) <= 1

    def make(self, progress: Progress) -> RebuildReport:
        """Steps 3 and 4."""
        text = self._checkpoint_text()
        signed = read_body(body_of(text))
        if not signed.size:
            raise LogDamaged(f"{LogDamaged.sentence()} (the checkpoint signs no entry)")
        self._refuse_rolled_back(signed)
        tail = self._tail(signed.size)
        self.database.prepare()
        self._replay_signed(signed, progress)
        with self.database.write() as connection:
            for index, body in enumerate(tail, signed.size):
                self._replay.take(connection, index, body)
            self._replay.finish(connection)
            self._name_first_key(connection)
            self._stand(connection, signed, tail)
        self._keys.opened(text)  # by the key of that time, which the replay has found
        with self.database.write() as connection:
            lost = self._fill(connection, signed.size + len(tail))
        self.database.forget()
        return RebuildReport(signed.size + len(tail), self._replay.items, len(tail), None, tuple(lost))

    def _checkpoint_text(self) -> str:
        path = self._layout.log / "checkpoint"
        with files.translated(path):
            return path.read_text(encoding="utf-8", errors="replace")

    def _refuse_rolled_back(self, signed: Checkpoint) -> None:
        remembered = self._old.one("log_state").get("checkpoint_size", 0)
        if remembered > signed.size:
            raise LogRolledBack(
                f"{LogRolledBack.sentence()} ({signed.size} entries are signed; the catalogue remembers {remembered})"
            )

    def _tail(self, size: int) -> list[bytes]:
        """Entries that no checkpoint covers: in the old catalogue, else what a crash left in the tiles."""
        found = salvage.unsigned(self._old, size, _is_leaf)
        stored = self._tiles.stored(size)
        if len(found) >= stored - size:
            return found
        try:
            bodies = list(self._tiles.read_entries(size, stored, stored))
        except LogError:
            return found
        return bodies if all(map(_is_leaf, bodies)) else found

    def _replay_signed(self, signed: Checkpoint, progress: Progress) -> None:
        frontier, total, done = Frontier(), _entry_bytes(self._layout.log), 0
        for start in range(0, signed.size, ENTRIES_AT_ONCE):
            with self.database.write() as connection:
                for index, body in self._entries(start, min(start + ENTRIES_AT_ONCE, signed.size), signed.size):
                    frontier = frontier.append(leaf_hash(body)) or frontier
                    self._replay.take(connection, index, body)
                    done += len(body)
                self._replay.flush(connection)
            progress(done, max(done, total))
        if frontier.size != signed.size or frontier.root() != signed.root:
            raise LogDamaged(f"{LogDamaged.sentence()} (its entries do not hash to the root that is signed)")

    def _entries(self, start: int, end: int, size: int) -> Iterator[tuple[int, bytes]]:
        index = start - 1
        try:
            for index, body in enumerate(self._tiles.read_entries(start, end, size), start):
                yield index, body
        except (TileMissing, StorageError) as err:
            raise LogDamaged(f"{LogDamaged.sentence()} (entry {index + 1}: {err})") from err

    def _name_first_key(self, connection: Connection) -> None:
        """Its row, from the entry about the second one, or the file that strangers are given."""
        if self._replay.old_key is not None:
            key = read_verifier_key(self._origin, self._replay.old_key)
        else:
            key = load_public(self._layout.public_key)
        if fingerprint(key) != self._replay.first_key:
            raise LogDamaged(f"{LogDamaged.sentence()} (keys/log.pub.pem is not the key that it begins with)")
        row = {"number": 0, "leaf_index": 0, "key": verifier_key(self._origin, key), "place": None}
        connection.execute(insert(tables.log_keys).values(**row))

    def _stand(self, connection: Connection, signed: Checkpoint, tail: list[bytes]) -> None:
        """Where the log stands. Clocks of the last entry follow from the newest beat, unless the machine started anew
        since: then no time counts as passed until the next entry, as at any start.
        """
        beat, (public, leaf) = self._replay.beat, self._replay.sm2 or (None, None)
        mono_us = 0 if beat is None else beat.mono_us + self._replay.elapsed_us - beat.elapsed_us
        row: dict[str, Any] = {"id": 1, "size": signed.size + len(tail), "elapsed_us": self._replay.elapsed_us}
        row |= {"boot": "" if beat is None else beat.boot, "mono_us": mono_us, "sm2_public": public, "sm2_leaf": leaf}
        closing = next(self._tiles.read_entries(signed.size - 1, signed.size, signed.size))
        row |= {"checkpoint_size": signed.size, "checkpoint_root": signed.root.hex()}
        connection.execute(insert(tables.log_state).values(**row, checkpoint_us=decode_leaf(closing).at_us))
        if tail:
            rows = [{"idx": index, "body": body} for index, body in enumerate(tail, signed.size)]
            connection.execute(insert(tables.leaves), rows)

    def _fill(self, connection: Connection, size: int) -> list[str]:
        """What no entry tells; what of that is lost, in words."""
        old, replay = self._old, self._replay
        lost = _named(salvage.records(old, connection, replay.records, replay.erased))
        salvage.cameras(old, connection)
        salvage.items(old, connection, is_one=self._is_one)
        salvage.scrubs(old, connection)
        salvage.volumes(old, connection)
        salvage.held(old, connection)
        salvage.places(old, connection)
        self._place_key(connection)
        salvage.anchors(old, connection, size)
        self._note_anchors(connection)
        lost += self._end_unknown(connection, salvage.exports(old, connection))
        state = old.one("log_state")
        if state.get("size") == size:
            values = {name: state[name] for name in ("boot", "mono_us")}
            connection.execute(update(tables.log_state).values(**values))
        same = tables.log_state.c.checkpoint_size == state.get("checkpoint_size", -1)
        if "checkpoint_us" in state:
            connection.execute(update(tables.log_state).where(same).values(checkpoint_us=state["checkpoint_us"]))
        if not old.is_there or "leaves" in old.unreadable:
            lost.append("Entries that were not signed yet, of at most a minute, if there were any.")
        if old.unreadable:
            lost.append(f"Rows of the old catalogue that cannot be read, in: {', '.join(sorted(old.unreadable))}.")
        return lost

    def _place_key(self, connection: Connection) -> None:
        """Where the key in force lies, if no file has it: where the settings say."""
        if self._key_url is None:
            return
        present = self._keys.keys(connection)[-1]
        path = self._layout.key
        if present.place is None and not path.exists():
            chosen = tables.log_keys.c.number == present.number
            connection.execute(update(tables.log_keys).where(chosen).values(place=self._key_url))

    def _note_anchors(self, connection: Connection) -> None:
        """The text that was stamped or cosigned, where the old catalogue did not have it: from the tree itself."""
        chosen = tables.anchors.c
        for row in connection.execute(select(tables.anchors).where(chosen.note == "")).mappings().all():
            body = Checkpoint(self._origin, row["size"], self._tiles.frontier(row["size"]).root()).body()
            note = f"{body}\n{self._own_lines(row)}"
            connection.execute(update(tables.anchors).where(chosen.id == row["id"]).values(note=note))

    def _own_lines(self, row: Mapping[Any, Any]) -> str:
        """Our signatures, as a witness's answer still has them; an authority's has none."""
        by = Outsider(AnchorKind(row["kind"]), row["witness"])
        path = self._layout.log / "anchors" / file_name(row["size"], by)
        if by.key is None:
            return ""
        try:
            with files.translated(path):
                text = path.read_text(encoding="utf-8", errors="replace")
        except StorageError:
            return ""
        lines = text.rpartition("\n\n")[2].splitlines(keepends=True)
        return "".join(line for line in lines if line.startswith(f"— {self._origin} "))

    def _end_unknown(self, connection: Connection, known: set[int]) -> list[str]:
        """Exports of which nobody knows how far they were: done where there is a list of their files, else over."""
        chosen, lost = tables.exports.c, []
        queued = select(chosen.id, chosen.asked_us).where(chosen.state == ExportState.QUEUED.value)
        for number, asked_us in connection.execute(queued).all():
            if number in known:
                continue
            is_done = (self._layout.exports / f"{number}.list").exists()
            values: dict[str, Any] = {"state": ExportState.DONE.value, "ended_us": asked_us}
            if not is_done:
                values |= {"state": ExportState.FAILED.value, "problem_code": REBUILT, "problem_text": _ASK_AGAIN}
                lost.append(f"How far export {number} was: {_ASK_AGAIN}")
            connection.execute(update(tables.exports).where(chosen.id == number).values(**values))
        return lost


_ASK_AGAIN = "The catalogue was made anew, and it is not known how far this was: ask for it again."


def _named(whose: list[str]) -> list[str]:
    """Lost side records: those of cameras, holds and exports by name, the others by number."""
    lost = []
    of = [one for one in dict.fromkeys(whose) if " " in one]
    if of:
        more = f" and {len(of) - NAMED_LIMIT} more" if len(of) > NAMED_LIMIT else ""
        lost.append(f"Side records (names, addresses, cases, reasons) of: {', '.join(of[:NAMED_LIMIT])}{more}.")
    if any(one.startswith("camera ") for one in of):
        lost.append("Names and addresses of these cameras; they are switched off until they are told anew.")
    for kind, count in sorted(Counter(one for one in whose if " " not in one).items()):
        lost.append(f"Side records of entries of type {kind}: {count}.")
    return lost


def _is_leaf(body: bytes) -> bool:
    try:
        decode_leaf(body)
    except LeafMalformed:
        return False
    return True


def _volumes(layout: Layout, box_id: str, old: Old) -> dict[str, Path]:
    """Where media lies, by name: of the disks that are there, and inside the data directory."""
    for row in old.rows("volumes"):
        if row["name"] != VOLUME:
            layout.volumes.setdefault(row["name"], Path(row["path"]))
    inside = sorted(layout.media.iterdir()) if layout.media.is_dir() else []
    return of_box({**{root.name: root for root in inside}, **layout.volumes}, box_id)


def _entry_bytes(log: Path) -> int:
    folder = log / "tile" / "entries"
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _with_companions(path: Path) -> list[Path]:
    """A catalogue, its write-ahead log and the index of that."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def _put_aside(layout: Layout, clock: Clock) -> Path | None:
    """Under second names: until the new one has its name, the old one stands where it stood. None: there was none."""
    there = [path for path in _with_companions(layout.catalogue)[:2] if path.exists()]
    if not there:
        return None
    wanted = layout.kept / f"catalogue-{format_name(clock.read().utc_us)}"
    folder = wanted
    for count in range(1, NAMES_LIMIT):
        if not folder.exists():
            break
        folder = wanted.with_name(f"{wanted.name}.{count}")
    for path in there:
        files.second_name(path, folder / path.name)
    return folder


def _tell(layout: Layout, clock: Clock, report: RebuildReport, key_url: str | None) -> None:
    """An entry, signed where the key is at hand; else at the next start."""
    with contextlib.closing(Store.open(layout.root, clock, exclusive=False, key_url=key_url)) as store:
        store.note("finding", {"what": REBUILT, "entries": report.entries, "lost": len(report.lost)})
        with contextlib.suppress(KeyUnavailable):
            store.checkpoint()


def summary(report: RebuildReport) -> dict[str, Any]:
    """For programs."""
    return {
        "entries": report.entries,
        "items": report.items,
        "unsigned": report.unsigned,
        "kept": None if report.kept is None else str(report.kept),
        "lost": list(report.lost),
    }
