"""The procedures of footage: begin a segment, commit it, commit a gap, finish what a crash left, discard.

Their order is that of docs/storage.md, "Procedures"; each step is durable before the next.
`Segments.discard` is the one function that deletes media, and no other does. It does not believe the plan it is
handed: inside the transaction that marks a segment it asks again whether it is old enough by trusted time and under
no hold, and when the catalogue does not answer, nothing is deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, insert, select, update

from config.clock import Clock
from config.keeping import Protection
from config.times import HOUR_US, format_us
from recorder.causes import Cause
from recorder.errors import (
    BelowFloor,
    ChainBroken,
    NotPresent,
    Refused,
    SegmentUnknown,
    UnderExport,
    UnderHold,
)
from recorder.store import files, tables
from recorder.store.boxes import (
    TIMESCALE_HZ,
    BoxesDamaged,
    Outline,
    audio_entry,
    init_of,
    outline,
    pictures,
    sample_entry,
)
from recorder.store.camsig import stored_signatures
from recorder.store.database import Database
from recorder.store.daycount import may_go_us, offset_s, recorded_offset_s, trusted_now_us
from recorder.store.exports import PENDING
from recorder.store.keeping import Rule, floor_of, rules_hash
from recorder.store.layout import PART, VOLUME, Layout, segment_path
from recorder.store.ledger import Entry, Ledger
from recorder.store.log.errors import KeyUnavailable
from recorder.store.log.sm3 import sm3
from recorder.store.parts import FinishedPart, PartFile, Parts
from recorder.store.records import (
    AudioCodec,
    AudioFacts,
    CodecName,
    Head,
    MediaState,
    SegmentFacts,
    SegmentHeader,
    camera_of,
    segment_id_of,
)
from recorder.store.rules import rules_of

LEGAL_FLOOR_DAYS = Protection.ORDINARY.least_days
"""Wuxi order 168, article 28; State Council order 799, article 17. No setting goes below it."""

DISCARD_BATCH = 500
"""Segments discarded with one pair of leaves: bounds the leaf and the time that commits wait."""


@dataclass(frozen=True)
class Leftover:
    """What `resume` found where a stream's next segment would lie."""

    recovered: str | None = None
    damaged: Path | None = None
    empty: Path | None = None


@dataclass(frozen=True)
class DiscardReport:
    """What `discard` did, and why it did not do the rest."""

    discarded: tuple[str, ...]
    refused: tuple[tuple[str, Refused], ...]
    bytes: int


@dataclass(frozen=True)
class _Marked:
    """A segment that may go, and for how many days it had to stay."""

    stream_id: str
    n: int
    floor_days: int


