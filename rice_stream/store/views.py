"""The views that BI tools read: names brought back, amounts in Wh and gCO2e.

Their columns are part of the interface (docs/accounting.md); `view_upkeep` brings them into a database.
"""

from collections.abc import Callable
from functools import partial

from rice_stream.instants import DAY_S, HOUR_S, SLOT_S
from rice_stream.quantities import MEASURES
from rice_stream.store.record_measures import of_record

WINDOWS_S = {"1h": HOUR_S, "24h": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S}
"""Rolling windows besides the month to date."""


def view_queries(dialect: str) -> dict[str, str]:
    """Name of each view -> the SELECT behind it, for `postgresql` or `sqlite`."""
    return {
        "prompt_emission": _prompt_emission(dialect),
        "rolling_totals": _rolling_totals(dialect),
        "rolling_totals_by_team": _rolling_totals_by_team(dialect),
        "hourly_totals": _hourly_totals(dialect),
    }


def _instant(dialect: str, microseconds: str) -> str:
    if dialect == "postgresql":
        return f"TIMESTAMPTZ 'epoch' + {microseconds} * INTERVAL '1 microsecond'"
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S', {microseconds} / 1000000, 'unixepoch')"
    return f"{seconds} || printf('.%06dZ', {microseconds} % 1000000)"


def energy_boundary(dialect: str) -> str:
    """At which boundary the energy of a record was metered, from its use of factors `f`."""
    if dialect == "postgresql":
        return "(f.detail::json #>> '{measured,boundary}')"
    return "json_extract(f.detail, '$.measured.boundary')"


def _now_s(dialect: str) -> str:
    return "floor(extract(epoch FROM now()))::bigint" if dialect == "postgresql" else "CAST(strftime('%s') AS INTEGER)"


def _sum(dialect: str, column: str, divisor: str = "") -> str:
    total = f"COALESCE(SUM({column}), 0)"
    if divisor:
        cast = "double precision" if dialect == "postgresql" else "REAL"
        return f"CAST({total} AS {cast}) / {divisor}"
    # PostgreSQL sums as NUMERIC without a scale: prompts are few enough for 64 bits, sums of rows of tokens may be any number.
    return f"CAST({total} AS {'BIGINT' if column == 'm.prompts' or dialect == 'sqlite' else 'NUMERIC(38, 0)'})"


def _amounts(dialect: str) -> str:
    grams = ", ".join(
        f"{_sum(dialect, f'm.carbon_{end}_ugco2e', '1000000.0')} AS carbon_{end}_gco2e"
        for end in ("low", "mid", "high")
    )
    return (
        f"{_sum(dialect, 'm.prompts')} AS prompts,"
        f" {_sum(dialect, 'm.input_tokens')} AS input_tokens,"
        f" {_sum(dialect, 'm.output_tokens')} AS output_tokens,"
        f" {_sum(dialect, 'm.it_energy_uwh', '1000000.0')} AS it_energy_wh,"
        f" {_sum(dialect, 'm.facility_energy_uwh', '1000000.0')} AS facility_energy_wh, {grams},"
        f" {_sum(dialect, 'm.carbon_market_ugco2e', '1000000.0')} AS carbon_market_gco2e,"
        f" {_sum(dialect, 'm.embodied_ugco2e', '1000000.0')} AS embodied_gco2e,"
        f" {_sum(dialect, 'm.water_ul', '1000000.0')} AS water_l"
    )


def _prompt_emission(dialect: str) -> str:
    columns = prompt_columns(dialect, partial(_instant, dialect))
    return f"SELECT {columns}\nFROM prompt_record r\n{PROMPT_JOINS}"


def prompt_columns(dialect: str, instant: Callable[[str], str]) -> str:
    """The columns of `prompt_emission` for the records `r`, with their names joined; `instant` makes a time of microseconds."""
    return f"""t.tenant_id, {_CHARGED_TO}, u.name AS user_id,
       k.name AS api_key_id, {_SENT_BY}, r.event_id,
       CASE WHEN r.duration_us IS NULL THEN NULL ELSE {instant("(r.ended_at_us - r.duration_us)")} END AS started_at,
       {instant("r.ended_at_us")} AS ended_at,
       {FACTOR_COLUMNS},
       {_COUNTED}, b.names AS basis, {FACTOR_VERSIONS},
       {_METERED},
       CASE WHEN r.metered_energy_uj IS NULL THEN NULL ELSE {energy_boundary(dialect)} END AS energy_boundary,
       {of_record("carbon_market_ugco2e")} AS carbon_market_ugco2e,
       {_COST_CENTRE}"""


_CHARGED_TO = "NULLIF(a.team_id, '') AS team_id, NULLIF(a.project_id, '') AS project_id"
_COST_CENTRE = "NULLIF(a.cost_centre, '') AS cost_centre"
_SENT_BY = "NULLIF(a.source, '') AS source"
_COUNTED = """r.input_tokens, r.cache_read_input_tokens, r.cache_write_input_tokens, r.output_tokens,
       r.reasoning_output_tokens, r.it_energy_uwh, r.facility_energy_uwh, r.carbon_low_ugco2e, r.carbon_mid_ugco2e,
       r.carbon_high_ugco2e, r.embodied_ugco2e, r.water_ul"""
_METERED = "r.metered_energy_uj"
ATTRIBUTION_COLUMNS = f"{_CHARGED_TO}, {_SENT_BY}, {_COST_CENTRE}"
"""What of `prompt_emission` is a record's attribution's (`a`)."""
FACTOR_COLUMNS = """NULLIF(f.provider, '') AS provider, f.model, NULLIF(f.request_model, '') AS request_model,
       NULLIF(f.response_model, '') AS response_model, f.model_resolved, f.model_rung,
       f.region, f.region_resolved, f.region_rung, f.hardware, f.pue, f.pue_rung,
       f.rci_mid_gco2e_per_kwh AS rci_gco2e_per_kwh, f.rci_scope"""
