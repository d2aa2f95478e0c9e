"""Names that a report can be narrowed to: for lists to choose from, not for counting."""

from collections.abc import Callable

from rice_stream.store.asked_ahead import rows_later
from rice_stream.store.engine import Engine
from rice_stream.store.prepared import statement
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import scope_parameters, team_in, tenant_key_in
from rice_stream.store.scoped import scoped_reading

NAMES_MAX = 300
"""Of each field: longer lists are no help."""


def known_names(engine: Engine, scope: Scope) -> dict[str, list[str]]:
    """Names by field (`team`, `project`, `cost_centre`, `model`, `provider`, `region`), in alphabetical order, `NAMES_MAX` at most.

    What models and places are used is the whole tenant's: who sees some teams only is told none. Users are people, and not listed.
    """
    return known_names_later(engine, scope)()


def known_names_later(engine: Engine, scope: Scope) -> Callable[[], dict[str, list[str]]]:
    """Gives the same, once: asked now, and waited for when it is called (`asked_ahead`)."""
    asked = {
        field: f"SELECT DISTINCT {column} FROM attribution a"
        f" WHERE {tenant_key_in(scope, 'a.tenant_key')} AND {team_in(scope)} AND {column} <> ''"
        for field, column in (("team", "team_id"), ("project", "project_id"), ("cost_centre", "cost_centre"))
    }
    if not scope.teams:
        used = f"SELECT m.factor_key FROM month_total m WHERE {tenant_key_in(scope, 'm.tenant_key')}"
        asked |= {
            field: f"SELECT DISTINCT {field} FROM factor_use WHERE factor_key IN ({used}) AND {field} <> ''"
            for field in ("model", "provider", "region")
        }
    several = " UNION ALL ".join(
        f"SELECT * FROM (SELECT '{field}' AS field, q.* FROM ({query}) q ORDER BY 2 LIMIT {NAMES_MAX}) {field}_names"
        for field, query in asked.items()
    )
    with scoped_reading(engine, scope) as connection:
        rows = rows_later(connection, statement(f"{several} ORDER BY 1, 2"), scope_parameters(scope))

    def named() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {field: [] for field in asked}
        for field, name in rows():
            found[field].append(name)
        return found

    return named
