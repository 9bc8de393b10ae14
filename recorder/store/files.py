"""Durable files: create, grow, seal, replace, unlink; the only place of the store that calls the kernel for them.

What is promised: after `write_atomically`, `write_together`, `seal`, `put_away` and `unlink` return, the change
survives a power cut, on a file system and a disk that honour fsync. The order of system calls that this rests on::

    write_atomically   open(tmp, O_EXCL) write fsync | rename(tmp, name) | open(folder) fsync
    write_together     the same for several: all are written and synced before the first is renamed
    begin              mkdir -p, fsync of each new folder's parent | open(part, O_EXCL)
    seal               fsync(part) | rename(part, name) | fsync(folder)
    unlink             unlink(name) | fsync(folder)
    link               mkdir -p, fsync of each new folder's parent | link(file, name) … | fsync of each folder

The foreign errors of the kernel are translated here, in `translated`, and nowhere else: a full disk, a read-only
file system, an I/O error, a missing right and a missing volume are errors with names of their own, never one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import io
import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from recorder.errors import (
    DataDirInUse,
    StorageDenied,
    StorageError,
    StorageFailed,
    StorageFull,
    StorageReadOnly,
    VolumeMissing,
)

_KINDS: dict[int, type[StorageError]] = {
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EROFS: StorageReadOnly,
    errno.EACCES: StorageDenied,
    errno.EPERM: StorageDenied,
    errno.EIO: StorageFailed,
    errno.ENXIO: VolumeMissing,
    errno.ENODEV: VolumeMissing,
    errno.ENOENT: VolumeMissing,
    errno.ESTALE: VolumeMissing,
    errno.ENOTCONN: VolumeMissing,
}

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the kernel says about `path` into one of our storage errors, keeping the cause."""
    try:
        yield
    except OSError as err:
        kind = _KINDS.get(err.errno or 0, StorageError)
        raise kind(f"{kind.sentence()} ({path}: {err.strerror})") from err


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: without it a renamed file may be gone after a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path) -> None:
    """Create `folder` and its parents; each new name is durable in its parent before this returns."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` under `path`, whole or not at all, replacing what is there.

    Raises:
        StorageError: one of its kinds; what stood there before still stands.
    """
    with translated(path):
        make_folders(path.parent)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            _write_new(temporary, data, mode)
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


FILES_TOGETHER = 64
"""Descriptors that `write_together` holds at once."""

SYNCS_AT_ONCE = 8
"""A journal makes durable in one go what waits for it, so waiting side by side takes little longer than once."""


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Put several files in place as `write_atomically` does; all are durable when this returns.

    Raises:
        StorageError: one of its kinds; some may be in place then, each whole.
    """
    places = list(contents)
    with ThreadPoolExecutor(SYNCS_AT_ONCE, "sync") as pool:
        for at in range(0, len(places), FILES_TOGETHER):
            _write_some({place: contents[place] for place in places[at : at + FILES_TOGETHER]}, pool)


def _write_some(contents: Mapping[Path, bytes], pool: Executor) -> None:
    temporary = {place: place.with_name(f".{place.name}.tmp") for place in contents}

    def written(place: Path) -> None:
        with translated(place):
            temporary[place].unlink(missing_ok=True)
            _write_new(temporary[place], contents[place], 0o644)

    def synced(folder: Path) -> None:
        with translated(folder):
            sync_folder(folder)

    try:
        named = {place.parent for place in contents}
        for folder in list(named):
            with translated(folder):
                named |= _folders_made(folder)
        _all_done(pool, written, contents)
        for place in contents:
            with translated(place):
                temporary[place].rename(place)
        _all_done(pool, synced, named)
    except StorageError:
        for one in temporary.values():
            with contextlib.suppress(OSError):
                one.unlink(missing_ok=True)
        raise


def _folders_made(folder: Path) -> set[Path]:
    """Create a folder and its parents; in which of them a new name is still to be made durable."""
    if folder.is_dir():
        return set()
    above = _folders_made(folder.parent)
    folder.mkdir(exist_ok=True)
    return {folder.parent, *above}


def _all_done(pool: Executor, job: Callable[[Path], None], places: Iterable[Path]) -> None:
    """Do it for each, and let all of them end, before the first failure is told: none may write behind our back."""
    running = [pool.submit(job, place) for place in places]
    wait(running)
    for one in running:
        one.result()


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


PIECES_AT_ONCE = 1024
"""What Linux takes in one call (writev(2), IOV_MAX)."""


def write_all(handle: int, *pieces: bytes | memoryview) -> None:
    """Write every byte; the kernel may take fewer than it was offered, on a nearly full disk above all."""
    for begin in range(0, len(pieces), PIECES_AT_ONCE):
        left: Sequence[bytes | memoryview] = pieces[begin : begin + PIECES_AT_ONCE]
        while left and (written := os.writev(handle, left)) < sum(map(len, left)):
            left = _behind(left, written)


def _behind(pieces: Sequence[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """What is left of some pieces behind so many bytes."""
    for number, piece in enumerate(pieces):
        if written < len(piece):
            return [memoryview(piece)[written:], *pieces[number + 1 :]]
        written -= len(piece)
    return []


_BEHIND = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""What a disk may answer behind having made a file; all else comes before it is asked."""


