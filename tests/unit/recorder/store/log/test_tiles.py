"""Names of tiles and entry bundles (C2SP tlog-tiles)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.store.log.errors import LeafTooLarge, TileMissing
from recorder.store.log.tiles import TileName, decode_bundle, encode_bundle, names_of, parse_tile


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (TileName("0", 0), "tile/0/000"),
        (TileName("0", 1234067), "tile/0/x001/x234/067"),
        (TileName("1", 1000, 12), "tile/1/x001/000.p/12"),
        (TileName("entries", 67, 255), "tile/entries/067.p/255"),
    ],
)
def test_paths_are_those_of_the_specification(name: TileName, path: str) -> None:
    """Three digits a folder, all but the last behind an x; a partial tile says its width."""
    assert name.path == path
    assert parse_tile(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/8/000",
        "tile/x/000",
        "tile/0/../../keys/log.ed25519",
        "tile/00/000",
        "tile/0/000/",
        "checkpoint",
        "",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """Only the one written form of a name is taken; nothing leads out of the log."""
    assert parse_tile(path) is None


@given(st.lists(st.binary(max_size=70), max_size=20))
def test_bundles_come_apart_again(bodies: list[bytes]) -> None:
    """What is put into a bundle comes out of it."""
    assert bodies == decode_bundle(encode_bundle(bodies))


@given(st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=5), st.integers(min_value=1, max_value=3))
def test_a_bundle_cut_off_is_noticed(bodies: list[bytes], missing: int) -> None:
    """Bytes missing at the end of the last entry are an error, not a shorter log."""
    data = encode_bundle(bodies)
    kept = data[: -min(missing, len(bodies[-1]))]

    with pytest.raises(TileMissing):
        decode_bundle(kept)


def test_an_entry_of_more_than_64_kb_is_refused() -> None:
    """Its length would not fit."""
    with pytest.raises(LeafTooLarge):
        encode_bundle([b"x" * 65536])


@given(st.integers(min_value=0, max_value=2**21))
def test_every_tile_of_a_log_is_named(size: int) -> None:
    """As many entries as leaves, in each level as many hashes as the one below has full tiles, by names of tiles."""
    names = list(names_of(size))
    held: dict[str, int] = {}
    for name in names:
        held[name.level] = held.get(name.level, 0) + name.width

    assert held == {level: count for level, count in _counts(size).items() if count}
    assert all(parse_tile(name.path) == name for name in names)


def _counts(size: int) -> dict[str, int]:
    return {"entries": size, **{str(level): size >> (8 * level) for level in range(3)}}
