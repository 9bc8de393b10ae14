"""The procedures of footage: begin a segment, commit it, commit a gap, finish what a crash left, discard.

Their order is that of docs/storage.md, "Procedures"; each step is durable before the next.
`Segments.discard` is the one function that deletes media, and no other does. It does not believe the plan it is
handed: inside the transaction that marks a segment it asks again whether it is old enough by trusted time and under
no hold, and when the catalogue does not answer, nothing is deleted. Nor is it believed that a full disk may break the
floor: that this was wished must stand in the log, and the disk be full (`overwriting`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from config.clock import Clock
from config.keeping import Protection
from config.times import HOUR_US, format_us
from recorder.causes import Cause
from recorder.errors import (
    BelowFloor,
    ChainBroken,
    NotPresent,
    Refused,
    RulesChanged,
    SegmentUnknown,
    StorageError,
    StorageFailed,
    StorageFull,
    StorageReadOnly,
    StoreError,
    UnderExport,
    UnderHold,
    VolumeAway,
    VolumeMissing,
)
from recorder.store import files, overwriting, tables
from recorder.store.boxes import (
    TIMESCALE_HZ,
    BoxesDamaged,
    Outline,
    audio_entry,
    goes_on,
    init_of,
    outline,
    pictures,
    sample_entry,
)
from recorder.store.camsig import stored_signatures
from recorder.store.clustering import append_items
from recorder.store.database import Database
from recorder.store.daycount import may_go_us, offset_s, recorded_offset_s, trusted_now_us
from recorder.store.exports import PENDING
from recorder.store.held import HeldMediaStore
from recorder.store.keeping import Rule, floor_of, rules_hash
from recorder.store.layout import PART, Layout, segment_path
from recorder.store.ledger import Entry, Ledger
from recorder.store.log.errors import KeyUnavailable
from recorder.store.log.sm3 import sm3
from recorder.store.parts import FinishedPart, PartFile, Parts, refusal
from recorder.store.pressure import ERASABLE, HERE, WRITABLE, overwritable
from recorder.store.receipts import announced, reported
from recorder.store.records import (
    AudioCodec,
    AudioFacts,
    CodecName,
    Condition,
    Head,
    MediaState,
    SegmentFacts,
    SegmentHeader,
    Stuck,
    camera_of,
    segment_id_of,
)
from recorder.store.rules import rules_of
from recorder.store.volumes import Volumes

_Span = tuple[int, int, int]
"""The number of a hold or an export, and the interval that it protects."""

LEGAL_FLOOR_DAYS = Protection.ORDINARY.least_days
"""Wuxi order 168, article 28; State Council order 799, article 17. No setting goes below it."""

DISCARD_BATCH = 500
"""Segments discarded with one pair of leaves: bounds the leaf and the time that commits wait."""

UNLINK_FAILURES_LIMIT = 8
"""Files of one call that cannot be removed, before the rest is left for later: a failing disk answers each of five
hundred only after seconds, and gets worse by being asked."""


# Made once: to make them anew for each item costs more than to carry them out.
_HEAD = select(tables.streams).where(tables.streams.c.id == bindparam("stream"))
_ADVANCE = update(tables.streams).where(tables.streams.c.id == bindparam("stream"))


@dataclass(frozen=True)
class Leftover:
    """What `resume` found where a stream's next segment would lie."""

    recovered: str | None = None
    damaged: Path | None = None
    empty: Path | None = None


@dataclass(frozen=True)
class GapWish:
    """That nothing was recorded from where a stream's chain stands to an instant, and why."""

    stream_id: str
    t1_us: int
    cause: Cause
    detail: str = ""


@dataclass(frozen=True)
class Finished:
    """What came of discards that were announced."""

    discarded: tuple[str, ...] = ()
    bytes: int = 0
    stuck: tuple[Stuck, ...] = ()


@dataclass(frozen=True)
class DiscardReport:
    """What `discard` did, and why it did not do the rest."""

    discarded: tuple[str, ...]
    refused: tuple[tuple[str, Refused], ...]
    bytes: int
    stuck: tuple[Stuck, ...] = ()


@dataclass(frozen=True)
class _Marked:
    """A segment that may go, and for how many days it had to stay."""

    stream_id: str
    n: int
    floor_days: int
    short_us: int = 0
    """By how much too early it goes: only by the owner's wish."""
    until_us: int = 0
    """When it might go."""
    wish_leaf: int | None = None
    """The entry of that wish; None: it goes by the rules."""

    @property
    def alike(self) -> tuple[int, int]:
        """What is told by one entry."""
        return (self.floor_days, -1 if self.wish_leaf is None else self.wish_leaf)


@dataclass(frozen=True)
class _Grounds:
    """What decides whether segments may go, as the catalogue stands in one transaction; by stream, but for the rows."""

    now_us: int
    elapsed_us: int
    there: Set[str]
    """Volumes that are there, and take writes."""
    overwrite: overwriting.Overwrite | None
    is_wished: bool
    """Whether the wish to overwrite stands in the log."""
    rows: Mapping[tuple[str, int], Mapping[Any, Any]]
    rules: Mapping[str, Sequence[Rule]]
    changed: Set[str]
    """Streams that are kept by other rules than was planned by."""
    holds: Mapping[str, Sequence[_Span]]
    """In force, of its camera."""
    exports: Mapping[str, Sequence[_Span]]
    """That are still to be made."""


@dataclass(frozen=True)
class _Sealed:
    """A finished file, whoever found it out: the recording side, or recovery by reading it."""

    volume: str
    bytes: int
    init_bytes: int
    init_sha256: str
    sha256: str
    recovered: bool
    sm3: str | None = None