def begin(path: Path, device: int | None = None) -> int:
    """Create a new file and hand out its descriptor; an existing one is never overwritten. It is locked as long as that
    is open, where the file system knows locks: `is_being_written`.

    Raises:
        VolumeMissing: it came to lie on another file system than `device`: that was unmounted meanwhile.
        StorageError: one of its kinds, or the name is taken.
    """
    with translated(path):
        make_folders(path.parent)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        except OSError as err:
            if err.errno in _BEHIND:
                _drop_unbegun(path)
            raise
        if device is not None and os.fstat(handle).st_dev != device:
            os.close(handle)
            path.unlink()
            raise VolumeMissing(f"{VolumeMissing.sentence()} ({path})")
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle


def _drop_unbegun(path: Path) -> None:
    """A disk may fail behind having made the file. Another disk then takes the segment, and nobody would look here."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0 and not is_being_written(path):
            path.unlink()


def is_being_written(path: Path) -> bool:
    """Whether a process that lives has this file from `begin`, as far as can be seen."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # sealed, or gone, since it was seen
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system that knows no locks
        return False
    finally:
        os.close(handle)
    return False


def seal(part: Path, name: Path) -> None:
    """Give a finished part file its final name, durably. The part file must be complete."""
    with translated(part):
        handle = os.open(part, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if name.exists():
            raise StorageError(f"A file named {name.name} stands already; it was left as it is.")
        part.rename(name)
        sync_folder(name.parent)


def pieces(path: Path, buffer: bytearray) -> Iterator[memoryview]:
    """A file's bytes, each piece in the place of the one before; none of it stays in the page cache for our sake.

    What is read to be checked is not asked for again for weeks: it would push out what recording and playback need
    (posix_fadvise(2), POSIX_FADV_DONTNEED). What is still to be written stays there all the same.

    Raises:
        StorageError: one of its kinds.
    """
    with translated(path), path.open("rb", buffering=0) as stream, memoryview(buffer) as view:
        handle, at = stream.fileno(), 0
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while count := stream.readinto(view):
            yield view[:count]
            os.posix_fadvise(handle, at, count, os.POSIX_FADV_DONTNEED)
            at += count


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """A file's bytes without reading it into memory: what a crash left may be larger than that.

    It is read through first: what a disk cannot give is an error to a read, and the end of the process to a mapping.

    Raises:
        StorageError: it cannot be opened, read, or mapped.
    """
    with translated(path), path.open("rb", buffering=0) as stream:
        while stream.read(COPY_BYTES):
            pass
        with mapped_open(stream.fileno()) as view:
            yield view


@contextmanager
def mapped_open(handle: int) -> Iterator[memoryview]:
    """Likewise, of a file that is open: it may have no name any more.

    Raises:
        OSError: it cannot be mapped.
    """
    if os.fstat(handle).st_size == 0:
        yield memoryview(b"")
        return
    with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as whole, memoryview(whole) as view:
        yield view


def cut(path: Path, size_bytes: int) -> None:
    """Shorten a part file to its last whole fragment, durably."""
    with translated(path), path.open("r+b") as stream:
        stream.truncate(size_bytes)
        os.fsync(stream.fileno())


def put_away(path: Path, folder: Path) -> Path:
    """Move a file that cannot be read to `folder` under a free name; nothing is thrown away."""
    with translated(path):
        place = _free_name(path, folder)
        path.rename(place)
        sync_folder(folder)
        sync_folder(path.parent)
        return place


def _free_name(path: Path, folder: Path) -> Path:
    make_folders(folder)
    place = folder / path.name
    for count in range(1, 1_000_000):
        if not place.exists():
            break
        place = folder / f"{path.name}.{count}"
    return place


def copy_away(path: Path, folder: Path) -> Path:
    """Copy a file that is to be cut to `folder` under a free name, durably.

    Raises:
        StorageError: one of its kinds; nothing of the copy is left.
    """
    with translated(path):
        place = _free_name(path, folder)
    try:
        copy(path, place, lambda _: None)
        with translated(place):
            _synced(place)
            sync_folder(folder)
    except StorageError:
        with contextlib.suppress(OSError):
            place.unlink(missing_ok=True)
        raise
    return place


COPY_BYTES = 1024 * 1024
"""Read, handed on and written at a time."""

WRITE_BEHIND_BYTES = 8 * 1024 * 1024
"""So much of a copy waits in memory before the disk is set to work on it."""

_BEGIN_WRITING = 2
"""SYNC_FILE_RANGE_WRITE, sync_file_range(2)."""


def copy(source: Path, target: Path, passed: Callable[[bytes], None], begin: int = 0) -> None:
    """Append what lies behind `begin` of a file to another, which is made where it is not there; `seal` makes it last.

    `passed` sees every piece before it is written.

    Raises:
        StorageError: one of its kinds.
    """
    with translated(source), source.open("rb", buffering=0) as stream, _appending(target) as out:
        stream.seek(begin)
        waiting = 0
        while piece := stream.read(COPY_BYTES):
            passed(piece)
            with translated(target):  # which of two disks it was has to be told
                write_all(out.fileno(), piece)
            waiting += len(piece)
            if waiting >= WRITE_BEHIND_BYTES:
                _begin_writing(out.fileno())
                waiting = 0


def _appending(target: Path) -> io.FileIO:
    with translated(target):
        return target.open("ab", buffering=0)


def _begin_writing(handle: int) -> None:
    """Have the disk work while we read on: else a large copy lies in memory until it is sealed, and the disk rests.

    Promises nothing, so a file system that does not know it takes nothing away: `seal` makes a copy last.
    """
    start = whole = ctypes.c_int64(0)
    _libc.sync_file_range(handle, start, whole, _BEGIN_WRITING)


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it that are not there, which nobody else may look into; not durable by itself.

    Raises:
        StorageError: one of its kinds.
    """
    with translated(folder):
        for one in (*reversed(folder.parents), folder):
            if not one.is_dir():
                one.mkdir(0o700)


def begin_private(path: Path) -> None:
    """Create an empty file of mode 0600, to be filled by others; not durable by itself.

    Raises:
        StorageError: one of its kinds, or the name is taken.
    """
    make_private_folder(path.parent)
    with translated(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def move(path: Path, place: Path) -> None:
    """Give a file or folder another place on the same file system, durably; never in place of something.

    Raises:
        StorageError: one of its kinds, or something is there.
    """
    with translated(path):
        make_folders(place.parent)
        if place.exists() or place.is_symlink():
            raise StorageError(f"Something stands at {place} already; it was left as it is.")
        path.rename(place)
        sync_folder(place.parent)
        sync_folder(path.parent)


def remove_copy(path: Path) -> None:
    """Remove a copy that an attempt before left unfinished, or that is to be made anew; gone already is gone."""
    with translated(path):
        path.unlink(missing_ok=True)


def remove_tree(folder: Path) -> None:
    """Remove what was derived from the record, or lies elsewhere too; never the record: called for exports, for second
    names of a catalogue, and for backups and what is restored from them as long as they are unfinished.
    """
    with translated(folder):
        is_link = folder.is_symlink()  # asked first: where it leads is nothing of ours, and may not even be there
        if not is_link and not folder.exists():
            return
        if not is_link and folder.is_dir():
            shutil.rmtree(folder)
        else:  # something that was in its way
            folder.unlink()
        sync_folder(folder.parent)


def unlink(path: Path) -> None:
    """Remove media; what is gone already is gone. Called by `segments.discard` and recovery alone.

    It is durable once its folder is synced, which who removes many files of a folder does once.
    """
    with translated(path):
        path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file that is no media, durably; one that is gone already is gone."""
    with translated(path):
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)


