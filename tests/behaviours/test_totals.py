"""`totals`: every break-down is exact, over any stretch of time, in each tenant's own time zone."""

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from rice_stream.errors import UsageError
from rice_stream.events.canonical import wire_time
from rice_stream.instants import epoch_us
from rice_stream.reports.sums import FIELDS
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.engine import reading
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING
from tests.support.reports_store import NOON, Store, at, picked
from tests.support.waiting import wait_until


def totals(engine: Engine, *, now: datetime, **asked: Any) -> dict[str, Any]:
    """The answer to a query, by its fields."""
    return answer_to(engine, EVERYTHING, TotalsQuery(**asked), now)


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value.replace("Z", "+00:00"))


class TestTotals:
    """On every database."""

    def test_the_answer_is_worked_out_by_hand(self, store: Store) -> None:
        """10 + 2 x 5 = 20 weighted tokens a prompt: 5 Wh IT, x 1.25 = 6.25 Wh, x 400 g/kWh = 2.5 g; half and double."""
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:30:00Z"))
        answer = totals(store.engine, now=NOON)
        expected = {
            "prompts": 2,
            "input_tokens": 20,
            "cache_read_input_tokens": 0,
            "cache_write_input_tokens": 0,
            "output_tokens": 10,
            "reasoning_output_tokens": 0,
            "it_energy_wh": 10.0,
            "facility_energy_wh": 12.5,
            "carbon_gco2e": {"low": 2.5, "mid": 5.0, "high": 10.0},
            "carbon_gco2e_median": 5.0,
            "carbon_gco2e_linear": {"low": 2.5, "high": 10.0},
            "carbon_market_gco2e": 5.0,
            "impact_prompts": 0,
            "embodied_gco2e": {"low": None, "mid": None, "high": None},
            "water_l": None,
            "data_tiers": {"measured": 0.0, "reported": 0.0, "estimated": 0.0, "defaulted": 0.0, "missing": 1.0},
        }
        assert answer == {
            "window": {"name": None, "from": None, "to": None, "time_zone": "UTC"},
            "by": ["tenant"],
            "rows": [{"tenant": "acme", "tenant_id": "acme", **expected}],
            "rows_total": 1,
            "total": expected,
        }

    def test_a_store_without_events_and_an_unknown_tenant_answer_with_nothing(self, store: Store) -> None:
        """No row and a total of zero: nothing was used, which is no error."""
        assert totals(store.engine, now=NOON, window="mtd")["rows"] == []
        store.add(at("2026-11-22T11:00:00Z"))
        answer = totals(store.engine, now=NOON, tenant="nobody", by=["day,team"])
        assert (answer["rows"], answer["rows_total"], answer["total"]["prompts"]) == ([], 0, 0)

    def test_every_name_can_be_broken_down_by_and_missing_ones_are_null(self, store: Store) -> None:
        """One prompt has every name, the other none but its tenant and model."""
        store.add(
            at(
                "2026-11-22T11:00:00Z",
                team_id="search",
                project_id="ranker",
                user_id="u-17",
                provider="openai",
                inference_region="azure:swedencentral",
                gateway_cache_hit=False,
            ),
            at("2026-11-22T11:20:00Z", team_id=..., request_model="big"),
        )
        found = {name: picked(totals(store.engine, now=NOON, by=[name])["rows"], name, "prompts") for name in FIELDS}
        assert found == {
            "tenant": [("acme", 2)],
            "team": [(None, 1), ("search", 1)],
            "project": [(None, 1), ("ranker", 1)],
            "cost_centre": [(None, 2)],
            "user": [(None, 1), ("u-17", 1)],
            "provider": [(None, 1), ("openai", 1)],
            "model": [("big", 1), ("small", 1)],
            "region": [("unknown", 1), ("azure:swedencentral", 1)],
            "data_tier": [("missing", 1), ("estimated", 1)],
            "basis": [("", 2)],
            "day": [("2026-11-22", 2)],
            "month": [("2026-11", 2)],
            "hour": [("2026-11-22T11:00:00Z", 2)],
        }

    def test_names_can_be_combined_in_any_way(self, store: Store) -> None:
        """Several options and comma lists are one list; a user's models come from the records."""
        store.add(
            at("2026-11-22T11:00:00Z", user_id="u1", request_model="big"),
            at("2026-11-22T11:01:00Z", user_id="u1"),
            at("2026-11-22T11:02:00Z", user_id="u2", tenant_id="globex"),
        )
        rows = totals(store.engine, now=NOON, by=["tenant, user", "model"])["rows"]
        assert picked(rows, "tenant", "user", "model", "prompts") == [
            ("acme", "u1", "big", 1),
            ("acme", "u1", "small", 1),
            ("globex", "u2", "small", 1),
        ]
        assert picked(rows, "tenant_id", "user_id")[0] == ("acme", "u1")

    def test_rows_come_with_the_largest_carbon_first_and_page_by_page(self, store: Store) -> None:
        """Limit and offset cut the rows, never the total."""
        store.add(*(at(f"2026-11-22T11:0{n}:00Z", team_id=f"t{n}", input_tokens=n) for n in range(5)))
        page = totals(store.engine, now=NOON, by=["team"], limit=2, offset=1)
        assert picked(page["rows"], "team", "input_tokens") == [("t3", 3), ("t2", 2)]
        assert (page["rows_total"], page["total"]["prompts"]) == (5, 5)

    @pytest.mark.parametrize("by", ["tenant", "team", "user", "day", "hour", "team,user"])
    def test_any_boundary_is_exact_to_the_microsecond(self, store: Store, by: str) -> None:
        """The start counts, the end does not, whatever bucket they lie in: 3 of these 5 are in [11:07:30, 11:52:00.5)."""
        store.add(
            at("2026-11-22T11:07:29.999999Z"),
            at("2026-11-22T11:07:30Z"),
            at("2026-11-22T11:30:00Z", user_id="u"),
            at("2026-11-22T11:52:00.499999Z"),
            at("2026-11-22T11:52:00.5Z"),
        )
        start, end = moment("2026-11-22T11:07:30Z"), moment("2026-11-22T11:52:00.5Z")
        answer = totals(store.engine, now=NOON, by=[by], start=start, end=end)
        assert sum(row["prompts"] for row in answer["rows"]) == answer["total"]["prompts"] == 3
        assert answer["window"] == {
            "name": None,
            "from": "2026-11-22T11:07:30Z",
            "to": "2026-11-22T11:52:00.500Z",
            "time_zone": "UTC",
        }

    def test_a_stretch_within_one_bucket_is_exact(self, store: Store) -> None:
        """Shorter than a quarter hour, shorter than a minute: records answer."""
        store.add(*(at(f"2026-11-22T11:20:0{n}Z") for n in range(6)))
        start, end = moment("2026-11-22T11:20:02Z"), moment("2026-11-22T11:20:04Z")
        for by in ("tenant", "team"):
            assert totals(store.engine, now=NOON, by=[by], start=start, end=end)["total"]["prompts"] == 2

    def test_one_bound_may_be_left_out(self, store: Store) -> None:
        """Everything from a moment on, or up to it."""
        events = [at(ended_at) for ended_at in ("2026-11-22T11:00:00Z", "2026-11-22T11:20:10Z", "2027-03-01T00:00:00Z")]
        store.add(*events, received_at_us=epoch_us(moment("2027-03-01T00:00:00Z")))
        since = totals(store.engine, now=NOON, by=["team"], start=moment("2026-11-22T11:20:10Z"))
        until = totals(store.engine, now=NOON, by=["team"], end=moment("2026-11-22T11:20:10Z"))
        assert (since["total"]["prompts"], since["window"]["to"]) == (2, None)
        assert (until["total"]["prompts"], until["window"]["from"]) == (1, None)

    def test_windows_begin_on_a_minute_and_end_with_the_running_one(self, store: Store) -> None:
        """As of 12:00:30 the last hour is 11:00 to 12:01; what is dated later (a wrong clock) is not in it."""
        store.add(
            at("2026-11-22T10:59:59.9Z"),
            at("2026-11-22T11:00:00Z"),
            at("2026-11-22T12:00:59.9Z"),
            at("2026-11-22T12:01:00Z"),
        )
        for by in ("tenant", "team", "user"):
            answer = totals(store.engine, now=NOON + timedelta(seconds=30), by=[by], window="1h")
            assert answer["total"]["prompts"] == 2
            assert answer["window"] == {
                "name": "1h",
                "from": "2026-11-22T11:00:00Z",
                "to": "2026-11-22T12:01:00Z",
                "time_zone": "UTC",
            }

    def test_month_to_date_is_the_month_of_each_tenant(self, store: Store) -> None:
        """At 2026-11-30T20:00Z it is December in Kolkata (+05:30, since 18:30Z), November in New York and UTC."""
        store.add(
            *(
                at(ended_at, tenant_id=tenant)
                for tenant in ("kolkata", "new-york", "utc")
                for ended_at in ("2026-11-30T18:29:00Z", "2026-11-30T18:30:00Z")
            ),
            received_at_us=epoch_us(moment("2026-11-30T20:00:00Z")),
        )
        store.set_time_zone("kolkata", "Asia/Kolkata")
        store.set_time_zone("new-york", "America/New_York")
        answer = totals(store.engine, now=moment("2026-11-30T20:00:00Z"), window="mtd")
        assert dict(picked(answer["rows"], "tenant", "prompts")) == {"kolkata": 1, "new-york": 2, "utc": 2}
        assert answer["window"]["time_zones"]["Asia/Kolkata"]["from"] == "2026-11-30T18:30:00Z"
        assert answer["window"]["time_zones"]["America/New_York"]["from"] == "2026-11-01T04:00:00Z"
        assert answer["window"]["from"] == "2026-11-01T00:00:00Z"

    def test_days_are_those_of_the_tenant_also_when_clocks_change(self, store: Store) -> None:
        """Berlin's 2026-10-25 begins at 22:00Z the day before and has 25 hours; hours are always UTC."""
        store.add(
            at("2026-10-24T21:59:00Z"),
            at("2026-10-24T22:00:00Z"),
            at("2026-10-25T22:59:00Z"),
            at("2026-10-25T23:00:00Z"),
            at("2026-10-25T23:00:00Z", tenant_id="utc"),
        )
        store.set_time_zone("acme", "Europe/Berlin")
        days = totals(store.engine, now=NOON, by=["tenant", "day"])["rows"]
        assert sorted(picked(days, "tenant", "day", "prompts")) == [
            ("acme", "2026-10-24", 1),
            ("acme", "2026-10-25", 2),
            ("acme", "2026-10-26", 1),
            ("utc", "2026-10-25", 1),
        ]
        hours = totals(store.engine, now=NOON, by=["hour"], tenant="acme")["rows"]
        assert ("2026-10-25T23:00:00Z", 1) in picked(hours, "hour", "prompts")

    def test_dates_as_bounds_are_the_tenants_days(self, store: Store) -> None:
        """From the 25th to the 26th is one local day of each tenant, the end not included."""
        store.add(
            *(
                at(ended_at, tenant_id=tenant)
                for tenant in ("berlin", "utc")
                for ended_at in ("2026-10-24T22:30:00Z", "2026-10-25T12:00:00Z", "2026-10-25T23:30:00Z")
            )
        )
        store.set_time_zone("berlin", "Europe/Berlin")
        for by in ("tenant", "tenant,team", "tenant,day"):
            rows = totals(store.engine, now=NOON, by=[by], start=date(2026, 10, 25), end=date(2026, 10, 26))["rows"]
            assert dict(picked(rows, "tenant", "prompts")) == {"berlin": 2, "utc": 2}

    def test_windows_agree_with_the_view_that_bi_tools_read(self, store: Store) -> None:
        """`rolling_totals` and `totals --window` are the same numbers, for every tenant and window."""
        now = datetime.now(UTC)
        ages_h = (0, 0.5, 0.99, 1.2, 23, 25, 24 * 6, 24 * 8, 24 * 29, 24 * 31)
        store.add(
            *(
                at(wire_time(now - timedelta(hours=age_h)), tenant_id=tenant, input_tokens=2**n)
                for tenant in ("kolkata", "utc")
                for n, age_h in enumerate(ages_h)
            ),
            received_at_us=int(now.timestamp()) * 1_000_000,
        )
        store.set_time_zone("kolkata", "Asia/Kolkata")
        answers = wait_until(lambda: _within_a_minute(store), 10, "both to be asked within the same minute")
        assert answers is not None
        view, told = answers
        assert told == view
        assert len(view) == 10
        assert len({row["input_tokens"] for row in view.values()}) >= 4

    def test_what_needs_records_that_retention_dropped_is_refused(self, store: Store) -> None:
        """Totals stay exact; users, and bounds within a bucket, would be too small and are told so."""
        store.add(at("2026-09-30T12:07:00Z", user_id="u"), at("2026-10-02T12:00:00Z", user_id="u"))
        drop_records_before(store.engine, moment("2026-10-05T00:00:00Z"))
        assert totals(store.engine, now=NOON, by=["team,day"])["total"]["prompts"] == 2
        assert totals(store.engine, now=NOON, by=["user"], start=date(2026, 10, 1))["total"]["prompts"] == 1
        for refused in ({"by": ["user"]}, {"by": ["team"], "start": moment("2026-09-30T12:05:00Z")}):
            with pytest.raises(UsageError, match="1 prompts before 2026-10-01T00:00:00Z are no longer"):
                totals(store.engine, now=NOON, **refused)

    @pytest.mark.parametrize("by", ["tenant", "team,model", "day", "hour,project"])
    def test_two_questions_are_put_to_the_database(self, store: Store, by: str) -> None:
        """What has to be known first, and all sums together, whatever tables they come from; spreads are at hand by then."""
        store.add(*(at(f"2026-11-{day:02d}T07:21:05Z", team_id="a") for day in (1, 20, 21)), at("2026-11-22T11:58:00Z"))
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            if "SELECT" in statement:
                asked.append(statement)

        answers = []
        for tenant in ("acme", None):
            totals(store.engine, now=NOON, by=[by], window="30d", tenant=tenant)
            asked.clear()
            event.listen(store.engine, "before_cursor_execute", note)
            answers.append(totals(store.engine, now=NOON, by=[by], window="30d", tenant=tenant))
            event.remove(store.engine, "before_cursor_execute", note)
            assert len(asked) == 2
        assert answers[0]["total"]["prompts"] == 4
        assert answers[0] == answers[1]

    @pytest.mark.parametrize("zones", [1, 3])
    def test_a_calendar_with_many_changes_of_clocks_counts_every_day_once(self, store: Store, zones: int) -> None:
        """More stretches of ordinary days than a statement takes one by one, in one time zone or several."""
        days = [f"{year}-{month:02d}-15" for year in range(2019, 2026) for month in (1, 7)]
        tenants = [f"t{number}" for number in range(zones)]
        store.add(*(at(f"{day}T12:34:56Z", tenant_id=tenant) for day in days for tenant in tenants))
        for tenant, zone in zip(tenants, ("Europe/Berlin", "America/New_York", "Asia/Kolkata"), strict=False):
            store.set_time_zone(tenant, zone)
        rows = totals(store.engine, now=NOON, by=["day"])["rows"]
        assert sorted(picked(rows, "day", "prompts")) == [(day, zones) for day in days]

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"by": ["team", "colour"]}, "--by colour: choose from tenant, team"),
            ({"window": "2h"}, "--window 2h: choose from 1h, 24h, 7d, 30d, mtd"),
            ({"window": "1h", "start": NOON}, "leave out --from and --to"),
            ({"start": NOON, "end": NOON}, "--from must lie before --to"),
        ],
    )
    def test_what_cannot_be_answered_is_named(self, store: Store, wrong: dict[str, Any], message: str) -> None:
        """A wrong question is a usage error that says what is allowed, never an empty answer."""
        with pytest.raises(UsageError, match=message):
            totals(store.engine, now=NOON, **wrong)


Told = dict[tuple[str, str], dict[str, Any]]


def _within_a_minute(store: Store) -> tuple[Told, Told] | None:
    """What the view and `totals` say, by tenant and window; None when a minute began in between."""
    started_min = time.time() // 60
    view = _from_view(store)
    told: Told = {}
    for window in ("1h", "24h", "7d", "30d", "mtd"):
        for row in totals(store.engine, now=datetime.now(UTC), window=window)["rows"]:
            told[row["tenant"], window] = {
                **{name: row[name] for name in ("prompts", "input_tokens", "output_tokens", "facility_energy_wh")},
                **{f"carbon_{end}_gco2e": row["carbon_gco2e"][end] for end in ("low", "mid", "high")},
            }
    return (view, told) if time.time() // 60 == started_min else None


def _from_view(store: Store) -> Told:
    names = ("prompts", "input_tokens", "output_tokens", "facility_energy_wh")
    columns = (*names, *(f"carbon_{end}_gco2e" for end in ("low", "mid", "high")))
    with reading(store.engine) as connection:
        rows = connection.execute(text("SELECT * FROM rolling_totals WHERE prompts > 0")).mappings().all()
    return {(row["tenant_id"], row["window_name"]): {name: row[name] for name in columns} for row in rows}
