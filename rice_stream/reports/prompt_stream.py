"""All prompts as a stream: records are read by column, and names are looked up once for each key that stands for one."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import text

from rice_stream.reports.column_batches import ColumnBatch
from rice_stream.reports.prompt_columns import KnownKeys, columns_of
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompt_records import record_batches
from rice_stream.reports.prompts import tenant_keys
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot
from rice_stream.store.views import PROMPT_JOINS, prompt_columns

ROWS_AT_ONCE = 4_096
"""Rows of a batch of a stream."""


def stream_prompts(
    engine: Engine, scope: Scope, asked: PromptFilter, *, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[tuple[Sequence[str], Sequence[tuple[Any, ...]]]]:
    """All prompts, as (names of the columns, at most `rows_at_once` rows held by column) in constant memory; times are epoch
    microseconds. The first batch is empty, so that the names are known where there are no prompts.

    Tenant by tenant in the order of their ids, each in the order of time, all of one moment of the database. The transaction is
    open until the last batch was taken: an engine with a time limit for statements may be too impatient.
    """
    seen = scope.within(asked.tenant)
    with snapshot(engine, scope) as connection:
        dialect = connection.dialect.name
        whole = text(f"SELECT {prompt_columns(dialect, str)} FROM prompt_record r\n{PROMPT_JOINS}\nWHERE 1 = 0")
        names = tuple(connection.execute(whole).keys())
        yield names, ()
        id_of = {key: tenant_id for tenant_id, key in tenant_keys(connection, seen)}
        known = KnownKeys(dialect)
        for records in record_batches(connection, seen, asked, rows_at_once):
            columns = columns_of(connection, seen, records, id_of, known)
            yield names, ColumnBatch([columns[name] for name in names])
