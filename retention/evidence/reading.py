"""Reads an evidence package and feeds it to `verification`: what `custos verify FOLDER` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from cryptography.x509 import Certificate

from recorder.errors import StorageError, StoreError
from recorder.store import files
from recorder.store.hashing import READ_BYTES, hashed
from recorder.store.log.errors import LogError
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.proofs import ProvenLeaf
from recorder.store.segments import LEGAL_FLOOR_DAYS
from retention.evidence import package
from retention.evidence.completeness import BAD, Judgement, ProvenItem
from retention.evidence.package import Claim, ClaimMalformed
from retention.evidence.timestamp import RootsInvalid, roots_of
from retention.evidence.verification import Outside, Problem, Verification

SMALL_BYTES = 256 * 1024 * 1024
"""Texts of a package are read into memory; a larger one was not made by us."""

LAWS_ZONE = "Asia/Shanghai"
"""Whose midnights the law means. A package that names another is judged by the strictest of all: who wrote it may have
named whichever suited him."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What came of checking a package."""

    problems: tuple[Problem, ...]
    claim: Claim | None
    judgement: Judgement | None
    remarks: tuple[Problem, ...] = ()
    """What whoever believes the package should look at, and no reason to refuse it."""
    outsiders: tuple[Outside, ...] = ()
    """What those outside saw of it, whoever they are: see `believed`."""
    believed: frozenset[str] | None = None
    """Verifier keys of the witnesses that are believed; None: all, by the keys that the package tells."""
    made_us: int | None = None
    """When the package existed, by an authority's clock; None: nobody said."""

    @property
    def is_good(self) -> bool:
        """Whether all of it holds, and nothing of the interval is missing."""
        return not self.objections

    @property
    def is_anchored(self) -> bool:
        """Whether somebody outside who is believed saw all of it."""
        return any(one.whole is not None and self.believes(one) for one in self.outsiders)

    def believes(self, outside: Outside) -> bool:
        """Whether it is an authority, whose stamps are refused unless believed; or a witness that was named."""
        return outside.witness is None or self.believed is None or outside.witness in self.believed

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
    folder: Path,
    expected_fingerprint: str | None = None,
    progress: Progress = lambda done, total: None,
    *,
    roots: bytes | None = None,
    witnesses: Collection[str] | None = None,
) -> Verdict:
    """Check a package, whole.

    `roots`: certificates (PEM) of authorities that are believed; None: those of the package, which prove less.
    `witnesses`: verifier keys of witnesses that are believed; None: those that the package tells, likewise.

    Raises:
        StorageError: the folder cannot be read. RootsInvalid: what was given is no certificate.
    """
    believed = None if roots is None else roots_of(roots)
    named = None if witnesses is None else frozenset(witnesses)
    return replace(_Reading(folder, expected_fingerprint, progress, believed).run(), believed=named)


FOREIGN = "It is not the one that this version hands out: read it before you believe it, or run it."


def _ours(name: str) -> str:
    handed_out = resources.files("retention.evidence").joinpath("handed-out")
    return hashlib.sha256(handed_out.joinpath(name).read_bytes()).hexdigest()


