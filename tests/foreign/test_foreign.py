"""The log as two programs read it that were not written here: both must believe it, and neither a changed one.

Go's checksum database has the tree, the tiles and the notes that C2SP tlog-tiles was made of; Debian packages its code
(`sumdb_reader.go` asks it). `tlog_scales` is a reader of C2SP's own layout in Python.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash as foreign_leaf_hash
from tlog_scales.tlog import Checkpoint as ForeignCheckpoint

from recorder.store.log.leaves import encode_leaf
from recorder.store.log.note import Checkpoint, sign_checkpoint, verifier_key
from recorder.store.log.tiles import TileStore
from recorder.store.store import Store
from tests.fakes.box import new_store, record
from tests.fakes.camera import SECOND
from tests.fakes.clock import FakeClock

GO = Path("/usr/bin/go")
GO_SOURCES = Path("/usr/share/gocode")
"""Where Debian's golang-golang-x-mod-dev lies: no module is fetched."""

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "custos/0123456789abcdef"
VKEY = verifier_key(ORIGIN, KEY.public_key())

SIZES = (1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 66_049)
"""A tree grows through these; at each it is read. Around a tile, around a tile of tiles, and one behind both."""

Read = Callable[[Path, str, list[Path]], None]
"""Reads a log of a verifier key, against older checkpoints; AssertionError: it does not believe it."""


