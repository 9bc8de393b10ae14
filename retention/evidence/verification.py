"""Verification, as a stranger does it: fed bytes, one method a step, and nothing believed that was not checked. Pure.

The steps build on each other, in the order in which they stand here::

    key          the box's key, and those that the log had before it
    listed       the list of files was signed with it                          (criminal procedure 2021, article 111)
    list_stamped an authority outside says when that list existed              (RFC 3161, 2.4.2)
    file         each file is listed, and is what was listed
    checkpoint   the log had this size and root                                (C2SP tlog-checkpoint)
    leaf         this entry stands in that log                                 (RFC 6962, 2.1.1)
    genesis      the keys follow each other, and the papers name one of them   (docs/proof.md, Keys)
    sm2          the second signature is there where the log says so           (GB/T 32918.2, optional)
    heads        a beat binds where every stream's chain stood                 (docs/proof.md, Completeness)
    anchor       an older checkpoint is a beginning of this log                (RFC 6962, 2.1.2)
    stamp        an authority outside says when it existed                     (RFC 3161, 2.4.2)
    cosignature  a witness outside says when it saw it, and no other           (C2SP tlog-cosignature)
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
from cryptography.x509 import Certificate

from config.times import SECOND_US, format_name, parse_us
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.causes import Cause
from recorder.store.daycount import is_offset
from recorder.store.keeping import Rule, read_rule
from recorder.store.log import sm2
from recorder.store.log.cosignature import cosigned_at_s
from recorder.store.log.errors import LogError, ProofInvalid
from recorder.store.log.keys import fingerprint, public_pem
from recorder.store.log.leaves import Leaf, decode_leaf
from recorder.store.log.note import Checkpoint, body_of, open_checkpoint, origin_of, read_body, signatures_by
from recorder.store.log.succession import LEAF, read_link, walk
from recorder.store.log.tree import leaf_hash, verify_consistency, verify_inclusion
from recorder.store.records import camera_of
from retention.evidence import forms
from retention.evidence.completeness import (
    Judgement,
    Proven,
    ProvenBreach,
    ProvenHold,
    ProvenItem,
    Receipt,
    Tie,
    hash_of_holds,
    judge,
)
from retention.evidence.timestamp import AuthorityError, stamped_us

_LEAVES = "proof/leaves.jsonl"
_LISTED = re.compile(r"([0-9a-f]{64})  (\S.*)")
_SHA256 = re.compile("[0-9a-f]{64}")


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


@dataclass(frozen=True)
class Seen:
    """What somebody outside said of the log: it had its first `size` entries at that time."""

    size: int
    at_us: int
    """By its clock."""
    leaf_index: int | None
    """Of the entry that binds what it said: what stands behind was written later. None: it was not handed over."""
    witness: str | None = None
    """The verifier key of who said it; None: an authority."""


@dataclass(frozen=True)
class Outside:
    """What one of those outside saw of it. None: nothing of the kind."""

    witness: str | None
    """Its verifier key; None: the authorities."""
    before: Seen | None
    """What it last said that was written down before the first item: all of them were written later."""
    recorded: Seen | None
    """What it first said of a tree with all items and both beats: nothing of it was recorded later."""
    whole: Seen | None
    """Likewise with all discards besides, and so all rules and holds that they went by: nothing was discarded later. A
    log that was written anew from the recordings on has none."""


class Verification:
    """What was handed over, as far as it has been checked."""

    def __init__(self, expected_fingerprint: str | None = None) -> None:
        """`expected_fingerprint`: of one of the log's keys, from the papers; None: any key, which proves less."""
        self.problems: list[Problem] = []
        self.media_digests: dict[str, dict[int, str]] = {}
        """Hex SHA-256 of the files, by stream and number."""
        self._expected = expected_fingerprint
        self._key: Ed25519PublicKey | None = None
        self._earlier: dict[int, str] = {}
        """Fingerprints of earlier keys, by number."""
        self._last_index = -1
        self._box = ""
        self._listed: dict[str, str] = {}
        self._seen: set[str] = set()
        self._checkpoint: Checkpoint | None = None
        self._entries: dict[int, _Entry] = {}
        self._items: dict[str, list[ProvenItem]] = {}
        self._numbered: dict[tuple[str, int], ProvenItem] = {}
        self._receipts: dict[str, list[Receipt]] = {}
        self._breaches: dict[str, list[ProvenBreach]] = {}
        self._rules: dict[str, list[Rule]] = {}
        self._heads: dict[int, Mapping[str, Sequence[int | str]]] = {}
        self._anchors: dict[int, Checkpoint] = {}
        self.made_us: int | None = None
        """When the list of files existed, by an authority's clock; None: nobody said."""
        self._seen_outside: list[Seen] = []

    # -- the files

    def key(self, name: str, pem: bytes) -> None:
        """The public key (PEM, Ed25519) that signed what was handed over."""
        self._key = self._public(name, pem)

    def earlier_key(self, name: str, number: int, pem: bytes) -> None:
        """One that signed the log before; 0 is the first."""
        found = self._public(name, pem)
        if found is not None:
            self._earlier[number] = fingerprint(found)

    def _public(self, name: str, pem: bytes) -> Ed25519PublicKey | None:
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            self._object(name, "It is no public key.")
            return None
        if not isinstance(key, Ed25519PublicKey):
            self._object(name, "It is no Ed25519 key.")
            return None
        if public_pem(key) != pem:
            self._object(name, "It is not written as a public key is, and as that alone.")
        return key

    def listed(self, name: str, text: bytes, signature_name: str, signature: bytes) -> None:
        """The list of all other files, as ``sha256sum`` writes it, and its signature (Ed25519, 64 bytes)."""
        if self._key is not None:
            try:
                self._key.verify(signature, text)
            except InvalidSignature:
                self._object(signature_name, f"It is not the signature of {name} by this key.")
        *lines, rest = text.decode("utf-8", "replace").split("\n")
        if rest:
            self._object(name, "Its last line is cut off.")
        for number, line in enumerate(lines, 1):
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

    def list_stamped(
        self, name: str, text: bytes, claimed: bool, token: bytes | None, roots: Sequence[Certificate]
    ) -> None:
        """The authority's answer about the list of files; None: there is no such file. It is there if it is claimed."""
        if token is None or not claimed:
            if claimed or token is not None:
                self._object(name, "The package says that it is there, and it is not, or the other way round.")
            return
        try:
            self.made_us = stamped_us(token, text, roots)
        except AuthorityError as err:
            self._object(name, str(err))

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

    def leaf(self, name: str, index: int, body: bytes, path: Sequence[bytes]) -> bool:
        """An entry of the log and the hashes that lead from it to the checkpoint's root; whether it may be read."""
        if self._checkpoint is None:
            return False
        if index <= self._last_index:
            self._object(name, f"Entry {index} stands twice, or out of order.")
        self._last_index = max(index, self._last_index)
        found = leaf_hash(body)
        try:
            verify_inclusion(found, index, self._checkpoint.size, path, self._checkpoint.root)
            self._take(_Entry(index, found.hex(), decode_leaf(body)))
        except LogError as err:
            self._object(name, f"Entry {index}: {err}")
            return False
        except (KeyError, TypeError, ValueError):
            self._object(name, f"Entry {index} is not of the form that this log writes.")
            return False
        return True

    def sm2(self, name: str, pem: bytes | None, checkpoint_name: str, text: str) -> None:
        """The SM2 key (None: there is none), and its signature, where entries of the log tell of one."""
        bound = [one.leaf.fields["public"] for one in self._of("sm2")]
        beats = [one.leaf.fields["sm2"] for one in self._of("beat") if "sm2" in one.leaf.fields]
        if self._checkpoint is None or (pem is None and not bound and not beats):
            return None
        if len(bound) != 1:
            return self._object(_LEAVES, "The log binds no SM2 key, or more than one.")
        if pem != sm2.pem(bound[0]):
            self._object(name, "It is not the SM2 key that the log binds.")
        if any(one != sm2.fingerprint(bound[0]) for one in beats):
            self._object(_LEAVES, "A beat names another SM2 key than the log binds.")
        last = self._entries.get(self._checkpoint.size - 1)
        if last is None or last.leaf.type != "beat":
            return self._object(_LEAVES, "The beat that closes the checkpoint, and tells of SM2, is not handed over.")
        signatures = signatures_by(text, self._checkpoint.origin, sm2.key_id(self._checkpoint.origin, bound[0]))
        if "sm2" in last.leaf.fields and not signatures:
            self._object(checkpoint_name, "It has no SM2 signature, and the log says that it has.")
        if not all(sm2.is_signature(bound[0], body_of(text).encode(), one) for one in signatures):
            self._object(checkpoint_name, "Its SM2 signature is not by the key that the log binds.")
        return None

    def heads(self, name: str, index: int, text: bytes) -> None:
        """Where every stream's chain stood at a beat: stream to number and leaf hash of its last item."""
        entry = self._entries.get(index)
        if entry is None or entry.leaf.type != "beat":
            return self._object(name, f"Entry {index} is no beat, or was not handed over.")
        if hashlib.sha256(text).hexdigest() != entry.leaf.fields.get("heads"):
            return self._object(name, f"It is not what the beat of entry {index} binds.")
        try:
            vector = json.loads(text)
        except (ValueError, RecursionError):
            vector = None
        if not forms.head_vector(vector) or heads_text(vector) != text:
            return self._object(name, "It is not a vector of heads, in the form that this log writes.")
        self._heads[index] = vector
        return None

    def anchor(self, name: str, size: int, body: bytes) -> None:
        """The text of an older checkpoint, of that size; `anchor_path` says whether it is of this log."""
        if self._checkpoint is None:
            return None
        try:
            read = read_body(body.decode("utf-8", "replace"))
        except LogError as err:
            return self._object(name, str(err))
        if read.body().encode() != body or (read.origin, read.size) != (self._checkpoint.origin, size):
            return self._object(name, "It is not a checkpoint of this log, of that size, in the form that it writes.")
        self._anchors[size] = read
        return None

    def anchor_path(self, name: str, size: int, old: int, new: int, path: Sequence[bytes]) -> None:
        """The hashes that lead from that checkpoint's root to the newest's."""
        stamped, newest = self._anchors.get(size), self._checkpoint
        if stamped is None or newest is None:
            return None
        if (old, new) != (size, newest.size):
            return self._object(name, f"It leads from {old} to {new} entries: between other sizes than these.")
        try:
            verify_consistency(old, new, stamped.root, newest.root, path)
        except ProofInvalid as err:
            self._object(name, f"The older checkpoint is no beginning of this log: {err}")
        return None

    def stamp(self, name: str, size: int, body: bytes, token: bytes, roots: Sequence[Certificate]) -> None:
        """The authority's answer about that checkpoint's text, by certificates that whoever checks believes."""
        try:
            at_us = stamped_us(token, body, roots)
        except AuthorityError as err:
            return self._object(name, str(err))
        digest = hashlib.sha256(token).hexdigest()
        bound = [one for one in self._of("anchor") if is_stamp(one.leaf) and one.leaf.fields.get("size") == size]
        if any(one.leaf.fields.get("token") != digest for one in bound):
            return self._object(name, "It is not the stamp of which the log says that it was kept.")
        self._seen_outside.append(Seen(size, at_us, bound[0].index if bound else None))
        return None

    def cosignature(self, name: str, size: int, key_id: str, note: bytes) -> None:
        """The note of that checkpoint with a witness's line; the entry that binds it says whose, by that key id."""
        bound = [one for one in self._cosigned() if _file(one) == (size, key_id)]
        if not bound:
            return self._object(name, "No entry of the log tells of this cosignature.")
        if any(one.leaf.fields["token"] != hashlib.sha256(note).hexdigest() for one in bound):
            return self._object(name, "It is not the cosignature of which the log says that it was kept.")
        key, at = parse_verifier_key(bound[0].leaf.fields["witness"], COSIGNATURE), self._anchors.get(size)
        try:
            text = note.decode()
            at_s = cosigned_at_s(text, key)
        except (LogError, UnicodeDecodeError) as err:
            return self._object(name, f"It is not cosigned by {key.name}: {err}")
        if at is None or body_of(text) != at.body():
            return self._object(name, "What was cosigned is another checkpoint.")
        self._seen_outside.append(Seen(size, at_s * SECOND_US, bound[0].index, key.text))
        return None

    def all_anchors(self, folder: str) -> None:
        """Those that the entries tell of are there."""
        seen = {(one.size, one.witness) for one in self._seen_outside}
        for entry in self._of("anchor"):
            size = entry.leaf.fields.get("size")
            if is_stamp(entry.leaf) and (size, None) not in seen:
                self._object(f"{folder}/{size}.tsr", "The log tells of this stamp, and it is not there, or not good.")
        for entry in self._cosigned():
            size, key_id = _file(entry)
            if (size, entry.leaf.fields["witness"]) not in seen:
                said = "The log tells of this cosignature, and it is not there, or not good."
                self._object(f"{folder}/{size}.{key_id}.note", said)

    def outsiders(self) -> tuple[Outside, ...]:
        """What each of those outside saw: the authorities together, and each witness, by their keys."""
        first = min((index for kind in ("seg", "gap") for index in self._indexes(kind)), default=0)
        items = max(self._heads, default=self._last_index)
        all_of_it = max([items, *self._indexes("del")])
        found = []
        for who in sorted({one.witness or "" for one in self._seen_outside}):
            seen = [one for one in self._seen_outside if (one.witness or "") == who]
            early = [one for one in seen if one.leaf_index is not None and one.leaf_index < first]
            before = max(early, key=lambda one: one.size, default=None)
            found.append(Outside(who or None, before, _first_beyond(seen, items), _first_beyond(seen, all_of_it)))
        return tuple(found)

    def genesis(self, name: str, key_name: str) -> None:
        """Entry 0 names the first key and the log; each `key` entry the next one, signed for by both; the last key is
        the one that is here, and the papers name one of them."""
        if self._key is None or self._checkpoint is None:
            return
        first = self._entries.get(0)
        facts = {} if first is None or first.leaf.type != "genesis" else first.leaf.fields
        keys = self._chain(name, self._checkpoint.origin, str(facts.get("key")))
        if (keys[-1], facts.get("origin")) != (fingerprint(self._key), self._checkpoint.origin):
            self._object(name, "The log does not lead from its beginning to this key and name: it is another box's.")
        if keys[-1] != fingerprint(self._key):
            self._object(key_name, "It is not the key to which the log leads.")
        self._box = str(facts.get("box"))
        self._papers(key_name, keys)
        for number in sorted({*self._earlier, *range(len(keys) - 1)}):
            if self._earlier.get(number) not in keys[:-1][number : number + 1]:
                self._object(f"keys/log-{number}.pub.pem", "It is not there, or not the key that the log had then.")

    def _chain(self, name: str, origin: str, first: str) -> list[str]:
        """The fingerprints of the log's keys, as far as they follow each other."""
        try:
            links = [read_link(origin, one.leaf.fields) for one in self._of(LEAF)]
            return [first, *map(fingerprint, walk(first, links)[1:])]
        except LogError as err:
            self._object(name, str(err))
            return [first]

    def _papers(self, name: str, keys: Sequence[str]) -> None:
        wanted = None if self._expected is None else re.sub("[: ]", "", self._expected).lower()
        if wanted is not None and wanted not in keys:
            told = f"The key's fingerprint is {keys[-1]}: not that of the papers"
            self._object(name, f"{told}." if len(keys) == 1 else f"{told}, nor is that of any key before it.")

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

    @property
    def tells_sm3(self) -> bool:
        """Whether an entry tells what media hashes to by SM3: then `media` must be told it too."""
        return any(item.sm3 is not None for item in self._numbered.values())

    def media(self, name: str, stream_id: str, n: int, sha256: str, sm3: str | None = None) -> None:
        """A media file, which item it is of, and what its bytes hash to."""
        item = self._numbered.get((stream_id, n))
        if item is None or item.sha256 is None:
            self._object(name, "No entry of the log tells of this file.")
            return
        self.media_digests.setdefault(stream_id, {})[n] = sha256
        if item.sha256 != sha256:
            self._object(name, "It is not what was recorded: its hash is not the one in the log.")
        elif item.sm3 is not None and item.sm3 != sm3:
            self._object(name, "Its SM3 hash is not the one in the log.")

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
        handed_out = {one.leaf.fields.get("stream") for kind in ("export", "view") for one in self._of(kind)}
        if {*self._items, *self._receipts, *self._breaches, *handed_out} - {stream_id}:
            self._object(_LEAVES, "There are entries of another stream.")
        if len(self._heads) < 2:
            self._object("proof/heads", "There are not two beats that bind the interval.")
        self._holds_are_all()
        self._rules_are_all(stream_id)
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
        forms.check(entry.leaf.type, entry.leaf.elapsed_us, facts)
        if any(_has_fields(value) for name, value in facts.items() if name != "audio"):
            raise ValueError("fields in fields: a shell could take them for the entry's own")
        if entry.leaf.type in ("seg", "gap"):
            item = _item(entry)
            self._items.setdefault(facts["stream"], []).append(item)
            self._numbered.setdefault((facts["stream"], item.n), item)
        elif entry.leaf.type == "del":
            self._receipts.setdefault(facts["stream"], []).append(_receipt(entry))
        elif entry.leaf.type == "breach":
            told = ProvenBreach(entry.index, facts["n0"], facts["n1"])
            self._breaches.setdefault(facts["stream"], []).append(told)
        elif entry.leaf.type == "camera" and facts.get("op") == "rule":
            self._rules.setdefault(facts["camera"], []).append(read_rule(entry.index, facts))
        elif entry.leaf.type == "sm2":
            sm2.point_of(facts["public"])
        elif entry.leaf.type == "anchor" and facts.get("kind") == "witness":
            _file(entry)
        self._entries[entry.index] = entry

    def _holds_are_all(self) -> None:
        """Beats say which holds were in force: whoever leaves one out must have lied in every beat since."""
        holds = self._holds()
        for beat in self._of("beat"):
            in_force = [one for one in holds if one.is_in_force(beat.index)]
            if beat.leaf.fields.get("holds", hash_of_holds(in_force)) != hash_of_holds(in_force):
                self._object(_LEAVES, f"Not all holds that were in force at beat {beat.index} are handed over.")

    def _rules_are_all(self, stream_id: str) -> None:
        """Discards say by which rules the camera was kept: whoever leaves one out must have lied in each since."""
        rules = self._rules_of(camera_of(stream_id))
        for one in self._receipts.get(stream_id, ()):
            if not one.knows(rules):
                self._object(_LEAVES, f"Not all rules that were in force at discard {one.index} are handed over.")

    def _rules_of(self, camera_id: str) -> list[Rule]:
        return sorted(self._rules.get(camera_id, ()), key=lambda one: one.index)

    def _proven(self, stream_id: str) -> Proven:
        items, receipts = self._items.get(stream_id, ()), self._receipts.get(stream_id, ())
        camera = camera_of(stream_id)
        breaches = self._breaches.get(stream_id, ())
        return Proven(items, self._ties(stream_id), receipts, self._holds(), camera, self._rules_of(camera), breaches)

    def _cosigned(self) -> list[_Entry]:
        return [one for one in self._of("anchor") if one.leaf.fields.get("kind") == "witness"]

    def _of(self, kind: str) -> list[_Entry]:
        return [self._entries[index] for index in sorted(self._entries) if self._entries[index].leaf.type == kind]

    def _indexes(self, kind: str) -> list[int]:
        return [one.index for one in self._of(kind)]

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


