"""Merkle trees, signed notes, checkpoints, and proof files."""
