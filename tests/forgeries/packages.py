"""The museum of packages: one small way each in which an evidence package can be wrong, a function named for it.

Each forger gets a real, small, honest package and does what a person with the files would do to it. Those of `OWNED`
have the box's own key besides, and sign again what they changed: what they cannot do is change the log and still lead
to the checkpoint. `PACKAGES` and `OWNED` say which file must be named.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from recorder.store.layout import Layout
from recorder.store.log import sm2
from recorder.store.log.cosignature import cosign, witness_key
from recorder.store.log.keys import fingerprint, public_pem
from recorder.store.log.leaves import decode_leaf, encode_leaf
from recorder.store.log.note import Checkpoint, body_of, open_checkpoint, origin_of, sign_checkpoint, verifier_key
from recorder.store.log.succession import sign_link
from recorder.store.log.tree import leaf_hash, root_of
from recorder.store.proofs import ProvenLeaf
from recorder.store.sm2key import Sm2Key
from retention.evidence import package
from retention.evidence.listing import listing
from tests.fakes.clock import FakeClock

Forger = Callable[[Path], None]
Owner = Callable[[Path, Ed25519PrivateKey], None]
Keys = Sequence[Ed25519PrivateKey]
Successor = Callable[[Path, Keys], None]


def flip(path: Path, at: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    path.write_bytes(content)


def media(folder: Path, place: int = 1) -> Path:
    return sorted((folder / package.MEDIA).rglob("[0-9]*.mp4"), key=lambda path: int(path.name.partition("-")[0]))[
        place
    ]


def public_key(folder: Path) -> Ed25519PublicKey:
    found = load_pem_public_key((folder / package.KEY).read_bytes())
    assert isinstance(found, Ed25519PublicKey)
    return found


def resign(folder: Path, key: Ed25519PrivateKey) -> None:
    """List all files anew, and sign the list. A stamp of it that an authority gave is one of another list: it goes, and
    the claim no longer tells of it."""
    (folder / package.SUMS_STAMP).unlink(missing_ok=True)
    claim = folder / package.CLAIM
    claim.write_bytes(claim.read_bytes().replace(b'"stamped":true', b'"stamped":false'))
    digests = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in package.UNLISTED
    }
    text = package.sums(digests)
    (folder / package.SUMS).write_bytes(text)
    (folder / package.SUMS_SIGNATURE).write_bytes(key.sign(text))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def put(path: Path, content: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in content))


def entry(folder: Path, kind: str, place: int = 0) -> int:
    """The line of an entry of that kind."""
    found = [n for n, line in enumerate(lines(folder / package.LEAVES)) if json.loads(line)["type"] == kind]
    return found[place]


def unreachable(folder: Path) -> int:
    """The line of the gap in which the camera was."""
    return next(n for n, one in enumerate(lines(folder / package.LEAVES)) if b'"cause":"unreachable"' in one)


def edit_entry(folder: Path, line: int, old: bytes, new: bytes) -> None:
    content = lines(folder / package.LEAVES)
    assert old in content[line]
    content[line] = content[line].replace(old, new, 1)
    put(folder / package.LEAVES, content)


def leave_out(folder: Path, line: int) -> None:
    for name in (package.LEAVES, package.PATHS):
        content = lines(folder / name)
        del content[line]
        put(folder / name, content)


def tables(folder: Path) -> None:
    """Make the tables anew from the entries, as an owner would."""
    indexes = [int(line.split(b" ")[0]) for line in lines(folder / package.PATHS)]
    leaves = [(i, decode_leaf(body)) for i, body in zip(indexes, lines(folder / package.LEAVES), strict=True)]
    (folder / package.TIMELINE).write_bytes(package.timeline(leaves))
    (folder / package.CLOCK).write_bytes(package.clock(leaves))


# without the key


def a_file_is_added(folder: Path) -> None:
    (folder / "media" / "note.txt").write_text("I was not here")


def a_media_file_is_duplicated(folder: Path) -> None:
    path = media(folder)
    shutil.copy(path, path.with_name("77-copy.mp4"))


def two_media_files_swapped(folder: Path) -> None:
    one, two = media(folder, 1), media(folder, 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def a_media_file_is_a_link(folder: Path) -> None:
    path = media(folder)
    elsewhere = folder.parent / "elsewhere.mp4"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def a_listed_hash_is_edited(folder: Path) -> None:
    flip(folder / package.SUMS, 3)


def a_line_of_the_list_is_removed(folder: Path) -> None:
    put(folder / package.SUMS, lines(folder / package.SUMS)[1:])


def a_line_of_the_list_is_doubled(folder: Path) -> None:
    content = lines(folder / package.SUMS)
    put(folder / package.SUMS, [*content, content[0]])


def all_is_signed_with_another_key(folder: Path) -> None:
    """A whole new package, in itself without a flaw: only the papers tell."""
    key = Ed25519PrivateKey.generate()
    note = (folder / package.CHECKPOINT).read_text()
    old = open_checkpoint(note, origin_of(note), public_key(folder))
    (folder / package.CHECKPOINT).write_text(sign_checkpoint(old, key))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / package.KEY).write_bytes(public)
    resign(folder, key)


def the_tail_of_the_entries_is_cut_off(folder: Path) -> None:
    path = folder / package.LEAVES
    path.write_bytes(path.read_bytes()[:-20])


def the_lists_stamp_is_that_of_a_checkpoint(folder: Path) -> None:
    shutil.copy(next((folder / package.ANCHORS).glob("*.tsr")), folder / package.SUMS_STAMP)


def the_print_of_the_list_is_edited(folder: Path) -> None:
    flip(folder / package.FILES_PRINT)


def the_print_of_the_list_is_removed(folder: Path) -> None:
    (folder / package.FILES_PRINT).unlink()


def the_print_is_of_another_list(folder: Path) -> None:
    """A row less, and all of one piece: what its foot says of the table fits a table that is not here."""
    claim = package.read_claim((folder / package.CLAIM).read_bytes())
    table = b"".join(line + b"\n" for line in lines(folder / package.FILES)[:-1])
    (folder / package.FILES_PRINT).write_bytes(listing(claim, table))


def a_second_print_of_the_list(folder: Path) -> None:
    shutil.copy(folder / package.FILES_PRINT, folder / "files-2.pdf")


def an_empty_folder_that_looks_like_an_anchor(folder: Path) -> None:
    (folder / package.ANCHORS / "x").mkdir()


def an_empty_folder_that_looks_like_a_key(folder: Path) -> None:
    (folder / "keys" / "log-abc").mkdir()


def an_empty_folder_in_the_place_of_a_film(folder: Path) -> None:
    (folder / package.MEDIA / "gate.main" / "play-9.mp4").mkdir()


def an_empty_folder_in_the_place_of_a_head(folder: Path) -> None:
    (folder / package.HEADS / "9.json").mkdir()


PACKAGES: dict[Forger, str] = {
    an_empty_folder_that_looks_like_an_anchor: f"{package.ANCHORS}/x",
    an_empty_folder_that_looks_like_a_key: "keys/log-abc",
    an_empty_folder_in_the_place_of_a_film: "play-9.mp4",
    an_empty_folder_in_the_place_of_a_head: f"{package.HEADS}/9.json",
    the_lists_stamp_is_that_of_a_checkpoint: package.SUMS_STAMP,
    a_file_is_added: "media/note.txt",
    a_media_file_is_duplicated: "77-copy.mp4",
    two_media_files_swapped: "media/gate.main/",
    a_media_file_is_a_link: "media/gate.main/",
    a_listed_hash_is_edited: package.SUMS,
    a_line_of_the_list_is_removed: package.SUMS,
    a_line_of_the_list_is_doubled: package.SUMS,
    all_is_signed_with_another_key: package.KEY,
    the_tail_of_the_entries_is_cut_off: package.LEAVES,
    the_print_of_the_list_is_edited: package.FILES_PRINT,
    the_print_of_the_list_is_removed: package.FILES_PRINT,
    the_print_is_of_another_list: package.FILES_PRINT,
    a_second_print_of_the_list: "files-2.pdf",
}


# with the key: each of these is followed by `resign`


def media_is_replaced(folder: Path, key: Ed25519PrivateKey) -> None:
    flip(media(folder))


def media_is_replaced_by_that_of_another_minute(folder: Path, key: Ed25519PrivateKey) -> None:
    media(folder, 1).write_bytes(media(folder, 2).read_bytes())


def media_is_removed(folder: Path, key: Ed25519PrivateKey) -> None:
    media(folder).unlink()


def a_film_is_edited(folder: Path, key: Ed25519PrivateKey) -> None:
    flip(next((folder / package.MEDIA).rglob("play-*")))


def a_film_of_nothing(folder: Path, key: Ed25519PrivateKey) -> None:
    path = next((folder / package.MEDIA).rglob("play-*"))
    shutil.copy(path, path.with_name("play-999.mp4"))


def media_of_another_number(folder: Path, key: Ed25519PrivateKey) -> None:
    path = media(folder)
    path.rename(path.with_name("999-" + path.name.partition("-")[2]))


def media_of_another_camera(folder: Path, key: Ed25519PrivateKey) -> None:
    path = media(folder)
    (folder / "media" / "yard.main").mkdir()
    shutil.copy(path, folder / "media" / "yard.main" / path.name)


def an_entry_is_edited(folder: Path, key: Ed25519PrivateKey) -> None:
    edit_entry(folder, entry(folder, "seg"), b'"frames":', b'"frames":1')
    tables(folder)


def a_media_hash_is_edited_with_its_file(folder: Path, key: Ed25519PrivateKey) -> None:
    path = media(folder)
    before = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    flip(path)
    after = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    line = next(n for n, one in enumerate(lines(folder / package.LEAVES)) if before in one)
    edit_entry(folder, line, before, after)
    tables(folder)


def a_gaps_cause_is_edited(folder: Path, key: Ed25519PrivateKey) -> None:
    edit_entry(folder, unreachable(folder), b'"cause":"unreachable"', b'"cause":"scheduled"')
    tables(folder)


def a_gaps_cause_is_edited_in_the_table(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.TIMELINE
    path.write_bytes(path.read_bytes().replace(b"unreachable", b"scheduled", 1))


def the_interval_is_turned_round(folder: Path, key: Ed25519PrivateKey) -> None:
    claim = json.loads((folder / package.CLAIM).read_bytes())
    claim["start"], claim["end"] = claim["end"], claim["start"]
    put_claim(folder, claim)


def put_claim(folder: Path, claim: dict[str, object]) -> None:
    text = json.dumps(claim, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    (folder / package.CLAIM).write_bytes(text.encode() + b"\n")


def the_claim_is_of_another_box(folder: Path, key: Ed25519PrivateKey) -> None:
    claim = json.loads((folder / package.CLAIM).read_bytes())
    put_claim(folder, claim | {"box": "0123456789abcdef"})


def the_claim_has_values_of_another_kind(folder: Path, key: Ed25519PrivateKey) -> None:
    claim = json.loads((folder / package.CLAIM).read_bytes())
    put_claim(folder, claim | {"floor_days": "30"})


def the_claim_hides_an_interval_in_another_field(folder: Path, key: Ed25519PrivateKey) -> None:
    claim = json.loads((folder / package.CLAIM).read_bytes())
    put_claim(folder, claim | {"time_zone": {"end": claim["end"]}, "end": "2026-03-01T12:00:00.000000Z"})


def an_entry_without_its_line_break(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.LEAVES
    path.write_bytes(path.read_bytes() + b'{"cause":"scheduled","type":"gap"}')


def entries_in_another_order(folder: Path, key: Ed25519PrivateKey) -> None:
    for name in (package.LEAVES, package.PATHS):
        content = lines(folder / name)
        content[2], content[3] = content[3], content[2]
        put(folder / name, content)


def an_index_written_in_another_way(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.PATHS)
    put(folder / package.PATHS, [b"0" + content[0], *content[1:]])


def a_head_of_another_name(folder: Path, key: Ed25519PrivateKey) -> None:
    path = sorted((folder / package.HEADS).iterdir())[-1]
    shutil.copy(path, path.with_name("0" + path.name))


def a_film_is_removed(folder: Path, key: Ed25519PrivateKey) -> None:
    next((folder / package.MEDIA).rglob("play-*")).unlink()


def media_under_another_time(folder: Path, key: Ed25519PrivateKey) -> None:
    path = media(folder)
    path.rename(path.with_name(path.name.replace("2026", "2025")))


def media_behind_one_of_a_longer_name(folder: Path, key: Ed25519PrivateKey) -> None:
    """The true file under a name that begins like it, and the altered one in its place."""
    path = media(folder)
    shutil.copy(path, path.with_name(path.name + ".bak"))
    flip(path)


def a_custody_that_says_something_else(folder: Path, key: Ed25519PrivateKey) -> None:
    (folder / package.CUSTODY).write_text('{"type":"export"}\n')


def a_view_is_missing_from_the_custody(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.CUSTODY)
    kept = [line for line in content if b'"type":"view"' not in line]
    assert len(kept) < len(content)
    put(folder / package.CUSTODY, kept)


def a_view_is_told_in_another_way(folder: Path, key: Ed25519PrivateKey) -> None:
    """It was footage, and is to have been a still."""
    edit_entry(folder, entry(folder, "view"), b'"kind":"media"', b'"kind":"still"')
    path = folder / package.CUSTODY
    path.write_bytes(path.read_bytes().replace(b'"kind":"media"', b'"kind":"still"', 1))


def a_view_is_told_of_somebody_else(folder: Path, key: Ed25519PrivateKey) -> None:
    """With the hash of another side record."""
    line = entry(folder, "view")
    old = json.loads(lines(folder / package.LEAVES)[line])["record"].encode()
    new = hashlib.sha256(b"somebody else").hexdigest().encode()
    edit_entry(folder, line, old, new)
    path = folder / package.CUSTODY
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def a_view_is_invented(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CUSTODY
    path.write_bytes(path.read_bytes() + lines(path)[-1].replace(b'"view":1', b'"view":9') + b"\n")


def a_second_film_of_another_name(folder: Path, key: Ed25519PrivateKey) -> None:
    path = media(folder)
    shutil.copy(path, folder / "真正的录像-play.mp4")


def a_name_with_a_line_break(folder: Path, key: Ed25519PrivateKey) -> None:
    """Two files that are not there, and one whose name looks like both."""
    one, two = media(folder, 1), media(folder, 2)
    odd = (
        folder
        / f"{one.relative_to(folder)}\n{two.relative_to(folder).parts[0]}"
        / "/".join(two.relative_to(folder).parts[1:])
    )
    odd.parent.mkdir(parents=True)
    one.rename(odd)
    two.unlink()


def the_list_of_files_leaves_one_out(folder: Path, key: Ed25519PrivateKey) -> None:
    put(folder / package.FILES, lines(folder / package.FILES)[:-1])


def a_clocks_offset_is_edited_in_the_table(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.CLOCK)
    content[1] = content[1].replace(b",,,", b",5,,", 1)
    put(folder / package.CLOCK, content)


def an_item_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    leave_out(folder, entry(folder, "seg", 1))
    tables(folder)


def an_item_is_left_out_and_the_rest_renumbered(folder: Path, key: Ed25519PrivateKey) -> None:
    line = entry(folder, "seg", 1)
    n = json.loads(lines(folder / package.LEAVES)[line])["n"]
    leave_out(folder, line)
    edit_entry(folder, entry(folder, "seg", 1), b'"n":%d' % (n + 1), b'"n":%d' % n)
    tables(folder)


def two_paths_swapped(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.PATHS)
    one, two = content[2].split(b" ", 1), content[3].split(b" ", 1)
    content[2], content[3] = one[0] + b" " + two[1], two[0] + b" " + one[1]
    put(folder / package.PATHS, content)


def the_path_of_another_entry(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.PATHS)
    content[3] = content[2]
    put(folder / package.PATHS, content)


def a_path_is_cut_short(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.PATHS)
    content[2] = content[2].rpartition(b" ")[0]
    put(folder / package.PATHS, content)


def a_path_is_lengthened(folder: Path, key: Ed25519PrivateKey) -> None:
    content = lines(folder / package.PATHS)
    content[2] += b" " + b"00" * 32
    put(folder / package.PATHS, content)


def a_path_is_missing(folder: Path, key: Ed25519PrivateKey) -> None:
    put(folder / package.PATHS, lines(folder / package.PATHS)[:-1])


def a_head_is_edited(folder: Path, key: Ed25519PrivateKey) -> None:
    path = max((folder / package.HEADS).iterdir(), key=lambda path: int(path.stem))
    vector = json.loads(path.read_bytes())
    vector["gate.main"][0] -= 1
    path.write_bytes(json.dumps(vector, separators=(",", ":")).encode())


def a_head_is_that_of_another_beat(folder: Path, key: Ed25519PrivateKey) -> None:
    one, two = sorted((folder / package.HEADS).iterdir(), key=lambda path: int(path.stem))
    two.write_bytes(one.read_bytes())


def a_head_is_missing(folder: Path, key: Ed25519PrivateKey) -> None:
    sorted((folder / package.HEADS).iterdir(), key=lambda path: int(path.stem))[-1].unlink()


def the_interval_is_widened(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CLAIM
    claim = json.loads(path.read_bytes())
    claim["end"] = claim["end"].replace("2026-", "2027-", 1)
    path.write_bytes(json.dumps(claim, separators=(",", ":"), sort_keys=True).encode() + b"\n")


def the_claim_names_another_camera(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CLAIM
    path.write_bytes(path.read_bytes().replace(b'"gate.main"', b'"yard.main"'))


def the_claim_names_another_log(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CLAIM
    path.write_bytes(path.read_bytes().replace(b'"custos/', b'"custom/', 1))


def the_genesis_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    leave_out(folder, entry(folder, "genesis"))


def the_checkpoint_is_of_another_tree(folder: Path, key: Ed25519PrivateKey) -> None:
    """The owner signs another root: then no entry leads to it."""
    path = folder / package.CHECKPOINT
    note = path.read_text()
    old = open_checkpoint(note, origin_of(note), key.public_key())
    path.write_text(sign_checkpoint(Checkpoint(old.origin, old.size, hashlib.sha256(b"x").digest()), key))


def the_checkpoint_is_of_a_log_made_of_these_entries(folder: Path, key: Ed25519PrivateKey) -> None:
    """The owner edits an entry, and signs a tree of just what is handed over: paths no longer lead to it."""
    edit_entry(folder, unreachable(folder), b'"cause":"unreachable"', b'"cause":"scheduled"')
    bodies = lines(folder / package.LEAVES)
    path = folder / package.CHECKPOINT
    origin = origin_of(path.read_text())
    root = root_of([leaf_hash(body) for body in bodies])
    path.write_text(sign_checkpoint(Checkpoint(origin, len(bodies), root), key))
    tables(folder)


def the_checkpoint_is_of_another_name(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    note = path.read_text()
    old = open_checkpoint(note, origin_of(note), key.public_key())
    path.write_text(sign_checkpoint(Checkpoint("custos/0000000000000000", old.size, old.root), key))


def the_checkpoint_is_signed_by_somebody_else(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    note = path.read_text()
    old = open_checkpoint(note, origin_of(note), key.public_key())
    path.write_text(sign_checkpoint(old, Ed25519PrivateKey.generate()))


def the_checkpoints_signature_is_garbage(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    body, _, _ = path.read_text().partition("\n\n")
    origin = body.partition("\n")[0]
    path.write_text(f"{body}\n\n— {origin} {base64.b64encode(bytes(68)).decode()}\n")


# of a box with commercial cryptography, by whoever has its Ed25519 key: each followed by `resign` too


def sm2_of(place: Path) -> Sm2Key:
    """An SM2 key in that folder; a new one where there is none."""
    return Sm2Key(Layout(place), FakeClock(), is_on=True)


def another_sm2(folder: Path) -> tuple[Sm2Key, str]:
    key = sm2_of(folder.parent / "another")
    public = key.ready(None)
    assert public is not None
    return key, public


def second_line_of(folder: Path) -> tuple[str, str]:
    """All of the note before the SM2 line, and that line."""
    before, mark, second = (folder / package.CHECKPOINT).read_text().rpartition("— ")
    assert before.count("— ") == 1
    return before, mark + second


def the_sm2_line_is_missing(folder: Path, key: Ed25519PrivateKey) -> None:
    (folder / package.CHECKPOINT).write_text(second_line_of(folder)[0])


def the_sm2_line_is_of_another_key(folder: Path, key: Ed25519PrivateKey) -> None:
    before, _ = second_line_of(folder)
    other, public = another_sm2(folder)
    line = other.line(origin_of(before), public, body_of(before).encode())
    (folder / package.CHECKPOINT).write_text(before + line)


def the_sm2_line_is_of_another_key_under_the_name_of_this(folder: Path, key: Ed25519PrivateKey) -> None:
    before, line = second_line_of(folder)
    other, public = another_sm2(folder)
    forged = other.line(origin_of(before), public, body_of(before).encode()).split(" ")[2]
    raw = base64.b64decode(line.split(" ")[2])[:4] + base64.b64decode(forged)[4:]
    (folder / package.CHECKPOINT).write_text(f"{before}— {origin_of(before)} {base64.b64encode(raw).decode()}\n")


def the_sm2_line_stands_twice_and_one_is_garbage(folder: Path, key: Ed25519PrivateKey) -> None:
    before, line = second_line_of(folder)
    raw = base64.b64decode(line.split(" ")[2])[:4] + bytes(70)
    (folder / package.CHECKPOINT).write_text(f"{before}{line}— {origin_of(before)} {base64.b64encode(raw).decode()}\n")


def the_sm2_key_is_swapped(folder: Path, key: Ed25519PrivateKey) -> None:
    (folder / package.SM2_KEY).write_bytes(sm2.pem(another_sm2(folder)[1]))


def the_sm2_key_and_its_line_are_swapped(folder: Path, key: Ed25519PrivateKey) -> None:
    the_sm2_line_is_of_another_key(folder, key)
    the_sm2_key_is_swapped(folder, key)


def the_sm2_key_its_line_and_its_entry_are_swapped(folder: Path, key: Ed25519PrivateKey) -> None:
    mine = "".join((folder / package.SM2_KEY).read_text().split("\n")[1:-2]).encode()
    the_sm2_key_and_its_line_are_swapped(folder, key)
    edit_entry(folder, entry(folder, "sm2"), mine, another_sm2(folder)[1].encode())


def the_sm2_key_is_missing(folder: Path, key: Ed25519PrivateKey) -> None:
    (folder / package.SM2_KEY).unlink()


def the_sm2_key_is_written_in_another_way(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.SM2_KEY
    path.write_text("The key of the box\n" + path.read_text())


def all_of_sm2_but_what_beats_say_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    the_sm2_line_is_missing(folder, key)
    the_sm2_key_is_missing(folder, key)
    leave_out(folder, entry(folder, "sm2"))
    leave_out(folder, entry(folder, "beat", -1))


def the_beat_that_tells_of_the_sm2_line_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    the_sm2_line_is_missing(folder, key)
    leave_out(folder, entry(folder, "beat", -1))


def the_entry_of_the_sm2_key_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    leave_out(folder, entry(folder, "sm2"))


def the_sm3_of_a_segment_is_edited(folder: Path, key: Ed25519PrivateKey) -> None:
    line = entry(folder, "seg")
    digest = json.loads(lines(folder / package.LEAVES)[line])["sm3"].encode()
    edit_entry(folder, line, digest, b"00" * 32)


def the_sm3_of_a_segment_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    line = entry(folder, "seg")
    digest = json.loads(lines(folder / package.LEAVES)[line])["sm3"].encode()
    edit_entry(folder, line, b'"sm3":"%s",' % digest, b"")


def the_list_of_files_tells_another_sm3(folder: Path, key: Ed25519PrivateKey) -> None:
    flip(folder / package.FILES, -3)


def the_list_of_files_tells_no_sm3(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.FILES
    put(path, [line.rpartition(b",")[0] for line in lines(path)])


SM: dict[Owner, str] = {
    the_sm2_line_is_missing: package.CHECKPOINT,
    the_sm2_line_is_of_another_key: package.CHECKPOINT,
    the_sm2_line_is_of_another_key_under_the_name_of_this: package.CHECKPOINT,
    the_sm2_line_stands_twice_and_one_is_garbage: package.CHECKPOINT,
    the_sm2_key_is_swapped: package.SM2_KEY,
    the_sm2_key_and_its_line_are_swapped: package.SM2_KEY,
    the_sm2_key_its_line_and_its_entry_are_swapped: package.LEAVES,
    the_sm2_key_is_missing: package.SM2_KEY,
    the_sm2_key_is_written_in_another_way: package.SM2_KEY,
    all_of_sm2_but_what_beats_say_is_left_out: package.LEAVES,
    the_beat_that_tells_of_the_sm2_line_is_left_out: package.LEAVES,
    the_entry_of_the_sm2_key_is_left_out: package.LEAVES,
    the_sm3_of_a_segment_is_edited: package.LEAVES,
    the_sm3_of_a_segment_is_left_out: package.LEAVES,
    the_list_of_files_tells_another_sm3: package.FILES,
    the_list_of_files_tells_no_sm3: package.FILES,
}
"""The same for the package of a box with `[proof] sm = true`."""


def anchors(folder: Path) -> list[Path]:
    """What is there of each stamped checkpoint, without its ending; the oldest first."""
    stamps = (folder / package.ANCHORS).glob("*.tsr")
    return sorted((path.with_suffix("") for path in stamps), key=lambda one: int(one.name))


def notes(folder: Path) -> list[Path]:
    """The cosigned checkpoints, the oldest first."""
    found = (folder / package.ANCHORS).glob("*.note")
    return sorted(found, key=lambda one: int(one.name.partition(".")[0]))


def relined(note: Path, edit: Callable[[bytearray], None]) -> None:
    """Change the bytes of a note's last line: four of the key's id, eight of its time, and its signature."""
    before, _, last = note.read_text(encoding="utf-8")[:-1].rpartition(" ")
    raw = bytearray(base64.b64decode(last))
    edit(raw)
    note.write_text(f"{before} {base64.b64encode(raw).decode()}\n", encoding="utf-8")


def a_cosignature_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    notes(folder)[0].unlink()


def a_cosignature_is_left_out_with_its_checkpoint(folder: Path, key: Ed25519PrivateKey) -> None:
    size = notes(folder)[0].name.partition(".")[0]
    for path in (folder / package.ANCHORS).glob(f"{size}.*"):
        path.unlink()


def a_cosignature_is_that_of_another_checkpoint(folder: Path, key: Ed25519PrivateKey) -> None:
    one, two = notes(folder)
    shutil.copy(one, two)


def a_cosignature_of_another_time(folder: Path, key: Ed25519PrivateKey) -> None:
    def an_hour_earlier(raw: bytearray) -> None:
        raw[4:12] = (int.from_bytes(raw[4:12], "big") - 3600).to_bytes(8, "big")

    relined(notes(folder)[0], an_hour_earlier)


def a_cosignature_without_the_witnesss_line(folder: Path, key: Ed25519PrivateKey) -> None:
    put(notes(folder)[0], lines(notes(folder)[0])[:-1])


def a_cosignature_by_a_witness_of_the_owners(folder: Path, key: Ed25519PrivateKey) -> None:
    """Under the true one's name, and its own key's id: no entry tells of it."""
    note = notes(folder)[0]
    kept, name = "".join(note.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), note.read_text().split()[-2]
    at_s = int.from_bytes(base64.b64decode(note.read_text().split()[-1])[4:12], "big")
    mine = witness_key(name, key.public_key()).id.hex()
    made = note.with_name(f"{note.name.partition('.')[0]}.{mine}.note")
    made.write_text(kept + cosign(kept, name, key, at_s), encoding="utf-8")


def a_cosigned_checkpoint_under_another_size(folder: Path, key: Ed25519PrivateKey) -> None:
    note = notes(folder)[0]
    note.rename(note.with_name("7" + note.name))


def a_checkpoint_of_which_nobody_says_anything(folder: Path, key: Ed25519PrivateKey) -> None:
    size = anchors(folder)[1]
    for path in size.parent.glob(f"{size.name}.*"):
        if path.suffix in (".tsr", ".note"):
            path.unlink()


def a_stamp_is_that_of_another_checkpoint(folder: Path, key: Ed25519PrivateKey) -> None:
    one, two = anchors(folder)
    shutil.copy(f"{one}.tsr", f"{two}.tsr")


def a_stamp_is_no_stamp(folder: Path, key: Ed25519PrivateKey) -> None:
    Path(f"{anchors(folder)[1]}.tsr").write_bytes(b"\x30\x03\x02\x01\x00")


def the_stamped_text_tells_another_root(folder: Path, key: Ed25519PrivateKey) -> None:
    path = Path(f"{anchors(folder)[0]}.body")
    origin, size, _, _ = path.read_text().split("\n")
    path.write_text(f"{origin}\n{size}\n{base64.b64encode(hashlib.sha256(b'x').digest()).decode()}\n")


def the_stamped_text_is_of_another_log(folder: Path, key: Ed25519PrivateKey) -> None:
    path = Path(f"{anchors(folder)[0]}.body")
    path.write_text("custos/0000000000000000\n" + path.read_text().partition("\n")[2])


def the_stamped_text_has_a_line_more(folder: Path, key: Ed25519PrivateKey) -> None:
    path = Path(f"{anchors(folder)[0]}.body")
    path.write_text(path.read_text() + "and more\n")


def a_stamped_checkpoint_under_another_size(folder: Path, key: Ed25519PrivateKey) -> None:
    one = anchors(folder)[1]
    for ending in ("body", "path", "tsr"):
        one.with_suffix(f".{ending}").rename(one.with_name(f"{int(one.name) + 1}.{ending}"))


def the_way_from_a_stamped_checkpoint_is_cut_short(folder: Path, key: Ed25519PrivateKey) -> None:
    path = Path(f"{anchors(folder)[0]}.path")
    put(path, lines(path)[:-1])


def the_way_from_a_stamped_checkpoint_is_lengthened(folder: Path, key: Ed25519PrivateKey) -> None:
    path = Path(f"{anchors(folder)[0]}.path")
    put(path, [*lines(path), b"00" * 32])


def the_way_from_a_stamped_checkpoint_leads_to_another_size(folder: Path, key: Ed25519PrivateKey) -> None:
    path = Path(f"{anchors(folder)[0]}.path")
    sizes = lines(path)[0].split(b" ")
    put(path, [b"%s %d" % (sizes[0], int(sizes[1]) + 1), *lines(path)[1:]])


def the_way_of_another_stamped_checkpoint(folder: Path, key: Ed25519PrivateKey) -> None:
    one, two = anchors(folder)
    put(Path(f"{one}.path"), [lines(Path(f"{one}.path"))[0], *lines(Path(f"{two}.path"))[1:]])


def a_stamp_is_left_out(folder: Path, key: Ed25519PrivateKey) -> None:
    for ending in ("body", "path", "tsr"):
        Path(f"{anchors(folder)[0]}.{ending}").unlink()


def the_authoritys_certificates_are_others(folder: Path, key: Ed25519PrivateKey) -> None:
    (folder / package.ROOTS).write_bytes((folder / package.KEY).read_bytes())


def the_claim_of_a_stamp_is_a_number(folder: Path, key: Ed25519PrivateKey) -> None:
    put_claim(folder, json.loads((folder / package.CLAIM).read_bytes()) | {"stamped": 1})


def the_offset_of_an_item_is_invented(folder: Path, key: Ed25519PrivateKey) -> None:
    """As if it had been recorded where days end sooner."""
    edit_entry(folder, entry(folder, "seg"), b'"type":"seg"', b'"type":"seg","utc_offset_s":50400')
    tables(folder)


def a_camera_is_said_to_have_signed(folder: Path, key: Ed25519PrivateKey) -> None:
    edit_entry(folder, entry(folder, "seg"), b'"camsig":[]', b'"camsig":["onvif"]')
    tables(folder)


def the_claim_in_another_form(folder: Path, old: bytes, new: bytes) -> None:
    path = folder / package.CLAIM
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def the_claim_names_a_day_that_never_was(folder: Path, key: Ed25519PrivateKey) -> None:
    claim = json.loads((folder / package.CLAIM).read_bytes())
    put_claim(folder, claim | {"start": "2026-02-29T00:00:00.000000Z"})


def the_claims_days_with_zeros_before(folder: Path, key: Ed25519PrivateKey) -> None:
    the_claim_in_another_form(folder, b'"floor_days":30', b'"floor_days":0030')


def the_claims_case_with_a_needless_escape(folder: Path, key: Ed25519PrivateKey) -> None:
    the_claim_in_another_form(folder, b'"case":"case', b'"case":"\\u0063ase')


def the_claim_with_a_line_more(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CLAIM
    path.write_bytes(path.read_bytes() + b"\n")


def the_claim_of_a_zone_with_a_space(folder: Path, key: Ed25519PrivateKey) -> None:
    put_claim(folder, json.loads((folder / package.CLAIM).read_bytes()) | {"time_zone": "Asia /Shanghai"})


def the_checkpoint_without_its_last_line_break(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1])


def the_checkpoint_with_a_line_that_is_none(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    path.write_bytes(path.read_bytes() + b"signed\n")


def the_key_with_a_text_before_it(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.KEY
    path.write_bytes(b"The key of the gate:\n" + path.read_bytes())


def the_key_with_line_ends_of_another_system(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.KEY
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def the_key_twice(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.KEY
    path.write_bytes(path.read_bytes() * 2)


def the_checkpoint_with_a_line_of_somebody_that_is_no_base64(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    path.write_text(path.read_text(encoding="utf-8") + "— somebody A\n", encoding="utf-8")


def the_checkpoint_with_a_line_whose_name_has_a_tab(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    path.write_text(path.read_text(encoding="utf-8") + "— some\tbody AAAA\n", encoding="utf-8")


def the_checkpoints_signature_under_another_key_id(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / package.CHECKPOINT
    before, _, line = path.read_text().rpartition(" ")
    path.write_text(f"{before} {base64.b64encode(bytes(4) + base64.b64decode(line)[4:]).decode()}\n")


OWNED: dict[Owner, str] = {
    the_claim_names_a_day_that_never_was: package.CLAIM,
    the_claims_days_with_zeros_before: package.CLAIM,
    the_claims_case_with_a_needless_escape: package.CLAIM,
    the_claim_with_a_line_more: package.CLAIM,
    the_claim_of_a_zone_with_a_space: package.CLAIM,
    the_checkpoint_without_its_last_line_break: package.CHECKPOINT,
    the_checkpoint_with_a_line_that_is_none: package.CHECKPOINT,
    the_key_with_a_text_before_it: package.KEY,
    the_key_with_line_ends_of_another_system: package.KEY,
    the_key_twice: package.KEY,
    the_checkpoint_with_a_line_of_somebody_that_is_no_base64: package.CHECKPOINT,
    the_checkpoint_with_a_line_whose_name_has_a_tab: package.CHECKPOINT,
    the_checkpoints_signature_under_another_key_id: package.CHECKPOINT,
    the_offset_of_an_item_is_invented: package.LEAVES,
    a_camera_is_said_to_have_signed: package.LEAVES,
    the_claim_of_a_stamp_is_a_number: package.CLAIM,
    a_stamp_is_that_of_another_checkpoint: package.ANCHORS,
    a_stamp_is_no_stamp: package.ANCHORS,
    the_stamped_text_tells_another_root: package.ANCHORS,
    the_stamped_text_is_of_another_log: package.ANCHORS,
    the_stamped_text_has_a_line_more: package.ANCHORS,
    a_stamped_checkpoint_under_another_size: package.ANCHORS,
    the_way_from_a_stamped_checkpoint_is_cut_short: package.ANCHORS,
    the_way_from_a_stamped_checkpoint_is_lengthened: package.ANCHORS,
    the_way_from_a_stamped_checkpoint_leads_to_another_size: package.ANCHORS,
    the_way_of_another_stamped_checkpoint: package.ANCHORS,
    a_stamp_is_left_out: package.ANCHORS,
    a_cosignature_is_left_out: ".note",
    a_cosignature_is_left_out_with_its_checkpoint: ".note",
    a_cosignature_is_that_of_another_checkpoint: ".note",
    a_cosignature_of_another_time: ".note",
    a_cosignature_without_the_witnesss_line: ".note",
    a_cosignature_by_a_witness_of_the_owners: ".note",
    a_cosigned_checkpoint_under_another_size: ".note",
    a_checkpoint_of_which_nobody_says_anything: ".tsr",
    the_authoritys_certificates_are_others: package.ROOTS,
    media_is_replaced: "media/gate.main/",
    media_is_replaced_by_that_of_another_minute: "media/gate.main/",
    media_is_removed: "media/gate.main/",
    a_film_is_edited: "media/gate.main/play-",
    a_film_of_nothing: "media/gate.main/play-999.mp4",
    media_of_another_number: "media/gate.main/999-",
    media_of_another_camera: "media/yard.main/",
    an_entry_is_edited: package.LEAVES,
    a_media_hash_is_edited_with_its_file: package.LEAVES,
    a_gaps_cause_is_edited: package.LEAVES,
    a_gaps_cause_is_edited_in_the_table: package.TIMELINE,
    the_interval_is_turned_round: package.CLAIM,
    the_claim_is_of_another_box: package.CLAIM,
    the_claim_has_values_of_another_kind: package.CLAIM,
    the_claim_hides_an_interval_in_another_field: package.CLAIM,
    an_entry_without_its_line_break: "proof/",
    entries_in_another_order: package.LEAVES,
    an_index_written_in_another_way: package.PATHS,
    a_head_of_another_name: package.HEADS,
    a_film_is_removed: "media/gate.main/play-",
    media_under_another_time: "media/gate.main/",
    media_behind_one_of_a_longer_name: ".bak",
    a_custody_that_says_something_else: package.CUSTODY,
    a_view_is_missing_from_the_custody: package.CUSTODY,
    a_view_is_told_in_another_way: package.LEAVES,
    a_view_is_told_of_somebody_else: package.LEAVES,
    a_view_is_invented: package.CUSTODY,
    a_second_film_of_another_name: "play.mp4",
    a_name_with_a_line_break: "media/gate.main/",
    the_list_of_files_leaves_one_out: package.FILES,
    a_clocks_offset_is_edited_in_the_table: package.CLOCK,
    an_item_is_left_out: package.LEAVES,
    an_item_is_left_out_and_the_rest_renumbered: package.LEAVES,
    two_paths_swapped: package.LEAVES,
    the_path_of_another_entry: package.LEAVES,
    a_path_is_cut_short: package.LEAVES,
    a_path_is_lengthened: package.LEAVES,
    a_path_is_missing: package.PATHS,
    a_head_is_edited: package.HEADS,
    a_head_is_that_of_another_beat: package.HEADS,
    a_head_is_missing: package.HEADS,
    the_interval_is_widened: package.CLAIM,
    the_claim_names_another_camera: package.CLAIM,
    the_claim_names_another_log: package.CLAIM,
    the_genesis_is_left_out: package.LEAVES,
    the_checkpoint_is_of_another_tree: package.LEAVES,
    the_checkpoint_is_of_a_log_made_of_these_entries: package.LEAVES,
    the_checkpoint_is_of_another_name: package.LEAVES,
    the_checkpoint_is_signed_by_somebody_else: package.CHECKPOINT,
    the_checkpoints_signature_is_garbage: package.CHECKPOINT,
}


# with all keys that the log ever had, after two rotations: each makes a log anew of what is handed over, so that every
# entry leads to the checkpoint, and all of it is signed; only the succession of keys is not as it must be


def rebuilt(folder: Path, bodies: list[bytes], key: Ed25519PrivateKey) -> None:
    """A log of just these entries, under their new places, signed: what is said of each is proved."""
    places = {body: place for place, body in enumerate(bodies)}
    old = dict(zip(lines(folder / package.LEAVES), lines(folder / package.PATHS), strict=True))
    for body, path in old.items():
        place = folder / package.HEADS / f"{path.split(b' ')[0].decode()}.json"
        if place.exists():
            place.rename(place.with_name(f"new-{places[body]}.json"))
    for place in list((folder / package.HEADS).glob("new-*")):
        place.rename(place.with_name(place.name.removeprefix("new-")))
    hashes = [leaf_hash(body) for body in bodies]
    proven = [ProvenLeaf(at, body, tuple(inclusion(at, hashes))) for at, body in enumerate(bodies)]
    (folder / package.LEAVES).write_bytes(package.leaves_text(proven))
    (folder / package.PATHS).write_bytes(package.paths_text(proven))
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    (folder / package.CHECKPOINT).write_text(
        sign_checkpoint(Checkpoint(origin, len(bodies), root_of(hashes)), key), encoding="utf-8"
    )
    tables(folder)


def inclusion(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1, as it stands there."""
    if len(hashes) == 1:
        return []
    half = 1 << (len(hashes) - 1).bit_length() - 1
    if index < half:
        return [*inclusion(index, hashes[:half]), root_of(hashes[half:])]
    return [*inclusion(index - half, hashes[half:]), root_of(hashes[:half])]


