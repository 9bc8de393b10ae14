"""What the bytes of a file hash to, read once and past the page cache."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import StorageError, StoreError
from recorder.store import files
from recorder.store.log.sm3 import sm3

READ_BYTES = 1024 * 1024
"""Hashed at a time: large enough that Python costs nothing, small enough for any machine."""

AHEAD = 2
"""Files that are hashed ahead of whoever looks at the results, for each processor."""


@dataclass(frozen=True)
class Hashes:
    """What the bytes of a file hash to, in hex."""

    sha256: str
    sm3: str | None = None
    """None: it was not asked for."""


def sha256_of(path: Path) -> str:
    """The file's SHA-256, read in pieces.

    Raises:
        StorageError: it cannot be read.
    """
    return hashes_of(path, with_sm3=False).sha256


def hashes_of(path: Path, *, with_sm3: bool, passed: Callable[[int], None] = lambda count: None) -> Hashes:
    """The file's SHA-256, and its SM3 where that is asked for; read once, in pieces, past the page cache.

    `passed` is told how many bytes each piece had, and may take its time: the next one is read when it returns.

    Raises:
        StorageError: it cannot be read. Sm3Unavailable: there is no SM3 here.
    """
    digest, second = hashlib.sha256(), sm3() if with_sm3 else None
    for piece in files.pieces(path, bytearray(READ_BYTES)):
        digest.update(piece)
        if second is not None:
            second.update(piece)
        passed(len(piece))
    return Hashes(digest.hexdigest(), None if second is None else second.hexdigest())


def hashed(paths: Iterable[Path], *, with_sm3: bool = False) -> Iterator[Hashes | StoreError]:
    """The hashes of each file, in order, or why it cannot be read; by all processors, a few files ahead."""
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores, "hash") as pool:
        waiting: deque[Future[Hashes | StoreError]] = deque()
        for path in paths:
            waiting.append(pool.submit(_hash_or_why_not, path, with_sm3))
            if len(waiting) > AHEAD * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _hash_or_why_not(path: Path, with_sm3: bool) -> Hashes | StoreError:
    try:
        return hashes_of(path, with_sm3=with_sm3)
    except StorageError as err:
        return err
