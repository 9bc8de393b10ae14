"""The page for the duty book: what stands on it, what becomes of it on the way back, and what it says of a log."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import pypdfium2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ExitCode
from config.times import parse_us
from recorder.store.log.errors import CheckpointForeign, TileMissing
from recorder.store.log.note import Checkpoint, open_checkpoint, sign_checkpoint
from recorder.store.log.tree import leaf_hash, root_of
from retention.evidence.dutypage import (
    SENTENCES,
    Facts,
    Outcome,
    PageUnreadable,
    compare,
    duty_page,
    grouped,
    note_from,
)
from retention.evidence.paper import NoteTooLong
from retention.evidence.scanning import read_page
from tests.unit.retention.test_paper import text_of

ORIGIN = "custos/0123456789abcdef"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LEAVES = [leaf_hash(b"%d" % n) for n in range(600)]
ZONE = ZoneInfo("Asia/Shanghai")


def opened(note: str) -> Checkpoint:
    return open_checkpoint(note, ORIGIN, KEY.public_key())


def root_at(size: int) -> bytes:
    return root_of(LEAVES[:size])


def note_of(size: int, root: bytes | None = None, origin: str = ORIGIN, key: Ed25519PrivateKey = KEY) -> str:
    return sign_checkpoint(Checkpoint(origin, size, root_at(size) if root is None else root), key)


def witnessed(note: str, count: int, name: str = "witness.example") -> str:
    signature = base64.b64encode(bytes(76)).decode()
    return note + "".join(f"— {name}/{number} {signature}\n" for number in range(count))


FINGERPRINT = "6e880cb3c6ec1da8df9a07a9b8607a62f59d7083130160a14ca44085403be019"


def facts(note: str = "", name: str = "东门 front gate") -> Facts:
    return Facts(
        box="0123456789abcdef",
        name=name,
        origin=ORIGIN,
        fingerprint=FINGERPRINT,
        first_fingerprint=FINGERPRINT,
        note=note or note_of(300),
        size=300,
        signed_us=parse_us("2026-11-26T11:28:18Z"),
        printed_us=parse_us("2026-11-26T11:29:00Z"),
        program="0.1.0",
    )


def test_the_page_of_a_box_whose_key_was_replaced() -> None:
    """It names the first key too, which is the one that the papers have; a box with one key is not asked to choose."""
    replaced = duty_page(replace(facts(), first_fingerprint="ab" * 32), ZONE)

    assert "abab abab" in text_of(replaced)
    assert "Its first" in text_of(replaced)
    assert "Its first" not in text_of(duty_page(facts(), ZONE))


def test_the_page_says_which_box_and_which_checkpoint() -> None:
    """One page, in both languages: box, log, fingerprint in groups, times, the note line by line, two signers."""
    pdf = duty_page(facts(), ZONE)
    text = text_of(pdf)
    lines = [line.strip() for line in text.split("\n")]

    assert len(pypdfium2.PdfDocument(pdf)) == 1
    assert "值班日志附页" in text
    assert "for the duty book" in text
    assert "2026-11-26 19:29:00 +0800 Asia/Shanghai" in text
    assert "2026-11-26T11:28:18.000000Z" in text
    for line in (*grouped(facts().fingerprint), "东门 front gate"):
        assert line in text
    for line in note_of(300).split("\n"):
        assert not line or line in lines, line
    for who in ("值班员 On duty", "核对人 Second person"):
        assert who in text
    assert text.count("签名 Signature") == 2


def test_the_code_holds_the_whole_note() -> None:
    """Scanned from the page as it is printed, with the lines of witnesses."""
    note = witnessed(note_of(300), 3)

    assert read_page(duty_page(facts(note), ZONE)) == note


def test_the_same_facts_give_the_same_page() -> None:
    """Nothing on it comes from elsewhere."""
    assert duty_page(facts(), ZONE) == duty_page(facts(), ZONE)


@pytest.mark.parametrize("name", ["长" * 500, "x" * 500, "\n\u202e😀", ""], ids=["han", "latin", "odd", "none"])
@pytest.mark.parametrize("witness", ["w.example", "a.very.long.name.of.a.witness.at.another.place.example/2026"])
def test_what_is_long_stays_on_the_page(name: str, witness: str) -> None:
    """A box may have any name, and witnesses long ones: nothing leaves the margins, and the code is read."""
    note = witnessed(note_of(300), 6, witness)
    pdf = duty_page(facts(note, name), ZONE)
    document = pypdfium2.PdfDocument(pdf)
    text = document[0].get_textpage()
    rights = [text.get_charbox(index)[2] for index in range(text.count_chars())]
    width = document[0].get_size()[0]
    count = len(document)
    document.close()

    assert count == 1
    assert max(rights) <= width - 40
    assert read_page(pdf) == note


def test_a_note_that_no_code_holds_is_refused() -> None:
    """Better none than one that cannot be read back."""
    with pytest.raises(NoteTooLong):
        duty_page(facts(witnessed(note_of(300), 20)), ZONE)


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda note: note,
    "lines as Windows ends them": lambda note: note.replace("\n", "\r\n"),
    "without its last line break": lambda note: note.rstrip("\n"),
    "without the empty line": lambda note: note.replace("\n\n", "\n"),
    "all in one line": lambda note: note.replace("\n", " "),
    "typed with a hyphen": lambda note: note.replace("—", "-"),
    "typed with two hyphens": lambda note: note.replace("—", "--"),
    "with a mark of its encoding": lambda note: "\ufeff" + note,
    "with spaces around": lambda note: f"  \n\t{note}\n\n",
}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_note_comes_back_whatever_carried_it(way: str) -> None:
    """Telephones and people change its white space and its dash; the signature is over the exact text all the same."""
    note = witnessed(note_of(300), 1)

    assert note_from(WAYS[way](note)) == note


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "https://example.org/a b c d e f",
        "a 1 b — c",
        note_of(3).split("—")[0],
        note_of(3) + "— x",
        "\0" * 9,
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    """With what to do."""
    with pytest.raises(PageUnreadable, match="scan the page's QR code again") as caught:
        note_from(text)
    assert caught.value.exit_code is ExitCode.FINDINGS


@given(st.text(max_size=300))
def test_any_text_is_a_note_or_refused(text: str) -> None:
    """No other way out."""
    try:
        note = note_from(text)
    except PageUnreadable:
        return
    assert note_from(note) == note


@pytest.mark.parametrize(("page", "now"), [(1, 1), (300, 300), (1, 600), (255, 257), (256, 512), (300, 599)])
def test_a_log_that_only_grew_is_unchanged(page: int, now: int) -> None:
    """Of the same size, or any larger one."""
    told = compare(note_of(page), note_of(now), opened, root_at)

    assert told.outcome is Outcome.UNCHANGED
    assert told.page is not None
    assert told.now is not None
    assert (told.page.size, told.now.size) == (page, now)


@given(st.integers(1, 400), st.integers(0, 399), st.integers(0, 200))
def test_a_log_of_other_entries_is_rewritten(size: int, edited: int, more: int) -> None:
    """Whichever entry below the page's size was edited, whoever signed it anew; above it nobody has said anything."""
    leaves = [leaf_hash(b"%d%s" % (n, b"!" if n == edited else b"")) for n in range(size + more)]
    now = note_of(size + more, root_of(leaves))
    told = compare(note_of(size), now, opened, lambda at: root_of(leaves[:at]))

    assert told.outcome is (Outcome.REWRITTEN if edited < size else Outcome.UNCHANGED)