class Segments:
    """The procedures, over one data directory."""

    def __init__(
        self,
        layout: Layout,
        database: Database,
        ledger: Ledger,
        clock: Clock,
        zone: ZoneInfo,
        floor_days: int,
        checkpoint: Callable[[], object],
        volumes: Volumes,
        pinned: Callable[[str], str | None],
        held: HeldMediaStore,
        *,
        with_sm3: bool = False,
    ) -> None:
        """What it works with besides.

        Args:
            layout: of the data directory.
            database: its catalogue.
            ledger: its log.
            clock: time.
            zone: by whose midnights days are counted.
            floor_days: below which nothing goes.
            checkpoint: signs the log as it stands: `discard` unlinks nothing before its leaf is signed.
            volumes: the disks.
            pinned: which of them a camera's footage goes to first.
            held: keeps the second names of held media.
            with_sm3: whether segments are hashed with SM3 too; those that recovery finds as well.
        """
        # Long by its arguments, each of which says what it is for.
        if floor_days < LEGAL_FLOOR_DAYS:
            raise ValueError(f"a floor of {floor_days} days is below the legal one of {LEGAL_FLOOR_DAYS}")
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._zone = zone
        self._floor_days = floor_days
        self._checkpoint = checkpoint
        self._held = held
        self._with_sm3 = with_sm3
        self._volumes = volumes
        self._parts = Parts(
            layout,
            lambda camera: volumes.places(pinned(camera)),
            with_sm3=with_sm3,
            mono_us=lambda: clock.read().mono_us,
            failed=volumes.failed,
        )

    # -- recording

    def head(self, stream_id: str) -> Head:
        """Where the stream's chain stands.

        Raises:
            ChainBroken: there is no such stream.
        """
        with self._database.read() as connection:
            return _head(connection, stream_id)

    def begin(self, header: SegmentHeader) -> PartFile:
        """Create the file of the stream's next segment; its name is taken by nobody else.

        Raises:
            ChainBroken: `header` does not follow the stream's head.
            StorageError: one of its kinds.
        """
        _must_follow(self.head(header.stream), header.n, header.prev, header.t0_us)
        return self._parts.begin(header)

    def commit_segment(self, part: FinishedPart, facts: SegmentFacts) -> Head:
        """Seal a finished part file and write it down: fsync, rename, fsync of the folder, then row and leaf.

        Raises:
            ChainBroken: it does not follow the head, or lasts no time.
            StorageError, CatalogueError: what was not done is finished by `resume`.
        """
        head = self.head(part.header.stream)
        _must_follow(head, part.header.n, part.header.prev, part.header.t0_us)
        if facts.t1_us <= part.header.t0_us:
            raise ChainBroken(f"Segment {segment_id_of(head.stream_id, head.next_n)} would end before it starts.")
        final = self._parts.place(part.header, part.volume)
        begun = self._parts.part_place(part.header, part.volume)
        with files.translated(begun), begun.open("rb") as stream:
            beginning = stream.read(64 * 1024)
        init = init_of(beginning)
        sealed = _Sealed(
            volume=part.volume,
            bytes=part.bytes,
            init_bytes=outline(beginning).init_bytes,
            init_sha256=hashlib.sha256(init).hexdigest(),
            sha256=part.sha256,
            recovered=False,
            sm3=part.sm3,
        )
        files.seal(begun, final)
        return self._write_down(part.header, facts, sealed)

    def commit_gap(self, stream_id: str, t1_us: int, cause: Cause, detail: str = "") -> Head:
        """Write down that nothing was recorded from the head to `t1_us`; a gap of no length is not written.

        Raises:
            ChainBroken: it would end before it starts, and the clock was not set back.
        """
        with self._database.write() as connection:
            return self._put_gap(connection, GapWish(stream_id, t1_us, cause, detail))

    def commit_gaps(self, wishes: Iterable[GapWish]) -> None:
        """The same of several streams in one transaction, which waits for the disk once.

        Raises:
            ChainBroken: of one of them, as above; none is written then.
        """
        with self._database.write() as connection:
            for wish in wishes:
                self._put_gap(connection, wish)

    def _put_gap(self, connection: Connection, wish: GapWish) -> Head:
        head = _head(connection, wish.stream_id)
        if wish.t1_us == head.t1_us:
            return head
        if wish.t1_us < head.t1_us and wish.cause is not Cause.CLOCK_STEP:
            said = f"A gap of {wish.stream_id} would end before it starts; only a clock set back does that."
            raise ChainBroken(said)
        why = {"cause": wish.cause.value, "detail": wish.detail}
        entry = self._ledger.append(connection, "gap", {**_item_fields(head, head.t1_us, wish.t1_us), **why})
        row = {**_item_row(head, "gap", head.t1_us, wish.t1_us, entry), **why}
        append_items(connection, row)
        return _advance(connection, head, entry, wish.t1_us)

    def resume(self, stream_id: str) -> tuple[Head, Leftover]:
        """Finish what an earlier run of this stream left, and say where the chain stands then.

        Items touch, so a leftover can only lie where the next segment starting at the head's end would, on one of the
        volumes: nothing needs to be searched. It is cut to its last whole fragment, hashed and committed; one that
        cannot be read is kept under `spool/damaged`, and so is, as it was, one that goes on behind a damage. One on a
        volume that takes no writes any more is carried to another. One on a volume that is away is left behind: `tidy`
        looks for it once that is back.
        """
        head = self.head(stream_id)
        place = segment_path(stream_id, head.next_n, head.t1_us)
        states = self._volumes.states()
        for one in states:
            if one.is_written and one.state not in HERE:
                self._miss(head, one.name, str(place), is_away=True)
        left = self._left(head, [one.name for one in states if one.state in HERE], place)
        for volume, found in left:
            try:
                secured = self._secured(head, found, self._layout.volume(volume) / place, volume)
            except (StorageReadOnly, StorageFailed, VolumeMissing) as err:
                self._volumes.failed(volume, err)
                if any(one.name != volume and one.state in WRITABLE for one in states):
                    self._miss(head, volume, str(place))
                    continue
                if not isinstance(err, StorageFailed):
                    raise
                # One bad sector must not keep a camera, and at a start the box, from recording on its only disk.
                return head, Leftover(damaged=files.put_away(found, self._layout.damaged_on(volume)))
            if isinstance(secured, Leftover):
                return head, secured
            header, facts, sealed, whole = secured
            after = self._write_down(header, facts, sealed)
            for other, _ in left:
                if other != volume:  # a copy that was carried over, and not written down before a crash
                    self._miss(head, other, str(place))
            return after, Leftover(recovered=segment_id_of(head.stream_id, head.next_n), damaged=whole)
        return head, Leftover()

    def _left(self, head: Head, volumes: Sequence[str], place: PurePosixPath) -> list[tuple[str, Path]]:
        """What lies where a stream's next segment would, on any volume: whole files before those that were growing."""
        whole, growing = [], []
        for volume in volumes:
            final = self._layout.volume(volume) / place
            part = final.with_name(final.name + PART)
            try:
                with files.translated(final):
                    if final.exists():
                        whole.append((volume, final))
                    elif part.exists():
                        growing.append((volume, part))
            except StorageError as err:
                self._volumes.failed(volume, err)
                if len(volumes) == 1:
                    raise
                self._miss(head, volume, str(place))
        return whole + growing

    def _miss(self, head: Head, volume: str, path: str, *, is_away: bool = False) -> None:
        """What may lie there cannot be finished now, and recording does not wait for a disk to come back.

        On one that is away nothing was begun since: the first place of a stream that is missed there is the only one.
        """
        left = tables.left_behind.c
        chosen = (left.volume == volume) & (left.stream_id == head.stream_id if is_away else left.path == path)
        with self._database.read() as connection:
            if connection.execute(select(left.n).where(chosen).limit(1)).scalar() is not None:
                return
        row = {"volume": volume, "path": path, "stream_id": head.stream_id, "n": head.next_n}
        with self._database.write() as connection:
            connection.execute(insert(tables.left_behind).values(**row))

    def tidy(self) -> tuple[Path, ...]:
        """Put away what was left behind on volumes that are well again: its time is told by a gap, so it is no item.

        Raises:
            CatalogueError: the rest is tried again.
        """
        there = [one.name for one in self._volumes.states() if one.state in (*WRITABLE, Condition.FULL)]
        query = select(tables.left_behind, tables.streams.c.next_n).join(
            tables.streams, tables.streams.c.id == tables.left_behind.c.stream_id
        )
        with self._database.read() as connection:
            rows = connection.execute(query.where(tables.left_behind.c.volume.in_(there))).mappings().all()
        put: list[Path] = []
        for row in rows:
            if row["n"] >= row["next_n"]:
                self._forget_missed(row)  # `resume` finds it, if it is there; else what is missed later would not count
                continue
            final = self._layout.volume(row["volume"]) / row["path"]
            try:
                for path in (final, final.with_name(final.name + PART)):
                    with files.translated(path):
                        is_there = path.exists() and not self._is_footage(row)
                    if is_there:
                        put.append(files.put_away(path, self._layout.damaged_on(row["volume"])))
            except StorageError as err:  # it is tried again when the disk is well
                self._volumes.failed(row["volume"], err)
                continue
            self._forget_missed(row)
        return tuple(put)

    def left_behind(self) -> dict[str, int]:
        """How many segments may lie unfinished on each volume, where streams went on elsewhere; `tidy` looks for them
        once that volume is well. Of one that is away nobody knows whether there are any: one a stream is counted."""
        volume = tables.left_behind.c.volume
        with self._database.read() as connection:
            rows = connection.execute(select(volume, func.count()).group_by(volume)).all()
        return {str(name): int(count) for name, count in rows}

    def _forget_missed(self, row: Mapping[Any, Any]) -> None:
        chosen = (tables.left_behind.c.volume == row["volume"]) & (tables.left_behind.c.path == row["path"])
        with self._database.write() as connection:
            connection.execute(delete(tables.left_behind).where(chosen))

    def _is_footage(self, row: Mapping[Any, Any]) -> bool:
        """Whether an item's media lies there after all."""
        with self._database.read() as connection:
            found = _item(connection, row["stream_id"], row["n"])
        return found is not None and (found["volume"], found["path"]) == (row["volume"], row["path"])

    # -- discarding

    def discard(
        self,
        segment_ids: Sequence[str],
        rule: str,
        overwrite: overwriting.Overwrite | None = None,
        planned_by: Mapping[str, Sequence[Rule]] | None = None,
    ) -> DiscardReport:
        """Remove the media of these segments, and nothing else; leaves and rows stay.

        `planned_by`: by camera, the rules by which that was planned. Where others are in force by now, nothing of it
        goes: a target that somebody has just raised is no floor, and nothing else would ask for it.

        `overwrite`: leave to break the floor (never a hold, nor an export that is being made) on one disk. It is looked
        at again here: the wish must still stand in the log, that disk be full now, and no other have room. Each breach
        is an entry.

        1 re-check the floor by trusted time and the holds, mark the rows `going`, append `del` (one transaction);
        2 checkpoint; 3 unlink, fsync the folder; 4 append `del.done`. A crash anywhere is finished at start.
        """
        marked: list[_Marked] = []
        refused: list[tuple[str, Refused]] = []
        there = self._erasable()
        if overwrite is not None and overwrite.volume not in {one.name for one in overwritable(self._volumes.states())}:
            overwrite = None
        asked = list(dict.fromkeys(segment_ids))[:DISCARD_BATCH]
        with self._database.write() as connection:
            grounds = self._grounds(connection, asked, there, overwrite, planned_by)
            for segment_id in asked:
                try:
                    marked.append(self._checked(grounds, segment_id))
                except Refused as err:
                    refused.append((segment_id, err))
            if marked:
                self._announce(connection, marked, rule, grounds.now_us)
        if not marked:
            return DiscardReport((), tuple(refused), 0)
        self._checkpoint()
        chosen = {(one.stream_id, one.n) for one in marked}
        found = self._finish([row for row in self._going() if (row["stream_id"], row["n"]) in chosen])
        return DiscardReport(found.discarded, tuple(refused), found.bytes, found.stuck)

    def finish_discards(self, later: Collection[str] = ()) -> Finished:
        """Steps 2 to 4 for every segment that is `going`: after a crash, too. A file that cannot be removed keeps no
        other from going: its segment stays `going`, and is told.

        So does what lies on a volume that is away, or takes no writes: that its file is not to be seen does not mean
        that it is gone. And that of which no checkpoint could be signed, for want of room or of a token: an entry that
        nobody signed does not outlive the catalogue.

        `later`: segments that are not to be tried now.
        """
        rows = [row for row in self._going() if segment_id_of(row["stream_id"], row["n"]) not in later]
        why = self._sign_for(rows)
        signed = self._signed_size()
        found = self._finish([row for row in rows if row["del_leaf"] < signed])
        if why is None:
            return found
        unsigned = [row for row in rows if row["del_leaf"] >= signed]
        return replace(found, stuck=(*found.stuck, *(_stuck(row, why, is_tried=False) for row in unsigned)))

    def _going(self) -> Sequence[Mapping[Any, Any]]:
        # Put in order here: asked for an order, the database would take the index of all items for it.
        query = select(tables.items).where(tables.items.c.state == MediaState.GOING.value)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return sorted(rows, key=lambda row: (row["stream_id"], row["n"]))

    def _signed_size(self) -> int:
        with self._database.read() as connection:
            signed = self._ledger.state(connection).checkpoint
        return 0 if signed is None else signed.size

    def _sign_for(self, rows: Sequence[Mapping[Any, Any]]) -> StoreError | None:
        """Sign what announces them, where that is not signed yet; why it could not be."""
        if rows and max(row["del_leaf"] for row in rows) >= self._signed_size():
            try:
                self._checkpoint()
            except (KeyUnavailable, StorageError) as err:  # the beat, which fails likewise, says so each minute
                return err
        return None

    def _finish(self, rows: Sequence[Mapping[Any, Any]]) -> Finished:
        states = {one.name: one.state for one in self._volumes.states()} if rows else {}
        faults: dict[str, list[StorageError]] = {}
        gone: list[Mapping[Any, Any]] = []
        stuck: list[Stuck] = []
        for row in rows:
            volume, state = row["volume"], states.get(row["volume"], Condition.MISSING)
            before = faults.setdefault(volume, [])
            is_tried = state in ERASABLE and len(before) < UNLINK_FAILURES_LIMIT
            error = self._unlinked(row) if is_tried else before[-1] if before else refusal(state, volume)
            if error is None:
                gone.append(row)
                continue
            if is_tried:
                before.append(error)
            stuck.append(_stuck(row, error, is_tried=is_tried))
        gone = self._made_durable(gone, stuck)
        if gone:
            self._report_gone([(row["stream_id"], row["n"]) for row in gone])
        names = tuple(segment_id_of(row["stream_id"], row["n"]) for row in gone)
        return Finished(names, sum(row["bytes"] for row in gone), tuple(stuck))

    def _unlinked(self, row: Mapping[Any, Any]) -> StorageError | None:
        """Remove the file of a row; why it could not be."""
        try:
            # Of a hold that was just released: media of which a name is left would not be gone.
            for name in self._held.second_names(row["volume"], row["path"]):
                files.unlink(name)
                with files.translated(name.parent):
                    files.sync_folder(name.parent)
            files.unlink(self._layout.volume(row["volume"]) / row["path"])
        except StorageError as err:
            self._volumes.failed(row["volume"], err)
            return err
        return None

    def _made_durable(self, gone: Sequence[Mapping[Any, Any]], stuck: list[Stuck]) -> list[Mapping[Any, Any]]:
        """Of removed files those whose removal a power cut does not undo: each folder is synced once, for there are
        sixty files in it. The others are stuck."""
        faults: dict[Path, StorageError] = {}
        failures: dict[str, list[StorageError]] = {}
        folders = {(self._layout.volume(row["volume"]) / row["path"]).parent: row["volume"] for row in gone}
        for folder, volume in folders.items():
            before = failures.setdefault(volume, [])
            if len(before) >= UNLINK_FAILURES_LIMIT:
                faults[folder] = before[-1]
                continue
            try:
                with files.translated(folder):
                    if folder.is_dir():
                        files.sync_folder(folder)
            except StorageError as err:
                self._volumes.failed(volume, err)
                before.append(err)
                faults[folder] = err
        durable = []
        for row in gone:
            error = faults.get((self._layout.volume(row["volume"]) / row["path"]).parent)
            if error is None:
                durable.append(row)
            else:
                stuck.append(_stuck(row, error, is_tried=True))
        return durable

    def _erasable(self) -> set[str]:
        """Volumes that are there, and take writes."""
        return {one.name for one in self._volumes.states() if one.state in ERASABLE}

    # -- inside

    def _write_down(self, header: SegmentHeader, facts: SegmentFacts, sealed: _Sealed) -> Head:
        told = _told(header, facts, sealed, recorded_offset_s(facts.t1_us, self._zone))
        with self._database.write() as connection:
            head = _head(connection, header.stream)
            _must_follow(head, header.n, header.prev, header.t0_us)
            fields = {**_item_fields(head, header.t0_us, facts.t1_us), **told, **_leaf_alone(facts)}
            entry = self._ledger.append(connection, "seg", fields)
            row = {
                **_item_row(head, "segment", header.t0_us, facts.t1_us, entry),
                **told,
                **_row_alone(header, facts, sealed),
                "checked_elapsed_us": entry.elapsed_us,  # hashed as it was written, or just now, by recovery
            }
            append_items(connection, row)
            _extend_run(connection, header, facts.t1_us)
            _note_signing(connection, header, facts)
            held = holds_on(connection, header.camera, header.t0_us, facts.t1_us)
            after = _advance(connection, head, entry, facts.t1_us)
        if held:
            self._held.link_new(held, sealed.volume, str(segment_path(header.stream, header.n, header.t0_us)))
        return after

    def _secured(
        self, head: Head, found: Path, final: Path, volume: str
    ) -> tuple[SegmentHeader, SegmentFacts, _Sealed, Path | None] | Leftover:
        """A leftover cut to its last whole fragment under its final name, here or on another volume; nothing is written
        down yet. Or where it was put away. The path is that of a copy of what was cut, where that went on.

        Raises:
            StorageReadOnly, StorageFailed, VolumeMissing: it could not be. StorageFull: there is no room for it.
        """
        away, whole = self._layout.damaged_on(volume), None
        try:
            seen, facts, sealed, is_broken = self._examine(head, found, volume)
        except (BoxesDamaged, ChainBroken):
            return Leftover(damaged=files.put_away(found, away))
        if facts is None and not is_broken:
            return Leftover(empty=files.put_away(found, self._layout.empty_on(volume)))
        if facts is None:
            return Leftover(damaged=files.put_away(found, away))
        try:
            if is_broken:
                whole = _copied_away(found, away)
                if whole is None:  # no byte is left for it, and nothing is cut that was not copied; a name costs none
                    return Leftover(damaged=files.put_away(found, away))
            files.cut(found, sealed.bytes)
            if found != final:
                files.seal(found, final)
        except (StorageReadOnly, StorageFailed) as err:
            self._volumes.failed(volume, err)
            try:
                sealed = replace(sealed, volume=self._carry(seen.header, found, sealed))
            except VolumeMissing:
                if isinstance(err, StorageReadOnly):
                    raise err from None  # nothing else is there: what is wrong is wrong where it lies
                raise
            self._miss(head, volume, str(segment_path(head.stream_id, head.next_n, head.t1_us)))
        return seen.header, facts, sealed, whole

    def _carry(self, header: SegmentHeader, found: Path, sealed: _Sealed) -> str:
        """Copy the whole fragments of a leftover to another volume, and seal them there; which one.

        Raises:
            StorageError: there is none that takes them, or what was read is not what was hashed.
        """
        part = self._parts.begin(header, without=sealed.volume)
        try:
            with files.mapped(found) as data, data[: sealed.bytes] as whole:
                part.append(whole)
            if part.finish().sha256 != sealed.sha256:
                raise StorageFailed(f"{found} cannot be read twice alike.")
            files.seal(part.path, self._parts.place(header, part.volume))
        except StorageError:
            part.close()
            files.remove_copy(part.path)  # half of it would be taken for all that there was
            raise
        return part.volume

    def _examine(self, head: Head, found: Path, volume: str) -> tuple[Outline, SegmentFacts | None, _Sealed, bool]:
        """What a leftover holds up to its last whole fragment; no facts: it has none. And whether more of them lie
        behind a damage.

        Raises:
            BoxesDamaged, ChainBroken: it is no segment, or not this stream's next one.
        """
        with files.mapped(found) as data:
            seen = outline(data, to_damage=True)
            _must_follow(head, seen.header.n, seen.header.prev, seen.header.t0_us)
            with data[: seen.end] as whole:
                init = init_of(whole)
                facts = _facts_of(seen, init, whole) if seen.frames else None
                digest = hashlib.sha256(whole).hexdigest()
                of_sm3 = sm3(whole).hexdigest() if self._with_sm3 else None
            more = goes_on(data, seen)
        sealed = _Sealed(
            volume=volume,
            bytes=seen.end,
            init_bytes=seen.init_bytes,
            init_sha256=hashlib.sha256(init).hexdigest(),
            sha256=digest,
            recovered=True,
            sm3=of_sm3,
        )
        return seen, facts, sealed, more

    def _grounds(
        self,
        connection: Connection,
        asked: Sequence[str],
        there: Set[str],
        overwrite: overwriting.Overwrite | None,
        planned_by: Mapping[str, Sequence[Rule]] | None,
    ) -> _Grounds:
        """What decides, asked once for all segments that are looked at in this very transaction: nobody else writes
        meanwhile, and commits wait for it."""
        numbers: dict[str, list[int]] = {}
        for segment_id in asked:
            stream_id, n = parse_segment_id(segment_id)
            numbers.setdefault(stream_id, []).append(n)
        planned = planned_by or {}
        rules = {one: self._rules(connection, camera_of(one), planned.get(camera_of(one), ())) for one in numbers}
        return _Grounds(
            now_us=self._clock.read().utc_us,
            elapsed_us=self._ledger.elapsed_us(connection),
            there=there,
            overwrite=overwrite,
            is_wished=overwrite is not None and overwriting.wish(connection) == overwrite.wish_leaf,
            rows={key: row for stream_id, mine in numbers.items() for key, row in _items(connection, stream_id, mine)},
            rules=rules,
            changed={one for one in numbers if list(planned.get(camera_of(one), rules[one])) != list(rules[one])},
            holds={one: _holds_of(connection, camera_of(one)) for one in numbers},
            exports={one: _exports_of(connection, one) for one in numbers},
        )

    def _checked(self, grounds: _Grounds, segment_id: str) -> _Marked:
        """The guard: raises unless the segment may go, as the catalogue stands in the transaction of these grounds."""
        stream_id, n = parse_segment_id(segment_id)
        row = grounds.rows.get((stream_id, n))
        if row is None or row["kind"] != "segment":
            raise NotPresent(f"There is no segment {segment_id}.")
        if row["state"] != MediaState.PRESENT.value:
            raise NotPresent(f"{NotPresent.sentence()} ({segment_id})")
        if row["volume"] not in grounds.there:
            raise VolumeAway(f"{VolumeAway.sentence()} ({segment_id}, volume {row['volume']})")
        trusted_us = trusted_now_us(row["t1_us"], row["elapsed_us"], grounds.now_us, grounds.elapsed_us)
        if stream_id in grounds.changed:
            raise RulesChanged(f"{RulesChanged.sentence()} ({segment_id})")
        floor_days = floor_of(grounds.rules[stream_id], row["leaf_index"])
        earliest_us = may_go_us(row["t1_us"], floor_days, self._zone, row["utc_offset_s"], grounds.now_us)
        is_early, overwrite = trusted_us < earliest_us, grounds.overwrite
        if is_early and not (overwrite is not None and grounds.is_wished and overwrite.volume == row["volume"]):
            raise BelowFloor(f"{segment_id} may go at the earliest on {format_us(earliest_us)}; it is younger.")
        held = overlapping(grounds.holds[stream_id], row["t0_us"], row["t1_us"])
        if held:
            raise UnderHold(f"{segment_id} is under hold {', '.join(map(str, held))}; nothing discards it.")
        wanted = overlapping(
            grounds.exports[stream_id], row["t0_us"] - EXPORT_MARGIN_US, row["t1_us"] + EXPORT_MARGIN_US
        )
        if wanted:
            raise UnderExport(f"{UnderExport.sentence()} ({segment_id}, export {wanted[0]})")
        if not is_early or overwrite is None:
            return _Marked(stream_id, n, floor_days)
        return _Marked(stream_id, n, floor_days, earliest_us - trusted_us, earliest_us, overwrite.wish_leaf)

    def _rules(self, connection: Connection, camera_id: str, planned_by: Sequence[Rule]) -> Sequence[Rule]:
        """Of a camera of an older catalogue, until its first rule is written, what the box was told."""
        return rules_of(connection, camera_id) or planned_by or [Rule(0, self._floor_days, self._floor_days)]

    def _announce(self, connection: Connection, marked: Sequence[_Marked], rule: str, now_us: int) -> None:
        """One entry for what follows each other in a stream and was kept by one floor."""
        by_floor: dict[tuple[int, int], list[tuple[str, int]]] = {}
        for one in marked:
            by_floor.setdefault(one.alike, []).append((one.stream_id, one.n))
        ranges = [(alike, *span) for alike, keys in sorted(by_floor.items()) for span in _ranges(keys)]
        for (floor_days, wish_leaf), stream_id, n0, n1 in ranges:
            if wish_leaf >= 0:
                self._admit(connection, [one for one in marked if one.stream_id == stream_id and n0 <= one.n <= n1])
            chosen = (tables.items.c.stream_id == stream_id) & tables.items.c.n.between(n0, n1)
            rows = connection.execute(select(tables.items).where(chosen)).mappings().all()
            media = [row for row in rows if row["kind"] == "segment"]
            newest = max(media, key=lambda row: int(row["t1_us"]))
            elapsed_us = self._ledger.elapsed_us(connection)
            fields = {
                "stream": stream_id,
                "n0": n0,
                "n1": n1,
                "rule": rule,
                "floor_days": floor_days,
                "rules": rules_hash(rules_of(connection, camera_of(stream_id))),
                "bytes": sum(row["bytes"] for row in media),
                **_scrubbed(media),
                "t1": format_us(newest["t1_us"]),
                "age_wall_us": now_us - newest["t1_us"],
                "age_elapsed_us": elapsed_us - max(row["elapsed_us"] for row in media),
                "holds": holds_hash(connection),
                "zone": self._zone.key,
                "utc_offset_s": offset_s(now_us, self._zone),
            }
            entry = self._ledger.append(connection, "del", fields)
            announced(connection, entry.index, stream_id, n0, n1)
            mark = {"state": MediaState.GOING.value, "del_leaf": entry.index}
            connection.execute(update(tables.items).where(chosen, tables.items.c.kind == "segment").values(**mark))

    def _admit(self, connection: Connection, going: Sequence[_Marked]) -> None:
        """Before its discard is announced: what is broken, for how long it had stood, and by how much too early."""
        oldest, newest = (choose(going, key=lambda one: one.n) for choose in (min, max))
        chosen = (tables.items.c.stream_id == newest.stream_id) & tables.items.c.n.between(oldest.n, newest.n)
        media = chosen & (tables.items.c.kind == "segment")
        size, volume = connection.execute(
            select(func.sum(tables.items.c.bytes), func.min(tables.items.c.volume)).where(media)
        ).one()
        fields = {
            "stream": newest.stream_id,
            "n0": oldest.n,
            "n1": newest.n,
            "floor_days": newest.floor_days,
            "until": format_us(max(one.until_us for one in going)),
            "short_us": max(one.short_us for one in going),
            "bytes": int(size),
            "volume": volume,
            "wish": newest.wish_leaf,
        }
        entry = self._ledger.append(connection, "breach", fields)
        row = {name: fields[name] for name in ("n0", "n1", "floor_days", "short_us", "bytes", "volume")}
        told = {"leaf_index": entry.index, "stream_id": newest.stream_id, "at_us": entry.at_us}
        connection.execute(insert(tables.breaches).values(**told, **row))

    def _report_gone(self, keys: Sequence[tuple[str, int]]) -> None:
        with self._database.write() as connection:
            for stream_id, n0, n1 in _ranges(keys):
                entry = self._ledger.append(connection, "del.done", {"stream": stream_id, "n0": n0, "n1": n1})
                chosen = (
                    (tables.items.c.stream_id == stream_id)
                    & tables.items.c.n.between(n0, n1)
                    & (tables.items.c.state == MediaState.GOING.value)
                )
                mark = {"state": MediaState.GONE.value, "done_leaf": entry.index}
                connection.execute(update(tables.items).where(chosen).values(**mark))
                reported(connection, entry.index, stream_id, n0, n1)