def links(folder: Path) -> list[int]:
    """The places of the entries about keys."""
    return [at for at, body in enumerate(lines(folder / package.LEAVES)) if b'"type":"key"' in body]


def relinked(folder: Path, place: int, edit: dict[str, object]) -> list[bytes]:
    """All entries, one of those about keys with other fields."""
    bodies = lines(folder / package.LEAVES)
    at = links(folder)[place]
    leaf = decode_leaf(bodies[at])
    bodies[at] = encode_leaf(leaf.type, leaf.at_us, leaf.elapsed_us, {**leaf.fields, **edit})
    return bodies


def put_key(folder: Path, name: str, key: Ed25519PrivateKey) -> None:
    (folder / name).write_bytes(public_pem(key.public_key()))


def earlier(number: int) -> str:
    return package.EARLIER_KEY.format(number=number)


def claim_key(folder: Path, key: Ed25519PrivateKey) -> None:
    claim = json.loads((folder / package.CLAIM).read_bytes())
    put_claim(folder, claim | {"fingerprint": fingerprint(key.public_key())})


def nothing_but_made_anew(folder: Path, keys: Keys) -> None:
    """No forgery: what the others begin with, and must be found good."""
    rebuilt(folder, lines(folder / package.LEAVES), keys[-1])


def the_first_link_is_missing(folder: Path, keys: Keys) -> None:
    bodies = lines(folder / package.LEAVES)
    del bodies[links(folder)[0]]
    rebuilt(folder, bodies, keys[-1])


