"""All prompts as a stream: records are read by column, and names are looked up once for each key that stands for one."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import text

from rice_stream.quantities import MARKET_COLUMN, UNKNOWN
from rice_stream.reports.column_batches import Coded, ColumnBatch, Whole
from rice_stream.reports.prompt_names import KeyedNames, KnownNames, of_keys, of_tenants_keys
from rice_stream.reports.prompt_records import RecordBatch, record_batches
from rice_stream.reports.prompts import PromptFilter, tenant_keys
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot
from rice_stream.store.views import (
    ATTRIBUTION_COLUMNS,
    FACTOR_COLUMNS,
    FACTOR_VERSIONS,
    PROMPT_JOINS,
    energy_boundary,
    prompt_columns,
)

ROWS_AT_ONCE = 4_096
"""Rows of a batch of a stream."""
_OF_TENANTS = {
    "attribution_key": KeyedNames("attribution", "a", "attribution_key", ATTRIBUTION_COLUMNS),
    "user_key": KeyedNames("principal", "u", "principal_key", "u.name AS user_id"),
    "api_key_key": KeyedNames("principal", "k", "principal_key", "k.name AS api_key_id"),
}
"""Tables of names by the records' column of keys."""
_BASES = KeyedNames("basis", "b", "basis_flags", "b.names AS basis")


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
        known = _Known(dialect)
        for records in record_batches(connection, seen, asked, rows_at_once):
            columns = _columns(connection, seen, records, id_of, known)
            yield names, ColumnBatch([columns[name] for name in names])


class _Known:
    """Names that have been asked for, of every table."""

    def __init__(self, dialect: str) -> None:
        plain, metered = (
            f"{FACTOR_COLUMNS}, {FACTOR_VERSIONS}, {boundary} AS energy_boundary"
            for boundary in ("NULL", energy_boundary(dialect))
        )
        self.factors, self.metered_factors = (
            KnownNames(KeyedNames("factor_use", "f", "factor_key", columns)) for columns in (plain, metered)
        )
        self.bases = KnownNames(_BASES)
        self.of_tenants = {keys: KnownNames(table) for keys, table in _OF_TENANTS.items()}


def _columns(
    connection: Connection, scope: Scope, records: RecordBatch, id_of: dict[int, str], known: _Known
) -> dict[str, Sequence[Any]]:
    """The columns of `prompt_emission` for these records, by name."""
    numbers = records.numbers
    tenant_key, duration_us, ended_at_us = numbers["tenant_key"], numbers["duration_us"], numbers["ended_at_us"]
    is_metered = numbers["metered_energy_uj"] != UNKNOWN
    market = np.where(numbers[MARKET_COLUMN] == UNKNOWN, numbers["carbon_mid_ugco2e"], numbers[MARKET_COLUMN])
    present, codes = np.unique(tenant_key, return_inverse=True)
    factors = known.metered_factors if is_metered.any() else known.factors
    columns = {
        **{name: Whole(values, values == UNKNOWN) for name, values in numbers.items()},
        MARKET_COLUMN: Whole(market, np.zeros(len(records), dtype=bool)),
        "tenant_id": Coded([id_of[key] for key in present.tolist()], codes.astype(np.int32)),
        "event_id": records.event_ids,
        "ended_at": Whole(ended_at_us, np.zeros(len(records), dtype=bool)),
        "started_at": Whole(ended_at_us - duration_us, duration_us == UNKNOWN),
        **of_keys(connection, factors, numbers["factor_key"]),
        **of_keys(connection, known.bases, numbers["basis_flags"]),
    }
    for keys, names in known.of_tenants.items():
        columns |= of_tenants_keys(connection, scope, names, tenant_key, numbers[keys])
    if is_metered.any():
        both = zip(columns["energy_boundary"], is_metered.tolist(), strict=True)
        columns["energy_boundary"] = [name if metered else None for name, metered in both]
    return columns
