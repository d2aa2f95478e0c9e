"""What entries that correct records are made of: their causes, and their columns. Loads no SQLAlchemy."""

from typing import Literal, get_args

Cause = Literal["method", "factors", "evidence", "mapping", "late", "void", "true_up", "contract"]
"""Why something is corrected: another method; other tables of factors; other evidence about models or prices; another name or
team; an event that came after its month was closed; an event that was wrong; a factor that was provisional; electricity that a
contract covers."""
CAUSES: tuple[Cause, ...] = get_args(Cause)

ENTRY_KEYS = ("tenant_key", "attribution_key", "factor_key", "basis_flags")
"""Whose the amounts are and what they rest on, as in a record."""
