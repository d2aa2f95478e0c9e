"""Proofs of what the ledger held: Merkle trees, their proofs and signed checkpoints, as pure functions of bytes."""
