"""Evidence packages: three verifiers that share no code agree that an honest one is good, and on what is wrong with
each of the museum."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from config.times import DAY_US, SECOND_US
from recorder.causes import Cause
from recorder.store import proofs, tables
from recorder.store.fsck import check
from recorder.store.ledger import Entry, Ledger
from recorder.store.log.cosignature import cosign, witness_key
from recorder.store.log.keys import fingerprint, load_key
from recorder.store.records import AnchorKind, Asker, Outsider, ViewKind
from recorder.store.segments import Segments
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.anchoring import Anchorer, Authorities
from retention.evidence.completeness import Standing
from retention.evidence.export import Wanted, export
from retention.evidence.reading import verify_package
from retention.evidence.timestamp import question
from tests.fakes.authority import Authority, authority
from tests.fakes.box import new_store, record
from tests.fakes.clock import FakeClock
from tests.forgeries.forge import sm2_key_forgotten_by_the_index
from tests.forgeries.packages import (
    ANCHORED,
    COSIGNED,
    DISCARDED,
    LAWFUL,
    OWNED,
    PACKAGES,
    SM,
    SUCCEEDED,
    Cosigned,
    Discarded,
    Forger,
    Owner,
    Successor,
    a_key_of_a_stranger_follows,
    cosigned_anew,
    entry,
    leave_out,
    lines,
    notes,
    nothing_but_made_anew,
    put,
    resign,
    the_list_is_signed_by_an_earlier_key,
    the_print_is_of_another_list,
    the_print_of_the_list_is_removed,
    the_sm2_line_is_missing,
)

SECOND = "I" + "P" * 9
AT_S = 1_800_000_000
WITNESS, WITNESS_NAME = Ed25519PrivateKey.from_private_bytes(b"w" * 32), "north.example/w"
VIEWER = Asker("token", "192.0.2.7", purpose="Theft at the gate")


@dataclass(frozen=True)
class Honest:
    """A package with nothing wrong, the fingerprint that the papers name, and the key that only the box has."""

    folder: Path
    fingerprint: str
    roots: Path | None
    key: Ed25519PrivateKey

    def copy(self, place: Path) -> Path:
        return Path(shutil.copytree(self.folder, place / "package", symlinks=True))


def stamped(store: Store, clock: FakeClock, one: Authority) -> None:
    """Have the newest checkpoint stamped."""
    store.checkpoint()
    store.anchors.want("hourly")
    anchorer(store, clock, one).run()


def anchorer(store: Store, clock: FakeClock, one: Authority) -> Anchorer:
    return Anchorer(store, clock, Authorities([one.url], one.roots, 10**6))


def cosigned(store: Store, clock: FakeClock, name: str = WITNESS_NAME) -> None:
    """Have the newest checkpoint, or the one that waits, cosigned."""
    by = Outsider(AnchorKind.WITNESS, witness_key(name, WITNESS.public_key()).text)
    store.anchors.want("due", by)
    for anchor in store.anchors.pending(1, by):
        at_s = clock.read().utc_us // SECOND_US
        line = cosign(anchor.note, name, WITNESS, at_s)
        store.anchors.keep(anchor, (anchor.note + line).encode(), at_s * SECOND_US)


def filled(folder: Path, clock: FakeClock, one: Authority | None = None, *, sm: bool = False) -> Store:
    """Two cameras, a gap, runs, some checkpoints between; the first and the last are stamped and cosigned, where there
    is one who does it."""
    store = new_store(folder, clock, "gate", "yard", sm=sm)
    clock.advance(3)
    if one is not None:
        stamped(store, clock, one)
        store.checkpoint()
        cosigned(store, clock)
    record(store, clock, SECOND * 6)
    record(store, clock, SECOND * 4, "yard")
    store.checkpoint()
    clock.advance(30)
    store.commit_gap("gate.main", clock.read().utc_us, Cause.UNREACHABLE, 'the "cable"\n\\ at 東')
    record(store, clock, SECOND * 6)
    store.checkpoint()
    record(store, clock, SECOND * 4)
    store.checkpoint()
    if one is not None:
        stamped(store, clock, one)
        cosigned(store, clock)  # before there is a newer checkpoint
    return store


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    place = tmp_path_factory.mktemp("authority")
    with authority(place) as one:
        return packed(tmp_path_factory.mktemp("honest"), one)


@pytest.fixture(scope="module")
def with_sm(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    return packed(tmp_path_factory.mktemp("sm"), sm=True)


def packed(folder: Path, one: Authority | None = None, *, sm: bool = False) -> Honest:
    clock = FakeClock()
    store = filled(folder, clock, one, sm=sm)
    begun_us = store.cameras.get("gate").registered_us
    store.views.note("gate.main", ViewKind.MEDIA, begun_us + 6_000_000, begun_us + 7_000_000, VIEWER)
    store.views.note("yard.main", ViewKind.MEDIA, begun_us + 6_000_000, begun_us + 7_000_000, VIEWER)
    store.exports.ask("gate.main", begun_us + 5_000_000, clock.read().utc_us - 2_000_000, "case 7", "letter")
    wanted = Wanted("gate", begun_us + 5_000_000, clock.read().utc_us - 2_000_000, "case 7")
    stamper = None if one is None else anchorer(store, clock, one)
    export(store, wanted, folder / "package", clock, "0.0.0", stamper=stamper)
    key = load_key(store.layout.key)
    store.close()
    return Honest(folder / "package", store.fingerprint, None if one is None else one.roots, key)


@dataclass(frozen=True)
class Succeeded:
    """A package with nothing wrong, of a box whose key was replaced twice: all its keys, the first one first."""

    folder: Path
    keys: tuple[Ed25519PrivateKey, ...]

    @property
    def fingerprints(self) -> list[str]:
        return [fingerprint(key.public_key()) for key in self.keys]

    def copy(self, place: Path) -> Path:
        return Path(shutil.copytree(self.folder, place / "package"))


@pytest.fixture(scope="module")
def succeeded(tmp_path_factory: pytest.TempPathFactory) -> Succeeded:
    """The key is replaced before, in, and behind what is handed over; all of it was kept by a thief."""
    clock, folder = FakeClock(), tmp_path_factory.mktemp("succeeded")
    store = new_store(folder, clock, "gate")
    begun_us = clock.read().utc_us + 2_000_000
    keys = [load_key(store.layout.key)]
    for _ in range(2):
        clock.advance(2)
        record(store, clock, SECOND * 3)
        store.rotate_key()
        keys.append(load_key(store.layout.key))
    record(store, clock, SECOND * 3)
    store.exports.ask("gate.main", begun_us, clock.read().utc_us - 2_000_000, "case 9", "letter")
    wanted = Wanted("gate", begun_us, clock.read().utc_us - 2_000_000, "case 9")
    export(store, wanted, folder / "package", clock, "0.0.0")
    store.close()
    return Succeeded(folder / "package", tuple(keys))


def ours(folder: Path, fingerprint: str, roots: Path | None = None, *witnesses: str) -> tuple[bool, str]:
    believed = None if roots is None else roots.read_bytes()
    verdict = verify_package(folder, fingerprint, roots=believed, witnesses=witnesses or None)
    said = [f"{one.file}: {one.what}" for one in verdict.objections]
    return verdict.is_good, "\n".join([*said, "" if verdict.is_anchored else "NOT ANCHORED"])


def run(folder: Path, *command: str) -> tuple[bool, str]:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode == 0, done.stdout + done.stderr


TOOLS = [
    "awk",
    "basename",
    "cat",
    "cmp",
    "comm",
    "cut",
    "dirname",
    "find",
    "grep",
    "head",
    "mkdir",
    "mktemp",
    "openssl",
    "paste",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sort",
    "split",
    "tail",
    "tr",
    "uniq",
    "xxd",
]
"""All that the shell script needs."""


def tools(folder: Path, *more: str) -> Path:
    """A folder with a way to those tools, and to nothing else."""
    folder.mkdir(exist_ok=True)
    for name in (*TOOLS, *more):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


@cache
def _alone() -> tempfile.TemporaryDirectory[str]:
    """Without ffprobe, which only counts again what the hashes bind, and takes as long as all the rest."""
    place = tempfile.TemporaryDirectory()
    tools(Path(place.name))
    return place


def by_shell(folder: Path, fingerprint: str, roots: Path | None = None, *witnesses: str) -> tuple[bool, str]:
    path = f"PATH={_alone().name}"
    return run(folder, "env", path, "sh", "verify.sh", fingerprint, str(roots or ""), *witnesses)


def by_python(folder: Path, fingerprint: str, roots: Path | None = None, *witnesses: str) -> tuple[bool, str]:
    return run(folder, sys.executable, "-I", "verify.py", fingerprint, str(roots or ""), *witnesses)


class Verifier(Protocol):
    def __call__(
        self, folder: Path, fingerprint: str, roots: Path | None = None, /, *witnesses: str
    ) -> tuple[bool, str]: ...


VERIFIERS: tuple[Verifier, ...] = (ours, by_shell, by_python)


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_honest_package_is_good(honest: Honest, verifier: Verifier) -> None:
    """Nothing is said against it; otherwise the other tests would prove nothing."""
    for roots in (None, honest.roots):
        good, said = verifier(honest.folder, honest.fingerprint, roots)

        assert good, said


@pytest.mark.parametrize("ffprobe", [[], ["ffprobe"]], ids=["without ffprobe", "with ffprobe"])
@pytest.mark.parametrize("kind", ["honest", "with_sm"])
def test_the_shell_script_needs_standard_tools_alone(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path, ffprobe: list[str]
) -> None:
    """In a folder with a copy of the package and no way to anything but those tools: none of our code is needed."""
    place = tools(tmp_path / "tools", *ffprobe)
    given: Honest = request.getfixturevalue(kind)
    command = ("env", "-i", f"PATH={place}", "TMPDIR=/tmp", "sh", "verify.sh", given.fingerprint)
    good, said = run(given.copy(tmp_path), *command)

    assert good, said
    assert ("There is no ffprobe here" in said) is not bool(ffprobe)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """Nobody outside saw it."""
    return packed(tmp_path_factory.mktemp("bare"))


def base_of(forger: Callable[..., None], request: pytest.FixtureRequest) -> Honest:
    found: Honest = request.getfixturevalue("honest" if forger in ANCHORED else "bare")
    return found


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("forger", PACKAGES, ids=lambda forger: forger.__name__)
def test_a_forgery_is_found_and_its_file_named(
    request: pytest.FixtureRequest, tmp_path: Path, forger: Forger, verifier: Verifier
) -> None:
    """By each of the three."""
    base = base_of(forger, request)
    folder = base.copy(tmp_path)
    forger(folder)
    good, said = verifier(folder, base.fingerprint)

    assert not good
    assert PACKAGES[forger] in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("forger", OWNED, ids=lambda forger: forger.__name__)
def test_a_forgery_of_who_has_the_key_is_found(
    request: pytest.FixtureRequest, tmp_path: Path, forger: Owner, verifier: Verifier
) -> None:
    """All files are listed and signed anew: the log does not lead to what was changed."""
    base = base_of(forger, request)
    folder = base.copy(tmp_path)
    forger(folder, base.key)
    resign(folder, base.key)
    good, said = verifier(folder, base.fingerprint)

    assert not good
    assert OWNED[forger] in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_stamp_by_an_authority_of_the_owners_own_making(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """Whoever has the true authority's certificates is not taken in; a stamp that is put in another's place shows even
    without them, because the log tells of the first."""
    (tmp_path / "other").mkdir()
    folder = honest.copy(tmp_path)
    body = max((folder / package.ANCHORS).glob("*.body"), key=lambda path: int(path.stem))
    with authority(tmp_path / "other") as other:
        answer = httpx.post(other.url, content=question(body.read_bytes()).as_bytes())

    good, said = verifier(folder, honest.fingerprint, other.roots)
    assert not good
    assert f"{package.ANCHORS}/{body.stem}.tsr" in said

    body.with_suffix(".tsr").write_bytes(answer.content)
    roots = folder / package.ROOTS
    roots.write_bytes(roots.read_bytes() + other.roots.read_bytes())
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)
    assert not good
    assert f"{package.ANCHORS}/{body.stem}.tsr" in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_package_that_its_owner_signed_anew_without_a_change(
    honest: Honest, tmp_path: Path, verifier: Verifier
) -> None:
    """It is good: what is found in a forgery of who has the key is the forgery. Only its own stamp is gone; and one of
    which the package does not tell is found."""
    folder = honest.copy(tmp_path)
    stamp = (folder / package.SUMS_STAMP).read_bytes()
    assert b'"stamped":true' in (folder / package.CLAIM).read_bytes()
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)
    assert good, said

    (folder / package.SUMS_STAMP).write_bytes(stamp)
    good, said = verifier(folder, honest.fingerprint)
    assert not good
    assert package.SUMS_STAMP in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("kind", COSIGNED)
def test_a_cosignature_that_no_witness_gave_is_found(
    honest: Honest, tmp_path: Path, kind: str, verifier: Verifier
) -> None:
    """The owner makes a log anew, with an entry that tells of a witness: every hash is right but the witness's word."""
    folder = honest.copy(tmp_path)
    cosigned_anew(folder, honest.key, WITNESS, AT_S, COSIGNED[kind])
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)

    assert not good
    assert COSIGNED[kind].named in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize(
    ("at_s", "is_time"), [(0, False), (1, True), (253_402_300_799, True), (253_402_300_800, False)]
)
def test_the_time_of_a_cosignature_is_one_that_can_be(
    honest: Honest, tmp_path: Path, at_s: int, is_time: bool, verifier: Verifier
) -> None:
    """From 1970 to the year 9999; what was made anew around a true cosignature is good, and not said to be without."""
    folder = honest.copy(tmp_path)
    cosigned_anew(folder, honest.key, WITNESS, at_s, Cosigned())
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)

    assert good is is_time, said
    assert not good or "NOT ANCHORED" not in said


