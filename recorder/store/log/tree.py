"""The Merkle tree of RFC 6962, section 2.1: hashes, roots, inclusion and consistency proofs. Pure.

A node is named by its height and its index there: node (0, i) is leaf i, node (h, i) covers leaves
``i·2^h … (i+1)·2^h - 1``. Only complete subtrees have a name; they never change once their last leaf stands, which
is why tiles can be written once. Proofs are lists of hashes in the order of RFC 6962.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from recorder.store.log.errors import ProofInvalid

HASH_BYTES = 32

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962, 2.1)."""

ReadNode = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree of a height at an index."""


def leaf_hash(body: bytes) -> bytes:
    """Hash of a leaf: the prefix 0x00 keeps a leaf from passing for a node."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: all that is needed to append to it and to know its root. Never changes.

    It holds one hash for each 1 bit of the size, the largest subtree first.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self._peaks = tuple(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Hashes of the complete subtrees, largest first."""
        return self._peaks

    def append(self, leaf: bytes) -> Frontier:
        """The tree with one more leaf, given as its leaf hash."""
        peaks, height, size = [*self._peaks, leaf], 0, self.size
        while size >> height & 1:
            right = peaks.pop()
            peaks[-1] = node_hash(peaks[-1], right)
            height += 1
        return Frontier(self.size + 1, peaks)

    def root(self) -> bytes:
        """The root: the peaks joined from the right."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def peaks_of(size: int) -> list[tuple[int, int]]:
    """Names (height, index) of the complete subtrees of a tree, largest first."""
    named, start = [], 0
    for height in range(size.bit_length() - 1, -1, -1):
        if size >> height & 1:
            named.append((height, start >> height))
            start += 1 << height
    return named


def restore(size: int, read_node: ReadNode) -> Frontier:
    """The frontier of a stored tree: as many reads as its size has 1 bits."""
    return Frontier(size, [read_node(height, index) for height, index in peaks_of(size)])


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes, for small trees."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()


def inclusion_proof(index: int, size: int, read_node: ReadNode) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962, 2.1.1: the hashes that lead from leaf `index` to the root of `size` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return _path(index, 0, size, read_node)


def consistency_proof(old: int, new: int, read_node: ReadNode) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962, 2.1.2: that the tree of `old` leaves is a beginning of that of `new`."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is no beginning of one of {new}")
    return [] if old in (0, new) else _subproof(old, 0, new, read_node, whole=True)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (RFC 9162, 2.1.3.2, which spells out RFC 6962's).

    Raises:
        ProofInvalid: it does not lead to `root`.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"There is no leaf {index} in a tree of {size}.")
    fn, sn, found = index, size - 1, leaf
    for step in proof:
        if sn == 0:
            raise ProofInvalid("The inclusion proof is too long.")
        if fn & 1 or fn == sn:
            found = node_hash(step, found)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofInvalid("The inclusion proof is too short.")
    if found != root:
        raise ProofInvalid(f"The inclusion proof of leaf {index} does not lead to the root.")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check a consistency proof (RFC 9162, 2.1.4.2).

    Raises:
        ProofInvalid: the older tree is not a beginning of the newer.
    """
    if old > new:
        raise ProofInvalid(f"A tree of {old} leaves is no beginning of one of {new}.")
    if old in (0, new):
        if proof or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofInvalid("The trees differ, or the proof should be empty.")
        return
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not steps:
        raise ProofInvalid("The consistency proof is empty.")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if sn == 0:
            raise ProofInvalid("The consistency proof is too long.")
        if fn & 1 or fn == sn:
            first, second = node_hash(step, first), node_hash(step, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, step)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or first != old_root or second != new_root:
        raise ProofInvalid("The consistency proof does not lead from the older root to the newer.")


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (RFC 6962's k)."""
    return 1 << (size - 1).bit_length() - 1


def _path(index: int, start: int, size: int, read_node: ReadNode) -> list[bytes]:
    if size == 1:
        return []
    left = _split(size)
    if index < left:
        return [*_path(index, start, left, read_node), _range_hash(start + left, size - left, read_node)]
    return [*_path(index - left, start + left, size - left, read_node), _range_hash(start, left, read_node)]


def _subproof(old: int, start: int, size: int, read_node: ReadNode, *, whole: bool) -> list[bytes]:
    if old == size:
        return [] if whole else [_range_hash(start, size, read_node)]
    left = _split(size)
    if old <= left:
        right = _range_hash(start + left, size - left, read_node)
        return [*_subproof(old, start, left, read_node, whole=whole), right]
    rest = _subproof(old - left, start + left, size - left, read_node, whole=False)
    return [*rest, _range_hash(start, left, read_node)]


def _range_hash(start: int, size: int, read_node: ReadNode) -> bytes:
    """Hash of `size` leaves from `start`, which is a multiple of the largest power of two within."""
    if size & (size - 1) == 0:
        height = size.bit_length() - 1
        return read_node(height, start >> height)
    left = _split(size)
    return node_hash(_range_hash(start, left, read_node), _range_hash(start + left, size - left, read_node))
