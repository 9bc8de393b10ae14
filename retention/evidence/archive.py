"""An evidence package as one file, ZIP or tar: where each byte of it lies, before any is read. Pure.

Entries are stored, not compressed: video does not get smaller, and so every offset follows from names and sizes alone.
The headers are those of Python's own `zipfile` (ZIP64 where a size or an offset needs it: APPNOTE 6.3.10, 4.3.14 and
4.5.3) and `tarfile` (pax, POSIX.1-2001). Both write whole archives only; here each header is asked for by itself, so
that a download can go on in the middle without what lies before it being read. The CRC-32 that ZIP wants of each file
stands in its header and in the directory at the end. Data descriptors would let it be told later, but then a range of
the end would need all media to be read. So it is computed while the package is written, when all bytes pass anyway, and
kept beside it (`listed`).
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import tarfile
import unicodedata
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from config.times import SECOND_US, to_datetime

NAME_LIMIT = 50
"""Characters of a case that its folder is named by: with four bytes each it fits the 255 of a file system's names."""

ZIP_YEARS = (1980, 2107)
"""What a time in a ZIP can be (APPNOTE 4.4.6); the box's clock may stand elsewhere."""

MODE = 0o644
"""Of every file, whatever the disk of the box says: the same package is the same bytes."""


UNIX = 3
"""The system that an entry says it was made on (APPNOTE 4.4.2.2): only then does its mode mean anything."""