def the_last_link_is_missing(folder: Path, keys: Keys) -> None:
    bodies = lines(folder / package.LEAVES)
    del bodies[links(folder)[-1]]
    rebuilt(folder, bodies, keys[-1])
    (folder / earlier(1)).unlink()


def all_links_are_missing(folder: Path, keys: Keys) -> None:
    bodies = [body for at, body in enumerate(lines(folder / package.LEAVES)) if at not in links(folder)]
    rebuilt(folder, bodies, keys[-1])
    for number in (0, 1):
        (folder / earlier(number)).unlink()


def the_middle_key_is_left_out(folder: Path, keys: Keys) -> None:
    """The last key follows the first, as its own signature says; the first never signed that."""
    stranger = Ed25519PrivateKey.generate()
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    told = sign_link(origin, 1, keys[0], keys[2]) | {
        "old_signature": sign_link(origin, 1, stranger, keys[2])["old_signature"]
    }
    bodies = relinked(folder, 0, told)
    del bodies[links(folder)[1]]
    rebuilt(folder, bodies, keys[-1])
    (folder / earlier(1)).unlink()


def links_in_another_order(folder: Path, keys: Keys) -> None:
    bodies = lines(folder / package.LEAVES)
    one, two = links(folder)
    bodies[one], bodies[two] = bodies[two], bodies[one]
    rebuilt(folder, bodies, keys[-1])


