"""Amounts, instants and names as people read them, whoever shows them. Pure."""
