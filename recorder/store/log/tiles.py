"""The log on disk as C2SP tlog-tiles: static files that a stranger can fetch and check.

A tile holds 256 hashes of one level of the tree (levels are 8 apart); an entry bundle holds 256 leaves. The last one
of a level may be partial: then its name says how many it holds. Full tiles are immutable. A partial tile is a
beginning of the full one, so a narrower one than lies here can be cut from it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from recorder.store import files
from recorder.store.log.errors import LeafTooLarge, TileConflict, TileMissing
from recorder.store.log.tree import HASH_BYTES, Frontier, ReadNode, leaf_hash, node_hash, restore

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
"""tlog-tiles: tiles are 256 wide."""

ENTRY_LIMIT_BYTES = 0xFFFF
"""An entry's length is a big-endian uint16 in its bundle."""

MAX_LEVEL = 7
"""256^8 leaves: more than 2^53, where JSON numbers end."""

ENTRIES = "entries"

TILES_KEPT = 64
"""By a reader of nodes, about 16 KB each: a path runs through one tile of each level, and two at the tree's edge."""

NODES_KEPT = 65_536
"""Likewise, about 200 bytes each: the paths of ten thousand neighbours."""

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


def names_of(size: int) -> Iterator[TileName]:
    """Every tile and bundle of a log of `size` leaves, which are the same whatever the log became later."""
    for level, count in [(ENTRIES, size), *_levels(size)]:
        for index in range(-(-count // TILE_WIDTH)):
            yield TileName(level, index, min(count - index * TILE_WIDTH, TILE_WIDTH))


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
        made = self._level(ENTRIES, first_index, bodies, encode_bundle, decode_bundle)
        hashes = [leaf_hash(body) for body in bodies]
        first, end, level = first_index, size, 0
        while hashes:
            made |= self._level(str(level), first, hashes, b"".join, _split_hashes)
            first, hashes = _parents(level, first, end, hashes, made)
            end, level = first + len(hashes), level + 1
        self._put(made)
        return size

    def frontier(self, size: int) -> Frontier:
        """The right edge of the stored tree."""
        return restore(size, self.nodes(size))

    def nodes(self, size: int) -> ReadNode:
        """Gives hashes of complete subtrees of a log of `size`, each from the tile that holds it or its descendants.

        A path runs through few tiles, and neighbours share most of theirs: for as long as the reader is kept, the last
        `TILES_KEPT` are read once. What it gives raises `TileMissing` where a tile is not there.
        """

        @lru_cache(TILES_KEPT)
        def hashes(level: int, tile: int) -> list[bytes]:
            return _split_hashes(self._read(str(level), tile, self._width(str(level), tile, size)))

        @lru_cache(NODES_KEPT)
        def node(height: int, index: int) -> bytes:
            level, above = divmod(height, TILE_HEIGHT)
            first, count = index << above, 1 << above
            tile, at = divmod(first, TILE_WIDTH)
            layer = hashes(level, tile)[at : at + count]
            if len(layer) != count:
                raise TileMissing(f"The log has no node {index} of height {height}.")
            return _folded(layer)

        return node

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

    def stored(self, size: int) -> int:
        """How many entries lie here without a hole, of a log of which so many are signed: a crash between writing tiles
        and signing leaves more.
        """
        tile = size // TILE_WIDTH
        while widths := self._widths(TileName(ENTRIES, tile, 1)):
            if widths[-1] < TILE_WIDTH:
                return max(size, tile * TILE_WIDTH + widths[-1])
            tile += 1
        return max(size, tile * TILE_WIDTH)

    def serve(self, path: str) -> bytes | None:
        """A tile by its path, cut from a wider one where that lies here; None where there is none."""
        name = parse_tile(path)
        if name is None:
            return None
        # A checkpoint may put a wider tile in the place of the one just looked up; the wider one was there before.
        return self._tile(name)

    def _tile(self, name: TileName) -> bytes | None:
        exact = self._file(name)
        if exact is not None:
            return exact
        found = self._widest_enough(name) or self._widest_enough(name)
        if found is None:
            return None
        return (
            encode_bundle(decode_bundle(found)[: name.width])
            if name.level == ENTRIES
            else found[: name.width * HASH_BYTES]
        )

    def _file(self, name: TileName) -> bytes | None:
        place = self._root / name.path
        with files.translated(place), contextlib.suppress(FileNotFoundError):
            return place.read_bytes()
        return None

    def _widest_enough(self, name: TileName) -> bytes | None:
        found = (self._file(TileName(name.level, name.index, width)) for width in self._widths(name))
        return next((one for one in found if one is not None), None)

    def forget_partials(self, size: int, since: int | None = None) -> None:
        """Remove partial tiles that the tree of `size` leaves has outgrown; call when its checkpoint is durable.

        `since`: the size before; partial tiles are looked for from its end on. None: in the last two tiles.
        """
        for level, end in [(ENTRIES, size), *_levels(size)]:
            last = end // TILE_WIDTH
            first = max(last - 1, 0) if since is None else _hashes_at(level, since) // TILE_WIDTH
            for tile in range(first, last + 1):
                self._forget(level, tile, min(end - tile * TILE_WIDTH, TILE_WIDTH))

    def _forget(self, level: str, tile: int, keep: int) -> None:
        folder = (self._root / TileName(level, tile, 1).path).parent
        if not folder.is_dir():
            return
        with files.translated(folder):
            for path in folder.iterdir():
                if path.name.isdigit() and int(path.name) < keep:
                    path.unlink()
            if keep == TILE_WIDTH:  # nothing partial will come any more: of a large log such folders would be most
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _level(
        self,
        level: str,
        first: int,
        parts: Sequence[bytes],
        encode: Callable[[Sequence[bytes]], bytes],
        decode: Callable[[bytes], list[bytes]],
    ) -> dict[TileName, bytes]:
        """The tiles of a level with hashes or leaves `first` and following, behind what stands there."""
        made: dict[TileName, bytes] = {}
        end, at = first + len(parts), first
        while at < end:
            tile, held = divmod(at, TILE_WIDTH)
            stop = min(end, (tile + 1) * TILE_WIDTH)
            before = decode(self._read(level, tile, held)) if held else []
            made[TileName(level, tile, stop - tile * TILE_WIDTH)] = encode([*before, *parts[at - first : stop - first]])
            at = stop
        return made

    def _put(self, made: Mapping[TileName, bytes]) -> None:
        """Write what does not stand there already; nothing is written where a full tile would change."""
        new: dict[Path, bytes] = {}
        for name, content in made.items():
            standing = self._file(name)
            if standing is not None and standing != content and name.width == TILE_WIDTH:
                raise TileConflict(f"{TileConflict.sentence()} ({name.path})")
            if standing != content:
                new[self._root / name.path] = content
        files.write_together(new)

    def _width(self, level: str, tile: int, size: int) -> int:
        return max(0, min(_hashes_at(level, size) - tile * TILE_WIDTH, TILE_WIDTH))

    def _widths(self, name: TileName) -> list[int]:
        """Widths at least as large as asked that lie here, narrowest first."""
        full = self._root / TileName(name.level, name.index).path
        folder = full.with_name(full.name + ".p")
        found = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
        found += [TILE_WIDTH] if full.is_file() else []
        return sorted(width for width in found if width >= name.width)

    def _read(self, level: str, tile: int, width: int) -> bytes:
        """A tile of at least that width, cut to it; a longer-lived full tile may have taken a partial one's place."""
        data = self._tile(TileName(level, tile, width)) if width else None
        if data is None:
            raise TileMissing(f"The log's tile {TileName(level, tile, width).path} is not there.")
        return data


def _hashes_at(level: str, size: int) -> int:
    """How many hashes, or entries, a level of a tree has."""
    return size if level == ENTRIES else size >> (TILE_HEIGHT * int(level))


def _parents(
    level: int, first: int, end: int, hashes: Sequence[bytes], made: Mapping[TileName, bytes]
) -> tuple[int, list[bytes]]:
    """The hashes one tile level up (a full tile each) that these complete, and the index of the first."""
    done, out = first // TILE_WIDTH, []
    for tile in range(done, end // TILE_WIDTH):
        start = tile * TILE_WIDTH - first
        if start >= 0:
            out.append(_folded(hashes[start : start + TILE_WIDTH]))
        else:
            out.append(_folded(_split_hashes(made[TileName(str(level), tile)])))
    return done, out


def _folded(layer: Sequence[bytes]) -> bytes:
    """The hash above 2^n neighbours."""
    while len(layer) > 1:
        layer = [node_hash(layer[k], layer[k + 1]) for k in range(0, len(layer), 2)]
    return layer[0]


def _levels(size: int) -> list[tuple[str, int]]:
    """Hash levels of a tree, each with how many hashes it has."""
    out, level = [], 0
    while size >> (TILE_HEIGHT * level):
        out.append((str(level), size >> (TILE_HEIGHT * level)))
        level += 1
    return out


def _split_hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
