"""`totals` by buckets of time in any zone, with the largest names and all others, and all rolling windows at once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rice_stream.budgets.parsing import parse_budget
from rice_stream.budgets.periods import period_at
from rice_stream.errors import UsageError
from rice_stream.events.canonical import wire_time
from rice_stream.reports.rolling_totals import rolling_totals
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import WINDOWS, TotalsQuery
from rice_stream.store.consumption import consumed_in
from rice_stream.store.engine import Engine, reading
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.reports_store import NOON, Store, at, picked

AMOUNTS = ("prompts", "input_tokens", "output_tokens", "it_energy_wh", "facility_energy_wh")
CHANGES = {
    "Australia/Lord_Howe": ("2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"),
    "America/New_York": ("2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"),
    "Asia/Kathmandu": ("2026-03-31T18:15:00Z", "2026-10-31T18:15:00Z"),
    "Pacific/Apia": ("2026-03-31T11:00:00Z", "2026-10-31T11:00:00Z"),
}
"""Zone -> the instants at which its clocks go back and on (by half an hour on Lord Howe); where they never do, ends of months."""

LEAP_DAYS = {
    "Australia/Lord_Howe": ("2024-02-28T13:00:00Z", "2024-02-29T13:00:00Z"),
    "America/New_York": ("2024-02-29T05:00:00Z", "2024-03-01T05:00:00Z"),
    "Asia/Kathmandu": ("2024-02-28T18:15:00Z", "2024-02-29T18:15:00Z"),
    "Pacific/Apia": ("2024-02-28T11:00:00Z", "2024-02-29T11:00:00Z"),
}
"""Zone -> where its 29 February 2024 begins and ends."""


def totals(engine: Engine, *, scope: Scope = EVERYTHING, **asked: Any) -> dict[str, Any]:
    """The answer to a query, by its fields."""
    return answer_to(engine, scope, TotalsQuery(**asked), NOON)


def exact(row: dict[str, Any]) -> list[int]:
    """What adds up, in whole numbers."""
    carbon = [row["carbon_gco2e"]["mid"], *row["carbon_gco2e_linear"].values()]
    return [round(value * 1e6) for value in [*(row[name] for name in AMOUNTS), *carbon]]


def added(rows: list[dict[str, Any]]) -> list[int]:
    """Rows added up."""
    return [sum(column) for column in zip(*map(exact, rows), strict=True)]


class TestBuckets:
    """On every database."""

    def test_months_are_worked_out_by_hand(self, store: Store) -> None:
        """Kathmandu's November begins at 18:15Z on 31 October: one prompt before it, two from then on; 2.5 g each."""
        store.add(at("2026-10-31T18:14:59Z"), at("2026-10-31T18:15:00Z"), at("2026-11-22T11:00:00Z"))
        store.set_time_zone("acme", "Asia/Kathmandu")
        answer = totals(store.engine, tenant="acme", bucket="month")
        assert answer["by"] == ["month"]
        assert [(row["month"], row["prompts"], row["carbon_gco2e"]["mid"]) for row in answer["rows"]] == [
            ("2026-10", 1, 2.5),
            ("2026-11", 2, 5.0),
        ]
        assert picked(totals(store.engine, tenant="acme", by=["month"])["rows"], "month", "prompts") == [
            ("2026-11", 2),
            ("2026-10", 1),
        ]

    def test_buckets_come_in_the_order_of_time(self, store: Store) -> None:
        """Within one, the largest carbon first, and names beside them."""
        store.add(
            at("2026-11-20T11:00:00Z", team_id="a"),
            at("2026-11-20T11:01:00Z", team_id="b", request_model="big"),
            at("2026-11-21T11:00:00Z", team_id="a", request_model="big"),
        )
        answer = totals(store.engine, by=["team"], bucket="day")
        assert answer["by"] == ["team", "day"]
        assert picked(answer["rows"], "day", "team") == [("2026-11-20", "b"), ("2026-11-20", "a"), ("2026-11-21", "a")]
        hours = totals(store.engine, bucket="hour")["rows"]
        assert picked(hours, "hour", "prompts") == [("2026-11-20T11:00:00Z", 2), ("2026-11-21T11:00:00Z", 1)]

    def test_one_zone_counts_the_days_of_all_tenants(self, store: Store) -> None:
        """Days, months and dates as bounds are those of the zone that is asked for, whatever the tenants' own are."""
        store.add(*(at("2026-10-31T20:00:00Z", tenant_id=tenant) for tenant in ("kolkata", "new-york", "utc")))
        store.set_time_zone("kolkata", "Asia/Kolkata")
        store.set_time_zone("new-york", "America/New_York")
        own = totals(store.engine, by=["tenant", "day"])
        assert set(picked(own["rows"], "tenant", "day")) == {
            ("kolkata", "2026-11-01"),
            ("new-york", "2026-10-31"),
            ("utc", "2026-10-31"),
        }
        told = totals(store.engine, bucket="month", time_zone="Asia/Kathmandu", start=date(2026, 11, 1))
        assert picked(told["rows"], "month", "prompts") == [("2026-11", 3)]
        assert told["window"] == {
            "name": None,
            "from": "2026-10-31T18:15:00Z",
            "to": None,
            "time_zone": "Asia/Kathmandu",
        }

    def test_tenants_that_are_added_up_have_one_calendar(self, store: Store) -> None:
        """That of the report, UTC where nothing says another; one tenant, asked for or the only one seen, has its own."""
        store.add(*(at("2026-10-31T20:00:00Z", tenant_id=tenant) for tenant in ("kolkata", "new-york")))
        store.set_time_zone("kolkata", "Asia/Kolkata")
        store.set_time_zone("new-york", "America/New_York")

        def days(**asked: Any) -> tuple[list[tuple[str, int]], str | None]:
            answer = totals(store.engine, bucket="day", **asked)
            return [(row["day"], row["prompts"]) for row in answer["rows"]], answer["window"]["time_zone"]

        assert days() == days(by=["team"]) == ([("2026-10-31", 2)], "UTC")
        assert days(report_time_zone="Asia/Kathmandu") == ([("2026-11-01", 2)], "Asia/Kathmandu")
        assert days(scope=Scope(frozenset({"kolkata", "new-york"}))) == ([("2026-10-31", 2)], "UTC")
        of_one = ([("2026-11-01", 1)], "Asia/Kolkata")
        assert days(tenant="kolkata", report_time_zone="America/New_York") == of_one
        assert days(scope=Scope(frozenset({"kolkata"}))) == of_one
        assert days(by=["tenant"]) == ([("2026-10-31", 1), ("2026-11-01", 1)], None)
        assert days(by=["tenant"], time_zone="Asia/Kolkata") == ([("2026-11-01", 1)] * 2, "Asia/Kolkata")

    def test_an_answer_says_in_which_zone_it_begins_and_ends(self, store: Store) -> None:
        """Where that is not the same for all tenants, in which stretch for the tenants of each zone."""
        store.add(*(at("2026-10-31T20:00:00Z", tenant_id=tenant) for tenant in ("kolkata", "new-york")))
        store.set_time_zone("kolkata", "Asia/Kolkata")
        store.set_time_zone("new-york", "America/New_York")
        november: dict[str, Any] = {"start": date(2026, 11, 1), "end": date(2026, 12, 1)}
        together = {"name": None, "from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "time_zone": "UTC"}
        assert totals(store.engine, by=["model"], **november)["window"] == together
        apart = totals(store.engine, **november)["window"]
        assert (apart["from"], apart["to"], apart["time_zone"]) == (
            "2026-10-31T18:30:00Z",
            "2026-12-01T05:00:00Z",
            None,
        )
        assert apart["time_zones"] == {
            "America/New_York": {"from": "2026-11-01T04:00:00Z", "to": "2026-12-01T05:00:00Z"},
            "Asia/Kolkata": {"from": "2026-10-31T18:30:00Z", "to": "2026-11-30T18:30:00Z"},
        }

    def test_a_leap_day_is_a_day_of_its_month_in_every_zone(self, store: Store) -> None:
        """One prompt before it, two at its ends, one after it: in totals by day and by month, and of budgets of these periods."""
        for zone, ends in LEAP_DAYS.items():
            begins, after = map(datetime.fromisoformat, ends)
            second = timedelta(seconds=1)
            moments = (begins - second, begins, after - second, after)
            store.add(*(at(wire_time(each), tenant_id=zone, event_id=f"{zone} {each}") for each in moments))
            store.set_time_zone(zone, zone)
        days = {zone: {"2024-02-28": 1, "2024-02-29": 2, "2024-03-01": 1} for zone in LEAP_DAYS}
        months = {zone: {"2024-02": 3, "2024-03": 1} for zone in LEAP_DAYS}
        for bucket, expected in (("day", days), ("month", months)):
            rows = picked(totals(store.engine, by=["tenant"], bucket=bucket)["rows"], "tenant", bucket, "prompts")
            assert {(zone, name): prompts for zone, name, prompts in rows} == {
                (zone, name): prompts for zone, of_zone in expected.items() for name, prompts in of_zone.items()
            }
        for zone, (_, midnight) in LEAP_DAYS.items():
            told = {"name": "b", "tenant_id": zone, "limit_gco2e": 1, "time_zone": zone}
            noon = datetime.fromisoformat(midnight) - timedelta(hours=12)
            for period, prompts in (("day", 2), ("month", 3)):
                budget = parse_budget({**told, "period": period})
                with reading(store.engine) as connection:
                    consumed = consumed_in(connection, budget, period_at(budget, noon))
                assert consumed.carbon_mid_ugco2e == prompts * 2_500_000

    @pytest.mark.parametrize("zone", CHANGES)
    def test_hours_add_up_to_days_and_days_to_months_over_both_clock_changes(self, store: Store, zone: str) -> None:
        """Every amount, also where a month begins or ends with the change, with the zone a tenant's own and asked for."""
        place = ZoneInfo(zone)
        moments = [
            datetime.fromisoformat(change) + timedelta(minutes=minutes, microseconds=micro)
            for change in CHANGES[zone]
            for minutes in (-1440, -61, -31, -1, 0, 1, 29, 31, 61, 1440)
            for micro in (0, 999_999)
        ]
        store.add(
            *(
                at(wire_time(each), tenant_id=tenant, event_id=f"{n}", input_tokens=n)
                for tenant in ("own", "utc")
                for n, each in enumerate(moments)
            )
        )
        store.set_time_zone("own", zone)
        asks: list[dict[str, Any]] = [{"tenant": "own"}, {"time_zone": zone}, {"time_zone": zone, "by": ["team"]}]
        for asked in asks:
            months = totals(store.engine, bucket="month", **asked)
            days = totals(store.engine, bucket="day", **asked)
            tenants = 1 if "tenant" in asked else 2
            for month in months["rows"]:
                local = [each for each in moments if each.astimezone(place).strftime("%Y-%m") == month["month"]]
                assert month["prompts"] == len(local) * tenants
                assert added([day for day in days["rows"] if day["day"].startswith(month["month"])]) == exact(month)
            assert added(months["rows"]) == exact(months["total"]) == exact(days["total"])
            for day in days["rows"]:
                first = date.fromisoformat(day["day"])
                within: dict[str, Any] = {"start": first, "end": first + timedelta(days=1), **asked}
                hours = totals(store.engine, bucket="hour", **within)
                assert added(hours["rows"]) == exact(day)

    def test_an_empty_store_and_bounds_without_data_have_no_buckets(self, store: Store) -> None:
        """No row, and a total of zero."""
        assert totals(store.engine, bucket="month")["rows"] == []
        store.add(at("2026-11-22T11:00:00Z"))
        answer = totals(store.engine, bucket="month", start=date(2027, 1, 1), time_zone="Asia/Kathmandu")
        assert (answer["rows"], answer["total"]["prompts"]) == ([], 0)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"bucket": "week"}, "--bucket week: choose from hour, day, month"),
            ({"bucket": "month", "by": ["day"]}, "--by month: a day says its month as well"),
            ({"top": 0}, "--top 0: must be at least 1"),
            ({"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
        ],
    )
    def test_what_cannot_be_answered_is_named(self, store: Store, wrong: dict[str, Any], message: str) -> None:
        """With what is allowed."""
        with pytest.raises(UsageError, match=message):
            totals(store.engine, **wrong)


