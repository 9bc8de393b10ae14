"""Putting a backup back, in steps of which each is durable before the next.

1 check the backup: every byte by its list, the list by the log's key, catalogue and log against each other;
2 copy it to `.restoring`; 3 ask everything at hand for what it knows beyond (`rollback`), and refuse, or go on with a
reason; 4 write `restored.json`: what is restored, what was known, who accepted it and why; 5 move what stood there to
`spool/replaced/N`, `box.json` first, so that no box starts on half of it; 6 set media aside that the backup's chain
cannot be continued by, as `replaced/N` of its volume; 7 move the new things in, `box.json` last.

Nothing is thrown away. A crash anywhere is mended by restoring again: what step 4 wrote still says what was known. The
next start tells the log of it (`tell`), and only then takes in what may follow (`Segments.resume`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from cryptography.exceptions import InvalidSignature
from sqlalchemy import select

from config.clock import Clock
from config.errors import CustosError, ExitCode
from config.times import format_us
from config.volumes import VolumeWish
from recorder.errors import DataDirForeign, DataDirInUse, DataDirTooNew, StoreError
from recorder.store import backup as made
from recorder.store import datadir, files, fsck, restored, tables
from recorder.store.backup import BackupFacts, digest_of_list
from recorder.store.boxes import BoxesDamaged, outline
from recorder.store.database import Database
from recorder.store.fsck import NO_MEDIA
from recorder.store.hashing import sha256_of
from recorder.store.layout import PART, REPLACED, Layout, segment_path
from recorder.store.log.errors import LogError
from recorder.store.log.keys import load_key
from recorder.store.log.note import body_of, read_body
from recorder.store.log.tree import restore as root_of
from recorder.store.places import of_box
from recorder.store.records import MediaState, SegmentHeader
from recorder.store.restored import Restored
from recorder.store.rollback import Evidence, Known, Newer, WouldRollBack, sentence
from recorder.store.store import Store

HEADER_READ_BYTES = 64 * 1024
"""Of a media file: its header boxes are a few kilobytes."""

LIST_LIMIT_BYTES = 256 * 1024 * 1024
"""Of a list: some two million tiles, of a log of five hundred million entries."""

_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]{1,1000})")

CHECKS = (
    fsck.items_are_chained,
    fsck.items_touch,
    fsck.rows_equal_leaves,
    fsck.tree_is_signed,
    fsck.keys_are_chained,
    fsck.anchors_verify,
    fsck.records_are_whole,
)
"""What must hold of a backup by itself. Of media it has none, so invariants 1, 2, 7 and 8 are for afterwards."""


class BackupInvalid(StoreError):
    """That is no backup of a box, or it is not as it was written: use another one."""

    code = "backup_invalid"
    exit_code = ExitCode.FINDINGS


class BackupOther(StoreError):
    """The backup is of another box than the papers say."""

    code = "backup_other"


@dataclass(frozen=True)
class Accepted:
    """Somebody takes a rollback on himself."""

    who: str
    why: str


@dataclass(frozen=True)
class RestoreReport:
    """What was done."""

    facts: BackupFacts
    entries: int
    """Entries of the log as it stands now."""
    found: Evidence
    missing: int
    """Segments that the backup has as present, whose media is not on the disk."""
    aside: int
    """Files that were set aside: newer than the backup."""
    replaced: Path | None
    """Where what stood there lies now; None: nothing did."""
    has_key: bool
    """Whether the private key of the log is there; a key in a token is."""


@dataclass(frozen=True)
class Unpacked:
    """A backup that was checked, beside the data directory it is for, and open."""

    store: Store
    facts: BackupFacts
    digest: str
    entries: int


# -- checking


def unpack(source: Path, layout: Layout, clock: Clock, fingerprint: str | None = None) -> Unpacked:
    """Check a backup, and copy it beside what it is to replace; what stands there is not touched.

    Args:
        source: the backup's folder.
        layout: where it is to go.
        clock: of the store that is opened of it.
        fingerprint: of the log's first key, from the papers; None: whichever key the backup leads to.

    Raises:
        BackupInvalid, BackupOther, StorageError: as they say. DataDirTooNew: a newer version of Custos made it.
    """
    facts, sums = _read_facts(source), _read_list(source)
    signature = _small(source / made.SIGNATURE)
    staged = Layout(layout.restoring)
    files.remove_tree(staged.root)
    prefix = f"{made.DATA}/"
    for name, digest in sums.items():
        copied = staged.root / name.removeprefix(prefix) if name.startswith(prefix) else None
        _check_file(source / name, copied, digest, name)
    store = _opened(staged, clock)
    try:
        with store.database.read() as connection:
            key, entries = store.keys.keys(connection)[-1].key, store.ledger.state(connection).size
        try:
            key.verify(signature, _small(source / made.SUMS, LIST_LIMIT_BYTES))
        except InvalidSignature as err:
            raise BackupInvalid("The backup's list is not signed by the key that its log leads to.") from err
        _agrees(store, facts, fingerprint)
    except BaseException:
        store.close()
        raise
    return Unpacked(store, facts, digest_of_list(_small(source / made.SUMS, LIST_LIMIT_BYTES)), entries)


def _read_facts(source: Path) -> BackupFacts:
    if not (source / made.FACTS).is_file():
        raise BackupInvalid(f"{BackupInvalid.sentence()} ({source} has no {made.FACTS})")
    try:
        found = json.loads(_small(source / made.FACTS))
        if int(found["format"]) > made.FORMAT:
            raise DataDirTooNew("This backup was made by a newer version of Custos: use that version or a later one.")
        return BackupFacts(**found)
    except (ValueError, KeyError, TypeError) as err:
        raise BackupInvalid(f"{BackupInvalid.sentence()} ({made.FACTS} cannot be read)") from err


def _read_list(source: Path) -> dict[str, str]:
    """Every file of the backup with its hash; what is not listed does not belong to it."""
    sums: dict[str, str] = {}
    for line in _small(source / made.SUMS, LIST_LIMIT_BYTES).decode("utf-8", "replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None or not _is_inside(found[2]) or found[2] in sums:
            raise BackupInvalid(f"A line of {made.SUMS} cannot be read, or names a file twice.")
        sums[found[2]] = found[1]
    with files.translated(source):
        there = {str(path.relative_to(source)) for path in source.rglob("*") if not path.is_dir()}
    more = sorted(there - set(sums) - {made.SUMS, made.SIGNATURE})
    if more:
        raise BackupInvalid(f"{more[0]} lies in the backup, and its list does not name it.")
    return sums


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name


def _check_file(path: Path, copied: Path | None, digest: str, name: str) -> None:
    """Hash a file, and copy it; what is copied is what was hashed."""
    if path.is_symlink() or not path.is_file():
        raise BackupInvalid(f"{name} is in the backup's list, and is not there.")
    if copied is not None:
        files.begin_private(copied)
        files.copy(path, copied, lambda _: None)
    if sha256_of(path if copied is None else copied) != digest:
        raise BackupInvalid(f"{name} is not as it was when the backup was made.")


def _opened(staged: Layout, clock: Clock) -> Store:
    """The copy, brought up to this program's schema; nothing is signed with it."""
    database = Database(staged.catalogue)
    try:
        database.prepare()
    finally:
        database.close()
    return Store.open(staged.root, clock, exclusive=False)


