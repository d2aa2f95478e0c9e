"""All prompts as a stream: names are looked up once for each key that stands for one, and not once for each prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, text

from rice_stream.reports.column_batches import Coded, ColumnBatch
from rice_stream.reports.prompts import PromptFilter, prompt_conditions, tenant_keys
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.join_order import keep_join_order
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot
from rice_stream.store.views import (
    ATTRIBUTION_COLUMNS,
    FACTOR_COLUMNS,
    FACTOR_VERSIONS,
    PROMPT_JOINS,
    RECORD_COLUMNS,
    energy_boundary,
    prompt_columns,
)

ROWS_AT_ONCE = 5_000
"""Rows of a batch of a stream."""
_OWN = f"""
SELECT r.attribution_key, r.factor_key, r.basis_flags, u.name AS user_id, k.name AS api_key_id, r.event_id, r.ended_at_us,
  r.duration_us, {RECORD_COLUMNS}
FROM prompt_record r
LEFT JOIN principal u ON u.tenant_key = r.tenant_key AND u.principal_key = r.user_key
LEFT JOIN principal k ON k.tenant_key = r.tenant_key AND k.principal_key = r.api_key_key
WHERE r.tenant_key = :tenant_key AND {{conditions}} ORDER BY r.event_key"""


def stream_prompts(
    engine: Engine, scope: Scope, asked: PromptFilter
) -> Iterator[tuple[Sequence[str], Sequence[tuple[Any, ...]]]]:
    """All prompts, as (names of the columns, at most ROWS_AT_ONCE rows held by column) in constant memory; times are epoch
    microseconds. The first batch is empty, so that the names are known where there are no prompts.

    Tenant by tenant in the order of their ids, each in the order of time, all of one moment of the database. The transaction is
    open until the last batch was taken: an engine with a time limit for statements may be too impatient.
    """
    seen = scope.within(asked.tenant)
    with snapshot(engine, scope) as connection:
        dialect = connection.dialect.name
        keep_join_order(connection)
        whole = text(f"SELECT {prompt_columns(dialect, str)} FROM prompt_record r\n{PROMPT_JOINS}\nWHERE 1 = 0")
        names = tuple(connection.execute(whole).keys())
        yield names, ()
        conditions, parameters = prompt_conditions(dialect, seen, asked)
        statement = text(_OWN.format(conditions=conditions))
        factors = _Names(
            connection,
            f"SELECT f.factor_key, {FACTOR_COLUMNS}, {FACTOR_VERSIONS}, {energy_boundary(dialect)} AS energy_boundary"
            " FROM factor_use f WHERE f.factor_key IN :keys",
        )
        bases = _Names(connection, "SELECT b.basis_flags, b.names AS basis FROM basis b WHERE b.basis_flags IN :keys")
        for tenant_id, tenant_key in tenant_keys(connection, seen):
            charged = _Names(
                connection,
                f"SELECT a.attribution_key, {ATTRIBUTION_COLUMNS} FROM attribution a"
                " WHERE a.tenant_key = :tenant_key AND a.attribution_key IN :keys",
                tenant_key=tenant_key,
            )
            options = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
            result = connection.execute(statement, {**parameters, "tenant_key": tenant_key}, execution_options=options)
            keys = tuple(result.keys())
            for rows in result.partitions(ROWS_AT_ONCE):
                own = dict(zip(keys, zip(*rows, strict=True), strict=True))
                columns = {
                    **own,
                    "tenant_id": Coded((tenant_id,), bytes(len(rows))),
                    **charged.of(own["attribution_key"]),
                    **factors.of(own["factor_key"]),
                    **bases.of(own["basis_flags"]),
                    "ended_at": own["ended_at_us"],
                    "started_at": _starts(own["ended_at_us"], own["duration_us"]),
                }
                columns["energy_boundary"] = _where_metered(columns["energy_boundary"], own["metered_energy_uj"])
                yield names, ColumnBatch([columns[name] for name in names])


def _starts(ended_at_us: Sequence[int], duration_us: Sequence[int | None]) -> list[int | None]:
    both = zip(ended_at_us, duration_us, strict=True)
    return [None if length is None else end - length for end, length in both]


def _where_metered(boundaries: Sequence[Any], metered_uj: Sequence[int | None]) -> Sequence[Any]:
    if not any(amount is not None for amount in metered_uj):
        return Coded((None,), bytes(len(metered_uj)))
    return [None if amount is None else name for name, amount in zip(boundaries, metered_uj, strict=True)]


class _Names:
    """What keys of one table stand for, asked for as they come up."""

    def __init__(self, connection: Connection, statement: str, **parameters: Any) -> None:
        self._connection = connection
        self._statement = text(statement).bindparams(bindparam("keys", expanding=True))
        self._parameters = parameters
        self._place: dict[int, int] = {}
        self._values: dict[str, list[Any]] = {}

    def of(self, keys: Sequence[int]) -> dict[str, Sequence[Any]]:
        """The columns of the table, for these keys."""
        missing = set(keys) - self._place.keys()
        if missing:
            found = self._connection.execute(self._statement, {"keys": sorted(missing), **self._parameters})
            names = tuple(found.keys())[1:]
            for key, *values in found:
                self._place[key] = len(self._place)
                for name, value in zip(names, values, strict=True):
                    self._values.setdefault(name, []).append(value)
        codes = list(map(self._place.__getitem__, keys))
        return {name: Coded(values, codes) for name, values in self._values.items()}
