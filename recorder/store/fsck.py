"""Checks the invariants of docs/storage.md, by number: 1 to 9, 11 and 12 here, 10 in `verify`. Reads only.

A finding names the invariant, the place and what is wrong there. Nothing is mended: who mends evidence, makes it.
One damaged place never hides another: every check goes on behind what it found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from config.errors import CustosError
from config.times import format_us
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.causes import Cause
from recorder.errors import CatalogueCorrupt
from recorder.store import files, overwriting, sidecar, tables
from recorder.store.anchors import ROOTS, file_name
from recorder.store.daycount import bound_discard_us, earliest_discard_us, is_offset, trusted_now_us
from recorder.store.held import HeldMedia
from recorder.store.holds import active
from recorder.store.keeping import Rule, floor_of, rules_hash
from recorder.store.layout import HOLD, PART, REPLACED, SPOOL, segment_path
from recorder.store.ledger import LogState, heads, heads_hash
from recorder.store.log import sm2
from recorder.store.log.cosignature import cosigned_at_s
from recorder.store.log.keys import load_public
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.log.note import Checkpoint, body_of, read_body, signatures_by
from recorder.store.log.succession import LEAF
from recorder.store.log.tree import Frontier, leaf_hash, restore
from recorder.store.places import IDENTITY, MAY_LIE_THERE
from recorder.store.receipts import is_waiting
from recorder.store.records import AnchorKind, MediaState, Outsider, Segment, camera_of, segment_id_of
from recorder.store.rotation import check_chain
from recorder.store.rules import rules_of
from recorder.store.segments import LEGAL_FLOOR_DAYS, TOLD_ALIKE
from recorder.store.store import Store


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    invariant: int
    where: str
    what: str


SIGNING_TRIES = 10
"""A running box may sign between our looking at the catalogue and at the checkpoint; hardly ten times in a row."""

Check = Callable[[Store, Connection], Iterator[Finding]]


def check(store: Store) -> list[Finding]:
    """All findings of invariants 1 to 9, 11 and 12, in order of their numbers."""
    try:
        store.database.quick_check()
    except CatalogueCorrupt as err:
        return [Finding(5, store.layout.catalogue.name, str(err))]
    found: list[Finding] = []
    for one in _CHECKS:
        # A view of its own for each: beside a running box an older one would know less than the disk.
        with store.database.read() as connection:
            found += list(one(store, connection))
    return found


def rows_have_files(store: Store, connection: Connection) -> Iterator[Finding]:
    """1: every row `present` has its file, with that size."""
    away = _away(store, connection)
    for volume, count in sorted(away.items()):
        yield Finding(1, f"volume {volume}", f"it is not there, nor is what lies on it: {count} segments")
    query = select(tables.items).where(tables.items.c.state == MediaState.PRESENT.value)
    for row in connection.execute(query).mappings():
        if row["volume"] in away:
            continue
        path = store.layout.volume(row["volume"]) / row["path"]
        name = segment_id_of(row["stream_id"], row["n"])
        if not path.is_file():
            if is_present(store, row["stream_id"], row["n"]):
                yield Finding(1, name, f"its media file {row['path']} is not there")
        elif path.stat().st_size != row["bytes"]:
            yield Finding(1, name, f"its media file has {path.stat().st_size} bytes; {row['bytes']} were recorded")


def files_have_rows(store: Store, connection: Connection) -> Iterator[Finding]:
    """2: every media file has a row, or is that of its stream's next segment, which has none yet."""
    for volume in store.disks.here():
        yield from _files_of(store, connection, volume)


def _files_of(store: Store, connection: Connection, volume: str) -> Iterator[Finding]:
    expected, root = _next_files(connection), store.layout.volume(volume)
    for path in _media_files(root):
        relative = str(path.relative_to(root))
        if relative in expected or _state_of(connection, volume, relative) in _HAS_FILE:
            continue
        # A running box may have begun, sealed or discarded it since this view was taken.
        with store.database.read() as now:
            state, begun = _state_of(now, volume, relative), relative in _next_files(now)
        if begun or state in _HAS_FILE or not path.exists():
            continue
        what = "no row knows this media file" if state is None else "its row says that this media was discarded"
        yield Finding(2, relative, what)


def _away(store: Store, connection: Connection) -> dict[str, int]:
    """Volumes that are not there, each with how many segments of it were not discarded."""
    here = store.disks.here()
    present = tables.items.c.state == MediaState.PRESENT.value
    query = select(tables.items.c.volume, func.count()).where(present).group_by(tables.items.c.volume)
    return {volume: count for volume, count in connection.execute(query).all() if volume not in here}


