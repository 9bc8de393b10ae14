"""Pages of A4 that are printed and signed: text in two scripts, lines and tables, as PDF bytes. Pure.

The same calls give the same bytes: there is no date of its own in a file, and no random name. All fonts are embedded,
so that a page looks the same where no Chinese font is installed (`fonts/README.txt` says which they are, and whose).
Lengths are in points (1/72 inch), from the upper left corner of the page.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Final

from reportlab.graphics.barcode.qrencoder import QR8bitByte, QRCode, QRErrorCorrectLevel
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from config.errors import CustosError
from config.times import to_datetime

WIDTH, HEIGHT = 595.28, 841.89
"""A4, upright."""

LATIN = "CustosLatin"
FIXED = "CustosFixed"
HAN = "CustosHan"
FIXED_SHARE: Final = 0.602
"""Width of any character of the fixed font, in units of its size."""

_FILES = {LATIN: "Vera.ttf", FIXED: "VeraMono.ttf", HAN: "DroidSansFallbackFull.ttf"}

QR_LIMIT_BYTES: Final = 1600
"""Of a QR code: its modules are 0.5 mm on 65 mm then, and what is printed smaller no telephone reads from paper."""

QR_SAFE_BYTES: Final = 1000
"""Up to here a sixth of the code may be unreadable (level M of ISO/IEC 18004); above, a fourteenth (level L)."""

ELLIPSIS = "…"
_BREAKABLE = re.compile(r"[^\s\u2e80-\uffff\U00020000-\U0003ffff]+|\s|.", re.DOTALL)
"""Latin words stay together; Chinese may be broken between any two characters."""


class NoteTooLong(CustosError):
    """That is more than a QR code can hold that people can scan from paper."""

    code = "note_too_long"


@cache
def _fonts() -> dict[str, TTFont]:
    """The embedded fonts, read once: the largest takes a fifth of a second."""
    folder = resources.files("retention.evidence") / "fonts"
    found = {name: TTFont(name, BytesIO((folder / file).read_bytes())) for name, file in _FILES.items()}
    for font in found.values():
        registerFont(font)
    return found


@cache
def _font_of(character: str) -> str | None:
    """Which font has the character."""
    return next((name for name in (LATIN, HAN) if ord(character) in _fonts()[name].face.charToGlyph), None)


@cache
def _advance(font: str, character: str) -> float:
    """Width of a character, in units of the font's size."""
    face = _fonts()[font].face
    return float(face.charWidths.get(ord(character), face.defaultWidth)) / 1000


