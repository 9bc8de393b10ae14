"""The page for the duty book (值班日志): a checkpoint of the log on paper, and what it proves when read back. Pure.

A page that two people have signed says: on that day the log had this size and this root. Whoever rewrites what came
before, with the box's own key and all its disks, cannot rewrite the book. Reading back needs no trust in the page: its
note carries the box's signature, and the root at that size is made anew from what is stored now (RFC 6962, 2.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from config.errors import CustosError, ExitCode
from config.times import format_us, to_datetime
from recorder.store.log.errors import CheckpointForeign, CheckpointMalformed, SignatureInvalid, TileMissing
from recorder.store.log.note import Checkpoint
from retention.evidence.paper import FIXED_SHARE, WIDTH, Paper, wrapped

TITLE = "值班日志附页：录像机检查点 Checkpoint of the recorder, for the duty book"

MARGIN = 45.0
WIDE = WIDTH - 2 * MARGIN
QR_SIDE = 65 * 72 / 25.4
"""65 mm: what a telephone reads from a hand's breadth, at the largest code that is printed."""

NOTE_SIZE, NOTE_SMALLEST = 7.5, 4.0
"""The note stands line by line; where a witness has a long name, smaller."""

WORDS, SMALL = 9.0, 7.5
LEADING = 1.4
NAME_LINES = 2
"""Of the box's name, which is whatever somebody called it."""


class PageUnreadable(CustosError):
    """No checkpoint can be read there: scan the page's QR code again, or type its lines.
    无法读取检查点：请重新扫描二维码，或逐行输入。"""

    code = "page_unreadable"
    exit_code = ExitCode.FINDINGS


class Outcome(StrEnum):
    """What a page says of the log that is here now."""

    UNCHANGED = "unchanged"
    REWRITTEN = "rewritten"
    CUT_OFF = "cut_off"
    ANOTHER_BOX = "another_box"
    NOT_SIGNED = "not_signed"
    DAMAGED = "damaged"


SENTENCES: Final = {
    Outcome.UNCHANGED: (
        "Unchanged: what the log held when this page was printed, it holds still. "
        "未被改动：打印本页时日志中的内容现在仍然如此。"
    ),
    Outcome.REWRITTEN: (
        "REWRITTEN: the log that is here now is not the one that this page was printed from. "
        "已被改写：现有日志与打印本页时的日志不同。"
    ),
    Outcome.CUT_OFF: (
        "CUT OFF: the log that is here now is shorter than it was when this page was printed. "
        "已被截断：现有日志比打印本页时短。"
    ),
    Outcome.ANOTHER_BOX: (
        "Another box's: this page names another log, or was signed by a key that this log did not have then. "
        "属于另一台录像机：本页所载为另一日志，或签名密钥并非当时本日志的密钥。"
    ),
    Outcome.NOT_SIGNED: (
        "NOT SIGNED: the box's signature does not fit what was read: a character was misread, or the page was not "
        "printed by this box. Scan its QR code again. "
        "签名不符：读取有误，或本页并非本机打印。请重新扫描二维码。"
    ),
    Outcome.DAMAGED: (
        "DAMAGED: the stored log does not lead to its own newest checkpoint: run `custos fsck`. "
        "日志损坏：现有日志与其最新检查点不符，请运行 custos fsck。"
    ),
}
"""What each outcome means, for people."""


@dataclass(frozen=True)
class Told:
    """What came of reading a page back."""

    outcome: Outcome
    page: Checkpoint | None
    """What the page says; None: nothing of it can be believed."""
    now: Checkpoint | None
    """The log's newest checkpoint; None: it was not looked at."""


@dataclass(frozen=True)
class Facts:
    """What stands on a page."""

    box: str
    name: str
    """What the owner calls the box."""
    origin: str
    fingerprint: str
    """Of the box's key, in hex."""
    first_fingerprint: str
    """Of the log's first key, which the acceptance papers name."""
    note: str
    """The newest checkpoint, as it lies on the disk."""
    size: int
    signed_us: int | None
    """When it was signed, as the box's catalogue remembers; None: it does not."""
    printed_us: int
    program: str


def compare(note: str, now: str, opened: Callable[[str], Checkpoint], root_at: Callable[[int], bytes]) -> Told:
    """What a page's note says of the log whose newest checkpoint is `now`.

    `opened` reads a note of this log, and checks that the key of that time signed it (`KeyRing.opened`).
    `root_at` gives the root over the first so many stored entries. It is made anew rather than proved by hashes that
    the log hands out (RFC 6962, 2.1.2): who has the tree needs no proof.

    Raises:
        LogError: the newest checkpoint cannot be believed, or a part of the log is not there.
    """
    latest = opened(now)
    try:
        page = opened(note)
    except CheckpointForeign:
        return Told(Outcome.ANOTHER_BOX, None, latest)
    except SignatureInvalid:
        return Told(Outcome.NOT_SIGNED, None, latest)
    except CheckpointMalformed as err:
        raise PageUnreadable from err
    return Told(_judged(page, latest, root_at), page, latest)


def _judged(page: Checkpoint, latest: Checkpoint, root_at: Callable[[int], bytes]) -> Outcome:
    if page.size > latest.size:
        return Outcome.CUT_OFF
    try:
        if root_at(latest.size) != latest.root:
            return Outcome.DAMAGED
        return Outcome.UNCHANGED if root_at(page.size) == page.root else Outcome.REWRITTEN
    except TileMissing:
        return Outcome.DAMAGED


