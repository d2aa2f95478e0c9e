"""Judging many budgets over a month that is full, beside a database that is asked nothing."""

import time
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from benchmarks.bench_totals import factor_keys
from benchmarks.harness import Row, stack
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.instants import DAY_S
from rice_stream.quantities import MEASURES
from rice_stream.store import budget_store
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import reading, writing
from rice_stream.store.totals_tables import DAYS, MINUTES, SLOTS, TENANT_DAYS

_TENANTS = 20
_BUDGETS = 10_000
_ASKED = 1_000
_DAYS = 31
_FACTORS = 12
_BY_RANGE = 1_000
"""Budgets of a second sweep that are held to the high end of the range."""
_ROUNDS = 3
_SWEEP_MAX_S = 2.0


def run() -> list[dict[str, object]]:
    """Budgets judged per second, a month of minutes behind each, beside empty round trips to the same database."""
    with stack() as (_, engine):
        _fill(engine)
        _set_budgets(engine)
        sweep_s = _sweep_s(engine)
        asked = _empty_round_trips(engine)
        with writing(engine) as connection:
            chosen = text("UPDATE budget SET estimate = 'high' WHERE id % :every = 0")
            connection.execute(chosen, {"every": _BUDGETS // _BY_RANGE})
        ranged_s = _sweep_s(engine)
        with writing(engine) as connection:
            # A third of each limit is used: all but those of a day ask for all their windows.
            connection.execute(text("UPDATE budget SET estimate = 'mid', early_warning = true, limit_amount = 3000"))
        warned_s = _sweep_s(engine)
    return [
        Row.against(
            "budgets judged, a full month each", _BUDGETS / sweep_s, "1/s", "empty round trips to the database", asked
        ).as_dict(),
        Row.against("sweep of 10,000 budgets", sweep_s, "s", "limit", _SWEEP_MAX_S).as_dict(),
        Row.against(
            f"ranges add to that sweep, {_BY_RANGE:,} budgets on the high end",
            ranged_s - sweep_s,
            "s",
            "without",
            sweep_s,
        ).as_dict(),
        Row.against(
            "sweep of 10,000 budgets that all ask for early warning", warned_s, "s", "limit", _SWEEP_MAX_S
        ).as_dict(),
    ]


def _sweep_s(engine: Engine) -> float:
    judge = Judge(engine)
    judge.judge_all(datetime.now(UTC))  # what is exceeded already fires now, and not while we measure
    begun = time.perf_counter()
    for _ in range(_ROUNDS):
        judge.judge_all(datetime.now(UTC))
    return (time.perf_counter() - begun) / _ROUNDS


def _fill(engine: Engine) -> None:
    """A month of every minute and day of every tenant, and of every use of factors, as if made by the worker."""
    keys = Dimensions(engine).tenants([f"tenant-{k:02d}" for k in range(_TENANTS)])
    factors = factor_keys(engine, _FACTORS)
    ones = ", ".join("1" for _ in MEASURES)
    now_s = int(time.time())
    with writing(engine) as connection:
        for table in (MINUTES, TENANT_DAYS, SLOTS, DAYS):
            use = ", 1, f" if table.dimensions else ""
            connection.execute(
                text(
                    f"INSERT INTO {table.name} SELECT k, s{use}, {ones}"
                    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) k,"
                    " generate_series(CAST(:from_s AS bigint), CAST(:to_s AS bigint), CAST(:bucket_s AS bigint)) s,"
                    " generate_series(CAST(:first_use AS int), CAST(:last_use AS int)) f"
                ),
                {
                    "first": min(keys.values()),
                    "last": max(keys.values()),
                    "from_s": table.floor_s(now_s - _DAYS * DAY_S),
                    "to_s": now_s,
                    "bucket_s": table.bucket_s,
                    "first_use": factors[0],
                    "last_use": factors[-1] if table.dimensions else factors[0],
                },
            )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


def _set_budgets(engine: Engine) -> None:
    periods = ("month", "rolling-30d", "week", "day")
    zones = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")
    with writing(engine) as connection:
        for number in range(_BUDGETS):
            budget = {
                "name": f"b{number}",
                "tenant_id": f"tenant-{number % _TENANTS:02d}",
                "limit_gco2e": 10_000,
                "period": periods[number % 4],
                "time_zone": zones[number // 4 % 4],
            }
            budget_store.save_budget(connection, parse_budget(budget), time.time_ns() // 1000)


def _empty_round_trips(engine: Engine) -> float:
    with reading(engine) as connection:
        begun = time.perf_counter()
        for _ in range(_ASKED):
            connection.execute(text("SELECT 1"))
        return _ASKED / (time.perf_counter() - begun)
