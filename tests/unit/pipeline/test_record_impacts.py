"""Embodied carbon and water in records and totals: beside the carbon, null where the method does not give them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_running import Shell


def ingest(ledger: Shell, *events: dict[str, Any], method: str = "rice-calibrated") -> None:
    """Events of the tenant `own` at one instant."""
    common = {"tenant_id": "own", "ended_at": "2026-11-20T10:00:00Z", "request_model": "llama-3.1-8b"}
    path: Path = ledger.directory / "own.jsonl"
    path.write_text("\n".join(json.dumps({**common, **event}) for event in events))
    assert ledger.run("ingest", str(path), RICE_METHOD=method).exit_code == 0


def test_a_record_holds_what_the_estimate_says(ledger: Shell) -> None:
    """Micrograms and microlitres of the middle value; explain repeats them with their ends; carbon does not contain them."""
    ingest(ledger, {"event_id": "i-1", "input_tokens": 800, "output_tokens": 120})
    asked = ("estimate", "--model", "llama-3.1-8b", "--input-tokens", "800", "--output-tokens", "120")
    one = ledger.json(*asked, "--method", "rice-calibrated")
    document = ledger.json("explain", "i-1")
    record = document["record"]
    assert document["agrees"] is True
    assert record["embodied_ugco2e"] == round(one["embodied_gco2e"]["mid"] * 1e6) > 0
    assert record["water_ul"] == round(one["water_l"]["mid"] * 1e6) > 0
    assert record["carbon_mid_ugco2e"] == round(one["carbon_gco2e"]["mid"] * 1e6)
    steps = {step["name"]: step["value"] for step in document["steps"]}
    for end in ("low", "mid", "high"):
        assert steps[f"embodied_{end}_gco2e"] == pytest.approx(one["embodied_gco2e"][end])
        assert steps[f"water_{end}_l"] == pytest.approx(one["water_l"][end])


def test_rice_paper_leaves_them_empty(ledger: Shell) -> None:
    """Null is not zero: the paper's method does not know how long devices are held."""
    ingest(ledger, {"event_id": "i-1", "input_tokens": 800, "output_tokens": 120}, method="rice-paper")
    record = ledger.json("explain", "i-1")["record"]
    assert record["embodied_ugco2e"] is None
    assert record["water_ul"] is None
    total = ledger.json("totals", "--tenant", "own", "--impacts")["total"]
    assert (total["impact_prompts"], total["embodied_gco2e"]["mid"], total["water_l"]) == (0, None, None)


def test_totals_add_them_up(ledger: Shell) -> None:
    """Sums of the records to the microgram, by any field; a gateway's own answer adds a prompt and nothing else."""
    ingest(ledger, {"event_id": "i-0", "input_tokens": 5, "output_tokens": 5}, method="rice-paper")
    ingest(
        ledger,
        {"event_id": "i-1", "input_tokens": 800, "output_tokens": 120},
        {"event_id": "i-2", "input_tokens": 9, "output_tokens": 2500, "request_model": "qwen3-32b"},
        {"event_id": "i-3", "input_tokens": 800, "output_tokens": 120, "gateway_cache_hit": True},
    )
    stored = [ledger.json("explain", f"i-{number}", "--tenant", "own")["record"] for number in (1, 2, 3)]
    assert (stored[2]["embodied_ugco2e"], stored[2]["water_ul"]) == (0, 0)
    document = ledger.json("totals", "--by", "model", "--tenant", "own", "--impacts")
    rows = {row["model"]: row for row in document["rows"]}
    assert rows["qwen3-32b"]["embodied_gco2e"]["mid"] == stored[1]["embodied_ugco2e"] / 1e6
    assert (rows["llama-3.1-8b"]["prompts"], rows["llama-3.1-8b"]["impact_prompts"]) == (3, 2)
    assert document["total"]["water_l"] == pytest.approx(sum(row["water_ul"] for row in stored) / 1e6)
    everyone = ledger.json("totals", "--impacts")["total"]
    assert (everyone["prompts"], everyone["impact_prompts"]) == (7, 6)
    assert "embodied, beside it" in ledger.run("totals", "--impacts").stdout
    assert ledger.json("totals")["total"] == everyone
    assert "embodied, beside it" not in ledger.run("totals").stdout
    # The ends of the rate of the hardware, which is the same for all three.
    embodied = document["total"]["embodied_gco2e"]
    steps = {step["name"]: step["value"] for step in ledger.json("explain", "i-1", "--tenant", "own")["steps"]}
    for end in ("low", "high"):
        ratio = steps[f"embodied_{end}_gco2e"] / steps["embodied_mid_gco2e"]
        assert embodied[end] / embodied["mid"] == pytest.approx(ratio)


def test_a_repeat_with_other_impacts_is_a_duplicate_and_no_conflict(ledger: Shell) -> None:
    """The same event under another method is the same event: what was estimated is not what it said."""
    ingest(ledger, {"event_id": "i-1", "input_tokens": 800, "output_tokens": 120})
    again = ledger.json("ingest", str(ledger.directory / "own.jsonl"), RICE_METHOD="rice-paper")
    assert (again["records"], again["duplicates"], again["conflicts"]) == (0, 1, 0)
    assert ledger.json("verify")["ok"] is True