def _copied_away(path: Path, folder: Path) -> Path | None:
    """Where a copy of it lies; None: there is no room for one."""
    try:
        return files.copy_away(path, folder)
    except StorageFull:
        return None


def _stuck(row: Mapping[Any, Any], error: StoreError, *, is_tried: bool) -> Stuck:
    return Stuck(segment_id_of(row["stream_id"], row["n"]), row["bytes"], error, is_tried, row["volume"])


def _scrubbed(media: Sequence[Mapping[Any, Any]]) -> dict[str, int]:
    """What the scrub last found of what is to go; nothing of what lay there before there was one, and never looked at.

    `checked_elapsed_us`: box time of the check that lies furthest back. `damaged`: how many were not right.
    """
    checked = [row["checked_elapsed_us"] for row in media]
    if None in checked:
        return {}
    return {"checked_elapsed_us": min(checked), "damaged": sum(row["damage"] is not None for row in media)}


def parse_segment_id(segment_id: str) -> tuple[str, int]:
    """Stream and number of a public id such as ``gate.main.17``.

    Raises:
        SegmentUnknown: no segment can have that id.
    """
    stream_id, _, number = segment_id.rpartition(".")
    if not stream_id or not number.isascii() or not number.isdigit() or len(number) > 15:
        raise SegmentUnknown(f"{segment_id!r} is not the id of a segment.")
    return stream_id, int(number)


