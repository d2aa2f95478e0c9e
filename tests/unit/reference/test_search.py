"""The listings behind `rice-stream models` and `rice-stream regions`."""

import json
from functools import cache

from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference


@cache
def reference() -> Reference:
    return load_reference()


def test_models_are_found_by_every_word_of_the_query_and_are_ready_for_json() -> None:
    found = reference().search_models("claude sonnet")
    assert {row["model_id"] for row in found} >= {"claude-3-5-sonnet", "claude-sonnet-4", "claude-sonnet-4-5"}
    assert all("claude" in json.dumps(row).lower() for row in found)
    row = next(row for row in found if row["model_id"] == "claude-3-5-sonnet")
    assert row["params_active_b"] == {"low": 35.0, "mid": 85.0, "high": 200.0}
    assert row["source"].startswith("Our reading of the public evidence")
    assert "claude-3-5-sonnet-20240620" in row["aliases"]


def test_a_model_that_no_row_has_is_answered_by_the_look_up() -> None:
    (row,) = reference().search_models("acme-70b")
    assert (row["model_id"], row["rung"]) == ("size:70b", "size_in_name")


def test_without_a_query_every_model_and_region_is_listed() -> None:
    assert len(reference().search_models()) > 500
    assert len(reference().search_regions()) > 500


def test_regions_show_both_scopes_with_rung_year_and_source() -> None:
    row = reference().search_regions("swedencentral")[0]
    assert row["region_id"] == "azure:swedencentral"
    assert row["rci"]["lifecycle"]["rci_gco2e_per_kwh"]["mid"] == 35.26
    assert row["rci"]["lifecycle"]["rung"] == "country"
    assert row["rci"]["direct"]["rung"] == "grid_zone"
    assert (row["pue"], row["pue_rung"]) == (1.16, "region")
    json.dumps(row)


def test_a_spelling_of_a_region_comes_first_and_an_unknown_one_finds_nothing() -> None:
    assert reference().search_regions("us-east-1a")[0]["region_id"] == "aws:us-east-1"
    assert reference().search_regions("nowhere at all") == []


def test_a_listing_is_as_of_the_time_that_is_asked_for() -> None:
    def aliases(at_us: int) -> list[str]:
        return next(
            row["aliases"]
            for row in reference().search_models("mistral-large-2402", at_us)
            if row["model_id"] == "mistral-large-2402"
        )

    assert "mistral-large-latest" in aliases(1_710_000_000_000_000)
    assert "mistral-large-latest" not in aliases(1_790_000_000_000_000)
