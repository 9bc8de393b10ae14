"""The list of what is handed over (电子数据清单), as it is printed and signed: `files.csv` on paper. Pure.

Every cell is one of `files.csv`, as it stands there, and every page carries that file's SHA-256: who signs the paper
signs that file. What is not in the table says whose data it is, and leaves room for those who must sign: officers, the
holder of the data, a witness (criminal procedure interpretation, 2021, articles 108 to 114).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.times import format_us, to_datetime
from retention.evidence.package import FILES, Claim
from retention.evidence.paper import Paper, wrapped

TITLE = "电子数据清单 List of electronic data"

MARGIN = 30.0
FOOT = 565.0
"""Where the foot of a lying page begins."""

HEADLINE, WORDS, TABLE, SMALL = 15.0, 8.5, 6.5, 6.0
"""Sizes of letters: of the title, of what is said, of the table, of what is said besides."""

PALE = 0.35
"""Grey of what names a fact or says something besides."""

LEADING = 1.3
ROW_GAP = 3.0
CELL_GAP = 6.0
CELL_LINES = 12
"""Of one cell: the form of `files.csv` allows no more, and one that had more would push the rest from the page."""

CASE_LINES = 4
"""Of the case: the whole of it, up to 2,000 characters, stands in claim.json."""

HASH_HALF = 32
"""Characters of a hash a line: the same in both."""

FACTS_X = 130.0
"""Where a fact begins, behind its name."""

FACTS_Y = 26.0
"""Where the first of them begins, under the title."""

FACTS_GAP = 6.0
"""Between the last of them and the table."""


@dataclass(frozen=True)
class _Column:
    name: str
    """In the head of `files.csv`."""
    title: str
    title_en: str
    width: float


COLUMNS: Final = (
    _Column("number", "序号", "No.", 30),
    _Column("file", "文件", "file", 186),
    _Column("category", "类别", "category", 72),
    _Column("format", "格式", "format", 54),
    _Column("bytes", "字节数", "bytes", 62),
    _Column("sha256", "哈希值", "SHA-256", 136),
    _Column("camera", "采集设备", "camera", 98),
    _Column("start", "起止时间", "start, end (UTC)", 144),
)
"""Of the table; the end stands under the start."""

WIDE: Final = 782.0
"""All columns together: an A4 page that lies, less its margins."""

HEAD_HEIGHT = 2 * TABLE * LEADING + 6
"""Of the table's head: each column's name in two languages."""

SIGNERS: Final = (
    ("侦查人员（一）", "Officer 1"),
    ("侦查人员（二）", "Officer 2"),
    ("电子数据持有人（提供人）", "Holder of the data"),
    ("见证人", "Witness"),
)

SIGN_HEIGHT = 118.0
"""Of all four, two by two."""

SIGN_APART_X, SIGN_APART_Y = 400.0, 54.0
"""From one of them to the next."""

BLANKS: Final = (
    ("签名 Signature", 0.0, 52.0, 120.0),
    ("单位 Unit", 180.0, 32.0, 90.0),
    ("日期 Date", 308.0, 30.0, 44.0),
)
"""What each signer fills in: where its name begins, where the line behind it, and how long that is."""

NUMBER_X = 660.0
"""Where a page's number begins, behind the hash of the table."""


def listing(claim: Claim, files_csv: bytes) -> bytes:
    """`files.csv` of a package as a PDF; the same claim and table give the same bytes.

    Raises:
        ValueError: that is no such table.
    """
    rows = [_row(one) for one in csv.DictReader(io.StringIO(files_csv.decode()))]
    facts = _facts(claim, files_csv, rows)
    pages = _pages(rows, _facts_height(facts))
    paper = Paper(TITLE, claim.made_us, lying=True)
    for number, page in enumerate(pages, 1):
        y = _head(paper, facts) if number == 1 else MARGIN
        y = _table_head(paper, y)
        for row in page.rows:
            y = _draw_row(paper, y, row)
        if not rows and number == 1:
            paper.text(MARGIN, y + 12, "无文件。 No files.", WORDS)
        if page.is_signed:
            _signatures(paper)
        _foot(paper, facts.digest, number, len(pages))
        if number < len(pages):
            paper.next_page()
    return paper.close()


@dataclass(frozen=True)
class _Row:
    cells: tuple[tuple[str, ...], ...]
    """Lines of each column's cell."""

    @property
    def height(self) -> float:
        return max(len(one) for one in self.cells) * TABLE * LEADING + ROW_GAP


@dataclass(frozen=True)
class _Page:
    rows: Sequence[_Row]
    is_signed: bool


@dataclass(frozen=True)
class _Facts:
    """What stands over the table."""

    lines: tuple[tuple[str, tuple[str, ...]], ...]
    digest: str


def _row(cells: dict[str, str]) -> _Row:
    """Raises: ValueError: a column is missing."""
    try:
        return _Row(tuple(_cell(column, cells) for column in COLUMNS))
    except (KeyError, AttributeError, TypeError) as err:
        raise ValueError("The list of files has other columns than this program writes.") from err


def _cell(column: _Column, cells: dict[str, str]) -> tuple[str, ...]:
    text = cells[column.name]
    if column.name == "sha256":
        return (text[:HASH_HALF], text[HASH_HALF:])
    lines = wrapped(text, TABLE, column.width - CELL_GAP, CELL_LINES)
    return (*lines, *wrapped(cells["end"], TABLE, column.width - CELL_GAP)) if column.name == "start" else tuple(lines)