def a_link_stands_twice(folder: Path, keys: Keys) -> None:
    bodies = lines(folder / package.LEAVES)
    leaf = decode_leaf(bodies[links(folder)[0]])
    again = encode_leaf(leaf.type, leaf.at_us + 1, leaf.elapsed_us, leaf.fields)
    rebuilt(folder, [*bodies[:-1], again, bodies[-1]], keys[-1])


def a_link_that_the_old_key_never_signed(folder: Path, keys: Keys) -> None:
    """A thief of the new key puts it in force."""
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    forged = sign_link(origin, 2, Ed25519PrivateKey.generate(), keys[2])["old_signature"]
    rebuilt(folder, relinked(folder, 1, {"old_signature": forged}), keys[-1])


def a_link_that_the_new_key_never_signed(folder: Path, keys: Keys) -> None:
    """The old key names a key that somebody else has."""
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    forged = sign_link(origin, 2, keys[1], Ed25519PrivateKey.generate())["new_signature"]
    rebuilt(folder, relinked(folder, 1, {"new_signature": forged}), keys[-1])


def the_two_signatures_of_a_link_swapped(folder: Path, keys: Keys) -> None:
    fields = decode_leaf(lines(folder / package.LEAVES)[links(folder)[0]]).fields
    edit = {"old_signature": fields["new_signature"], "new_signature": fields["old_signature"]}
    rebuilt(folder, relinked(folder, 0, edit), keys[-1])