def _agrees(store: Store, facts: BackupFacts, fingerprint: str | None) -> None:
    if fingerprint is not None and fingerprint != store.first_fingerprint:
        raise BackupOther(f"{BackupOther.sentence()} (Its log's first key is {store.first_fingerprint}.)")
    for one in CHECKS:
        with store.database.read() as connection:
            for finding in one(store, connection):
                raise BackupInvalid(
                    f"The backup is damaged: invariant {finding.invariant}, {finding.where}: {finding.what}."
                )
    signed = read_body(body_of(store.checkpoint_text()))
    told = (facts.box, facts.origin, facts.size, facts.root)
    if told != (store.box_id, store.origin, signed.size, signed.root.hex()):
        raise BackupInvalid(f"{made.FACTS} says something else than the log that is in the backup.")


def _small(path: Path, limit_bytes: int = made.FILE_LIMIT_BYTES) -> bytes:
    with files.translated(path), path.open("rb") as stream:
        data = stream.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise BackupInvalid(f"{path.name} is larger than any of a backup.")
    return data


# -- what is known beyond it


def evidence(layout: Layout, backup: Unpacked, also: Sequence[Known] = ()) -> Evidence:
    """All that is known of the log beyond the backup, in the data directory; `also`: what somebody else knows.

    Raises:
        DataDirForeign: the data directory is another box's.
    """
    _refuse_other_box(layout, backup.facts)
    known = [*_of_checkpoint(layout, backup), *_of_catalogue(layout), *_of_anchors(layout, backup), *also]
    attempt = restored.read(layout)
    if attempt is not None:  # it may have moved away by now what it found out by
        known.append(Known("An earlier attempt to restore", attempt.known))
    newer: dict[str, Newer] = {}
    for stray in strays(layout, backup.store):
        header = stray.header
        if header is None or header.box != backup.facts.box or stray.is_growing:
            continue
        so_far = newer.get(header.stream, Newer(header.stream, 0, header.n, header.t0_us))
        first_n, last_us = min(so_far.first_n, header.n), max(so_far.last_us, header.t0_us)
        newer[header.stream] = Newer(header.stream, so_far.segments + 1, first_n, last_us)
    before = 0 if attempt is None else attempt.segments
    return Evidence(tuple(known), tuple(newer[name] for name in sorted(newer)), before)