def items_are_chained(store: Store, connection: Connection) -> Iterator[Finding]:
    """3: the items of a stream are 0…n without holes, and each `prev` matches."""
    for stream, first in _streams(connection):
        expected_n, expected_prev = 0, first
        for row in _items(connection, stream["id"]):
            name = segment_id_of(row["stream_id"], row["n"])
            if row["n"] != expected_n:
                yield Finding(3, name, f"item {expected_n} is missing before it")
            elif row["prev"] != expected_prev:
                yield Finding(3, name, "it does not point to the item before it")
            expected_n, expected_prev = row["n"] + 1, row["leaf_hash"]
        if (stream["next_n"], stream["prev"]) != (expected_n, expected_prev):
            yield Finding(3, stream["id"], "its last item is not the one that the stream's head names")


def items_touch(store: Store, connection: Connection) -> Iterator[Finding]:
    """4: consecutive items touch; only a clock set back lets a gap end before it starts."""
    for stream, _ in _streams(connection):
        before: int | None = None
        for row in _items(connection, stream["id"]):
            name = segment_id_of(row["stream_id"], row["n"])
            if before is not None and row["t0_us"] != before:
                yield Finding(4, name, f"it starts at {format_us(row['t0_us'])}; the one before ended elsewhere")
            if row["t1_us"] <= row["t0_us"] and row["cause"] != Cause.CLOCK_STEP.value:
                yield Finding(4, name, "it ends before it starts")
            before = row["t1_us"]


def rows_equal_leaves(store: Store, connection: Connection) -> Iterator[Finding]:
    """5: every row of an item or a view equals its leaf, and every such leaf has its row."""
    state = store.ledger.state(connection)
    size, seen = state.size, 0
    for index, body in _bodies(store, connection, size):
        if body is None:
            yield Finding(5, f"log entry {index}", "it cannot be read")
            continue
        try:
            leaf = decode_leaf(body)
        except CustosError as err:
            yield Finding(5, f"log entry {index}", str(err))
            continue
        seen += 1
        if leaf.type in ("seg", "gap"):
            yield from _compare(connection, index, body, leaf)
        elif leaf.type == "sm2" and index != state.sm2_leaf:
            yield Finding(5, f"log entry {index}", "it binds an SM2 key that the index does not know of")
        elif (leaf.type, leaf.fields.get("op")) == ("camera", "rule"):
            yield from _compare_rule(connection, index, leaf)
        elif leaf.type in _COMPARED:
            yield from _COMPARED[leaf.type](connection, index, leaf)
    indexed = select(tables.items.c.stream_id, tables.items.c.n).where(tables.items.c.leaf_index >= size)
    for row in connection.execute(indexed):
        yield Finding(5, segment_id_of(row.stream_id, row.n), "its leaf lies behind the end of the log")
    for view_id in connection.execute(select(tables.views.c.id).where(tables.views.c.leaf_index >= size)).scalars():
        yield Finding(5, f"view {view_id}", "its leaf lies behind the end of the log")
    yield from _have_leaves(store, connection)


def tree_is_signed(store: Store, _older: Connection) -> Iterator[Finding]:
    """6: the stored tree hashes to the checkpoint, whose last leaf is a beat with the heads of that moment.

    The checkpoint may be newer than the catalogue remembers (a crash between the two, or a box that is just signing),
    never older; and it never signs leaves that are not there.
    """
    for _ in range(SIGNING_TRIES):
        with store.database.read() as connection:
            state = store.ledger.state(connection)
            try:
                text = store.checkpoint_text()
                signed = store.keys.opened(text)
            except CustosError as err:
                yield Finding(6, "checkpoint", str(err))
                return
            if state.checkpoint is not None and signed.size < state.checkpoint.size:
                what = f"it signs {signed.size} leaves; it is older than the last one made, of {state.checkpoint.size}"
                yield Finding(6, "checkpoint", what)
                return
            if signed.size <= state.size:
                yield from _tree_hashes(store, connection, signed, text)
                return
    yield Finding(6, "checkpoint", f"it signs {signed.size} leaves; the log has {state.size}")


