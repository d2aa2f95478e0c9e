"""Through the API: hours add up to days, days to months, tenants to the whole, and the largest names with all others to everything.

For every amount that adds up, to the last micro-unit, over both clock changes of four time zones: by half an hour on Lord Howe, by
an hour in New York; never in Kathmandu and Apia, whose days begin between UTC's hours and on another date than UTC's.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from rice_stream.events.canonical import wire_time
from tests.support.asgi import ask
from tests.support.cases import drawn, size, some
from tests.support.databases import Databases
from tests.support.reports_store import NOON, Store, at, open_store
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

CHANGES = {
    "Australia/Lord_Howe": ("2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"),
    "America/New_York": ("2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"),
    "Asia/Kathmandu": ("2026-03-31T18:15:00Z", "2026-10-31T18:15:00Z"),
    "Pacific/Apia": ("2026-03-31T11:00:00Z", "2026-10-31T11:00:00Z"),
}
"""Zone -> the instants at which its clocks are changed; where they never are, ends of months."""
TENANTS = ("own", "utc", "berlin")
AMOUNTS = ("prompts", "input_tokens", "output_tokens", "it_energy_wh", "facility_energy_wh")
EVENTS = 240
CASES: list[Any] = [f"sqlite {zone}" for zone in CHANGES] + [
    pytest.param(f"postgresql {zone}", marks=pytest.mark.services) for zone in some("additivity", sorted(CHANGES), 1)
]


class Served:
    """A server in front of random prompts near the clock changes of a zone, which is that of the tenant `own`."""

    def __init__(self, store: Store, zone: str, draw: Random) -> None:
        self.zone, self.place, self.draw = zone, ZoneInfo(zone), draw
        self.events = [_event(number, zone, draw) for number in range(EVENTS)]
        store.add(*self.events)
        store.set_time_zone("own", zone)
        store.set_time_zone("berlin", "Europe/Berlin")
        tokens = Database()
        self._secrets = {
            "everything": tokens.make("reader"),
            "two tenants": tokens.make("reader", {"own", "berlin"}),
            "one team": tokens.make("reader", {"own"}, teams=frozenset({"a"})),
        }
        url = store.engine.url.render_as_string(hide_password=False)
        self.door = Door(tokens=tokens, database_url=url, http_requests_per_s=1e6)
        self.door.product.now = lambda: NOON

    def totals(self, caller: str, **asked: Any) -> dict[str, Any]:
        """The answer to a caller."""
        query = urlencode({"limit": 10_000, **{name.rstrip("_"): value for name, value in asked.items()}}, doseq=True)
        headers = {"authorization": f"Bearer {self._secrets[caller]}"}
        answer = asyncio.run(ask(self.door.app, "GET", f"/v1/totals?{query}", headers=headers.items()))
        assert answer.status == 200, answer.body
        assert len(answer.document["rows"]) == answer.document["rows_total"]
        document: dict[str, Any] = answer.document
        return document

    def prompts_by_day(self, tenants: Iterable[str], teams: Iterable[str]) -> Counter[str]:
        """Counted from the events, by the dates that clocks of the zone show."""
        return Counter(
            str(datetime.fromisoformat(event["ended_at"]).astimezone(self.place).date())
            for event in self.events
            if event["tenant_id"] in tenants and event["team_id"] in teams
        )


@pytest.fixture(params=CASES)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    kind, _, zone = request.param.partition(" ")
    databases: Databases = request.getfixturevalue(kind)
    with open_store(databases.emptied()) as store:
        made = Served(store, zone, drawn(f"{kind} {zone}"))
        yield made
        made.door.product.close()


def _event(number: int, zone: str, draw: Random) -> dict[str, Any]:
    """Near a change, on an edge of a quarter hour, or anywhere within three days of it."""
    change = datetime.fromisoformat(draw.choice(CHANGES[zone]))
    away_s = draw.choice(
        [draw.randrange(-259_200, 259_200), draw.randrange(-12, 12) * 900, draw.randrange(-7200, 7200)]
    )
    moment = change + timedelta(seconds=away_s, microseconds=draw.choice([0, 1, 999_999]))
    return at(
        wire_time(moment),
        event_id=f"e-{number}",
        tenant_id=draw.choice(TENANTS),
        team_id=draw.choice("abc"),
        user_id=f"u-{draw.randrange(5)}",
        request_model=draw.choice(["gpt", "big", "small"]),
        input_tokens=draw.randrange(5_000),
        output_tokens=draw.randrange(1, 900),
    )


def exact(row: dict[str, Any]) -> list[int]:
    """What adds up, in whole micro-units."""
    carbon = [row["carbon_gco2e"]["mid"], *row["carbon_gco2e_linear"].values()]
    return [round(value * 1e6) for value in [*(row[name] for name in AMOUNTS), *carbon]]


def added(rows: Iterable[dict[str, Any]]) -> list[int]:
    """Rows added up."""
    return [sum(column) for column in zip(*map(exact, rows), strict=True)] or [0] * (len(AMOUNTS) + 3)


def questions(zone: str) -> list[tuple[str, dict[str, Any], tuple[str, ...], str]]:
    """Who asks what, of which tenants and teams it is: with the zone a tenant's own, and asked for."""
    return [
        ("everything", {"tenant": "own"}, ("own",), "abc"),
        ("everything", {"time_zone": zone}, TENANTS, "abc"),
        ("everything", {"time_zone": zone, "by": "tenant,model"}, TENANTS, "abc"),
        ("two tenants", {"time_zone": zone, "by": "team,user"}, ("own", "berlin"), "abc"),
        ("one team", {}, ("own",), "a"),
        ("one team", {"by": "model"}, ("own",), "a"),
    ]