@dataclass(frozen=True)
class _Sealed:
    """A finished file, whoever found it out: the recording side, or recovery by reading it."""

    path: Path
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
        *,
        with_sm3: bool = False,
    ) -> None:
        """`checkpoint` signs the log as it stands: `discard` unlinks nothing before its leaf is signed.

        `with_sm3`: segments are hashed with SM3 too; those that recovery finds as well.
        """
        if floor_days < LEGAL_FLOOR_DAYS:
            raise ValueError(f"a floor of {floor_days} days is below the legal one of {LEGAL_FLOOR_DAYS}")
        self._layout = layout
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._zone = zone
        self._floor_days = floor_days
        self._checkpoint = checkpoint
        self._with_sm3 = with_sm3
        self._parts = Parts(layout, with_sm3=with_sm3)

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
        final, begun = self._parts.place(part.header), self._parts.part_place(part.header)
        with files.translated(begun), begun.open("rb") as stream:
            beginning = stream.read(64 * 1024)
        init = init_of(beginning)
        sealed = _Sealed(
            path=final,
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
            head = _head(connection, stream_id)
            if t1_us == head.t1_us:
                return head
            if t1_us < head.t1_us and cause is not Cause.CLOCK_STEP:
                raise ChainBroken(f"A gap of {stream_id} would end before it starts; only a clock set back does that.")
            fields = {**_item_fields(head, head.t1_us, t1_us), "cause": cause.value, "detail": detail}
            entry = self._ledger.append(connection, "gap", fields)
            row = {**_item_row(head, "gap", head.t1_us, t1_us, entry), "cause": cause.value, "detail": detail}
            connection.execute(insert(tables.items).values(**row))
            return _advance(connection, head, entry, t1_us)

    def resume(self, stream_id: str) -> tuple[Head, Leftover]:
        """Finish what an earlier run of this stream left, and say where the chain stands then.

        Items touch, so a leftover can only lie where the next segment starting at the head's end would: nothing
        needs to be searched. It is cut to its last whole fragment, hashed and committed; one that cannot be read
        is kept under `spool/damaged`.
        """
        head = self.head(stream_id)
        final = self._layout.volume() / segment_path(stream_id, head.next_n, head.t1_us)
        part = final.with_name(final.name + PART)
        with files.translated(final):
            found = next((path for path in (final, part) if path.exists()), None)
        if found is None:
            return head, Leftover()
        return self._recover(head, found, final)

    # -- discarding

    def discard(self, segment_ids: Sequence[str], rule: str) -> DiscardReport:
        """Remove the media of these segments, and nothing else; leaves and rows stay.

        1 re-check the floor by trusted time and the holds, mark the rows `going`, append `del` (one transaction);
        2 checkpoint; 3 unlink, fsync the folder; 4 append `del.done`. A crash anywhere is finished at start.
        """
        marked: list[_Marked] = []
        refused: list[tuple[str, Refused]] = []
        with self._database.write() as connection:
            now_us = self._clock.read().utc_us
            for segment_id in segment_ids[:DISCARD_BATCH]:
                try:
                    marked.append(self._checked(connection, segment_id, now_us))
                except Refused as err:
                    refused.append((segment_id, err))
            going = self._announce(connection, marked, rule, now_us) if marked else 0
        if marked:
            self._checkpoint()
            self.finish_discards()
        names = tuple(segment_id_of(one.stream_id, one.n) for one in marked)
        return DiscardReport(names, tuple(refused), going)

    def finish_discards(self) -> tuple[str, ...]:
        """Steps 2 to 4 for every segment that is `going`: after a crash, too. Those of which no checkpoint could be
        signed, since a token is away, stay until one is: an entry that nobody signed does not outlive the catalogue.
        """
        rows, signed = self._going()
        if any(row["del_leaf"] >= signed for row in rows):
            with contextlib.suppress(KeyUnavailable):  # the beat, which fails likewise, says so each minute
                self._checkpoint()
            rows, signed = self._going()
        rows = [row for row in rows if row["del_leaf"] < signed]
        for row in rows:
            files.unlink(self._layout.volume(row["volume"]) / row["path"])
        if rows:
            self._report_gone([(row["stream_id"], row["n"]) for row in rows])
        return tuple(segment_id_of(row["stream_id"], row["n"]) for row in rows)

    # -- inside

    def _going(self) -> tuple[Sequence[Mapping[Any, Any]], int]:
        """What was announced and is not done, and how many entries are signed."""
        query = select(tables.items).where(tables.items.c.state == MediaState.GOING.value)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(tables.items.c.stream_id, tables.items.c.n)).mappings().all()
            signed = self._ledger.state(connection).checkpoint
            return rows, 0 if signed is None else signed.size

    def _write_down(self, header: SegmentHeader, facts: SegmentFacts, sealed: _Sealed) -> Head:
        told = _told(header, facts, sealed, recorded_offset_s(facts.t1_us, self._zone))
        with self._database.write() as connection:
            head = _head(connection, header.stream)
            _must_follow(head, header.n, header.prev, header.t0_us)
            fields = {**_item_fields(head, header.t0_us, facts.t1_us), **told, **_leaf_alone(facts)}
            entry = self._ledger.append(connection, "seg", fields)
            row = {**_item_row(head, "segment", header.t0_us, facts.t1_us, entry), **told, **_row_alone(header, facts)}
            connection.execute(insert(tables.items).values(**row))
            _extend_run(connection, header, facts.t1_us)
            _note_signing(connection, header, facts)
            return _advance(connection, head, entry, facts.t1_us)

    def _recover(self, head: Head, found: Path, final: Path) -> tuple[Head, Leftover]:
        try:
            seen, facts, sealed = self._examine(head, found, final)
        except (BoxesDamaged, ChainBroken):
            return head, Leftover(damaged=files.put_away(found, self._layout.damaged))
        if facts is None:
            return head, Leftover(empty=files.put_away(found, self._layout.empty))
        files.cut(found, sealed.bytes)
        if found != final:
            files.seal(found, final)
        after = self._write_down(seen.header, facts, sealed)
        return after, Leftover(recovered=segment_id_of(head.stream_id, head.next_n))

    def _examine(self, head: Head, found: Path, final: Path) -> tuple[Outline, SegmentFacts | None, _Sealed]:
        """What a leftover holds up to its last whole fragment; no facts: it has none.

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
        sealed = _Sealed(
            path=final,
            bytes=seen.end,
            init_bytes=seen.init_bytes,
            init_sha256=hashlib.sha256(init).hexdigest(),
            sha256=digest,
            recovered=True,
            sm3=of_sm3,
        )
        return seen, facts, sealed

    def _checked(self, connection: Connection, segment_id: str, now_us: int) -> _Marked:
        """The guard: raises unless the segment may go, as the catalogue stands in this very transaction."""
        stream_id, n = parse_segment_id(segment_id)
        row = _item(connection, stream_id, n)
        if row is None or row["kind"] != "segment":
            raise NotPresent(f"There is no segment {segment_id}.")
        if row["state"] != MediaState.PRESENT.value:
            raise NotPresent(f"{NotPresent.sentence()} ({segment_id})")
        elapsed_us = self._ledger.elapsed_us(connection)
        trusted_us = trusted_now_us(row["t1_us"], row["elapsed_us"], now_us, elapsed_us)
        camera_id = camera_of(stream_id)
        floor_days = floor_of(self._rules(connection, camera_id), row["leaf_index"])
        earliest_us = may_go_us(row["t1_us"], floor_days, self._zone, row["utc_offset_s"], now_us)
        if trusted_us < earliest_us:
            raise BelowFloor(f"{segment_id} may go at the earliest on {format_us(earliest_us)}; it is younger.")
        held = holds_on(connection, camera_id, row["t0_us"], row["t1_us"])
        if held:
            raise UnderHold(f"{segment_id} is under hold {', '.join(map(str, held))}; nothing discards it.")
        wanted = exports_of(connection, stream_id, row["t0_us"], row["t1_us"])
        if wanted:
            raise UnderExport(f"{UnderExport.sentence()} ({segment_id}, export {wanted[0]})")
        return _Marked(stream_id, n, floor_days)

    def _rules(self, connection: Connection, camera_id: str) -> Sequence[Rule]:
        """Of a camera of an older catalogue, until its first rule is written, what the box was told."""
        return rules_of(connection, camera_id) or [Rule(0, self._floor_days, self._floor_days)]

    def _announce(self, connection: Connection, marked: Sequence[_Marked], rule: str, now_us: int) -> int:
        """One entry for what follows each other in a stream and was kept by one floor."""
        by_floor: dict[int, list[tuple[str, int]]] = {}
        for one in marked:
            by_floor.setdefault(one.floor_days, []).append((one.stream_id, one.n))
        ranges = [(floor_days, *span) for floor_days, keys in sorted(by_floor.items()) for span in _ranges(keys)]
        size = 0
        for floor_days, stream_id, n0, n1 in ranges:
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
                "t1": format_us(newest["t1_us"]),
                "age_wall_us": now_us - newest["t1_us"],
                "age_elapsed_us": elapsed_us - max(row["elapsed_us"] for row in media),
                "holds": holds_hash(connection),
                "zone": self._zone.key,
                "utc_offset_s": offset_s(now_us, self._zone),
            }
            entry = self._ledger.append(connection, "del", fields)
            mark = {"state": MediaState.GOING.value, "del_leaf": entry.index}
            connection.execute(update(tables.items).where(chosen, tables.items.c.kind == "segment").values(**mark))
            size += fields["bytes"]
        return size

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
    """Ids of the holds in force on that stretch of that camera: asked inside the deleting transaction."""
    query = (
        select(tables.holds.c.id)
        .join(tables.hold_cameras, tables.hold_cameras.c.hold_id == tables.holds.c.id)
        .where(
            tables.hold_cameras.c.camera_id == camera_id,
            tables.holds.c.released_us.is_(None),
            tables.holds.c.t0_us < t1_us,
            tables.holds.c.t1_us > t0_us,
        )
    )
    return [int(one) for one in connection.execute(query).scalars()]


EXPORT_MARGIN_US = HOUR_US
"""So far around an export's interval nothing goes: a package has one item either side of it, and none is longer."""


