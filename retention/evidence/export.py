"""Writes an evidence package: what was recorded, what the log proves of it, and how to check both without us."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Protocol, Self

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.clock import Clock
from config.times import format_us
from recorder.errors import Refused, StorageError
from recorder.store import files
from recorder.store.anchors import file_name
from recorder.store.hashing import sha256_of
from recorder.store.keeping import least_floor
from recorder.store.log.keys import fingerprint, public_pem
from recorder.store.log.leaves import decode_leaf
from recorder.store.proofs import Proof, ProvenAnchor
from recorder.store.records import Item, MediaState, Segment, stream_of
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.handing import keep_list
from retention.evidence.package import Claim
from retention.evidence.timestamp import AuthorityError
from retention.evidence.verification import heads_text

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, before each piece; whatever it raises ends the export."""

log = structlog.get_logger("exports")

PART = ".part"
"""A copy that is not whole yet."""


class NothingToExport(Refused):
    """The record does not reach over that interval."""

    code = "nothing_to_export"


class PackageExists(Refused):
    """There is something in that folder already; it was left as it is."""

    code = "package_exists"


class Stamper(Protocol):
    """Has texts stamped by an authority (RFC 3161)."""

    def certificates(self) -> bytes | None:
        """By which its stamps are believed (PEM); None: there is no authority.

        Raises:
            StorageError: they cannot be read.
        """
        ...

    def stamp(self, text: bytes) -> bytes:
        """The stamp (DER).

        Raises:
            AuthorityError, StorageError: none could be had.
        """
        ...


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for."""

    camera_id: str
    start_us: int
    end_us: int
    case: str


@dataclass(frozen=True)
class Exported:
    """What was written."""

    folder: Path
    segments: int
    bytes: int
    gone: int
    """Segments of the interval whose media was discarded before."""
    altered: tuple[str, ...]
    """Segments whose files are not what was recorded: the package says so too."""


def export(
    store: Store,
    wanted: Wanted,
    folder: Path,
    clock: Clock,
    program: str,
    progress: Progress = lambda done, total: None,
    *,
    stamper: Stamper | None = None,
    resume: bool = False,
) -> Exported:
    """Write the package of an interval, and one segment either side of it, into a new folder.

    `resume`: an attempt before left its copies there; those that are whole are kept.

    Raises:
        NothingToExport, PackageExists: as they say. StorageError: it cannot be read or written.
        KeyUnavailable, KeyReplaced: it could not be signed with the key that it holds.
    """
    stream_id = checked(store, wanted.camera_id, wanted.start_us, wanted.end_us)
    numbers = _numbers(store, stream_id, wanted)
    store.checkpoint()
    items = store.numbered(stream_id, *numbers)  # before the proof: what is discarded meanwhile has its receipt there
    proof = store.proof(stream_id, *numbers)
    with files.translated(folder):
        if not resume and folder.exists() and any(folder.iterdir()):
            raise PackageExists(f"{PackageExists.sentence()} ({folder})")
    media = [one for one in items if isinstance(one, Segment)]
    present = [one for one in media if one.state is MediaState.PRESENT]
    with _Writing(folder) as writing:
        altered = _media(store, present, writing, progress)
        claim = _claim(store, wanted, fingerprint(proof.keys[-1]), items, clock, program)
        _texts(store, claim, proof, [one for one in present if media_name(one) in writing.digests], writing)
        _close(store, claim, proof.keys[-1], stamper, writing)
    keep_list(folder, writing.crc32s)
    size = sum(one.bytes for one in present)
    return Exported(folder, len(present), size, len(media) - len(present), altered)


def checked(store: Store, camera_id: str, start_us: int, end_us: int) -> str:
    """The stream of a camera, whose record reaches over the interval.

    Raises:
        CameraUnknown: it was never registered.
        NothingToExport: the record begins later, or has not come so far yet.
    """
    camera = store.cameras.get(camera_id)
    ends_us = store.ends_us(camera.stream_id)
    if start_us < camera.registered_us or end_us > ends_us:
        told = f"The record of {camera_id} reaches from {format_us(camera.registered_us)} to {format_us(ends_us)}"
        raise NothingToExport(f"{told}: the interval must lie within.")
    return camera.stream_id


def _numbers(store: Store, stream_id: str, wanted: Wanted) -> tuple[int, int]:
    """Of the items that overlap the interval, and the one before and behind them."""
    items = store.items(stream_id, wanted.start_us, wanted.end_us)
    if not items:
        raise NothingToExport
    return max(items[0].n - 1, 0), min(items[-1].n + 1, store.head(stream_id).next_n - 1)


class _Writing:
    """A package that grows: remembers what each file hashes to. A context: when it ends, nothing writes any more.

    While a copy waits for the disk, the next one is read and hashed: one thread seals, one file at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}
        self.crc32s: dict[str, int] = {}
        """Of media that passed: an archive's headers have it (`retention.evidence.archive`)."""
        self._sealer = ThreadPoolExecutor(1, "seal")
        self._sealing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._sealer.shutdown()

    def text(self, name: str, content: bytes) -> None:
        """Write a file at once."""
        files.write_atomically(self.folder / name, content)
        self.digests[name] = hashlib.sha256(content).hexdigest()

    def original(self, segment: Segment, source: Path, passed: Callable[[int], None]) -> bool:
        """Copy a segment's file, hashing what passes; whether it is what was recorded. A whole copy is kept, and one
        that cannot be read is left out: the package says that it is missing.
        """
        name = media_name(segment)
        target = self.folder / name
        files.make_folders(target.parent)
        if target.exists():
            self.digests[name] = sha256_of(target)
            passed(target.stat().st_size)
        else:
            try:
                digest = self._copied(name, [(source, 0)], passed)
            except StorageError:
                if source.exists():  # it is the other disk that fails
                    raise
                return False
            self._seal(name, digest)
        return self.digests[name] == segment.sha256

    def film(self, name: str, segments: Sequence[Segment], passed: Callable[[int], None]) -> None:
        """Join the originals of a run that are here already: it plays anywhere, and can be made again from them."""
        pieces = [(self.folder / media_name(one), one.init_bytes if place else 0) for place, one in enumerate(segments)]
        files.remove_copy(self.folder / name)
        self._settle()
        self._seal(name, self._copied(name, pieces, passed))

    def _copied(self, name: str, pieces: Sequence[tuple[Path, int]], passed: Callable[[int], None]) -> str:
        """One file of others, each from a byte on, not sealed yet; what it hashes to."""
        digest, crc32 = hashlib.sha256(), 0

        def seen(piece: bytes) -> None:
            nonlocal crc32
            passed(len(piece))
            digest.update(piece)
            crc32 = zlib.crc32(piece, crc32)

        part = _part_of(self.folder / name)
        files.remove_copy(part)
        for source, begin in pieces:
            files.copy(source, part, seen, begin)
        self.crc32s[name] = crc32
        return digest.hexdigest()

    def _seal(self, name: str, digest: str) -> None:
        """Give a whole copy its name when it is durable; the one before is waited for."""
        self._settle()
        target = self.folder / name
        self._sealing = self._sealer.submit(files.seal, _part_of(target), target)
        self.digests[name] = digest

    def _settle(self) -> None:
        """Wait until all copies have their names.

        Raises:
            StorageError: one could not be made durable.
        """
        sealing, self._sealing = self._sealing, None
        if sealing is not None:
            sealing.result()

    def close(self, store: Store, key: Ed25519PublicKey, stamp: bytes | None) -> None:
        """The list of all files, its signature by the key that the package holds, and its stamp; what an attempt before
        left besides goes."""
        self._settle()
        for path in self.folder.rglob("*"):
            if path.is_file() and path.relative_to(self.folder).as_posix() not in self.digests:
                files.remove_copy(path)
        sums = package.sums(self.digests)
        files.write_atomically(self.folder / package.SUMS, sums)
        files.write_atomically(self.folder / package.SUMS_SIGNATURE, store.sign(sums, key))
        if stamp is not None:
            files.write_atomically(self.folder / package.SUMS_STAMP, stamp)