def _refuse_other_box(layout: Layout, facts: BackupFacts) -> None:
    if not layout.box.exists():
        return
    try:
        there = datadir.read_facts(layout)
    except DataDirForeign:
        return  # it cannot be read: that may be why it is to be restored
    if there.box_id != facts.box:
        raise DataDirForeign(
            f"In {layout.root} lives box {there.box_id}, and the backup is of {facts.box}: give it a folder of its own."
        )


def _of_checkpoint(layout: Layout, backup: Unpacked) -> Iterator[Known]:
    """The log that lies there, by its checkpoint: whoever signed it."""
    path = layout.log / "checkpoint"
    try:
        with files.translated(path):
            there = read_body(body_of(path.read_text(encoding="utf-8")))
        is_same = there.origin == backup.facts.origin
        if is_same and there.size <= backup.facts.size:
            ours = root_of(there.size, backup.store.ledger.tiles.nodes(backup.facts.size)).root()
            yield Known("The log in the data directory", there.size, is_other=ours != there.root)
        elif is_same:
            yield Known("The log in the data directory", there.size)
    except (CustosError, UnicodeDecodeError):
        return  # it is not there, or damaged: others speak for it


def _of_catalogue(layout: Layout) -> Iterator[Known]:
    """Entries that wait to be signed stand in the catalogue alone."""
    if not layout.catalogue.is_file():
        return
    database = Database(layout.catalogue)
    try:
        with database.read() as connection:
            size = connection.execute(select(tables.log_state.c.size)).scalar()
        if size is not None:
            yield Known("The catalogue in the data directory", int(size))
    except CustosError:
        return  # damaged: that may be why the backup is put back
    finally:
        database.close()


def _of_anchors(layout: Layout, backup: Unpacked) -> Iterator[Known]:
    """What authorities and witnesses have seen, as far as their answers lie there."""
    folder = layout.log / "anchors"
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in (".note", ".body")] if folder.is_dir() else []
    newest: Known | None = None
    for path in paths:
        with contextlib.suppress(CustosError, UnicodeDecodeError, OSError):
            text = path.read_text(encoding="utf-8")
            said = read_body(text if path.suffix == ".body" else body_of(text))
            if said.origin == backup.facts.origin and (newest is None or said.size > newest.size):
                newest = Known(f"The anchor log/anchors/{path.name}", said.size)
    if newest is not None:
        yield newest


@dataclass(frozen=True)
class Stray:
    """A media file that the backup's catalogue has no row of."""

    volume: Path
    relative: PurePosixPath
    header: SegmentHeader | None
    """None: it cannot be read."""
    is_growing: bool
    """It was being written, and nothing sealed it."""
    may_follow: bool
    """It lies where its stream's next segment would: the next start takes it in, or says that it cannot."""


