"""The box's append-only Merkle log: leaves, tree, tiles, checkpoints."""
