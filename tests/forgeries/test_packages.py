"""Evidence packages: three verifiers that share no code agree that an honest one is good, and on what is wrong with
each of the museum."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from config.times import DAY_US
from recorder.causes import Cause
from recorder.store.ledger import Entry
from recorder.store.log.keys import load_key
from recorder.store.store import Store
from retention.evidence import package
from retention.evidence.export import Wanted, export
from retention.evidence.reading import verify_package
from tests.fakes.box import new_store, record
from tests.fakes.clock import FakeClock
from tests.forgeries.packages import DISCARDED, LAWFUL, OWNED, PACKAGES, Discarded, Forger, Owner, resign

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