def strays(layout: Layout, store: Store) -> Iterator[Stray]:
    """By their names, which have the item's number; only of those that are too high is the header read."""
    with store.database.read() as connection:
        heads = {row.id: row for row in connection.execute(select(tables.streams))}
    for volume in _volumes(layout):
        for path in sorted((*volume.rglob("*.mp4"), *volume.rglob(f"*.mp4{PART}"))):
            relative = PurePosixPath(path.relative_to(volume))
            head, n = heads.get(relative.parts[0]), _number(path)
            if relative.parts[0] in NO_MEDIA or n is None or (head is not None and n < head.next_n):
                continue
            following = None if head is None else segment_path(head.id, head.next_n, head.t1_us)
            is_growing = path.name.endswith(PART)
            sealed = relative.with_name(relative.name.removesuffix(PART))
            yield Stray(volume, relative, _header(path), is_growing, may_follow=sealed == following)


def _volumes(layout: Layout) -> list[Path]:
    """Where footage may lie: inside the data directory, and on the disks that are there."""
    inside = layout.media.iterdir() if layout.media.is_dir() else ()
    return [*sorted(path for path in inside if path.is_dir()), *layout.volumes.values()]


def _elsewhere(backup: Unpacked, wishes: Sequence[VolumeWish]) -> dict[str, Path]:
    """The disks of the box that are there. What lies on one that is not, is missing for now."""
    told = {one.name: one.path for one in wishes if one.path is not None}
    return of_box({**backup.store.layout.volumes, **told}, backup.facts.box)


def _number(path: Path) -> int | None:
    text = path.name.partition("-")[0]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _header(path: Path) -> SegmentHeader | None:
    try:
        with files.translated(path), path.open("rb") as stream:
            return outline(stream.read(HEADER_READ_BYTES)).header
    except (BoxesDamaged, StoreError):
        return None


# -- carrying it out


def restore(
    source: Path,
    data_dir: Path,
    clock: Clock,
    *,
    fingerprint: str | None = None,
    accepted: Accepted | None = None,
    by: str = "",
    also: Sequence[Known] = (),
    volumes: Sequence[VolumeWish] = (),
) -> RestoreReport:
    """Put a backup back.

    Args:
        source: the backup's folder.
        data_dir: where the box is to live; it may hold footage, an older or damaged copy of the box, or nothing.
        clock: the machine's.
        fingerprint: of the log's first key, from the papers.
        accepted: who takes it on himself that entries are taken back, and why; None: nobody does.
        by: who restores.
        also: what witnesses said that they know.
        volumes: where its settings say that its footage lies; what the backup knows of that counts too.

    Raises:
        WouldRollBack: more is known than the backup has, and nobody accepted it. DataDirInUse: a box runs there, or
            records to its disks.
        BackupInvalid, BackupOther, DataDirTooNew, DataDirForeign, StorageError: as they say.
    """
    # Long by its arguments; the steps are those that the module lists, and stand in one place as they do there.
    layout = Layout(data_dir.absolute())
    with _alone(layout):
        try:
            backup = unpack(source.absolute(), layout, clock, fingerprint)
            with contextlib.closing(backup.store):
                layout.volumes.update(_elsewhere(backup, volumes))
                report, aside = _weighed(layout, backup, accepted, also)
        except BaseException:
            files.remove_tree(layout.restoring)
            raise
        restored.write(layout, _told(backup, report.found, accepted or Accepted(by, ""), clock))
        place = _free_place(layout)
        moved = _retire(layout, place, keep_keys=not backup.facts.with_keys)
        for one in aside:
            files.move(one.volume / one.relative, one.volume / REPLACED / place.name / one.relative)
        _bring_in(layout)
    return replace(report, replaced=place if moved else None)


def _weighed(
    layout: Layout, backup: Unpacked, accepted: Accepted | None, also: Sequence[Known]
) -> tuple[RestoreReport, list[Stray]]:
    """What restoring would do, and what would have to be set aside.

    Raises:
        WouldRollBack, DataDirInUse: see `restore`.
    """
    _refuse_recording(layout, backup)
    found = evidence(layout, backup, also)
    if found.takes_back(backup.entries) and accepted is None:
        raise WouldRollBack(sentence(backup.entries, found))
    aside = [one for one in strays(layout, backup.store) if not one.may_follow]
    missing, has_key = _missing(layout, backup.store), _has_key(layout, backup)
    return RestoreReport(backup.facts, backup.entries, found, missing, len(aside), None, has_key), aside


