"""``custos log page`` as its user sees it: printed, scanned, and compared with the log that is there now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pypdfium2
import pytest

from config.errors import ExitCode
from recorder.store.log.keys import load_key
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.export import Wanted, export
from tests.fakes.box import new_store, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock
from tests.fakes.terminal import Ended, Run
from tests.forgeries.packages import resign
from tests.unit.retention.test_paper import text_of

Page = Callable[..., Ended]


@pytest.fixture
def page(run: Run) -> Page:
    """Runs `custos log page`."""
    return partial(run, "log", "page")


def grown(store: Store, clock: FakeClock, seconds: int) -> None:
    """So many seconds are recorded and signed."""
    record(store, clock, SECOND * seconds)
    store.checkpoint()


@pytest.fixture
def box(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """A box that has recorded a little, open as the running box has it: its lock is held."""
    store = new_store(tmp_path, clock, "gate")
    grown(store, clock, 4)
    yield store
    store.close()


def test_a_page_is_printed_and_read_back(page: Page, box: Store, tmp_path: Path) -> None:
    """Beside a running box, into a file with a date; the file says what the box is, and that nothing has changed."""
    made = page("--json")
    assert made.code == 0, made.err
    facts = json.loads(made.out)
    (pdf,) = tmp_path.glob("custos-*.pdf")
    assert facts["file"] == pdf.name
    assert pdf.name.startswith(f"custos-{box.box_id}-20")
    assert box.checkpoint_text().split("\n")[2] in text_of(pdf.read_bytes())

    told = page("--check", pdf.name)
    assert told.code == 0
    assert told.out.startswith("Unchanged")
    assert "未被改动" in told.out


def test_a_box_that_does_not_run_prints_and_reads_too(page: Page, box: Store, tmp_path: Path) -> None:
    """Nobody is asked: the data directory is read."""
    box.close()
    assert page("--out", "page.pdf").code == 0
    assert json.loads(page("--check", "page.pdf", "--json").out)["result"] == "unchanged"


def test_a_scanned_text_is_checked(page: Page, box: Store, tmp_path: Path) -> None:
    """From a file, and from standard input."""
    (tmp_path / "scan.txt").write_text(box.checkpoint_text())

    assert page("--check", "scan.txt").code == 0
    assert page("--check", "-", typed=box.checkpoint_text().replace("\n", "\r\n").encode()).code == 0


def test_a_picture_of_the_page_is_checked(page: Page, box: Store, tmp_path: Path) -> None:
    """As a telephone takes it."""
    page("--out", "page.pdf")
    document = pypdfium2.PdfDocument(tmp_path / "page.pdf")
    document[0].render(scale=2.5).to_pil().save(tmp_path / "photo.jpg", quality=60)
    document.close()

    assert page("--check", "photo.jpg").code == 0


def test_a_log_that_grew_since_is_unchanged(page: Page, box: Store, clock: FakeClock) -> None:
    """Its old root is made anew from the tiles, over the borders of several of them; both sizes are told."""
    page("--out", "page.pdf")
    size = box.log_size
    for _ in range(300):
        box.note("finding", {"what": "test"})
    box.checkpoint()
    told = page("--check", "page.pdf")

    assert told.code == 0
    assert str(size) in told.out
    assert str(size + 301) in told.out


def test_a_log_that_was_rewritten_with_its_own_key_is_told(
    page: Page, box: Store, clock: FakeClock, tmp_path: Path
) -> None:
    """The owner puts back yesterday's disk and records another today, longer than the first: the book knows."""
    shutil.copytree(tmp_path / "data", tmp_path / "yesterday")
    grown(box, clock, 3)
    page("--out", "page.pdf")
    box.close()
    other = Store.open(tmp_path / "yesterday", clock)
    grown(other, clock, 9)
    grown(other, clock, 9)
    other.close()
    told = page("--check", "page.pdf", "--data-dir", str(tmp_path / "yesterday"))

    assert told.code == ExitCode.FINDINGS
    assert told.out.startswith("REWRITTEN")
    assert "已被改写" in told.out


