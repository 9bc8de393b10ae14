"""Verification, as a stranger does it: fed bytes, one method a step, and nothing believed that was not checked. Pure.

The steps build on each other, in the order in which they stand here::

    key          the box's key is the one that the papers name                 (law-and-evidence 3.3, trust root)
    listed       the list of files was signed with it                          (criminal procedure 2021, article 111)
    file         each file is listed, and is what was listed
    checkpoint   the log had this size and root                                (C2SP tlog-checkpoint)
    leaf         this entry stands in that log                                 (RFC 6962, 2.1.1)
    heads        a beat binds where every stream's chain stood                 (3.7)
    media        this file is the one that an entry tells of
    judgement    every instant of an interval accounted for                    (order 168, article 28: complete)

A step that fails becomes a problem that names the file and says in words what is wrong; the others go on, so that one
damaged place does not hide another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from config.times import format_name, parse_us
from recorder.causes import Cause
from recorder.store.daycount import is_offset
from recorder.store.log.errors import LogError
from recorder.store.log.keys import fingerprint
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.log.note import Checkpoint, open_checkpoint, origin_of
from recorder.store.log.tree import leaf_hash, verify_inclusion
from recorder.store.records import camera_of
from retention.evidence.completeness import Judgement, Proven, ProvenHold, ProvenItem, Receipt, Tie, judge

_LISTED = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it must be."""

    file: str
    what: str


@dataclass(frozen=True)
class _Entry:
    """A leaf that was proved to stand in the log."""

    index: int
    hash: str
    leaf: Leaf