def keys_are_chained(store: Store, connection: Connection) -> Iterator[Finding]:
    """6: the log's keys follow each other from genesis on; the files of those that went before are still there."""
    try:
        known = store.keys.keys(connection)
        check_chain(store.ledger, connection, store.origin, known)
        for one in known[:-1]:
            path = store.layout.earlier_key(one.number)
            if load_public(path) != one.key:
                yield Finding(6, f"keys/{path.name}", "it is not the key of that number that the log names")
        if load_public(store.layout.public_key) not in [one.key for one in known]:  # the last comes a moment later
            yield Finding(6, f"keys/{store.layout.public_key.name}", "it is no key of this log")
    except CustosError as err:
        yield Finding(6, "keys", str(err))


def _tree_hashes(store: Store, connection: Connection, signed: Checkpoint, text: str) -> Iterator[Finding]:
    frontier, last = Frontier(), b""
    for index, body in _bodies(store, connection, signed.size):
        if body is None:
            yield Finding(6, f"log entry {index}", "the log is cut off before the end that the checkpoint signs")
            return
        frontier = frontier.append(leaf_hash(body)) or frontier
        last = body
    if frontier.size != signed.size:
        yield Finding(6, "log", f"it holds {frontier.size} of the {signed.size} leaves that the checkpoint signs")
    elif frontier.root() != signed.root:
        yield Finding(6, "log", "its leaves do not hash to the root that the checkpoint signs")
    else:
        yield from _tiles_agree(store, signed.size, signed.root)
        yield from _beat_closes(connection, signed.size, last)
        try:
            yield from _signed_with_sm2(store, connection, text, last)
        except CustosError as err:  # a file that cannot be read, or a Python without SM3
            yield Finding(6, "sm2", str(err))


def deletions_were_lawful(store: Store, connection: Connection) -> Iterator[Finding]:
    """7: no segment under a hold was discarded, nor one below the floor unless a `breach` entry admits it."""
    query = select(tables.items).where(tables.items.c.state.in_([MediaState.GOING.value, MediaState.GONE.value]))
    for row in connection.execute(query).mappings():
        name = segment_id_of(row["stream_id"], row["n"])
        leaf = _leaf(store, connection, row["del_leaf"])
        if leaf is None:
            continue  # invariant 8 speaks of it
        rules = [one for one in rules_of(connection, camera_of(row["stream_id"])) if one.index < row["del_leaf"]]
        if leaf.fields.get("rules", rules_hash(rules)) != rules_hash(rules):
            yield Finding(7, name, "it was discarded by other rules than stood in the log")
        ahead_s, floor_days = leaf.fields.get("utc_offset_s"), _floor_then(rules, row)
        if is_offset(ahead_s):
            earliest_us = bound_discard_us(row["t1_us"], floor_days, row["utc_offset_s"], ahead_s)
        else:  # written before leaves told it
            earliest_us = earliest_discard_us(row["t1_us"], floor_days, store.zone)
        trusted_us = trusted_now_us(row["t1_us"], row["elapsed_us"], leaf.at_us, leaf.elapsed_us)
        if trusted_us < earliest_us and not _is_admitted(store, connection, row):
            yield Finding(7, name, "it was discarded before the floor let it go")
        for hold_id in _holds_at(connection, row, leaf.at_us):
            yield Finding(7, name, f"it was discarded while hold {hold_id} was in force")


def _is_admitted(store: Store, connection: Connection, row: RowMapping) -> bool:
    """Whether an entry before the discard says that it breaks the floor, of this very item, by a wish of the owner."""
    index = overwriting.covers(connection, row["stream_id"], row["n"], row["del_leaf"])
    leaf = _leaf(store, connection, index)
    if not _tells(leaf, "breach", row):
        return False
    assert leaf is not None
    wish = _leaf(store, connection, leaf.fields.get("wish"))
    return wish is not None and wish.type == "audit" and wish.fields.get("when_full") == "overwrite"


def _floor_then(rules: Sequence[Rule], row: RowMapping) -> int:
    """For how many days an item had to be kept when it was discarded, by the rules that stood in the log then."""
    return floor_of(rules, row["leaf_index"]) if rules else LEGAL_FLOOR_DAYS


def deletions_are_told(store: Store, connection: Connection) -> Iterator[Finding]:
    """8: every `going` has a `del` leaf, every `gone` has its `del.done` too."""
    query = select(tables.items).where(tables.items.c.state.in_([MediaState.GOING.value, MediaState.GONE.value]))
    for row in connection.execute(query).mappings():
        name = segment_id_of(row["stream_id"], row["n"])
        if not _tells(_leaf(store, connection, row["del_leaf"]), "del", row):
            yield Finding(8, name, "no leaf announced its discard")
        done = row["state"] == MediaState.GONE.value
        if done and not _tells(_leaf(store, connection, row["done_leaf"]), "del.done", row):
            yield Finding(8, name, "no leaf reported its discard")


