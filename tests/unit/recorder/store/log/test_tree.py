"""The Merkle tree, against RFC 6962's vectors and against a naive second implementation."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.store.log.errors import ProofInvalid
from recorder.store.log.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    restore,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
"""The test tree of RFC 6962's reference implementation (certificate-transparency, merkle_tree_test)."""

ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
"""Of a leaf in a tree of a size: inclusion proofs of the same reference tests."""

CONSISTENCY = {
    (1, 8): INCLUSION[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
"""Between two sizes: consistency proofs of the same."""


def naive_root(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(hashes[:k]) + naive_root(hashes[k:])).digest()


def naive_path(m: int, hashes: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1, word for word."""
    if len(hashes) == 1:
        return []
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    if m < k:
        return [*naive_path(m, hashes[:k]), naive_root(hashes[k:])]
    return [*naive_path(m - k, hashes[k:]), naive_root(hashes[:k])]


def naive_proof(m: int, hashes: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2, word for word."""
    if m == len(hashes):
        return [] if whole else [naive_root(hashes)]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    if m <= k:
        return [*naive_proof(m, hashes[:k], whole), naive_root(hashes[k:])]
    return [*naive_proof(m - k, hashes[k:], False), naive_root(hashes[:k])]


def reader(hashes: list[bytes]):
    return lambda height, index: naive_root(hashes[index << height : (index + 1) << height])


def some(count: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(count)]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_those_of_the_reference_implementation(index: int, size: int) -> None:
    """Ours are the same hashes in the same order, and theirs lead to the root that they published."""
    hashes = [leaf_hash(body) for body in LEAVES]
    published = [bytes.fromhex(one) for one in INCLUSION[index, size]]

    assert inclusion_proof(index, size, reader(hashes)) == published
    verify_inclusion(hashes[index], index, size, published, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_are_those_of_the_reference_implementation(old: int, new: int) -> None:
    """Likewise between two sizes."""
    hashes = [leaf_hash(body) for body in LEAVES]
    published = [bytes.fromhex(one) for one in CONSISTENCY[old, new]]
    roots = [bytes.fromhex(ROOTS[size - 1]) for size in (old, new)]

    assert consistency_proof(old, new, reader(hashes)) == published
    verify_consistency(old, new, *roots, published)


def test_roots_are_those_of_the_reference_implementation() -> None:
    """The roots of the eight trees of RFC 6962's reference tests."""
    hashes = [leaf_hash(body) for body in LEAVES]

    assert [root_of(hashes[: n + 1]).hex() for n in range(8)] == ROOTS
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.integers(min_value=0, max_value=300))
def test_roots_agree_with_a_naive_implementation(size: int) -> None:
    """Appending one by one gives the root that the definition gives."""
    assert root_of(some(size)) == naive_root(some(size))


@given(st.data())
def test_inclusion_agrees_with_a_naive_implementation_and_verifies(data: st.DataObject) -> None:
    """Every leaf of every tree has the path of the definition, and it leads to the root."""
    size = data.draw(st.integers(min_value=1, max_value=200))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    hashes = some(size)

    proof = inclusion_proof(index, size, reader(hashes))

    assert proof == naive_path(index, hashes)
    verify_inclusion(hashes[index], index, size, proof, naive_root(hashes))


@given(st.data())
def test_consistency_agrees_with_a_naive_implementation_and_verifies(data: st.DataObject) -> None:
    """Every older tree is shown to be a beginning of every newer one, by the proof of the definition."""
    new = data.draw(st.integers(min_value=1, max_value=200))
    old = data.draw(st.integers(min_value=1, max_value=new))
    hashes = some(new)

    proof = consistency_proof(old, new, reader(hashes))

    assert proof == naive_proof(old, hashes)
    verify_consistency(old, new, naive_root(hashes[:old]), naive_root(hashes), proof)


@given(st.data())
def test_a_proof_that_was_touched_is_refused(data: st.DataObject) -> None:
    """Another leaf, another place, a hash changed, left out, doubled or swapped: none leads to the root."""
    size = data.draw(st.integers(min_value=2, max_value=100))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    hashes = some(size)
    proof, root = inclusion_proof(index, size, reader(hashes)), naive_root(hashes)
    at = data.draw(st.integers(min_value=0, max_value=len(proof) - 1))
    forged = [
        (hashes[index], index, size, [*proof[:at], leaf_hash(b"x"), *proof[at + 1 :]]),
        (hashes[index], index, size, [*proof[:at], *proof[at + 1 :]]),
        (hashes[index], index, size, [*proof, proof[at]]),
        (hashes[index - 1], index, size, proof),
        (leaf_hash(b"other"), index, size, proof),
    ]

    for leaf, place, count, steps in forged:
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf, place, count, steps, root)


def test_a_leaf_never_passes_for_a_node() -> None:
    """The prefixes keep a leaf made of two hashes from being the node over them (second preimage)."""
    left, right = some(2)

    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.integers(min_value=0, max_value=300))
def test_a_stored_tree_is_restored_from_its_peaks(size: int) -> None:
    """As many reads as the size has 1 bits give the tree back."""
    hashes = some(size)
    reads = []

    def read(height: int, index: int) -> bytes:
        reads.append((height, index))
        return reader(hashes)(height, index)

    assert restore(size, read).root() == naive_root(hashes)
    assert len(reads) == size.bit_count()


def test_consistency_of_trees_that_differ_is_refused() -> None:
    """A rewritten yesterday is not a beginning of today."""
    hashes = some(20)
    other = [leaf_hash(b"forged"), *hashes[1:8]]
    proof = consistency_proof(8, 20, reader(hashes))

    with pytest.raises(ProofInvalid):
        verify_consistency(8, 20, naive_root(other), naive_root(hashes), proof)


def test_a_frontier_knows_how_many_peaks_it_has() -> None:
    """Made from the wrong number of hashes it is a mistake of ours, and says so."""
    with pytest.raises(ValueError, match="peaks"):
        Frontier(3, [b""])


def test_every_tree_up_to_seventy_is_shown_to_begin_every_later_one() -> None:
    """All pairs of sizes, the ends of the range too: the proof is that of the definition, and it verifies."""
    hashes = some(70)
    roots = [naive_root(hashes[:size]) for size in range(71)]
    for new in range(71):
        for old in range(new + 1):
            proof = consistency_proof(old, new, reader(hashes))
            assert proof == ([] if old in (0, new) else naive_proof(old, hashes[:new]))
            verify_consistency(old, new, roots[old], roots[new], proof)


@given(st.data())
def test_a_consistency_proof_that_was_touched_is_refused(data: st.DataObject) -> None:
    """A hash changed, left out, doubled or swapped; another older root, another newer one, other sizes."""
    new = data.draw(st.integers(min_value=2, max_value=100))
    old = data.draw(st.integers(min_value=1, max_value=new - 1))
    hashes = some(new)
    proof, roots = consistency_proof(old, new, reader(hashes)), (naive_root(hashes[:old]), naive_root(hashes))
    at = data.draw(st.integers(min_value=0, max_value=len(proof) - 1))
    other = leaf_hash(b"x")
    forged = [
        (old, new, *roots, [*proof[:at], other, *proof[at + 1 :]]),
        (old, new, *roots, [*proof[:at], *proof[at + 1 :]]),
        (old, new, *roots, [*proof, proof[at]]),
        (old, new, *roots, []),
        (old, new, other, roots[1], proof),
        (old, new, roots[0], other, proof),
        (new, old, *roots, proof),
        (new, new, *roots, proof),
        (0, new, *roots, proof),
        (0, new, *roots, []),
    ]
    if len(proof) > 1 and proof[at - 1] != proof[at]:
        swapped = list(proof)
        swapped[at - 1], swapped[at] = swapped[at], swapped[at - 1]
        forged.append((old, new, *roots, swapped))

    for smaller, larger, first, second, steps in forged:
        with pytest.raises(ProofInvalid):
            verify_consistency(smaller, larger, first, second, steps)


@given(st.data())
def test_no_proof_leads_from_a_log_to_one_that_parted_before(data: st.DataObject) -> None:
    """Of two logs that share their first leaves, each one's own proof shows nothing of the other."""
    new = data.draw(st.integers(min_value=2, max_value=80))
    old = data.draw(st.integers(min_value=1, max_value=new))
    parts_at = data.draw(st.integers(min_value=0, max_value=old - 1))
    honest = some(new)
    forked = [*honest[:parts_at], *(leaf_hash(f"forged {n}".encode()) for n in range(new - parts_at))]
    for proof in (consistency_proof(old, new, reader(one)) for one in (honest, forked)):
        with pytest.raises(ProofInvalid):
            verify_consistency(old, new, naive_root(honest[:old]), naive_root(forked), proof)
