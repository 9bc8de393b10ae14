"""Leaves as canonical JSON."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.store.log.errors import LeafMalformed, LeafTooLarge, LeafUnknown
from recorder.store.log.leaves import bind_record, decode_leaf, encode_leaf

FIELDS = st.dictionaries(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8).map(lambda key: "f" + key),
    st.none() | st.booleans() | st.text(max_size=20) | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1),
    max_size=6,
)


def test_a_leaf_is_these_bytes() -> None:
    """Keys sorted, no spaces, both clocks: the form that strangers hash."""
    body = encode_leaf("clock", 1_772_323_200_000_000, 5, {"what": "step", "b": 1})

    expected = b'{"at":"2026-03-01T00:00:00.000000Z","b":1,"elapsed_us":5,"type":"clock","v":1,"what":"step"}'
    assert body == expected


@pytest.mark.parametrize(
    "body",
    [b'{"at":"x","elapsed_us":5,"type":"omen","v":1}', b'{"of":"a form that nobody knows yet","type":"beat","v":2}'],
    ids=["another kind", "a later version"],
)
def test_a_leaf_of_a_later_version(body: bytes) -> None:
    """It is said to be one, rather than to be damaged."""
    with pytest.raises(LeafUnknown, match="does not know: use the version that wrote it"):
        decode_leaf(body)


@given(FIELDS, st.integers(min_value=0, max_value=2**50), st.integers(min_value=0, max_value=2**50))
def test_a_leaf_comes_back(fields: dict[str, object], at_us: int, elapsed_us: int) -> None:
    """What is read is what was written."""
    leaf = decode_leaf(encode_leaf("audit", at_us, elapsed_us, fields))

    assert (leaf.type, leaf.at_us, leaf.elapsed_us, dict(leaf.fields)) == ("audit", at_us, elapsed_us, fields)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"at":"2026-03-01T00:00:00.000000Z","elapsed_us":5,"type":"clock","v":2}',
        b'{"at":"2026-03-01T00:00:00.000000Z","elapsed_us":5,"type":"other","v":1}',
        b'{ "at":"2026-03-01T00:00:00.000000Z","elapsed_us":5,"type":"clock","v":1}',
        b'{"at":"2026-03-01T00:00:00Z","elapsed_us":5,"type":"clock","v":1}',
        b'{"at":"2026-03-01T00:00:00.000000Z","elapsed_us":5.5,"type":"clock","v":1}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_not_canonical_is_malformed(body: bytes) -> None:
    """One fact has one written form; anything else is not a leaf."""
    with pytest.raises(LeafMalformed):
        decode_leaf(body)


@pytest.mark.parametrize("fields", [{"x": 1.5}, {"x": [float("nan")]}, {"at": "now"}])
def test_values_that_could_be_written_in_two_ways_are_our_mistake(fields: dict[str, object]) -> None:
    """Floats, and fields that are the leaf's own, are refused before anything is written."""
    with pytest.raises(ValueError, match=r"whole numbers|leaf's own"):
        encode_leaf("audit", 0, 0, fields)


def test_an_unknown_type_is_our_mistake() -> None:
    """The set of types is closed."""
    with pytest.raises(ValueError, match="type of leaf"):
        encode_leaf("gossip", 0, 0, {})


def test_a_leaf_of_more_than_64_kb_is_refused() -> None:
    """It would not fit an entry bundle."""
    with pytest.raises(LeafTooLarge):
        encode_leaf("audit", 0, 0, {"x": "y" * 70_000})


def test_a_side_record_is_bound_by_its_salted_hash() -> None:
    """Anybody who is shown record and salt can check the leaf; without the salt nobody can guess the record."""
    expected = hashlib.sha256(b"salt" + b'{"name":"\xe5\xbc\xa0"}').hexdigest()

    assert bind_record({"name": "张"}, b"salt") == expected