def anchors_verify(store: Store, connection: Connection) -> Iterator[Finding]:
    """9: each anchor verifies against the checkpoint it names, and that is a beginning of the log as it is now.

    Whether to believe an authority is left to who knows its certificates (`openssl ts`, docs/proof.md).
    """
    known, cosigners = set[str](), set[str]()
    for row in connection.execute(select(tables.anchors).order_by(tables.anchors.c.id)).mappings().all():
        name = file_name(row["size"], Outsider(AnchorKind(row["kind"]), row["witness"]))
        known |= {name, f"{row['size']}.body"}  # those of one that waits may lie there after a crash
        if row["witness"] is not None:  # and of a witness that of a size in whose place a newer one waited since
            cosigners.add(name.partition(".")[2])
        if row["token"] is not None:
            yield from _anchor_holds(store, connection, row, name)
    yield from _anchored_tree_stands(store, known, cosigners)


def _anchor_holds(store: Store, connection: Connection, row: Mapping[Any, Any], name: str) -> Iterator[Finding]:
    by, leaf = Outsider(AnchorKind(row["kind"]), row["witness"]), _leaf(store, connection, row["leaf_index"])
    path = store.layout.log / "anchors" / name
    facts = {} if leaf is None or leaf.type != "anchor" else leaf.fields
    if (facts.get("size"), facts.get("token")) != (row["size"], row["token"]):
        yield Finding(9, name, "no leaf binds it")
    try:
        with files.translated(path):
            token = path.read_bytes()
        if hashlib.sha256(token).hexdigest() != row["token"]:
            yield Finding(9, path.name, "it is not what the log says was received")
        if by.key is None and _content(path.with_suffix(".body")) != body_of(row["note"]).encode():
            yield Finding(9, path.name, "the text that was stamped is not there, or is another")
        elif by.key is not None:
            cosigned_at_s(token.decode(), parse_verifier_key(by.key, COSIGNATURE))
    except (CustosError, UnicodeDecodeError) as err:
        yield Finding(9, path.name, str(err))


def _content(path: Path) -> bytes:
    """Of a small file; nothing where there is none."""
    with files.translated(path):
        return path.read_bytes() if path.is_file() else b""


def _anchored_tree_stands(store: Store, known: Set[str], cosigners: Set[str]) -> Iterator[Finding]:
    """By the files: whoever rewrote the log may have rewritten the catalogue too."""
    folder = store.layout.log / "anchors"
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    try:  # behind the listing: a box that runs has by then signed at least what is anchored there
        signed = store.keys.opened(store.checkpoint_text()).size
    except CustosError:
        return  # invariant 6 speaks of it
    for path in paths:
        if path.match(".*.tmp"):  # half written when the power went (`files.write_atomically`)
            continue
        is_known = path.name in known or path.name.partition(".")[2] in cosigners
        if not is_known and not path.match(ROOTS.format("*")):
            yield Finding(9, path.name, "no anchor that was wanted is of this name")
        if path.suffix not in (".note", ".body"):
            continue
        try:
            with files.translated(path):
                text = path.read_text(encoding="utf-8")
            said = read_body(text if path.suffix == ".body" else body_of(text))
            problem = _contradicted(store, said, signed)
        except (CustosError, UnicodeDecodeError) as err:
            problem = str(err)
        if problem is not None:
            yield Finding(9, path.name, problem)


def _contradicted(store: Store, said: Checkpoint, signed: int) -> str | None:
    if said.origin != store.origin:
        return "it is of another log"
    if said.size > signed:
        return f"somebody outside saw {said.size} leaves, and {signed} are signed: the log was cut off"
    if restore(said.size, store.ledger.tiles.nodes(signed)).root() != said.root:
        return f"somebody outside saw another log of {said.size} leaves: this one was written anew"
    return None