def exports_of(connection: Connection, stream_id: str, t0_us: int, t1_us: int) -> list[int]:
    """Numbers of the exports that are still to be made of that stretch, or of what lies beside it."""
    query = select(tables.exports.c.id).where(
        tables.exports.c.stream_id == stream_id,
        tables.exports.c.state.in_(PENDING),
        tables.exports.c.t0_us - EXPORT_MARGIN_US < t1_us,
        tables.exports.c.t1_us + EXPORT_MARGIN_US > t0_us,
    )
    return [int(one) for one in connection.execute(query.order_by(tables.exports.c.id)).scalars()]


def holds_hash(connection: Connection) -> str:
    """One hash over all holds in force, so that a leaf says which were looked at."""
    query = select(tables.holds.c.id, tables.holds.c.record).where(tables.holds.c.released_us.is_(None))
    lines = [f"{row.id} {row.record}\n" for row in connection.execute(query.order_by(tables.holds.c.id))]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _head(connection: Connection, stream_id: str) -> Head:
    row = connection.execute(select(tables.streams).where(tables.streams.c.id == stream_id)).mappings().one_or_none()
    if row is None:
        raise ChainBroken(f"There is no stream {stream_id!r}.")
    return Head(stream_id, row["next_n"], row["prev"], row["t1_us"])