def link(names: Mapping[Path, Path]) -> int:
    """Give files second names, durably; how many were new. One that has its name already keeps it.

    Args:
        names: second name to file.

    Raises:
        StorageError: one of its kinds, of the first that could not have its name; the others have theirs. Another file
            has that name, or the file system knows no second names.
    """
    made, faults = 0, list[StorageError]()
    for name, path in names.items():
        try:
            made += _linked(path, name)
        except StorageError as err:
            faults.append(err)
    for folder in {name.parent for name in names if name.parent.is_dir()}:
        with translated(folder):  # names that were there may be so since a crash, and not durably
            sync_folder(folder)
    if faults:
        raise faults[0]
    return made


def _linked(path: Path, name: Path) -> bool:
    with translated(path):
        make_folders(name.parent)
        try:
            os.link(path, name)
        except FileExistsError as err:
            if not name.samefile(path):
                raise StorageError(f"A file named {name.name} stands already in {name.parent}.") from err
            return False
        return True


def drop_second_name(name: Path, path: Path, *, is_kept: bool) -> bool:
    """Take a second name from a file; false: a file that is kept has no other, and gets its first one back, durably.

    Args:
        name: the second name. Gone already is gone.
        path: the first.
        is_kept: whether the file is to be there; else its last name goes too, for it was discarded.

    Raises:
        StorageError: one of its kinds.
    """
    with translated(name):
        if not name.exists():
            return True
        if path.exists() or not is_kept:
            name.unlink()
            return True
        make_folders(path.parent)
        name.rename(path)
        sync_folder(path.parent)
        sync_folder(name.parent)
        return False


