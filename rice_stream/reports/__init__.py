"""Answers as plain data: totals, prompts, one record explained, budgets and their history, alerts, coverage, comparisons, figures.

One module for each question (its helpers: `totals_query`, `totals_sums`, `totals_rows`, `sums`, `sums_statement`,
`grouped_sums`, `spans`, `resolved_sums`, `record_lookup`, `pages`, `column_batches`); the command line, the HTTP API and the demo
show the same data. Each question is put with a scope, right after the database: the answer is of nothing else.
"""