def times(moment_us: int) -> str:
    return f"{datetime.fromtimestamp(moment_us // SECOND_US, UTC):%Y-%m-%d %H:%M:%S} UTC"


@pytest.mark.parametrize("verifier", [by_shell, by_python])
def test_all_say_alike_who_saw_what_and_when(honest: Honest, verifier: Verifier) -> None:
    """Authority and witness, what each saw first of all of it and last before it: to the second."""
    verdict = verify_package(honest.folder, honest.fingerprint, roots=honest.roots and honest.roots.read_bytes())
    _, said = verifier(honest.folder, honest.fingerprint, honest.roots)

    assert verdict.made_us is not None
    assert f"this package was made before {times(verdict.made_us)}" in said
    assert [one.witness and one.witness.partition("+")[0] for one in verdict.outsiders] == [None, WITNESS_NAME]
    for one, who in zip(verdict.outsiders, ("the authority", f"witness {WITNESS_NAME}"), strict=True):
        assert one.before is not None
        assert one.whole is not None
        assert f"By {who}'s clock, all of it was recorded later than {times(one.before.at_us)}." in said
        assert f"By {who}'s clock, nothing of it was recorded or discarded later than {times(one.whole.at_us)}." in said
    witness = verdict.outsiders[1]
    assert witness.before != witness.whole


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_what_was_seen_before_alone_anchors_nothing(tmp_path: Path, verifier: Verifier) -> None:
    """A cosignature of the log as it was before the footage, and one of its half: neither speaks for the whole."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, "gate")
    clock.advance(3)
    for _ in range(2):
        store.checkpoint()
        cosigned(store, clock)
        store.checkpoint()
        record(store, clock, SECOND * 6)
    begun_us = store.cameras.get("gate").registered_us
    wanted = Wanted("gate", begun_us + 4_000_000, store.ends_us("gate.main") - 1, "case 9")
    export(store, wanted, tmp_path / "package", clock, "0.0.0")
    store.close()
    good, said = verifier(tmp_path / "package", store.fingerprint)

    assert len(notes(tmp_path / "package")) == 2
    assert good, said
    assert "NOT ANCHORED" in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_only_a_witness_that_was_named_counts(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """Nobody else's word makes up for what was asked for; the package is good, and says so."""
    folder = honest.copy(tmp_path)
    cosigned_anew(folder, honest.key, WITNESS, AT_S, Cosigned())
    resign(folder, honest.key)
    key = witness_key(WITNESS_NAME, WITNESS.public_key()).text
    other = witness_key("other.example/w", honest.key.public_key()).text

    good, said = verifier(folder, honest.fingerprint, None, key, other)
    assert good, said
    assert "NOT ANCHORED" not in said

    good, said = verifier(folder, honest.fingerprint, None, other)
    assert good, said
    assert "NOT ANCHORED" in said


