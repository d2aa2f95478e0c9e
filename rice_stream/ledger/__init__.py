"""What changes the ledger after the fact: corrections as entries, restating, closing, and checkpoints of all of it."""
