"""Merkle trees against their definition."""