def test_a_log_whose_tail_was_cut_off_is_told(page: Page, box: Store, clock: FakeClock, tmp_path: Path) -> None:
    """An older copy of the disk stands in the place of the newer."""
    shutil.copytree(tmp_path / "data", tmp_path / "yesterday")
    grown(box, clock, 3)
    page("--out", "page.pdf")
    told = page("--check", "page.pdf", "--data-dir", str(tmp_path / "yesterday"), "--json")

    assert told.code == ExitCode.FINDINGS
    assert json.loads(told.out)["result"] == "cut_off"


def test_a_page_of_another_box_is_told(page: Page, box: Store, clock: FakeClock, tmp_path: Path) -> None:
    """It proves nothing of this one."""
    page("--out", "page.pdf")
    other = new_store(tmp_path / "other", clock)
    other.close()
    told = page("--check", "page.pdf", "--data-dir", str(tmp_path / "other" / "data"))

    assert told.code == ExitCode.FINDINGS
    assert told.out.startswith("Another box's")
    assert "另一台录像机" in told.out


def test_a_page_with_a_character_changed_is_told(page: Page, box: Store) -> None:
    """Misread, or made up."""
    note = box.checkpoint_text().split("\n")
    note[1] = str(int(note[1]) - 1)
    told = page("--check", "-", typed="\n".join(note).encode())

    assert told.code == ExitCode.FINDINGS
    assert told.out.startswith("NOT SIGNED")


def test_a_tile_that_was_edited_is_told(page: Page, box: Store, tmp_path: Path) -> None:
    """The stored log no longer leads to its own checkpoint: the page is not to blame, and fsck says more."""
    page("--out", "page.pdf")
    (tile,) = [path for path in (tmp_path / "data/log/tile/0").rglob("*") if path.is_file()]
    content = bytearray(tile.read_bytes())
    content[3] ^= 1
    tile.write_bytes(content)
    told = page("--check", "page.pdf")

    assert told.code == ExitCode.FINDINGS
    assert told.out.startswith("DAMAGED")
    assert "custos fsck" in told.out


def test_what_is_no_page_is_told(page: Page, box: Store, tmp_path: Path) -> None:
    """In a sentence that says what to do, in both languages; a file that is not there is another thing."""
    (tmp_path / "letter.txt").write_text("dear sir")
    ended = page("--check", "letter.txt")
    assert ended.code == ExitCode.FINDINGS
    assert "scan the page's QR code again" in ended.err
    assert "二维码" in ended.err
    missing = page("--check", "nowhere.pdf")
    assert missing.code == ExitCode.USAGE
    assert "nowhere.pdf" in missing.err


def test_a_file_that_is_there_is_left_as_it_is(page: Page, box: Store, tmp_path: Path) -> None:
    """A page that somebody has named is not written over."""
    (tmp_path / "mine.pdf").write_text("mine")
    ended = page("--out", "mine.pdf")

    assert ended.code == ExitCode.REFUSED
    assert (tmp_path / "mine.pdf").read_text() == "mine"


def test_printing_and_checking_are_two_things(page: Page, box: Store) -> None:
    """Both at once is wrong use."""
    assert page("--out", "a.pdf", "--check", "b.pdf").code == ExitCode.USAGE


def test_who_verifies_a_package_is_told_of_another_print(
    run: Run, box: Store, clock: FakeClock, tmp_path: Path
) -> None:
    """Good, since files.csv is what is checked; and a remark, before somebody signs the PDF."""
    begun_us = box.cameras.get("gate").registered_us
    folder = tmp_path / "package"
    export(box, Wanted("gate", begun_us, begun_us + 2_000_000, "案件 7"), folder, clock, "0.0.0")
    (folder / package.FILES_PRINT).write_bytes(b"%PDF-1.4 another")
    resign(folder, load_key(box.layout.key))
    ended = run("verify", str(folder), "--fingerprint", box.fingerprint)
    as_json = run("verify", str(folder), "--fingerprint", box.fingerprint, "--json")

    assert ended.code == 0
    assert "Remark 提示 files.pdf: It is not what this version prints" in ended.out
    assert [one["file"] for one in json.loads(as_json.out)["remarks"]] == ["files.pdf"]
