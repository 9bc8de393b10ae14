"""A package as one file: every byte has its place before any is read."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.times import LAST_US, parse_us
from retention.evidence.archive import Archive, Form, Member, listed, packed, read_list, top_folder

MADE_US = parse_us("2026-11-24T08:00:02.5Z")
GIB = 1024**3
NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=150)
CONTENTS = st.dictionaries(NAMES, st.binary(max_size=1500), max_size=6)


def members_of(contents: Mapping[str, bytes]) -> list[Member]:
    return [Member(name, len(body), zlib.crc32(body)) for name, body in contents.items()]


def read(archive: Archive, contents: Mapping[str, bytes], begin: int = 0, end: int | None = None) -> bytes:
    pieces = archive.between(begin, archive.size if end is None else end)
    return b"".join(one if isinstance(one, bytes) else contents[one.member.name][one.begin : one.end] for one in pieces)


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {one.filename: archive.read(one) for one in archive.infolist()}


def untarred(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {}
        for one in archive:
            stream = archive.extractfile(one)
            assert stream is not None
            found[one.name] = stream.read()
        return found


@given(CONTENTS)
def test_what_is_packed_comes_out(contents: dict[str, bytes]) -> None:
    """By readers that this project did not write, in both forms, under one folder."""
    expected = {f"top/{name}": body for name, body in contents.items()}
    for form, reader in ((Form.ZIP, unzipped), (Form.TAR, untarred)):
        archive = packed(form, "top", members_of(contents), MADE_US)
        data = read(archive, contents)

        assert len(data) == archive.size
        assert reader(data) == expected


@given(CONTENTS, st.sampled_from(Form), st.data())
def test_a_part_is_a_part_of_the_whole(contents: dict[str, bytes], form: Form, data: st.DataObject) -> None:
    """Whatever range is asked for, it is what the whole has there: a download goes on where it broke off."""
    archive = packed(form, "top", members_of(contents), MADE_US)
    begin = data.draw(st.integers(0, archive.size))
    end = data.draw(st.integers(begin, archive.size))

    assert read(archive, contents, begin, end) == read(archive, contents)[begin:end]


@pytest.mark.parametrize("form", Form)
def test_a_part_reads_no_more_than_it_is(form: Form) -> None:
    """Of other files not a byte is asked for, and of its own no more than the range."""
    archive = packed(form, "top", [Member("a", 10 * GIB, 1), Member("b", 10 * GIB, 2)], MADE_US)

    (one,) = archive.between(12 * GIB, 12 * GIB + 5)

    assert not isinstance(one, bytes)
    assert (one.member.name, one.end - one.begin, one.is_whole) == ("b", 5, False)


def test_the_same_package_is_the_same_bytes() -> None:
    """Its time is that of its making, its modes are fixed; another hash of a file is another archive."""
    for form in Form:
        one, two = (packed(form, "top", [Member("a", 5, 7)], MADE_US) for _ in range(2))
        assert (one.digest, read(one, {"a": b"hello"})) == (two.digest, read(two, {"a": b"hello"}))
    other = packed(Form.ZIP, "top", [Member("a", 5, 8)], MADE_US)
    assert other.digest != packed(Form.ZIP, "top", [Member("a", 5, 7)], MADE_US).digest

    with zipfile.ZipFile(
        io.BytesIO(read(packed(Form.ZIP, "top", [Member("a", 0, 0)], MADE_US), {"a": b""}))
    ) as archive:
        (info,) = archive.infolist()
        assert (info.date_time, info.external_attr >> 16) == ((2026, 11, 24, 8, 0, 2), 0o100644)
        assert info.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize("made_us", [0, LAST_US])
def test_a_time_that_a_zip_cannot_write(made_us: int) -> None:
    """A clock that stood at 1970 or in 9999: there is an archive all the same."""
    archive = packed(Form.ZIP, "top", [Member("a", 1, zlib.crc32(b"x"))], made_us)

    assert unzipped(read(archive, {"a": b"x"})) == {"top/a": b"x"}


def sparse(path: Path, archive: Archive) -> None:
    """The archive with files that are all zeros, which take no room."""
    with path.open("wb") as out:
        for one in archive.between(0, archive.size):
            if isinstance(one, bytes):
                out.write(one)
            else:
                out.seek(one.end - one.begin, io.SEEK_CUR)
        out.truncate(archive.size)


def test_more_than_four_gib_in_zip(tmp_path: Path) -> None:
    """A large file, one that begins behind four GiB, and a directory that does: ZIP64 (APPNOTE 4.5.3, 4.3.14)."""
    members = [
        Member("small", 3, zlib.crc32(bytes(3))),
        Member("large", 5 * GIB, 0),
        Member("late", 3, zlib.crc32(bytes(3))),
    ]
    archive = packed(Form.ZIP, "top", members, MADE_US)
    sparse(tmp_path / "x.zip", archive)

    with zipfile.ZipFile(tmp_path / "x.zip") as found:
        infos = {one.filename: one for one in found.infolist()}
        assert infos["top/large"].file_size == 5 * GIB
        assert infos["top/late"].header_offset > 5 * GIB
        assert found.read("top/late") == bytes(3)
        with found.open("top/large") as stream:
            assert stream.read(100) == bytes(100)


def test_more_than_eight_gib_in_tar(tmp_path: Path) -> None:
    """A size that the old header has no digits for: pax."""
    members = [Member("large", 9 * GIB, 0), Member("late", 3, 0)]
    archive = packed(Form.TAR, "top", members, MADE_US)
    sparse(tmp_path / "x.tar", archive)

    with tarfile.open(tmp_path / "x.tar") as found:
        assert {one.name: one.size for one in found} == {"top/large": 9 * GIB, "top/late": 3}
    assert archive.size % tarfile.RECORDSIZE == 0


def test_more_files_than_an_old_zip_could_count() -> None:
    """A month of one camera is 43 200 originals; two months are more than 65 535 (APPNOTE 4.3.14)."""
    contents = {f"media/{n}": b"" for n in range(70_000)}
    data = read(packed(Form.ZIP, "top", members_of(contents), MADE_US), contents)

    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert len(found.infolist()) == 70_000


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("2026-114", "2026-114-export-7"),
        ("案件 2026/114", "案件-2026-114-export-7"),
        ("../../etc/passwd", "etc-passwd-export-7"),
        ("", "export-7"),
        ("\u202e\x00…", "export-7"),
        ("x" * 2000, "x" * 50 + "-export-7"),
    ],
)
def test_a_folder_is_named_for_its_case(case: str, name: str) -> None:
    """As far as every file system can write it; the number tells it from all others."""
    assert top_folder(case, 7) == name


@given(st.text())
def test_no_case_makes_a_name_that_a_disk_refuses(case: str) -> None:
    """One part of a path, no longer than 255 bytes with what is put behind it, and never hidden."""
    name = top_folder(case, 2**53)

    assert len(f"{name}.zip".encode()) <= 255
    assert not set(name) & set('/\\:*?"<>|.\0\n ')
    assert not name.startswith("-")


@given(CONTENTS)
def test_a_list_is_read_back(contents: dict[str, bytes]) -> None:
    """Names, sizes and CRC-32 as they were."""
    members = members_of(contents)
    if members:
        assert read_list(listed(members)) == members


@pytest.mark.parametrize("text", [b"", b"\n", b"00000000 1 a", b"0000000 1 a\n", b"00000000 01 a\n", b"\xff\n"])
def test_a_list_that_cannot_be_read(text: bytes) -> None:
    """It is refused, and nothing is handed out by it."""
    with pytest.raises(ValueError):
        read_list(text)
