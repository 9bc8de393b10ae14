"""The list of what is handed over, on paper: every cell of the table, whose data it is, and room for who signs."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.times import SECOND_US, format_us, parse_us
from recorder.store.log.leaves import Leaf
from retention.evidence.listing import SIGNERS, listing
from retention.evidence.package import FILES_HEAD, Claim, files_table
from tests.unit.retention.test_paper import text_of

START_US = parse_us("2026-11-24T00:00:00Z")
CLAIM = Claim(
    stream="34020000001320000001.main",
    start_us=START_US,
    end_us=parse_us("2026-11-24T03:20:00Z"),
    case="2026-114 东门盗窃案",
    box="0123456789abcdef",
    origin="custos/0123456789abcdef",
    fingerprint="6e880cb3c6ec1da8df9a07a9b8607a62f59d7083130160a14ca44085403be019",
    floor_days=30,
    time_zone="Asia/Shanghai",
    program="0.1.0",
    made_us=parse_us("2026-11-25T01:02:03Z"),
)


def table(count: int, stream_id: str = CLAIM.stream) -> bytes:
    """As a package has it, of so many segments."""
    leaves, names = [], {}
    for n in range(1000, 1000 + count):
        t0_us = START_US + (n - 1000) * 60 * SECOND_US
        fields = {"stream": stream_id, "n": n, "t0": format_us(t0_us), "t1": format_us(t0_us + 59_960_000)}
        media = {"codec": "h264", "bytes": 31_457_280 + n, "sha256": hashlib.sha256(b"%d" % n).hexdigest()}
        leaves.append((n, Leaf("seg", t0_us, 0, {**fields, **media})))
        names[n] = f"media/{stream_id}/{n}-20261124T{n // 60 % 24:02d}{n % 60:02d}00.000Z.mp4"
    return files_table(names, stream_id, leaves)


def pages(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    found = [page.get_textpage().get_text_bounded().replace("\r\n", "\n") for page in document]
    document.close()
    return found


def joined(text: str) -> str:
    """Without the breaks of lines and of cells."""
    return "".join(text.split())


def test_every_cell_of_the_table_is_on_paper() -> None:
    """As it stands in files.csv, on however many pages, each row once and in order."""
    content = table(200)
    found = joined("".join(pages(listing(CLAIM, content))))
    at = 0
    for row in csv.DictReader(io.StringIO(content.decode())):
        for name in ("file", "sha256", "camera", "start", "end"):
            at = found.index(joined(row[name]), at)
        assert row["bytes"] in found


def test_every_page_has_head_number_and_the_hash_of_the_table() -> None:
    """A page that is lost or swapped is seen; who signs the paper signs the file."""
    content = table(200)
    found = pages(listing(CLAIM, content))
    digest = hashlib.sha256(content).hexdigest()

    assert len(found) > 5
    for number, text in enumerate(found, 1):
        assert f"第 {number} 页，共 {len(found)} 页 Page {number} of {len(found)}" in text
        assert f"files.csv SHA-256: {digest}" in text
        assert "序号" in text
        assert "SHA-256" in text


def test_it_says_whose_data_it_is() -> None:
    """Case, box, log, key, interval in local time and UTC, and when it was made."""
    first = pages(listing(CLAIM, table(3)))[0]

    assert "电子数据清单 List of electronic data" in first
    for said in (CLAIM.case, CLAIM.box, CLAIM.origin, CLAIM.stream, format_us(CLAIM.start_us), format_us(CLAIM.end_us)):
        assert said in first
    assert CLAIM.fingerprint in joined(first)
    assert "2026-11-24 08:00:00 – 2026-11-24 11:20:00 +0800" in first
    assert f"文件 Files 3 {3 * 31_457_280 + 3003} 字节 bytes" in first


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 18, 19, 20, 21, 44, 200])
def test_all_four_sign_the_last_page(count: int) -> None:
    """Whatever the number of rows: two officers, the holder and a witness, behind the last row and over nothing."""
    found = pages(listing(CLAIM, table(count)))

    for who, who_en in SIGNERS:
        assert [f"{who} {who_en}" in text for text in found] == [False] * (len(found) - 1) + [True]
    assert all("media/" in text and "序号" in text for text in found) or count == 0
    assert ("无文件" in found[0]) is (count == 0)


def test_signatures_and_rows_do_not_meet() -> None:
    """Of any number of rows: the last row ends above the signers, and on their page."""
    for count in (*range(12, 26), 40, 41):
        document = pypdfium2.PdfDocument(listing(CLAIM, table(count)))
        text = document[len(document) - 1].get_textpage()
        signer, row = text.search("侦查人员（一）").get_next(), None
        search = text.search(":59.960000Z")
        while (hit := search.get_next()) is not None:
            row = hit
        assert row is not None, count
        assert text.get_charbox(row[0])[1] > text.get_charbox(signer[0])[3], count
        document.close()


ODD = ["很长的案件名称" * 300, "a" * 2000, "\n" * 50, "\u202e\u0000😀é𠮷", "“<b>&amp;(\\)%", " ", "ᠮᠣᠩᠭᠣᠯ བོད"]


@pytest.mark.parametrize("case", ODD, ids=range(len(ODD)))
def test_a_case_of_any_name_leaves_the_rest_in_its_place(case: str) -> None:
    """Its name takes a few lines at most; the table begins, and nothing is written beyond the margins."""
    pdf = listing(replace(CLAIM, case=case), table(2))
    assert len(pages(pdf)) == 1
    document = pypdfium2.PdfDocument(pdf)
    text = document[0].get_textpage()
    boxes = [text.get_charbox(index) for index in range(text.count_chars())]
    width, height = document[0].get_size()
    document.close()

    assert min(left for left, _, _, _ in boxes) >= 0
    assert max(right for _, _, right, _ in boxes) <= width - 20
    assert min(bottom for _, bottom, _, _ in boxes) >= 0
    assert max(top for _, _, _, top in boxes) <= height


@settings(max_examples=10, deadline=None)
@given(case=st.text(max_size=200), count=st.integers(0, 30))
def test_the_same_claim_and_table_give_the_same_bytes(case: str, count: int) -> None:
    """So that it can be made again and compared."""
    claim, content = replace(CLAIM, case=case), table(count)

    assert listing(claim, content) == listing(claim, content)


def test_the_file_says_when_the_package_was_made() -> None:
    """It has no other date: not that of the moment at which it is printed again."""
    pdf = listing(CLAIM, table(1))

    assert pdf.count(b"D:20261125010203Z") == pdf.count(b"(D:") == 2


def test_a_column_more_is_no_hindrance_and_one_less_is_an_error() -> None:
    """Columns are found by name; without one of its own there is nothing to print."""
    wider = b"".join(line + b",x\n" for line in table(2).split(b"\n")[:-1])
    wider = wider.replace(b"start,end,x\n", b"start,end,sm3\n")

    assert text_of(listing(CLAIM, wider))
    with pytest.raises(ValueError, match="columns"):
        listing(CLAIM, FILES_HEAD.replace(",sha256", "").encode() + b"\n1,a,b,c,2,gate,x,y\n")


@pytest.mark.parametrize("zone", ["Nowhere/City", "../../etc/passwd", "America", ""])
def test_a_zone_that_is_none_is_printed_and_no_more(zone: str) -> None:
    """The claim of somebody else's package may say anything; UTC stands beside it."""
    assert format_us(CLAIM.start_us) in text_of(listing(replace(CLAIM, time_zone=zone), table(1)))
