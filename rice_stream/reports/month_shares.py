"""What of a tenant's month nobody was charged for, and what of it rests on known names: what its checklist asks."""

from typing import NamedTuple

from sqlalchemy import text

from rice_stream.instants import SECOND_US
from rice_stream.reference.types import KNOWN_MODEL_RUNGS, is_place_assumed
from rice_stream.store.engine import Connection
from rice_stream.store.scope import Scope
from rice_stream.store.scope_conditions import attribution_in, scope_parameters, tenant_key_in
from rice_stream.store.totals_tables import SLOTS


class MonthShares(NamedTuple):
    """Shares of the carbon of a month, from 0 to 1; None where there is none."""

    unattributed: float | None
    covered: float | None


def month_shares(connection: Connection, scope: Scope, low_us: int, high_us: int) -> MonthShares:
    """Of quarter hours that begin from `low_us` to before `high_us`: months of every time zone of today consist of such."""
    statement = text(
        "SELECT CASE WHEN a.team_id = '' THEN 1 ELSE 0 END, f.model_rung, f.region_rung, SUM(m.carbon_mid_ugco2e)"
        f" FROM {SLOTS.name} m JOIN factor_use f ON f.factor_key = m.factor_key"
        " JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key"
        f" WHERE {tenant_key_in(scope, 'm.tenant_key')} AND {attribution_in(scope, 'm')}"
        f" AND m.{SLOTS.start} >= :low_s AND m.{SLOTS.start} < :high_s GROUP BY 1, 2, 3"
    )
    bounds = {"low_s": low_us // SECOND_US, "high_s": high_us // SECOND_US}
    rows = connection.execute(statement, {**bounds, **scope_parameters(scope)}).all()
    total = nobodys = known = 0
    for is_nobodys, model_rung, region_rung, carbon in rows:
        total += int(carbon)
        nobodys += int(carbon) if is_nobodys else 0
        known += int(carbon) if model_rung in KNOWN_MODEL_RUNGS and not is_place_assumed(region_rung) else 0
    return MonthShares(nobodys / total, known / total) if total else MonthShares(None, None)
