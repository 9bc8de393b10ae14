"""Writes an evidence package: what was recorded, what the log proves of it, and how to check both without us."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.clock import Clock
from config.times import format_us
from recorder.errors import Refused, StorageError
from recorder.store import files
from recorder.store.log.leaves import decode_leaf
from recorder.store.proofs import Proof
from recorder.store.records import MediaState, Segment, stream_of
from recorder.store.store import Store
from recorder.store.verify import sha256_of
from retention.evidence import package
from retention.evidence.package import Claim
from retention.evidence.verification import heads_text

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, before each piece; whatever it raises ends the export."""

PART = ".part"
"""A copy that is not whole yet."""


class NothingToExport(Refused):
    """The record does not reach over that interval."""

    code = "nothing_to_export"


class PackageExists(Refused):
    """There is something in that folder already; it was left as it is."""

    code = "package_exists"


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
    resume: bool = False,
) -> Exported:
    """Write the package of an interval, and one segment either side of it, into a new folder.

    `resume`: an attempt before left its copies there; those that are whole are kept.

    Raises:
        NothingToExport, PackageExists: as they say. StorageError: it cannot be read or written.
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
        claim = _claim(store, wanted, clock, program)
        _texts(store, claim, proof, [one for one in present if media_name(one) in writing.digests], writing)
        writing.close(store)
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
        digest = hashlib.sha256()

        def seen(piece: bytes) -> None:
            passed(len(piece))
            digest.update(piece)

        part = _part_of(self.folder / name)
        files.remove_copy(part)
        for source, begin in pieces:
            files.copy(source, part, seen, begin)
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

    def close(self, store: Store) -> None:
        """The list of all files, and the box's signature on it; what an attempt before left besides goes."""
        self._settle()
        for path in self.folder.rglob("*"):
            if path.is_file() and path.relative_to(self.folder).as_posix() not in self.digests:
                files.remove_copy(path)
        sums = package.sums(self.digests)
        files.write_atomically(self.folder / package.SUMS, sums)
        files.write_atomically(self.folder / package.SUMS_SIGNATURE, store.sign(sums))


def _media(store: Store, segments: list[Segment], writing: _Writing, progress: Progress) -> tuple[str, ...]:
    """Originals, and films of them; which originals are not what was recorded."""
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


def _claim(store: Store, wanted: Wanted, clock: Clock, program: str) -> Claim:
    return Claim(
        stream=stream_of(wanted.camera_id),
        start_us=wanted.start_us,
        end_us=wanted.end_us,
        case=wanted.case,
        box=store.box_id,
        origin=store.origin,
        fingerprint=store.fingerprint,
        floor_days=store.floor_days,
        time_zone=store.zone.key,
        program=program,
        made_us=clock.read().utc_us,
    )


def _texts(store: Store, claim: Claim, proof: Proof, media: list[Segment], writing: _Writing) -> None:
    leaves = [(one.index, decode_leaf(one.body)) for one in proof.leaves]
    writing.text(package.CLAIM, claim.text())
    writing.text(package.KEY, store.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    writing.text(package.CHECKPOINT, proof.checkpoint_text.encode())
    writing.text(package.LEAVES, package.leaves_text(proof.leaves))
    writing.text(package.PATHS, package.paths_text(proof.leaves))
    for index, vector in proof.heads.items():
        writing.text(f"{package.HEADS}/{index}.json", heads_text(vector))
    writing.text(package.TIMELINE, package.timeline(leaves))
    writing.text(package.CLOCK, package.clock(leaves))
    writing.text(package.CUSTODY, package.custody(proof.leaves))
    names = {one.n: media_name(one) for one in media}
    writing.text(package.FILES, package.files_table(names, claim.stream, leaves))
    for script in resources.files("retention.evidence").joinpath("handed-out").iterdir():
        writing.text(script.name, script.read_bytes())