def test_an_authority_that_is_down_keeps_no_package_from_being_made(tmp_path: Path) -> None:
    """It is made without a stamp, and says so; the same where its certificates cannot be read."""
    clock = FakeClock()
    (tmp_path / "authority").mkdir()
    with authority(tmp_path / "authority") as one:
        store = filled(tmp_path, clock, one)
        one.is_down = True
        begun_us = store.cameras.get("gate").registered_us
        wanted = Wanted("gate", begun_us + 1, begun_us + 2_000_000, "case 11")
        export(store, wanted, tmp_path / "down", clock, "0.0.0", stamper=anchorer(store, clock, one))
        one.is_down = False
        one.roots.unlink()
        export(store, wanted, tmp_path / "unread", clock, "0.0.0", stamper=anchorer(store, clock, one))
    store.close()

    for name in ("down", "unread"):
        assert not (tmp_path / name / package.SUMS_STAMP).exists()
        for verifier in VERIFIERS:
            good, said = verifier(tmp_path / name, store.fingerprint)
            assert good, said


@pytest.mark.parametrize("camera_id", ["playground", "play-yard"])
def test_a_camera_whose_name_looks_like_a_film(tmp_path: Path, camera_id: str) -> None:
    """Its originals lie in a folder of that name: they are no films, and the package is good."""
    clock = FakeClock()
    store = new_store(tmp_path, clock, camera_id)
    record(store, clock, SECOND * 6, camera_id)
    wanted = Wanted(camera_id, store.cameras.get(camera_id).registered_us + 1, store.ends_us(f"{camera_id}.main"), "8")
    export(store, wanted, tmp_path / "package", clock, "0.0.0")
    store.close()

    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert good, said


