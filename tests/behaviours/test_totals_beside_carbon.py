"""What rows of totals say beside their carbon: by the market, embodied with its ends, water, and how well the carbon is known."""

from datetime import datetime
from typing import Any

import pytest

from rice_stream.proof.rebuild import rebuild
from rice_stream.reports.rolling_totals import rolling_totals
from rice_stream.reports.tier_words import TIERS
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import OPERATOR
from tests.support.reports_store import NOON, Store, at

MORNING = "2026-11-22T11:00:00Z"
UNKNOWN_ENDS = {"low": None, "mid": None, "high": None}
SERVER = {"low": 375, "mid": 500, "high": 713}
A100, H100 = {"low": 127, "mid": 150, "high": 318}, {"low": 143, "mid": 164, "high": 273}


def ends(device: dict[str, int]) -> tuple[float, float]:
    """Over the middle, by hand from embodied.csv: little carbon over 6 years at 95 %, much over 3 years at 40 %; 5 at 70 %."""
    whole = {end: device[end] + SERVER[end] for end in device}
    return whole["low"] / whole["mid"] * (5 * 0.7) / (6 * 0.95), whole["high"] / whole["mid"] * (5 * 0.7) / (3 * 0.4)


def asked(store: Store, **query: Any) -> dict[Any, dict[str, Any]]:
    """Rows by their names, and that of all under "all"."""
    answer = totals(store.engine, EVERYTHING, TotalsQuery(**query), NOON)
    return {tuple(row[name] for name in answer["by"]): row for row in answer["rows"]} | {"all": answer["total"]}


def shares(**of: float) -> dict[str, float]:
    """All five words; those that are not given are 0."""
    return {**dict.fromkeys(TIERS, 0.0), **of}


class TestTotalsBesideCarbon:
    """On every database."""

    def test_embodied_carbon_has_the_ends_of_the_hardware_that_served_each_added_up(self, store: Store) -> None:
        """3 g on an A100 and 1 g on an H100; also of a stretch whose edge cuts their quarter hour, and in rolling windows."""
        store.add(
            at(MORNING, event_id="a", region="x"),
            at("2026-11-22T11:05:00Z", event_id="h", hardware="H100", request_model="big"),
            at("2026-11-22T11:06:00Z", event_id="n"),
        )
        for event_id, grams, millilitres in (("a", 3, 20), ("h", 1, 5)):
            amounts = {"e": grams * 10**6, "w": millilitres * 1000, "id": event_id}
            store.execute(
                "UPDATE prompt_record SET embodied_ugco2e = :e, water_ul = :w WHERE event_id = :id", **amounts
            )
        rebuild(store.engine, by=OPERATOR)
        low = 3 * ends(A100)[0] + ends(H100)[0]
        high = 3 * ends(A100)[1] + ends(H100)[1]
        rows = asked(store, window="24h", by=("model",))
        of_all = rows["all"]
        assert of_all["embodied_gco2e"] == pytest.approx({"low": low, "mid": 4.0, "high": high})
        assert (of_all["impact_prompts"], of_all["prompts"], of_all["water_l"]) == (2, 3, 0.025)
        of_big = {"low": ends(H100)[0], "mid": 1.0, "high": ends(H100)[1]}
        assert rows["big",]["embodied_gco2e"] == pytest.approx(of_big)
        start, end = datetime.fromisoformat("2026-11-22T11:04:00Z"), datetime.fromisoformat("2026-11-22T11:05:30Z")
        cut = asked(store, start=start, end=end)["all"]
        assert (cut["embodied_gco2e"]["mid"], cut["water_l"], cut["prompts"]) == (1.0, 0.005, 1)
        # The shares are those of the whole quarter hour, as for the range of the carbon.
        assert cut["embodied_gco2e"]["high"] == pytest.approx(high / 4)
        after = asked(store, start=datetime.fromisoformat("2026-11-22T11:05:30Z"))["all"]
        assert (after["embodied_gco2e"], after["water_l"], after["impact_prompts"]) == (UNKNOWN_ENDS, None, 0)
        rolling = rolling_totals(store.engine, EVERYTHING, NOON)
        assert rolling["total"]["24h"]["embodied_gco2e"] == pytest.approx({"low": low, "mid": 4.0, "high": high})

    def test_carbon_by_the_market_is_that_by_location_where_nothing_is_known_of_it(self, store: Store) -> None:
        store.add(at(MORNING, event_id="a"), at("2026-11-22T11:05:00Z", event_id="b"))
        store.execute("UPDATE prompt_record SET carbon_market_ugco2e = 0 WHERE event_id = 'b'")
        rebuild(store.engine, by=OPERATOR)
        row = asked(store, window="24h")["all"]
        assert row["carbon_market_gco2e"] == row["carbon_gco2e"]["mid"] / 2 > 0

    def test_the_carbon_of_each_row_is_shared_out_among_five_words(self, store: Store) -> None:
        """20 weighted tokens are 2.5 g; `big` costs three times as much. What nobody is known to have sent is missing."""
        known = {"inference_region": "se"}
        store.add(
            at(MORNING, event_id="known", **known),
            at(MORNING, event_id="placeless", team_id="red"),
            at(MORNING, event_id="big", request_model="big", **known),
            at(MORNING, event_id="nobodys", tenant_id="unknown", **known),
        )
        rows = asked(store, window="24h", by=("model",))
        assert rows["big",]["data_tiers"] == shares(estimated=1.0)
        assert rows["small",]["data_tiers"] == pytest.approx(shares(estimated=1 / 3, missing=2 / 3))
        assert rows["all"]["data_tiers"] == pytest.approx(shares(estimated=4 / 6, missing=2 / 6))
        by_tier = asked(store, window="24h", by=("data-tier", "model"))
        told = {names: round(row["carbon_gco2e"]["mid"] / 2.5, 9) for names, row in by_tier.items()}
        assert told == {
            ("estimated", "big"): 3,
            ("estimated", "small"): 1,
            ("missing", "small"): 2,
            "all": 6,
        }
        assert by_tier["missing", "small"]["data_tiers"] == shares(missing=1.0)
        by_tenant = asked(store, window="24h")
        assert by_tenant["unknown",]["data_tiers"] == shares(missing=1.0)
        assert by_tenant["acme",]["data_tiers"] == pytest.approx(shares(estimated=4 / 5, missing=1 / 5))
        assert by_tenant["all"]["data_tiers"] == pytest.approx(rows["all"]["data_tiers"])
        assert asked(store, window="24h", tenant="unknown", by=("model",))["all"]["data_tiers"] == shares(missing=1.0)
        top = totals(store.engine, EVERYTHING, TotalsQuery(window="24h", by=("model",), top=1), NOON)
        assert [row["data_tiers"] for row in top["rows"]] == [rows[name,]["data_tiers"] for name in ("big", "small")]
        nothing = asked(store, start=datetime.fromisoformat("2026-11-23T00:00:00Z"))["all"]
        assert nothing["data_tiers"] == dict.fromkeys(TIERS)
