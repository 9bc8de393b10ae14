"""Ways in which the evidence part was once broken: forgeries that one of three took for good, honest packages that were
not, and what made one of them crash, hang, or say what is not so."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.times import DAY_US
from config.verifier_keys import COSIGNATURE, parse_verifier_key
from recorder.store.log.cosignature import witness_key
from recorder.store.log.errors import LeafMalformed
from recorder.store.log.keys import load_key
from recorder.store.log.note import Checkpoint, body_of, origin_of, sign_checkpoint
from recorder.store.log.tree import leaf_hash, root_of
from recorder.store.store import Store
from recorder.store.witnessed import WitnessNameInvalid, WitnessRecord
from retention.evidence import package
from retention.evidence.export import Wanted, export
from retention.evidence.timestamp import question
from retention.evidence.unpacking import verify_archive
from tests.fakes.authority import authority
from tests.fakes.box import hold, new_store, record
from tests.fakes.clock import FakeClock
from tests.forgeries.packages import (
    Cosigned,
    all_is_signed_with_another_key,
    consistency,
    cosigned_anew,
    entry,
    flip,
    inclusion,
    leave_out,
    lines,
    media,
    put,
    put_claim,
    rebuilt,
    resign,
    tables,
)
from tests.forgeries.test_packages import (
    AT_S,
    SECOND,
    VERIFIERS,
    WITNESS,
    WITNESS_NAME,
    Honest,
    Verifier,
    by_python,
    by_shell,
    cosigned,
    filled,
    honest,
    ours,
    run,
)

__all__ = ["honest"]

Facts = list[dict[str, Any]]


def boxed(folder: Path, *, early: bool, late: bool, sm: bool = False) -> tuple[Path, str]:
    clock = FakeClock()
    store = new_store(folder, clock, "gate", sm=sm)
    clock.advance(3)
    store.checkpoint()
    if early:
        cosigned(store, clock)
    record(store, clock, SECOND * 6)
    store.checkpoint()
    clock.advance(5)
    record(store, clock, SECOND * 4)
    store.checkpoint()
    if late:
        cosigned(store, clock)
    begun_us = store.cameras.get("gate").registered_us
    wanted = Wanted("gate", begun_us + 4_000_000, clock.read().utc_us - 6_000_000, "c")
    export(store, wanted, folder / "package", clock, "0")
    store.close()
    return folder / "package", store.fingerprint


# 1. cosignatures


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("sm", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_only_a_cosignature_of_the_whole_anchors_it(tmp_path: Path, late: bool, sm: bool, verifier: Verifier) -> None:
    """Whether the box has an SM2 key or not; and the time that is told is the witness's of that one."""
    folder, fingerprint = boxed(tmp_path, early=True, late=late, sm=sm)
    good, said = verifier(folder, fingerprint)

    assert good, said
    assert ("NOT ANCHORED" in said) is not late
    if late and verifier is not ours:
        assert "nothing of it was recorded or discarded later than 2026-03-01 00:00:18" in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_discard_that_nobody_outside_saw(tmp_path: Path, verifier: Verifier) -> None:
    """A hold that the witness saw is gone from a second log, in which the footage was discarded: the cosignature of the
    recordings, which both logs have, does not anchor that."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(3)
    record(store, clock, SECOND * 6)
    clock.advance(2)
    store.checkpoint()
    cosigned(store, clock)
    begun_us, end_us = store.cameras.get("gate").registered_us, store.ends_us("gate.main")
    store.close()
    shutil.copytree(tmp_path / "data", tmp_path / "kept")
    true = Store.open(tmp_path / "data", clock)
    clock.advance(3600)
    hold(true, ["gate"], begun_us, end_us, "case 1", "not to be discarded")
    cosigned(true, clock)
    true.close()
    anew = Store.open(tmp_path / "kept", clock)
    clock.advance(40 * DAY_US / 1e6)
    assert anew.discard(["gate.main.1", "gate.main.2"], "rule").discarded
    anew.checkpoint()
    export(anew, Wanted("gate", begun_us + 1, end_us, "c"), tmp_path / "package", clock, "0")
    anew.close()
    key = witness_key(WITNESS_NAME, WITNESS.public_key()).text
    _, said = verifier(tmp_path / "package", anew.fingerprint, None, key)

    assert "NOT ANCHORED" in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_good_line_and_one_that_is_a_key_id_alone(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """All lines of a witness must be its signatures."""
    mark = base64.b64encode(witness_key(WITNESS_NAME, WITNESS.public_key()).id).decode()
    folder = honest.copy(tmp_path)
    how = Cosigned(lambda note: note + f"— {WITNESS_NAME} {mark}\n".encode())
    cosigned_anew(folder, honest.key, WITNESS, AT_S, how)
    resign(folder, honest.key)

    assert not verifier(folder, honest.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_entry_of_a_cosignature_with_a_field_more(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """All three say the same."""
    folder = honest.copy(tmp_path)
    cosigned_anew(folder, honest.key, WITNESS, AT_S, Cosigned(entry={"zone": "x"}))
    resign(folder, honest.key)

    assert verifier(folder, honest.fingerprint)[0] is ours(folder, honest.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_witness_whose_name_is_a_number(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """07 is not 7."""
    name, key = "7", witness_key("7", WITNESS.public_key())

    def signed(note: bytes) -> bytes:
        from recorder.store.log.cosignature import cosign

        head = note[: note.index("— north".encode())].decode()
        return (head + cosign(head, name, WITNESS, AT_S).replace("— 7 ", "— 07 ", 1)).encode()

    folder = honest.copy(tmp_path)
    cosigned_anew(folder, honest.key, WITNESS, AT_S, Cosigned(signed, entry={"witness": key.text}))
    for note in list((folder / package.ANCHORS).glob("*.note")):
        note.rename(note.with_name(f"{note.name.partition('.')[0]}.{key.id.hex()}.note"))
    resign(folder, honest.key)

    assert not verifier(folder, honest.fingerprint)[0]


def test_a_witness_has_no_name_that_a_box_refuses(tmp_path: Path) -> None:
    """Its key could not be named anywhere."""
    try:
        found = WitnessRecord.open(tmp_path / "witness", "北京见证")
    except WitnessNameInvalid:
        return
    text = witness_key(found.name, found.key.public_key()).text
    found.close()

    assert parse_verifier_key(text, COSIGNATURE).name == "北京见证"


# 2. stamps


def der(tag: int, content: bytes) -> bytes:
    count = len(content)
    size = bytes([count]) if count < 128 else b"\x82" + count.to_bytes(2, "big")
    return bytes([tag]) + size + content


def body_of_der(data: bytes) -> tuple[bytes, bytes]:
    """The content of the first value, and what lies behind it."""
    begin, size = 2, data[1]
    if size >= 128:
        begin, size = 2 + size - 128, int.from_bytes(data[2 : 2 + size - 128], "big")
    return data[begin : begin + size], data[begin + size :]


def test_a_time_of_somebodys_own_in_the_unsigned_part_of_a_stamp(honest: Honest, tmp_path: Path) -> None:
    """Without any key somebody writes a time into the words of an answer's status, which nobody signs."""
    folder = honest.copy(tmp_path)
    path = folder / package.SUMS_STAMP
    _, token = body_of_der(body_of_der(path.read_bytes())[0])
    from datetime import UTC, datetime, timedelta

    then = datetime.now(UTC) - timedelta(hours=12)
    words = f"ok\nTime stamp: {then:%b %d %H:%M:%S %Y} GMT\n".encode()
    path.write_bytes(der(0x30, der(0x30, der(2, b"\0") + der(0x30, der(0x0C, words))) + token))
    _, said = by_python(folder, honest.fingerprint, honest.roots)

    assert f"made before {then:%Y-%m-%d %H:%M:%S}" not in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("first", [True, False])
