"""The function `total_range` of PostgreSQL: the range of a total as the command line answers it, for who reads SQL.

It does in SQL what `meter.shared_ranges` does in Python, with the same numbers; tests hold the two together. It reads with the
rights of its owner, as a view does, and only who was allowed to may call it. SQLite has no functions of its own.
"""

from sqlalchemy import Connection, text

from rice_stream.estimator.spread import Z80
from rice_stream.instants import DAY_S, FOREVER_S, SECOND_US, SLOT_S
from rice_stream.meter.shared_ranges import LOG_SD_MAX, SAME, STORED_ENDS

SIGNATURE = "total_range(text, timestamp with time zone, timestamp with time zone)"
COLUMNS = (
    "carbon_low_gco2e",
    "carbon_mid_gco2e",
    "carbon_high_gco2e",
    "carbon_median_gco2e",
    "carbon_linear_low_gco2e",
    "carbon_linear_high_gco2e",
)
"""Of the one row that it answers, in grams: the 80 % range around the exact sum, the closed form's median, the sums of ends."""

_SUMS = "x.prompts, x.carbon_low_ugco2e, x.carbon_mid_ugco2e, x.carbon_high_ugco2e"
_SLOT_US = SLOT_S * SECOND_US
_EDGES = """
    SELECT -COALESCE(SUM(x.{0}), 0) AS ugco2e FROM slot_total x
    WHERE x.tenant_key = ANY (tenant_keys) AND x.slot_start_s = ANY (cut_slots_s)
    UNION ALL
    SELECT COALESCE(SUM(r.{0}), 0) FROM prompt_record r
    WHERE r.tenant_key = ANY (tenant_keys) AND r.event_key >= key_low AND r.event_key < key_high
      AND r.ended_at_us >= from_us AND r.ended_at_us < to_us AND r.ended_at_us / {1} * {2} = ANY (cut_slots_s)
    UNION ALL
    SELECT COALESCE(SUM(r.{0}), 0) FROM adjustment_entry r
    WHERE r.tenant_key = ANY (tenant_keys) AND r.event_key >= key_low AND r.event_key < key_high AND r.counted = 1
      AND r.ended_at_us >= from_us AND r.ended_at_us < to_us AND r.ended_at_us / {1} * {2} = ANY (cut_slots_s)"""


def _exact(end: str) -> str:
    """The sum over the stretch itself: that of all quarters it touches, with records in the place of those it cuts."""
    column = f"carbon_{end}_ugco2e"
    edges = _EDGES.format(column, _SLOT_US, SLOT_S)
    return f"""(SELECT COALESCE(SUM(t.{column}), 0) FROM touched t) + (
    CASE WHEN cardinality(cut_slots_s) = 0 THEN 0 ELSE (SELECT SUM(e.ugco2e) FROM ({edges}) e) END) AS {end}"""


def _bounds(name: str) -> str:
    return f"CAST(lpad(to_hex({name}), 12, '0') || repeat('0', 20) AS uuid)"