def records_are_whole(store: Store, connection: Connection) -> Iterator[Finding]:
    """11: every side record that an entry names hashes to what it carries, or an entry says that it was erased."""
    erased = {row["hash"]: row for row in connection.execute(select(tables.erasures)).mappings()}
    for digest, row in erased.items():
        leaf = _leaf(store, connection, row["audit_leaf"])
        facts = {} if leaf is None or leaf.type != "audit" else leaf.fields
        if (facts.get("what"), facts.get("erased")) != ("record_erased", digest):
            yield Finding(11, f"log entry {row['leaf_index']}", "its record was erased, and no entry says so")
    for row in connection.execution_options(yield_per=1000).execute(select(tables.records)).mappings():
        is_blank = not any(row["salt"]) and not row["body"].strip()
        if is_blank is not (row["hash"] in erased):
            yield Finding(11, f"record {row['hash']}", "it is blank, and nobody erased it, or the other way round")
        elif not is_blank and not sidecar.is_whole(row["salt"], row["body"], row["hash"]):
            yield Finding(11, f"record {row['hash']}", "it is not the one that its entry names")
    for name, key, column in _RECORDS:
        both = column.table.outerjoin(tables.records, tables.records.c.hash == column)
        missing = select(key).select_from(both).where(column.is_not(None), tables.records.c.hash.is_(None))
        for number in connection.execute(missing).scalars():
            yield Finding(11, f"{name} {number}", "its side record is not there")


def holds_have_names(store: Store, connection: Connection) -> Iterator[Finding]:
    """12: every segment that is here and held has its second name for each hold, and that is of the very file.

    Those of a hold that was just placed are still being made, and so may be that of a stream's newest segment.
    """
    for hold in active(connection):
        if not store.held.work(hold.id).is_linked:
            continue
        for media in store.held.all_media(hold.id):
            if not media.path.exists():
                continue  # invariant 1 speaks of it
            what = None
            if not media.held_path.exists():
                what = f"hold {hold.id} has no second name of it"
            elif not media.held_path.samefile(media.path):
                what = f"its second name for hold {hold.id} is of another file"
            if what is not None and not _may_be_new(store, hold.id, media):
                yield Finding(12, media.id, what)


def _may_be_new(store: Store, hold_id: int, media: HeldMedia) -> bool:
    """Committed this moment by a box that runs, or discarded since, or of a hold that was released since."""
    with store.database.read() as now:
        query = select(tables.streams.c.next_n).where(tables.streams.c.id == media.stream_id)
        newest = now.execute(query).scalar_one() - 1
        in_force = {one.id for one in active(now)}
    last = [one.n for one in store.numbered(media.stream_id, media.n + 1, newest) if isinstance(one, Segment)]
    return not last or hold_id not in in_force or not is_present(store, media.stream_id, media.n)


def names_have_holds(store: Store, _older: Connection) -> Iterator[Finding]:
    """12: there is no second name without a hold on that segment."""
    for one in store.held.folders():
        folder = one.path
        for path in sorted(name for name in folder.rglob("*") if not name.is_dir()):
            relative = str(path.relative_to(folder))
            with store.database.read() as now:
                held = store.held.held_by(now, one.volume, relative)
                is_ending = one.hold_id is None or store.held.is_ending(now, one.hold_id)
            if folder.name in map(str, held) or not path.exists() or is_ending:
                continue
            yield Finding(12, f"hold/{folder.name}/{relative}", "no such hold lies on a segment of this name")


_RECORDS = (
    ("view", tables.views.c.id, tables.views.c.record),
    ("hold", tables.holds.c.id, tables.holds.c.record),
    ("release of hold", tables.holds.c.id, tables.holds.c.release_record),
    ("export", tables.exports.c.id, tables.exports.c.record),
    ("rule", tables.rules.c.leaf_index, tables.rules.c.record),
    ("review of hold, entry", tables.hold_reviews.c.leaf_index, tables.hold_reviews.c.record),
)

_CHECKS: tuple[Check, ...] = (
    rows_have_files,
    files_have_rows,
    items_are_chained,
    items_touch,
    rows_equal_leaves,
    tree_is_signed,
    keys_are_chained,
    deletions_were_lawful,
    deletions_are_told,
    anchors_verify,
    records_are_whole,
    holds_have_names,
    names_have_holds,
)


def _streams(connection: Connection) -> Iterator[tuple[Mapping[Any, Any], str]]:
    """Every stream with the hash that its item 0 points to."""
    query = select(tables.streams, tables.cameras.c.leaf_hash.label("first")).join(
        tables.cameras, tables.cameras.c.id == tables.streams.c.camera_id
    )
    for row in connection.execute(query.order_by(tables.streams.c.id)).mappings().all():
        yield row, row["first"]


def _items(connection: Connection, stream_id: str) -> Iterable[Mapping[Any, Any]]:
    query = select(tables.items).where(tables.items.c.stream_id == stream_id).order_by(tables.items.c.n)
    return connection.execution_options(yield_per=1000).execute(query).mappings()