class _Reading:
    def __init__(
        self,
        folder: Path,
        expected_fingerprint: str | None,
        progress: Progress,
        roots: Sequence[Certificate] | None,
    ) -> None:
        self._folder = folder
        self._checked = Verification(expected_fingerprint)
        self._progress = progress
        self._roots = roots
        self._digests: dict[str, str] = {}
        self._sm3: dict[str, str | None] = {}
        self._leaves: list[tuple[int, Leaf]] = []
        self._originals: dict[tuple[str, int], str] = {}

    def run(self) -> Verdict:
        checked = self._checked
        if not self._has_files_alone():
            return Verdict(tuple(checked.problems), None, None)
        checked.key(package.KEY, self._read(package.KEY))
        for path in sorted((self._folder / "keys").glob("log-*")):
            name = f"keys/{path.name}"
            checked.earlier_key(name, int(path.name.split(".")[0].partition("-")[2]), self._read(name))
        checked.listed(
            package.SUMS, self._read(package.SUMS), package.SUMS_SIGNATURE, self._read(package.SUMS_SIGNATURE)
        )
        self._all_files()
        checked.checkpoint(package.CHECKPOINT, self._read(package.CHECKPOINT).decode("utf-8", "replace"))
        self._entries()
        for name in sorted(self._digests):
            self._file(PurePosixPath(name))
        self._anchors()
        claim = self._claim()
        if claim is not None:
            stamp = self._read(package.SUMS_STAMP) if (self._folder / package.SUMS_STAMP).is_file() else None
            checked.list_stamped(package.SUMS_STAMP, self._read(package.SUMS), claim.stamped, stamp, self._believed())
        judgement = None if claim is None else self._judgement(claim)
        remarks, outsiders = self._remarks(claim), checked.outsiders()
        return Verdict(tuple(checked.problems), claim, judgement, remarks, outsiders, made_us=checked.made_us)

    def _has_files_alone(self) -> bool:
        """Nothing but files of known names: a pipe would make who reads it wait, a link lead anywhere."""
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                self._checked.problems.append(Problem(name, "It is neither a file nor a folder."))
            elif path.is_dir() and not package.FOLDERS.fullmatch(name):
                self._checked.problems.append(Problem(name, "No folder of a package has such a name."))
            elif path.is_file() and not package.NAMES.fullmatch(name):
                self._checked.problems.append(Problem(name, "No file of a package has such a name."))
        return not self._checked.problems

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
        found = sorted(path for path in self._folder.rglob("*") if path.is_file())
        done, total = 0, sum(path.stat().st_size for path in found)
        # Read ahead, so that media is read once: entries without the word tell of no SM3 either.
        with_sm3 = (self._folder / package.LEAVES).is_file() and b'"sm3":"' in self._read(package.LEAVES)
        for path, digest in zip(found, hashed(found, with_sm3=with_sm3), strict=True):
            name = path.relative_to(self._folder).as_posix()
            if isinstance(digest, StoreError):
                raise digest
            if name not in package.UNLISTED:
                self._digests[name], self._sm3[name] = digest.sha256, digest.sm3
                self._checked.file(name, digest.sha256)
            done += path.stat().st_size
            self._progress(done, total)
        self._checked.no_more_files()

    def _entries(self) -> None:
        proven: list[ProvenLeaf] = []
        try:
            for one in package.read_leaves(self._read(package.LEAVES), self._read(package.PATHS)):
                if self._checked.leaf(package.LEAVES, one.index, one.body, one.path):
                    proven.append(one)
            self._leaves = [(one.index, decode_leaf(one.body)) for one in proven]
        except (ValueError, LogError) as err:
            self._checked.problems.append(Problem(package.PATHS, f"Entries and their paths cannot be read: {err}"))
            return
        self._checked.genesis(package.LEAVES, package.KEY)
        key = self._read(package.SM2_KEY) if package.SM2_KEY in self._digests else None
        note = self._read(package.CHECKPOINT).decode("utf-8", "replace")
        self._checked.sm2(package.SM2_KEY, key, package.CHECKPOINT, note)
        made = {package.TIMELINE: package.timeline(self._leaves), package.CLOCK: package.clock(self._leaves)}
        for name, text in {**made, package.CUSTODY: package.custody(proven)}.items():
            self._checked.table(name, self._read(name), text)

    def _file(self, path: PurePosixPath) -> None:
        """A head vector, or an original."""
        name = str(path)
        if name.startswith(package.HEADS):
            self._checked.heads(name, int(path.stem), self._read(name))
        elif name.startswith(package.MEDIA) and not path.name.startswith("play"):
            number = int(path.name.partition("-")[0])
            self._originals[path.parent.name, number] = name
            self._checked.media(name, path.parent.name, number, self._digests[name], self._sm3[name])

    def _anchors(self) -> None:
        """Checkpoints of which somebody outside said something: each with its way to ours, and what was said."""
        names = [PurePosixPath(name).name for name in self._digests if name.startswith(package.ANCHORS)]
        for size in sorted({int(name.partition(".")[0]) for name in names}):
            name = f"{package.ANCHORS}/{size}"
            body = self._read(f"{name}.body")
            self._checked.anchor(f"{name}.body", size, body)
            try:
                old, new, path = package.read_anchor_path(self._read(f"{name}.path"))
            except ValueError as err:
                self._checked.problems.append(Problem(f"{name}.path", f"It cannot be read: {err}."))
            else:
                self._checked.anchor_path(f"{name}.path", size, old, new, path)
            self._said(size, body)
        self._checked.all_anchors(package.ANCHORS)

    def _said(self, size: int, body: bytes) -> None:
        """The stamp of a checkpoint, its cosignatures, or both."""
        name = f"{package.ANCHORS}/{size}"
        notes = sorted(one for one in self._digests if one.startswith(f"{name}.") and one.endswith(".note"))
        if not notes or f"{name}.tsr" in self._digests:
            self._checked.stamp(f"{name}.tsr", size, body, self._read(f"{name}.tsr"), self._believed())
        for note in notes:
            self._checked.cosignature(note, size, note.split(".")[-2], self._read(note))

    def _believed(self) -> Sequence[Certificate]:
        if self._roots is not None:
            return self._roots
        if package.ROOTS not in self._digests:
            return ()
        try:
            return roots_of(self._read(package.ROOTS))
        except RootsInvalid as err:
            self._checked.problems.append(Problem(package.ROOTS, str(err)))
            return ()

    def _films(self, stream_id: str) -> None:
        """Each run has its film, made of its originals, and there are no others."""
        there = (one for one in self._digests if one.startswith(package.MEDIA))
        names = {one for one in there if PurePosixPath(one).name.startswith("play-")}
        for run, items in self._checked.films(stream_id).items():
            name = f"{package.MEDIA}/{stream_id}/{package.PLAY.format(run=run)}"
            self._checked.film(name, self._digests.get(name, ""), self._joined(stream_id, items))
            names.discard(name)
        for name in sorted(names):
            self._checked.film(name, self._digests[name], None)

    def _joined(self, stream_id: str, items: list[ProvenItem]) -> str:
        digest = hashlib.sha256()
        for number, item in enumerate(items):
            path = self._folder / self._originals[stream_id, item.n]
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
        self._checked.claimed(package.CLAIM, claim.fingerprint, claim.origin, claim.box)
        mine = {n: name for (stream_id, n), name in self._originals.items() if stream_id == claim.stream}
        made = package.files_table(mine, claim.stream, self._leaves)
        self._checked.table(package.FILES, self._read(package.FILES), made)
        for (stream_id, n), name in self._originals.items():
            if stream_id != claim.stream or PurePosixPath(name).name != self._checked.file_name(stream_id, n):
                self._checked.problems.append(Problem(name, "It is not named by the stream and time of its entry."))
        self._films(claim.stream)
        return claim

    def _remarks(self, claim: Claim | None) -> tuple[Problem, ...]:
        """What came with it is not what this program would have handed out: scripts, and the print of the list.

        No reason to refuse a package: other versions hand out others, prints hang on fonts and libraries, and a package
        must be good for as long as its footage is. Only of one that is good so far: nothing is printed of what is not
        believed.
        """
        if claim is None or self._checked.problems:
            return ()
        scripts = tuple(Problem(name, FOREIGN) for name in package.HANDED_OUT if self._digests.get(name) != _ours(name))
        return (*scripts, *self._print_remarks(claim))

    def _print_remarks(self, claim: Claim) -> tuple[Problem, ...]:
        """Whether the print of the list is what this program prints of it."""
        from retention.evidence.listing import listing  # late: fonts and layout take a third of a second

        if package.FILES_PRINT not in self._digests:
            return (Problem(package.FILES_PRINT, "It is not there: print files.csv for who must sign it."),)
        made = listing(claim, self._read(package.FILES))
        if hashlib.sha256(made).hexdigest() == self._digests[package.FILES_PRINT]:
            return ()
        said = "It is not what this version prints of files.csv: compare them before somebody signs it."
        return (Problem(package.FILES_PRINT, said),)

    def _judgement(self, claim: Claim) -> Judgement:
        zone = ZoneInfo(LAWS_ZONE) if claim.time_zone == LAWS_ZONE else None
        floor_days = max(claim.floor_days, LEGAL_FLOOR_DAYS)
        return self._checked.judgement(claim.stream, claim.start_us, claim.end_us, floor_days=floor_days, zone=zone)
