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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from recorder.store.log.leaves import decode_leaf
from recorder.store.log.note import Checkpoint, open_checkpoint, origin_of, sign_checkpoint
from recorder.store.log.tree import leaf_hash, root_of
from retention.evidence import package

Forger = Callable[[Path], None]
Owner = Callable[[Path, Ed25519PrivateKey], None]


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
    """List all files anew, and sign the list."""
    digests = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (package.SUMS, package.SUMS_SIGNATURE)
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


PACKAGES: dict[Forger, str] = {
    a_file_is_added: "media/note.txt",
    a_media_file_is_duplicated: "77-copy.mp4",
    two_media_files_swapped: "media/gate.main/",
    a_media_file_is_a_link: "media/gate.main/",
    a_listed_hash_is_edited: package.SUMS,
    a_line_of_the_list_is_removed: package.SUMS,
    a_line_of_the_list_is_doubled: package.SUMS,
    all_is_signed_with_another_key: package.KEY,
    the_tail_of_the_entries_is_cut_off: package.LEAVES,
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
    path = sorted((folder / package.HEADS).iterdir())[-1]
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


def the_offset_of_an_item_is_invented(folder: Path, key: Ed25519PrivateKey) -> None:
    """As if it had been recorded where days end sooner."""
    edit_entry(folder, entry(folder, "seg"), b'"type":"seg"', b'"type":"seg","utc_offset_s":50400')
    tables(folder)


def a_camera_is_said_to_have_signed(folder: Path, key: Ed25519PrivateKey) -> None:
    edit_entry(folder, entry(folder, "seg"), b'"camsig":[]', b'"camsig":["onvif"]')
    tables(folder)


OWNED: dict[Owner, str] = {
    the_offset_of_an_item_is_invented: package.LEAVES,
    a_camera_is_said_to_have_signed: package.LEAVES,
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
