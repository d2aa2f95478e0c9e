"""Sums of prompts by the names that they came with and what those were resolved to, from totals of days and quarter hours."""

from collections.abc import Callable, Sequence
from typing import Any

from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Connection
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.totals_tables import SLOTS, days_by_factor

NAMES = {
    "tenant_id": "t.tenant_id",
    "factor_key": "m.factor_key",
    **{
        name: f"f.{name}"
        for name in (
            "provider",
            "model",
            "model_resolved",
            "model_rung",
            "region",
            "region_resolved",
            "region_rung",
        )
    },
}


def resolved_sums(
    connection: Connection, scope: Scope, names: Sequence[str], measures: Sequence[str], *, from_s: int = 0
) -> list[tuple[tuple[Any, ...], tuple[int, ...]]]:
    """(values of `names`, exact sums of `measures`) of each group of prompts, in no particular order.

    `names` are keys of NAMES, `measures` columns of the totals. `from_s` (epoch seconds) lies on a quarter hour;
    prompts that ended before it are left out.
    """
    return resolved_sums_later(connection, scope, names, measures, from_s=from_s)()


def resolved_sums_later(
    connection: Connection,
    scope: Scope,
    names: Sequence[str],
    measures: Sequence[str],
    *,
    from_s: int = 0,
    besides: Sequence[str] = (),
) -> Callable[[], list[tuple[tuple[Any, ...], tuple[int, ...]]]]:
    """The same, once: asked now, and waited for when it is called (`asked_ahead`).

    `besides`: SQL of a row of `factor_use`, by which prompts are told apart as well; its values come after those of `names`.
    """
    chosen = [*(NAMES[name] for name in names), *besides]
    # By their places: of an expression PostgreSQL would have to find out that it is the same one.
    grouped, groups = ", ".join(chosen), ", ".join(str(place + 1) for place in range(len(chosen)))
    sums = ", ".join(f"SUM(m.{measure}) AS {measure}" for measure in measures)
    of_keys = (
        f"SELECT m.tenant_key, m.factor_key, {sums} FROM {{}} m"
        f" WHERE {{}} AND {tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')}"
        " GROUP BY m.tenant_key, m.factor_key"
    )
    days = days_by_factor(attributed=bool(scope.teams))
    # Whole days of UTC are a twentieth of the rows; keys are added up before they are given names.
    asked = statement(
        f"SELECT {grouped}, {sums} FROM ({of_keys.format(days.name, f'm.{days.start} >= :whole_s')} UNION ALL"
        f" {of_keys.format(SLOTS.name, f'm.{SLOTS.start} >= :from_s AND m.{SLOTS.start} < :whole_s')}) m"
        f" JOIN tenant t ON t.tenant_key = m.tenant_key JOIN factor_use f ON f.factor_key = m.factor_key GROUP BY {groups}"
    )
    parameters = {"from_s": from_s, "whole_s": days.ceil_s(from_s), **scope_parameters(scope)}
    rows = rows_later(connection, asked, parameters)
    # PostgreSQL sums BIGINT as NUMERIC.
    end = len(chosen)
    return lambda: [(tuple(row[:end]), tuple(map(int, row[end:]))) for row in rows()]
