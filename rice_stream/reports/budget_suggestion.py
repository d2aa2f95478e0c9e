"""What a new budget could begin with: a period at the pace of the last days."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from rice_stream.budgets.announcement import consumed_gco2e
from rice_stream.budgets.definition import MICRO_UNITS, Budget, PeriodName
from rice_stream.budgets.periods import MINUTE, recent_stretch
from rice_stream.budgets.states import Consumed
from rice_stream.budgets.suggesting import NOMINAL_LENGTHS, PACE_WINDOW, at_pace, suggested_limit
from rice_stream.errors import NotFoundError
from rice_stream.instants import SECOND_US, SLOT_S, datetime_of, epoch_us, rfc3339
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.engine import Connection, Engine
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_id_in
from rice_stream.store.scoped import scoped_reading

_NARROWING = ("team_id", "project_id", "cost_centre", "user_id", "model")


def budget_suggestion(
    engine: Engine,
    scope: Scope,
    now: datetime,
    *,
    tenant: str,
    period: PeriodName,
    team: str | None = None,
    project: str | None = None,
    cost_centre: str | None = None,
    user: str | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """A limit for a budget on this part of the tenant.

    Returns:
        What was asked for with `"start", "end"` of the days that were looked at: the last seven, or those since the tenant's first
        prompt; `"consumed_gco2e", "consumed_kwh"` in them; `"at_pace_gco2e", "at_pace_kwh"` of a period of usual length (a month
        has 30 days); and `"limit_gco2e", "limit_kwh"`, the middle of that rounded up to two digits, None where nothing
        was consumed. Of one user nothing is known before there is a budget on that user.

    Raises:
        NotFoundError: there is no such tenant that may be seen, or it is of a team that may not be, or of the whole tenant for who
            sees some teams only.
        UsageError: a name is none that a budget could have.
    """
    # The limit is of no account here: it is what is looked for.
    asked = Budget(
        name="suggestion",
        tenant_id=tenant,
        team_id=team,
        project_id=project,
        cost_centre=cost_centre,
        user_id=user,
        model=model,
        limit=1,
        unit="gco2e",
        period=period,
    )
    if not scope.has_team(asked.team_id):
        raise NotFoundError(f"team: there is no {asked.team_id!r} that you may see")
    recent = recent_stretch(now, PACE_WINDOW)
    with scoped_reading(engine, scope) as connection:
        _check_tenant(connection, scope.within(tenant), tenant)
        first_s = _first_s(connection, scope.within(tenant))
        first = recent.start if first_s is None else datetime_of(first_s * SECOND_US)
        stretch = replace(recent, start=min(max(recent.start, first), recent.end - MINUTE))
        [consumed] = consumed_in_each(connection, [(asked, stretch)], with_ranges=True)
    return {
        "tenant_id": tenant,
        **{name: getattr(asked, name) for name in _NARROWING},
        "period": asked.period,
        "start": rfc3339(epoch_us(stretch.start)),
        "end": rfc3339(epoch_us(stretch.end)),
        **_extended(consumed, stretch.end - stretch.start, NOMINAL_LENGTHS[period]),
    }


def _extended(consumed: Consumed, window: timedelta, length: timedelta) -> dict[str, Any]:
    ahead = Consumed(*(at_pace(getattr(consumed, name), window, length) for name in Consumed.__slots__))
    limits = {
        "limit_gco2e": (suggested_limit(ahead.carbon_mid_ugco2e), MICRO_UNITS["gco2e"]),
        "limit_kwh": (suggested_limit(ahead.facility_energy_uwh), MICRO_UNITS["kwh"]),
    }
    return {
        "consumed_gco2e": consumed_gco2e(consumed),
        "consumed_kwh": consumed.facility_energy_uwh / MICRO_UNITS["kwh"],
        "at_pace_gco2e": consumed_gco2e(ahead),
        "at_pace_kwh": ahead.facility_energy_uwh / MICRO_UNITS["kwh"],
        **{name: None if limit is None else limit / size for name, (limit, size) in limits.items()},
    }


def _check_tenant(connection: Connection, seen: Scope, tenant: str) -> None:
    known = text(f"SELECT 1 FROM tenant t WHERE t.tenant_id = :named AND {tenant_id_in(seen)}")
    if connection.scalar(known, {**scope_parameters(seen), "named": tenant}) is None:
        raise NotFoundError(f"tenant: there is no {tenant!r} that you may see")


def _first_s(connection: Connection, seen: Scope) -> int | None:
    """The beginning of the first bucket of the tenant that may be seen: one look into a table's key."""
    first = "SELECT MIN(m.minute_start_s) FROM minute_total m WHERE m.tenant_key = t.tenant_key"
    if seen.teams:
        first = (
            "SELECT m.slot_start_s FROM slot_total m WHERE m.tenant_key = t.tenant_key"
            f" AND {attribution_in(seen, 'm')} ORDER BY m.slot_start_s LIMIT 1"
        )
    statement = f"SELECT MIN(({first})) FROM tenant t WHERE {tenant_id_in(seen)}"
    first_s: int | None = connection.scalar(text(statement), scope_parameters(seen))
    return None if first_s is None else first_s // SLOT_S * SLOT_S
