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
from recorder.store.log.leaves import Leaf
from recorder.store.proofs import ProvenLeaf
from recorder.store.records import camera_of

FORMAT = 1

CLAIM = "claim.json"
CUSTODY = "custody.jsonl"
TIMELINE = "timeline.csv"
CLOCK = "clock.csv"
FILES = "files.csv"
KEY = "keys/log.pub.pem"
EARLIER_KEY = "keys/log-{number}.pub.pem"
"""Those that the log was signed with before; 0 is the first."""

CHECKPOINT = "proof/checkpoint"
LEAVES = "proof/leaves.jsonl"
PATHS = "proof/paths.txt"
HEADS = "proof/heads"
MEDIA = "media"
SUMS = "SHA256SUMS"
SUMS_SIGNATURE = "SHA256SUMS.sig"

PLAY = "play-{run}.mp4"
"""All originals of one run as one film: the first whole, of the others what lies behind the beginning of the file."""

TIMELINE_HEAD = "entry,kind,item,start,end,cause,detail,sha256\n"
CLOCK_HEAD = "item,start,camera_clock_ahead_us,camera_clock_drift_ppb,written_down,box_time_us\n"
FILES_HEAD = "number,file,category,format,bytes,sha256,camera,start,end\n"


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
        if not all(isinstance(value, int if name == "floor_days" else str) for name, value in facts.items()):
            raise ClaimMalformed("What the package says of itself has values of a wrong kind.")
        facts |= {f"{name}_us": parse_us(facts.pop(name)) for name in ("start", "end", "made")}
        claim = Claim(**facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise ClaimMalformed("What the package says of itself cannot be read.") from err
    if claim.start_us >= claim.end_us or claim.made_us < claim.end_us:
        raise ClaimMalformed("The interval that the package names has no length, or was still to come.")
    if claim.text() != text:
        raise ClaimMalformed("What the package says of itself is not in the form that this program writes.")
    return claim


def leaves_text(leaves: Iterable[ProvenLeaf]) -> bytes:
    """Entries of the log, one a line: canonical JSON holds no line break."""
    return b"".join(leaf.body + b"\n" for leaf in leaves)


def paths_text(leaves: Iterable[ProvenLeaf]) -> bytes:
    """For each entry, in the same order: its index, and the hashes that lead to the root, in hex."""
    return "".join(" ".join([str(leaf.index), *(one.hex() for one in leaf.path)]) + "\n" for leaf in leaves).encode()


_PATH = re.compile(r"(0|[1-9][0-9]{0,15})( [0-9a-f]{64})*")


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


def timeline(leaves: Iterable[tuple[int, Leaf]]) -> bytes:
    """Every item and every discard, in the order in which they were written down."""
    return (TIMELINE_HEAD + "".join(_row(index, leaf) for index, leaf in leaves if leaf.type in _ROWS)).encode()


def _row(index: int, leaf: Leaf) -> str:
    facts, kind = leaf.fields, _ROWS[leaf.type]
    if leaf.type == "del":
        return _line(
            index, kind, f"{facts['n0']}-{facts['n1']}", format_us(leaf.at_us), "", "", quoted(facts["rule"]), ""
        )
    cause, detail, digest = (facts.get(name, "") for name in ("cause", "detail", "sha256"))
    return _line(index, kind, facts["n"], facts["t0"], facts["t1"], cause, quoted(detail), digest)


_ROWS = {"seg": "segment", "gap": "gap", "del": "discard"}


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
    """The list of what is handed over (电子数据清单). `names`: the originals that are there, by their numbers."""
    rows: dict[int, Sequence[object]] = {}
    for _, leaf in leaves:
        facts = leaf.fields
        if leaf.type == "seg" and facts["stream"] == stream_id and facts["n"] in names:
            media = (names[facts["n"]], "original 原始录像", f"mp4 {facts['codec']}", facts["bytes"], facts["sha256"])
            rows[facts["n"]] = (*media, camera_of(stream_id), facts["t0"], facts["t1"])
    return (FILES_HEAD + "".join(_line(number, *rows[n]) for number, n in enumerate(sorted(rows), 1))).encode()


def custody(leaves: Iterable[ProvenLeaf]) -> bytes:
    """What was done with footage of this stream, as far as the log tells: entries as they are, one a line."""
    return b"".join(leaf.body + b"\n" for leaf in leaves if b'"type":"export"' in leaf.body)


NAMES = re.compile(
    r"README\.txt|说明\.txt|verify\.(sh|py)|SHA256SUMS(\.sig)?|claim\.json|custody\.jsonl|(timeline|clock|files)\.csv"
    r"|keys/log(-(0|[1-9][0-9]{0,3}))?\.pub\.pem|proof/(checkpoint|leaves\.jsonl|paths\.txt|heads/(0|[1-9][0-9]{0,15})\.json)"
    r"|media/[a-z0-9][a-z0-9_-]*\.[a-z]+/((0|[1-9][0-9]{0,15})-[0-9]{8}T[0-9]{6}\.[0-9]{3}Z|play-(0|[1-9][0-9]{0,15}))\.mp4"
)
"""The names that files of a package have; there are no others."""


def sums(digests: Mapping[str, str]) -> bytes:
    """As ``sha256sum`` writes and reads it."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def _line(*cells: object) -> str:
    return ",".join("" if cell is None else str(cell) for cell in cells) + "\n"


def quoted(text: str) -> str:
    """A cell of any text (RFC 4180), its line breaks and control characters as JSON writes them: a row is a line."""
    return '"' + json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '""') + '"'
