"""Evidence packages: three verifiers that share no code agree that an honest one is good, and on what is wrong with
each of the museum."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.times import DAY_US
from recorder.causes import Cause
from recorder.store.log.keys import fingerprint, load_key
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.export import Wanted, export
from retention.evidence.reading import verify_package
from tests.fakes.box import new_store, record
from tests.fakes.clock import FakeClock
from tests.forgeries.packages import (
    OWNED,
    PACKAGES,
    SUCCEEDED,
    Forger,
    Owner,
    Successor,
    a_key_of_a_stranger_follows,
    nothing_but_made_anew,
    resign,
    the_list_is_signed_by_an_earlier_key,
)

SECOND = "I" + "P" * 9


@dataclass(frozen=True)
class Honest:
    """A package with nothing wrong, the fingerprint that the papers name, and the key that only the box has."""

    folder: Path
    fingerprint: str
    key: Ed25519PrivateKey

    def copy(self, place: Path) -> Path:
        return Path(shutil.copytree(self.folder, place / "package", symlinks=True))


def filled(folder: Path, clock: FakeClock) -> Store:
    """Two cameras, a gap, runs, some checkpoints between."""
    store = new_store(folder, clock, "gate", "yard")
    clock.advance(3)
    record(store, clock, SECOND * 6)
    record(store, clock, SECOND * 4, "yard")
    store.checkpoint()
    clock.advance(30)
    store.commit_gap("gate.main", clock.read().utc_us, Cause.UNREACHABLE, 'the "cable"\n\\ at 東')
    record(store, clock, SECOND * 6)
    store.checkpoint()
    record(store, clock, SECOND * 4)
    store.checkpoint()
    return store


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    clock, folder = FakeClock(), tmp_path_factory.mktemp("honest")
    store = filled(folder, clock)
    begun_us = store.cameras.get("gate").registered_us
    store.exports.ask("gate.main", begun_us + 5_000_000, clock.read().utc_us - 2_000_000, "case 7", "letter")
    wanted = Wanted("gate", begun_us + 5_000_000, clock.read().utc_us - 2_000_000, "case 7")
    export(store, wanted, folder / "package", clock, "0.0.0")
    key = load_key(store.layout.key)
    store.close()
    return Honest(folder / "package", store.fingerprint, key)


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


def ours(folder: Path, fingerprint: str) -> tuple[bool, str]:
    verdict = verify_package(folder, fingerprint)
    return verdict.is_good, "\n".join(f"{one.file}: {one.what}" for one in verdict.objections)


def run(folder: Path, *command: str) -> tuple[bool, str]:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode == 0, done.stdout + done.stderr


def by_shell(folder: Path, fingerprint: str) -> tuple[bool, str]:
    return run(folder, "sh", "verify.sh", fingerprint)


def by_python(folder: Path, fingerprint: str) -> tuple[bool, str]:
    return run(folder, sys.executable, "-I", "verify.py", fingerprint)


Verifier = Callable[[Path, str], tuple[bool, str]]
VERIFIERS: tuple[Verifier, ...] = (ours, by_shell, by_python)


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_an_honest_package_is_good(honest: Honest, verifier: Verifier) -> None:
    """Nothing is said against it; otherwise the other tests would prove nothing."""
    good, said = verifier(honest.folder, honest.fingerprint)

    assert good, said


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
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "sort",
    "tail",
    "tee",
    "tr",
    "uniq",
    "xxd",
]


@pytest.mark.parametrize("ffprobe", [[], ["ffprobe"]], ids=["without ffprobe", "with ffprobe"])
def test_the_shell_script_needs_standard_tools_alone(honest: Honest, tmp_path: Path, ffprobe: list[str]) -> None:
    """In a folder with a copy of the package and no way to anything but those tools: none of our code is needed."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in (*TOOLS, *ffprobe):
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    command = ("env", "-i", f"PATH={tools}", "TMPDIR=/tmp", "sh", "verify.sh", honest.fingerprint)
    good, said = run(honest.copy(tmp_path), *command)

    assert good, said
    assert ("There is no ffprobe here" in said) is not bool(ffprobe)


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("forger", PACKAGES, ids=lambda forger: forger.__name__)
def test_a_forgery_is_found_and_its_file_named(
    honest: Honest, tmp_path: Path, forger: Forger, verifier: Verifier
) -> None:
    """By each of the three."""
    folder = honest.copy(tmp_path)
    forger(folder)
    good, said = verifier(folder, honest.fingerprint)

    assert not good
    assert PACKAGES[forger] in said


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("forger", OWNED, ids=lambda forger: forger.__name__)
def test_a_forgery_of_who_has_the_key_is_found(
    honest: Honest, tmp_path: Path, forger: Owner, verifier: Verifier
) -> None:
    """All files are listed and signed anew: the log does not lead to what was changed."""
    folder = honest.copy(tmp_path)
    forger(folder, honest.key)
    resign(folder, honest.key)
    good, said = verifier(folder, honest.fingerprint)

    assert not good
    assert OWNED[forger] in said


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
OF_THE_KIND = (package.KEY, package.SUMS, package.SUMS_SIGNATURE)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=["flipped", "truncated", "removed"])
def test_each_file_with_one_change(honest: Honest, tmp_path: Path, mutation: Callable[[Path], None]) -> None:
    """Every single one is found, and the file named; the scripts themselves are judged by the other two."""
    for number, name in enumerate(names(honest.folder)):
        folder = honest.copy(tmp_path / str(number))
        mutation(folder / name)
        for verifier, script in zip(VERIFIERS, ("", "verify.sh", "verify.py"), strict=True):
            if name == script:
                continue
            good, said = verifier(folder, honest.fingerprint)
            assert not good, (name, verifier)
            assert name in said, (name, verifier, said)


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