def _refuse_recording(layout: Layout, backup: Unpacked) -> None:
    """Footage may lie on disks that a box with another data directory records to, the very one that the backup is of:
    who tries a backup beside it would take its footage from under it.

    Raises:
        DataDirInUse: somebody is recording there.
    """
    for stray in strays(layout, backup.store):
        if stray.is_growing and files.is_being_written(stray.volume / stray.relative):
            raise DataDirInUse(
                f"A box is recording to {stray.volume} from another data directory: stop it first; or, to try the "
                "backup beside it, do so on another machine."
            )


def _told(backup: Unpacked, found: Evidence, by: Accepted, clock: Clock) -> Restored:
    return Restored(
        restore=secrets.token_hex(8),
        backup=backup.digest,
        known=found.size(backup.entries),
        entries=backup.entries,
        segments=max(found.segments, found.before),
        who=by.who,
        why=by.why,
        at=format_us(clock.read().utc_us),
    )


@contextlib.contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Neither a box nor another restore is at work there."""
    with files.translated(layout.root):
        files.make_folders(layout.root)
        handle = files.try_lock(layout.root)
    if handle is None:
        raise DataDirInUse(f"Something else is being restored into {layout.root}: wait until that is done.")
    held = None
    try:
        if layout.box.is_file():
            held = files.lock(layout.box)
        yield
    finally:
        for one in (handle, held):
            if one is not None:
                os.close(one)


def _missing(layout: Layout, store: Store) -> int:
    query = select(tables.items.c.volume, tables.items.c.path).where(tables.items.c.state == MediaState.PRESENT.value)
    with store.database.read() as connection:
        rows = connection.execution_options(yield_per=1000).execute(query)
        return sum(1 for row in rows if not (layout.volume(row.volume) / row.path).is_file())


def _has_key(layout: Layout, backup: Unpacked) -> bool:
    present = backup.store.keys.all()[-1]
    if present.kind == "token" or backup.facts.with_keys:
        return True
    with contextlib.suppress(LogError):
        return layout.key.is_file() and load_key(layout.key).public_key() == present.key
    return False


def _free_place(layout: Layout) -> Path:
    with files.translated(layout.replaced):
        taken = {path.name for path in layout.replaced.iterdir()} if layout.replaced.is_dir() else set()
        for volume in _volumes(layout):
            aside = volume / REPLACED
            taken |= {path.name for path in aside.iterdir()} if aside.is_dir() else set()
    return layout.replaced / str(1 + max((int(name) for name in taken if name.isdecimal()), default=0))


def _retire(layout: Layout, place: Path, *, keep_keys: bool) -> bool:
    """Move away what stands there, `box.json` first; whether there was anything."""
    names = ["box.json", "running.json", "in-force.json"]
    names += [f"{layout.catalogue.name}{end}" for end in ("", "-wal", "-shm")]
    names += ["log"] if keep_keys else ["log", "keys"]
    there = [name for name in names if (layout.root / name).exists()]
    for name in there:
        files.move(layout.root / name, place / name)
    return bool(there)


def _bring_in(layout: Layout) -> None:
    """What was unpacked takes its place, `box.json` last: what makes a folder a box."""
    staged = Layout(layout.restoring)
    if layout.keys.is_dir():  # of a backup without keys: those that are here stay
        for path in sorted(staged.keys.iterdir()):
            files.write_atomically(layout.keys / path.name, _small(path))
        files.remove_tree(staged.keys)
    with files.translated(staged.root):
        others = sorted(path for path in staged.root.iterdir() if path != staged.box)
    files.sync_volume(staged.root)
    for path in others:
        files.move(path, layout.root / path.name)
    if not layout.volume_file().exists():
        datadir.write_volume(layout, datadir.read_facts(staged))
    files.move(staged.box, layout.box)
    files.remove_tree(staged.root)
