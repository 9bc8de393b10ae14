"""Rows of the catalogue from the entries of the log, one entry after the other: what each operation of the store wrote
beside its leaf, is written again from the leaf alone.

Every row that a leaf tells of comes out as it was. What no leaf tells is left as it would be on a new box, for
`salvage` to fill in from the old catalogue (docs/adr/0029). Side records are asked for by their hash; of what has none
any more, only what the leaf itself says is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, exc, insert, update

from config.keeping import Protection
from config.times import parse_us
from recorder.store import codes, receipts, tables
from recorder.store.cameras import SETTINGS
from recorder.store.clustering import append_items
from recorder.store.layout import VOLUME, segment_path
from recorder.store.log.errors import LeafMalformed, LogDamaged
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.log.succession import LEAF as KEY
from recorder.store.log.tree import leaf_hash
from recorder.store.records import AnchorKind, AudioCodec, AudioFacts, ExportState, MediaState, stream_of
from recorder.store.segments import TOLD_ALIKE, audio_fields

LOST_URL = "rtsp://lost.invalid/"
"""Of a camera whose side record is lost: no such host can be (RFC 2606). It is switched off until it is told anew."""

REBUILT = "catalogue_rebuilt"
"""Why an export is over of which nobody knows how far it was; and what the log calls this (`finding`)."""

_ROWS_AT_ONCE = 2000
"""Of items, and of views, written by one statement: more would take memory alone."""

_OF_CAMERA = (*SETTINGS, "password_file", "ca_file")
_BLANK_ITEM: Mapping[str, None] = dict.fromkeys(column.name for column in tables.items.c)

RecordOf = Callable[[str], Mapping[str, Any] | None]
"""A side record by its hash; None: it is not to be had."""


@dataclass
class _Stream:
    next_n: int
    prev: str
    t1_us: int
    signing: dict[str, Any] | None = None
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Beat:
    """The clocks of the newest beat, and whether the machine started anew behind it."""

    boot: str
    mono_us: int
    elapsed_us: int
    at_us: int


class Replay:
    """What the entries so far come to. `take` them in order, then `finish`."""

    def __init__(self, record_of: RecordOf, volumes: Mapping[str, Path], place_of: Callable[[str], Path]) -> None:
        """What it works with.

        Args:
            record_of: side records.
            volumes: where media lies, by name; of the volumes that are there.
            place_of: where a volume lies, whether it is there or not.
        """
        self._record_of = record_of
        self._place_of = place_of
        self._volumes = volumes
        self._streams: dict[str, _Stream] = {}
        self._waiting: dict[Table, list[dict[str, Any]]] = {tables.items: [], tables.views: []}
        self._anchors: list[dict[str, Any]] = []
        self.records: dict[str, str] = {}
        """Hashes of all side records that entries name, with whose they are."""
        self.erased: dict[str, dict[str, Any]] = {}
        """Rows of those that were erased, by their hash."""
        self.first_key = ""
        """Fingerprint of the log's first key."""
        self.old_key: str | None = None
        """The first key itself, where an entry has it (C2SP vkey)."""
        self.beat: Beat | None = None
        self.sm2: tuple[str, int] | None = None
        """The SM2 key, and the entry that binds it."""
        self.elapsed_us = 0
        self.items = 0

    def take(self, connection: Connection, index: int, body: bytes) -> None:
        """Write down what an entry tells.

        Raises:
            LogDamaged: it is none that this log writes, or contradicts those before it.
        """
        try:
            leaf = decode_leaf(body)
            self.elapsed_us = leaf.elapsed_us
            if isinstance(leaf.fields.get("record"), str):
                self.records[leaf.fields["record"]] = _whose(leaf)
            write = _WRITERS.get(leaf.type)
            if write is not None:
                write(self, connection, index, leaf, body)
            if any(len(rows) >= _ROWS_AT_ONCE for rows in self._waiting.values()):
                self.flush(connection)
        except (LeafMalformed, KeyError, TypeError, ValueError, AttributeError, exc.IntegrityError) as err:
            raise LogDamaged(f"{LogDamaged.sentence()} (entry {index})") from err

    def flush(self, connection: Connection) -> None:
        """Write what waits to be written with many others.

        Raises:
            LogDamaged: two entries tell of the same item, or one of a stream that there is not.
        """
        for table, rows in self._waiting.items():
            if not rows:
                continue
            try:
                if table is tables.items:
                    append_items(connection, *rows)
                else:
                    connection.execute(insert(table), rows)
            except exc.IntegrityError as err:
                raise LogDamaged(f"{LogDamaged.sentence()} (an entry up to {rows[-1]['leaf_index']})") from err
            rows.clear()

    def finish(self, connection: Connection) -> None:
        """Write what only the end tells: heads of streams, runs, signing, anchors."""
        self.flush(connection)
        for stream_id, one in self._streams.items():
            head = {"next_n": one.next_n, "prev": one.prev, "t1_us": one.t1_us}
            connection.execute(update(tables.streams).where(tables.streams.c.id == stream_id).values(**head))
            runs = [{"stream_id": stream_id, "run": run, **row} for run, row in one.runs.items()]
            if runs:
                connection.execute(insert(tables.runs), runs)
            if one.signing is not None:
                connection.execute(insert(tables.signing).values(stream_id=stream_id, **one.signing))
        if self._anchors:
            connection.execute(insert(tables.anchors), self._anchors)

    # -- one type each

    def _genesis(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        self.first_key = str(leaf.fields["key"])
        for holder_id in leaf.fields.get("release_codes", ()):
            codes.remember(connection, holder_id, index, 0)

    def _beat(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        mono_us = facts["mono_us"]
        self.beat = Beat(str(facts["boot"]), int(mono_us), leaf.elapsed_us, leaf.at_us)

    def _boot(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        if self.beat is not None and leaf.fields["boot"] != self.beat.boot:
            self.beat = None  # what the monotonic clock said then no entry tells; the next beat does

    def _key(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        self.old_key = self.old_key or str(leaf.fields["old_key"])
        row = {"number": leaf.fields["number"], "leaf_index": index, "key": leaf.fields["new_key"], "place": None}
        connection.execute(insert(tables.log_keys).values(**row))

    def _sm2(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        self.sm2 = (str(leaf.fields["public"]), index)

    def _camera(self, connection: Connection, index: int, leaf: Leaf, body: bytes) -> None:
        camera_id, op = leaf.fields["camera"], leaf.fields["op"]
        chosen = tables.cameras.c.id == camera_id
        if op == "registered":
            self._registered(connection, index, leaf, body)
        elif op == "changed":
            told = self._record_of(leaf.fields["record"]) or {}
            values = {name: told[name] for name in leaf.fields["changed"] if name in _OF_CAMERA and name in told}
            if values:
                connection.execute(update(tables.cameras).where(chosen).values(**values))
        elif op == "retired":
            connection.execute(update(tables.cameras).where(chosen).values(retired_us=leaf.at_us, enabled=False))
        elif op == "rule":
            names = ("protection", "floor_days", "target_days", "margin_days")
            row = {name: leaf.fields[name] for name in names} | {"record": leaf.fields.get("record")}
            connection.execute(insert(tables.rules).values(leaf_index=index, camera_id=camera_id, **row))

    def _registered(self, connection: Connection, index: int, leaf: Leaf, body: bytes) -> None:
        camera_id, digest = leaf.fields["camera"], leaf_hash(body).hex()
        unknown = {"name": camera_id, "url": LOST_URL, "enabled": False}
        new = {"transport": "tcp", "audio": "off", "allow_basic": False, "protection": Protection.ORDINARY.value}
        told = self._record_of(leaf.fields["record"]) or {}
        known = {name: told[name] for name in _OF_CAMERA if name in told}
        row = {"id": camera_id, **unknown, **new, **known, "managed_by": leaf.fields["managed_by"]}
        row |= {"registered_us": leaf.at_us, "leaf_index": index, "leaf_hash": digest}
        connection.execute(insert(tables.cameras).values(**row))
        stream_id = stream_of(camera_id)
        self._streams[stream_id] = _Stream(0, digest, leaf.at_us)
        head = {"id": stream_id, "camera_id": camera_id, "next_n": 0, "prev": digest, "t1_us": leaf.at_us}
        head["number"] = len(self._streams)
        connection.execute(insert(tables.streams).values(**head))

    def _gap(self, connection: Connection, index: int, leaf: Leaf, body: bytes) -> None:
        row = self._item(index, leaf, body, "gap")
        row |= {"cause": leaf.fields["cause"], "detail": leaf.fields["detail"]}
        self._waiting[tables.items].append(row)

    def _segment(self, connection: Connection, index: int, leaf: Leaf, body: bytes) -> None:
        row, facts = self._item(index, leaf, body, "segment"), leaf.fields
        row |= {name: facts.get(name) for name in TOLD_ALIKE}
        path = str(segment_path(row["stream_id"], row["n"], row["t0_us"]))
        row |= {"path": path, "volume": self._volume_of(path), "state": MediaState.PRESENT.value}
        row |= {"checked_elapsed_us": leaf.elapsed_us, "audio": _audio(facts), "camsig": _camsig(facts)}
        self._waiting[tables.items].append(row)
        stream = self._streams[row["stream_id"]]
        run = stream.runs.setdefault(row["run"], {"t0_us": row["t0_us"]})
        run |= {"t1_us": row["t1_us"], "n1": row["n"]}
        _note_signing(stream, row)

    def _item(self, index: int, leaf: Leaf, body: bytes, kind: str) -> dict[str, Any]:
        facts, digest = leaf.fields, leaf_hash(body).hex()
        t0_us, t1_us = parse_us(facts["t0"]), parse_us(facts["t1"])
        stream = self._streams[facts["stream"]]
        stream.next_n, stream.prev, stream.t1_us = facts["n"] + 1, digest, t1_us
        self.items += 1
        return {
            **_BLANK_ITEM,
            "stream_id": facts["stream"],
            "n": facts["n"],
            "kind": kind,
            "t0_us": t0_us,
            "t1_us": t1_us,
            "prev": facts["prev"],
            "leaf_index": index,
            "leaf_hash": digest,
            "elapsed_us": leaf.elapsed_us,
        }

    def _volume_of(self, path: str) -> str:
        """Where its file lies; of what lies nowhere any more nobody can tell, and nothing depends on it."""
        if len(self._volumes) > 1:
            return next((name for name, root in self._volumes.items() if (root / path).exists()), VOLUME)
        return next(iter(self._volumes), VOLUME)

    def _del(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        self.flush(connection)
        mark = {"state": MediaState.GOING.value, "del_leaf": index}
        connection.execute(update(tables.items).where(_range(leaf), tables.items.c.kind == "segment").values(**mark))
        receipts.announced(connection, index, leaf.fields["stream"], leaf.fields["n0"], leaf.fields["n1"])

    def _del_done(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        is_going = tables.items.c.state == MediaState.GOING.value
        mark = {"state": MediaState.GONE.value, "done_leaf": index}
        connection.execute(update(tables.items).where(_range(leaf), is_going).values(**mark))
        receipts.reported(connection, index, leaf.fields["stream"], leaf.fields["n0"], leaf.fields["n1"])

    def _breach(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        names = ("n0", "n1", "floor_days", "short_us", "bytes", "volume")
        row = {name: leaf.fields[name] for name in names} | {"stream_id": leaf.fields["stream"], "at_us": leaf.at_us}
        connection.execute(insert(tables.breaches).values(leaf_index=index, **row))

    def _finding(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        if facts.get("what") in ("held_damaged", "held_whole_again"):
            self._held(connection, index, facts)
        if facts.get("what") not in ("segment_damaged", "segment_right_again"):
            return
        self.flush(connection)
        is_damaged = facts["what"] == "segment_damaged"
        values = {"damage": facts["damage"] if is_damaged else None, "damage_leaf": index if is_damaged else None}
        chosen = (tables.items.c.stream_id == facts["stream"]) & (tables.items.c.n == facts["n"])
        values["checked_elapsed_us"] = leaf.elapsed_us
        connection.execute(update(tables.items).where(chosen).values(**values))

    def _held(self, connection: Connection, index: int, facts: Mapping[str, Any]) -> None:
        """What held media was found to be, and what of that was taken back."""
        of, key = tables.hold_damage.c, {"stream_id": facts["stream"], "n": facts["n"]}
        connection.execute(delete(tables.hold_damage).where(of.stream_id == key["stream_id"], of.n == key["n"]))
        if facts["what"] == "held_damaged":
            connection.execute(insert(tables.hold_damage).values(**key, why=facts["why"], leaf_index=index))

    def _hold(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        row = {"id": facts["hold"], **_span(facts), "record": facts["record"], "placed_us": leaf.at_us}
        row |= {name: facts.get(name) for name in ("padding_before_s", "padding_after_s", "basis")}
        for name, told in (("asked_t0_us", "asked_t0"), ("asked_t1_us", "asked_t1"), ("review_us", "review")):
            row[name] = _perhaps_us(facts.get(told))
        connection.execute(insert(tables.holds).values(**row, leaf_index=index))
        pairs = [{"hold_id": facts["hold"], "camera_id": camera_id} for camera_id in facts["cameras"]]
        connection.execute(insert(tables.hold_cameras), pairs)

    def _release(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        values = {"released_us": leaf.at_us, "release_record": leaf.fields["record"], "release_leaf": index}
        chosen = tables.holds.c.id == leaf.fields["hold"]
        connection.execute(update(tables.holds).where(chosen).values(**values))

    def _export(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        row = {"id": facts["export"], "stream_id": facts["stream"], **_span(facts), "record": facts["record"]}
        row |= {"asked_us": leaf.at_us, "leaf_index": index, "done_bytes": 0, "total_bytes": 0}
        connection.execute(insert(tables.exports).values(**row, state=ExportState.QUEUED.value))

    def _view(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        row = {"id": facts["view"], "stream_id": facts["stream"], "kind": facts["kind"], **_span(facts)}
        row |= {"record": facts["record"], "opened_us": leaf.at_us, "leaf_index": index}
        self._waiting[tables.views].append(row)

    def _anchor(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        row = {"id": len(self._anchors) + 1, "size": facts["size"], "note": "", "reason": "due", "leaf_index": index}
        row |= {"kind": AnchorKind(facts["kind"]).value, "witness": facts.get("witness"), "token": facts["token"]}
        row |= {"wanted_us": leaf.at_us, "stamped_us": parse_us(facts["stamped"])}
        self._anchors.append(row)

    def _audit(self, connection: Connection, index: int, leaf: Leaf, _: bytes) -> None:
        facts = leaf.fields
        if facts["what"] == "record_erased":
            row = {"hash": facts["erased"], "leaf_index": facts["leaf"], "erased_us": leaf.at_us, "audit_leaf": index}
            self.erased[facts["erased"]] = row
        elif facts["what"] == "package_removed":
            chosen = tables.exports.c.id == facts["export"]
            values = {"state": ExportState.REMOVED.value}
            connection.execute(update(tables.exports).where(chosen).values(**values))
        elif facts["what"] == "volume_made":
            row = {"name": facts["volume"], "id": facts["id"], "path": str(self._place_of(facts["volume"]))}
            connection.execute(insert(tables.volumes).values(**row, leaf_index=index))
        elif facts["what"] == "when_full":
            row = {"leaf_index": index, "is_on": facts["when_full"] == "overwrite"}
            connection.execute(insert(tables.overwriting).values(**row))
        elif facts["what"] in ("hold_review", "hold_checked", "release_code", "release_refused"):
            _of_hold(connection, index, leaf)


_WRITERS: Mapping[str, Callable[[Replay, Connection, int, Leaf, bytes], None]] = {
    "genesis": Replay._genesis,
    "beat": Replay._beat,
    "boot": Replay._boot,
    KEY: Replay._key,
    "sm2": Replay._sm2,
    "camera": Replay._camera,
    "seg": Replay._segment,
    "gap": Replay._gap,
    "del": Replay._del,
    "del.done": Replay._del_done,
    "breach": Replay._breach,
    "finding": Replay._finding,
    "hold": Replay._hold,
    "release": Replay._release,
    "export": Replay._export,
    "view": Replay._view,
    "anchor": Replay._anchor,
    "audit": Replay._audit,
}
"""Of the other types no row tells."""


def _of_hold(connection: Connection, index: int, leaf: Leaf) -> None:
    """What befell holds, and who may release them."""
    facts = leaf.fields
    if facts["what"] == "hold_review":
        row = {"leaf_index": index, "hold_id": facts["hold"], "changed_us": leaf.at_us, "record": facts["record"]}
        connection.execute(insert(tables.hold_reviews).values(**row, review_us=_perhaps_us(facts["review"])))
    elif facts["what"] == "hold_checked":
        counts = {name: facts[name] for name in ("segments", "bytes", "damaged")}
        row = {"leaf_index": index, "hold_id": facts["hold"], "checked_us": leaf.at_us}
        connection.execute(insert(tables.hold_checks).values(**row, **counts))
    elif facts["what"] == "release_code":
        ripe_us = leaf.elapsed_us + (codes.REST_US if facts["rests"] else 0)
        codes.remember(connection, facts["holder"], index, ripe_us)
    else:
        row = {"leaf_index": index, "elapsed_us": leaf.elapsed_us}
        connection.execute(insert(tables.release_refusals).values(**row))


def _perhaps_us(told: str | None) -> int | None:
    return None if told is None else parse_us(told)


def _whose(leaf: Leaf) -> str:
    """Whose side record an entry names; views are too many to be told one by one."""
    number = {"hold": "hold", "release": "hold", "export": "export", "camera": "camera"}.get(leaf.type)
    return leaf.type if number is None else f"{leaf.type} {leaf.fields[number]}"


def _span(facts: Mapping[str, Any]) -> dict[str, int]:
    return {"t0_us": parse_us(facts["t0"]), "t1_us": parse_us(facts["t1"])}


def _range(leaf: Leaf) -> Any:
    facts = leaf.fields
    return (tables.items.c.stream_id == facts["stream"]) & tables.items.c.n.between(facts["n0"], facts["n1"])


def _audio(facts: Mapping[str, Any]) -> str | None:
    """As the row has it: in the order of its fields, not in that of canonical JSON."""
    told = facts.get("audio")
    if told is None:
        return None
    return json.dumps(audio_fields(AudioFacts(**{**told, "codec": AudioCodec(told["codec"])})))


def _camsig(facts: Mapping[str, Any]) -> str | None:
    told = facts.get("camsig")
    return None if told is None else " ".join(told)


def _note_signing(stream: _Stream, row: Mapping[str, Any]) -> None:
    """As each commit does (`segments`)."""
    if row["camsig"] is None:
        return
    if row["camsig"]:
        stream.signing = {"kinds": row["camsig"], "signed_us": row["t1_us"]}
        stream.signing |= {"unsigned_since_us": None, "unsigned_us": 0}
    elif stream.signing is not None:
        since_us = stream.signing["unsigned_since_us"]
        stream.signing["unsigned_since_us"] = row["t0_us"] if since_us is None else since_us
        stream.signing["unsigned_us"] += row["t1_us"] - row["t0_us"]
