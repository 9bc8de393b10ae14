"""An evidence package: which files it has, and what stands in those that are made of entries of the log. Pure.

docs/proof.md tells the format to whoever reads one. Tables are made of leaves alone, so that whoever has the leaves
can make them again and compare, to the byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from config.times import format_us, parse_us
from recorder.store.log import sm2
from recorder.store.log.leaves import Leaf
from recorder.store.proofs import ProvenLeaf
from recorder.store.records import camera_of

FORMAT = 1

CLAIM = "claim.json"
CUSTODY = "custody.jsonl"
TIMELINE = "timeline.csv"
CLOCK = "clock.csv"
FILES = "files.csv"
FILES_PRINT = "files.pdf"
KEY = "keys/log.pub.pem"
SM2_KEY = "keys/log.sm2.pub.pem"
ROOTS = "keys/tsa-roots.pem"
EARLIER_KEY = "keys/log-{number}.pub.pem"
"""Those that the log was signed with before; 0 is the first."""

CHECKPOINT = "proof/checkpoint"
LEAVES = "proof/leaves.jsonl"
PATHS = "proof/paths.txt"
HEADS = "proof/heads"
ANCHORS = "proof/anchors"
MEDIA = "media"
SUMS = "SHA256SUMS"
SUMS_SIGNATURE = "SHA256SUMS.sig"
SUMS_STAMP = "SHA256SUMS.tsr"
HANDED_OUT = ("README.txt", "说明.txt", "verify.sh", "verify.py")
"""As they lie in this program; the same in every package."""
UNLISTED = (SUMS, SUMS_SIGNATURE, SUMS_STAMP)
"""The list, and what was made of it."""

PLAY = "play-{run}.mp4"
"""All originals of one run as one film: the first whole, of the others what lies behind the beginning of the file."""

TIMELINE_HEAD = "entry,kind,item,start,end,cause,detail,sha256\n"
CLOCK_HEAD = "item,start,camera_clock_ahead_us,camera_clock_drift_ppb,written_down,box_time_us\n"
FILES_HEAD = "number,file,category,format,bytes,sha256,camera,start,end"


class ClaimMalformed(ValueError):
    """What the package says of itself cannot be read."""


@dataclass(frozen=True)
class Claim:
    """What a package says that it is; each of it is checked against what it proves."""

    stream: str
    start_us: int
    end_us: int
    case: str
    box: str
    origin: str
    fingerprint: str
    floor_days: int
    time_zone: str
    program: str
    made_us: int
    stamped: bool = False
    """Whether an authority stamped the list of files."""

    def text(self) -> bytes:
        """As it stands in the package."""
        facts: dict[str, Any] = {
            "format": FORMAT,
            "stream": self.stream,
            "start": format_us(self.start_us),
            "end": format_us(self.end_us),
            "case": self.case,
            "box": self.box,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
            "floor_days": self.floor_days,
            "time_zone": self.time_zone,
            "program": self.program,
            "made": format_us(self.made_us),
            "stamped": self.stamped,
        }
        return rfc8785.dumps(facts) + b"\n"


def read_claim(text: bytes) -> Claim:
    """Read `Claim.text` back.

    Raises:
        ClaimMalformed: it is not of that form, or of a later one.
    """
    try:
        facts = json.loads(text)
        if facts.pop("format") != FORMAT:
            raise ClaimMalformed("The package is of a later format than this program knows.")
        kinds = {"floor_days": int, "stamped": bool}
        if not all(type(value) is kinds.get(name, str) for name, value in facts.items()):
            raise ClaimMalformed("What the package says of itself has values of a wrong kind.")
        facts |= {f"{name}_us": parse_us(facts.pop(name)) for name in ("start", "end", "made")}
        claim = Claim(**facts)
        is_ours = claim.text() == text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise ClaimMalformed("What the package says of itself cannot be read.") from err
    if claim.start_us >= claim.end_us or claim.made_us < claim.end_us:
        raise ClaimMalformed("The interval that the package names has no length, or was still to come.")
    is_plain = re.fullmatch("[A-Za-z0-9_+/-]+", claim.time_zone) and re.fullmatch(r'[^"\\\0-\x1f]+', claim.program)
    if not 0 <= claim.floor_days <= 99_999 or not is_plain or not is_ours:
        raise ClaimMalformed("What the package says of itself is not in the form that this program writes.")
    return claim


def leaves_text(leaves: Iterable[ProvenLeaf]) -> bytes:
    """Entries of the log, one a line: canonical JSON holds no line break."""
    return b"".join(leaf.body + b"\n" for leaf in leaves)


def paths_text(leaves: Iterable[ProvenLeaf]) -> bytes:
    """For each entry, in the same order: its index, and the hashes that lead to the root, in hex."""
    return "".join(" ".join([str(leaf.index), *(one.hex() for one in leaf.path)]) + "\n" for leaf in leaves).encode()


_PATH = re.compile(r"(0|[1-9][0-9]{0,14})( [0-9a-f]{64})*")


def read_leaves(bodies: bytes, paths: bytes) -> Iterator[ProvenLeaf]:
    """Read both back.

    Raises:
        ValueError: they are not of that form, or not of one length.
    """
    told = paths.decode("ascii").split("\n")
    if told.pop() or not bodies.endswith(b"\n"):
        raise ValueError("the last line is not a line")
    for body, line in zip(bodies.split(b"\n")[:-1], told, strict=True):
        if not _PATH.fullmatch(line):
            raise ValueError("a line is not an index and hashes")
        index, *hashes = line.split(" ")
        yield ProvenLeaf(int(index), body, tuple(bytes.fromhex(one) for one in hashes))


def anchor_path_text(old: int, new: int, path: Iterable[bytes]) -> bytes:
    """The sizes of the older tree and of the checkpoint's, and the hashes that lead from one to the other, in hex."""
    return "".join(f"{line}\n" for line in (f"{old} {new}", *(one.hex() for one in path))).encode()