BODY = f"""
#variable_conflict use_column
DECLARE
  from_us bigint := COALESCE(CAST(extract(epoch FROM $2) * {SECOND_US} AS bigint), 0);
  to_us bigint := COALESCE(CAST(extract(epoch FROM $3) * {SECOND_US} AS bigint), {FOREVER_S * SECOND_US});
  -- All quarter hours that the stretch touches, and the whole days of UTC among them.
  low_s bigint := from_us / {_SLOT_US} * {SLOT_S};
  high_s bigint := (to_us + {_SLOT_US - 1}) / {_SLOT_US} * {SLOT_S};
  first_day_s bigint := (low_s + {DAY_S - 1}) / {DAY_S} * {DAY_S};
  last_day_s bigint := GREATEST(high_s / {DAY_S} * {DAY_S}, first_day_s);
  cut_slots_s bigint[] := '{{}}';
  tenant_keys integer[] := ARRAY(SELECT t.tenant_key FROM tenant t WHERE $1 IS NULL OR t.tenant_id = $1);
  key_low uuid;
  key_high uuid;
  records_from_us bigint := COALESCE((SELECT MAX(r.records_from_us) FROM retention r), 0);
BEGIN
  IF from_us >= to_us THEN
    RAISE EXCEPTION 'the second argument must lie before the third, which is not included; got % and %', $2, $3
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF from_us % {_SLOT_US} <> 0 THEN
    cut_slots_s := cut_slots_s || low_s;
  END IF;
  IF to_us % {_SLOT_US} <> 0 AND NOT (high_s - {SLOT_S}) = ANY (cut_slots_s) THEN
    cut_slots_s := cut_slots_s || (high_s - {SLOT_S});
  END IF;
  key_low := {_bounds(f"low_s / {DAY_S} * {DAY_S * 1000}")};
  key_high := {_bounds("(to_us + 999) / 1000")};
  IF EXISTS (SELECT 1 FROM slot_total x WHERE x.tenant_key = ANY (tenant_keys) AND x.slot_start_s = ANY (cut_slots_s)
             AND x.slot_start_s * {SECOND_US} < records_from_us) THEN
    RAISE EXCEPTION 'records from before % are no longer kept: let both bounds lie on quarter hours',
      to_timestamp(records_from_us / {SECOND_US}) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN QUERY
  WITH touched AS MATERIALIZED (
    SELECT x.factor_key, SUM(x.prompts) AS prompts, SUM(x.carbon_low_ugco2e) AS carbon_low_ugco2e,
      SUM(x.carbon_mid_ugco2e) AS carbon_mid_ugco2e, SUM(x.carbon_high_ugco2e) AS carbon_high_ugco2e
    FROM (
      SELECT x.factor_key, {_SUMS} FROM day_total x
      WHERE x.tenant_key = ANY (tenant_keys) AND x.day_start_s >= first_day_s AND x.day_start_s < last_day_s
      UNION ALL
      SELECT x.factor_key, {_SUMS} FROM slot_total x
      WHERE x.tenant_key = ANY (tenant_keys) AND x.slot_start_s >= low_s AND x.slot_start_s < LEAST(first_day_s, high_s)
      UNION ALL
      SELECT x.factor_key, {_SUMS} FROM slot_total x
      WHERE x.tenant_key = ANY (tenant_keys) AND x.slot_start_s >= last_day_s AND x.slot_start_s < high_s
    ) x
    GROUP BY x.factor_key
  ), exact AS (
    SELECT {_exact("low")}, {_exact("mid")}, {_exact("high")}
  ), kinds AS MATERIALIZED (
    -- What shares everything is one kind; without a spread, what a version of a method estimated.
    SELECT row_number() OVER () AS kind, g.*
    FROM (
      SELECT s.shared, s.version, CAST(SUM(t.prompts) AS float8) AS prompts, CAST(SUM(t.carbon_low_ugco2e) AS float8) AS low,
        CAST(SUM(t.carbon_mid_ugco2e) AS float8) AS mid, CAST(SUM(t.carbon_high_ugco2e) AS float8) AS high
      FROM touched t
      LEFT JOIN factor_use f ON f.factor_key = t.factor_key
      CROSS JOIN LATERAL (SELECT CAST(f.detail AS jsonb) #> '{{spread,shared}}' AS shared) d
      CROSS JOIN LATERAL (
        SELECT d.shared, CASE WHEN d.shared IS NULL THEN COALESCE(f.method_version, '') ELSE '' END AS version) s
      GROUP BY s.shared, s.version
      HAVING SUM(t.carbon_mid_ugco2e) > 0
    ) g
  ), own AS MATERIALIZED (
    SELECT k.kind, e.key, CAST(e.value AS float8) AS sd FROM kinds k CROSS JOIN LATERAL jsonb_each_text(k.shared) e
  ), beyond AS (
    -- What stored ends say beyond the spread; what rounding each of them may have added is no uncertainty.
    SELECT b.kind, b.variance, CASE
        WHEN b.high <= b.low OR b.high <= b.mid THEN 0
        WHEN b.low > 0 THEN LEAST(ln(b.high / b.low) / 2 / {Z80!r}, {LOG_SD_MAX})
        ELSE LEAST(ln(b.high / b.mid) / {Z80!r}, {LOG_SD_MAX}) END AS sd
    FROM (
      SELECT k.kind, k.mid, COALESCE(SUM(o.sd * o.sd), 0) AS variance,
        k.low + CASE WHEN COUNT(o.key) > 0 THEN k.prompts / 2 ELSE 0 END AS low,
        k.high - CASE WHEN COUNT(o.key) > 0 THEN k.prompts / 2 ELSE 0 END AS high
      FROM kinds k LEFT JOIN own o ON o.kind = k.kind
      GROUP BY k.kind, k.mid, k.low, k.high, k.prompts
    ) b
  ), keys AS MATERIALIZED (
    SELECT o.kind, o.key, o.sd FROM own o
    UNION ALL
    SELECT b.kind, '{STORED_ENDS}', sqrt(b.sd * b.sd - b.variance) FROM beyond b WHERE b.sd * b.sd > b.variance * {SAME!r}
  ), masses AS MATERIALIZED (
    SELECT k.kind, k.mid, k.mid * exp(COALESCE(SUM(y.sd * y.sd), 0) / 2) AS mass,
      exp({Z80!r} * sqrt(COALESCE(SUM(y.sd * y.sd), 0))) AS width
    FROM kinds k LEFT JOIN keys y ON y.kind = k.kind
    GROUP BY k.kind, k.mid
  ), pairs AS (
    SELECT a.kind AS one, b.kind AS other, SUM(a.sd * b.sd) AS covariance
    FROM keys a JOIN keys b ON b.key = a.key
    GROUP BY a.kind, b.kind
  ), moments AS (
    -- Nothing is less certain than if all erred alike: the bounds.
    SELECT SUM(m.mid) AS mid, SUM(m.mass) AS mass, SUM(m.mid / m.width) AS low, SUM(m.mid * m.width) AS high, COALESCE((
        SELECT SUM(i.mass * j.mass * (exp(p.covariance) - 1))
        FROM pairs p JOIN masses i ON i.kind = p.one JOIN masses j ON j.kind = p.other), 0) AS variance
    FROM masses m
  ), closed AS (
    SELECT e.low, e.mid, e.high, ln(1 + q.variance / (q.mass * q.mass)) AS log_variance, q.mass,
      CAST(e.mid AS float8) / q.mid AS scale, q.low AS low_bound, q.high AS high_bound
    FROM exact e CROSS JOIN moments q
  ), form AS (
    SELECT c.*, exp({Z80!r} * sqrt(c.log_variance)) AS factor, c.mass * exp(-c.log_variance / 2) AS median FROM closed c
  )
  SELECT COALESCE(LEAST(round(GREATEST(f.median / f.factor, f.low_bound) * f.scale), CAST(f.mid AS float8)),
      CAST(f.mid AS float8)) / 1000000,
    CAST(f.mid AS float8) / 1000000,
    COALESCE(GREATEST(round(LEAST(f.median * f.factor, f.high_bound) * f.scale), CAST(f.mid AS float8)),
      CAST(f.mid AS float8)) / 1000000,
    COALESCE(round(f.median * f.scale), CAST(f.mid AS float8)) / 1000000,
    CAST(f.low AS float8) / 1000000, CAST(f.high AS float8) / 1000000
  FROM form f;
END
"""


def refresh_range_function(connection: Connection) -> None:
    """Make the function what this version says it is, on PostgreSQL; its owner and its grants stay.

    When it comes to a database, those who may read `rolling_totals` may call it, and nobody else.
    """
    if connection.dialect.name != "postgresql":
        return
    there = connection.scalar(
        text("SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure(:name)"), {"name": SIGNATURE}
    )
    if there == BODY:
        return
    returned = ", ".join(f"{name} double precision" for name in COLUMNS)
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    _run(
        connection,
        f'CREATE OR REPLACE FUNCTION total_range(tenant text, "from" timestamptz, "to" timestamptz) RETURNS TABLE ({returned})'
        f" LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $body${BODY}$body$",
    )
    if there is None:
        _run(connection, f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
        for grantee in connection.scalars(text(_READERS)).all():
            _run(connection, f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {grantee}")


_READERS = """
SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.oid = to_regclass('rolling_totals') AND a.privilege_type = 'SELECT'"""


def _run(connection: Connection, statement: str) -> None:
    # psycopg reads a percent sign as the beginning of a parameter.
    connection.exec_driver_sql(statement.replace("%", "%%"))