def a_link_without_signatures(folder: Path, keys: Keys) -> None:
    rebuilt(folder, relinked(folder, 0, {"old_signature": "", "new_signature": ""}), keys[-1])


def a_link_of_another_log(folder: Path, keys: Keys) -> None:
    """Both keys signed it, for another box."""
    told = sign_link("custos/0000000000000000", 1, keys[0], keys[1])
    signatures = {name: told[name] for name in ("old_signature", "new_signature")}
    rebuilt(folder, relinked(folder, 0, signatures), keys[-1])


def a_link_of_another_number(folder: Path, keys: Keys) -> None:
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    rebuilt(folder, relinked(folder, 1, sign_link(origin, 3, keys[1], keys[2])), keys[-1])


def a_link_with_the_vkey_of_another(folder: Path, keys: Keys) -> None:
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    edit: dict[str, object] = {"new_key": verifier_key(origin, keys[2].public_key())}
    rebuilt(folder, relinked(folder, 0, edit), keys[-1])


def a_link_that_says_more(folder: Path, keys: Keys) -> None:
    rebuilt(folder, relinked(folder, 0, {"until": "2027"}), keys[-1])


def a_key_of_a_stranger_follows(folder: Path, keys: Keys) -> None:
    """A thief who never had a key of the log: the checkpoint is his, and the link from the second key is not."""
    thief = Ed25519PrivateKey.generate()
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    rebuilt(folder, relinked(folder, 1, sign_link(origin, 2, thief, thief)), thief)
    put_key(folder, package.KEY, thief)
    claim_key(folder, thief)
    resign(folder, thief)