class Form(StrEnum):
    """What a package may be packed as."""

    ZIP = "zip"
    TAR = "tar"

    @property
    def media_type(self) -> str:
        """As IANA registered it, or as everybody calls it."""
        return {Form.ZIP: "application/zip", Form.TAR: "application/x-tar"}[self]


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a package."""

    name: str
    bytes: int
    crc32: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes `begin` to `end` of a member, the last one not included."""

    member: Member
    begin: int
    end: int

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file."""
        return self.begin == 0 and self.end == self.member.bytes


class Archive:
    """A package as one file. Holds names, offsets and the end; headers are made again when they are read.

    Args:
        members: the files, in their order.
        head: makes what lies before a member's bytes; always the same.
        padding: bytes of zero behind a member, from its size.
        tail: makes what lies behind the last, from where it begins.
    """

    def __init__(
        self,
        members: Sequence[Member],
        head: Callable[[Member], bytes],
        padding: Callable[[int], int],
        tail: Callable[[Sequence[int]], bytes],
    ) -> None:
        self.members = members
        self._head = head
        self._padding = padding
        self._starts = [0]
        digest = hashlib.sha256()
        for member in members:
            header = head(member)
            digest.update(header)
            self._starts.append(self._starts[-1] + len(header) + member.bytes + padding(member.bytes))
        self._tail = tail(self._starts)
        digest.update(self._tail)
        self.size = self._starts[-1] + len(self._tail)
        self.digest = digest.hexdigest()
        """SHA-256 of all that is not the files themselves: with the list of their hashes it names these very bytes."""

    def between(self, begin: int, end: int) -> Iterator[bytes | Slice]:
        """What lies between two bytes, the last one not included."""
        first = max(0, bisect_right(self._starts, begin) - 1)
        for number in range(first, len(self.members) + 1):
            place = self._starts[number]
            for piece, size in self._pieces(number):
                low, high = max(begin - place, 0), min(end - place, size)
                if low < high:
                    yield piece[low:high] if isinstance(piece, bytes) else Slice(piece, low, high)
                place += size
            if place >= end:
                return

    def _pieces(self, number: int) -> Iterator[tuple[bytes | Member, int]]:
        if number == len(self.members):
            yield self._tail, len(self._tail)
            return
        member = self.members[number]
        header, padding = self._head(member), bytes(self._padding(member.bytes))
        yield header, len(header)
        yield member, member.bytes
        yield padding, len(padding)


def packed(form: Form, top: str, members: Sequence[Member], made_us: int) -> Archive:
    """All members under one folder, with the time at which the package was made."""
    return {Form.ZIP: _zip, Form.TAR: _tar}[form](top, members, made_us)


def _zip(top: str, members: Sequence[Member], made_us: int) -> Archive:
    def info(member: Member) -> zipfile.ZipInfo:
        made = zipfile.ZipInfo(f"{top}/{member.name}", _zip_time(made_us))
        made.create_system = UNIX
        made.external_attr = (stat.S_IFREG | MODE) << 16  # the upper half is Unix's
        made.CRC = member.crc32
        made.file_size = made.compress_size = member.bytes
        return made

    def directory(starts: Sequence[int]) -> bytes:
        infos = [info(member) for member in members]
        for one, start in zip(infos, starts, strict=False):
            one.header_offset = start
            one.FileHeader()  # decides which version the entry needs, and the directory repeats it
        sink = _Behind(starts[-1])
        with zipfile.ZipFile(sink, "w") as closing:
            closing.infolist().extend(infos)
        return sink.getvalue()

    return Archive(members, lambda member: info(member).FileHeader(), lambda size: 0, directory)


class _Behind(io.BytesIO):
    """A file of which the first bytes are elsewhere: what is written here is told to lie behind them."""

    def __init__(self, offset: int) -> None:
        super().__init__()
        self._offset = offset

    def tell(self) -> int:
        return self._offset + super().tell()

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        behind = place - self._offset if whence == io.SEEK_SET else place
        return self._offset + super().seek(behind, whence)


def _zip_time(made_us: int) -> tuple[int, int, int, int, int, int]:
    """UTC: the format knows no zone, and the same package must be the same bytes everywhere."""
    made = to_datetime(made_us)
    if not ZIP_YEARS[0] <= made.year <= ZIP_YEARS[1]:
        return (ZIP_YEARS[0], 1, 1, 0, 0, 0)
    return (made.year, made.month, made.day, made.hour, made.minute, made.second)


def _tar(top: str, members: Sequence[Member], made_us: int) -> Archive:
    def head(member: Member) -> bytes:
        made = tarfile.TarInfo(f"{top}/{member.name}")
        made.size, made.mtime, made.mode = member.bytes, made_us // SECOND_US, MODE
        return made.tobuf(tarfile.PAX_FORMAT)

    def tail(starts: Sequence[int]) -> bytes:
        """Two empty blocks, and more up to a whole record, as every tar writes."""
        end = starts[-1] + 2 * tarfile.BLOCKSIZE
        return bytes(end + -end % tarfile.RECORDSIZE - starts[-1])

    return Archive(members, head, lambda size: -size % tarfile.BLOCKSIZE, tail)


def top_folder(case: str, export_id: int) -> str:
    """The one folder of an archive, which is also its name: the case as far as any file system can write it, and the
    number that no other export of this box has.
    """
    plain = "".join(one if one.isalnum() else " " for one in unicodedata.normalize("NFC", case))
    named = "-".join(plain.split())[:NAME_LIMIT].strip("-")
    return f"{named}-export-{export_id}" if named else f"export-{export_id}"


_LINE = re.compile(r"([0-9a-f]{8}) (0|[1-9][0-9]{0,15}) ([^\n]+)")


def listed(members: Iterable[Member]) -> bytes:
    """A package's files with sizes and CRC-32, a line each: what is kept beside it."""
    return "".join(f"{one.crc32:08x} {one.bytes} {one.name}\n" for one in members).encode()


def read_list(text: bytes) -> list[Member]:
    """Read `listed` back.

    Raises:
        ValueError: it is not of that form.
    """
    *lines, rest = text.decode().split("\n")
    found = [_LINE.fullmatch(line) for line in lines]
    if rest or not lines or None in found:
        raise ValueError("a line cannot be read")
    return [Member(one[3], int(one[2]), int(one[1], 16)) for one in found if one]