def legible(text: str) -> str:
    """The text with its code points in the place of what cannot be printed or seen: ``[U+202E]``.

    A line break, a mark that turns the direction of writing, or a character that no font here has would otherwise make
    the page say less than the file, or something else.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _is_legible(one) else f"[U+{ord(one):04X}]" for one in text)


@cache
def _is_legible(character: str) -> bool:
    invisible = unicodedata.category(character)[0] in "CM" or (character != " " and character.isspace())
    return character == "\u3000" or not (invisible or _font_of(character) is None)


def width_of(text: str, size: float) -> float:
    """Width of a line of legible text."""
    return size * sum(map(_width, text))


@cache
def _width(character: str) -> float:
    return _advance(_font_of(character) or LATIN, character)


def wrapped(text: str, size: float, width: float, limit: int | None = None) -> list[str]:
    """The text in lines no wider than `width`; of more than `limit` lines the last ends in an ellipsis."""
    text = legible(text)
    if width_of(text, size) <= width:
        return [text]
    lines, line, used = [], "", 0.0
    for piece in _pieces(text, size, width):
        needed = width_of(piece, size)
        if line and used + needed > width:
            lines.append(line.rstrip())
            line, used = "", 0.0
            piece = piece.lstrip(" ")  # noqa: PLW2901 - the break stands for the space
            needed = width_of(piece, size)
        line, used = line + piece, used + needed
    lines.append(line.rstrip())
    if limit is None or len(lines) <= limit:
        return lines
    last = lines[limit - 1]
    while last and width_of(last + ELLIPSIS, size) > width:
        last = last[:-1]
    return [*lines[: limit - 1], last + ELLIPSIS]


def _pieces(text: str, size: float, width: float) -> Iterator[str]:
    """What a line may be broken between: words, and the characters of a word that is wider than a line."""
    for piece in _BREAKABLE.findall(text):
        if len(piece) > 1 and width_of(piece, size) > width:
            yield from piece
        else:
            yield piece


class Paper:
    """A document that grows page by page."""

    def __init__(self, title: str, made_us: int, *, lying: bool = False) -> None:
        """`made_us`: what the file says it was made at. `lying`: the long side is the lower one."""
        _fonts()
        self.width, self.height = (HEIGHT, WIDTH) if lying else (WIDTH, HEIGHT)
        self._buffer = BytesIO()
        made = f"D:{to_datetime(made_us):%Y%m%d%H%M%S}Z"
        size = (self.width, self.height)
        self._canvas = Canvas(
            self._buffer,
            pagesize=size,
            pageCompression=1,
            invariant=1,
            initialFontName=LATIN,  # type: ignore[arg-type]  # its stub takes the name for a size
        )
        self._canvas.setDateFormatter(lambda *_: made)
        self._canvas.setTitle(title)
        self._canvas.setAuthor("Custos")
        self._canvas.setCreator("Custos")
        self._words = self._canvas.beginText()
        self._style: tuple[str, float, float] | None = None

    def text(self, x: float, y: float, text: str, size: float, *, grey: float = 0.0) -> None:
        """A line of any text, its baseline at `y`."""
        for font, run in _runs(legible(text)):
            self._put(font, size, grey, x, y, run)
            x += width_of(run, size)

    def fixed(self, x: float, y: float, text: str, size: float) -> None:
        """A line whose characters are all as wide, so that figures stand under each other and can be compared."""
        self._put(FIXED, size, 0.0, x, y, text)

    def _put(self, font: str, size: float, grey: float, x: float, y: float, run: str) -> None:
        """All text of a page is one object of its file, and only what changes is said again: a third of the time."""
        if (font, size, grey) != self._style:
            self._words.setFont(font, size)
            self._words.setFillGray(grey)
            self._style = (font, size, grey)
        self._words.setTextOrigin(x, self.height - y)
        self._words.textOut(run)

    def rule(self, x: float, y: float, length: float, *, grey: float = 0.0, thick: float = 0.5) -> None:
        """A level line: to write on, or between rows."""
        self._canvas.setStrokeGray(grey)
        self._canvas.setLineWidth(thick)
        self._canvas.line(x, self.height - y, x + length, self.height - y)

    def shade(self, x: float, y: float, width: float, height: float) -> None:
        """A light grey area, as behind the head of a table."""
        self._canvas.setFillGray(0.92)
        self._canvas.rect(x, self.height - y - height, width, height, stroke=0, fill=1)

    def qr(self, x: float, y: float, side: float, content: str) -> None:
        """A QR code of the text's UTF-8 bytes; `side` is without the quiet zone of four modules, which stays free."""
        matrix = qr_matrix(content)
        module = side / len(matrix)
        self._canvas.setFillGray(0)
        path = self._canvas.beginPath()
        for row, line in enumerate(matrix):
            for begin, length in _dark_runs(line):
                # Runs and not single modules: between two that touch, screens show a hair line.
                path.rect(x + begin * module, self.height - y - (row + 1) * module, length * module, module)
        self._canvas.drawPath(path, stroke=0, fill=1)

    def next_page(self) -> None:
        """End this page; its text lies over its lines and areas."""
        self._canvas.drawText(self._words)
        self._canvas.showPage()
        self._words, self._style = self._canvas.beginText(), None

    def close(self) -> bytes:
        """The whole document, its last page ended."""
        self.next_page()
        self._canvas.save()
        return self._buffer.getvalue()


def qr_matrix(content: str) -> list[list[bool]]:
    """The modules of a QR code (ISO/IEC 18004, byte mode), dark ones true.

    No ECI designator stands before the bytes: what reads plain QR codes alone would stop at it.

    Raises:
        NoteTooLong: nobody could scan it.
    """
    count = len(content.encode())
    if count > QR_LIMIT_BYTES:
        raise NoteTooLong(f"{NoteTooLong.sentence()} ({count} bytes; the limit is {QR_LIMIT_BYTES})")
    code = QRCode(None, QRErrorCorrectLevel.M if count <= QR_SAFE_BYTES else QRErrorCorrectLevel.L)
    code.addData(QR8bitByte(content))
    code.make()
    return [[bool(module) for module in line] for line in code.modules]


def _dark_runs(line: Sequence[bool]) -> Iterator[tuple[int, int]]:
    begin = 0
    while begin < len(line):
        end = begin
        while end < len(line) and line[end]:
            end += 1
        if end > begin:
            yield begin, end - begin
        begin = end + 1


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """The text in stretches of one font."""
    if text.isascii():
        yield LATIN, text
        return
    for font, run in itertools.groupby(text, _font_of):
        yield font or LATIN, "".join(run)
