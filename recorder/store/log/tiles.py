"""The log on disk as C2SP tlog-tiles: static files that a stranger can fetch and check.

A tile holds 256 hashes of one level of the tree (levels are 8 apart); an entry bundle holds 256 leaves. The last one
of a level may be partial: then its name says how many it holds. Full tiles are immutable. A partial tile is a
beginning of the full one, so a narrower one than lies here can be cut from it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.store import files
from recorder.store.log.errors import LeafTooLarge, TileConflict, TileMissing
from recorder.store.log.tree import HASH_BYTES, Frontier, leaf_hash, node_hash, restore

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
"""tlog-tiles: tiles are 256 wide."""

ENTRY_LIMIT_BYTES = 0xFFFF
"""An entry's length is a big-endian uint16 in its bundle."""

MAX_LEVEL = 7
"""256^8 leaves: more than 2^53, where JSON numbers end."""

ENTRIES = "entries"

_PATH = re.compile(r"tile/(entries|[0-9])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True)
class TileName:
    """One tile: `level` is a number, or `entries` for leaves; `width` is 256 for a full one."""

    level: str
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Its path below the log, such as ``tile/0/x001/x234/067.p/12``."""
        digits = f"{self.index:03d}"
        digits = digits.rjust((len(digits) + 2) // 3 * 3, "0")
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return f"tile/{self.level}/{name}" + (f".p/{self.width}" if self.width < TILE_WIDTH else "")


def parse_tile(path: str) -> TileName | None:
    """Read a tile's path; None for anything that the specification does not name so."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, groups, width = found.groups()
    name = TileName(level, int(groups.replace("x", "").replace("/", "")), int(width or TILE_WIDTH))
    if (level != ENTRIES and int(level) > MAX_LEVEL) or (width and int(width) >= TILE_WIDTH):
        return None
    return name if name.path == path else None


def encode_bundle(bodies: Sequence[bytes]) -> bytes:
    """Leaves as an entry bundle: each with its length before it.

    Raises:
        LeafTooLarge: one has more than 65,535 bytes.
    """
    for body in bodies:
        if len(body) > ENTRY_LIMIT_BYTES:
            raise LeafTooLarge
    return b"".join(len(body).to_bytes(2, "big") + body for body in bodies)


def decode_bundle(data: bytes) -> list[bytes]:
    """The leaves of an entry bundle.

    Raises:
        TileMissing: it is cut off.
    """
    bodies, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise TileMissing("An entry bundle of the log is cut off.")
        bodies.append(data[at + 2 : end])
        at = end
    return bodies


class TileStore:
    """The tiles under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def append(self, first_index: int, bodies: Sequence[bytes]) -> int:
        """Write leaves `first_index` and following, and all hash tiles they complete or lengthen; the new size.

        Doing it again with the same leaves changes nothing, so a crash anywhere is mended by that.

        Raises:
            TileConflict: a full tile stands already with other content.
            TileMissing: what lies before `first_index` cannot be read.
        """
        size = first_index + len(bodies)
        self._write_level(ENTRIES, first_index, bodies, encode_bundle, decode_bundle)
        hashes = [leaf_hash(body) for body in bodies]
        first, end, level = first_index, size, 0
        while hashes:
            self._write_level(str(level), first, hashes, b"".join, _split_hashes)
            first, hashes = self._parents(level, first, end, hashes)
            end, level = first + len(hashes), level + 1
        return size

    def frontier(self, size: int) -> Frontier:
        """The right edge of the stored tree."""
        return restore(size, lambda height, index: self.node(height, index, size))

    def node(self, height: int, index: int, size: int) -> bytes:
        """Hash of a complete subtree, from the tile that holds it or its next descendants.

        Raises:
            TileMissing: the tile is not there.
        """
        level, above = divmod(height, TILE_HEIGHT)
        first, count = index << above, 1 << above
        tile, at = divmod(first, TILE_WIDTH)
        hashes = _split_hashes(self._read(str(level), tile, self._width(str(level), tile, size)))
        layer = hashes[at : at + count]
        if len(layer) != count:
            raise TileMissing(f"The log has no node {index} of height {height}.")
        while len(layer) > 1:
            layer = [node_hash(layer[k], layer[k + 1]) for k in range(0, len(layer), 2)]
        return layer[0]

    def read_entry(self, index: int, size: int) -> bytes:
        """One leaf of a log of `size`.

        Raises:
            TileMissing: it is not there.
        """
        return next(self.read_entries(index, index + 1, size))

    def read_entries(self, start: int, end: int, size: int) -> Iterator[bytes]:
        """Leaves `start` to `end`, a bundle in memory at a time.

        Raises:
            TileMissing: one is not there, or `end` lies behind the log.
        """
        if end > size:
            raise TileMissing(f"The log has {size} entries; there is no entry {end - 1}.")
        while start < end:
            tile, at = divmod(start, TILE_WIDTH)
            width = self._width(ENTRIES, tile, size)
            bodies = decode_bundle(self._read(ENTRIES, tile, width))
            if len(bodies) < width:
                raise TileMissing(f"The log's entry bundle {tile} holds {len(bodies)} entries; it should hold {width}.")
            chosen = bodies[at : at + end - start]
            yield from chosen
            start += len(chosen)

    def serve(self, path: str) -> bytes | None:
        """A tile by its path, cut from a wider one where that lies here; None where there is none."""
        name = parse_tile(path)
        if name is None:
            return None
        # A checkpoint may put a wider tile in the place of the one just looked up; the wider one was there before.
        found = self._widest_enough(name) or self._widest_enough(name)
        if found is None:
            return None
        return (
            encode_bundle(decode_bundle(found)[: name.width])
            if name.level == ENTRIES
            else found[: name.width * HASH_BYTES]
        )

    def _widest_enough(self, name: TileName) -> bytes | None:
        for width in self._widths(name):
            place = self._root / TileName(name.level, name.index, width).path
            with files.translated(place), contextlib.suppress(FileNotFoundError):
                return place.read_bytes()
        return None

    def forget_partials(self, size: int) -> None:
        """Remove partial tiles that the tree of `size` leaves has outgrown; call when its checkpoint is durable."""
        for level, end in [(ENTRIES, size), *_levels(size)]:
            for tile in {end // TILE_WIDTH, max(end // TILE_WIDTH - 1, 0)}:
                keep = min(end - tile * TILE_WIDTH, TILE_WIDTH)
                self._forget(level, tile, keep)

    def _forget(self, level: str, tile: int, keep: int) -> None:
        folder = (self._root / TileName(level, tile, 1).path).parent
        if not folder.is_dir():
            return
        with files.translated(folder):
            for path in folder.iterdir():
                if path.name.isdigit() and int(path.name) < keep:
                    path.unlink()

    def _write_level(
        self,
        level: str,
        first: int,
        parts: Sequence[bytes],
        encode: Callable[[Sequence[bytes]], bytes],
        decode: Callable[[bytes], list[bytes]],
    ) -> None:
        """Write hashes or leaves `first` and following into the tiles of a level, behind what stands there."""
        end, at = first + len(parts), first
        while at < end:
            tile, held = divmod(at, TILE_WIDTH)
            stop = min(end, (tile + 1) * TILE_WIDTH)
            before = decode(self._read(level, tile, held)) if held else []
            content = encode([*before, *parts[at - first : stop - first]])
            self._put(TileName(level, tile, stop - tile * TILE_WIDTH), content)
            at = stop

    def _put(self, name: TileName, content: bytes) -> None:
        path = self._root / name.path
        if path.is_file():
            with files.translated(path):
                standing = path.read_bytes()
            if standing == content:
                return
            if name.width == TILE_WIDTH:
                raise TileConflict(f"{TileConflict.sentence()} ({name.path})")
        files.write_atomically(path, content)

    def _parents(self, level: int, first: int, end: int, hashes: Sequence[bytes]) -> tuple[int, list[bytes]]:
        """The hashes one tile level up (a full tile each) that these complete, and the index of the first."""
        done, out = first // TILE_WIDTH, []
        for tile in range(done, end // TILE_WIDTH):
            start = tile * TILE_WIDTH - first
            if start >= 0:
                layer = list(hashes[start : start + TILE_WIDTH])
            else:
                layer = _split_hashes(self._read(str(level), tile, TILE_WIDTH))
            while len(layer) > 1:
                layer = [node_hash(layer[k], layer[k + 1]) for k in range(0, len(layer), 2)]
            out += layer
        return done, out

    def _width(self, level: str, tile: int, size: int) -> int:
        end = size if level == ENTRIES else size >> (TILE_HEIGHT * int(level))
        return max(0, min(end - tile * TILE_WIDTH, TILE_WIDTH))

    def _widths(self, name: TileName) -> list[int]:
        """Widths at least as large as asked that lie here, narrowest first."""
        full = self._root / TileName(name.level, name.index).path
        folder = full.with_name(full.name + ".p")
        found = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
        found += [TILE_WIDTH] if full.is_file() else []
        return sorted(width for width in found if width >= name.width)

    def _read(self, level: str, tile: int, width: int) -> bytes:
        """A tile of at least that width, cut to it; a longer-lived full tile may have taken a partial one's place."""
        data = self.serve(TileName(level, tile, width).path) if width else None
        if data is None:
            raise TileMissing(f"The log's tile {TileName(level, tile, width).path} is not there.")
        return data


def _levels(size: int) -> list[tuple[str, int]]:
    """Hash levels of a tree, each with how many hashes it has."""
    out, level = [], 0
    while size >> (TILE_HEIGHT * level):
        out.append((str(level), size >> (TILE_HEIGHT * level)))
        level += 1
    return out


def _split_hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