def test_hours_add_up_to_days_and_days_to_months(served: Served) -> None:
    """Of every name in the break-down; each day has the prompts that ended while the zone's clocks showed it."""
    for caller, asked, tenants, teams in questions(served.zone):
        months, days = (served.totals(caller, bucket=bucket, **asked) for bucket in ("month", "day"))
        assert exact(months["total"]) == exact(days["total"]) == added(months["rows"]) == added(days["rows"])
        names = [name for name in months["by"] if name != "month"]
        for month in months["rows"]:
            same = {name: month[name] for name in names}
            within = [
                row for row in days["rows"] if same.items() <= row.items() and row["day"].startswith(month["month"])
            ]
            assert added(within) == exact(month)
        counted: Counter[str] = Counter()
        for row in days["rows"]:
            counted[row["day"]] += row["prompts"]
        assert counted == served.prompts_by_day(tenants, teams)
        for day in served.draw.sample(sorted(counted), min(size(3, 100), len(counted))):
            bounds = {"from_": day, "to": str(date.fromisoformat(day) + timedelta(days=1))}
            hours = served.totals(caller, bucket="hour", **bounds, **asked)
            assert added(hours["rows"]) == exact(hours["total"]) == added(r for r in days["rows"] if r["day"] == day)


def test_tenants_and_names_add_up_to_the_whole(served: Served) -> None:
    """Whatever the break-down, the stretch and who asks; the largest names and all others are everything."""
    changes = [datetime.fromisoformat(change) for change in CHANGES[served.zone]]
    for caller in ("everything", "two tenants", "one team"):
        for _ in range(size(3, 30)):
            middle = served.draw.choice(changes)
            ends = sorted(middle + timedelta(seconds=served.draw.randrange(-200_000, 200_000)) for _ in "ft")
            stretch = {"from_": wire_time(ends[0]), "to": wire_time(ends[1] + timedelta(microseconds=1))}
            whole = served.totals(caller, by="model", **stretch)["total"]
            for by in ("tenant", "team", "tenant,user", "project,region,provider", "basis"):
                apart = served.totals(caller, by=by, **stretch)
                assert added(apart["rows"]) == exact(apart["total"]) == exact(whole), by
                largest = served.totals(caller, by=by, top=1, **stretch)
                assert added(largest["rows"]) == exact(largest["total"]) == exact(whole), by
            each = [
                served.totals(caller, tenant=tenant, **stretch)["total"]
                for tenant in (("own", "berlin", "utc") if caller == "everything" else ("own", "berlin"))
                if caller != "one team" or tenant == "own"
            ]
            assert added(each) == exact(whole)


def test_the_largest_names_and_all_others_add_up_in_every_bucket(served: Served) -> None:
    """By day and month, to what the bucket has without names."""
    for caller, asked, _, _ in questions(served.zone):
        named = {**asked, "by": "team,model", "top": 2}
        for bucket in ("day", "month"):
            plain = {name: value for name, value in asked.items() if name != "by"}
            zone = {} if "tenant" in asked or caller == "one team" else {"time_zone": served.zone}
            whole = served.totals(caller, bucket=bucket, **{**plain, **zone})
            apart = served.totals(caller, bucket=bucket, **{**named, **zone})
            for row in whole["rows"]:
                assert added(r for r in apart["rows"] if r[bucket] == row[bucket]) == exact(row)
            assert exact(whole["total"]) == exact(apart["total"])


def test_windows_of_tenants_add_up_to_the_whole(served: Served) -> None:
    """Rolling totals too, as of an instant within the prompts."""
    for change in CHANGES[served.zone]:
        now = datetime.fromisoformat(change) + timedelta(seconds=served.draw.randrange(200_000))
        served.door.product.now = lambda now=now: now.astimezone(UTC)  # type: ignore[misc]
        headers = {"authorization": f"Bearer {served._secrets['everything']}"}
        answer = asyncio.run(ask(served.door.app, "GET", "/v1/rolling-totals", headers=headers.items())).document
        for window, total in answer["total"].items():
            assert added(row for row in answer["rows"] if row["window"] == window) == exact(total)
        assert answer["windows"]["mtd"]["time_zones"][served.zone]["to"] == answer["windows"]["mtd"]["to"]
