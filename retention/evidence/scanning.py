"""Reads a printed page back: from a scanner's text, a photograph, or a PDF that an office scanner made.

What comes in may be anything; what goes out is a note in the form in which it was signed, or an error that says what to
do. Nothing is believed here (`dutypage.compare` does that).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import Final

import pypdfium2  # type: ignore[import-untyped]
import zxingcpp
from PIL import Image, UnidentifiedImageError

from retention.evidence.dutypage import PageUnreadable, note_from

INPUT_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""A photograph has ten megabytes; more than this is no page."""

PIXEL_LIMIT: Final = 100_000_000
"""Of a picture, unpacked to one byte each: a scan of A4 at 800 dots an inch is 62 million."""

PDF_PAGES_LIMIT: Final = 8
"""Pages of a PDF that are looked at: the page may lie in a stack that was scanned together."""

DOTS_PER_INCH: Final = 300
POINTS_PER_INCH: Final = 72

_PICTURES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_QR: Final = zxingcpp.barcode_formats_from_str("QRCode")
_ENCODINGS: Final = ("utf-8-sig", "gb18030")
"""Of a text: what telephones write, and what Chinese Windows does."""


def read_page(data: bytes) -> str:
    """The note that a page holds.

    Raises:
        PageUnreadable: there is none, in words that say why.
    """
    if len(data) > INPUT_LIMIT_BYTES:
        raise PageUnreadable(f"That is larger than any page ({INPUT_LIMIT_BYTES} bytes): {PageUnreadable.sentence()}")
    if data.startswith(b"%PDF"):
        return _first_note(_of_pdf(data))
    if data.startswith(_PICTURES):
        return _first_note(_of_picture(data))
    return note_from(_decoded(data))


def _decoded(data: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PageUnreadable(f"That is no text, PDF or picture (PNG, JPEG, TIFF). {PageUnreadable.sentence()}")


def _first_note(pictures: Iterator[Image.Image]) -> str:
    """Of the QR codes there, the first that holds a note: other papers have codes of their own."""
    for picture in pictures:
        for code in zxingcpp.read_barcodes(picture, _QR):
            try:
                return note_from(code.bytes.decode())
            except (PageUnreadable, UnicodeDecodeError):
                continue
    raise PageUnreadable(f"There is no QR code with a checkpoint in the picture. {PageUnreadable.sentence()}")


def _of_picture(data: bytes) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            # Of a damaged file, which is read or refused all the same, and of its size: our own limit is below.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data)) as picture:
                _allow(picture.width * picture.height)
                grey = picture.convert("L")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as err:
        # What Pillow raises of a damaged file, by its formats.
        raise PageUnreadable(f"The picture cannot be opened. {PageUnreadable.sentence()}") from err
    yield grey


def _of_pdf(data: bytes) -> Iterator[Image.Image]:
    try:
        with pypdfium2.PdfDocument(data) as document:
            for number in range(min(len(document), PDF_PAGES_LIMIT)):
                page = document[number]
                width, height = page.get_size()
                yield page.render(scale=_scale(width, height), grayscale=True).to_pil()
    except (pypdfium2.PdfiumError, ValueError) as err:
        raise PageUnreadable(f"The PDF cannot be opened. {PageUnreadable.sentence()}") from err


def _scale(width: float, height: float) -> float:
    """Pixels for a point: enough to read the code, and never more than the limit, whatever size a page says it has."""
    return min(DOTS_PER_INCH / POINTS_PER_INCH, math.sqrt(PIXEL_LIMIT / max(width * height, 1)))


def _allow(pixels: int) -> None:
    if pixels > PIXEL_LIMIT:
        raise PageUnreadable(f"The picture has more than {PIXEL_LIMIT} pixels. {PageUnreadable.sentence()}")
