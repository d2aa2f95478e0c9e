"""Proofs of what the ledger held: Merkle trees, inclusion and consistency proofs, signed checkpoints, as pure functions of bytes."""