def holds_on(connection: Connection, camera_id: str, t0_us: int, t1_us: int) -> list[int]:
    """Ids of the holds in force on that stretch of that camera."""
    return overlapping(_holds_of(connection, camera_id), t0_us, t1_us)


def _holds_of(connection: Connection, camera_id: str) -> list[_Span]:
    """The holds in force on a camera: asked inside the deleting transaction."""
    query = (
        select(tables.holds.c.id, tables.holds.c.t0_us, tables.holds.c.t1_us)
        .join(tables.hold_cameras, tables.hold_cameras.c.hold_id == tables.holds.c.id)
        .where(tables.hold_cameras.c.camera_id == camera_id, tables.holds.c.released_us.is_(None))
    )
    return [(row.id, row.t0_us, row.t1_us) for row in connection.execute(query.order_by(tables.holds.c.id))]


EXPORT_MARGIN_US = HOUR_US
"""So far around an export's interval nothing goes: a package has one item either side of it, and none is longer."""


def _exports_of(connection: Connection, stream_id: str) -> list[_Span]:
    """The exports of a stream that are still to be made."""
    wanted = tables.exports.c
    query = select(wanted.id, wanted.t0_us, wanted.t1_us).where(
        wanted.stream_id == stream_id, wanted.state.in_(PENDING)
    )
    return [(row.id, row.t0_us, row.t1_us) for row in connection.execute(query.order_by(wanted.id))]


