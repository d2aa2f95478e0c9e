"""What BI tools read, on every database: names brought back, amounts in Wh and gCO2e, windows as of now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

from rice_stream.store.calendars import set_time_zone
from rice_stream.store.engine import reading
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event
from tests.support.store_running import store

PROMPT_EMISSION = (
    "tenant_id, team_id, project_id, user_id, event_id, ended_at, provider, model, region, input_tokens, output_tokens,"
    " it_energy_uwh, facility_energy_uwh, carbon_low_ugco2e, carbon_mid_ugco2e, carbon_high_ugco2e, method_version,"
    " factor_version"
)
ROLLING_TOTALS = (
    "tenant_id, window_name, prompts, input_tokens, output_tokens, facility_energy_wh, carbon_low_gco2e,"
    " carbon_mid_gco2e, carbon_high_gco2e"
)
WINDOWS = {"1h": 1 / 24, "24h": 1.0, "7d": 7.0, "30d": 30.0}
"""Days."""


def read(engine: Engine, query: str) -> list[dict[str, Any]]:
    """The answer to a query."""
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def instant(value: Any) -> datetime:
    """PostgreSQL gives a timestamp, SQLite RFC 3339 text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value.replace("Z", "+00:00"))


class TestViews:
    """The columns of the contract, with the right numbers in them."""

    def test_prompt_emission_brings_every_name_back(self, engine: Engine) -> None:
        sent = event(
            event_id="e-1",
            team_id="search",
            project_id="ranker",
            user_id="u-17",
            api_key_id="k-1",
            source="/gw",
            provider="openai",
            response_model="small-2026",
            inference_region="azure:swedencentral",
            ended_at="2026-11-22T12:00:00.123456Z",
            started_at="2026-11-22T11:59:59.000001Z",
        )
        store(engine, chunk_of([sent, event(event_id="e-2", team_id=None, started_at=None)]))
        full, bare = read(engine, "SELECT * FROM prompt_emission ORDER BY event_id")
        assert {name.strip() for name in PROMPT_EMISSION.split(",")} <= set(full)
        for name in ("tenant_id", "team_id", "project_id", "user_id", "api_key_id", "source", "provider", "event_id"):
            assert full[name] == sent[name]
        assert (full["request_model"], full["response_model"], full["model"]) == ("small", "small-2026", "small-2026")
        assert (full["model_resolved"], full["region"]) == ("resolved/small-2026", "azure:swedencentral")
        assert instant(full["ended_at"]) == datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
        assert instant(full["started_at"]) == datetime(2026, 11, 22, 11, 59, 59, 1, tzinfo=UTC)
        assert (full["input_tokens"], full["output_tokens"]) == (10, 5)
        assert full["facility_energy_uwh"] == 6_250_000
        assert full["carbon_mid_ugco2e"] == 2_500_000
        assert (full["pue"], full["rci_gco2e_per_kwh"]) == (1.25, 400.0)
        assert (full["method_version"], full["factor_version"]) == ("fake-1", "factors-1")
        for name in ("team_id", "project_id", "user_id", "api_key_id", "source", "provider", "response_model"):
            assert bare[name] is None, name
        assert bare["started_at"] is None

    def test_prompt_emission_has_a_row_per_prompt_and_names_its_fallbacks(self, engine: Engine) -> None:
        events = [event(event_id=f"e-{k}", input_tokens=None if k % 2 else 1, user_id="u") for k in range(20)]
        store(engine, chunk_of([*events, *events]))
        rows = read(engine, "SELECT event_id, basis FROM prompt_emission")
        assert sorted(row["event_id"] for row in rows) == sorted(e["event_id"] for e in events)
        assert {row["basis"] for row in rows} == {"", "input_tokens_missing"}

    def test_rolling_totals_have_one_row_per_tenant_and_window(self, engine: Engine) -> None:
        """Prompts of ten minutes, three hours, three days, twenty and forty days ago, of two tenants."""
        ages_days = (10 / 1440, 3 / 24, 3.0, 20.0, 40.0)
        now = datetime.now(UTC)
        events = [
            event(
                event_id=f"{tenant}-{age}",
                tenant_id=tenant,
                ended_at=(now - timedelta(days=age)).isoformat(),
                started_at=None,
            )
            for tenant in ("a", "b")
            for age in ages_days
            if tenant == "a" or age > 1
        ]
        store(engine, chunk_of(events), received_at_us=int(now.timestamp() * 1e6))
        rows = {
            (row["tenant_id"], row["window_name"]): row
            for row in read(engine, f"SELECT {ROLLING_TOTALS} FROM rolling_totals")
        }
        assert set(rows) == {(tenant, window) for tenant in "ab" for window in (*WINDOWS, "mtd")}
        for tenant, of in (("a", ages_days), ("b", ages_days[2:])):
            for window, days in WINDOWS.items():
                row, prompts = rows[tenant, window], sum(age <= days for age in of)
                assert row["prompts"] == prompts
                assert (row["input_tokens"], row["output_tokens"]) == (10 * prompts, 5 * prompts)
                assert row["facility_energy_wh"] == 6.25 * prompts
                assert row["carbon_low_gco2e"] == 1.25 * prompts
                assert row["carbon_mid_gco2e"] == 2.5 * prompts
                assert row["carbon_high_gco2e"] == 5.0 * prompts
                assert isinstance(row["prompts"], int)
                assert isinstance(row["carbon_mid_gco2e"], float)

    def test_rolling_totals_by_team_add_up_to_those_of_their_tenant(self, engine: Engine) -> None:
        """One row per tenant, window and team, also of a team that had nothing in the window; without a team is null."""
        now = datetime.now(UTC)
        events = [
            event(
                event_id=f"{team}-{age}",
                team_id=team,
                ended_at=(now - timedelta(days=age)).isoformat(),
                started_at=None,
            )
            for team, ages in (("red", (0.001, 3 / 24, 3.0)), ("blue", (20.0, 40.0)), (None, (3.0,)))
            for age in ages
        ]
        store(engine, chunk_of(events), received_at_us=int(now.timestamp() * 1e6))
        rows = read(engine, f"SELECT team_id, {ROLLING_TOTALS} FROM rolling_totals_by_team")
        found = {(row["team_id"], row["window_name"]): row["prompts"] for row in rows}
        assert len(rows) == len(found) == 3 * (len(WINDOWS) + 1)
        expected = {"red": (1, 2, 3, 3), "blue": (0, 0, 0, 1), None: (0, 0, 1, 1)}
        for team, prompts in expected.items():
            assert tuple(found[team, window] for window in WINDOWS) == prompts
        for whole in read(engine, f"SELECT {ROLLING_TOTALS} FROM rolling_totals"):
            of_window = [row for row in rows if row["window_name"] == whole["window_name"]]
            for name in ("prompts", "input_tokens", "facility_energy_wh", "carbon_mid_gco2e"):
                assert sum(row[name] for row in of_window) == whole[name]

    def test_a_teams_window_begins_with_a_quarter_hour(self, engine: Engine) -> None:
        """It is never shorter than it says, and at most a quarter hour longer."""
        now = datetime.now(UTC)
        start = now - timedelta(hours=1)
        start -= timedelta(minutes=start.minute % 15, seconds=start.second, microseconds=start.microsecond)
        events = [
            event(event_id=str(at), ended_at=at.isoformat(), started_at=None)
            for at in (start, start - timedelta(microseconds=1))
        ]
        store(engine, chunk_of(events), received_at_us=int(now.timestamp() * 1e6))
        (row,) = read(engine, "SELECT prompts FROM rolling_totals_by_team WHERE window_name = '1h'")
        assert row["prompts"] in (1, 0)  # 0 where the clock has come to the next quarter since
        assert row["prompts"] == 1 or datetime.now(UTC) - start >= timedelta(minutes=75)

    def test_month_to_date_begins_with_the_tenants_own_month(self, engine: Engine) -> None:
        """A prompt every six hours of the last 33 days, for a tenant at each end of the world and one at UTC."""
        places = {"kiribati": "Pacific/Kiritimati", "midway": "Pacific/Midway", "utc": "UTC"}
        now = datetime.now(UTC)
        times = [now - timedelta(hours=6 * k, minutes=1) for k in range(33 * 4)]
        events = [
            event(event_id=f"{tenant}-{k}", tenant_id=tenant, ended_at=at.isoformat(), started_at=None)
            for tenant in places
            for k, at in enumerate(times)
        ]
        store(engine, chunk_of(events), received_at_us=int(now.timestamp() * 1e6))
        for tenant, place in places.items():
            set_time_zone(engine, tenant, place, OPERATOR)
        rows = read(engine, "SELECT tenant_id, prompts FROM rolling_totals WHERE window_name = 'mtd'")
        begins = {tenant: month_start(now, place) for tenant, place in places.items()}
        assert {row["tenant_id"]: row["prompts"] for row in rows} == {
            tenant: sum(minute(at) >= begin for at in times) for tenant, begin in begins.items()
        }

    def test_hourly_totals_group_by_everything_but_users(self, engine: Engine) -> None:
        """By hand: three prompts of one hour, team and model are one row; an hour, team, model or region more is another."""
        base = {"started_at": None, "inference_region": "eu"}
        events = [
            event(event_id="1", ended_at="2026-11-22T12:00:00Z", user_id="u", **base),
            event(event_id="2", ended_at="2026-11-22T12:59:59.999Z", user_id="v", **base),
            event(event_id="3", ended_at="2026-11-22T12:20:00Z", **base),
            event(event_id="4", ended_at="2026-11-22T13:00:00Z", **base),
            event(event_id="5", ended_at="2026-11-22T12:00:00Z", **{**base, "team_id": None}),
            event(event_id="6", ended_at="2026-11-22T12:00:00Z", **{**base, "request_model": "big"}),
            event(event_id="7", ended_at="2026-11-22T12:00:00Z", **{**base, "inference_region": "us"}),
        ]
        store(engine, chunk_of(events), received_at_us=NOON_US)
        rows = read(engine, "SELECT * FROM hourly_totals")
        found = {
            (instant(row["hour"]).hour, row["team_id"], row["model"], row["region"]): (
                row["prompts"],
                row["facility_energy_wh"],
                row["carbon_mid_gco2e"],
            )
            for row in rows
        }
        assert found == {
            (12, "search", "small", "eu"): (3, 18.75, 7.5),
            (13, "search", "small", "eu"): (1, 6.25, 2.5),
            (12, None, "small", "eu"): (1, 6.25, 2.5),
            (12, "search", "big", "eu"): (1, 18.75, 7.5),
            (12, "search", "small", "us"): (1, 6.25, 2.5),
        }
        assert len(rows) == len(found)


def month_start(now: datetime, place: str) -> datetime:
    """The first instant of the month that it is at the place."""
    return now.astimezone(ZoneInfo(place)).replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def minute(at: datetime) -> datetime:
    """The start of the minute: totals are kept by the minute."""
    return at.replace(second=0, microsecond=0)
