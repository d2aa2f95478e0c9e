"""Answers as plain data: totals, one record, budgets, alerts, coverage, comparisons.

One module per question; the command line and the HTTP API print the same dictionaries.
"""