class Verification:
    """What was handed over, as far as it has been checked."""

    def __init__(self, expected_fingerprint: str | None = None) -> None:
        """`expected_fingerprint`: of the box's key, from the acceptance papers; None: any key, which proves less."""
        self.problems: list[Problem] = []
        self.media_digests: dict[str, dict[int, str]] = {}
        """Hex SHA-256 of the files, by stream and number."""
        self._expected = expected_fingerprint
        self._key: Ed25519PublicKey | None = None
        self._last_index = -1
        self._box = ""
        self._listed: dict[str, str] = {}
        self._seen: set[str] = set()
        self._checkpoint: Checkpoint | None = None
        self._entries: dict[int, _Entry] = {}
        self._items: dict[str, list[ProvenItem]] = {}
        self._numbered: dict[tuple[str, int], ProvenItem] = {}
        self._receipts: dict[str, list[Receipt]] = {}
        self._heads: dict[int, Mapping[str, Sequence[int | str]]] = {}

    # -- the files

    def key(self, name: str, pem: bytes) -> None:
        """The box's public key (PEM, Ed25519): the one that the papers name."""
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            return self._object(name, "It is no public key.")
        if not isinstance(key, Ed25519PublicKey):
            return self._object(name, "It is no Ed25519 key.")
        found = fingerprint(key)
        if self._expected is not None and found != re.sub("[: ]", "", self._expected).lower():
            return self._object(name, f"The key's fingerprint is {found}: not that of the papers.")
        self._key = key
        return None

    def listed(self, name: str, text: bytes, signature_name: str, signature: bytes) -> None:
        """The list of all other files, as ``sha256sum`` writes it, and its signature (Ed25519, 64 bytes)."""
        if self._key is not None:
            try:
                self._key.verify(signature, text)
            except InvalidSignature:
                self._object(signature_name, f"It is not the signature of {name} by this key.")
        for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
            found = _LISTED.fullmatch(line)
            if found is None or found[2] in self._listed:
                self._object(name, f"Line {number} cannot be read, or names a file twice.")
            else:
                self._listed[found[2]] = found[1]

    def file(self, name: str, sha256: str) -> None:
        """A file that is there."""
        self._seen.add(name)
        listed = self._listed.get(name)
        if listed is None:
            self._object(name, "The list of files does not name it.")
        elif listed != sha256:
            self._object(name, "It was changed: its hash is not the listed one.")

    def no_more_files(self) -> None:
        """All that are there were told."""
        for name in sorted(set(self._listed) - self._seen):
            self._object(name, "The list of files names it, and it is not there.")

    # -- the log

    def checkpoint(self, name: str, text: str) -> None:
        """A signed note of the log's size and root."""
        if self._key is None:
            return
        try:
            self._checkpoint = open_checkpoint(text, origin_of(text), self._key)
        except LogError as err:
            self._object(name, str(err))

    def leaf(self, name: str, index: int, body: bytes, path: Sequence[bytes]) -> None:
        """An entry of the log and the hashes that lead from it to the checkpoint's root."""
        if self._checkpoint is None:
            return
        if index <= self._last_index:
            self._object(name, f"Entry {index} stands twice, or out of order.")
        self._last_index = max(index, self._last_index)
        found = leaf_hash(body)
        try:
            verify_inclusion(found, index, self._checkpoint.size, path, self._checkpoint.root)
            self._take(_Entry(index, found.hex(), decode_leaf(body)))
        except LogError as err:
            self._object(name, f"Entry {index}: {err}")
        except (KeyError, TypeError, ValueError):
            self._object(name, f"Entry {index} is not of the form that this log writes.")

    def heads(self, name: str, index: int, text: bytes) -> None:
        """Where every stream's chain stood at a beat: stream to number and leaf hash of its last item."""
        entry = self._entries.get(index)
        if entry is None or entry.leaf.type != "beat":
            return self._object(name, f"Entry {index} is no beat, or was not handed over.")
        if hashlib.sha256(text).hexdigest() != entry.leaf.fields.get("heads"):
            return self._object(name, f"It is not what the beat of entry {index} binds.")
        self._heads[index] = json.loads(text)
        return None

    def genesis(self, name: str) -> None:
        """Entry 0 names the key and the log that all of this is signed with."""
        if self._key is None or self._checkpoint is None:
            return
        first = self._entries.get(0)
        facts = {} if first is None or first.leaf.type != "genesis" else first.leaf.fields
        if (facts.get("key"), facts.get("origin")) != (fingerprint(self._key), self._checkpoint.origin):
            self._object(name, "The log does not begin with this key and this name: it is another box's.")
        self._box = str(facts.get("box"))

    def claimed(self, name: str, key_fingerprint: str, origin: str, box: str) -> None:
        """Whose key, log and box somebody says that this is."""
        if self._box and self._box != box:
            self._object(name, "It names another box than the log's first entry.")
        if self._key is not None and fingerprint(self._key) != key_fingerprint:
            self._object(name, "It names another key than the one that is here.")
        if self._checkpoint is not None and self._checkpoint.origin != origin:
            self._object(name, "It names another log than the checkpoint.")

    def table(self, name: str, text: bytes, made: bytes) -> None:
        """A table that can be made again from the entries of the log: `made`."""
        if text != made:
            self._object(name, "It is not what the entries of the log say.")

    # -- the footage

    def media(self, name: str, stream_id: str, n: int, sha256: str) -> None:
        """A media file, which item it is of, and what its bytes hash to."""
        item = self._numbered.get((stream_id, n))
        if item is None or item.sha256 is None:
            self._object(name, "No entry of the log tells of this file.")
            return
        self.media_digests.setdefault(stream_id, {})[n] = sha256
        if item.sha256 != sha256:
            self._object(name, "It is not what was recorded: its hash is not the one in the log.")

    def file_name(self, stream_id: str, n: int) -> str:
        """How an original is named, by its entry."""
        item = self._numbered.get((stream_id, n))
        return "" if item is None else f"{n}-{format_name(item.t0_us)}.mp4"

    def films(self, stream_id: str) -> dict[int, list[ProvenItem]]:
        """Of each run the segments whose media was handed over, in order: what a film of it is made of."""
        there = self.media_digests.get(stream_id, {})
        found: dict[int, list[ProvenItem]] = {}
        for item in sorted(self._items.get(stream_id, ()), key=lambda one: one.n):
            if item.n in there and item.run is not None:
                found.setdefault(item.run, []).append(item)
        return found

    def film(self, name: str, sha256: str, made: str | None) -> None:
        """A film, and what one that is made anew from the originals hashes to; None: there are none for it."""
        if sha256 != made:
            self._object(name, "It is not made of the originals.")

    def judgement(
        self, stream_id: str, start_us: int, end_us: int, *, floor_days: int, zone: ZoneInfo | None
    ) -> Judgement:
        """Every instant of an interval, by what was proved so far; see `completeness.judge`."""
        if {*self._items, *self._receipts} - {stream_id}:
            self._object("proof/leaves.jsonl", "There are entries of another stream.")
        if len(self._heads) < 2:
            self._object("proof/heads", "There are not two beats that bind the interval.")
        media = self.media_digests.get(stream_id, {})
        return judge(self._proven(stream_id), media, start_us, end_us, floor_days=floor_days, zone=zone)

    # -- inside

    def _object(self, name: str, what: str) -> None:
        self.problems.append(Problem(name, what))

    def _take(self, entry: _Entry) -> None:
        """Read what is needed of an entry at once: what cannot be read is said where it was handed in.

        Raises:
            KeyError, TypeError, ValueError: it is not of the form that this log writes.
        """
        facts = entry.leaf.fields
        if entry.leaf.type in ("seg", "gap"):
            item = _item(entry)
            self._items.setdefault(facts["stream"], []).append(item)
            self._numbered.setdefault((facts["stream"], item.n), item)
        elif entry.leaf.type == "del":
            self._receipts.setdefault(facts["stream"], []).append(_receipt(entry))
        elif entry.leaf.type == "hold":
            _hold(entry, None)
        self._entries[entry.index] = entry

    def _proven(self, stream_id: str) -> Proven:
        items, receipts = self._items.get(stream_id, ()), self._receipts.get(stream_id, ())
        return Proven(items, self._ties(stream_id), receipts, self._holds(), camera_of(stream_id))

    def _of(self, kind: str) -> list[_Entry]:
        return [self._entries[index] for index in sorted(self._entries) if self._entries[index].leaf.type == kind]

    def _ties(self, stream_id: str) -> list[Tie]:
        """A stream that a beat does not know yet stands before its first item, at its camera's registration."""
        told = (one for one in self._of("camera") if one.leaf.fields.get("camera") == camera_of(stream_id))
        mine = [one.hash for one in told if one.leaf.fields.get("op") == "registered"]
        before = (-1, mine[0] if mine else "")
        heads = (self._heads[index].get(stream_id, before) for index in sorted(self._heads))
        return [Tie(int(n), str(digest)) for n, digest in heads]

    def _holds(self) -> list[ProvenHold]:
        released = {one.leaf.fields.get("hold"): one.index for one in self._of("release")}
        return [_hold(one, released.get(one.leaf.fields["hold"])) for one in self._of("hold")]


