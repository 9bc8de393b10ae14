"""Tiles on a real disk."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.store.log.errors import TileConflict, TileMissing
from recorder.store.log.tiles import TileName, TileStore, decode_bundle
from recorder.store.log.tree import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def bodies(count: int) -> list[bytes]:
    return [f"entry {n}".encode() for n in range(count)]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(min_value=1, max_value=300), min_size=1, max_size=4), st.booleans())
def test_any_batches_give_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], again: bool
) -> None:
    """However leaves are batched, and though each batch be written twice (a crash), the tree is that of its leaves."""
    store, size = TileStore(tmp_path_factory.mktemp("log")), 0
    every = bodies(sum(batches))
    for batch in batches:
        for _ in range(1 + again):
            store.append(size, every[size : size + batch])
        size += batch
        store.forget_partials(size)

    assert store.frontier(size).root() == root_of([leaf_hash(body) for body in every])
    assert list(store.read_entries(0, size, size)) == every


def test_batches_leave_the_same_files_as_one_write(tmp_path: Path) -> None:
    """Once partial tiles are forgotten, the files tell nothing of how the log grew."""
    once, often = TileStore(tmp_path / "once"), TileStore(tmp_path / "often")
    once.append(0, bodies(700))
    for start in range(0, 700, 7):
        often.append(start, bodies(700)[start : start + 7])
        often.forget_partials(start + 7)

    assert files(tmp_path / "once") == files(tmp_path / "often")


def test_partial_tiles_of_before_a_large_batch_go_too(tmp_path: Path) -> None:
    """However many tiles a batch fills: what is left is what one write would have left, without an empty folder."""
    once, twice = TileStore(tmp_path / "once"), TileStore(tmp_path / "twice")
    once.append(0, bodies(3000))
    for start, end in ((0, 100), (100, 3000)):
        twice.append(start, bodies(3000)[start:end])
        twice.forget_partials(end, start)

    assert files(tmp_path / "once") == files(tmp_path / "twice")
    assert not [one for one in (tmp_path / "twice").rglob("*.p") if not any(one.iterdir())]


def test_every_width_of_a_partial_tile_is_served(tmp_path: Path) -> None:
    """A reader of an older checkpoint asks for a narrower tile than lies here, and gets its beginning."""
    store = TileStore(tmp_path)
    store.append(0, bodies(300))

    for width in range(1, 256):
        hashes = store.serve(TileName("0", 0, width).path)
        assert hashes == b"".join(leaf_hash(body) for body in bodies(width))
        bundle = store.serve(TileName("entries", 0, width).path)
        assert bundle is not None
        assert decode_bundle(bundle) == bodies(width)
    assert store.serve(TileName("0", 1, 45).path) is None
    assert store.serve(TileName("0", 2).path) is None


def test_proofs_from_tiles_verify(tmp_path: Path) -> None:
    """Inclusion and consistency read from the stored tiles lead to the roots."""
    store, size = TileStore(tmp_path), 600
    store.append(0, bodies(size))
    hashes = [leaf_hash(body) for body in bodies(size)]

    node = store.nodes(size)

    for index in (0, 255, 256, 511, 599):
        verify_inclusion(hashes[index], index, size, inclusion_proof(index, size, node), root_of(hashes))
    for old in (1, 256, 300, 512, 599):
        proof = consistency_proof(old, size, node)
        verify_consistency(old, size, root_of(hashes[:old]), root_of(hashes), proof)


def test_a_full_tile_is_never_overwritten(tmp_path: Path) -> None:
    """Other leaves for entries that stand already are refused; the old ones stay."""
    store = TileStore(tmp_path)
    store.append(0, bodies(256))
    before = files(tmp_path)

    with pytest.raises(TileConflict):
        store.append(0, [b"forged", *bodies(256)[1:]])

    assert files(tmp_path) == before


def test_an_entry_behind_the_end_is_missing(tmp_path: Path) -> None:
    """There is no entry beyond the size that the reader names."""
    store = TileStore(tmp_path)
    store.append(0, bodies(3))

    with pytest.raises(TileMissing):
        store.read_entry(3, 3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_consistency_is_proved_from_stored_tiles_between_any_sizes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever size the log has by now: tiles of the newest serve proofs between any two older checkpoints."""
    size = data.draw(st.integers(min_value=1, max_value=800))
    store = TileStore(tmp_path_factory.mktemp("log"))
    for start in range(0, size, 300):
        store.append(start, bodies(size)[start : start + 300])
        store.forget_partials(min(size, start + 300))
    hashes = [leaf_hash(body) for body in bodies(size)]
    for _ in range(5):
        new = data.draw(st.integers(min_value=0, max_value=size))
        old = data.draw(st.integers(min_value=0, max_value=new))
        proof = consistency_proof(old, new, store.nodes(new))
        verify_consistency(old, new, root_of(hashes[:old]), root_of(hashes[:new]), proof)
