"""Answers as plain data: totals, one record explained, budgets, alerts, coverage, comparisons, a dashboard's figures.

One module for each question (its helpers: `totals_query`, `totals_sums`, `sums`, `grouped_sums`, `spans`, `resolved_sums`,
`record_lookup`); the command line, the HTTP API and the demo show the same data.
"""