def _media(store: Store, segments: list[Segment], writing: _Writing, progress: Progress) -> tuple[str, ...]:
    """Originals, and films of them; which originals are not what was recorded."""
    store.refuse_away(segments)  # what is on a disk that is not there is not missing from the record
    films = [(run, list(group)) for run, group in itertools.groupby(segments, key=lambda one: one.run)]
    shared = sum(one.init_bytes for _, group in films for one in group[1:])
    done, total = 0, 2 * sum(one.bytes for one in segments) - shared

    def passed(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    altered = [one.id for one in segments if not writing.original(one, store.media_path(one), passed)]
    for run, group in films:
        here = [one for one in group if media_name(one) in writing.digests]
        if here:
            writing.film(f"{package.MEDIA}/{here[0].stream_id}/{package.PLAY.format(run=run)}", here, passed)
    return tuple(altered)


def _part_of(target: Path) -> Path:
    return target.with_name(target.name + PART)


def media_name(segment: Segment) -> str:
    """Where a segment's file lies in a package."""
    return f"{package.MEDIA}/{segment.stream_id}/{Path(segment.path).name}"


def _claim(store: Store, wanted: Wanted, key: str, items: Sequence[Item], clock: Clock, program: str) -> Claim:
    """The floor is the lowest under which any of it was recorded: the rules tell what each had to be kept for. One that
    was raised since would forbid what had lawfully gone by then."""
    first, last = items[0].leaf_index, items[-1].leaf_index
    floor_days = least_floor(store.cameras.rules(wanted.camera_id), first, last)
    return Claim(
        stream=stream_of(wanted.camera_id),
        start_us=wanted.start_us,
        end_us=wanted.end_us,
        case=wanted.case,
        box=store.box_id,
        origin=store.origin,
        fingerprint=key,
        floor_days=floor_days,
        time_zone=store.zone.key,
        program=program,
        made_us=clock.read().utc_us,
    )


def _texts(store: Store, claim: Claim, proof: Proof, media: list[Segment], writing: _Writing) -> None:
    leaves = [(one.index, decode_leaf(one.body)) for one in proof.leaves]
    second = package.sm2_key(leaves)
    if second is not None:
        writing.text(package.SM2_KEY, second)
    for number, key in enumerate(proof.keys):
        name = package.KEY if key is proof.keys[-1] else package.EARLIER_KEY.format(number=number)
        writing.text(name, public_pem(key))
    writing.text(package.CHECKPOINT, proof.checkpoint_text.encode())
    writing.text(package.LEAVES, package.leaves_text(proof.leaves))
    writing.text(package.PATHS, package.paths_text(proof.leaves))
    for index, vector in proof.heads.items():
        writing.text(f"{package.HEADS}/{index}.json", heads_text(vector))
    for one in proof.anchors:
        _anchor(one, proof, writing)
    writing.text(package.TIMELINE, package.timeline(leaves))
    writing.text(package.CLOCK, package.clock(leaves))
    writing.text(package.CUSTODY, package.custody(proof.leaves))
    names = {one.n: media_name(one) for one in media}
    table = package.files_table(names, claim.stream, leaves)
    writing.text(package.FILES, table)
    writing.text(package.FILES_PRINT, _printed(claim, table))
    handed_out = resources.files("retention.evidence").joinpath("handed-out")
    for name in package.HANDED_OUT:  # by name: an interpreter may have left files of its own beside them
        writing.text(name, handed_out.joinpath(name).read_bytes())


def _close(store: Store, claim: Claim, key: Ed25519PublicKey, stamper: Stamper | None, writing: _Writing) -> None:
    """List all files, and have the list stamped. The claim says whether it was, so that nobody can take the stamp away:
    it is written as if, and anew when no stamp can be had. That never keeps evidence from being handed out."""
    known, own = store.anchors.roots(), _certificates(stamper)
    if roots := known if own.strip() in known else known + own:
        writing.text(package.ROOTS, roots)
    stamp = None
    if stamper is not None and own:
        writing.text(package.CLAIM, replace(claim, stamped=True).text())
        stamp = _stamp(stamper, package.sums(writing.digests))
    if stamp is None:
        writing.text(package.CLAIM, claim.text())
    writing.close(store, key, stamp)


def _certificates(stamper: Stamper | None) -> bytes:
    try:
        return (None if stamper is None else stamper.certificates()) or b""
    except StorageError as err:
        log.warning("a package could not be stamped", code=err.code, reason=str(err))
        return b""


def _stamp(stamper: Stamper, sums: bytes) -> bytes | None:
    try:
        return stamper.stamp(sums)
    except (AuthorityError, StorageError) as err:
        log.warning("a package could not be stamped", code=err.code, reason=str(err))
        return None


def _anchor(one: ProvenAnchor, proof: Proof, writing: _Writing) -> None:
    name = f"{package.ANCHORS}/{one.anchor.size}"
    writing.text(f"{name}.body", one.anchor.body)
    writing.text(f"{package.ANCHORS}/{file_name(one.anchor.size, one.anchor.by)}", one.anchor.token)
    writing.text(f"{name}.path", package.anchor_path_text(one.anchor.size, proof.checkpoint.size, one.path))


def _printed(claim: Claim, table: bytes) -> bytes:
    # Imported here: a box that hands out nothing does without 40 MB of fonts and layout.
    from retention.evidence.listing import listing

    return listing(claim, table)
