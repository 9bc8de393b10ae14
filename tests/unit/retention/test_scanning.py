"""Reading a printed page back: from text, a photograph, a scan; and from what is none of these."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from retention.evidence import scanning
from retention.evidence.dutypage import PageUnreadable, duty_page
from retention.evidence.paper import Paper
from retention.evidence.scanning import read_page
from tests.unit.retention.test_dutypage import ZONE, facts, note_of, witnessed

NOTE = note_of(300)


def picture(dots_per_inch: int = 200, note: str = NOTE) -> np.ndarray:
    """The page as a printer would print it."""
    document = pypdfium2.PdfDocument(duty_page(facts(note), ZONE))
    found = document[0].render(scale=dots_per_inch / 72, grayscale=True).to_numpy()
    document.close()
    return np.ascontiguousarray(found.reshape(found.shape[:2]))


def encoded(image: np.ndarray, form: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"])
def test_a_picture_of_the_page_is_read(form: str) -> None:
    """In the forms in which telephones and scanners give them."""
    assert read_page(encoded(picture(), form)) == NOTE


def test_a_photograph_is_read() -> None:
    """Held aslant, in bad light, out of focus, and much compressed."""
    flat = picture(150)
    height, width = flat.shape
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    aslant = np.float32([[120, 60], [width - 40, 190], [width - 150, height - 80], [20, height - 220]])
    seen = cv2.warpPerspective(flat, cv2.getPerspectiveTransform(corners, aslant), (width, height), borderValue=90)
    seen = cv2.GaussianBlur(seen, (3, 3), 0).astype(np.float32)
    shade = np.linspace(0.5, 1.0, width, dtype=np.float32)[None, :]
    noise = np.random.default_rng(1).normal(0, 6, seen.shape)
    seen = np.clip(seen * shade + noise, 0, 255).astype(np.uint8)
    done, jpeg = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 40])

    assert done
    assert read_page(jpeg.tobytes()) == NOTE


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_page_that_lies_on_its_side_is_read(turns: int) -> None:
    """However it was put into the scanner."""
    assert read_page(encoded(np.rot90(picture(), turns).copy())) == NOTE


def test_the_largest_code_is_read_from_an_office_scan() -> None:
    """With as many witnesses as a page takes, at 200 dots an inch."""
    note = witnessed(NOTE, 10)

    assert read_page(encoded(picture(200, note))) == note


def test_a_page_in_a_stack_is_found() -> None:
    """Scanned together with others into one PDF, as pictures without text."""
    pages = [Image.new("L", (800, 1100), 255), Image.fromarray(picture(150))]
    buffer = BytesIO()
    pages[0].save(buffer, "PDF", save_all=True, append_images=pages[1:], resolution=150)

    assert read_page(buffer.getvalue()) == NOTE


def test_another_code_beside_it_is_passed_over() -> None:
    """A sheet may have a code of its own."""
    paper = Paper("t", 0)
    paper.qr(50, 50, 150, "https://example.org/form/17")
    paper.qr(50, 400, 190, NOTE)

    assert read_page(paper.close()) == NOTE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_text_is_read_in_the_encodings_of_its_country(encoding: str) -> None:
    """Windows in China writes GB 18030."""
    assert read_page(NOTE.encode(encoding)) == NOTE


def blank() -> bytes:
    paper = Paper("t", 0)
    paper.text(50, 50, "nothing", 10)
    return paper.close()


REFUSED = {
    "nothing": (b"", "scan the page"),
    "random bytes": (bytes(range(255, 0, -1)) * 9, "no text, PDF or picture"),
    "another text": ("值班日志".encode(), "scan the page"),
    "a picture without a code": (encoded(np.full((300, 300), 255, np.uint8)), "no QR code"),
    "half a picture": (encoded(picture())[:2000], "cannot be opened"),
    "the beginning of a picture": (b"\x89PNG\r\n", "cannot be opened"),
    "a PDF without a code": (blank(), "no QR code"),
    "half a PDF": (b"%PDF-1.7\n1 0 obj", "cannot be opened"),
    "another thing that begins as sound does": (b"RIFF\0\0\0\0WAVE", "cannot be opened"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_holds_no_page_is_refused_with_the_reason(what: str) -> None:
    """Each with what to do."""
    data, reason = REFUSED[what]

    with pytest.raises(PageUnreadable, match=reason) as caught:
        read_page(data)
    assert "scan the page's QR code again" in str(caught.value)


def test_a_picture_that_would_fill_memory_is_refused() -> None:
    """Thirty thousand pixels square in a few kilobytes: its size is looked at before it is unpacked."""
    bomb = encoded(np.zeros((1, 1), np.uint8)).replace(
        b"\x00\x00\x00\x01\x00\x00\x00\x01\x08", (30_000).to_bytes(4, "big") * 2 + b"\x08"
    )

    with pytest.raises(PageUnreadable, match=r"cannot be opened|pixels"):
        read_page(bomb)


def test_a_picture_over_our_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is said."""
    monkeypatch.setattr(scanning, "PIXEL_LIMIT", 1000)

    with pytest.raises(PageUnreadable, match="more than 1000 pixels"):
        read_page(encoded(picture(50)))


def test_more_than_any_page_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything of it is looked at."""
    monkeypatch.setattr(scanning, "INPUT_LIMIT_BYTES", 10)

    with pytest.raises(PageUnreadable, match="larger than any page"):
        read_page(NOTE.encode())


def test_a_page_of_any_size_is_drawn_within_the_limit() -> None:
    """A PDF may say that its page is as large as a field."""
    assert scanning._scale(595, 842) == pytest.approx(300 / 72)
    for width, height in ((14_400.0, 14_400.0), (1e7, 1e7), (0.0, 0.0)):
        scale = scanning._scale(width, height)
        assert width * height * scale**2 <= scanning.PIXEL_LIMIT * 1.001


@settings(deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"%PDF-1.4\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0"]),
)
def test_any_bytes_are_a_note_or_refused(data: bytes, begin: bytes) -> None:
    """Nothing else comes out, whatever was handed in."""
    try:
        read_page(begin + data)
    except PageUnreadable:
        return