class TestTop:
    """On every database."""

    def test_all_but_the_largest_are_one_row(self, store: Store) -> None:
        """Of five teams the two largest, and the other three together; every row says which it is."""
        store.add(*(at(f"2026-11-22T11:0{n}:00Z", team_id=f"t{n}", input_tokens=n, output_tokens=0) for n in range(5)))
        answer = totals(store.engine, by=["team"], top=2)
        assert picked(answer["rows"], "team", "team_id", "other", "prompts", "input_tokens") == [
            ("t4", "t4", False, 1, 4),
            ("t3", "t3", False, 1, 3),
            (None, None, True, 3, 3),
        ]
        assert (answer["rows_total"], answer["total"]["prompts"]) == (3, 5)
        assert all(row["other"] is False for row in totals(store.engine, by=["team"], top=5)["rows"])

    def test_no_team_is_not_the_others(self, store: Store) -> None:
        """Both have no name; only one of them says that it is of others."""
        moments = (f"2026-11-22T11:0{n}:00Z" for n in range(3))
        store.add(
            *(
                at(each, team_id=team, input_tokens=n)
                for n, (each, team) in enumerate(zip(moments, ("a", "b", ...), strict=True))
            )
        )
        rows = totals(store.engine, by=["team"], top=1)["rows"]
        assert picked(rows, "team", "other", "prompts") == [(None, False, 1), (None, True, 2)]

    @pytest.mark.parametrize("by", ["team", "user", "tenant,model", "team,user", "basis"])
    @pytest.mark.parametrize("bucket", [None, "hour", "day", "month"])
    def test_rows_add_up_to_the_total_whatever_is_cut_off(self, store: Store, by: str, bucket: str | None) -> None:
        """Amounts and impacts, for every n; with buckets the same names in each of them."""
        store.add(
            *(
                at(
                    wire_time(NOON - timedelta(hours=7 * n)),
                    tenant_id=f"tenant-{n % 2}",
                    team_id=f"team-{n % 3}",
                    user_id=f"user-{n % 5}",
                    request_model=("small", "big")[n % 2],
                    input_tokens=n,
                )
                for n in range(20)
            )
        )
        whole = totals(store.engine, by=[by], bucket=bucket)
        for top in (1, 2, 100):
            answer = totals(store.engine, by=[by], bucket=bucket, top=top)
            rows = answer["rows"]
            assert added(rows) == exact(answer["total"]) == exact(whole["total"])
            names = {tuple(row[name] for name in by.split(",")) for row in rows if not row["other"]}
            assert len(names) <= top
            if bucket is not None:
                others = picked((row for row in rows if row["other"]), bucket)
                assert len(others) == len(set(others))
                assert [row[bucket] for row in rows] == sorted(row[bucket] for row in rows)
            plain = {tuple(row[name] for name in whole["by"]): row for row in whole["rows"]}
            for row in rows:
                if not row["other"]:
                    same = plain[tuple(row[name] for name in whole["by"])]
                    assert {name: row[name] for name in same} == same


