"""Budgets judged on committed totals, and the alerts that follow."""
