"""The ledger against real processes and databases."""