def the_checkpoint_is_signed_by_an_earlier_key(folder: Path, keys: Keys) -> None:
    rebuilt(folder, lines(folder / package.LEAVES), keys[1])


def the_list_is_signed_by_an_earlier_key(folder: Path, keys: Keys) -> None:
    resign(folder, keys[0])


def an_earlier_key_is_another(folder: Path, keys: Keys) -> None:
    put_key(folder, earlier(0), Ed25519PrivateKey.generate())


def an_earlier_key_is_not_there(folder: Path, keys: Keys) -> None:
    (folder / earlier(1)).unlink()


def an_earlier_key_too_many(folder: Path, keys: Keys) -> None:
    put_key(folder, earlier(2), keys[2])


def an_earlier_key_that_is_none(folder: Path, keys: Keys) -> None:
    (folder / earlier(0)).write_text("no key")


def genesis_names_a_later_key(folder: Path, keys: Keys) -> None:
    bodies = lines(folder / package.LEAVES)
    leaf = decode_leaf(bodies[0])
    fields = {**leaf.fields, "key": fingerprint(keys[2].public_key())}
    bodies[0] = encode_leaf(leaf.type, leaf.at_us, leaf.elapsed_us, fields)
    rebuilt(folder, bodies, keys[-1])


def an_entry_tells_of_another_file_in_a_field_of_a_field(folder: Path, keys: Keys) -> None:
    """Canonical, and in the log: a shell that takes the first field of that name would believe the other file."""
    bodies = lines(folder / package.LEAVES)
    at = entry(folder, "seg")
    leaf = decode_leaf(bodies[at])
    bodies[at] = encode_leaf(leaf.type, leaf.at_us, leaf.elapsed_us, {**leaf.fields, "about": {"sha256": "00" * 32}})
    rebuilt(folder, bodies, keys[-1])


