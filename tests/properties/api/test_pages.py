"""Through the pages: what Explore and Periods show is what the API answers, and days add up to months, rows to the last line.

With the prompts of `test_additivity`, near both clock changes of four time zones; by prompts, which are few enough to be written
with all digits.
"""

import asyncio
from datetime import date
from typing import Any
from urllib.parse import urlencode

from rice_stream.wording.amounts import count, in_column, scale_for
from tests.properties.api.test_additivity import Served, served
from tests.support.asgi import ask
from tests.support.cases import size
from tests.unit.api.console.reading import ReadPage, read

__all__ = ["served"]
FIELDS = ("team", "user", "model", "region", "project", "tenant")
Table = list[list[str]]


def shown(served: Served, caller: str, path: str, **asked: Any) -> ReadPage:
    """The page that a caller is shown."""
    query = urlencode([(name.rstrip("_"), value) for name, value in asked.items()], doseq=True)
    headers = {"authorization": f"Bearer {served._secrets[caller]}"}
    return read(asyncio.run(ask(served.door.app, "GET", f"{path}?{query}", headers=headers.items())))


def columns(table: Table) -> tuple[dict[str, list[int]], list[int]]:
    """The numbers of the bars by name, and their last line."""
    *rows, last = table[1:]
    names = [name.strip() for name in table[0][1:]]
    return {name: [int(row[place + 1]) for row in rows] for place, name in enumerate(names)}, list(map(int, last[1:]))


def months(zone_changes: int) -> tuple[str, str]:
    """The months around a change."""
    return ("2026-03-01", "2026-05-01") if zone_changes == 0 else ("2026-09-01", "2026-12-01")


def asked_by(served: Served) -> tuple[str, dict[str, Any]]:
    """Somebody, and names that they narrow it to."""
    caller = served.draw.choice(["everything", "two tenants", "one team"])
    narrowed: dict[str, Any] = {}
    if served.draw.random() < 0.5:
        narrowed["model"] = served.draw.sample(["gpt", "big", "small"], 2)
    if caller != "one team" and served.draw.random() < 0.5:
        narrowed["tenant"] = "own"
    return caller, narrowed


def test_bars_rows_and_last_lines_of_explore_are_the_apis_and_add_up(served: Served) -> None:
    for case in range(size(3, 60)):
        caller, narrowed = asked_by(served)
        by = served.draw.choice(FIELDS[: 5 if caller == "one team" or "tenant" in narrowed else 6])
        start, end = months(case % 2)
        stretch = {"from_": start, "to": end, "time_zone": served.zone}
        page = shown(served, caller, "/explore", by=by, bucket="day", measure="prompts", **stretch, **narrowed)
        bars, last = columns(page.tables[0])
        said = served.totals(caller, by=by, **stretch, **narrowed)
        by_day = served.totals(caller, bucket="day", by=by, **stretch, **narrowed)
        assert last[-1] == said["total"]["prompts"] == sum(last[:-1])
        for place, (name, values) in enumerate(bars.items()):
            assert sum(values) == last[place]
            if name != "All":
                rows = [row for row in by_day["rows"] if (row[by] or "") in (name, "")]
                assert sum(row["prompts"] for row in rows) >= last[place]
        assert [sum(each) for each in zip(*list(bars.values())[:-1], strict=True)] == bars["All"]
        days = [row["prompts"] for row in served.totals(caller, bucket="day", by="day", **stretch, **narrowed)["rows"]]
        assert [value for value in bars["All"] if value] == days
        rows = page.tables[1]
        assert [cells[6] for cells in rows[1:-1]] == [str(row["prompts"]) for row in said["rows"]]
        assert rows[-1][6] == str(said["total"]["prompts"])
        month_page = shown(served, caller, "/explore", by=by, bucket="month", measure="prompts", **stretch, **narrowed)
        by_month, _ = columns(month_page.tables[0])
        assert {name: sum(values) for name, values in by_month.items()} == {
            name: sum(values) for name, values in bars.items()
        }


def test_carbon_of_explore_is_the_apis_to_the_digit(served: Served) -> None:
    for case in range(size(2, 40)):
        caller, narrowed = asked_by(served)
        start, end = months(case % 2)
        stretch = {"from_": start, "to": end, "time_zone": served.zone}
        said = served.totals(caller, by="team,", **stretch, **narrowed)
        carbon = said["total"]["carbon_gco2e"]["mid"]
        scale = scale_for("carbon", [carbon])

        def told(row: dict[str, Any], carbon: float = carbon, scale: Any = scale) -> str:
            low, mid, high = (in_column(row["carbon_gco2e"][end], scale, carbon) for end in ("low", "mid", "high"))
            return " ".join(f"{mid} {low}–{high}".split())

        rows = shown(served, caller, "/explore", by="team", **stretch, **narrowed).tables[1]
        assert [cells[2] for cells in rows[1:]] == [told(row) for row in [*said["rows"], said["total"]]]


def test_months_of_periods_are_the_apis_and_what_their_days_add_up_to(served: Served) -> None:
    for caller, whose in (("everything", {}), ("everything", {"tenant": "own"}), ("two tenants", {}), ("one team", {})):
        zone = {"time_zone": served.zone}
        table = shown(served, caller, "/periods", year=2026, **zone, **whose).tables[0]
        said = served.totals(caller, bucket="month", by="month", from_="2026-01-01", to="2027-01-01", **zone, **whose)
        numbers = [cells[5:8] for cells in table[1:] if cells[5] != "0"]
        expected = [
            [" ".join(count(row[name]).split()) for name in ("prompts", "input_tokens", "output_tokens")]
            for row in [*reversed(said["rows"]), said["total"]]
        ]
        assert numbers == expected
        *prompts, total = (int(cells[0]) for cells in numbers)
        assert sum(prompts) == total
        for row in said["rows"]:
            first = date.fromisoformat(f"{row['month']}-01")
            following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
            asked = {"from_": str(first), "to": str(following), "bucket": "day", "measure": "prompts", "by": "model"}
            bars, last = columns(shown(served, caller, "/explore", **asked, **zone, **whose).tables[0])
            assert sum(bars["All"]) == last[-1] == row["prompts"]