@pytest.fixture(scope="module")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Go's checksum database."""
    if not GO.exists() or not (GO_SOURCES / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("Debian's golang-go and golang-golang-x-mod-dev are not installed")
    program = tmp_path_factory.mktemp("go") / "sumdb_reader"
    fenced = {"GO111MODULE": "off", "GOPATH": str(GO_SOURCES), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    environment = {"HOME": str(program.parent), **os.environ, **fenced}
    source = Path(__file__).with_name("sumdb_reader.go")
    subprocess.run([GO, "build", "-o", program, source], env=environment, check=True, timeout=280)

    def read(log: Path, vkey: str, older: list[Path]) -> None:
        told = subprocess.run([program, vkey, log, *older], capture_output=True, text=True, timeout=120, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
        assert f"consistency={len(older)}" in told.stdout

    return read


def scales(log: Path, vkey: str, older: list[Path]) -> None:
    """The reader in Python, which proves nothing by itself: the root is made anew from every entry and every tile."""
    try:
        _read_by_scales(log, Vkey.from_string(vkey), older)
    except Exception as err:  # a stranger's program fails in whichever way it likes
        raise AssertionError(repr(err)) from err


def _read_by_scales(log: Path, key: Vkey, older: list[Path]) -> None:
    reader = TilesReader(LocalBackend(log))
    checkpoint = reader.get_checkpoint()
    checkpoint.verify(key)
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for index in {0, 1, 255, 256, 65_535, 65_536, checkpoint.size // 2, checkpoint.size - 1}:
        if index < checkpoint.size:
            proof = reader.get_inclusion_proof(index, checkpoint.size)
            proof.check(foreign_leaf_hash(reader.get_entry(index)), checkpoint.root_hash)
    for index in range(checkpoint.size):
        assert foreign_leaf_hash(reader.get_entry(index)) == reader.mth(index, index + 1)
    for path in older:
        before = ForeignCheckpoint.from_text(path.read_text())
        before.verify(key)
        reader.get_consistency_proof(before.size, checkpoint.size).check(before.root_hash, checkpoint.root_hash)


@pytest.fixture(params=["sumdb", "scales"])
def read(request: pytest.FixtureRequest) -> Read:
    """Each of the two."""
    return request.getfixturevalue("sumdb") if request.param == "sumdb" else scales


def bodies(start: int, end: int) -> list[bytes]:
    return [encode_leaf("finding", 1_770_000_000_000_000 + n, n, {"what": f"number {n}"}) for n in range(start, end)]


def grown(log: Path, sizes: tuple[int, ...]) -> Iterator[int]:
    """A log that grows as the ledger has it grow: tiles, the checkpoint, and partial tiles that are outgrown."""
    tiles, size = TileStore(log), 0
    for end in sizes:
        tiles.append(size, bodies(size, end))
        size = end
        text = sign_checkpoint(Checkpoint(ORIGIN, size, tiles.frontier(size).root()), KEY)
        (log / "checkpoint").write_text(text)
        tiles.forget_partials(size)
        yield size


def keep(log: Path, kept: Path, size: int) -> Path:
    """A copy of the checkpoint, as a witness has it."""
    place = kept / str(size)
    place.write_bytes((log / "checkpoint").read_bytes())
    return place


def test_a_log_of_any_size_is_believed_and_grows_by_appending_alone(sumdb: Read, tmp_path: Path) -> None:
    """At each size signature, root, every leaf, inclusion, and consistency with every checkpoint before."""
    log, older = tmp_path / "log", list[Path]()
    for size in grown(log, SIZES):
        for read in (sumdb, scales):
            read(log, VKEY, older)
        older.append(keep(log, tmp_path, size))

    assert [path.name for path in older] == [str(size) for size in SIZES]


def test_the_log_of_a_box_is_believed(read: Read, tmp_path: Path) -> None:
    """Not a made-up tree: what a store has written while it recorded, under the key that it names."""
    clock = FakeClock()
    store: Store = new_store(tmp_path, clock, "gate", "yard")
    log, older = store.layout.log, [keep(store.layout.log, tmp_path, 0)]
    for _ in range(3):
        clock.advance(2)
        record(store, clock, SECOND * 6)
        clock.advance(1)
        record(store, clock, SECOND * 4, "yard")
        for count in range(120):
            store.note("audit", {"what": "login", "number": count})
        store.checkpoint()
        older.append(keep(log, tmp_path, len(older)))

    read(log, verifier_key(store.origin, store.public_key), older)


def flip(path: Path, at: int) -> None:
    """Change one bit."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def tile_names() -> list[str]:
    return ["0/000", "0/001", "0/003.p/232", "1/000.p/3", "entries/000", "entries/002", "entries/003.p/232"]


@pytest.mark.parametrize("name", tile_names())
@pytest.mark.parametrize("at", [40, -40])
def test_one_flipped_bit_of_a_tile_is_noticed(read: Read, tmp_path: Path, name: str, at: int) -> None:
    """Of full and partial tiles, of every level and of the entries; without the bit the same log is believed."""
    log = tmp_path / "log"
    assert list(grown(log, (1000,))) == [1000]
    assert {str(one.relative_to(log / "tile")) for one in (log / "tile").rglob("*") if one.is_file()} >= {name}
    read(log, VKEY, [])
    flip(log / "tile" / name, at)

    with pytest.raises(AssertionError):
        read(log, VKEY, [])


def test_a_missing_tile_is_noticed(read: Read, tmp_path: Path) -> None:
    """Nothing else is taken in its place."""
    log = tmp_path / "log"
    list(grown(log, (1000,)))
    (log / "tile/0/001").unlink()

    with pytest.raises(AssertionError):
        read(log, VKEY, [])


@pytest.mark.parametrize("old", ["\n1000\n", "AAAAA"])
def test_a_changed_checkpoint_is_noticed(read: Read, tmp_path: Path, old: str) -> None:
    """Its size or its signature."""
    log = tmp_path / "log"
    list(grown(log, (1000,)))
    text = (log / "checkpoint").read_text()
    changed = text.replace(old, "\n999\n") if old in text else text[:-10] + "AAAAA" + text[-5:]
    assert changed != text
    (log / "checkpoint").write_text(changed)

    with pytest.raises(AssertionError):
        read(log, VKEY, [])


def test_another_key_is_noticed(read: Read, tmp_path: Path) -> None:
    """Whoever signs anew with a key of his own is not believed under ours."""
    log = tmp_path / "log"
    list(grown(log, (300,)))
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))

    with pytest.raises(AssertionError):
        read(log, verifier_key(ORIGIN, other.public_key()), [])


def test_history_written_anew_is_noticed(read: Read, tmp_path: Path) -> None:
    """With the box's own key, and whole in itself: it does not lead on from the checkpoint that somebody kept."""
    log, forged = tmp_path / "log", tmp_path / "forged"
    list(grown(log, (300,)))
    kept = keep(log, tmp_path, 300)
    tiles, told = TileStore(forged), bodies(0, 700)
    told[123] = encode_leaf("finding", 1, 1, {"what": "nothing"})
    tiles.append(0, told)
    (forged / "checkpoint").write_text(sign_checkpoint(Checkpoint(ORIGIN, 700, tiles.frontier(700).root()), KEY))

    read(forged, VKEY, [])
    with pytest.raises(AssertionError):
        read(forged, VKEY, [kept])