def _facts(claim: Claim, files_csv: bytes, rows: Sequence[_Row]) -> _Facts:
    digest = hashlib.sha256(files_csv).hexdigest()
    size = sum(int(one.cells[4][0]) for one in rows if one.cells[4][0].isdigit())
    print_of_key = " ".join(claim.fingerprint[at : at + 4] for at in range(0, len(claim.fingerprint), 4))
    told = (
        ("案件 Case", claim.case),
        ("录像机 Recorder", f"{claim.box}    校验日志 Log: {claim.origin}"),
        ("密钥指纹 Key fingerprint", print_of_key),
        ("录像 Footage", f"{claim.stream}    {format_us(claim.start_us)} – {format_us(claim.end_us)}"),
        ("当地时间 Local time", _local(claim)),
        ("文件 Files", f"{len(rows)}    {size} 字节 bytes"),
        ("制作 Made", f"{format_us(claim.made_us)}    Custos {claim.program}"),
    )
    return _Facts(tuple((name, tuple(wrapped(text, WORDS, WIDE - FACTS_X, CASE_LINES))) for name, text in told), digest)


def _local(claim: Claim) -> str:
    """The interval in the local time of the box: what stands on the other papers of the case."""
    try:
        zone = ZoneInfo(claim.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # of a claim that somebody else wrote: UTC stands above
        return claim.time_zone
    start, end = (f"{to_datetime(one).astimezone(zone):%Y-%m-%d %H:%M:%S}" for one in (claim.start_us, claim.end_us))
    return f"{start} – {end} {to_datetime(claim.end_us).astimezone(zone):%z}    {claim.time_zone}"


def _facts_height(facts: _Facts) -> float:
    return MARGIN + FACTS_Y + sum(len(lines) for _, lines in facts.lines) * WORDS * LEADING + FACTS_GAP


def _pages(rows: Sequence[_Row], first_y: float) -> list[_Page]:
    """Which rows stand on which page. Who signs signs under a row, never on an empty sheet: where the signatures do not
    fit behind the last row, it goes to the next page with them."""
    pages: list[_Page] = []
    here: list[_Row] = []
    y = first_y + HEAD_HEIGHT
    for row in rows:
        if here and y + row.height > FOOT:
            pages.append(_Page(here, False))
            here, y = [], MARGIN + HEAD_HEIGHT
        here.append(row)
        y += row.height
    if y + SIGN_HEIGHT <= FOOT:
        return [*pages, _Page(here, True)]
    return [*pages, _Page(here[:-1], False), _Page(here[-1:], True)]


def _head(paper: Paper, facts: _Facts) -> float:
    paper.text(MARGIN, MARGIN + 12, TITLE, HEADLINE)
    y = MARGIN + FACTS_Y
    for name, lines in facts.lines:
        paper.text(MARGIN, y + WORDS, name, WORDS, grey=PALE)
        for line in lines:
            paper.text(MARGIN + FACTS_X, y + WORDS, line, WORDS)
            y += WORDS * LEADING
    return y + FACTS_GAP


def _table_head(paper: Paper, y: float) -> float:
    paper.shade(MARGIN, y, WIDE, HEAD_HEIGHT - 2)
    x = MARGIN
    for column in COLUMNS:
        paper.text(x + 2, y + TABLE + 2, column.title, TABLE)
        paper.text(x + 2, y + 2 + TABLE * (1 + LEADING), column.title_en, TABLE)
        x += column.width
    return y + HEAD_HEIGHT


def _draw_row(paper: Paper, y: float, row: _Row) -> float:
    x = MARGIN
    for column, lines in zip(COLUMNS, row.cells, strict=True):
        for number, line in enumerate(lines):
            baseline = y + TABLE + number * TABLE * LEADING
            if column.name == "sha256":
                paper.fixed(x + 2, baseline, line, TABLE)
            else:
                paper.text(x + 2, baseline, line, TABLE)
        x += column.width
    paper.rule(MARGIN, y + row.height - ROW_GAP / 2, WIDE, grey=0.75, thick=0.3)
    return y + row.height


def _signatures(paper: Paper) -> None:
    """Two by two, at the lower end of the page, where they stand together whatever is above."""
    for number, (name, name_en) in enumerate(SIGNERS):
        x = MARGIN + number % 2 * SIGN_APART_X
        y = FOOT - SIGN_HEIGHT + 14 + number // 2 * SIGN_APART_Y
        paper.text(x, y, f"{name} {name_en}", WORDS)
        for title, begins, behind, length in BLANKS:
            paper.text(x + begins, y + 22, title, SMALL, grey=PALE)
            paper.rule(x + begins + behind, y + 22, length)


def _foot(paper: Paper, digest: str, number: int, count: int) -> None:
    y = FOOT + 9
    paper.text(MARGIN, y, f"{FILES} SHA-256: {digest}", SMALL)
    paper.text(MARGIN + NUMBER_X, y, f"第 {number} 页，共 {count} 页 Page {number} of {count}", SMALL)
    said = f"本清单由 {FILES} 打印，校验以该文件为准。 This is a print of {FILES}; that file is what is checked."
    paper.text(MARGIN, y + 9, said, SMALL, grey=PALE)
