// Reads and checks a log on the disk with the tree, tile and note code of Go's checksum database
// (golang.org/x/mod/sumdb), of which nothing is ours. What is ours is below: where C2SP tlog-tiles puts files,
// how an entry bundle is laid out, and which checks are asked for.
//
//	sumdb_reader VKEY LOG-FOLDER [OLDER-CHECKPOINT...]
//
// Prints what it has checked, or what is wrong, and then ends with 1.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	atOnce     = 1 << 12 // leaves whose hashes are asked of the tiles together
)

func main() {
	if len(os.Args) < 3 {
		fail("sumdb_reader VKEY LOG-FOLDER [OLDER-CHECKPOINT...]")
	}
	verifier, err := note.NewVerifier(os.Args[1])
	must("the verifier key", err)
	folder := os.Args[2]
	tree := openCheckpoint(filepath.Join(folder, "checkpoint"), verifier)
	hashes := tlog.TileHashReader(tree, tileFiles(folder))

	root, err := tlog.TreeHash(tree.N, hashes)
	must("the root from tiles", err)
	if root != tree.Hash {
		fail("the tiles lead to the root %v, the checkpoint has %v", root, tree.Hash)
	}
	checkLeaves(folder, tree, hashes)
	proofs := checkInclusion(folder, tree, hashes)
	for _, path := range os.Args[3:] {
		checkConsistency(openCheckpoint(path, verifier), tree, hashes)
	}
	fmt.Printf("leaves=%d inclusion=%d consistency=%d\n", tree.N, proofs, len(os.Args[3:]))
}

// openCheckpoint verifies the note and reads its three lines (C2SP tlog-checkpoint).
func openCheckpoint(path string, verifier note.Verifier) tlog.Tree {
	text, err := os.ReadFile(path)
	must("the checkpoint", err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	must("the checkpoint's signature", err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("the checkpoint is not an origin, a size and a root: %q", opened.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must("the checkpoint's size", err)
	root, err := tlog.ParseHash(lines[2])
	must("the checkpoint's root", err)
	return tlog.Tree{N: size, Hash: root}
}

// checkLeaves has every leaf hash proved by the tiles above it, and compares it with the entry itself.
func checkLeaves(folder string, tree tlog.Tree, hashes tlog.HashReader) {
	for start := int64(0); start < tree.N; start += atOnce {
		end := start + atOnce
		if end > tree.N {
			end = tree.N
		}
		var indexes []int64
		for n := start; n < end; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		proven, err := hashes.ReadHashes(indexes)
		must("the hashes of the leaves", err)
		for n := start; n < end; n++ {
			if tlog.RecordHash(entry(folder, n, tree.N)) != proven[n-start] {
				fail("entry %d is not the leaf that the tiles hold", n)
			}
		}
	}
}

// checkInclusion proves leaves at the edges of tiles, and checks the proofs as a stranger would.
func checkInclusion(folder string, tree tlog.Tree, hashes tlog.HashReader) int {
	proofs := 0
	for _, n := range []int64{0, 1, 127, 128, 254, 255, 256, 257, 511, 512, 65535, 65536, 65537, tree.N / 2, tree.N - 1} {
		if n >= tree.N {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, n, hashes)
		must("an inclusion proof", err)
		must("an inclusion proof's check", tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(entry(folder, n, tree.N))))
		proofs++
	}
	return proofs
}

func checkConsistency(older, tree tlog.Tree, hashes tlog.HashReader) {
	proof, err := tlog.ProveTree(tree.N, older.N, hashes)
	must("a consistency proof", err)
	must("a consistency proof's check", tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
}

var bundles = map[int64][][]byte{}

// entry reads a leaf from its bundle: each has its length before it, a big-endian uint16.
func entry(folder string, n, size int64) []byte {
	index := n / tileWidth
	if _, here := bundles[index]; !here {
		width := size - index*tileWidth
		if width > tileWidth {
			width = tileWidth
		}
		data, err := os.ReadFile(place(folder, tlog.Tile{H: tileHeight, L: -1, N: index, W: int(width)}))
		must("an entry bundle", err)
		var entries [][]byte
		for len(data) > 0 {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				fail("entry bundle %d is cut off", index)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			entries = append(entries, data[2:end])
			data = data[end:]
		}
		if int64(len(entries)) != width {
			fail("entry bundle %d holds %d entries, not %d", index, len(entries), width)
		}
		bundles[index] = entries
	}
	return bundles[index][n%tileWidth]
}

// tileFiles hands tiles to the checksum database's own reader, which proves each of them before it uses it.
type tileFiles string

func (folder tileFiles) Height() int { return tileHeight }

func (folder tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (folder tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		data, err := os.ReadFile(place(string(folder), tile))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// place is where C2SP puts what the checksum database names tile/8/L/... and tile/8/data/...
func place(folder string, tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if strings.HasPrefix(path, "data/") {
		path = "entries/" + strings.TrimPrefix(path, "data/")
	}
	return filepath.Join(folder, "tile", path)
}

func must(what string, err error) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func fail(form string, facts ...interface{}) {
	fmt.Printf(form+"\n", facts...)
	os.Exit(1)
}
