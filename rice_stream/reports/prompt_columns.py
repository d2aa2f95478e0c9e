"""What is said of prompts, by column: numbers of their records, and the names behind their keys."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rice_stream.quantities import MARKET_COLUMN, UNKNOWN, Ints
from rice_stream.reports.column_batches import Coded, Whole
from rice_stream.reports.prompt_names import KeyedNames, KnownNames, of_keys, of_tenants_keys
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.views import ATTRIBUTION_COLUMNS, FACTOR_COLUMNS, FACTOR_VERSIONS, energy_boundary

_OF_TENANTS = {
    "attribution_key": KeyedNames("attribution", "a", "attribution_key", ATTRIBUTION_COLUMNS),
    "user_key": KeyedNames("principal", "u", "principal_key", "u.name AS user_id"),
    "api_key_key": KeyedNames("principal", "k", "principal_key", "k.name AS api_key_id"),
}
"""Tables of names by the records' column of keys."""
_BASES = KeyedNames("basis", "b", "basis_flags", "b.names AS basis")


class ReadRecords(Protocol):
    """Records (one at least), wherever they were read: numbers by their column, UNKNOWN where there is none, and ids."""

    @property
    def numbers(self) -> Mapping[str, Ints]: ...
    @property
    def event_ids(self) -> Sequence[str]: ...
    def __len__(self) -> int: ...


class KnownKeys:
    """Names behind keys that have been asked for, of every table."""

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


def columns_of(
    connection: Connection, scope: Scope, records: ReadRecords, id_of: dict[int, str], known: KnownKeys
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