def drop_empty(folder: Path) -> bool:
    """Remove a folder and those in it, as long as there is no file in them; whether it is gone, durably.

    Raises:
        StorageError: one of its kinds.
    """
    with translated(folder):
        if not folder.is_dir() or folder.is_symlink():
            return not folder.exists()
        left = [one for one in folder.iterdir() if not drop_empty(one)]
        if not left:
            folder.rmdir()
            sync_folder(folder.parent)
        return not left


def replace(path: Path, name: Path) -> None:
    """Give a file another name, durably, in place of what has that name; what is there is overwritten first.

    Called for private keys: what a disk remaps or a file system copies is out of our hands, the rest is gone.
    """
    with translated(path):
        if name.exists():
            _overwrite(name)
        path.rename(name)
        sync_folder(name.parent)


def second_name(path: Path, name: Path) -> None:
    """Have a file lie under a second name too, durably; a file system without hard links gets a copy.

    Raises:
        StorageError: one of its kinds, or the name is taken.
    """
    with translated(path):
        make_folders(name.parent)
        try:
            name.hardlink_to(path)
        except OSError as err:
            if err.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV):
                raise
            shutil.copyfile(path, name)
            _synced(name)
        sync_folder(name.parent)


def put_in_place(made: Path, name: Path) -> None:
    """Give a finished file its name, durably, in place of what has that name: one or the other stands there always.

    Raises:
        StorageError: one of its kinds.
    """
    with translated(made):
        _synced(made)
        made.rename(name)
        sync_folder(name.parent)


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def destroy(path: Path) -> None:
    """Overwrite a private key's file and remove it, durably; gone already is gone. Never called for the record."""
    with translated(path):
        if path.exists():
            _overwrite(path)
            path.unlink()
            sync_folder(path.parent)


def _overwrite(path: Path) -> None:
    with path.open("r+b", buffering=0) as stream:
        write_all(stream.fileno(), os.urandom(path.stat().st_size))
        os.fsync(stream.fileno())


def sync_volume(root: Path) -> None:
    """One ``syncfs(2)`` for all files of the volume, rather than one fsync a camera."""
    with translated(root):
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _libc.syncfs(handle) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
        finally:
            os.close(handle)


LOCK_PATIENCE_S = 3.0
"""The capture processes of a box that was killed hold its lock for some moments more."""


def lock(path: Path) -> int:
    """Take the exclusive lock of a data directory; it is given back when the descriptor closes or the box dies.

    Raises:
        DataDirInUse: another process holds it.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    ends_s = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            if time.monotonic() >= ends_s:
                os.close(handle)
                raise DataDirInUse(f"{DataDirInUse.sentence()} ({path.parent})") from err
            time.sleep(0.05)
        else:
            return handle


def try_lock(folder: Path) -> int | None:
    """Take the exclusive lock of a folder, if nobody has it; it is given back when the descriptor closes."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