SUCCEEDED: dict[Successor, str] = {
    an_entry_tells_of_another_file_in_a_field_of_a_field: package.LEAVES,
    the_first_link_is_missing: package.LEAVES,
    the_last_link_is_missing: package.LEAVES,
    all_links_are_missing: package.LEAVES,
    the_middle_key_is_left_out: package.LEAVES,
    links_in_another_order: package.LEAVES,
    a_link_stands_twice: package.LEAVES,
    a_link_that_the_old_key_never_signed: package.LEAVES,
    a_link_that_the_new_key_never_signed: package.LEAVES,
    the_two_signatures_of_a_link_swapped: package.LEAVES,
    a_link_without_signatures: package.LEAVES,
    a_link_of_another_log: package.LEAVES,
    a_link_of_another_number: package.LEAVES,
    a_link_with_the_vkey_of_another: package.LEAVES,
    a_link_that_says_more: package.LEAVES,
    a_key_of_a_stranger_follows: package.LEAVES,
    the_checkpoint_is_signed_by_an_earlier_key: package.CHECKPOINT,
    the_list_is_signed_by_an_earlier_key: package.SUMS_SIGNATURE,
    an_earlier_key_is_another: earlier(0),
    an_earlier_key_is_not_there: earlier(1),
    an_earlier_key_too_many: earlier(2),
    an_earlier_key_that_is_none: earlier(0),
    genesis_names_a_later_key: package.LEAVES,
}


# by who has the key and the program: all of it stands in the log


@dataclass(frozen=True)
class Discarded:
    """Footage of 1 March 2026, discarded by a program that nothing holds back, as its leaves and its claim tell it."""

    at: str
    """When."""
    recorded_s: object = None
    """What the leaves of segments say of the offset; None: nothing."""
    discarded_s: object = None
    """What that of the discard says."""
    claims: str = "Asia/Shanghai"
    named: str = "media/gate.main/"
    """What must be named."""


DISCARDED: dict[str, Discarded] = {
    "the zone was changed for the discard": Discarded("2026-03-31T12:00:00Z", None, 50_400, "Pacific/Kiritimati"),
    "the zone was changed, and the claim does not say so": Discarded("2026-03-31T12:00:00Z", None, 50_400),
    "changed though Shanghai's midnight had passed": Discarded("2026-03-31T16:30:00Z", None, 50_400),
    "recorded in Berlin, discarded as in Shanghai": Discarded("2026-03-31T16:30:00Z", 3600, 28_800),
    "moved from New York to Seoul, before Seoul's": Discarded("2026-03-31T14:30:00Z", -18_000, 32_400, "Asia/Seoul"),
    "recorded in Berlin, and the discard tells no offset": Discarded("2026-03-31T16:30:00Z", 3600, None),
    "recorded in Berlin before its midnight": Discarded("2026-03-31T22:30:00Z", 3600, 7200, "Europe/Berlin"),
    "an old log of Berlin": Discarded("2026-03-31T23:30:00Z", None, None, "Europe/Berlin"),
    "an old log before Shanghai's midnight": Discarded("2026-03-31T15:30:00Z", None, None),
    "an offset that is a text": Discarded("2026-05-01T00:00:00Z", "3600", 3600, named="proof/leaves.jsonl"),
    "an offset that is no number": Discarded("2026-05-01T00:00:00Z", 3600, True, named="proof/leaves.jsonl"),
    "an offset beyond any place": Discarded("2026-05-01T00:00:00Z", 50_401, 50_401, named="proof/leaves.jsonl"),
    "an offset of nothing": Discarded("2026-05-01T00:00:00Z", 3600, "null", named="proof/leaves.jsonl"),
}
"""Each is told by all three; `LAWFUL` are not."""

LAWFUL: dict[str, Discarded] = {
    "recorded and discarded in Berlin": Discarded("2026-03-31T23:00:05Z", 3600, 7200, "Europe/Berlin"),
    "recorded and discarded in Kiritimati": Discarded("2026-03-31T10:00:05Z", 50_400, 50_400, "Pacific/Kiritimati"),
    "in New York": Discarded("2026-03-31T05:00:05Z", -18_000, -14_400, "America/New_York"),
    "in Shanghai": Discarded("2026-03-31T16:00:05Z", None, 28_800),
    "an old log of Shanghai": Discarded("2026-03-31T16:00:05Z"),
    "an old log of Berlin, long after": Discarded("2026-04-01T00:10:00Z", None, None, "Europe/Berlin"),
}