_DASHES = ("—", "–", "-", "--", "―", "——")
"""What becomes of the dash before a signature when telephones pass text on, or people type it."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def note_from(text: str) -> str:
    """The note that a scanner gave or somebody typed, in the form in which it was signed.

    A checkpoint of ours is words and figures without spaces, so where its lines broke does not matter: scanners join
    them, end them in their own way, or leave the empty one out. Nothing is believed by this: the signature is over the
    exact text.

    Raises:
        PageUnreadable: that is no checkpoint.
    """
    words = text.strip("\ufeff\x00 \r\n\t").split()
    if len(words) < 6 or (len(words) - 3) % 3 or not words[1].isascii() or not words[1].isdigit():
        raise PageUnreadable
    body, signatures = words[:3], [words[at : at + 3] for at in range(3, len(words), 3)]
    if not _BASE64.fullmatch(body[2]) or not all(
        dash in _DASHES and _BASE64.fullmatch(signature) for dash, _, signature in signatures
    ):
        raise PageUnreadable
    lines = "".join(f"— {name} {signature}\n" for _, name, signature in signatures)
    return "\n".join(body) + f"\n\n{lines}"


def grouped(fingerprint: str) -> list[str]:
    """A fingerprint in groups of four, eight a line: as people compare it aloud."""
    groups = [fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4)]
    return [" ".join(groups[at : at + 8]) for at in range(0, len(groups), 8)]


def duty_page(facts: Facts, zone: ZoneInfo) -> bytes:
    """The page as a PDF; the same facts give the same bytes.

    Raises:
        NoteTooLong: so many witnesses have signed that no QR code holds it.
    """
    paper = Paper(TITLE, facts.printed_us)
    paper.text(MARGIN, MARGIN + 14, TITLE, 14)
    y = _facts(paper, facts, zone, MARGIN + 34)
    y = _note(paper, facts.note, y)
    _code(paper, facts, y)
    _signatures(paper)
    return paper.close()


def _facts(paper: Paper, facts: Facts, zone: ZoneInfo, y: float) -> float:
    name = wrapped(facts.name, WORDS, WIDE - 125, NAME_LINES)
    signed = "-" if facts.signed_us is None else _when(facts.signed_us, zone)
    is_first = facts.first_fingerprint == facts.fingerprint  # the papers name the first; it stays good
    first = () if is_first else (("密钥指纹（首个）Its first", grouped(facts.first_fingerprint)),)
    told: tuple[tuple[str, list[str]], ...] = (
        ("录像机 Box", [facts.box, *name]),
        ("校验日志 Log", [facts.origin]),
        ("密钥指纹 Key fingerprint", grouped(facts.fingerprint)),
        *first,
        ("日志条目 Entries", [str(facts.size)]),
        ("签名时间 Signed", [signed]),
        ("打印时间 Printed", [_when(facts.printed_us, zone), f"Custos {facts.program}"]),
    )
    for title, lines in told:
        paper.text(MARGIN, y + WORDS, title, WORDS, grey=0.35)
        for line in lines:
            if title.startswith("密钥"):
                paper.fixed(MARGIN + 125, y + WORDS, line, WORDS)
            else:
                paper.text(MARGIN + 125, y + WORDS, line, WORDS)
            y += WORDS * LEADING
    return y + 8


def _when(utc_us: int, zone: ZoneInfo) -> str:
    """Local time with its zone, and UTC."""
    moment = to_datetime(utc_us).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M:%S %z} {zone.key}    UTC {format_us(utc_us)}"


def _note(paper: Paper, note: str, y: float) -> float:
    """Exactly the note, line by line."""
    lines = note.removesuffix("\n").split("\n")
    longest = max(len(line) for line in lines)
    size = max(min(NOTE_SIZE, (WIDE - 8) / (longest * FIXED_SHARE)), NOTE_SMALLEST)
    paper.text(MARGIN, y + WORDS, "检查点（已签名）Checkpoint, signed", WORDS, grey=0.35)
    y += WORDS * LEADING + 4
    paper.shade(MARGIN, y, WIDE, len(lines) * size * LEADING + 8)
    for line in lines:
        y += size * LEADING
        paper.fixed(MARGIN + 4, y, line, size)
    return y + 16


HOW: Final = (
    "二维码内容即上方检查点全文。",
    "The QR code holds the checkpoint above, whole.",
    "",
    "核对：将扫描所得文字或本页的扫描件存为文件，运行",
    "To check: save what a scanner reads, or a scan of this page, and run",
    "    custos log page --check FILE",
    "",
    "本页证明：打印时日志已有上述条目，其后不得再改动。",
    "请核对密钥指纹与验收文件一致，签名后存入值班日志。",
    "This page fixes all that the log held when it was printed.",
    "Compare the fingerprint with the acceptance papers,",
    "sign, and keep the page in the duty book.",
)


def _code(paper: Paper, facts: Facts, y: float) -> None:
    quiet = 8.0
    paper.qr(MARGIN + quiet, y + quiet, QR_SIDE, facts.note)
    x = MARGIN + QR_SIDE + 4 * quiet
    for line in HOW:
        y += SMALL * LEADING
        paper.text(x, y + quiet, line, SMALL)


SIGN_Y = 720.0

BLANKS: Final = (("姓名 Name", 110, 48, 80), ("签名 Signature", 250, 58, 80), ("日期 Date", 396, 42, 67))
"""What each signer fills in: where its name begins, where the line behind it, and how long that is."""


def _signatures(paper: Paper) -> None:
    for number, who in enumerate(("值班员 On duty", "核对人 Second person")):
        y = SIGN_Y + number * 46
        paper.text(MARGIN, y, who, WORDS)
        for title, x, behind, length in BLANKS:
            paper.text(MARGIN + x, y, title, SMALL, grey=0.35)
            paper.rule(MARGIN + x + behind, y, length)