class TestRollingTotals:
    """On every database."""

    def test_rows_are_those_of_every_window_to_the_last_digit(self, store: Store) -> None:
        """For tenants of two time zones and one without prompts, and for who sees one team only."""
        ages_h = (0, 0.5, 0.99, 1.2, 23, 25, 24 * 6, 24 * 8, 24 * 21, 24 * 29, 24 * 31)
        store.add(
            *(
                at(
                    wire_time(NOON - timedelta(hours=age_h)),
                    tenant_id=tenant,
                    team_id=f"t{n % 2}",
                    request_model=("small", "big")[n % 2],
                    input_tokens=2**n,
                )
                for tenant in ("kolkata", "utc")
                for n, age_h in enumerate(ages_h)
            )
        )
        store.set_time_zone("kolkata", "Asia/Kolkata")
        store.set_time_zone("quiet", "UTC")
        now = NOON + timedelta(minutes=4, seconds=30)
        for scope in (EVERYTHING, Scope(frozenset({"kolkata"})), Scope(frozenset({"utc"}), frozenset({"t1"}))):
            told = rolling_totals(store.engine, scope, now)
            rows = {(row["tenant"], row["window"]): row for row in told["rows"]}
            seen = [row["tenant"] for row in told["rows"] if row["window"] == "1h"]
            assert seen == [tenant for tenant in ("kolkata", "quiet", "utc") if scope.has_tenant(tenant)]
            for window in WINDOWS:
                answer = answer_to(store.engine, scope, TotalsQuery(window=window), now)
                of_window = {row["tenant"]: row for row in answer["rows"]}
                assert {tenant for tenant, each in rows if each == window and rows[tenant, each]["prompts"]} == set(
                    of_window
                )
                for tenant, row in of_window.items():
                    assert {name: rows[tenant, window][name] for name in row} == row
                assert told["total"][window] == answer["total"]
                assert {"name": window, **told["windows"][window]} == answer["window"]

    def test_an_empty_store_and_somebody_elses_tenant_have_no_rows(self, store: Store) -> None:
        """And totals of zero."""
        store.add(at("2026-11-22T11:00:00Z"))
        for told in (
            rolling_totals(store.engine, Scope(frozenset({"nobody"})), NOON),
            rolling_totals(store.engine, EVERYTHING, NOON, tenant="nobody"),
        ):
            assert (told["rows"], told["total"]["mtd"]["prompts"]) == ([], 0)
        [row] = [
            row
            for row in rolling_totals(store.engine, EVERYTHING, NOON, tenant="acme")["rows"]
            if row["window"] == "24h"
        ]
        assert (row["prompts"], row["carbon_gco2e"]) == (1, {"low": 1.25, "mid": 2.5, "high": 5.0})


assert NOON.tzinfo is UTC
