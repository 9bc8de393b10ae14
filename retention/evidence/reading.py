"""Reads an evidence package and feeds it to `verification`: what `custos verify FOLDER` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorder.errors import StorageError
from recorder.store import files
from recorder.store.log.errors import LogError
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.segments import LEGAL_FLOOR_DAYS
from recorder.store.verify import READ_BYTES, sha256_of
from retention.evidence import package
from retention.evidence.completeness import BAD, Judgement, ProvenItem
from retention.evidence.package import Claim, ClaimMalformed
from retention.evidence.verification import Problem, Verification

SMALL_BYTES = 256 * 1024 * 1024
"""Texts of a package are read into memory; a larger one was not made by us."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What came of checking a package."""

    problems: tuple[Problem, ...]
    claim: Claim | None
    judgement: Judgement | None

    @property
    def is_good(self) -> bool:
        """Whether all of it holds, and nothing of the interval is missing."""
        return not self.objections

    @property
    def objections(self) -> tuple[Problem, ...]:
        """All that is not as it must be, of the files and of the interval."""
        if self.judgement is None or self.claim is None:
            return self.problems
        broken = [Problem(package.LEAVES, one) for one in self.judgement.broken]
        bad = [one for one in self.judgement.stretches if one.standing in BAD]
        folder = f"{package.MEDIA}/{self.claim.stream}"
        missing = [Problem(package.CLAIM if one.item is None else f"{folder}/{one.item}", one.why) for one in bad]
        return (*self.problems, *broken, *missing)


def verify_package(
    folder: Path, expected_fingerprint: str | None = None, progress: Progress = lambda done, total: None
) -> Verdict:
    """Check a package, whole.

    Raises:
        StorageError: the folder cannot be read.
    """
    return _Reading(folder, expected_fingerprint, progress).run()


class _Reading:
    def __init__(self, folder: Path, expected_fingerprint: str | None, progress: Progress) -> None:
        self._folder = folder
        self._checked = Verification(expected_fingerprint)
        self._progress = progress
        self._digests: dict[str, str] = {}
        self._leaves: list[tuple[int, Leaf]] = []
        self._originals: dict[int, str] = {}

    def run(self) -> Verdict:
        checked = self._checked
        checked.key(package.KEY, self._read(package.KEY))
        checked.listed(
            package.SUMS, self._read(package.SUMS), package.SUMS_SIGNATURE, self._read(package.SUMS_SIGNATURE)
        )
        self._all_files()
        checked.checkpoint(package.CHECKPOINT, self._read(package.CHECKPOINT).decode("utf-8", "replace"))
        self._entries()
        for name, _ in self._under(package.HEADS):
            self._heads(name)
        for name, digest in self._under(package.MEDIA):
            self._media(name, digest)
        for name, digest in self._under(package.MEDIA):
            if PurePosixPath(name).name.startswith("play"):
                checked.film(name, digest, self._film(name))
        claim = self._claim()
        judgement = None if claim is None else self._judgement(claim)
        return Verdict(tuple(checked.problems), claim, judgement)

    def _read(self, name: str) -> bytes:
        """A small file; empty where there is none, which is a problem of whoever looks at it."""
        path = self._folder / name
        try:
            with files.translated(path), path.open("rb") as stream:
                return stream.read(SMALL_BYTES)
        except StorageError:
            self._checked.problems.append(Problem(name, "It is not there, or cannot be read."))
            return b""

    def _all_files(self) -> None:
        found = sorted(path for path in self._folder.rglob("*") if path.is_symlink() or not path.is_dir())
        done, total = 0, sum(path.lstat().st_size for path in found)
        for path in found:
            name = path.relative_to(self._folder).as_posix()
            if path.is_symlink() or not path.is_file():  # it may lead anywhere, and be other bytes for the next reader
                self._checked.problems.append(Problem(name, "It is neither a file nor a folder."))
            elif name not in (package.SUMS, package.SUMS_SIGNATURE):
                self._digests[name] = sha256_of(path)
                self._checked.file(name, self._digests[name])
            done += path.lstat().st_size
            self._progress(done, total)
        self._checked.no_more_files()

    def _entries(self) -> None:
        leaves = self._leaves
        try:
            for one in package.read_leaves(self._read(package.LEAVES), self._read(package.PATHS)):
                self._checked.leaf(package.LEAVES, one.index, one.body, one.path)
                leaves.append((one.index, decode_leaf(one.body)))
        except (ValueError, LogError) as err:
            self._checked.problems.append(Problem(package.PATHS, f"Entries and their paths cannot be read: {err}"))
            return
        self._checked.genesis(package.LEAVES)
        for name, made in ((package.TIMELINE, package.timeline(leaves)), (package.CLOCK, package.clock(leaves))):
            self._checked.table(name, self._read(name), made)

    def _under(self, folder: str) -> Iterator[tuple[str, str]]:
        return ((name, digest) for name, digest in self._digests.items() if name.startswith(folder + "/"))

    def _heads(self, name: str) -> None:
        stem = PurePosixPath(name).stem
        if stem.isascii() and stem.isdigit():
            self._checked.heads(name, int(stem), self._read(name))

    def _media(self, name: str, digest: str) -> None:
        parts = PurePosixPath(name).parts
        number = parts[-1].partition("-")[0]
        if parts[-1].startswith("play"):
            return
        if len(parts) == 3 and number.isascii() and number.isdigit():
            self._originals[int(number)] = name
            self._checked.media(name, parts[1], int(number), digest)
        else:
            self._checked.problems.append(Problem(name, "Its name is not that of a segment."))

    def _film(self, name: str) -> str | None:
        """What a film hashes to that is made anew, by its name."""
        path = PurePosixPath(name)
        for run, items in self._checked.films(path.parent.name).items():
            if path.name == package.PLAY.format(run=run):
                return self._joined(path.parent, items)
        return None

    def _joined(self, folder: PurePosixPath, items: list[ProvenItem]) -> str:
        digest = hashlib.sha256()
        for number, item in enumerate(items):
            path = next((self._folder / folder).glob(f"{item.n}-*"))
            with files.translated(path), path.open("rb", buffering=0) as stream:
                stream.seek(item.init_bytes if number else 0)
                while piece := stream.read(READ_BYTES):
                    digest.update(piece)
        return digest.hexdigest()

    def _claim(self) -> Claim | None:
        try:
            claim = package.read_claim(self._read(package.CLAIM))
        except ClaimMalformed as err:
            self._checked.problems.append(Problem(package.CLAIM, str(err)))
            return None
        self._checked.claimed(package.CLAIM, claim.fingerprint, claim.origin)
        made = package.files_table(self._originals, claim.stream, self._leaves)
        self._checked.table(package.FILES, self._read(package.FILES), made)
        return claim

    def _judgement(self, claim: Claim) -> Judgement | None:
        try:
            zone = ZoneInfo(claim.time_zone)
        except (ValueError, ZoneInfoNotFoundError):
            self._checked.problems.append(Problem(package.CLAIM, f"There is no time zone {claim.time_zone!r}."))
            return None
        return self._checked.judgement(
            claim.stream, claim.start_us, claim.end_us, floor_days=max(claim.floor_days, LEGAL_FLOOR_DAYS), zone=zone
        )
