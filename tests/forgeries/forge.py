"""The museum: one small way a data directory can be wrong, each a function named for what is wrong.

Each forger gets a real, small, closed data directory with 12 items of camera `gate` and 6 of `yard`, and does what a
person with root would do to it. `PLACES` says which invariant speaks, and of which place.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.store.log.note import Checkpoint, sign_checkpoint
from recorder.store.log.tiles import decode_bundle, encode_bundle
from recorder.store.store import Store
from tests.fakes.clock import FakeClock

Forger = Callable[[Path], None]


def media(data: Path, n: int, camera: str = "gate") -> Path:
    return next((data / "media" / "main").glob(f"{camera}.main/*/*/*/*/{n}-*.mp4"))


def sql(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "catalogue.sqlite")) as connection:
        changed = connection.execute(statement)
        assert changed.rowcount > 0, "the forgery changed nothing"
        connection.commit()


def bundle(data: Path) -> Path:
    return next((data / "log/tile/entries").rglob("[0-9]*[0-9]"))


def hash_tile(data: Path) -> Path:
    return next(path for path in (data / "log/tile/0").rglob("[0-9]*[0-9]") if path.is_file())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def edit_entry(data: Path, n: int, old: str, new: str) -> None:
    path = next(one for one in (data / "log/tile/entries").rglob("*") if one.is_file())
    bodies = decode_bundle(path.read_bytes())
    at = next(k for k, body in enumerate(bodies) if f'"n":{n},' in body.decode() and "gate.main" in body.decode())
    assert old in bodies[at].decode()
    bodies[at] = bodies[at].replace(old.encode(), new.encode())
    path.write_bytes(encode_bundle(bodies))


def byte_flipped_in_media(data: Path) -> None:
    path = media(data, 2)
    flip(path, path.stat().st_size - 10)


def byte_flipped_in_media_header(data: Path) -> None:
    flip(media(data, 2), 20)


def media_file_deleted(data: Path) -> None:
    media(data, 3).unlink()


def media_file_cut_short(data: Path) -> None:
    path = media(data, 3)
    path.write_bytes(path.read_bytes()[:-100])


def media_file_lengthened(data: Path) -> None:
    path = media(data, 3)
    path.write_bytes(path.read_bytes() + b"\0" * 8)


def media_file_added(data: Path) -> None:
    path = media(data, 3)
    shutil.copy(path, path.with_name("999-20260301T000000.000Z.mp4"))


def two_segments_swapped_on_disk(data: Path) -> None:
    one, other = media(data, 2), media(data, 3)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def media_of_another_camera_in_its_place(data: Path) -> None:
    media(data, 2).write_bytes(media(data, 2, "yard").read_bytes())


def drift_invented_in_row(data: Path) -> None:
    """Of a segment whose leaf knows none."""
    sql(data, "UPDATE items SET clock_drift_ppb = 5 WHERE stream_id = 'gate.main' AND n = 2")


def signature_invented_in_row(data: Path) -> None:
    """Of a camera that does not sign."""
    sql(data, "UPDATE items SET camsig = 'onvif' WHERE stream_id = 'gate.main' AND n = 2")


def offset_invented_in_row(data: Path) -> None:
    """As if it had been recorded where days end sooner."""
    sql(data, "UPDATE items SET utc_offset_s = 50400 WHERE stream_id = 'gate.main' AND n = 2")


def two_rows_swapped(data: Path) -> None:
    sql(data, "UPDATE items SET n = 1000 WHERE stream_id = 'gate.main' AND n = 2")
    sql(data, "UPDATE items SET n = 2 WHERE stream_id = 'gate.main' AND n = 3")
    sql(data, "UPDATE items SET n = 3 WHERE stream_id = 'gate.main' AND n = 1000")


def row_edited(data: Path) -> None:
    sql(data, "UPDATE items SET frames = frames + 1 WHERE stream_id = 'gate.main' AND n = 2")


def row_and_file_changed_together(data: Path) -> None:
    import hashlib

    byte_flipped_in_media(data)
    digest = hashlib.sha256(media(data, 2).read_bytes()).hexdigest()
    sql(data, f"UPDATE items SET sha256 = '{digest}' WHERE stream_id = 'gate.main' AND n = 2")


def row_removed(data: Path) -> None:
    sql(data, "DELETE FROM items WHERE stream_id = 'gate.main' AND n = 3")


def last_row_removed_and_head_set_back(data: Path) -> None:
    sql(data, "DELETE FROM items WHERE stream_id = 'yard.main' AND n = 5")
    sql(
        data,
        "UPDATE streams SET next_n = 5, prev = (SELECT leaf_hash FROM items WHERE stream_id = 'yard.main' AND n = 4),"
        " t1_us = (SELECT t1_us FROM items WHERE stream_id = 'yard.main' AND n = 4) WHERE id = 'yard.main'",
    )


def item_left_out_and_numbers_moved_up(data: Path) -> None:
    sql(data, "DELETE FROM items WHERE stream_id = 'gate.main' AND n = 4")
    for n in range(5, 11):
        sql(data, f"UPDATE items SET n = {n - 1} WHERE stream_id = 'gate.main' AND n = {n}")
    sql(data, "UPDATE streams SET next_n = next_n - 1 WHERE id = 'gate.main'")


def gap_cause_edited_in_row(data: Path) -> None:
    sql(data, "UPDATE items SET cause = 'unreachable' WHERE stream_id = 'gate.main' AND n = 0")


def gap_cause_edited_in_leaf(data: Path) -> None:
    edit_entry(data, 0, '"cause":"no_media"', '"cause":"overload"')


def row_says_discarded(data: Path) -> None:
    sql(data, "UPDATE items SET state = 'gone' WHERE stream_id = 'gate.main' AND n = 2")
    media(data, 2).unlink()


def start_moved(data: Path) -> None:
    sql(data, "UPDATE items SET t0_us = t0_us + 1000 WHERE stream_id = 'gate.main' AND n = 3")


def leaf_edited(data: Path) -> None:
    edit_entry(data, 2, '"frames":20', '"frames":21')


def log_truncated(data: Path) -> None:
    path = next(one for one in (data / "log/tile/entries").rglob("*") if one.is_file())
    bodies = decode_bundle(path.read_bytes())
    path.write_bytes(encode_bundle(bodies[:-3]))


def log_gone(data: Path) -> None:
    shutil.rmtree(data / "log" / "tile")


def hash_tile_edited(data: Path) -> None:
    flip(next(one for one in (data / "log/tile/0").rglob("*") if one.is_file()), 40)


def older_checkpoint_replayed(data: Path) -> None:
    (data / "log" / "checkpoint").write_bytes((data / "older-checkpoint").read_bytes())


def checkpoint_gone(data: Path) -> None:
    (data / "log" / "checkpoint").unlink()


def checkpoint_size_edited(data: Path) -> None:
    path = data / "log" / "checkpoint"
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], str(int(lines[1]) - 1), *lines[2:]]))


def checkpoint_of_another_box(data: Path) -> None:
    other = Ed25519PrivateKey.generate()
    text = sign_checkpoint(Checkpoint("custos/ffffffffffffffff", 3, bytes(32)), other)
    (data / "log" / "checkpoint").write_text(text)


def checkpoint_signed_with_another_key(data: Path) -> None:
    lines = (data / "log" / "checkpoint").read_text().split("\n")
    checkpoint = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2]))
    (data / "log" / "checkpoint").write_text(sign_checkpoint(checkpoint, Ed25519PrivateKey.generate()))


def camera_registered_without_a_leaf(data: Path) -> None:
    sql(data, "UPDATE cameras SET leaf_hash = 'aa' WHERE id = 'gate'")


def view_row_removed(data: Path) -> None:
    sql(data, "DELETE FROM views WHERE id = 1")


def view_moved_to_another_camera(data: Path) -> None:
    sql(data, "UPDATE views SET stream_id = 'yard.main' WHERE id = 1")


def viewer_renamed(data: Path) -> None:
    sql(data, "UPDATE records SET body = replace(body, '192.0.2.7', '192.0.2.8') WHERE body LIKE '%192.0.2.7%'")


def viewer_blanked(data: Path) -> None:
    """As an erasure would, but for the entry that says so."""
    sql(data, "UPDATE records SET salt = zeroblob(16), body = '   ' WHERE body LIKE '%192.0.2.7%'")


def stranger_file_among_media(data: Path) -> None:
    (data / "media" / "main" / "note.txt").write_text(json.dumps({"hello": "there"}))


# of a box with commercial cryptography


def sm3_edited_in_row(data: Path) -> None:
    sql(data, "UPDATE items SET sm3 = sha256 WHERE stream_id = 'gate.main' AND n = 2")


def sm3_removed_from_row(data: Path) -> None:
    sql(data, "UPDATE items SET sm3 = NULL WHERE stream_id = 'gate.main' AND n = 2")


def note_lines(data: Path) -> list[str]:
    return (data / "log" / "checkpoint").read_text().splitlines(keepends=True)


def sm2_line_removed(data: Path) -> None:
    lines = note_lines(data)
    assert len(lines) == 6
    (data / "log" / "checkpoint").write_text("".join(lines[:-1]))


def sm2_line_is_garbage(data: Path) -> None:
    lines = note_lines(data)
    words = lines[-1].split(" ")
    raw = base64.b64decode(words[2])[:4] + bytes(70)
    (data / "log" / "checkpoint").write_text("".join([*lines[:-1], f"— {words[1]} {base64.b64encode(raw).decode()}\n"]))


def sm2_line_of_an_older_checkpoint(data: Path) -> None:
    older = (data / "older-checkpoint").read_text().splitlines(keepends=True)
    (data / "log" / "checkpoint").write_text("".join([*note_lines(data)[:-1], older[-1]]))


def sm2_key_swapped(data: Path) -> None:
    Store.create(data.parent / "other", "other", FakeClock(), "0.0.0")
    store = Store.open(data.parent / "other", FakeClock(), sm=True)
    store.checkpoint()
    store.close()
    for name in ("log.sm2", "log.sm2.pub.pem"):
        (data / "keys" / name).write_bytes((data.parent / "other" / "keys" / name).read_bytes())


def sm2_key_removed(data: Path) -> None:
    (data / "keys" / "log.sm2.pub.pem").unlink()


def sm2_key_forgotten_by_the_index(data: Path) -> None:
    sql(data, "UPDATE log_state SET sm2_public = NULL, sm2_leaf = NULL")


def another_sm2_key_in_the_index(data: Path) -> None:
    sql(data, "UPDATE log_state SET sm2_public = 'AAAA'")


def another_sm2_key_bound_behind_it(data: Path) -> None:
    """The owner makes the index forget the key, and the box bind another."""
    sm2_key_forgotten_by_the_index(data)
    (data / "keys" / "log.sm2").unlink()
    store = Store.open(data, FakeClock(), sm=True)
    store.checkpoint()
    store.close()


SM_PLACES: dict[Forger, tuple[int, str]] = {
    sm3_edited_in_row: (5, "gate.main.2"),
    sm3_removed_from_row: (5, "gate.main.2"),
    sm2_line_removed: (6, "checkpoint"),
    sm2_line_is_garbage: (6, "checkpoint"),
    sm2_line_of_an_older_checkpoint: (6, "checkpoint"),
    sm2_key_swapped: (6, "log.sm2.pub.pem"),
    sm2_key_removed: (6, "log.sm2.pub.pem"),
    sm2_key_forgotten_by_the_index: (6, "sm2"),
    another_sm2_key_in_the_index: (6, "sm2"),
    another_sm2_key_bound_behind_it: (5, "log entry"),
}
"""The same for a box with `[proof] sm = true`."""

PLACES: dict[Forger, tuple[int, str]] = {
    byte_flipped_in_media: (10, "gate.main.2"),
    byte_flipped_in_media_header: (10, "gate.main.2"),
    media_file_deleted: (1, "gate.main.3"),
    media_file_cut_short: (1, "gate.main.3"),
    media_file_lengthened: (1, "gate.main.3"),
    media_file_added: (2, "999-20260301T000000.000Z.mp4"),
    stranger_file_among_media: (2, "note.txt"),
    two_segments_swapped_on_disk: (10, "gate.main.2"),
    media_of_another_camera_in_its_place: (10, "gate.main.2"),
    two_rows_swapped: (5, "gate.main.2"),
    row_edited: (5, "gate.main.2"),
    drift_invented_in_row: (5, "gate.main.2"),
    signature_invented_in_row: (5, "gate.main.2"),
    offset_invented_in_row: (5, "gate.main.2"),
    row_and_file_changed_together: (5, "gate.main.2"),
    row_removed: (3, "gate.main.4"),
    last_row_removed_and_head_set_back: (5, "yard.main.5"),
    item_left_out_and_numbers_moved_up: (3, "gate.main.4"),
    gap_cause_edited_in_row: (5, "gate.main.0"),
    gap_cause_edited_in_leaf: (6, "log"),
    row_says_discarded: (8, "gate.main.2"),
    start_moved: (4, "gate.main.3"),
    leaf_edited: (5, "gate.main.2"),
    log_truncated: (6, "log entry"),
    log_gone: (6, "log entry"),
    hash_tile_edited: (6, "tiles"),
    older_checkpoint_replayed: (6, "checkpoint"),
    checkpoint_gone: (6, "checkpoint"),
    checkpoint_size_edited: (6, "checkpoint"),
    checkpoint_of_another_box: (6, "checkpoint"),
    checkpoint_signed_with_another_key: (6, "checkpoint"),
    camera_registered_without_a_leaf: (3, "gate.main.0"),
    view_row_removed: (5, "view 1"),
    view_moved_to_another_camera: (5, "view 1"),
    viewer_renamed: (11, "record "),
    viewer_blanked: (11, "record "),
}
"""Which invariant finds each forgery, and what its finding must name."""