def test_without_openssl_the_lists_stamp_must_be_there_all_the_same(honest: Honest, tmp_path: Path) -> None:
    """It is listed nowhere, so nobody else would miss it; that stamps were not checked is said."""
    folder = honest.copy(tmp_path)
    command = ("env", "PATH=/nowhere", sys.executable, "-I", "verify.py", honest.fingerprint)
    good, said = run(folder, *command)
    assert good, said
    assert "There is no openssl here" in said

    (folder / package.SUMS_STAMP).unlink()
    good, said = run(folder, *command)
    assert not good
    assert package.SUMS_STAMP in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_lines_of_others_on_the_checkpoint_are_passed_over(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """A witness's before ours, and one under our name by a key that nobody here knows: ours is found by its key id."""
    folder = honest.copy(tmp_path)
    path = folder / package.CHECKPOINT
    body, _, line = path.read_text().partition("\n\n")
    others = [f"— {name} {base64.b64encode(bytes(76)).decode()}\n" for name in ("witness", body.partition("\n")[0])]
    path.write_text(f"{body}\n\n{''.join(others)}{line}")
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)

    assert good, said


OF_ANOTHER_BOX = (
    (package.CHECKPOINT,),
    (package.CHECKPOINT, package.KEY),
    (package.LEAVES, package.PATHS),
    (package.LEAVES, package.PATHS, package.CHECKPOINT),
    (package.CLAIM,),
    (package.TIMELINE, package.CLOCK, package.FILES),
    (package.HEADS,),
    (package.MEDIA,),
)


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_package_assembled_from_two_boxes(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """Whatever is taken from the other box's package, and signed anew with this one's key, does not fit the rest."""
    clock = FakeClock()
    clock.advance(0.5)
    store = filled(tmp_path / "box", clock)
    begun_us = store.cameras.get("gate").registered_us
    wanted = Wanted("gate", begun_us + 5_000_000, clock.read().utc_us - 2_000_000, "case 7")
    export(store, wanted, tmp_path / "other", clock, "0.0.0")
    store.close()
    for number, parts in enumerate(OF_ANOTHER_BOX):
        folder = honest.copy(tmp_path / str(number))
        for name in parts:
            taken, mine = tmp_path / "other" / name, folder / name
            if taken.is_dir():
                shutil.rmtree(mine)
                shutil.copytree(taken, mine)
            else:
                shutil.copy(taken, mine)
        resign(folder, honest.key)
        good, said = verifier(folder, honest.fingerprint)
        assert not good, (parts, said)


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_package_that_nobody_stamped_says_so(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """It is good, of a box without an authority, and proves less: each of the three says that."""
    clock = FakeClock()
    store = filled(tmp_path, clock)
    begun_us = store.cameras.get("gate").registered_us
    export(store, Wanted("gate", begun_us + 1, begun_us + 2_000_000, "case 9"), tmp_path / "package", clock, "0.0.0")
    good, said = verifier(tmp_path / "package", store.fingerprint)
    store.close()

    assert good, said
    assert "NOT ANCHORED" in said
    assert "NOT ANCHORED" not in verifier(honest.folder, honest.fingerprint)[1]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_yesterday_written_anew_with_the_key_is_caught_by_its_stamp(tmp_path: Path, verifier: Verifier) -> None:
    """Two records of one box, both signed with its key: the stamp of the true one does not fit the other."""
    clock = FakeClock()
    new_store(tmp_path / "true", clock, "gate").close()
    shutil.copytree(tmp_path / "true", tmp_path / "anew")
    (tmp_path / "authority").mkdir()
    true, anew = (Store.open(tmp_path / name / "data", clock) for name in ("true", "anew"))
    clock.advance(3)
    with authority(tmp_path / "authority") as one:
        for store in (true, anew):
            record(store, clock, SECOND * 6)
            stamped(store, clock, one)
            clock.advance(10)
    for store, name in ((true, "one"), (anew, "two")):
        begun_us = store.cameras.get("gate").registered_us
        wanted = Wanted("gate", begun_us + 1, store.ends_us("gate.main"), "case 10")
        export(store, wanted, tmp_path / name, clock, "0.0.0")
        assert verifier(tmp_path / name, store.fingerprint)[0]
    kept = next((tmp_path / "one" / package.ANCHORS).glob("*.body"))
    for ending in ("body", "tsr"):
        shutil.copy(kept.with_suffix(f".{ending}"), tmp_path / "two" / package.ANCHORS)
    resign(tmp_path / "two", load_key(anew.layout.key))
    good, said = verifier(tmp_path / "two", true.fingerprint)
    true.close()
    anew.close()

    assert not good
    assert f"{package.ANCHORS}/{kept.stem}." in said
    assert "no beginning of this log" in said


def test_the_print_of_the_list_is_what_this_version_prints(honest: Honest) -> None:
    """The PDF is made anew from claim and table, and compared: of an honest package there is nothing to remark."""
    printed = (honest.folder / package.FILES_PRINT).read_bytes()

    assert printed.startswith(b"%PDF")
    assert verify_package(honest.folder, honest.fingerprint).remarks == ()


@pytest.mark.parametrize("forger", [the_print_is_of_another_list, the_print_of_the_list_is_removed])
def test_a_signed_print_that_is_another_is_remarked(honest: Honest, tmp_path: Path, forger: Forger) -> None:
    """By the owner of the key: no reason to refuse, since files.csv is what is checked and another version may print
    it otherwise; but whoever must sign it is told. The scripts, which cannot print it anew, agree that it is good."""
    folder = honest.copy(tmp_path)
    forger(folder)
    resign(folder, honest.key)
    verdict = verify_package(folder, honest.fingerprint)

    assert verdict.is_good
    assert [one.file for one in verdict.remarks] == [package.FILES_PRINT]
    assert by_shell(folder, honest.fingerprint)[0]
    assert by_python(folder, honest.fingerprint)[0]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_honest_package_with_sm_is_good(with_sm: Honest, verifier: Verifier) -> None:
    """It has the key, the line and the column, and nothing is left unchecked."""
    good, said = verifier(with_sm.folder, with_sm.fingerprint)

    assert good, said
    assert "not checked" not in said
    assert (with_sm.folder / package.SM2_KEY).exists()
    assert (with_sm.folder / package.CHECKPOINT).read_text().count("— ") == 2
    assert (with_sm.folder / package.FILES).read_text().splitlines()[0].endswith(",end,sm3")


@pytest.mark.parametrize("forger", SM, ids=lambda forger: forger.__name__)
def test_a_forgery_about_sm_is_found(with_sm: Honest, tmp_path: Path, forger: Owner) -> None:
    """By each of the three, which name the file; all files are listed and signed anew."""
    folder = with_sm.copy(tmp_path)
    forger(folder, with_sm.key)
    resign(folder, with_sm.key)

    for verifier in VERIFIERS:
        good, said = verifier(folder, with_sm.fingerprint)
        assert not good, verifier
        assert SM[forger] in said, verifier


def test_a_key_that_no_entry_binds(honest: Honest, with_sm: Honest, tmp_path: Path) -> None:
    """Somebody adds an SM2 key of his own to a package that has none."""
    folder = honest.copy(tmp_path)
    shutil.copy(with_sm.folder / package.SM2_KEY, folder / package.SM2_KEY)
    resign(folder, honest.key)

    for verifier in VERIFIERS:
        good, said = verifier(folder, honest.fingerprint)
        assert not good, verifier
        assert "binds no SM2 key" in said, verifier


def test_an_sm3_that_was_wrong_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that lies to its log of one hash: each of the three compares bytes with both."""
    monkeypatch.setattr("recorder.store.parts.sm3", hashlib.sha256)
    lying = packed(tmp_path, sm=True)

    for verifier in VERIFIERS:
        good, said = verifier(lying.folder, lying.fingerprint)
        assert not good, verifier
        assert "Its SM3 hash is not the one in the log." in said, verifier
        assert "media/gate.main/" in said, verifier


def test_another_key_that_the_owner_has_bound_later(tmp_path: Path) -> None:
    """He makes the index forget the first, and the box bind a second: beats before it name the first."""
    clock = FakeClock()
    store = filled(tmp_path, clock, sm=True)
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    store.close()
    sm2_key_forgotten_by_the_index(tmp_path / "data")
    store.layout.sm2_key.unlink()
    again = Store.open(tmp_path / "data", clock, sm=True)
    export(again, Wanted("gate", begun_us + 1, end_us, "case 9"), tmp_path / "package", clock, "0.0.0")

    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", again.fingerprint)
        assert not good, verifier
        assert "A beat names another SM2 key" in said, verifier


def test_packages_made_while_sm2_fails_and_after_it_was_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The beat that closes the checkpoint says that there is one signature: one is enough then."""
    clock = FakeClock()
    store = filled(tmp_path, clock, sm=True)
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        export(store, Wanted("gate", begun_us + 1, end_us, "case 9"), tmp_path / "failing", clock, "0.0.0")
    store.close()
    off = Store.open(tmp_path / "data", clock)
    record(off, clock, SECOND * 6)
    off.checkpoint()
    end_us = clock.read().utc_us - 2_000_000
    export(off, Wanted("gate", begun_us + 1, end_us, "case 9"), tmp_path / "off", clock, "0.0.0")

    listed = (tmp_path / "off" / package.FILES).read_text().splitlines()
    assert listed[0].endswith(",sm3")
    assert listed[-1].endswith(",")
    assert not listed[1].endswith(",")
    for name in ("failing", "off"):
        assert (tmp_path / name / package.CHECKPOINT).read_text().count("— ") == 1
        assert (tmp_path / name / package.SM2_KEY).exists()
        for verifier in VERIFIERS:
            good, said = verifier(tmp_path / name, off.fingerprint)
            assert good, said


WITHOUT_SM3 = """
import hashlib, runpy
whole = hashlib.new
def new(name, *rest):
    if name == "sm3":
        raise ValueError("unsupported hash type")
    return whole(name, *rest)
hashlib.new = new
runpy.run_path("verify.py", run_name="__main__")
"""
"""A Python of which the script would find no SM3."""


def test_tools_that_know_neither_sm2_nor_sm3(with_sm: Honest, tmp_path: Path) -> None:
    """They say so, check all the rest, and still miss a line that should be there."""
    real = shutil.which("openssl")
    (tmp_path / "openssl").write_text(
        f'#!/bin/sh\ncase "$*" in *sm3*|*SM2*|*sm2.pem*) exit 1 ;; esac\nexec {real} "$@"\n'
    )
    (tmp_path / "openssl").chmod(0o755)
    shell = ("env", f"PATH={tmp_path}:{os.environ['PATH']}", "sh", "verify.sh", with_sm.fingerprint)
    python = (sys.executable, "-I", "-c", WITHOUT_SM3, with_sm.fingerprint)

    for command in (shell, python):
        good, said = run(with_sm.folder, *command)
        assert good, said
        assert "未校验 SM2 签名" in said
        assert "未校验 SM3" in said
        folder = with_sm.copy(tmp_path / command[0].strip("/").replace("/", "-"))
        the_sm2_line_is_missing(folder, with_sm.key)
        resign(folder, with_sm.key)
        good, said = run(folder, *command)
        assert not good
        assert package.CHECKPOINT in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_papers_that_name_any_key_of_the_log_are_good(succeeded: Succeeded, verifier: Verifier, number: int) -> None:
    """What was written down when the box was accepted holds, whatever keys followed."""
    good, said = verifier(succeeded.folder, succeeded.fingerprints[number])

    assert good, said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_papers_of_another_box_are_not(succeeded: Succeeded, verifier: Verifier) -> None:
    """However long the way from key to key is."""
    good, said = verifier(succeeded.folder, "0" * 64)

    assert not good
    assert package.KEY in said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_log_made_anew_by_all_its_keys_is_good(succeeded: Succeeded, tmp_path: Path, verifier: Verifier) -> None:
    """It is for the anchors to find out; otherwise the forgeries that begin with it would prove nothing."""
    folder = succeeded.copy(tmp_path)
    nothing_but_made_anew(folder, succeeded.keys)
    resign(folder, succeeded.keys[-1])
    good, said = verifier(folder, succeeded.fingerprints[0])

    assert good, said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("forger", SUCCEEDED, ids=lambda forger: forger.__name__)
def test_a_succession_of_keys_that_is_none_is_found(
    succeeded: Succeeded, tmp_path: Path, forger: Successor, verifier: Verifier
) -> None:
    """Every entry leads to a signed checkpoint; the keys do not lead from the papers to the one that signed it."""
    folder = succeeded.copy(tmp_path)
    forger(folder, succeeded.keys)
    if forger not in SIGNED_ALREADY:
        resign(folder, succeeded.keys[-1])
    good, said = verifier(folder, succeeded.fingerprints[0])

    assert not good
    assert SUCCEEDED[forger] in said


SIGNED_ALREADY = (a_key_of_a_stranger_follows, the_list_is_signed_by_an_earlier_key)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


MUTATIONS: tuple[Callable[[Path], None], ...] = (flipped, truncated, Path.unlink)
ALONE = {
    *(
        package.SUMS,
        package.SUMS_SIGNATURE,
        package.CLAIM,
        package.CHECKPOINT,
        package.LEAVES,
        package.PATHS,
        package.KEY,
    ),
    *("verify.sh", "verify.py"),
}
"""What is read to judge the rest, and what judges."""
OF_THE_KIND = (package.KEY, package.SUMS, package.SUMS_SIGNATURE)


@pytest.fixture(scope="module")
def slight(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """One file of each kind, or two: one run, one stamp and one cosignature, of the same checkpoint."""
    clock, folder, place = FakeClock(), tmp_path_factory.mktemp("slight"), tmp_path_factory.mktemp("slight authority")
    with authority(place) as one:
        store = new_store(folder, clock, "gate")
        begun_us = clock.read().utc_us
        record(store, clock, SECOND * 5)
        stamped(store, clock, one)
        cosigned(store, clock)
        start_us, end_us = begun_us + 2_000_000, begun_us + 3_000_000
        store.exports.ask("gate.main", start_us, end_us, "case 7", "letter")
        wanted = Wanted("gate", start_us, end_us, "case 7")
        export(store, wanted, folder / "package", clock, "0", stamper=anchorer(store, clock, one))
        key, fingerprint = load_key(store.layout.key), store.fingerprint
        store.close()
    return Honest(folder / "package", fingerprint, one.roots, key)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=["flipped", "truncated", "removed"])
def test_each_file_with_one_change(slight: Honest, tmp_path: Path, mutation: Callable[[Path], None]) -> None:
    """Every single one is found, and the file named; the scripts themselves are judged by the other two.

    Those that lead to all others, and the scripts, are changed one by one; the others, which are judged by their hash
    alone, in one package, of which each must be named."""

    def changed(place: str, which: set[str]) -> None:
        folder = slight.copy(tmp_path / place)
        for name in which:
            mutation(folder / name)
        for verifier, script in zip(VERIFIERS, ("", "verify.sh", "verify.py"), strict=True):
            if script not in which:
                good, said = verifier(folder, slight.fingerprint)
                assert not good, (place, verifier)
                assert [name for name in which if name not in said] == [], (verifier, said)

    found = set(names(slight.folder))
    assert ours(slight.folder, slight.fingerprint, slight.roots) == (True, "")
    assert {"note", "tsr", "pdf", "mp4"} <= {name.rpartition(".")[2] for name in found}
    assert found > ALONE
    for name in sorted(ALONE):
        changed(name, {name})
    changed("others", found - ALONE)


def test_a_discard_after_its_time_is_lawful_and_one_under_a_hold_is_not(tmp_path: Path) -> None:
    """The three verifiers agree on both."""
    clock = FakeClock()
    store = filled(tmp_path, clock)
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    clock.advance(40 * DAY_US / 1e6)
    report = store.discard(["gate.main.1", "gate.main.2"], "target 31 days, floor 30 days")
    assert len(report.discarded) == 2
    store.checkpoint()
    done = export(store, Wanted("gate", begun_us + 1, end_us, "case 8"), tmp_path / "package", clock, "0.0.0")

    assert done.gone == 2
    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert good, said


def overwritten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A box that took two segments below their floor for want of room; and the package of that time."""
    monkeypatch.setattr("recorder.store.segments.overwritable", lambda states: states)
    clock = FakeClock()
    store = filled(folder, clock)
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    clock.advance(5 * DAY_US / 1e6)
    store.overwriting.put_in_force(is_on=True)
    report = store.discard(["gate.main.1", "gate.main.2"], "a full disk", store.overwriting.on("main"))
    assert len(report.discarded) == 2
    store.checkpoint()
    export(store, Wanted("gate", begun_us + 1, end_us, "case 8"), folder / "package", clock, "0.0.0")
    return store


def test_a_breach_of_the_floor_is_neither_lawful_nor_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three verifiers say so, each in both languages: the log accounts for it, and the law was broken."""
    store = overwritten(tmp_path, monkeypatch)

    assert check(store) == []
    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert good, said
    for verifier in (by_shell, by_python):
        _, said = verifier(tmp_path / "package", store.fingerprint)
        assert "BREACH: 2 segments were discarded before the law allowed it" in said
        assert "未满法定最短留存期即被覆盖" in said
    judgement = verify_package(tmp_path / "package", store.fingerprint).judgement
    assert judgement is not None
    (early,) = [one for one in judgement.stretches if one.standing is Standing.BREACH][:1]
    assert "until when it had to be kept" in early.why
    rows = (tmp_path / "package" / package.TIMELINE).read_text().splitlines()
    assert [one.split(",")[1] for one in rows if ",1-2," in one] == ["breach", "discard"]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_breach_that_is_left_out_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verifier: Verifier
) -> None:
    """Without the entry that admits it, what was discarded too early is nothing but that."""
    store = overwritten(tmp_path, monkeypatch)
    folder = tmp_path / "package"
    leave_out(folder, entry(folder, "breach"))
    put(folder / package.TIMELINE, [one for one in lines(folder / package.TIMELINE) if b",breach," not in one])
    resign(folder, load_key(store.layout.key))
    good, said = verifier(folder, store.fingerprint)

    assert not good
    assert "media/gate.main/1" in said


@pytest.mark.parametrize("told", [(0, 0), (3, 9), (2, 2)], ids=["before", "behind", "half of them"])
def test_a_breach_of_other_items_excuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: tuple[int, int]
) -> None:
    """The entry must speak of the very items; the three verifiers agree, and so does the box itself."""
    append = Ledger.append

    def other(ledger: Ledger, connection: Connection, kind: str, fields: Mapping[str, Any]) -> Entry:
        lie = {"n0": told[0], "n1": told[1]} if kind == "breach" else {}
        return append(ledger, connection, kind, {**fields, **lie})

    monkeypatch.setattr(Ledger, "append", other)
    store = overwritten(tmp_path, monkeypatch)

    assert (7, "gate.main.1") in [(one.invariant, one.where) for one in check(store)]
    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert not good, said
        assert "media/gate.main/1" in said


