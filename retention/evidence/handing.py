"""Hands an evidence package out as one file, read from the disk as it is sent: nothing of it is written a second time.

What is not as it was written ends the answer before it begins, or in the middle: whoever receives it is never left with
something shorter, or other, that looks whole.
"""

from __future__ import annotations

import hashlib
import stat
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from recorder.errors import ExportNotDone, PackageDamaged, PackageRemoved, StorageError
from recorder.store import files
from recorder.store.records import Export, ExportState
from retention.evidence import package
from retention.evidence.archive import Archive, Form, Member, Slice, listed, packed, read_list, top_folder

READ_BYTES = 1024 * 1024
"""Read and sent at a time: large enough that a hop between threads costs nothing, small enough for many listeners."""


ARCHIVES_KEPT = 4
"""Lay-outs that are remembered for the next range: that of a month takes seconds to make, and 30 MB."""


@dataclass(frozen=True)
class Packed:
    """A package that is whole as far as names and sizes tell, ready to be sent."""

    folder: Path
    archive: Archive
    file_name: str
    etag: str
    """Names these very bytes, quoted as a header has it (RFC 9110, 8.8.3)."""
    sums_sha256: str
    """Of its list of files, which is signed."""


def list_of(folder: Path) -> Path:
    """Where the list of a package's files is kept: beside it, since a package has no files but its own."""
    return folder.with_name(f"{folder.name}.list")


def keep_list(folder: Path, known: Mapping[str, int]) -> None:
    """Write down what a package that is whole consists of. `known`: CRC-32 of files that need not be read again.

    Raises:
        StorageError: it cannot be read or written.
    """
    found = []
    with files.translated(folder):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            crc32 = known[name] if name in known else _crc32_of(path)
            found.append(Member(name, path.stat().st_size, crc32))
    files.write_atomically(list_of(folder), listed(found))


def _crc32_of(path: Path) -> int:
    crc32 = 0
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(READ_BYTES):
            crc32 = zlib.crc32(piece, crc32)
    return crc32


def pack(one: Export, folder: Path, form: Form) -> Packed:
    """Look at the package of an export as it lies there; no media is read.

    Raises:
        ExportNotDone, PackageRemoved: as they say. PackageDamaged: a file is not there, or has another size.
    """
    if one.state is ExportState.REMOVED:
        raise PackageRemoved(f"{PackageRemoved.sentence()} (export {one.id})")
    if one.state is not ExportState.DONE:
        raise ExportNotDone(f"Export {one.id} is {one.state.value}: there is a package once it is done.")
    try:
        claim = package.read_claim(_text(folder / package.CLAIM))
        top = top_folder(claim.case, one.id)
        archive = _archive(form, top, _text(list_of(folder)), claim.made_us)
    except ValueError as err:
        raise PackageDamaged(f"{PackageDamaged.sentence()} (export {one.id}: what it says of itself)") from err
    for member in archive.members:
        _check(folder, member)
    sums = _text(folder / package.SUMS)
    named = hashlib.sha256(f"{archive.digest} {hashlib.sha256(sums).hexdigest()}".encode()).hexdigest()
    return Packed(folder, archive, f"{top}.{form.value}", f'"{named}"', hashlib.sha256(sums).hexdigest())


@lru_cache(maxsize=ARCHIVES_KEPT)
def _archive(form: Form, top: str, text: bytes, made_us: int) -> Archive:
    return packed(form, top, read_list(text), made_us)


def _text(path: Path) -> bytes:
    try:
        with files.translated(path):
            return path.read_bytes()
    except StorageError as err:
        raise PackageDamaged(f"{PackageDamaged.sentence()} ({path.name} cannot be read)") from err


def _check(folder: Path, member: Member) -> None:
    try:
        found = (folder / member.name).lstat()
    except OSError as err:
        raise PackageDamaged(f"{PackageDamaged.sentence()} ({member.name}: {err.strerror})") from err
    if not stat.S_ISREG(found.st_mode) or found.st_size != member.bytes:
        raise PackageDamaged(f"{PackageDamaged.sentence()} ({member.name} has another size)")


def sent(one: Packed, begin: int, end: int) -> Generator[bytes]:
    """The bytes between two places, the last one not included, a piece at a time.

    Raises:
        PackageDamaged: a file has become shorter, or is not what was written. StorageError: it cannot be read.
    """
    for piece in one.archive.between(begin, end):
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _read(one.folder, piece)


def _read(folder: Path, part: Slice) -> Generator[bytes]:
    path, left, crc32 = folder / part.member.name, part.end - part.begin, 0
    with files.translated(path), path.open("rb", buffering=0) as stream:
        stream.seek(part.begin)
        while left > 0:
            piece = stream.read(min(READ_BYTES, left))
            if not piece:
                raise PackageDamaged(f"{PackageDamaged.sentence()} ({part.member.name} ends too early)")
            crc32, left = zlib.crc32(piece, crc32), left - len(piece)
            if left == 0 and part.is_whole and crc32 != part.member.crc32:
                # Before its last piece is sent: so the answer stays short, whoever reads it.
                raise PackageDamaged(f"{PackageDamaged.sentence()} ({part.member.name} is not what was written)")
            yield piece