def _item(connection: Connection, stream_id: str, n: int) -> Mapping[Any, Any] | None:
    query = select(tables.items).where(tables.items.c.stream_id == stream_id, tables.items.c.n == n)
    return connection.execute(query).mappings().one_or_none()


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


def _told(header: SegmentHeader, facts: SegmentFacts, sealed: _Sealed, ahead_s: int | None) -> dict[str, object]:
    """What leaf and row of a segment say in the same words; what is not known is left out of both."""
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


def _row_alone(header: SegmentHeader, facts: SegmentFacts) -> dict[str, object]:
    """The same as a row has it, and what only a row has: where the media lies."""
    return {
        "audio": None if facts.audio is None else json.dumps(audio_fields(facts.audio)),
        "camsig": None if facts.camsig is None else " ".join(one.value for one in facts.camsig),
        "volume": VOLUME,
        "path": str(segment_path(header.stream, header.n, header.t0_us)),
        "state": MediaState.PRESENT.value,
    }


def _advance(connection: Connection, head: Head, entry: Entry, t1_us: int) -> Head:
    after = Head(head.stream_id, head.next_n + 1, entry.hash, t1_us)
    values = {"next_n": after.next_n, "prev": after.prev, "t1_us": after.t1_us}
    connection.execute(update(tables.streams).where(tables.streams.c.id == head.stream_id).values(**values))
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