_ANCHOR_PATH = re.compile(r"(0|[1-9][0-9]{0,14}) (0|[1-9][0-9]{0,14})\n((?:[0-9a-f]{64}\n)*)")


def read_anchor_path(text: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    """Read it back.

    Raises:
        ValueError: it is not of that form.
    """
    found = _ANCHOR_PATH.fullmatch(text.decode("ascii"))
    if found is None:
        raise ValueError("a line is not two sizes, or not a hash")
    return int(found[1]), int(found[2]), tuple(bytes.fromhex(one) for one in found[3].split())


def timeline(leaves: Iterable[tuple[int, Leaf]]) -> bytes:
    """Every item, discard and breach, in the order in which they were written down. A breach ends when it might go."""
    return (TIMELINE_HEAD + "".join(_row(index, leaf) for index, leaf in leaves if leaf.type in _ROWS)).encode()


def _row(index: int, leaf: Leaf) -> str:
    facts, kind = leaf.fields, _ROWS[leaf.type]
    if leaf.type == "del":
        return _line(
            index, kind, f"{facts['n0']}-{facts['n1']}", format_us(leaf.at_us), "", "", quoted(facts["rule"]), ""
        )
    if leaf.type == "breach":
        return _line(index, kind, f"{facts['n0']}-{facts['n1']}", format_us(leaf.at_us), facts["until"], "", '""', "")
    cause, detail, digest = (facts.get(name, "") for name in ("cause", "detail", "sha256"))
    return _line(index, kind, facts["n"], facts["t0"], facts["t1"], cause, quoted(detail), digest)


_ROWS = {"seg": "segment", "gap": "gap", "del": "discard", "breach": "breach"}


def clock(leaves: Iterable[tuple[int, Leaf]]) -> bytes:
    """How the camera's clock stood against the box's in each segment, and when that was written down by both clocks."""
    rows = []
    for _, leaf in leaves:
        if leaf.type == "seg":
            offset_us, drift_ppb = leaf.fields.get("clock_offset_us"), leaf.fields.get("clock_drift_ppb")
            written = (format_us(leaf.at_us), leaf.elapsed_us)
            rows.append(_line(leaf.fields["n"], leaf.fields["t0"], offset_us, drift_ppb, *written))
    return (CLOCK_HEAD + "".join(rows)).encode()


def files_table(names: Mapping[int, str], stream_id: str, leaves: Iterable[tuple[int, Leaf]]) -> bytes:
    """The list of what is handed over (电子数据清单). `names`: the originals that are there, by their numbers.

    Where the log tells the SM3 of any of them, the table has one more column (ADR 18).
    """
    rows: dict[int, Sequence[object]] = {}
    for _, leaf in leaves:
        facts = leaf.fields
        if leaf.type == "seg" and facts["stream"] == stream_id and facts["n"] in names:
            media = (names[facts["n"]], "original 原始录像", f"mp4 {facts['codec']}", facts["bytes"], facts["sha256"])
            rows[facts["n"]] = (*media, camera_of(stream_id), facts["t0"], facts["t1"], facts.get("sm3"))
    has_sm3 = any(row[-1] is not None for row in rows.values())
    cells = {n: row if has_sm3 else row[:-1] for n, row in rows.items()}
    head = FILES_HEAD + (",sm3\n" if has_sm3 else "\n")
    return (head + "".join(_line(number, *cells[n]) for number, n in enumerate(sorted(cells), 1))).encode()


def sm2_key(leaves: Iterable[tuple[int, Leaf]]) -> bytes | None:
    """The SM2 key that the log binds, as a file; None: these entries bind none."""
    return next((sm2.pem(leaf.fields["public"]) for _, leaf in leaves if leaf.type == "sm2"), None)


def custody(leaves: Iterable[ProvenLeaf]) -> bytes:
    """Who was handed footage of this stream, as far as these entries tell: as they are, one a line."""
    return b"".join(leaf.body + b"\n" for leaf in leaves if _HANDED_OUT.search(leaf.body))


_HANDED_OUT = re.compile(rb'"type":"(export|view)"')
"""Within a text the quotes of canonical JSON have a backslash before them: only the entry's own type is found."""

NAMES = re.compile(
    r"README\.txt|说明\.txt|verify\.(sh|py)|SHA256SUMS(\.sig|\.tsr)?|claim\.json|custody\.jsonl|(timeline|clock|files)\.csv"
    r"|files\.pdf|keys/(log(\.sm2|-(0|[1-9][0-9]{0,3}))?\.pub|tsa-roots)\.pem|proof/(checkpoint|leaves\.jsonl|paths\.txt|heads/(0|[1-9][0-9]{0,14})\.json"
    r"|anchors/(0|[1-9][0-9]{0,14})\.(body|path|tsr|[0-9a-f]{8}\.note))"
    r"|media/[a-z0-9][a-z0-9_-]*\.[a-z]+/((0|[1-9][0-9]{0,14})-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z|play-(0|[1-9][0-9]{0,14}))\.mp4"
)
"""The names that files of a package have; there are no others."""

FOLDERS = re.compile(r"keys|media(/[a-z0-9][a-z0-9_-]*\.[a-z]+)?|proof(/(anchors|heads))?")
"""Likewise its folders."""


def sums(digests: Mapping[str, str]) -> bytes:
    """As ``sha256sum`` writes and reads it."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def _line(*cells: object) -> str:
    return ",".join("" if cell is None else str(cell) for cell in cells) + "\n"


def quoted(text: str) -> str:
    """A cell of any text (RFC 4180), its line breaks and control characters as JSON writes them: a row is a line."""
    return '"' + json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '""') + '"'