# by who has the key, and makes a log anew that tells of a witness: what the witness never signed is found


@dataclass(frozen=True)
class Cosigned:
    """A cosignature in a log that was made anew around it, whose entry binds it as it is."""

    edit: Callable[[bytes], bytes] = lambda note: note
    """What is done to the honest note."""
    entry: dict[str, object] = field(default_factory=dict)
    """Fields of its entry that are told in another way."""
    also: dict[str, object] | None = None
    """The same of a second entry behind it."""
    named: str = ".note"
    """What must be named."""


def last_line(edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Edit the bytes of a note's last line: four of the key's id, eight of its time, and its signature."""

    def edited(note: bytes) -> bytes:
        before, _, last = note[:-1].rpartition(b" ")
        return before + b" " + base64.b64encode(edit(base64.b64decode(last))) + b"\n"

    return edited


def another_root(note: bytes) -> bytes:
    origin, size, _, rest = note.split(b"\n", 3)
    return b"\n".join([origin, size, base64.b64encode(hashlib.sha256(b"x").digest()), rest])


def twice(note: bytes) -> bytes:
    """The second time with another signature."""
    worse = last_line(lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]))(note)
    return note + worse.rpartition(b"\n\n")[2].split(b"\n", 1)[1]


COSIGNED: dict[str, Cosigned] = {
    "another root": Cosigned(another_root),
    "another time": Cosigned(last_line(lambda raw: raw[:11] + bytes([raw[11] ^ 1]) + raw[12:])),
    "another signature": Cosigned(last_line(lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]))),
    "a signature that is too short": Cosigned(last_line(lambda raw: raw[:-1])),
    "a signature and more": Cosigned(last_line(lambda raw: raw + b"x")),
    "another key's id": Cosigned(last_line(lambda raw: bytes([raw[0] ^ 1]) + raw[1:])),
    "a good line and a bad one": Cosigned(twice),
    "no line": Cosigned(lambda note: note[: note.rindex("— ".encode())]),
    "no lines at all": Cosigned(lambda note: note.partition(b"\n\n")[0] + b"\n\n"),
    "no empty line": Cosigned(lambda note: note.replace(b"\n\n", b"\n")),
    "a line that is none": Cosigned(lambda note: note + b"and more\n"),
    "an empty line more": Cosigned(lambda note: note + b"\n"),
    "a line under no base64": Cosigned(lambda note: note + "— north.example/w A\n".encode()),
    "no last line break": Cosigned(lambda note: note[:-1]),
    "another name": Cosigned(lambda note: note.replace(b"north.example/w", b"south.example/w")),
    "nothing": Cosigned(lambda note: b""),
    "no text": Cosigned(lambda note: b"\xff\xfe" + note),
    "more than a note has": Cosigned(lambda note: note + "— north AAAA\n".encode() * 4681),
    "an entry of another hash": Cosigned(entry={"token": "0" * 64}),
    "two entries, of which one is of another hash": Cosigned(also={"token": "0" * 64}),
    "two entries, of which one is of another size": Cosigned(also={"size": 3}),
    "an entry without a hash": Cosigned(entry={"token": "x"}, named=package.LEAVES),
    "an entry of another size": Cosigned(entry={"size": 3}),
    "an entry whose size is a text": Cosigned(entry={"size": "3"}, named=package.LEAVES),
    "an entry of a key that is none": Cosigned(entry={"witness": "north.example/w"}, named=package.LEAVES),
    "an entry of a key with another hash": Cosigned(
        entry={"witness": "north.example/w+00000000+" + "A" * 44}, named=package.LEAVES
    ),
    "an entry of a key whose name has a quote": Cosigned(
        entry={"witness": witness_key('north"', Ed25519PrivateKey.from_private_bytes(b"w" * 32).public_key()).text},
        named=package.LEAVES,
    ),
    "an entry of a log's key": Cosigned(
        entry={"witness": verifier_key("north", Ed25519PrivateKey.from_private_bytes(b"w" * 32).public_key())},
        named=package.LEAVES,
    ),
}


def cosigned_anew(folder: Path, key: Ed25519PrivateKey, witness: Ed25519PrivateKey, at_s: int, how: Cosigned) -> None:
    """A log of what is handed over, cosigned just before its last entry, which says so; the stamps are left out."""
    bodies = lines(folder / package.LEAVES)
    told = [one for one in bodies if json.loads(one).get("kind") == "witness"]
    bodies = [one for one in bodies if json.loads(one)["type"] != "anchor"]
    for path in (folder / package.ANCHORS).iterdir():
        path.unlink()
    hashes, size = [leaf_hash(one) for one in bodies], len(bodies)
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    text = sign_checkpoint(Checkpoint(origin, size, root_of(hashes)), key)
    facts = json.loads(told[-1])
    name, mark, _ = facts["witness"].split("+", 2)
    note = how.edit((text + cosign(text, name, witness, at_s)).encode())
    facts |= {"size": size, "token": hashlib.sha256(note).hexdigest()} | how.entry
    bodies.append(rfc8785.dumps(facts))
    if how.also is not None:
        bodies.append(rfc8785.dumps(facts | how.also))
    hashes += [leaf_hash(one) for one in bodies[size:]]
    place = folder / package.ANCHORS / str(size)
    place.with_name(f"{size}.{mark}.note").write_bytes(note)
    place.with_name(f"{size}.body").write_text(body_of(text))
    place.with_name(f"{size}.path").write_bytes(
        package.anchor_path_text(size, len(bodies), consistency(size, hashes, is_whole=True))
    )
    rebuilt(folder, bodies, key)


def consistency(old: int, hashes: list[bytes], *, is_whole: bool) -> list[bytes]:
    """RFC 6962, 2.1.2, as it stands there."""
    if old == len(hashes):
        return [] if is_whole else [root_of(hashes)]
    half = 1 << (len(hashes) - 1).bit_length() - 1
    if old <= half:
        return [*consistency(old, hashes[:half], is_whole=is_whole), root_of(hashes[half:])]
    return [*consistency(old - half, hashes[half:], is_whole=False), root_of(hashes[:half])]


ANCHORED = {
    a_stamp_is_that_of_another_checkpoint,
    a_stamp_is_no_stamp,
    the_stamped_text_tells_another_root,
    the_stamped_text_is_of_another_log,
    the_stamped_text_has_a_line_more,
    a_stamped_checkpoint_under_another_size,
    the_way_from_a_stamped_checkpoint_is_cut_short,
    the_way_from_a_stamped_checkpoint_is_lengthened,
    the_way_from_a_stamped_checkpoint_leads_to_another_size,
    the_way_of_another_stamped_checkpoint,
    a_stamp_is_left_out,
    a_cosignature_is_left_out,
    a_cosignature_is_left_out_with_its_checkpoint,
    a_cosignature_is_that_of_another_checkpoint,
    a_cosignature_of_another_time,
    a_cosignature_without_the_witnesss_line,
    a_cosignature_by_a_witness_of_the_owners,
    a_cosigned_checkpoint_under_another_size,
    a_checkpoint_of_which_nobody_says_anything,
    an_empty_folder_that_looks_like_an_anchor,
    the_lists_stamp_is_that_of_a_checkpoint,
    the_authoritys_certificates_are_others,
}
"""Those of what somebody outside said. The others are of a package that nobody else saw, which is checked in half the
time."""