def _first_beyond(seen: Sequence[Seen], index: int) -> Seen | None:
    """The first that was said of a tree with that entry."""
    return min((one for one in seen if one.size > index), key=lambda one: one.size, default=None)


def _file(entry: _Entry) -> tuple[int, str]:
    """Of an entry that binds a cosignature: the size and the key id by which its file is named.

    Raises:
        KeyError, ValueError: it does not say.
    """
    facts = entry.leaf.fields
    if not _SHA256.fullmatch(facts["token"]) or type(facts["size"]) is not int:
        raise ValueError("no size, or no hash")
    return facts["size"], parse_verifier_key(facts["witness"], COSIGNATURE).id.hex()


def is_stamp(leaf: Leaf) -> bool:
    """Whether an `anchor` entry binds an authority's stamp; a witness's may be of the same size."""
    return leaf.fields.get("kind") == "rfc3161"


def heads_text(vector: Mapping[str, Sequence[int | str]]) -> bytes:
    """A head vector as its beat hashes it: canonical JSON (RFC 8785)."""
    return rfc8785.dumps({stream_id: list(head) for stream_id, head in vector.items()})


def _has_fields(value: object) -> bool:
    """Whether it has fields of its own: a shell that looks for one by its name could take them for the entry's."""
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_has_fields, value)))


def _item(entry: _Entry) -> ProvenItem:
    facts = entry.leaf.fields
    return ProvenItem(
        hash=entry.hash,
        n=facts["n"],
        prev=facts["prev"],
        t0_us=parse_us(facts["t0"]),
        t1_us=parse_us(facts["t1"]),
        elapsed_us=entry.leaf.elapsed_us,
        index=entry.index,
        sha256=facts.get("sha256"),
        cause=Cause(facts["cause"]) if "cause" in facts else None,
        detail=facts.get("detail", ""),
        run=facts.get("run"),
        init_bytes=facts.get("init_bytes", 0),
        sm3=facts.get("sm3"),
        utc_offset_s=_offset(facts),
    )


def _receipt(entry: _Entry) -> Receipt:
    facts = entry.leaf.fields
    clocks = (entry.leaf.at_us, entry.leaf.elapsed_us)
    offset_s = _offset(facts)
    days, holds, rules = facts["floor_days"], facts["holds"], facts.get("rules")
    return Receipt(entry.index, facts["n0"], facts["n1"], *clocks, days, holds, rules, offset_s)


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