def test_a_breach_that_was_written_down_afterwards_excuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who discards first and admits it when it is found out."""
    admit = Segments._admit
    late: list[Any] = []
    monkeypatch.setattr(Segments, "_admit", lambda *arguments: late.append(arguments))
    report_gone = Segments._report_gone

    def told_late(segments: Segments, keys: Sequence[tuple[str, int]]) -> None:
        report_gone(segments, keys)
        with segments._database.write() as connection:
            for _, _, going in late:
                admit(segments, connection, going)

    monkeypatch.setattr(Segments, "_report_gone", told_late)
    store = overwritten(tmp_path, monkeypatch)

    assert [one.invariant for one in check(store)] == [7, 7]
    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert not good, said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_view_that_is_left_out_is_not_noticed(honest: Honest, tmp_path: Path, verifier: Verifier) -> None:
    """What docs/proof.md says of custody: each entry that is there is true; that all are there, a package does not
    prove. Whoever has the key may leave one out; the box itself would find it (`custos fsck`, invariant 5)."""
    folder = honest.copy(tmp_path)
    line = entry(folder, "view")
    told = lines(folder / package.LEAVES)[line]
    leave_out(folder, line)
    put(folder / package.CUSTODY, [one for one in lines(folder / package.CUSTODY) if one != told])
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)

    assert good, said


def test_a_view_of_another_stream_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package tells of one stream alone; the three verifiers agree."""
    clock = FakeClock()
    store = filled(tmp_path, clock)
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    store.views.note("yard.main", ViewKind.MEDIA, begun_us, begun_us + 1, VIEWER)
    monkeypatch.setattr(proofs, "_views", lambda *_: select(tables.views.c.leaf_index))
    export(store, Wanted("gate", begun_us + 1, end_us, "case 9"), tmp_path / "package", clock, "0.0.0")

    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", store.fingerprint)
        assert not good
        assert "another stream" in said