_HAS_FILE = (MediaState.PRESENT.value, MediaState.GOING.value)


def _state_of(connection: Connection, volume: str, relative: str) -> str | None:
    """What the row of a media file says; None: no row knows it."""
    path = Path(relative)
    known = select(tables.items.c.state).where(
        tables.items.c.stream_id == path.parts[0],
        tables.items.c.n == _number(path),
        tables.items.c.path == relative,
        tables.items.c.volume == volume,
    )
    return connection.execute(known).scalar()


def is_present(store: Store, stream_id: str, n: int) -> bool:
    """Whether that row says `present` at this moment: a running box may have discarded it meanwhile."""
    query = select(tables.items.c.state).where(tables.items.c.stream_id == stream_id, tables.items.c.n == n)
    with store.database.read() as connection:
        return connection.execute(query).scalar() == MediaState.PRESENT.value


def _next_files(connection: Connection) -> set[str]:
    """Where each stream's next segment may lie: growing, just sealed, or left by a crash until the next start."""
    rows = connection.execute(select(tables.streams)).mappings()
    paths = (str(segment_path(row["id"], row["next_n"], row["t1_us"])) for row in rows)
    return {name for path in paths for name in (path, path + PART)}


NO_MEDIA = (HOLD, REPLACED, SPOOL, *MAY_LIE_THERE)
"""Folders of a volume in which no segment lies under its own name; of second names invariant 12 speaks."""


def _media_files(volume: Path) -> Iterator[Path]:
    for path in sorted(volume.rglob("*")):
        if path.name == IDENTITY or path.relative_to(volume).parts[0] in NO_MEDIA:
            continue
        if path.is_file():
            yield path


def _number(path: Path) -> int:
    number = path.name.partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else -1


def _bodies(store: Store, connection: Connection, size: int) -> Iterator[tuple[int, bytes | None]]:
    """Leaves 0 to `size`; None, once, where the log can be read no further."""
    index = -1
    try:
        for index, body in store.ledger.bodies(connection, 0, size):
            yield index, body
    except CustosError:
        yield index + 1, None


def _key_is_known(connection: Connection, index: int, leaf: Leaf) -> Iterator[Finding]:
    query = select(tables.log_keys.c.key).where(tables.log_keys.c.leaf_index == index)
    if connection.execute(query).scalar() != leaf.fields.get("new_key"):
        yield Finding(5, f"log entry {index}", "it names a new key of the log, of which there is no such row")


def _leaf(store: Store, connection: Connection, index: int | None) -> Leaf | None:
    try:
        return None if index is None else store.ledger.leaf(connection, index)
    except CustosError:
        return None


def _tells(leaf: Leaf | None, kind: str, row: Mapping[Any, Any]) -> bool:
    if leaf is None or leaf.type != kind or leaf.fields.get("stream") != row["stream_id"]:
        return False
    return int(leaf.fields["n0"]) <= int(row["n"]) <= int(leaf.fields["n1"])


def _tells_part(leaf: Leaf | None, kind: str, row: Mapping[Any, Any]) -> bool:
    """Likewise of some of the items that a row names."""
    if leaf is None or leaf.type != kind or leaf.fields.get("stream") != row["stream_id"]:
        return False
    return int(leaf.fields["n0"]) <= int(row["n1"]) and int(leaf.fields["n1"]) >= int(row["n0"])


def _compare(connection: Connection, index: int, body: bytes, leaf: Leaf) -> Iterator[Finding]:
    stream_id, n = str(leaf.fields.get("stream")), leaf.fields.get("n")
    name = f"{stream_id}.{n}"
    query = select(tables.items).where(tables.items.c.stream_id == stream_id, tables.items.c.n == n)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        yield Finding(5, name, f"log entry {index} tells of it, but it has no row")
        return
    if (row["leaf_index"], row["leaf_hash"]) != (index, leaf_hash(body).hex()):
        yield Finding(5, name, f"its row does not point to log entry {index}, which tells of it")
    differing = sorted(key for key, value in _row_as_fields(row).items() if leaf.fields.get(key) != value)
    if differing or row["elapsed_us"] != leaf.elapsed_us:
        yield Finding(5, name, f"its row differs from log entry {index} in {', '.join(differing or ['elapsed_us'])}")


