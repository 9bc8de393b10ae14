"""The store of one box: everything written down, behind one object.

Thread-safe. Every call blocks; one transaction writes at a time. What it promises is in docs/storage.md; the parts
that keep the promises are `segments` (footage), `ledger` (the log), `checkpoints` (its signing), `cameras`, `holds` and
`catalogue` (questions); `making` makes a box, and `datadir` knows whether a folder is one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.clock import Clock
from config.keeping import AS_THE_LAW, Defaults
from config.volumes import VolumeWish
from recorder.causes import Cause
from recorder.errors import CatalogueCorrupt, CatalogueError, DataDirTooNew, StorageError, StorageFailed
from recorder.store import access, datadir, files, restored
from recorder.store.anchors import Anchors
from recorder.store.cameras import Cameras
from recorder.store.catalogue import Catalogue
from recorder.store.checkpoints import Checkpoints
from recorder.store.codes import DEFAULT_NAMES, ReleaseCodes
from recorder.store.database import Database
from recorder.store.datadir import BoxFacts
from recorder.store.erasures import Erasures
from recorder.store.exports import Exports
from recorder.store.held import HeldMediaStore
from recorder.store.holds import Holds
from recorder.store.keeping import Rule
from recorder.store.keyring import KeyRing
from recorder.store.layout import Layout
from recorder.store.ledger import Ledger
from recorder.store.log.errors import LeafMalformed, LeafUnknown, TileMissing
from recorder.store.log.keys import fingerprint
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.log.sm3 import sm3
from recorder.store.making import InitReport, make
from recorder.store.overwriting import Overwrite, Overwriting
from recorder.store.parts import FinishedPart, PartFile
from recorder.store.places import Place
from recorder.store.proofs import Proof, Proofs
from recorder.store.receipts import Receipts
from recorder.store.records import (
    Camera,
    CheckpointRecord,
    GapSum,
    Head,
    Item,
    Page,
    Reach,
    ReceiptSpan,
    Recorded,
    RecoveryReport,
    Sample,
    Segment,
    SegmentFacts,
    SegmentHeader,
    Signing,
    Stock,
    VolumeState,
    camera_of,
)
from recorder.store.rotation import Rotated
from recorder.store.scrubs import Scrubs
from recorder.store.segments import DiscardReport, Finished, GapWish, Leftover, Segments
from recorder.store.sm2key import Sm2Key
from recorder.store.tiling import Stretch
from recorder.store.views import Views
from recorder.store.volumes import Volumes

LAST_PICTURE_US = 2_000_000
"""The last picture is on the record for as long as it was to be shown, which may end a little after now."""

SHORTEST_GAP_US = 1000
"""A gap behind such a picture: shorter than this it would say nothing, and what follows must have a reason."""

NEWEST_ENTRIES = 1024
"""Looked at when a box is opened, in a few hundredths of a second: a day of a quiet box, ten minutes of a large one."""


log = structlog.get_logger("store")


class Store:
    """An open data directory."""

    def __init__(
        self,
        layout: Layout,
        facts: BoxFacts,
        clock: Clock,
        zone: ZoneInfo,
        keeping: Defaults,
        *,
        key_url: str | None = None,
        sm: bool = False,
        volumes: Sequence[VolumeWish] = (),
    ) -> None:
        """Use `Store.open`: it checks the directory and takes the lock."""
        # As long as the store has parts: each is made of those before it, and is seen to be.
        self.layout = layout
        self.facts = facts
        self.zone = zone
        self.keeping = keeping
        """How footage is kept of which nothing else is said."""
        self._clock = clock
        self._lock: int | None = None
        self.database = Database(layout.catalogue)
        self.keys = KeyRing(layout, self.database, facts.origin, key_url)
        self.ledger = Ledger(self.database, clock, layout.log, facts.origin, self.keys)
        self.sm2 = Sm2Key(layout, clock, is_on=sm)
        self._checkpoints = Checkpoints(
            layout,
            self.database,
            self.ledger,
            self.keys,
            self.sm2,
            facts.origin,
            keeping.floor_days,
            self._finish_erasures,
        )
        signed_if_possible = self._checkpoints.sign_if_possible
        self.cameras = Cameras(layout, self.database, self.ledger, clock, keeping)
        codes = ReleaseCodes(layout, self.database, self.ledger)
        self.holds = Holds(self.database, self.ledger, signed_if_possible, codes)
        self.disks = Volumes(layout, self.database, self.ledger, clock, facts.box_id, volumes)
        self.held = HeldMediaStore(layout, self.database, self.ledger, self.disks)
        self.catalogue = Catalogue(self.database)
        self.exports = Exports(self.database, self.ledger, clock, signed_if_possible)
        self.anchors = Anchors(self.database, self.ledger, clock, layout.log / "anchors")
        self._proofs = Proofs(self.ledger, self.anchors, self.keys)
        self.scrubs = Scrubs(layout, self.database, self.ledger, clock, self.disks)
        self.views = Views(self.database, self.ledger, clock)
        self.receipts = Receipts(self.database, self.ledger)
        self.erasures = Erasures(layout, self.database, self.ledger, clock, signed_if_possible)
        self.overwriting = Overwriting(self.database, self.ledger)
        self._segments = self._made_segments(with_sm3=sm)

    def _made_segments(self, *, with_sm3: bool) -> Segments:
        return Segments(
            self.layout,
            self.database,
            self.ledger,
            self._clock,
            self.zone,
            self.keeping.floor_days,
            self._checkpoints.sign,
            self.disks,
            self.cameras.pin,
            self.held,
            with_sm3=with_sm3,
        )

    # -- opening and closing

    @staticmethod
    def create(
        data_dir: Path,
        name: str,
        clock: Clock,
        version: str,
        *,
        key_url: str | None = None,
        holders: Sequence[str] = DEFAULT_NAMES,
    ) -> InitReport:
        """Make a new box in an empty or missing folder: identity, key, codes, catalogue, genesis, first checkpoint.

        `key_url`: of a token (RFC 7512) in which its key is to lie; None: in a file. `holders`: who holds the release
        codes.

        Raises:
            HolderInvalid: those are not two names.
            KeyUnavailable: the token cannot be asked.
            DataDirNotEmpty, DataDirUnwritable, DataDirReadOnly, StorageError: as they say.
        """
        return make(data_dir, name, clock, version, key_url, holders)

    @staticmethod
    def open(
        data_dir: Path,
        clock: Clock,
        *,
        time_zone: str = "Asia/Shanghai",
        keeping: Defaults = AS_THE_LAW,
        exclusive: bool = True,
        sm: bool = False,
        key_url: str | None = None,
        volumes: Sequence[VolumeWish] = (),
    ) -> Store:
        """Open a box; `exclusive` takes the lock and is needed for everything that writes.

        `keeping`: how footage is kept of which nothing else is said; in force with `Cameras.bring_rules_in_force`.
        `sm`: segments are hashed with SM3 too, and checkpoints signed with SM2 too (docs/proof.md).
        `key_url`: where its key is to lie (`[proof] key`). A token is not asked before there is something to sign.
        `volumes`: where new footage may go; none: into the data directory. Those that are new are made by `tend`.

        Raises:
            Sm3Unavailable: they cannot be.
            DataDirError: one of its kinds. CatalogueError, LogError: the index or the key is damaged.
            KeyForeign, LinkBroken: the log does not lead to the key that is here.
        """
        # Half of it tells what is asked for; the rest is one order of steps, of which all that follow the lock give it
        # back where they fail.
        if sm:
            sm3()
        layout = Layout(data_dir.absolute())
        facts = datadir.read_facts(layout)
        if not layout.catalogue.exists():
            raise CatalogueCorrupt(
                f"The catalogue is not there ({layout.catalogue}): restore it from a backup, or make it anew with "
                "`custos fsck --rebuild`."
            )
        held = files.lock(layout.box) if exclusive else None
        try:
            if exclusive:
                datadir.probe_writing(layout)
            store = Store(layout, facts, clock, ZoneInfo(time_zone), keeping, key_url=key_url, sm=sm, volumes=volumes)
            if exclusive:
                store.database.prepare()
                store._checkpoints.begin()
                store._must_know_entries()
                with contextlib.suppress(StorageError):  # then `recover` says it, before anything is recorded
                    restored.tell(store.layout, store.database, store.ledger)
            else:
                store.database.must_be_of_today()
            # A catalogue that an older program has left knows of no volumes, and may be read all the same.
            with contextlib.nullcontext() if exclusive else contextlib.suppress(CatalogueError):
                store.disks.read()
        except BaseException:
            if held is not None:
                os.close(held)
            raise
        store._lock = held
        return store

    def _must_know_entries(self) -> None:
        """What a newer version wrote last stands at the end of the log. What is damaged there `fsck` speaks of.

        Raises:
            DataDirTooNew: an entry is of a kind that this version does not know.
        """
        with contextlib.suppress(TileMissing, StorageError):
            try:
                size = self.log_size
                for _ in self.leaves(max(0, size - NEWEST_ENTRIES), size):
                    pass
            except LeafUnknown as err:
                raise DataDirTooNew(f"{DataDirTooNew.sentence()} ({err})") from err
            except LeafMalformed:
                return

    def close(self) -> None:
        """Give back the catalogue, the token and the lock."""
        self.keys.close()
        self.database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def recover(self) -> RecoveryReport:
        """What a recording box does before its cameras start: finish discards, leftovers, and say it was down.

        Where a backup was put back, that is said before anything else.
        """
        restored.tell(self.layout, self.database, self.ledger)
        self.disks.look_around()
        self.disks.make()
        finished = self._segments.finish_discards()  # what is stuck the sweep tells, and tries again
        leftovers: list[Leftover] = []
        gaps: list[GapWish] = []
        for camera in self.cameras.all():
            try:
                leftover, gap = self._recover(camera)
            except StorageFailed as err:  # costs this camera alone: its sessions and the next start try again
                log.warning("what a camera left cannot be finished yet", camera=camera.id, code=err.code, why=str(err))
                continue
            leftovers.append(leftover)
            gaps += [] if gap is None else [gap]
        self._segments.commit_gaps(gaps)
        self.held.link_heads()
        report = RecoveryReport(
            recovered=tuple(one.recovered for one in leftovers if one.recovered),
            damaged=tuple(str(one.damaged) for one in leftovers if one.damaged),
            discards_finished=finished.discarded,
            empty=tuple(str(one.empty) for one in leftovers if one.empty),
        )
        for path in report.damaged:
            self.note("finding", {"what": "damaged", "file": Path(path).name})
        return report

    def _recover(self, camera: Camera) -> tuple[Leftover, GapWish | None]:
        """Finish what was being written of one camera; and the gap that says why there is nothing behind it."""
        head, leftover = self._segments.resume(camera.stream_id)
        if leftover != Leftover():  # behind it another may lie, on another volume
            head = self.resume(camera.stream_id)
        if camera.retired_us is not None:
            self.cameras.forget_password(camera.id)
            is_told = self.catalogue.last_cause(camera.stream_id) is Cause.RETIRED
            return leftover, None if is_told else self._until_now(head, Cause.RETIRED)
        cause = Cause.BOX_DOWN if camera.enabled else Cause.OPERATOR
        detail = "" if leftover.damaged is None else f"damaged; the whole file is kept as {leftover.damaged.name}"
        return leftover, self._until_now(head, cause, detail)

    # -- identity

    def must_answer(self) -> None:
        """A transaction that writes can be begun and ended: nothing holds the store for good.

        A disk that takes no writes, or a damaged catalogue, is an answer: it has a name, is told in the status, and
        would be there after a start too. Hangs for as long as whoever writes hangs.

        Raises:
            CatalogueError: somebody else keeps the catalogue to himself.
        """
        with contextlib.suppress(StorageError, CatalogueCorrupt), self.database.write() as connection:
            self.ledger.state(connection)

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
        wish = self._until_now(self.resume(stream_id), cause, detail)
        return self.commit_gap(stream_id, wish.t1_us, wish.cause, wish.detail)

    def _until_now(self, head: Head, cause: Cause, detail: str = "") -> GapWish:
        now_us = self._clock.read().utc_us
        if now_us < head.t1_us - LAST_PICTURE_US:
            said = f"was {cause.value}; the clock was set back"
            return GapWish(head.stream_id, now_us, Cause.CLOCK_STEP, said)
        return GapWish(head.stream_id, max(now_us, head.t1_us + SHORTEST_GAP_US), cause, detail)

    def tell_retired(self, stream_id: str) -> None:
        """The last item of a retired camera's stream says that it was retired; told once."""
        if self.catalogue.last_cause(stream_id) is not Cause.RETIRED:
            self.commit_gap_until_now(stream_id, Cause.RETIRED)

    def keep_description(self, camera_id: str, description: bytes) -> None:
        """What a camera said of itself (SDP) when it was last connected to."""
        self.cameras.describe(camera_id, description)

    def sync(self) -> float:
        """Make everything written so far durable, on every volume that is there; how many seconds that took.

        Raises:
            StorageError: of one that did not do it; the others have. VolumeSilent: it has not done it yet.
        """
        started = time.monotonic()
        self.disks.sync()
        return time.monotonic() - started

    # -- the log

    def note(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Append a leaf of its own (`boot`, `cfg`, `clock`, `audit`, `finding`); its index."""
        with self.database.write() as connection:
            return self.ledger.append(connection, kind, fields).index

    def checkpoint(self) -> CheckpointRecord:
        """Append a beat and sign the tree that it closes; with the SM2 key too, where there is one that can."""
        return self._checkpoints.sign()

    def rotate_key(self) -> Rotated:
        """Put a new key in force, where the settings say; see `rotation`.

        Raises:
            KeyInForce, KeyUnavailable, StorageError, CatalogueError: as they say.
        """
        return self._checkpoints.rotate()

    def _finish_erasures(self) -> None:
        """Behind each checkpoint, signed or not: a token that is away keeps signatures waiting, and no erased name."""
        self.erasures.finish()

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

    def refuse_away(self, segments: Iterable[Segment]) -> None:
        """Whether the disks that segments lie on are there: a file that is not to be seen may be no less kept.

        Raises:
            VolumeMissing, VolumeForeign: one is not.
        """
        for name in sorted({one.volume for one in segments}):
            self.disks.refuse_away(name)

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

    def candidates(
        self, stream_id: str, before_us: int, entries: range, limit: int, after: tuple[int, int] | None = None
    ) -> list[Segment]:
        """The oldest media of a stream still here."""
        return self.catalogue.candidates(stream_id, before_us, entries, limit, after)

    def undated(
        self,
        stream_id: str,
        now_us: int,
        before_elapsed_us: int,
        entries: range,
        limit: int,
        after: tuple[int, int] | None = None,
    ) -> list[Segment]:
        """Likewise media that by the wall clock is still to come."""
        return self.catalogue.undated(stream_id, now_us, before_elapsed_us, entries, limit, after)

    def oldest_present_us(self, stream_id: str) -> int | None:
        """Where the oldest media still here of a stream starts."""
        return self.catalogue.oldest_present_us(stream_id)

    def bytes_between(self, stream_id: str, start_us: int, end_us: int) -> int:
        """Bytes recorded in an interval."""
        return self.catalogue.bytes_between(stream_id, start_us, end_us)

    def recorded(self, stream_id: str, start_us: int, end_us: int, sample: Sample | None = None) -> Recorded:
        """What was recorded in an interval, or in a sample of it."""
        return self.catalogue.recorded(stream_id, start_us, end_us, sample)

    def hourly(self, stream_id: str, start_us: int, end_us: int) -> dict[int, Recorded]:
        """The same by the hour."""
        return self.catalogue.hourly(stream_id, start_us, end_us)

    def present_bytes(self, stream_id: str, start_us: int, end_us: int) -> int:
        """Bytes still here of an interval."""
        return self.catalogue.present_bytes(stream_id, start_us, end_us)

    def reach(self, stream_id: str, from_us: int, held: Sequence[tuple[int, int]] = ()) -> Reach | None:
        """How far back footage reaches without a hole."""
        return self.catalogue.reach(stream_id, from_us, held)

    def stock(self, stream_id: str, start_us: int, end_us: int) -> Stock:
        """How much of an interval is here, and how much went."""
        return self.catalogue.stock(stream_id, start_us, end_us)

    def announced(self, stream_id: str, start_us: int, end_us: int, limit: int) -> list[ReceiptSpan]:
        """The entries that announced what of an interval went."""
        return self.catalogue.announced(stream_id, start_us, end_us, limit)

    def due(
        self,
        stream_id: str,
        start_us: int,
        end_us: int,
        before_us: int,
        entries: range,
        without: Sequence[tuple[int, int]] = (),
    ) -> Stock:
        """How much of an interval is here and ended before an instant, and lies outside some others."""
        return self.catalogue.due(stream_id, start_us, end_us, before_us, entries, without)

    def signing(self, stream_id: str) -> Signing | None:
        """How it stands with the signatures of a stream's camera."""
        return self.catalogue.signing(stream_id)

    def gap_seconds(self, stream_id: str, behind: GapSum | None = None) -> GapSum:
        """What was not recorded, by cause; of `behind`, what this answered before, only what came since is read."""
        return self.catalogue.gap_seconds(stream_id, behind)

    def volumes(self) -> list[VolumeState]:
        """The volumes, as the kernel tells them."""
        return self.disks.states()

    def places(self, camera_id: str) -> list[Place]:
        """Where the next segment of a camera may go, the best first."""
        return self.disks.places(self.cameras.pin(camera_id))

    def volume_failed(self, name: str, error: StorageError) -> None:
        """A process that writes was told by a volume that it cannot."""
        self.disks.failed(name, error)

    def tend(self) -> None:
        """Make volumes that are new, and put away what was left behind on those that are back.

        Raises:
            StorageError, CatalogueError: the rest is tried again.
        """
        self.disks.make()
        for path in self._segments.tidy():
            self.note("finding", {"what": "left_behind", "file": path.name})

    def left_behind(self) -> dict[str, int]:
        """How many segments may lie unfinished on volumes that failed or are away."""
        return self._segments.left_behind()

    # -- keeping

    def discard(
        self,
        segment_ids: Sequence[str],
        rule: str,
        overwrite: Overwrite | None = None,
        planned_by: Mapping[str, Sequence[Rule]] | None = None,
    ) -> DiscardReport:
        """Remove media: the one function that does, twice guarded."""
        return self._segments.discard(segment_ids, rule, overwrite, planned_by)

    def oldest_on(self, volume: str, limit: int, after: tuple[int, str, int] | None = None) -> list[Segment]:
        """The oldest media still here on a volume."""
        return self.catalogue.oldest_on(volume, limit, after)

    def finish_discards(self, later: Collection[str] = ()) -> Finished:
        """Finish what a crash or a failing disk left half discarded, but for those."""
        return self._segments.finish_discards(later)