def heads_text(vector: Mapping[str, Sequence[int | str]]) -> bytes:
    """A head vector as its beat hashes it: canonical JSON (RFC 8785)."""
    return rfc8785.dumps({stream_id: list(head) for stream_id, head in vector.items()})


def _item(entry: _Entry) -> ProvenItem:
    facts = entry.leaf.fields
    return ProvenItem(
        hash=entry.hash,
        n=facts["n"],
        prev=facts["prev"],
        t0_us=parse_us(facts["t0"]),
        t1_us=parse_us(facts["t1"]),
        elapsed_us=entry.leaf.elapsed_us,
        sha256=facts.get("sha256"),
        cause=Cause(facts["cause"]) if "cause" in facts else None,
        detail=facts.get("detail", ""),
        run=facts.get("run"),
        init_bytes=facts.get("init_bytes", 0),
        utc_offset_s=_offset(facts),
    )


def _receipt(entry: _Entry) -> Receipt:
    facts = entry.leaf.fields
    clocks = (entry.leaf.at_us, entry.leaf.elapsed_us)
    offset_s = _offset(facts)
    return Receipt(entry.index, facts["n0"], facts["n1"], *clocks, facts["floor_days"], facts["holds"], offset_s)


def _offset(facts: Mapping[str, object]) -> int | None:
    """How far local time was ahead of UTC, in seconds; None: the entry does not say.

    Raises:
        ValueError: it says something that cannot be.
    """
    if "utc_offset_s" not in facts:
        return None
    found = facts["utc_offset_s"]
    if not is_offset(found):
        raise ValueError(f"{found!r} is no offset from UTC")
    return found


def _hold(entry: _Entry, released_index: int | None) -> ProvenHold:
    facts = entry.leaf.fields
    cameras = frozenset(facts["cameras"])
    span = (parse_us(facts["t0"]), parse_us(facts["t1"]))
    return ProvenHold(facts["hold"], cameras, *span, entry.index, released_index, facts["record"])