def test_two_entries_of_one_stamp_of_which_one_is_of_another(
    honest: Honest, tmp_path: Path, first: bool, verifier: Verifier
) -> None:
    """Each must be of the stamp that is there."""
    told = stamped_anew(honest, tmp_path, lambda one: [one | {"token": "0" * 64}, one][:: 1 if first else -1])

    assert not verifier(told, honest.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("edit", [{"size": "3"}, {"size": 3, "token": "A" * 64}])
def test_an_entry_of_a_stamp_that_is_not_there_and_cannot_be_read(
    honest: Honest, tmp_path: Path, edit: dict[str, object], verifier: Verifier
) -> None:
    """It is told of, so it must be there."""
    told = stamped_anew(honest, tmp_path, lambda one: [one, one | edit])

    assert not verifier(told, honest.fingerprint)[0]


def stamped_anew(given: Honest, place: Path, entries: Callable[[dict[str, Any]], Facts]) -> Path:
    folder = given.copy(place)
    bodies = [one for one in lines(folder / package.LEAVES) if json.loads(one)["type"] != "anchor"]
    for path in (folder / package.ANCHORS).iterdir():
        path.unlink()
    hashes, size = [leaf_hash(one) for one in bodies], len(bodies)
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    body = body_of(sign_checkpoint(Checkpoint(origin, size, root_of(hashes)), given.key)).encode()
    (place / "tsa").mkdir()
    with authority(place / "tsa") as one:
        token = httpx.post(one.url, content=question(body).as_bytes()).content
    told = {
        "at": "2026-03-01T00:10:00.000000Z",
        "elapsed_us": 600_000_000,
        "kind": "rfc3161",
        "size": size,
        "stamped": "2026-03-01T00:10:00.000000Z",
        "token": hashlib.sha256(token).hexdigest(),
        "type": "anchor",
        "v": 1,
    }
    bodies += [rfc8785.dumps(one) for one in entries(told)]
    hashes = [leaf_hash(one) for one in bodies]
    at = folder / package.ANCHORS / str(size)
    at.with_name(f"{size}.body").write_bytes(body)
    at.with_name(f"{size}.tsr").write_bytes(token)
    way = consistency(size, hashes, is_whole=True)
    at.with_name(f"{size}.path").write_bytes(package.anchor_path_text(size, len(bodies), way))
    shutil.copy(one.roots, folder / package.ROOTS)
    rebuilt(folder, bodies, given.key)
    resign(folder, given.key)
    return folder


@pytest.mark.parametrize("verifier", [by_shell, by_python])
def test_a_list_stamped_by_an_authority_of_the_owners_making(plain: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """There is no other stamp; it is said that the certificates are those of the package."""
    folder = plain.copy(tmp_path)
    (tmp_path / "tsa").mkdir()
    with authority(tmp_path / "tsa") as one:
        shutil.copy(one.roots, folder / package.ROOTS)
        put_claim(folder, json.loads((folder / package.CLAIM).read_bytes()) | {"stamped": True})
        digests = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file() and path.name not in package.UNLISTED
        }
        text = package.sums(digests)
        (folder / package.SUMS).write_bytes(text)
        (folder / package.SUMS_SIGNATURE).write_bytes(plain.key.sign(text))
        answer = httpx.post(one.url, content=question(text).as_bytes()).content
        (folder / package.SUMS_STAMP).write_bytes(answer)
    good, said = verifier(folder, plain.fingerprint)

    assert good, said
    assert "this package was made before" in said
    assert "certificates are those of the package" in said


# 3. files and archives


def test_a_file_that_is_a_tar_and_a_zip(honest: Honest, tmp_path: Path) -> None:
    """One program would unpack the forgery, and another show the true one: it is refused."""
    folder = honest.copy(tmp_path)
    flip(media(folder))
    with tarfile.open(tmp_path / "forged.tar", "w") as tar:
        tar.add(folder, "package")
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        for path in sorted(honest.folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"package/{path.relative_to(honest.folder).as_posix()}")
    both = tmp_path / "both.tar"
    both.write_bytes((tmp_path / "forged.tar").read_bytes() + (tmp_path / "good.zip").read_bytes())

    assert not verify_archive(both, honest.fingerprint).is_good


def nothing_can_be_written() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize("forger", [lambda folder: flip(media(folder)), all_is_signed_with_another_key])
def test_a_temporary_folder_that_is_full(honest: Honest, tmp_path: Path, forger: Callable[[Path], None]) -> None:
    """What cannot be written down cannot be checked, and is not good."""
    folder = honest.copy(tmp_path)
    forger(folder)
    done = subprocess.run(
        ["sh", "verify.sh", honest.fingerprint],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=nothing_can_be_written,
    )

    assert done.returncode != 0
    assert "\nGOOD" not in done.stdout


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize(
    ("name", "old", "new"), [(package.LEAVES, b'"frames"', b'\0"frames"'), (package.PATHS, b" ", b"\0")]
)
def test_a_null_byte_in_the_proofs(
    plain: Honest, tmp_path: Path, name: str, old: bytes, new: bytes, verifier: Verifier
) -> None:
    """A shell drops it when it reads, and would hash the entry without it. Its file is named: it is no want of room."""
    folder = plain.copy(tmp_path)
    path = folder / name
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    resign(folder, plain.key)
    good, said = verifier(folder, plain.fingerprint)

    assert not good
    assert name in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("odd", [b"\xff", b"\xed\xa0\x80", b"\\ud800"])
def test_a_claim_that_is_no_utf8(plain: Honest, tmp_path: Path, odd: bytes, verifier: Verifier) -> None:
    """No program takes it for text."""
    folder = plain.copy(tmp_path)
    path = folder / package.CLAIM
    path.write_bytes(path.read_bytes().replace(b"case 7", b"case " + odd, 1))
    resign(folder, plain.key)

    assert not verifier(folder, plain.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_empty_folder_with_a_line_break_in_its_name(plain: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """A script that reads lines would take it for two that may be there."""
    folder = plain.copy(tmp_path)
    (folder / "keys\nproof").mkdir()

    assert not verifier(folder, plain.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_key_with_a_word_before_it(plain: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """All three say the same."""
    folder = plain.copy(tmp_path)
    path = folder / package.KEY
    path.write_bytes(b"The key of the box\n" + path.read_bytes())
    resign(folder, plain.key)

    assert verifier(folder, plain.fingerprint)[0] is ours(folder, plain.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_checkpoint_larger_than_a_note_may_be(plain: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """All three say the same."""
    folder = plain.copy(tmp_path)
    path = folder / package.CHECKPOINT
    path.write_bytes(path.read_bytes() + "— x AAAA\n".encode() * 7000)
    resign(folder, plain.key)

    assert verifier(folder, plain.fingerprint)[0] is ours(folder, plain.fingerprint)[0]


# 4. entries, by who has the key and the program: all of it stands in the log, and each verifier must say the same


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """Nobody outside saw it; items 1 and 2 were discarded lawfully."""
    folder, clock = tmp_path_factory.mktemp("plain"), FakeClock()
    store = filled(folder, clock)
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    clock.advance(40 * DAY_US / 1e6)
    store.discard(["gate.main.1", "gate.main.2"], "target 31 days, floor 30 days")
    store.checkpoint()
    export(store, Wanted("gate", begun_us + 1, end_us, "case 7"), folder / "package", clock, "0.0.0")
    key = load_key(store.layout.key)
    store.close()
    return Honest(folder / "package", store.fingerprint, None, key)


def remade(
    folder: Path, key: Ed25519PrivateKey, facts: Facts, heads: Callable[[bytes], bytes] = lambda text: text
) -> None:
    """A log of these entries: items linked anew, beats binding them, all of it signed."""
    vectors = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in (folder / package.HEADS).iterdir()}
    known = {digest: json.loads(path.read_bytes()) for digest, path in vectors.items()}
    for path in vectors.values():
        path.unlink()
    bodies: list[bytes] = []
    newest, linked = "", {}
    for one in facts:
        if one["type"] in ("seg", "gap"):
            one["prev"] = newest or one["prev"]
        elif one["type"] == "beat" and one["heads"] in known:
            vector = known[one["heads"]]
            if "gate.main" in vector:
                vector["gate.main"][1] = linked[vector["gate.main"][0]]
            text = heads(rfc8785.dumps(vector))
            one["heads"] = hashlib.sha256(text).hexdigest()
            (folder / package.HEADS / f"{len(bodies)}.json").write_bytes(text)
        bodies.append(json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        if one["type"] in ("seg", "gap"):
            newest = leaf_hash(bodies[-1]).hex()
            if isinstance(one["n"], int):
                linked[one["n"]] = newest
    hashes = [leaf_hash(body) for body in bodies]
    (folder / package.LEAVES).write_bytes(b"".join(body + b"\n" for body in bodies))
    paths = [" ".join([str(at), *(step.hex() for step in inclusion(at, hashes))]) for at in range(len(bodies))]
    (folder / package.PATHS).write_text("".join(f"{path}\n" for path in paths))
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    note = sign_checkpoint(Checkpoint(origin, len(bodies), root_of(hashes)), key)
    (folder / package.CHECKPOINT).write_text(note, encoding="utf-8")
    with contextlib.suppress(KeyError, ValueError):  # of some entries nobody can make a table
        tables(folder)
    resign(folder, key)


def facts_of(folder: Path) -> Facts:
    return [json.loads(line) for line in lines(folder / package.LEAVES)]


HOLD = {
    "at": "2026-03-01T00:01:00.000000Z",
    "elapsed_us": 60_000_000,
    "type": "hold",
    "v": 1,
    "hold": 1,
    "cameras": ["gate"],
    "t0": "2026-03-01T00:00:00.000000Z",
    "t1": "2026-03-01T00:00:50.000000Z",
    "record": "a" * 64,
}
RELEASE = {"at": HOLD["at"], "elapsed_us": 60_000_000, "type": "release", "v": 1, "hold": 9}
HELD = hashlib.sha256(b"1 " + b"a" * 64 + b"\n").hexdigest()


def held(facts: Facts, **how: object) -> None:
    at = next(n for n, one in enumerate(facts) if one["type"] == "del")
    facts[at]["holds"] = HELD
    facts.insert(at, HOLD | how)


def of(facts: Facts, kind: str, n: int | None = None) -> dict[str, Any]:
    return next(one for one in facts if one["type"] == kind and (n is None or one["n"] == n))


def no_hash(facts: Facts) -> None:
    for n in (1, 2):
        del of(facts, "seg", n)["sha256"]
    facts[:] = [one for one in facts if one["type"] not in ("del", "del.done")]


FORGED: dict[str, Callable[[Facts], object]] = {
    "a discard that does not say which holds were in force": lambda facts: of(facts, "del").update(holds=None),
    "segments without a hash, gone without a discard": no_hash,
    "a segment whose hash is nothing": lambda facts: of(facts, "seg", 1).update(sha256=None),
    "a floor that is a text": lambda facts: of(facts, "del").update(floor_days="90"),
    "a discard without a floor": lambda facts: of(facts, "del").pop("floor_days"),
    "a floor of ages": lambda facts: of(facts, "del").update(floor_days=10**9),
    "a discard without a first number": lambda facts: of(facts, "del").update(n0=None),
    "a discard without a rule": lambda facts: of(facts, "del").pop("rule"),
    "a cause that there is not": lambda facts: of(facts, "gap", 4).update(cause="nothing"),
    "a gap with a hash": lambda facts: of(facts, "gap", 4).update(sha256="0" * 64),
    "a gap whose detail is nothing": lambda facts: of(facts, "gap", 4).update(detail=None),
    "a gap without a number": lambda facts: of(facts, "gap", 0).update(n=None),
    "a gap with a number that is a text": lambda facts: of(facts, "gap", 0).update(n="0"),
    "a segment without a codec": lambda facts: of(facts, "seg", 5).pop("codec"),
    "a beginning that is a text": lambda facts: of(facts, "seg", 5).update(init_bytes="971"),
    "a box time that is a truth": lambda facts: of(facts, "seg", 5).update(elapsed_us=True),
    "an SM3 that is nothing": lambda facts: of(facts, "seg", 5).update(sm3=None),
    "an SM3 that is a number": lambda facts: of(facts, "seg", 5).update(sm3=5),
    "a hold on a camera of an odd name": lambda facts: held(facts, cameras=["x]", "gate"]),
    "a hold on cameras that are a text": lambda facts: held(facts, cameras="gate"),
    "a hold on cameras in cameras": lambda facts: held(facts, cameras=[["gate"]]),
    "a hold of a month that there is not": lambda facts: held(facts, t0="2026-13-01T00:00:00.000000Z"),
    "a hold of a padding that is a text": lambda facts: held(facts, padding_before_s="300"),
    "a hold that was asked for in a month that there is not": lambda facts: held(facts, asked_t0="2026-13-01"),
    "a hold on a basis of many words": lambda facts: held(facts, basis="internal and more"),
    "a hold to be reviewed some day": lambda facts: held(facts, review="some day"),
    "a hold released by names": lambda facts: facts.insert(0, RELEASE | {"by": ["Li", "Wang"]}),
    "sound with fields in fields": lambda facts: of(facts, "seg", 5).update(audio={"a": {"sha256": "0"}}),
}


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("name", FORGED)
def test_an_entry_that_no_box_writes(plain: Honest, tmp_path: Path, name: str, verifier: Verifier) -> None:
    """Nothing is concluded from it: all three refuse."""
    folder = plain.copy(tmp_path)
    facts = copy.deepcopy(facts_of(folder))
    FORGED[name](facts)
    remade(folder, plain.key, facts)

    assert not verifier(folder, plain.fingerprint)[0]


HEAD = b'[0,"%s"]' % (b"0" * 64)
NO_VECTORS = [
    b"no JSON",
    b"[]",
    b'{"gate.main":5}',
    b'{"gate.main":["x",5]}',
    b"[" * 100_000,
    b"x\ny\n",
    b"\n\n",
    b"\n{}",
    b"x\n{}\nz\n",
    b"{}\n",
    b"{}\n{}",
    b'{"b.main":%s,"a.main":%s}' % (HEAD, HEAD),
    b'{"a.main":%s,"a.main":%s}' % (HEAD, HEAD),
    b'{"a\x01.main":%s}' % HEAD,
    b'{"a\xff.main":%s}' % HEAD,
    b'{"playground":%s}' % HEAD,
]


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("text", NO_VECTORS, ids=range(len(NO_VECTORS)))
def test_a_head_vector_that_is_none(plain: Honest, tmp_path: Path, text: bytes, verifier: Verifier) -> None:
    """It is what the first beat binds, and is refused all the same: one that is not read as such knows no item."""
    folder, told = plain.copy(tmp_path), iter([text])
    remade(folder, plain.key, facts_of(folder), lambda vector: next(told, vector))

    assert not verifier(folder, plain.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("beyond", [True, False])
def test_an_empty_entry_that_is_not_proved(plain: Honest, tmp_path: Path, beyond: bool, verifier: Verifier) -> None:
    """It is an entry like any other, in the place of the last one or behind all others."""
    folder = plain.copy(tmp_path)
    paths = lines(folder / package.PATHS)
    if not beyond:
        del paths[-1]
    put(folder / package.PATHS, [*paths, b"999999999999999 " + b"0" * 64 if beyond else b"%d" % (len(paths) + 900)])
    put(folder / package.LEAVES, [*lines(folder / package.LEAVES)[: len(paths)], b""])
    resign(folder, plain.key)

    assert not verifier(folder, plain.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_empty_entry_that_stands_in_the_log(plain: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """It tells nothing, and no box writes it."""
    folder = plain.copy(tmp_path)
    bodies = lines(folder / package.LEAVES)
    with contextlib.suppress(LeafMalformed):  # the tables cannot be made of it, which comes last
        rebuilt(folder, [*bodies[:-1], b"", bodies[-1]], plain.key)
    resign(folder, plain.key)

    assert not verifier(folder, plain.fingerprint)[0]


def test_a_temporary_folder_that_is_told_from_here(plain: Honest, tmp_path: Path) -> None:
    """By a name that does not begin at the root."""
    (tmp_path / "here").mkdir()
    folder = plain.copy(tmp_path)
    good, said = run(folder, "env", "TMPDIR=../here", "sh", "verify.sh", plain.fingerprint)

    assert good, said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("kind", ["seg", "del"])
def test_an_entry_that_was_not_proved_under_the_number_of_one_that_was(
    plain: Honest, tmp_path: Path, kind: str, verifier: Verifier
) -> None:
    """Nothing of it is read, and it has no fields to be read."""
    folder = plain.copy(tmp_path)
    body = rfc8785.dumps({"v": 1, "type": kind, "at": "2026-03-01T00:00:00.000000Z", "elapsed_us": 0})
    (folder / package.LEAVES).write_bytes((folder / package.LEAVES).read_bytes() + body + b"\n")
    paths = lines(folder / package.PATHS)
    (folder / package.PATHS).write_bytes(b"".join(one + b"\n" for one in [*paths, paths[-1]]))
    resign(folder, plain.key)

    assert not verifier(folder, plain.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("text", [b"[]", b"5", b"null"])
def test_an_entry_that_is_no_object(plain: Honest, tmp_path: Path, text: bytes, verifier: Verifier) -> None:
    """It stands in the log, and says nothing."""
    folder = plain.copy(tmp_path)
    bodies = [*lines(folder / package.LEAVES), text]
    hashes = [leaf_hash(body) for body in bodies]
    (folder / package.LEAVES).write_bytes(b"".join(body + b"\n" for body in bodies))
    paths = [" ".join([str(at), *(step.hex() for step in inclusion(at, hashes))]) for at in range(len(bodies))]
    (folder / package.PATHS).write_text("".join(f"{path}\n" for path in paths))
    origin = origin_of((folder / package.CHECKPOINT).read_text())
    note = sign_checkpoint(Checkpoint(origin, len(bodies), root_of(hashes)), plain.key)
    (folder / package.CHECKPOINT).write_text(note, encoding="utf-8")
    resign(folder, plain.key)

    assert not verifier(folder, plain.fingerprint)[0]


def test_an_item_of_a_huge_number_ends(plain: Honest, tmp_path: Path) -> None:
    """Nobody counts up to it."""
    folder = plain.copy(tmp_path)
    facts = facts_of(folder)
    of(facts, "gap", 4).update(n=10**12)
    remade(folder, plain.key, facts)

    assert not run(folder, "timeout", "50", "sh", "verify.sh", plain.fingerprint)[0]


def discarded_under_a_hold(place: Path, monkeypatch: pytest.MonkeyPatch, told: str | None) -> tuple[Path, str]:
    """A package of a program that discards what is held, tells that of holds, and leaves the hold out."""
    clock = FakeClock()
    store = new_store(place, clock, "gate")
    record(store, clock, SECOND * 6)
    store.checkpoint()
    begun_us, end_us = store.cameras.get("gate").registered_us, store.ends_us("gate.main")
    hold(store, ["gate"], begun_us, end_us, "case 1", "not to be discarded")
    clock.advance(40 * DAY_US / 1e6)
    append = store.ledger.append
    monkeypatch.setattr("recorder.store.segments._holds_of", lambda *_: [])
    monkeypatch.setattr(
        store.ledger,
        "append",
        lambda connection, kind, facts: append(connection, kind, {**facts, "holds": told} if kind == "del" else facts),
    )
    assert store.discard(["gate.main.1", "gate.main.2"], "rule").discarded
    export(store, Wanted("gate", begun_us + 1, end_us, "c"), place / "package", clock, "0")
    leave_out(place / "package", entry(place / "package", "hold"))
    resign(place / "package", load_key(store.layout.key))
    store.close()
    return place / "package", store.fingerprint


def test_a_discard_under_a_hold_in_the_one_log_that_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner's program says nothing of holds when it discards, and the package leaves the hold out: an entry without
    what it must tell is refused."""
    folder, fingerprint = discarded_under_a_hold(tmp_path, monkeypatch, None)

    for verifier in VERIFIERS:
        assert not verifier(folder, fingerprint)[0], verifier


def test_a_discard_that_lies_of_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, but the discard says that there were none: the beat behind it knows better. A program that lies in
    every beat as well is what docs/attack-model.md says that packages do not find."""
    folder, fingerprint = discarded_under_a_hold(tmp_path, monkeypatch, hashlib.sha256(b"").hexdigest())

    for verifier in VERIFIERS:
        assert not verifier(folder, fingerprint)[0], verifier


# 5. the job


def test_footage_that_is_discarded_while_its_package_is_made(tmp_path: Path) -> None:
    """Footage that a package is being made of does not go before that is done: the proof tells of it as it was."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    record(store, clock, SECOND * 12)
    store.checkpoint()
    begun_us, end_us = store.cameras.get("gate").registered_us, store.ends_us("gate.main")
    clock.advance(40 * DAY_US / 1e6)
    store.exports.ask("gate.main", begun_us + 1, end_us, "c", "r")

    def progress(done: int, total: int) -> None:
        store.discard(["gate.main.4", "gate.main.5"], "rule")

    export(store, Wanted("gate", begun_us + 1, end_us, "c"), tmp_path / "package", clock, "0", progress)
    store.close()

    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert good, (verifier, said)


def test_a_terminal_that_knows_latin_letters_alone(honest: Honest) -> None:
    """`custos verify` writes there what can be written, and ends as everywhere."""
    done = subprocess.run(
        [sys.executable, "-m", "appliance", "verify", str(honest.folder), "--fingerprint", honest.fingerprint],
        check=False,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "latin-1"},
    )

    assert done.returncode == 0, done.stderr