def _compare_view(connection: Connection, index: int, leaf: Leaf) -> Iterator[Finding]:
    name = f"view {leaf.fields.get('view')}"
    query = select(tables.views).where(tables.views.c.leaf_index == index)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        yield Finding(5, name, f"log entry {index} tells of it, but it has no row")
        return
    span = {"t0": format_us(row["t0_us"]), "t1": format_us(row["t1_us"])}
    told = {"view": row["id"], "stream": row["stream_id"], "kind": row["kind"], **span, "record": row["record"]}
    if told != dict(leaf.fields) or row["opened_us"] != leaf.at_us:
        yield Finding(5, name, f"its row differs from log entry {index}")


def _compare_rule(connection: Connection, index: int, leaf: Leaf) -> Iterator[Finding]:
    """Of a rule's purpose the leaf has the hash alone, and no field where none was told."""
    row = connection.execute(select(tables.rules).where(tables.rules.c.leaf_index == index)).mappings().one_or_none()
    if row is None:
        yield Finding(5, f"rule {index}", "the log tells of it, but it has no row")
        return
    told = {"op": "rule", "camera": row["camera_id"], **{name: row[name] for name in (*_RULE, "record")}}
    if {name: one for name, one in told.items() if one is not None} != dict(leaf.fields):
        yield Finding(5, f"rule {index}", "its row differs from what the log tells of it")


_RULE = ("protection", "floor_days", "target_days", "margin_days")


def _compare_receipt(connection: Connection, index: int, leaf: Leaf) -> Iterator[Finding]:
    chosen = tables.receipts.c.leaf_index == index
    row = connection.execute(select(tables.receipts).where(chosen)).mappings().one_or_none()
    if row is None:
        yield Finding(5, f"receipt {index}", "the log tells of it, but it has no row")
    elif (row["stream_id"], row["n0"], row["n1"]) != tuple(leaf.fields.get(name) for name in ("stream", "n0", "n1")):
        yield Finding(5, f"receipt {index}", "its row differs from what the log tells of it")


def _compare_breach(connection: Connection, index: int, leaf: Leaf) -> Iterator[Finding]:
    chosen = tables.breaches.c.leaf_index == index
    row = connection.execute(select(tables.breaches).where(chosen)).mappings().one_or_none()
    if row is None:
        yield Finding(5, f"breach {index}", "the log tells of it, but it has no row")
        return
    told = {"stream": row["stream_id"], **{name: row[name] for name in _BREACH}}
    if {name: leaf.fields.get(name) for name in told} != told or row["at_us"] != leaf.at_us:
        yield Finding(5, f"breach {index}", "its row differs from what the log tells of it")


_BREACH = ("n0", "n1", "floor_days", "short_us", "bytes", "volume")


def _compare_done(connection: Connection, index: int, leaf: Leaf) -> Iterator[Finding]:
    """It is the last that reports a receipt, or one before that."""
    of, facts = tables.receipts.c, leaf.fields
    told = (of.stream_id == facts.get("stream")) & (of.n0 <= facts.get("n1")) & (of.n1 >= facts.get("n0"))
    is_open = of.done_leaf.is_(None) & ~is_waiting()
    query = select(of.leaf_index).where(told, of.leaf_index < index, is_open | (of.done_leaf < index))
    for announced in connection.execute(query).scalars().all():
        yield Finding(5, f"receipt {announced}", f"log entry {index} reports it, and its row does not say so")


_COMPARED: Mapping[str, Callable[[Connection, int, Leaf], Iterator[Finding]]] = {
    LEAF: _key_is_known,
    "view": _compare_view,
    "del": _compare_receipt,
    "del.done": _compare_done,
    "breach": _compare_breach,
}


def _have_leaves(store: Store, connection: Connection) -> Iterator[Finding]:
    """Rows of rules and receipts; a receipt's second entry is there as well."""
    for index in connection.execute(select(tables.rules.c.leaf_index)).scalars().all():
        leaf = _leaf(store, connection, index)
        if leaf is None or (leaf.type, leaf.fields.get("op")) != ("camera", "rule"):
            yield Finding(5, f"rule {index}", "no leaf tells of it")
    for row in connection.execute(select(tables.receipts)).mappings().all():
        kinds = {"del": row["leaf_index"], "del.done": row["done_leaf"]}
        telling = [(kind, _leaf(store, connection, index)) for kind, index in kinds.items() if index is not None]
        if not all(_tells_part(leaf, kind, row) for kind, leaf in telling):
            yield Finding(5, f"receipt {row['leaf_index']}", "no leaf tells of it")