"""What of it is its use of factors' (`f`), besides FACTOR_VERSIONS and the boundary of metered energy."""
FACTOR_VERSIONS = "f.method_version, f.factor_version"
PROMPT_JOINS = """\
JOIN tenant t ON t.tenant_key = r.tenant_key
JOIN attribution a ON a.tenant_key = r.tenant_key AND a.attribution_key = r.attribution_key
JOIN factor_use f ON f.factor_key = r.factor_key
JOIN basis b ON b.basis_flags = r.basis_flags
LEFT JOIN principal u ON u.tenant_key = r.tenant_key AND u.principal_key = r.user_key
LEFT JOIN principal k ON k.tenant_key = r.tenant_key AND k.principal_key = r.api_key_key"""
"""The names behind the keys of the records `r`."""


def _rolling_totals(dialect: str) -> str:
    return f"""\
WITH {_rolling(dialect, 60)}, m AS (
{_in_windows("minute_total", "minute_start_s", "tenant_day_total")}
)
SELECT w.tenant_id, w.window_name, {_amounts(dialect)}
FROM rolling w
LEFT JOIN m ON m.tenant_key = w.tenant_key AND m.window_name = w.window_name
GROUP BY w.tenant_id, w.window_name"""


def _rolling_totals_by_team(dialect: str) -> str:
    """Teams are known by the quarter hour: a window begins with the quarter that it begins in."""
    return f"""\
WITH {_rolling(dialect, SLOT_S)}, team AS (
  SELECT DISTINCT tenant_key, team_id FROM attribution
), m AS (
{_in_windows("slot_total", "slot_start_s", "day_total", "a.team_id", _OF_TEAM)}
)
SELECT w.tenant_id, NULLIF(k.team_id, '') AS team_id, w.window_name, {_amounts(dialect)}
FROM rolling w
JOIN team k ON k.tenant_key = w.tenant_key
LEFT JOIN m ON m.tenant_key = w.tenant_key AND m.window_name = w.window_name AND m.team_id = k.team_id
GROUP BY w.tenant_id, k.team_id, w.window_name"""


_OF_TEAM = "JOIN attribution a ON a.tenant_key = x.tenant_key AND a.attribution_key = x.attribution_key"


def _rolling(dialect: str, bucket_s: int) -> str:
    """The windows of each tenant, which begin with a bucket of so many seconds."""
    fixed = " UNION ALL ".join(
        f"SELECT '{name}' AS window_name, {seconds} AS seconds" for name, seconds in WINDOWS_S.items()
    )
    now_s = _now_s(dialect)
    return f"""rolling AS (
  SELECT t.tenant_key, t.tenant_id, w.window_name, ({now_s} - w.seconds) / {bucket_s} * {bucket_s} AS from_s
  FROM tenant t CROSS JOIN ({fixed}) w
  UNION ALL
  SELECT t.tenant_key, t.tenant_id, 'mtd', (
    SELECT MAX(s.month_start_s) FROM month_start s WHERE s.time_zone = t.time_zone AND s.month_start_s <= {now_s})
  FROM tenant t
), bounded AS (
  -- Whole days of UTC lie from first_day_s up to last_day_s; shorter buckets make up the two ends. A window within a day has none.
  SELECT tenant_key, tenant_id, window_name, from_s, {now_s} AS now_s,
         (from_s + 86399) / 86400 * 86400 AS first_day_s, {now_s} / 86400 * 86400 AS last_day_s
  FROM rolling
)"""


def _in_windows(table: str, start: str, days: str, named: str = "", joined: str = "") -> str:
    """The rows of a totals table, and of its days, that lie in the windows."""
    columns = ", ".join(
        ["b.tenant_key", "b.window_name", *([named] if named else []), *(f"x.{name}" for name in MEASURES)]
    )
    return f"""\
  SELECT {columns}
  FROM bounded b JOIN {table} x ON x.tenant_key = b.tenant_key
   AND x.{start} >= b.from_s AND x.{start} < b.first_day_s AND x.{start} <= b.now_s {joined}
  UNION ALL
  SELECT {columns}
  FROM bounded b JOIN {days} x ON x.tenant_key = b.tenant_key
   AND x.day_start_s >= b.first_day_s AND x.day_start_s < b.last_day_s {joined}
  UNION ALL
  SELECT {columns}
  FROM bounded b JOIN {table} x ON x.tenant_key = b.tenant_key
   AND x.{start} >= b.last_day_s AND x.{start} <= b.now_s AND b.first_day_s <= b.last_day_s {joined}"""


def _hourly_totals(dialect: str) -> str:
    hour_s = "m.slot_start_s - m.slot_start_s % 3600"
    return f"""\
SELECT t.tenant_id, NULLIF(a.team_id, '') AS team_id, NULLIF(a.project_id, '') AS project_id,
       NULLIF(f.provider, '') AS provider, f.model, f.region, f.method_version, f.factor_version,
       {_instant(dialect, f"(({hour_s}) * 1000000)")} AS hour, {_amounts(dialect)}
FROM slot_total m
JOIN tenant t ON t.tenant_key = m.tenant_key
JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key
JOIN factor_use f ON f.factor_key = m.factor_key
GROUP BY t.tenant_id, a.team_id, a.project_id, f.provider, f.model, f.region, f.method_version, f.factor_version,
         {hour_s}"""
