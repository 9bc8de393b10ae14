"""A package that came as one file: good where it is, refused where it is not, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.errors import StorageFull
from recorder.store.store import Store
from retention.evidence.archive import Form, packed, read_list
from retention.evidence.export import Wanted, export
from retention.evidence.handing import Packed, list_of, sent
from retention.evidence.unpacking import verify_archive
from tests.fakes.box import new_store, record, segments
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path]:
    clock, place = FakeClock(), tmp_path_factory.mktemp("made")
    store = new_store(place, clock, "gate")
    clock.advance(2)
    record(store, clock, SECOND * 6)
    found = segments(store, clock)
    export(store, Wanted("gate", found[0].t0_us, found[-1].t1_us, "7"), place / "package", clock, "0")
    return store, place / "package"


def written(folder: Path, place: Path, form: Form) -> Path:
    archive = packed(form, "top", read_list(list_of(folder).read_bytes()), 0)
    path = place / f"p.{form.value}"
    path.write_bytes(b"".join(sent(Packed(folder, archive, "", "", ""), 0, archive.size)))
    return path


@pytest.mark.parametrize("form", Form)
def test_a_package_as_one_file_is_good(made: tuple[Store, Path], tmp_path: Path, form: Form) -> None:
    """As it was handed out; and nothing is left beside it."""
    store, folder = made
    path = written(folder, tmp_path, form)

    assert verify_archive(path, store.fingerprint).is_good
    assert list(tmp_path.iterdir()) == [path]
    assert not verify_archive(path, "00" * 32).is_good


def test_a_package_that_somebody_zipped_is_good(made: tuple[Store, Path], tmp_path: Path) -> None:
    """Compressed, with entries for its folders: it is the files that count."""
    store, folder = made
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"my folder/{path.relative_to(folder)}")

    assert verify_archive(tmp_path / "x.zip", store.fingerprint).is_good


def a_byte_is_flipped(data: bytes) -> bytes:
    at = data.index(b"mdat") + 100
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def the_end_is_cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def it_is_something_else(data: bytes) -> bytes:
    return b"not an archive"


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("forge", [a_byte_is_flipped, the_end_is_cut_off, it_is_something_else])
def test_a_file_that_was_damaged(
    made: tuple[Store, Path], tmp_path: Path, form: Form, forge: Callable[[bytes], bytes]
) -> None:
    """It is not good, and why is said."""
    store, folder = made
    path = written(folder, tmp_path, form)
    path.write_bytes(forge(path.read_bytes()))
    verdict = verify_archive(path, store.fingerprint)

    assert not verdict.is_good
    assert verdict.objections[0].what
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("top/../../planted", "such a name"),
        ("/top/planted", "such a name"),
        ("top/note.txt", "such a name"),
        ("other/README.txt", "one folder"),
        ("top/README.txt", "twice"),
    ],
)
def test_an_entry_that_no_package_has(made: tuple[Store, Path], tmp_path: Path, name: str, what: str) -> None:
    """It is named, and nothing is written outside."""
    store, folder = made
    zipped, tarred = (written(folder, tmp_path, form) for form in Form)
    with zipfile.ZipFile(zipped, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile does not like what the forger does
        archive.writestr(name, "planted")
    with tarfile.open(tarred, "a") as tar:
        info = tarfile.TarInfo(name)
        info.size = 7
        tar.addfile(info, io.BytesIO(b"planted"))

    for path in (zipped, tarred):
        (problem,) = verify_archive(path, store.fingerprint).problems
        assert (problem.file, what in problem.what) == (name, True)
    assert not list(tmp_path.rglob("planted"))


@pytest.mark.parametrize("name", ["top/holiday/", "top/keys/more/", "top/../up/", "other/", "other/keys/"])
def test_an_empty_folder_that_no_package_has(made: tuple[Store, Path], tmp_path: Path, name: str) -> None:
    """It would show once the package is unpacked, and shows before: all verifiers say the same of the same thing."""
    store, folder = made
    zipped, tarred = (written(folder, tmp_path, form) for form in Form)
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.mkdir(name)
    with tarfile.open(tarred, "a") as tar:
        info = tarfile.TarInfo(name.rstrip("/"))
        info.type = tarfile.DIRTYPE
        tar.addfile(info)

    for path in (zipped, tarred):
        (problem,) = verify_archive(path, store.fingerprint).problems
        assert problem.file.rstrip("/") == name.rstrip("/")
        assert "folder" in problem.what


@pytest.mark.parametrize("name", ["top/", "top/keys/", "top/media/"])
def test_a_folder_that_a_package_has(made: tuple[Store, Path], tmp_path: Path, name: str) -> None:
    """Programs that pack a folder name the folders in it too."""
    store, folder = made
    path = written(folder, tmp_path, Form.ZIP)
    with zipfile.ZipFile(path, "a") as archive:
        archive.mkdir(name)

    assert verify_archive(path, store.fingerprint).is_good


def test_a_link_in_a_tar(made: tuple[Store, Path], tmp_path: Path) -> None:
    """It could lead anywhere, and is refused."""
    store, folder = made
    path = written(folder, tmp_path, Form.TAR)
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo("top/verify.py")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    (problem,) = verify_archive(path, store.fingerprint).problems

    assert problem.what == "It is neither a file nor a folder."


def test_a_file_with_holes_in_a_tar(made: tuple[Store, Path], tmp_path: Path) -> None:
    """A kilobyte that unpacks to gigabytes of nothing is refused before."""
    store, folder = made
    path = written(folder, tmp_path, Form.TAR)
    holes = tmp_path / "holes"
    with holes.open("wb") as stream:
        stream.truncate(10**9)
    subprocess.run(
        [
            "tar",
            "--append",
            "--sparse",
            f"--file={path}",
            "--transform=s|holes|top/custody.jsonl|",
            "-C",
            tmp_path,
            "holes",
        ],
        check=True,
    )
    holes.unlink()
    (problem,) = verify_archive(path, store.fingerprint).problems

    assert problem.what == "It is neither a file nor a folder."


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_is_compressed_in_another_way(made: tuple[Store, Path], tmp_path: Path, kind: int) -> None:
    """No file manager writes it, and it is not unpacked."""
    store, folder = made
    with zipfile.ZipFile(tmp_path / "x.zip", "w", kind) as archive:
        archive.write(folder / "README.txt", "top/README.txt")
    (problem,) = verify_archive(tmp_path / "x.zip", store.fingerprint).problems

    assert "compressed" in problem.what


@pytest.mark.parametrize("name", ["x.tgz", "x.zip"])
def test_an_archive_of_another_kind(made: tuple[Store, Path], tmp_path: Path, name: str) -> None:
    """One that is compressed as a whole is not unpacked to find out what it is."""
    store, folder = made
    path = tmp_path / name
    path.write_bytes(gzip.compress(written(folder, tmp_path, Form.TAR).read_bytes(), 1))
    (problem,) = verify_archive(path, store.fingerprint).problems

    assert "not compressed" in problem.what


def test_there_is_no_room_to_unpack(made: tuple[Store, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an error of the disk, not of the package."""
    store, folder = made
    path = written(folder, tmp_path, Form.ZIP)

    def full(*facts: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retention.evidence.unpacking.shutil.copyfileobj", full)
    with pytest.raises(StorageFull):
        verify_archive(path, store.fingerprint)
    assert list(tmp_path.iterdir()) == [path]
