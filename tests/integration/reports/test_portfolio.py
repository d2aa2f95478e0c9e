"""What a tenant's total is known within, with the method and the tables that are shipped."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.cli_running import Shell

PORTFOLIO = {
    "openai": ("azure:eastus2", ("gpt-4o", "o3", "gpt-4.1")),
    "anthropic": ("aws:eu-central-1", ("claude-sonnet-4", "claude-3-5-sonnet", "claude-3-7-sonnet")),
    "google": ("gcp:europe-west4", ("gemini-2.5-pro", "gemini-1.5-pro", "gemini-2.5-flash")),
    "mistral": ("aws:ap-northeast-1", ("mistral-large-2", "pixtral-large", "mistral-medium-3")),
}
"""Provider -> its region and models."""
ENDS = ("low", "mid", "high")


@pytest.fixture
def ledger(shell: Shell) -> Shell:
    """Two prompts of each of twelve models at four providers, each in a region of its own."""
    common = {
        "tenant_id": "acme",
        "ended_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "input_tokens": 500,
        "output_tokens": 250,
    }
    events = [
        {
            **common,
            "event_id": f"{model}-{number}",
            "provider": provider,
            "request_model": model,
            "inference_region": region,
            "team_id": provider,
        }
        for provider, (region, models) in PORTFOLIO.items()
        for model in models
        for number in range(2)
    ]
    shell.json("migrate")
    path = shell.directory / "portfolio.jsonl"
    path.write_text("\n".join(json.dumps(event) for event in events))
    assert shell.json("ingest", str(path))["records"] == len(events)
    return shell


def factor(carbon: dict[str, float]) -> float:
    return carbon["high"] / carbon["low"]


def test_twelve_models_at_four_providers_are_known_within_a_factor_of_three(ledger: Shell) -> None:
    """Narrower than any of them alone, whose range is that of its estimate."""
    whole = ledger.json("totals")["total"]
    assert factor(whole["carbon_gco2e"]) <= 3.0 < factor(whole["carbon_gco2e_linear"])
    rows = ledger.json("totals", "--by", "provider,model")["rows"]
    assert len(rows) == 12
    for row in rows:
        asked = ("--model", row["model"], "--provider", row["provider"], "--region", PORTFOLIO[row["provider"]][0])
        one = ledger.json("estimate", *asked, "--input-tokens", "500", "--output-tokens", "250")["carbon_gco2e"]
        for end in ENDS:
            assert row["carbon_gco2e"][end] == pytest.approx(2 * one[end], rel=1e-3), (row["model"], end)
        assert factor(row["carbon_gco2e"]) > factor(whole["carbon_gco2e"])


def test_old_and_new_methods_in_one_total(ledger: Shell) -> None:
    """Records of the paper's method beside those with spreads: every range holds its middle, and verify is ok."""
    path = ledger.directory / "more.jsonl"
    events = [json.loads(line) for line in (ledger.directory / "portfolio.jsonl").read_text().splitlines()[:6]]
    path.write_text("\n".join(json.dumps({**event, "event_id": f"old-{k}"}) for k, event in enumerate(events)))
    assert ledger.run("ingest", str(path), RICE_METHOD="rice-paper").exit_code == 0
    for by in ("tenant", "model", "provider", "team", "hour"):
        document = ledger.json("totals", "--by", by)
        for row in (*document["rows"], document["total"]):
            low, mid, high = (row["carbon_gco2e"][end] for end in ENDS)
            assert low <= mid <= high
            assert row["carbon_gco2e_linear"]["low"] <= mid <= row["carbon_gco2e_linear"]["high"]
    assert ledger.json("verify")["ok"] is True
