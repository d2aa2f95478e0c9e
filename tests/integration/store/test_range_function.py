"""`total_range` on PostgreSQL: the numbers of `rice-stream totals`, over any stretch, for those who may read the views."""

import random
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.migrate import migrate
from rice_stream.store.range_function import COLUMNS, SIGNATURE
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from tests.support.databases import Databases
from tests.support.reports_store import NOON, Store, at, open_store
from tests.support.spreads import give_spreads, hosted

FIRST = datetime(2026, 9, 20, tzinfo=UTC)


@pytest.fixture
def store(postgresql: Databases) -> Iterator[Store]:
    with open_store(postgresql.emptied()) as store:
        yield store


def traffic(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    events = []
    for number in range(count):
        moment = FIRST + timedelta(seconds=draw.randrange(60 * 86_400), microseconds=draw.randrange(10**6))
        model = draw.randrange(12)
        events.append(
            at(
                moment.isoformat().replace("+00:00", "Z"),
                event_id=f"e-{number}",
                tenant_id=draw.choice(("acme", "acme", "globex")),
                provider=f"host-{model // 3}",
                request_model=f"m-{model}",
                inference_region=draw.choice(("eu", "us")),
                input_tokens=draw.choice((draw.randrange(3000), None)),
            )
        )
    return events


def some_without(row: dict[str, Any]) -> dict[str, float] | None:
    """Spreads narrower and wider than the stored ends, of nothing, and none at all."""
    number = int(row["model"].removeprefix("m-"))
    if number % 4 == 0:
        return None
    if number % 4 == 1:
        return {}
    return hosted(row) if number % 4 == 2 else {"global:hosted": 0.1, f"model:{row['model']}": 0.2}


def of_function(store: Store, tenant: str | None, start: datetime | None, end: datetime | None) -> dict[str, float]:
    query = "SELECT * FROM total_range(:tenant, CAST(:start AS timestamptz), CAST(:end AS timestamptz))"
    (row,) = store.rows(query, tenant=tenant, start=start, end=end)
    assert tuple(row) == COLUMNS
    return row


def of_command(store: Store, tenant: str | None, start: datetime | None, end: datetime | None) -> dict[str, float]:
    total = totals(store.engine, EVERYTHING, TotalsQuery(tenant=tenant, start=start, end=end), NOON)["total"]
    carbon, linear = total["carbon_gco2e"], total["carbon_gco2e_linear"]
    values = (*carbon.values(), total["carbon_gco2e_median"], *linear.values())
    return dict(zip(COLUMNS, values, strict=True))


def test_it_answers_what_the_command_line_answers(store: Store) -> None:
    """For a tenant and for all, over all time, whole days, quarters, and stretches that cut quarters, also within one."""
    store.add(*traffic(1500, seed=1), received_at_us=1_795_348_800_000_000)
    give_spreads(store, some_without)
    draw = random.Random(2)
    stretches: list[tuple[datetime | None, datetime | None]] = [
        (None, None),
        (FIRST, FIRST + timedelta(days=30)),
        (None, FIRST + timedelta(days=10, minutes=15)),
        (FIRST + timedelta(hours=3, minutes=45), None),
        (FIRST + timedelta(hours=30, minutes=1), FIRST + timedelta(hours=30, minutes=2)),
        (FIRST - timedelta(days=300), FIRST - timedelta(days=200)),
    ]
    for _ in range(40):
        begin = FIRST + timedelta(seconds=draw.randrange(60 * 86_400), microseconds=draw.randrange(10**6))
        stretches.append((begin, begin + timedelta(seconds=draw.choice((500, 5_000, 500_000, 3_000_000)))))
    for tenant in ("acme", None, "nobody"):
        for start, end in stretches:
            found = of_function(store, tenant, start, end)
            assert found == pytest.approx(of_command(store, tenant, start, end), rel=1e-9), (tenant, start, end)
            assert found["carbon_low_gco2e"] <= found["carbon_mid_gco2e"] <= found["carbon_high_gco2e"]
    assert of_function(store, "acme", None, None)["carbon_mid_gco2e"] > 0


def test_bounds_that_contradict_each_other_and_records_that_are_gone_are_refused(store: Store) -> None:
    """An error that says what to do, instead of a number that is too small."""
    store.add(*traffic(200, seed=3), received_at_us=1_795_348_800_000_000)
    with pytest.raises(DBAPIError, match="must lie before the third"):
        of_function(store, "acme", FIRST, FIRST)
    drop_records_before(store.engine, datetime(2026, 11, 1, tzinfo=UTC))
    (row,) = store.rows(
        "SELECT MIN(slot_start_s) AS slot_s FROM slot_total s JOIN tenant USING (tenant_key) WHERE tenant_id = 'acme'"
    )
    cut = datetime.fromtimestamp(row["slot_s"] + 60, UTC)
    with pytest.raises(DBAPIError, match="let both bounds lie on quarter hours"):
        of_function(store, "acme", cut, None)
    whole = cut - timedelta(seconds=60)
    assert of_function(store, "acme", whole, None) == pytest.approx(of_command(store, "acme", whole, None), rel=1e-9)


def test_those_who_may_read_the_views_may_call_it_and_nobody_else(store: Store) -> None:
    """A reader without a right on any table gets the numbers; what was granted outlives a migration, down and up too."""
    reader = f"reader_{secrets.token_hex(4)}"
    store.add(*traffic(20, seed=4))
    store_engine = store.engine
    with store_engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {reader}"))
    try:
        assert not _may(store, reader)
        with store_engine.begin() as connection:
            connection.execute(text(f"GRANT SELECT ON rolling_totals TO {reader}"))
        migrate(store_engine)
        assert not _may(store, reader)  # the function was there already: nobody's rights change
        with store_engine.begin() as connection:
            connection.execute(text(f"DROP FUNCTION {SIGNATURE}"))
        migrate(store_engine)
        assert _may(store, reader)
        with store_engine.begin() as connection:
            connection.execute(text(f"SET LOCAL ROLE {reader}"))
            low, mid, high, *_ = connection.execute(text("SELECT * FROM total_range('acme', NULL, NULL)")).one()
        assert 0 < low < mid < high
    finally:
        with store_engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {reader}"))
            connection.execute(text(f"DROP ROLE {reader}"))


def test_it_goes_with_the_schema_and_comes_back(store: Store) -> None:
    """A migration down takes it away, one up brings it."""
    migrate(store.engine, "0013")
    assert store.rows("SELECT to_regprocedure(:name) AS there", name=SIGNATURE) == [{"there": None}]
    migrate(store.engine)
    assert of_function(store, "acme", None, None)["carbon_mid_gco2e"] == 0.0


def _may(store: Store, role: str) -> bool:
    (row,) = store.rows("SELECT has_function_privilege(:role, :name, 'EXECUTE') AS may", role=role, name=SIGNATURE)
    return bool(row["may"])
