"""Printed pages: text in two scripts, broken into lines, and QR codes that others can read."""

from __future__ import annotations

import hashlib
from importlib import resources

import cv2
import numpy as np
import pypdfium2
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from retention.evidence.paper import (
    _FILES,
    ELLIPSIS,
    FIXED,
    FIXED_SHARE,
    QR_LIMIT_BYTES,
    NoteTooLong,
    Paper,
    _advance,
    legible,
    qr_matrix,
    width_of,
    wrapped,
)

ROOT = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="
SIGNATURE = "Az3grlgtzPICa5OS8npVmf1Myq/5IZniKWw5Lq4a" * 2 + "c0vDXB1hZXo="
NOTE = f"custos/0123456789abcdef\n1234567\n{ROOT}\n\n— custos/0123456789abcdef {SIGNATURE}\n"
"""As long as a real one."""
MADE_US = 1_780_000_000_000_000


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    found = "\n".join(page.get_textpage().get_text_bounded() for page in document)
    document.close()
    return str(found.replace("\r\n", "\n"))


def image_of(content: str, scale: int = 4) -> np.ndarray:
    modules = np.pad(np.where(qr_matrix(content), 0, 255).astype(np.uint8), 4, constant_values=255)
    return np.kron(modules, np.ones((scale, scale), np.uint8))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("案件 2026-114 “东门”", "案件 2026-114 “东门”"),
        ("龘㐀", "龘㐀"),
        ("a\nb\tc", "a[U+000A]b[U+0009]c"),
        ("abc\u202ecba", "abc[U+202E]cba"),
        ("\u200bx\u00a0", "[U+200B]x[U+00A0]"),
        ("😀", "[U+1F600]"),
        ("e\u0301", "e[U+0301]"),
        ("全角\u3000空格", "全角\u3000空格"),
    ],
)
def test_what_cannot_be_seen_is_printed_as_its_code(text: str, printed: str) -> None:
    """A page must not say less than the file, nor turn its direction; what has a shape here stays as it is."""
    assert legible(text) == printed
    paper = Paper("t", MADE_US)
    paper.text(40, 40, text, 10)

    assert "".join(text_of(paper.close()).split()) == "".join(printed.split())


@given(st.text(max_size=80), st.floats(30, 400), st.sampled_from([6.0, 9.5]))
def test_no_line_is_wider_than_its_place(text: str, width: float, size: float) -> None:
    """Of any text, and none of it is lost but spaces at which a line ends."""
    lines = wrapped(text, size, width)

    assert all(width_of(line, size) <= width + 1e-6 for line in lines)
    assert "".join(lines).replace(" ", "") == legible(text).replace(" ", "")


@given(st.text(min_size=60, max_size=300), st.integers(1, 3))
def test_a_text_that_is_too_long_ends_in_an_ellipsis(text: str, limit: int) -> None:
    """It never takes more lines than it has room for, and its reader sees that there was more."""
    whole, lines = wrapped(text, 8, 60), wrapped(text, 8, 60, limit)

    assert len(lines) <= limit
    assert lines == whole if len(whole) <= limit else lines[-1].endswith(ELLIPSIS)
    assert all(width_of(line, 8) <= 60 for line in lines)


def test_words_stay_together_and_chinese_breaks_anywhere() -> None:
    """As people set type."""
    assert wrapped("alpha beta gamma", 10, width_of("alpha beta", 10) + 1) == ["alpha beta", "gamma"]
    assert wrapped("电子数据清单", 10, 30) == ["电子数", "据清单"]


def test_figures_stand_under_each_other() -> None:
    """All characters of a note are as wide in the fixed font, the dash of its signature too."""
    (share,) = {_advance(FIXED, one) for one in NOTE if one != "\n"}

    assert share == pytest.approx(FIXED_SHARE, abs=1e-3)


def test_all_fonts_are_embedded() -> None:
    """A page looks the same where no Chinese font is: every font of the file carries its outlines."""
    paper = Paper("t", MADE_US)
    paper.text(40, 40, "值班日志 log", 10)
    paper.fixed(40, 60, NOTE.partition("\n")[0], 8)
    pdf = paper.close()

    assert pdf.count(b"/FontFile2") == pdf.count(b"/Subtype /TrueType") == 3
    assert b"/Type1" not in pdf


def test_each_font_is_the_one_that_is_named() -> None:
    """Unchanged, by its hash, beside whose it is and under which licence."""
    folder = resources.files("retention.evidence") / "fonts"
    told = (folder / "README.txt").read_text()

    for name in _FILES.values():
        assert name in told
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() in told
    assert "Apache License 2.0" in told
    assert "Bitstream" in (folder / "LICENSE-VERA.txt").read_text()


def test_the_same_calls_give_the_same_bytes() -> None:
    """The date in a file is the one that was handed in; another gives another file."""

    def made(at_us: int) -> bytes:
        paper = Paper("清单", at_us, lying=True)
        paper.text(40, 40, "值班日志", 10)
        paper.qr(40, 60, 100, NOTE)
        return paper.close()

    assert made(MADE_US) == made(MADE_US)
    assert b"D:20260528202640Z" in made(MADE_US)
    assert made(MADE_US) != made(MADE_US + 1_000_000)


@pytest.mark.parametrize("count", [1, 400, 1000, 1001, QR_LIMIT_BYTES])
def test_a_qr_code_is_read_by_others(count: int) -> None:
    """By one that is not of its maker: what it gives is what was put in, to the byte."""
    content = (NOTE * 20).encode()[: count - 1].decode("utf-8", "ignore")
    content += "x" * (count - len(content.encode()))
    (found,) = zxingcpp.read_barcodes(image_of(content))

    assert found.bytes == content.encode()


def test_a_qr_code_is_read_by_plain_readers() -> None:
    """One that knows bytes alone, and no designator of their encoding, reads a note with its dash."""
    assert cv2.QRCodeDetector().detectAndDecode(image_of(NOTE))[0] == NOTE


def test_what_no_telephone_reads_is_not_printed() -> None:
    """More bytes than a code of that size holds legibly are refused."""
    with pytest.raises(NoteTooLong, match=str(QR_LIMIT_BYTES + 1)):
        qr_matrix("x" * (QR_LIMIT_BYTES + 1))
