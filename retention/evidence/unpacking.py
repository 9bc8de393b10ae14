"""Checks an evidence package that is one file: what `custos verify FILE.zip` does. It is unpacked beside the file,
checked as a folder, and what was unpacked goes again.

Whoever made the file may have wished us ill: nothing is written but files of the names that a package has, once each.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from recorder.errors import StorageFull
from recorder.store import files
from recorder.store.places import space_of
from recorder.store.pressure import reserve_bytes
from retention.evidence import package
from retention.evidence.reading import Progress, Verdict, verify_package
from retention.evidence.verification import Problem

Entry = tuple[str, int, IO[bytes] | None]
"""Name, size, content; of a folder there is none."""

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What the readers say of a file that is damaged, encrypted, or of a kind of compression they do not know; and of names
and numbers in it that are none."""

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What file managers write (APPNOTE 4.4.5); what other kinds unpack to is nobody's guess."""


ZIP_BEGINS = (b"PK\x03\x04", b"PK\x05\x06")
"""A file, or the end of an archive without any (APPNOTE 4.3.7, 4.3.16)."""


class NoRoomToUnpack(StorageFull):
    """There is no room here to unpack this package: unpack it elsewhere, and check the folder."""

    code = "no_room_to_unpack"


class _Odd(Exception):
    """The archive has something that no package has."""

    def __init__(self, name: str, what: str) -> None:
        self.problem = Problem(name, what)


def verify_archive(
    path: Path,
    expected_fingerprint: str | None = None,
    progress: Progress = lambda done, total: None,
    *,
    roots: bytes | None = None,
    witnesses: Collection[str] | None = None,
) -> Verdict:
    """Check a package in a ZIP or tar file, whole; see `verify_package`.

    Raises:
        StorageError: it cannot be read, or not be unpacked for want of space. RootsInvalid: what was given is no
            certificate.
    """
    # Where the archive had room is likely room for what is in it; a disc that cannot be written to has none.
    place = path.absolute().parent if os.access(path.absolute().parent, os.W_OK) else None
    with files.translated(path), tempfile.TemporaryDirectory(prefix=".custos-verify-", dir=place) as folder:
        try:
            with _opened(path) as entries:
                _unpack(entries, Path(folder))
        except _Odd as err:
            return Verdict((err.problem,), None, None)
        except DAMAGED as err:
            return Verdict((Problem(path.name, f"It cannot be unpacked ({type(err).__name__}: {err})."),), None, None)
        return verify_package(Path(folder), expected_fingerprint, progress, roots=roots, witnesses=witnesses)


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[Entry]]:
    """Whatever programs take the file for must be what is looked at here: a ZIP may stand behind a tar file."""
    with path.open("rb") as stream:
        begins = stream.read(tarfile.BLOCKSIZE)
    is_tar, begins_zip = _begins_tar(begins), begins.startswith(ZIP_BEGINS)
    is_zip = begins_zip or _ends_zip(path)
    if is_zip and (is_tar or not begins_zip):
        raise _Odd(path.name, "It can be taken for two kinds of archive, with something else in each.")
    if is_zip:
        with zipfile.ZipFile(path) as archive, closing(_of_zip(archive)) as entries:
            yield entries
    elif is_tar:
        with tarfile.open(path, "r:") as tar, closing(_of_tar(tar)) as entries:
            yield entries
    else:
        raise _Odd(path.name, "It is neither a ZIP nor a tar file that is not compressed.")


def _begins_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _ends_zip(path: Path) -> bool:
    """Whether a directory of a ZIP stands at its end, and can be read."""
    try:
        with zipfile.ZipFile(path):
            return True
    except DAMAGED:
        return False


def _of_zip(archive: zipfile.ZipFile) -> Generator[Entry]:
    for info in archive.infolist():
        if info.is_dir():
            yield info.filename, 0, None
            continue
        if info.compress_type not in COMPRESSIONS:
            raise _Odd(info.filename, "It is compressed in a way that is not read here.")
        with archive.open(info) as stream:
            yield info.filename, info.file_size, stream


def _of_tar(archive: tarfile.TarFile) -> Generator[Entry]:
    for info in archive:
        if info.isdir():
            yield info.name, 0, None
            continue
        stream = archive.extractfile(info) if info.isreg() and not info.issparse() else None
        if stream is None:
            raise _Odd(info.name, "It is neither a file nor a folder.")
        yield info.name, info.size, stream


def _unpack(entries: Iterator[Entry], folder: Path) -> None:
    tops = set()
    for full, size, stream in entries:
        top, _, name = (full.rstrip("/") if stream is None else full).partition("/")
        tops.add(top)
        if stream is not None and not package.NAMES.fullmatch(name):
            raise _Odd(full, "No file of a package has such a name.")
        if stream is None and name and not package.FOLDERS.fullmatch(name):
            raise _Odd(full, "No folder of a package has such a name.")
        if len(tops) > 1:
            raise _Odd(full, "A package has one folder, and this lies in another.")
        target = folder / name
        if stream is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        if target.exists():
            raise _Odd(full, "It is there twice.")
        target.parent.mkdir(parents=True, exist_ok=True)
        space = space_of(folder)
        if size > space.free_bytes - reserve_bytes(space.total_bytes):  # who made the file may wish to stop recording
            raise NoRoomToUnpack(f"{NoRoomToUnpack.sentence()} ({full})")
        with target.open("xb") as out:
            shutil.copyfileobj(stream, out, files.COPY_BYTES)
            if out.tell() != size:
                raise _Odd(full, "It ends too early.")