def overlapping(spans: Sequence[_Span], t0_us: int, t1_us: int) -> list[int]:
    """The numbers of those that overlap a stretch."""
    return [number for number, begin_us, end_us in spans if begin_us < t1_us and end_us > t0_us]


def holds_hash(connection: Connection) -> str:
    """One hash over all holds in force, so that a leaf says which were looked at."""
    query = select(tables.holds.c.id, tables.holds.c.record).where(tables.holds.c.released_us.is_(None))
    lines = [f"{row.id} {row.record}\n" for row in connection.execute(query.order_by(tables.holds.c.id))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _head(connection: Connection, stream_id: str) -> Head:
    row = connection.execute(_HEAD, {"stream": stream_id}).mappings().one_or_none()
    if row is None:
        raise ChainBroken(f"There is no stream {stream_id!r}.")
    return Head(stream_id, row["next_n"], row["prev"], row["t1_us"])


def _item(connection: Connection, stream_id: str, n: int) -> Mapping[Any, Any] | None:
    query = select(tables.items).where(tables.items.c.stream_id == stream_id, tables.items.c.n == n)
    return connection.execute(query).mappings().one_or_none()


def _items(
    connection: Connection, stream_id: str, numbers: Sequence[int]
) -> Iterator[tuple[tuple[str, int], Mapping[Any, Any]]]:
    """Items of a stream by their numbers, each with its key."""
    query = select(tables.items).where(tables.items.c.stream_id == stream_id, tables.items.c.n.in_(numbers))
    for row in connection.execute(query).mappings():
        yield (stream_id, row["n"]), row


def _must_follow(head: Head, n: int, prev: str, t0_us: int) -> None:
    if (n, prev, t0_us) != (head.next_n, head.prev, head.t1_us):
        raise ChainBroken(
            f"Item {n} of {head.stream_id} does not follow item {head.next_n - 1}: number, hash or start differ."
        )


def _item_fields(head: Head, t0_us: int, t1_us: int) -> dict[str, object]:
    return {
        "stream": head.stream_id,
        "n": head.next_n,
        "prev": head.prev,
        "t0": format_us(t0_us),
        "t1": format_us(t1_us),
    }


def _item_row(head: Head, kind: str, t0_us: int, t1_us: int, entry: Entry) -> dict[str, object]:
    return {
        "stream_id": head.stream_id,
        "n": head.next_n,
        "kind": kind,
        "t0_us": t0_us,
        "t1_us": t1_us,
        "prev": head.prev,
        "leaf_index": entry.index,
        "leaf_hash": entry.hash,
        "elapsed_us": entry.elapsed_us,
    }


TOLD_ALIKE = (
    "run",
    "bytes",
    "init_bytes",
    "init_sha256",
    "frames",
    "lost_packets",
    "codec",
    "width",
    "height",
    "clock_offset_us",
    "clock_drift_ppb",
    "utc_offset_s",
    "sha256",
    "sm3",
    "recovered",
)
"""What leaf and row of a segment say in the same words, where it is known."""


def _told(header: SegmentHeader, facts: SegmentFacts, sealed: _Sealed, ahead_s: int | None) -> dict[str, object]:
    """`TOLD_ALIKE`; what is not known is left out of leaf and row."""
    known = {
        "run": header.run,
        "bytes": sealed.bytes,
        "init_bytes": sealed.init_bytes,
        "init_sha256": sealed.init_sha256,
        "frames": facts.frames,
        "lost_packets": facts.lost_packets,
        "codec": facts.codec.value,
        "width": facts.width,
        "height": facts.height,
        "clock_offset_us": facts.clock_offset_us,
        "sha256": sealed.sha256,
        "recovered": sealed.recovered,
    }
    perhaps = {"clock_drift_ppb": facts.clock_drift_ppb, "utc_offset_s": ahead_s, "sm3": sealed.sm3}
    return known | {name: value for name, value in perhaps.items() if value is not None}


def _leaf_alone(facts: SegmentFacts) -> dict[str, object]:
    """What a leaf says of a segment's sound and its camera's signatures."""
    audio = {} if facts.audio is None else {"audio": audio_fields(facts.audio)}
    camsig = {} if facts.camsig is None else {"camsig": [one.value for one in facts.camsig]}
    return {**audio, **camsig}


def _row_alone(header: SegmentHeader, facts: SegmentFacts, sealed: _Sealed) -> dict[str, object]:
    """The same as a row has it, and what only a row has: where the media lies."""
    return {
        "audio": None if facts.audio is None else json.dumps(audio_fields(facts.audio)),
        "camsig": None if facts.camsig is None else " ".join(one.value for one in facts.camsig),
        "volume": sealed.volume,
        "path": str(segment_path(header.stream, header.n, header.t0_us)),
        "state": MediaState.PRESENT.value,
    }


def _advance(connection: Connection, head: Head, entry: Entry, t1_us: int) -> Head:
    after = Head(head.stream_id, head.next_n + 1, entry.hash, t1_us)
    values = {"next_n": after.next_n, "prev": after.prev, "t1_us": after.t1_us}
    connection.execute(_ADVANCE, {"stream": head.stream_id, **values})
    return after


def _extend_run(connection: Connection, header: SegmentHeader, t1_us: int) -> None:
    run = (tables.runs.c.stream_id == header.stream) & (tables.runs.c.run == header.run)
    grown = connection.execute(update(tables.runs).where(run).values(t1_us=t1_us, n1=header.n))
    if grown.rowcount == 0:
        row = {"stream_id": header.stream, "run": header.run, "t0_us": header.t0_us, "t1_us": t1_us, "n1": header.n}
        connection.execute(insert(tables.runs).values(**row))


def _note_signing(connection: Connection, header: SegmentHeader, facts: SegmentFacts) -> None:
    """Whether the camera signs, or does not any more: of a camera that never did nothing is noted."""
    if facts.camsig is None:
        return
    mine = tables.signing.c.stream_id == header.stream
    if not facts.camsig:
        since_us = func.coalesce(tables.signing.c.unsigned_since_us, header.t0_us)
        length_us = tables.signing.c.unsigned_us + (facts.t1_us - header.t0_us)
        more = {"unsigned_since_us": since_us, "unsigned_us": length_us}
        connection.execute(update(tables.signing).where(mine).values(**more))
        return
    row = {"kinds": " ".join(facts.camsig), "signed_us": facts.t1_us, "unsigned_since_us": None, "unsigned_us": 0}
    if connection.execute(update(tables.signing).where(mine).values(**row)).rowcount == 0:
        connection.execute(insert(tables.signing).values(stream_id=header.stream, **row))


def _facts_of(seen: Outline, init: bytes, data: memoryview) -> SegmentFacts:
    name, width, height = sample_entry(init)
    codec = CodecName(name)
    length_us = seen.duration_ticks * 1_000_000 // TIMESCALE_HZ
    if length_us <= 0:
        raise BoxesDamaged("The fragments say that they last no time.")
    t1_us = seen.header.t0_us + length_us
    camsig = tuple(sorted(stored_signatures(pictures(data, seen), codec)))
    return SegmentFacts(t1_us, seen.frames, codec, width, height, audio=_audio_facts_of(seen, init), camsig=camsig)


def _audio_facts_of(seen: Outline, init: bytes) -> AudioFacts | None:
    described = audio_entry(init)
    if described is None:
        return None
    codec, rate_hz, channels = described
    return AudioFacts(AudioCodec(codec), rate_hz, channels, seen.audio_frames)


def audio_fields(audio: AudioFacts) -> dict[str, object]:
    """The sound of a segment in the words of its leaf."""
    return {
        "codec": audio.codec.value,
        "rate_hz": audio.rate_hz,
        "channels": audio.channels,
        "frames": audio.frames,
        "lost_packets": audio.lost_packets,
    }


def _ranges(keys: Sequence[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Numbers without holes of one stream become one range: one leaf tells of all of them."""
    out: list[tuple[str, int, int]] = []
    for stream_id, n in sorted(keys):
        if out and out[-1][0] == stream_id and out[-1][2] + 1 == n:
            out[-1] = (stream_id, out[-1][1], n)
        else:
            out.append((stream_id, n, n))
    return out
