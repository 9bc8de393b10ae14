"""Writes an evidence package: what was recorded, what the log proves of it, and how to check both without us."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.clock import Clock
from config.times import format_us
from recorder.errors import Refused
from recorder.store import files
from recorder.store.log.leaves import decode_leaf
from recorder.store.proofs import Proof
from recorder.store.records import MediaState, Segment, camera_of, stream_of
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.package import Claim
from retention.evidence.verification import heads_text

COPY_BYTES = 1024 * 1024
"""Read, hashed and written at a time."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class NothingToExport(Refused):
    """The log tells of nothing in that interval."""

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


def export(
    store: Store,
    wanted: Wanted,
    folder: Path,
    clock: Clock,
    program: str,
    progress: Progress = lambda done, total: None,
) -> Exported:
    """Write the package of an interval, and one segment either side of it, into a new folder.

    Raises:
        NothingToExport, PackageExists: as they say. StorageError: it cannot be read or written.
    """
    stream_id = stream_of(wanted.camera_id)
    numbers = _numbers(store, stream_id, wanted)
    store.checkpoint()
    proof = store.proof(stream_id, *numbers)
    items = store.numbered(stream_id, *numbers)
    with files.translated(folder):
        if folder.exists() and any(folder.iterdir()):
            raise PackageExists(f"{PackageExists.sentence()} ({folder})")
    writing = _Writing(folder)
    media = [one for one in items if isinstance(one, Segment)]
    present = [one for one in media if one.state is MediaState.PRESENT]
    _media(store, present, writing, progress)
    claim = _claim(store, wanted, clock, program)
    _texts(store, claim, proof, present, writing)
    writing.close(store)
    return Exported(folder, len(present), sum(one.bytes for one in present), len(media) - len(present))


def _numbers(store: Store, stream_id: str, wanted: Wanted) -> tuple[int, int]:
    """Of the items that overlap the interval, and the one before and behind them."""
    items = store.items(stream_id, wanted.start_us, wanted.end_us)
    if not items:
        raise NothingToExport
    return max(items[0].n - 1, 0), min(items[-1].n + 1, store.head(stream_id).next_n - 1)


class _Writing:
    """A package that grows: remembers what each file hashes to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}

    def text(self, name: str, content: bytes) -> None:
        """Write a file at once."""
        files.write_atomically(self.folder / name, content)
        self.digests[name] = hashlib.sha256(content).hexdigest()

    def copy(self, name: str, source: Path, done: Callable[[int], None]) -> None:
        """Copy a file, hashing what passes."""
        digest = hashlib.sha256()
        target = self.folder / name
        files.make_folders(target.parent)
        with files.translated(source), source.open("rb", buffering=0) as stream, target.open("xb", buffering=0) as out:
            while piece := stream.read(COPY_BYTES):
                digest.update(piece)
                files.write_all(out.fileno(), piece)
                done(len(piece))
        self.digests[name] = digest.hexdigest()

    def film(self, name: str, segments: Sequence[Segment]) -> None:
        """Join the originals of a run that are here already: it plays anywhere, and can be made again from them."""
        digest = hashlib.sha256()
        target = self.folder / name
        with files.translated(target), target.open("xb", buffering=0) as out:
            for number, segment in enumerate(segments):
                with (self.folder / media_name(segment)).open("rb", buffering=0) as stream:
                    stream.seek(segment.init_bytes if number else 0)
                    while piece := stream.read(COPY_BYTES):
                        digest.update(piece)
                        files.write_all(out.fileno(), piece)
        self.digests[name] = digest.hexdigest()

    def close(self, store: Store) -> None:
        """The list of all files, and the box's signature on it."""
        sums = package.sums(self.digests)
        files.write_atomically(self.folder / package.SUMS, sums)
        files.write_atomically(self.folder / package.SUMS_SIGNATURE, store.sign(sums))


def _media(store: Store, segments: list[Segment], writing: _Writing, progress: Progress) -> None:
    done, total = 0, sum(one.bytes for one in segments)

    def passed(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    for segment in segments:
        writing.copy(media_name(segment), store.media_path(segment), passed)
    for run, group in itertools.groupby(segments, key=lambda one: one.run):
        writing.film(f"{package.MEDIA}/{segments[0].stream_id}/{package.PLAY.format(run=run)}", list(group))


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
    writing.text(package.FILES, package.files_table(_rows(media, claim)))
    for script in resources.files("retention.evidence").joinpath("handed-out").iterdir():
        writing.text(script.name, script.read_bytes())


def _rows(media: list[Segment], claim: Claim) -> Iterator[tuple[object, ...]]:
    for one in media:
        span = (format_us(one.t0_us), format_us(one.t1_us))
        yield (
            media_name(one),
            "original 原始录像",
            f"mp4 {one.codec}",
            one.bytes,
            one.sha256,
            camera_of(claim.stream),
            *span,
        )
