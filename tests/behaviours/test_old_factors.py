"""Carbon that rests on carbon intensities that were old when the prompt ended: by region, and by the year of the data."""

import json
from typing import Any

import pytest

from rice_stream.instants import us_from_iso
from rice_stream.reports.coverage import coverage
from rice_stream.reports.old_factors import old_from_s
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.reports_store import NOON, Store, at


def age(store: Store, region: str, **said: Any) -> None:
    """Let the factors of a region say of when their data are; nothing where `said` is empty."""
    for row in store.rows("SELECT factor_key, detail FROM factor_use WHERE region = :region", region=region):
        detail = json.loads(row["detail"])
        detail["sources"] = {**{name: value for name, value in detail["sources"].items() if name != "rci_year"}, **said}
        text = json.dumps(detail, sort_keys=True, separators=(",", ":"))
        store.execute("UPDATE factor_use SET detail = :text WHERE factor_key = :key", text=text, key=row["factor_key"])


@pytest.mark.parametrize(
    ("data_of", "old_from"),
    [("2024", "2026-07-01"), ("2025", "2027-07-01"), ("2025-05-22", "2026-11-22"), ("2024-08-31", "2026-03-03")],
)
def test_data_are_old_eighteen_months_after_their_year_or_date(data_of: str, old_from: str) -> None:
    """A month that is too short for the day ends later."""
    assert old_from_s(data_of) == us_from_iso(old_from) // 1_000_000


@pytest.mark.parametrize("data_of", ["null", "", "{}", "12:3"])
def test_what_is_no_date_has_no_age(data_of: str) -> None:
    assert old_from_s(data_of) is None


class TestOldFactors:
    """On every database."""

    def test_carbon_is_old_from_the_day_on_which_its_data_are(self, store: Store) -> None:
        """By hand: 2.5 g a prompt; of two prompts at each place those count that ended when the data were old."""
        days = ("2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z", "2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z")
        regions = ("year", "date", "fresh", "undated", "own")
        own: dict[str, Any] = {"own": {"rci_gco2e_per_kwh": 500.0}}
        store.add(
            *(
                at(day, event_id=f"{region} {day}", inference_region=region, **own.get(region, {}))
                for region in regions
                for day in days
            )
        )
        for region, said in (
            ("year", {"rci_year": 2024}),
            ("date", {"rci_year": None, "rci_valid_from": "2025-05-22"}),
            ("fresh", {"rci_year": 2025}),
            ("undated", {"rci_year": None}),
            ("own", {"rci_year": 1999}),
        ):
            age(store, region, **said)
        found = coverage(store.engine, EVERYTHING, now=NOON)
        old = found["old_factors"]
        assert [(row["region"], row["data_of"], row["prompts"]) for row in old["rows"]] == [
            ("year", ["2024"], 3),
            ("date", ["2025-05-22"], 1),
        ]
        grams = found["carbon_gco2e"] - sum(
            row["carbon_gco2e"] for row in coverage(store.engine, EVERYTHING, now=NOON)["event_factors"]["rows"]
        )
        assert old["carbon_gco2e"] == pytest.approx(grams / 16 * 4)
        assert old["share_of_carbon"] == old["carbon_gco2e"] / found["carbon_gco2e"]
        assert (old["prompts"], old["rows_total"], old["older_than_months"]) == (4, 2, 18)
        recent = coverage(store.engine, EVERYTHING, now=NOON, days=2)["old_factors"]
        assert [(row["region"], row["prompts"]) for row in recent["rows"]] == [("date", 1), ("year", 2)] or [
            (row["region"], row["prompts"]) for row in recent["rows"]
        ] == [("year", 2), ("date", 1)]
        assert coverage(store.engine, Scope(frozenset({"nobody"})), now=NOON)["old_factors"]["rows"] == []
