"""The store of one box: everything written down, behind one object.

Thread-safe. Every call blocks; one transaction writes at a time. What it promises is in docs/storage.md; the parts
that keep the promises are `segments` (footage), `ledger` (the log), `cameras`, `holds` and `catalogue` (questions).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import insert

from config.clock import Clock
from recorder.causes import Cause
from recorder.errors import (
    CatalogueCorrupt,
    DataDirError,
    DataDirForeign,
    DataDirMissing,
    DataDirNotEmpty,
    DataDirReadOnly,
    DataDirTooNew,
    DataDirUnwritable,
    StorageError,
)
from recorder.store import access, files, tables
from recorder.store.anchors import Anchors
from recorder.store.cameras import Cameras
from recorder.store.catalogue import Catalogue
from recorder.store.database import Database
from recorder.store.erasures import Erasures
from recorder.store.exports import Exports
from recorder.store.holds import Holds
from recorder.store.keyring import KeyRing
from recorder.store.layout import FORMAT, VOLUME, Layout
from recorder.store.ledger import Ledger
from recorder.store.log import sm2
from recorder.store.log.errors import KeyUnavailable, LeafMalformed, Sm2Error, TileMissing
from recorder.store.log.keys import fingerprint
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.log.sm3 import sm3
from recorder.store.parts import FinishedPart, PartFile, reserve_bytes
from recorder.store.proofs import Proof, Proofs
from recorder.store.records import (
    CheckpointRecord,
    Head,
    Item,
    Page,
    RecoveryReport,
    Segment,
    SegmentFacts,
    SegmentHeader,
    Signing,
    VolumeState,
    camera_of,
)
from recorder.store.rotation import Rotated, check_chain, rotate
from recorder.store.segments import (
    LEGAL_FLOOR_DAYS,
    DiscardReport,
    Leftover,
    Segments,
    holds_hash,
)
from recorder.store.sm2key import Sm2Key
from recorder.store.tiling import Stretch
from recorder.store.views import Views

LOW_SPACE_SHARE = 0.05
"""Below this share of free space a volume is `low`: there is still time to act."""


LAST_PICTURE_US = 2_000_000
"""The last picture is on the record for as long as it was to be shown, which may end a little after now."""

SHORTEST_GAP_US = 1000
"""A gap behind such a picture: shorter than this it would say nothing, and what follows must have a reason."""


@dataclass(frozen=True)
class InitReport:
    """What a new box tells its owner, once."""

    box_id: str
    origin: str
    fingerprint: str
    token: str


@dataclass(frozen=True)
class BoxFacts:
    """What `box.json` says."""

    box_id: str
    name: str
    origin: str


class Store:
    """An open data directory."""

    def __init__(
        self,
        layout: Layout,
        facts: BoxFacts,
        clock: Clock,
        zone: ZoneInfo,
        floor_days: int,
        *,
        key_url: str | None = None,
        sm: bool = False,
    ) -> None:
        """Use `Store.open`: it checks the directory and takes the lock."""
        self.layout = layout
        self.facts = facts
        self.zone = zone
        self.floor_days = floor_days
        self._clock = clock
        self._lock: int | None = None
        self._signing = threading.RLock()
        self._unsettled = False
        """Whether a private key that is over may still lie there."""
        self.database = Database(layout.catalogue)
        self.keys = KeyRing(layout, self.database, facts.origin, key_url)
        self.ledger = Ledger(self.database, clock, layout.log, facts.origin, self.keys)
        self.cameras = Cameras(layout, self.database, self.ledger, clock)
        self.holds = Holds(self.database, self.ledger, self._checkpoint_if_possible)
        self.catalogue = Catalogue(self.database)
        self.exports = Exports(self.database, self.ledger, clock, self._checkpoint_if_possible)
        self.anchors = Anchors(self.database, self.ledger, clock, layout.log / "anchors")
        self._proofs = Proofs(self.ledger, self.anchors, self.keys)
        self.views = Views(self.database, self.ledger, clock)
        self.erasures = Erasures(layout, self.database, self.ledger, clock, self._checkpoint_if_possible)
        self.sm2 = Sm2Key(layout, clock, is_on=sm)
        self._segments = Segments(
            layout, self.database, self.ledger, clock, zone, floor_days, self.checkpoint, with_sm3=sm
        )

    # -- opening and closing

    @staticmethod
    def create(data_dir: Path, name: str, clock: Clock, version: str, *, key_url: str | None = None) -> InitReport:
        """Make a new box in an empty or missing folder: identity, key, catalogue, genesis, first checkpoint.

        `key_url`: of a token (RFC 7512) in which its key is to lie; None: in a file.

        Raises:
            KeyUnavailable: the token cannot be asked.
            DataDirNotEmpty, DataDirUnwritable, DataDirReadOnly, StorageError: as they say.
        """
        with _opening(data_dir):
            if (data_dir / "box.json").exists():
                raise DataDirNotEmpty(f"There is a box in this folder already; it was left as it is. ({data_dir})")
            layout = Layout(data_dir.absolute())
            if data_dir.exists() and not _is_unused(layout):
                raise DataDirNotEmpty(f"{DataDirNotEmpty.sentence()} ({data_dir})")
            files.make_folders(data_dir.absolute())
        box_id = secrets.token_hex(8)
        facts = BoxFacts(box_id, name, f"custos/{box_id}")
        database = Database(layout.catalogue)
        keys = KeyRing(layout, database, facts.origin, key_url)
        key = keys.create().public_key()
        token = access.renew(layout)
        files.write_atomically(layout.volume_file(), _json({"volume": VOLUME, "box": box_id}))
        database.prepare()
        ledger = Ledger(database, clock, layout.log, facts.origin, keys)
        _genesis(database, ledger, clock, facts, keys, version)
        keys.close()
        database.close()
        # Last: a directory without it is not a box yet, and a crash before this line leaves none that looks like one.
        files.write_atomically(
            layout.box, _json({"format": FORMAT, "box": box_id, "origin": facts.origin, "name": name})
        )
        return InitReport(box_id, facts.origin, fingerprint(key), token)

    @staticmethod
    def open(
        data_dir: Path,
        clock: Clock,
        *,
        time_zone: str = "Asia/Shanghai",
        floor_days: int = LEGAL_FLOOR_DAYS,
        exclusive: bool = True,
        sm: bool = False,
        key_url: str | None = None,
    ) -> Store:
        """Open a box; `exclusive` takes the lock and is needed for everything that writes.

        `sm`: segments are hashed with SM3 too, and checkpoints signed with SM2 too (docs/proof.md).
        `key_url`: where its key is to lie (`[proof] key`). A token is not asked before there is something to sign.

        Raises:
            Sm3Unavailable: they cannot be.
            DataDirError: one of its kinds. CatalogueError, LogError: the index or the key is damaged.
            KeyForeign, LinkBroken: the log does not lead to the key that is here.
        """
        if sm:
            sm3()
        layout = Layout(data_dir.absolute())
        facts = _read_box(layout)
        if not layout.catalogue.exists():
            raise CatalogueCorrupt(f"The catalogue is not there ({layout.catalogue}): restore it from a backup.")
        held: int | None = None
        if exclusive:
            held = files.lock(layout.box)
            _probe_writing(layout)
        try:
            store = Store(layout, facts, clock, ZoneInfo(time_zone), floor_days, key_url=key_url, sm=sm)
            if exclusive:
                store.database.prepare()
                store._check_keys()
        except BaseException:
            if held is not None:
                os.close(held)
            raise
        store._lock = held
        return store

    def close(self) -> None:
        """Give back the catalogue, the token and the lock."""
        self.keys.close()
        self.database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def recover(self) -> RecoveryReport:
        """What a recording box does before its cameras start: finish discards, leftovers, and say it was down."""
        finished = self._segments.finish_discards()
        leftovers: list[Leftover] = []
        for camera in self.cameras.all():
            _, leftover = self._segments.resume(camera.stream_id)
            leftovers.append(leftover)
            if camera.retired_us is not None:
                self.tell_retired(camera.stream_id)
            else:
                cause = Cause.BOX_DOWN if camera.enabled else Cause.OPERATOR
                self.commit_gap_until_now(camera.stream_id, cause)
        report = RecoveryReport(
            recovered=tuple(one.recovered for one in leftovers if one.recovered),
            damaged=tuple(str(one.damaged) for one in leftovers if one.damaged),
            discards_finished=finished,
            empty=tuple(str(one.empty) for one in leftovers if one.empty),
        )
        for path in report.damaged:
            self.note("finding", {"what": "damaged", "file": Path(path).name})
        return report

    # -- identity

    @property
    def lock_descriptor(self) -> int | None:
        """The lock of the data directory, to be held by processes that write to it too; None: it is not held."""
        return self._lock

    @property
    def box_id(self) -> str:
        """This installation."""
        return self.facts.box_id

    @property
    def origin(self) -> str:
        """The name of the log, as its checkpoints carry it."""
        return self.facts.origin

    @property
    def public_key(self) -> Ed25519PublicKey:
        """The key of the log that is in force."""
        return self.keys.all()[-1].key

    @property
    def fingerprint(self) -> str:
        """Of the key that is in force."""
        return fingerprint(self.public_key)

    @property
    def first_fingerprint(self) -> str:
        """Of the log's first key: what the acceptance report carries, and what stays good whatever key follows."""
        return fingerprint(self.keys.all()[0].key)

    def token_matches(self, token: str) -> bool:
        """Whether this is the access token."""
        return access.matches(self.layout, token)

    def renew_token(self) -> str:
        """A new access token; the old one ends."""
        return access.renew(self.layout)

    # -- recording (`StreamBook`)

    def head(self, stream_id: str) -> Head:
        """Where a stream's chain stands."""
        return self._segments.head(stream_id)

    def resume(self, stream_id: str) -> Head:
        """Finish what a failed run left; call before every run."""
        head, leftover = self._segments.resume(stream_id)
        if leftover.damaged is not None:
            self.note("finding", {"what": "damaged", "file": leftover.damaged.name})
        return head

    def begin(self, header: SegmentHeader) -> PartFile:
        """Create the file of the stream's next segment."""
        return self._segments.begin(header)

    def commit_segment(self, part: PartFile, facts: SegmentFacts) -> Head:
        """Seal a finished part file and write it down."""
        return self.commit_finished(part.finish(), facts)

    def commit_finished(self, part: FinishedPart, facts: SegmentFacts) -> Head:
        """The same for a part file that another process wrote."""
        return self._segments.commit_segment(part, facts)

    def commit_gap(self, stream_id: str, t1_us: int, cause: Cause, detail: str = "") -> Head:
        """Write down why nothing was recorded until `t1_us`."""
        return self._segments.commit_gap(stream_id, t1_us, cause, detail)

    def commit_gap_until_now(self, stream_id: str, cause: Cause, detail: str = "") -> Head:
        """A gap up to this moment; a clock that stands earlier than the record is a `clock_step`, whatever else was.

        What a run left that could not seal it comes first: it has its place at the head, and would be lost behind it.
        """
        end_us = self.resume(stream_id).t1_us
        now_us = self._clock.read().utc_us
        if now_us < end_us - LAST_PICTURE_US:
            return self.commit_gap(stream_id, now_us, Cause.CLOCK_STEP, f"was {cause.value}; the clock was set back")
        return self.commit_gap(stream_id, max(now_us, end_us + SHORTEST_GAP_US), cause, detail)

    def tell_retired(self, stream_id: str) -> None:
        """The last item of a retired camera's stream says that it was retired; told once."""
        if self.catalogue.last_cause(stream_id) is not Cause.RETIRED:
            self.commit_gap_until_now(stream_id, Cause.RETIRED)

    def keep_description(self, camera_id: str, description: bytes) -> None:
        """What a camera said of itself (SDP) when it was last connected to."""
        self.cameras.describe(camera_id, description)

    def sync(self) -> float:
        """Make everything written so far durable; how many seconds that took."""
        started = time.monotonic()
        files.sync_volume(self.layout.volume())
        return time.monotonic() - started

    # -- the log

    def note(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Append a leaf of its own (`boot`, `cfg`, `clock`, `audit`, `finding`); its index."""
        with self.database.write() as connection:
            return self.ledger.append(connection, kind, fields).index

    def checkpoint(self) -> CheckpointRecord:
        """Append a beat and sign the tree that it closes; with the SM2 key too, where there is one that can.

        The beat says whether it is: an SM2 key that fails costs a second beat, which says no more of it, and never
        the signature that everything rests on.
        """
        with files.translated(self.layout.root):
            free_bytes = shutil.disk_usage(self.layout.root).free
        public = self._sm2_ready()
        try:
            with self._signing:
                record = self._signed(free_bytes, public)
                if self._unsettled:
                    self._unsettled = not self.keys.settle()
        finally:
            self.erasures.finish()  # a token that is away keeps signatures waiting, and no erased name
        return record

    def _signed(self, free_bytes: int, sm2_public: str | None) -> CheckpointRecord:
        if sm2_public is not None:
            with contextlib.suppress(Sm2Error):
                return self._sign(free_bytes, sm2_public)
        return self._sign(free_bytes, None)

    def _sm2_ready(self) -> str | None:
        if not self.sm2.is_on:
            return None
        with self.database.read() as connection:
            bound = self.ledger.state(connection).sm2_public
        return self.sm2.ready(bound)

    def _sign(self, free_bytes: int, sm2_public: str | None) -> CheckpointRecord:
        with self.database.write() as connection:
            facts = {"holds": holds_hash(connection), "floor_days": self.floor_days, "free_bytes": free_bytes}
            if sm2_public is not None:
                self.ledger.bind_sm2(connection, sm2_public)
                facts["sm2"] = sm2.fingerprint(sm2_public)
            beat = self.ledger.beat(connection, facts)
        if sm2_public is None:
            return self.ledger.sign(beat.index + 1)
        return self.ledger.sign(beat.index + 1, lambda text: self.sm2.line(self.origin, sm2_public, text))

    def _checkpoint_if_possible(self) -> None:
        """What was appended stands already, and is signed as soon as there is a key: who asked must not ask again."""
        with contextlib.suppress(KeyUnavailable):  # the beat, which fails likewise, says so each minute
            self.checkpoint()

    def rotate_key(self) -> Rotated:
        """Put a new key in force, where the settings say; see `rotation`.

        Raises:
            KeyInForce, KeyUnavailable, StorageError, CatalogueError: as they say.
        """
        with self._signing:
            self._unsettled = True
            return rotate(self.database, self.ledger, self.keys, self.origin, self.checkpoint)

    def _check_keys(self) -> None:
        """The log leads to the key that is here; what an earlier run left of a rotation is finished or undone.

        A log that cannot be read keeps nobody from recording: `fsck` speaks of it.
        """
        with self.database.read() as connection:
            known = self.keys.keys(connection)
            with contextlib.suppress(LeafMalformed, TileMissing):
                check_chain(self.ledger, connection, self.origin, known)
            if known[-1].kind == "file":
                self.keys.signer(connection)
        try:
            self._unsettled = not self.keys.settle()
        except StorageError:  # behind the next checkpoint, then; opening works on a disk that takes nothing
            self._unsettled = True

    def latest_checkpoint(self) -> CheckpointRecord | None:
        """The newest signed tree."""
        with self.database.read() as connection:
            return self.ledger.state(connection).checkpoint

    def checkpoint_text(self) -> str:
        """The signed note as it lies on the disk."""
        with files.translated(self.ledger.checkpoint_path):
            return self.ledger.checkpoint_path.read_text(encoding="utf-8")

    def root_at(self, size: int) -> bytes:
        """The root over the first `size` stored entries (RFC 6962, 2.1), made anew from the tiles.

        Raises:
            TileMissing: a part of the log is not there.
        """
        return self.ledger.tiles.frontier(size).root()

    def tile(self, path: str) -> bytes | None:
        """A tile or entry bundle by its C2SP path; None where there is none."""
        return self.ledger.tiles.serve(path)

    def proof(self, stream_id: str, first_n: int, last_n: int) -> Proof:
        """What the log proves of these items, both included, and of what lies around them."""
        with self.database.read() as connection:
            return self._proofs.of(connection, stream_id, first_n, last_n)

    def consistency(self, old: int, note: str) -> tuple[bytes, ...]:
        """That the log of that size goes on to this checkpoint of ours (RFC 6962, 2.1.2)."""
        return self._proofs.consistency(old, self.keys.opened(note))

    def sign(self, text: bytes, by: Ed25519PublicKey) -> bytes:
        """The box's signature (Ed25519, 64 bytes) on the list of what it hands out, with the key that it names.

        No such list is a checkpoint: its lines begin with 64 hex digits and two spaces, and it has no empty line.

        Raises:
            KeyReplaced: that key is not in force any more. KeyUnavailable: the token cannot be asked.
        """
        return self.ledger.sign_text(text, by)

    @property
    def sm2_public(self) -> str | None:
        """The SM2 key that the log binds, as its leaf has it; None: none was ever made."""
        with self.database.read() as connection:
            return self.ledger.state(connection).sm2_public

    @property
    def log_size(self) -> int:
        """Leaves appended so far, signed or not."""
        with self.database.read() as connection:
            return self.ledger.state(connection).size

    def leaves(self, start: int, end: int) -> Iterator[tuple[int, Leaf]]:
        """Leaves by index, in order."""
        with self.database.read() as connection:
            for index, body in self.ledger.bodies(connection, start, end):
                yield index, decode_leaf(body)

    def elapsed_us(self) -> int:
        """Box time now (docs/time.md)."""
        with self.database.read() as connection:
            return self.ledger.elapsed_us(connection)

    # -- asking

    def segment(self, segment_id: str) -> Segment:
        """One segment."""
        return self.catalogue.segment(segment_id)

    def media_path(self, segment: Segment) -> Path:
        """Where a segment's file lies."""
        return self.layout.volume(segment.volume) / segment.path

    def page(self, stream_id: str, start_us: int, end_us: int, limit: int, after_n: int | None = None) -> Page:
        """A page of segments."""
        self.cameras.get(camera_of(stream_id))
        return self.catalogue.page(stream_id, start_us, end_us, limit, after_n)

    def items(self, stream_id: str, start_us: int, end_us: int) -> list[Item]:
        """Segments and gaps of an interval."""
        return self.catalogue.items(stream_id, start_us, end_us)

    def ends_us(self, stream_id: str) -> int:
        """How far a stream's record reaches: further than its newest item, where the clock was set back."""
        return self.catalogue.ends_us(stream_id)

    def numbered(self, stream_id: str, first_n: int, last_n: int) -> list[Item]:
        """Items by their numbers, both included."""
        return self.catalogue.numbered(stream_id, first_n, last_n)

    def coverage(self, stream_id: str, start_us: int, end_us: int) -> list[Stretch]:
        """Stretches that tile the interval."""
        self.cameras.get(camera_of(stream_id))
        return self.catalogue.coverage(stream_id, start_us, end_us)

    def candidates(self, before_us: int, limit: int, after: tuple[int, str, int] | None = None) -> list[Segment]:
        """The oldest media still here."""
        return self.catalogue.candidates(before_us, limit, after)

    def oldest_present_us(self, stream_id: str) -> int | None:
        """Where the oldest media still here of a stream starts."""
        return self.catalogue.oldest_present_us(stream_id)

    def bytes_between(self, stream_id: str, start_us: int, end_us: int) -> int:
        """Bytes recorded in an interval."""
        return self.catalogue.bytes_between(stream_id, start_us, end_us)

    def signing(self, stream_id: str) -> Signing | None:
        """How it stands with the signatures of a stream's camera."""
        return self.catalogue.signing(stream_id)

    def gap_seconds(self, stream_id: str) -> dict[Cause, float]:
        """Seconds not recorded, by cause."""
        return self.catalogue.gap_seconds(stream_id)

    def volumes(self) -> list[VolumeState]:
        """The volumes, as the kernel tells them."""
        root = self.layout.volume()
        try:
            usage = os.statvfs(root)
        except OSError as err:
            state = "io_error" if err.errno == errno.EIO else "missing"
            return [VolumeState(VOLUME, str(root), 0, 0, state)]
        free_bytes, total_bytes = usage.f_bavail * usage.f_frsize, usage.f_blocks * usage.f_frsize
        return [VolumeState(VOLUME, str(root), free_bytes, total_bytes, _volume_state(usage, free_bytes, total_bytes))]

    # -- keeping

    def discard(self, segment_ids: Sequence[str], rule: str) -> DiscardReport:
        """Remove media: the one function that does, twice guarded."""
        return self._segments.discard(segment_ids, rule)

    def finish_discards(self) -> tuple[str, ...]:
        """Finish what a crash or a failing disk left half discarded."""
        return self._segments.finish_discards()


def _volume_state(usage: os.statvfs_result, free_bytes: int, total_bytes: int) -> str:
    if usage.f_flag & os.ST_RDONLY:
        return "read_only"
    if free_bytes < reserve_bytes(total_bytes):
        return "full"
    return "low" if free_bytes < total_bytes * LOW_SPACE_SHARE else "ok"


def _genesis(database: Database, ledger: Ledger, clock: Clock, facts: BoxFacts, keys: KeyRing, version: str) -> None:
    key = keys.all()[-1].key
    with database.write() as connection:
        start = {"id": 1, "size": 0, "elapsed_us": 0, "boot": clock.boot_id(), "mono_us": clock.read().mono_us}
        signed = {"checkpoint_size": 0, "checkpoint_root": "", "checkpoint_us": 0}
        connection.execute(insert(tables.log_state).values(**start, **signed))
        ledger.append(
            connection,
            "genesis",
            {"box": facts.box_id, "origin": facts.origin, "key": fingerprint(key), "program": version},
        )
        keys.remember(connection, 0, 0, key)
        beat = ledger.beat(connection, {"holds": holds_hash(connection)})
    ledger.sign(beat.index + 1)


def _read_box(layout: Layout) -> BoxFacts:
    with _opening(layout.root):
        if not layout.root.is_dir():
            raise DataDirMissing(f"{DataDirMissing.sentence()} ({layout.root})")
        if not layout.box.exists():
            kind = DataDirMissing if _is_unused(layout) else DataDirForeign
            raise kind(f"{kind.sentence()} ({layout.root})")
        text = layout.box.read_bytes()
    try:
        found = json.loads(text)
        version, facts = int(found["format"]), BoxFacts(str(found["box"]), str(found["name"]), str(found["origin"]))
    except (ValueError, KeyError, TypeError) as err:
        raise DataDirForeign(f"{layout.box} cannot be read as a box's identity.") from err
    if version > FORMAT:
        raise DataDirTooNew
    return facts


def _is_unused(layout: Layout) -> bool:
    """Nothing lies there, but what an attempt to make a box may have written down of a PIN that was refused."""
    return all(
        path == layout.keys and [*path.iterdir()] == [layout.refused_pin] for path in sorted(layout.root.iterdir())
    )


def _probe_writing(layout: Layout) -> None:
    """Find out at start whether writing works, rather than at the first segment."""
    with _opening(layout.root):
        probe = layout.root / ".writable"
        probe.touch()
        probe.unlink()


class _opening:  # noqa: N801 - reads as a statement
    """While a data directory is opened: `EACCES` and `EROFS` are about the directory, the rest about the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, err: BaseException | None, trace: object) -> None:
        error = err.__cause__ if isinstance(err, StorageError) else err
        if not isinstance(error, OSError):
            return
        ours: type[DataDirError] = DataDirError
        if error.errno in (errno.EACCES, errno.EPERM):
            ours = DataDirUnwritable
        elif error.errno == errno.EROFS:
            ours = DataDirReadOnly
        elif error.errno == errno.ENOSPC:
            return  # opening works on a full disk: what is there must stay readable
        raise ours(f"{ours.sentence()} ({self._path}: {error.strerror})") from err


def _json(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()
