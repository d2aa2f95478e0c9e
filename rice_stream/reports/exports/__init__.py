"""Answers that leave the tool as files, each with a manifest that makes it again: chargeback, FOCUS, scope pack.

`kinds` lists them; `making` writes one. A kind says what its rows or its document are, `table_files`, `workbooks` and the other
writers how they become bytes, and nothing here is known of commands and routes.
"""