def test_a_shorter_log_was_cut_off() -> None:
    """The page knows more entries than there are."""
    assert compare(note_of(300), note_of(299), opened, root_at).outcome is Outcome.CUT_OFF


def test_a_page_of_another_box_is_told() -> None:
    """By the log's name, or by the key: a log that was begun anew under the old name has another."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for note in (note_of(300, origin="custos/ffff"), note_of(300, key=other)):
        told = compare(note, note_of(300), opened, root_at)
        assert told.outcome is Outcome.ANOTHER_BOX
        assert told.page is None


def test_a_page_with_another_size_or_root_is_not_signed() -> None:
    """Misread or invented: the signature does not fit."""
    for note in (note_of(300).replace("\n300\n", "\n301\n"), note_of(300).replace("\n300\n", "\n3000\n")):
        assert compare(note, note_of(599), opened, root_at).outcome is Outcome.NOT_SIGNED


def test_a_note_whose_root_is_none_is_unreadable() -> None:
    """It has the form, and is no checkpoint."""
    root = note_of(300).split("\n")[2]
    with pytest.raises(PageUnreadable):
        compare(note_of(300).replace(root, "AAAA"), note_of(300), opened, root_at)


def test_a_log_that_does_not_lead_to_its_own_checkpoint_is_damaged() -> None:
    """Tiles that were edited, or are not there: nothing is said of the page before that is mended."""

    def missing(size: int) -> bytes:
        raise TileMissing

    for stored in (lambda size: root_at(size - 1), missing):
        assert compare(note_of(300), note_of(599), opened, stored).outcome is Outcome.DAMAGED


def test_a_newest_checkpoint_of_somebody_else_is_an_error() -> None:
    """The box's own log is not its own: no page can be compared with it."""
    with pytest.raises(CheckpointForeign):
        compare(note_of(300), note_of(300, origin="custos/ffff"), opened, root_at)


def test_every_outcome_is_said_in_both_languages() -> None:
    """A sentence each."""
    assert set(SENTENCES) == set(Outcome)
    for sentence in SENTENCES.values():
        assert any("\u4e00" <= one <= "\u9fff" for one in sentence)
        assert sentence.split()[0].isascii()
