"""A package handed out as one file: real packages of a real store, unpacked by programs of others."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from config.times import SECOND_US
from recorder.errors import ExportNotDone, PackageDamaged, PackageRemoved, StorageError, StorageFull
from recorder.store.places import Space
from recorder.store.pressure import reserve_bytes
from recorder.store.records import Export, ExportState
from recorder.store.store import Store
from retention.evidence.archive import Form, read_list
from retention.evidence.handing import READ_BYTES, Packed, keep_list, list_of, pack, sent
from retention.evidence.jobs import Exporter, folder_of
from retention.evidence.reading import verify_package
from retention.evidence.unpacking import verify_archive
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

CASE = "案件 2026/114 “东门”"
TOP = "案件-2026-114-东门-export-1"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    clock = FakeClock()
    made = new_store(tmp_path, clock, "gate")
    clock.advance(2)
    record(made, clock, SECOND * 8)
    made.checkpoint()
    begun_us = made.cameras.get("gate").registered_us + 3 * SECOND_US
    made.exports.ask("gate.main", begun_us, segments(made, clock)[-1].t1_us, CASE, "letter")
    Exporter(made, clock, "0").run()
    return made


def done(store: Store) -> tuple[Export, Path]:
    one = store.exports.get(1)
    assert one.state is ExportState.DONE, one
    return one, folder_of(store, one)


def written(one: Packed, place: Path) -> Path:
    path = place / one.file_name
    with path.open("wb") as out:
        out.writelines(sent(one, 0, one.archive.size))
    return path


Unpack = Callable[[Path, Path], None]


def run(*command: str | Path) -> None:
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}  # bsdtar leaves out names that the locale cannot write
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environ)


UNPACKERS: dict[str, tuple[Form, Unpack]] = {
    "unzip": (Form.ZIP, lambda file, to: run("unzip", "-q", file, "-d", to)),
    "bsdtar of a zip": (Form.ZIP, lambda file, to: run("bsdtar", "-xf", file, "-C", to)),
    "python -m zipfile": (Form.ZIP, lambda file, to: run(sys.executable, "-m", "zipfile", "-e", file, to)),
    "tar": (Form.TAR, lambda file, to: run("tar", "-xf", file, "-C", to)),
    "bsdtar of a tar": (Form.TAR, lambda file, to: run("bsdtar", "-xf", file, "-C", to)),
    "python -m tarfile": (Form.TAR, lambda file, to: run(sys.executable, "-m", "tarfile", "-e", file, to)),
}


@pytest.mark.parametrize("name", UNPACKERS)
def test_what_is_unpacked_verifies(store: Store, tmp_path: Path, name: str) -> None:
    """By all three verifiers, whichever program took it apart; the case stands in the name in its own script."""
    form, unpack = UNPACKERS[name]
    one, folder = done(store)
    found = pack(one, folder, form)
    place = tmp_path / "unpacked"
    place.mkdir()
    unpack(written(found, tmp_path), place)
    (unpacked,) = place.iterdir()

    assert found.file_name == f"{TOP}.{form.value}"
    assert unpacked.name == TOP
    assert verify_package(unpacked, store.fingerprint).is_good
    run("sh", unpacked / "verify.sh", store.fingerprint)
    run(sys.executable, unpacked / "verify.py", store.fingerprint)
    for path in folder.rglob("*"):
        if path.is_file():
            assert (unpacked / path.relative_to(folder)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("form", Form)
def test_its_length_is_known_and_any_part_of_it_is_the_same(store: Store, form: Form) -> None:
    """What a range gives is what the whole has there; the name of the bytes stays while they do."""
    one, folder = done(store)
    found = pack(one, folder, form)
    whole = b"".join(sent(found, 0, found.archive.size))

    assert len(whole) == found.archive.size
    for begin in (0, 1, 511, len(whole) // 2, len(whole) - 30):
        assert b"".join(sent(found, begin, len(whole))) == whole[begin:]
    assert (
        pack(one, folder, form).etag == found.etag != pack(one, folder, Form.TAR if form is Form.ZIP else Form.ZIP).etag
    )


def test_one_file_of_it_is_larger_than_four_gib(store: Store, tmp_path: Path) -> None:
    """As the film of a long run is: Python reads it, unzip what lies behind; no more than a piece is in memory."""
    one, folder = done(store)
    film = next(folder.rglob("play-*.mp4"))
    size = 2**32 + 5
    os.truncate(film, size)
    keep_list(folder, {})
    found = pack(one, folder, Form.ZIP)
    path, pieces, zeros = tmp_path / found.file_name, 0, bytes(READ_BYTES)
    with path.open("wb") as out:
        for piece in sent(found, 0, found.archive.size):
            assert len(piece) <= READ_BYTES
            if piece == zeros[: len(piece)]:  # so that the archive takes no room either
                out.seek(len(piece), os.SEEK_CUR)
            else:
                out.write(piece)
            pieces += 1
        out.truncate(found.archive.size)

    assert pieces > size / READ_BYTES
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
    assert infos[f"{TOP}/{film.relative_to(folder)}"].file_size == size
    run("unzip", "-tqq", path, f"{TOP}/timeline.csv", f"{TOP}/说明.txt")  # what lies behind it


@pytest.mark.parametrize("state", sorted(set(ExportState) - {ExportState.DONE, ExportState.REMOVED}))
def test_an_export_that_is_not_done(store: Store, state: ExportState) -> None:
    """There is no package of it, whatever lies there."""
    one, folder = done(store)
    with pytest.raises(ExportNotDone, match=f"Export 1 is {state.value}"):
        pack(replace(one, state=state), folder, Form.ZIP)


def test_a_package_that_was_removed(store: Store) -> None:
    """That is told as such."""
    one, folder = done(store)
    with pytest.raises(PackageRemoved):
        pack(replace(one, state=ExportState.REMOVED), folder, Form.ZIP)


def a_film_is_gone(folder: Path) -> None:
    next(folder.rglob("play-*.mp4")).unlink()


def an_original_is_shorter(folder: Path) -> None:
    path = next(folder.rglob("[0-9]*.mp4"))
    os.truncate(path, path.stat().st_size - 1)


def an_original_is_a_link(folder: Path) -> None:
    path = next(folder.rglob("[0-9]*.mp4"))
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def the_list_is_gone(folder: Path) -> None:
    list_of(folder).unlink()


def the_list_cannot_be_read(folder: Path) -> None:
    list_of(folder).write_bytes(b"nothing\n")


def the_claim_cannot_be_read(folder: Path) -> None:
    (folder / "claim.json").write_bytes(b"{}")


@pytest.mark.parametrize(
    "damage",
    [
        shutil.rmtree,
        a_film_is_gone,
        an_original_is_shorter,
        an_original_is_a_link,
        the_list_is_gone,
        the_list_cannot_be_read,
        the_claim_cannot_be_read,
    ],
)
def test_a_package_that_is_not_as_it_was_written(store: Store, damage: Callable[[Path], None]) -> None:
    """It is refused before the first byte."""
    one, folder = done(store)
    damage(folder)
    with pytest.raises(PackageDamaged):
        pack(one, folder, Form.ZIP)


@pytest.mark.parametrize("form", Form)
def test_a_file_that_was_changed_in_its_place(store: Store, form: Form) -> None:
    """Its size is right, and its bytes are not: the answer ends before the last of them."""
    one, folder = done(store)
    path = next(folder.rglob("[0-9]*.mp4"))
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    found, got = pack(one, folder, form), bytearray()

    with pytest.raises(PackageDamaged, match=path.name):
        got.extend(itertools.chain.from_iterable(sent(found, 0, found.archive.size)))

    assert len(got) < found.archive.size


def test_a_file_that_goes_while_it_is_sent(store: Store) -> None:
    """It became shorter, or the package was removed: an error, never fewer bytes."""
    one, folder = done(store)
    found = pack(one, folder, Form.ZIP)
    path = next(folder.rglob("[0-9]*.mp4"))
    os.truncate(path, 100)
    with pytest.raises(PackageDamaged, match="ends too early"):
        list(sent(found, 0, found.archive.size))
    shutil.rmtree(folder)
    with pytest.raises(StorageError):
        list(sent(found, 0, found.archive.size))


def test_the_list_is_what_is_there(store: Store) -> None:
    """Of what passed while the package was written the CRC-32 was kept; read again it is the same."""
    _, folder = done(store)
    kept = list_of(folder).read_bytes()
    keep_list(folder, {})

    assert list_of(folder).read_bytes() == kept
    assert {one.name for one in read_list(kept)} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }


def test_what_would_fill_the_disk_is_not_unpacked(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made the file may wish to stop recording: what does not fit beside the reserve is refused."""
    one, folder = done(store)
    path = written(pack(one, folder, Form.ZIP), tmp_path)
    monkeypatch.setattr("retention.evidence.unpacking.space_of", lambda _: Space(reserve_bytes(10**9) + 100, 10**9))

    with pytest.raises(StorageFull):
        verify_archive(path, store.fingerprint)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".custos-verify")] == []