def _row_as_fields(row: Mapping[Any, Any]) -> dict[str, object]:
    """A row in the words of its leaf; where the media lies and how it stands is the catalogue's own."""
    common = {"prev": row["prev"], "t0": format_us(row["t0_us"]), "t1": format_us(row["t1_us"])}
    if row["kind"] == "gap":
        return {**common, "cause": row["cause"], "detail": row["detail"]}
    expected = str(segment_path(row["stream_id"], row["n"], row["t0_us"]))
    place = {} if row["path"] == expected else {"path": row["path"]}
    audio = None if row["audio"] is None else json.loads(row["audio"])
    camsig = None if row["camsig"] is None else row["camsig"].split()
    return {**common, **{name: row[name] for name in TOLD_ALIKE}, "audio": audio, "camsig": camsig, **place}


def _tiles_agree(store: Store, size: int, root: bytes) -> Iterator[Finding]:
    """The hash tiles are what strangers are given: they must say what the leaves say."""
    try:
        if store.ledger.tiles.frontier(size).root() != root:
            yield Finding(6, "tiles", "the hash tiles do not lead to the root that the checkpoint signs")
    except CustosError as err:
        yield Finding(6, "tiles", str(err))


def _beat_closes(connection: Connection, size: int, body: bytes) -> Iterator[Finding]:
    try:
        leaf = decode_leaf(body)
    except CustosError as err:
        yield Finding(6, "checkpoint", str(err))
        return
    if leaf.type != "beat":
        yield Finding(6, "checkpoint", f"the last leaf that it signs is a {leaf.type}, not a beat")
    elif leaf.fields.get("heads") != heads_hash(heads(connection, size - 1)):
        yield Finding(6, "checkpoint", "its beat names other heads than the items have")


def _signed_with_sm2(store: Store, connection: Connection, text: str, last: bytes) -> Iterator[Finding]:
    """The key is the one that its leaf binds, and signed where the beat says so."""
    state = store.ledger.state(connection)
    public = _bound_key(store, connection, state)
    named = _field(last, "sm2")
    if public is None:
        if named is not None or state.sm2_public is not None:
            yield Finding(6, "sm2", "no leaf of the log binds the SM2 key")
        return
    if public != state.sm2_public:
        yield Finding(6, "sm2", "the index names another SM2 key than the log binds")
    if named not in (None, sm2.fingerprint(public)):
        yield Finding(6, "sm2", "the beat of the checkpoint names another SM2 key than the log binds")
    key_file = store.layout.sm2_public
    with files.translated(key_file):
        if not key_file.exists() or key_file.read_bytes() != sm2.pem(public):
            yield Finding(6, key_file.name, "it is not the SM2 key that the log binds")
    signatures = signatures_by(text, store.origin, sm2.key_id(store.origin, public))
    if named is not None and not signatures:
        yield Finding(6, "checkpoint", "its SM2 signature is not there, and its beat says that it is")
    if not all(sm2.is_signature(public, body_of(text).encode(), one) for one in signatures):
        yield Finding(6, "checkpoint", "its SM2 signature is not by the key that the log binds")


def _bound_key(store: Store, connection: Connection, state: LogState) -> str | None:
    """The SM2 key, as a leaf tells it; None: no such leaf, or it tells of none."""
    leaf = _leaf(store, connection, state.sm2_leaf)
    public = None if leaf is None or leaf.type != "sm2" else leaf.fields.get("public")
    try:
        return None if not isinstance(public, str) else public if sm2.point_of(public) else None
    except ValueError:
        return None


def _field(body: bytes, name: str) -> object:
    try:
        return decode_leaf(body).fields.get(name)
    except CustosError:
        return None  # that it cannot be read is said elsewhere


def _holds_at(connection: Connection, row: Mapping[Any, Any], at_us: int) -> list[int]:
    query = (
        select(tables.holds)
        .join(tables.hold_cameras, tables.hold_cameras.c.hold_id == tables.holds.c.id)
        .where(
            tables.hold_cameras.c.camera_id == camera_of(row["stream_id"]),
            tables.holds.c.t0_us < row["t1_us"],
            tables.holds.c.t1_us > row["t0_us"],
            tables.holds.c.leaf_index < row["del_leaf"],
        )
    )
    found = connection.execute(query).mappings()
    return [one["id"] for one in found if one["release_leaf"] is None or one["release_leaf"] > row["del_leaf"]]


def as_json(findings: Iterable[Finding]) -> str:
    """Findings for machines."""
    return json.dumps([{"invariant": f.invariant, "where": f.where, "what": f.what} for f in findings])