def as_told(store: Store, how: Discarded) -> None:
    """From now on leaves say of offsets what the owner wants them to."""
    append = store.ledger.append

    def told(connection: Connection, kind: str, fields: Mapping[str, Any]) -> Entry:
        offset = {"seg": how.recorded_s, "del": how.discarded_s}.get(kind)
        said = {name: value for name, value in fields.items() if name not in ("utc_offset_s", "zone")}
        if offset is not None:
            said["utc_offset_s"] = None if offset == "null" else offset
        return append(connection, kind, said)

    store.ledger.append = told  # type: ignore[method-assign]


def discarded(folder: Path, how: Discarded, monkeypatch: pytest.MonkeyPatch) -> str:
    """The package of footage that was discarded so; the fingerprint of its key."""
    monkeypatch.setattr("recorder.store.segments.may_go_us", lambda *arguments: 0)
    clock = FakeClock()
    store = new_store(folder, clock, "gate")
    as_told(store, how)
    clock.advance(1)
    record(store, clock, SECOND * 6)
    store.checkpoint()
    begun_us, end_us = store.cameras.get("gate").registered_us, clock.read().utc_us - 2_000_000
    clock.mono_us += 100 * DAY_US
    clock.set_wall(how.at)
    report = store.discard(["gate.main.1"], "target 31 days, floor 30 days")
    assert report.discarded == ("gate.main.1",)
    store.checkpoint()
    store.zone = ZoneInfo(how.claims)
    export(store, Wanted("gate", begun_us + 1, end_us, "case 9"), folder / "package", clock, "0.0.0")
    store.close()
    return store.fingerprint


@pytest.mark.parametrize("name", DISCARDED)
def test_a_discard_before_its_time_is_found_whatever_zone_is_told(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each of the three: what was bound at recording counts as much as what was at the discard."""
    fingerprint = discarded(tmp_path, DISCARDED[name], monkeypatch)

    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", fingerprint)
        assert not good, verifier
        assert DISCARDED[name].named in said, (verifier, said)


@pytest.mark.parametrize("name", LAWFUL)
def test_a_discard_at_its_time_is_lawful_in_any_zone(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as its own midnight has passed; where nothing binds the zone, as before."""
    fingerprint = discarded(tmp_path, LAWFUL[name], monkeypatch)

    for verifier in VERIFIERS:
        good, said = verifier(tmp_path / "package", fingerprint)
        assert good, (verifier, said)
