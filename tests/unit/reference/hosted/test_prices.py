"""List prices: every row of the table under its own name, the names of clouds, and the lowest that anybody lists."""

import csv
from functools import cache
from importlib import resources

import pytest

from rice_stream.instants import us_from_iso
from rice_stream.quantities import ListPrice
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import PriceFactor

NOW_US = us_from_iso("2026-11-29")


@cache
def reference() -> Reference:
    return load_reference()


def listed() -> list[dict[str, str]]:
    """The shipped rows as they are carried from models.dev."""
    text = (resources.files("rice_stream.reference") / "data" / "derived" / "prices.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def priced(row: dict[str, str]) -> bool:
    return float(row["usd_per_mtok_input"]) > 0 < float(row["usd_per_mtok_output"])


def price(model: str, provider: str | None = None, at: str = "2026-11-29") -> PriceFactor:
    factor = reference().resolve_price(provider, model, None, us_from_iso(at))
    assert factor is not None
    return factor


def test_the_whole_list_is_there() -> None:
    assert len(listed()) == 503
    assert sum(map(priced, listed())) == 486


@pytest.mark.parametrize(
    "row", [row for row in listed() if priced(row)], ids=lambda row: f"{row['provider']}/{row['model']}"
)
def test_every_row_answers_for_its_provider_and_bounds_its_model(row: dict[str, str]) -> None:
    """By provider and model its own figures; by the model's name alone nothing above them."""
    into, out = float(row["usd_per_mtok_input"]), float(row["usd_per_mtok_output"])
    cached = float(row["usd_per_mtok_cache_read"] or 0) or into
    own = price(row["model"], row["provider"])
    assert (own.rung, own.usd_per_mtok) == ("provider", ListPrice(into, cached, out))
    assert own.bound_usd_per_mtok == own.usd_per_mtok
    alone = price(row["model"])
    lowest = alone.bound_usd_per_mtok
    assert (lowest.input <= into, lowest.cache_read <= cached, lowest.output <= out) == (True, True, True)
    assert alone.lowest_usd_per_mtok.output <= alone.usd_per_mtok.output


@pytest.mark.parametrize(
    "row", [row for row in listed() if not priced(row)], ids=lambda row: f"{row['provider']}/{row['model']}"
)
def test_a_price_of_nothing_is_no_evidence(row: dict[str, str]) -> None:
    factor = reference().resolve_price(row["provider"], row["model"], None, NOW_US)
    assert factor is None or factor.lowest_usd_per_mtok.input > 0 < factor.lowest_usd_per_mtok.output


@pytest.mark.parametrize(
    ("model", "provider", "found", "rung"),
    [
        ("gpt-4o", None, "openai/gpt-4o", "vendor"),
        ("gpt-4o", "azure.ai.openai", "azure/gpt-4o", "provider"),
        ("gpt-4o", "openrouter", "openai/gpt-4o", "vendor"),
        ("GPT-4o-latest", "openai", "openai/gpt-4o", "provider"),
        ("openai/gpt-4o", "openai", "openai/gpt-4o", "provider"),
        ("prod-gpt4o-eu", "azure", "azure/gpt-4o", "provider"),
        ("gpt-4o-2024-05-13", None, "openai/gpt-4o-2024-05-13", "vendor"),
        ("claude-sonnet-4", "anthropic", "anthropic/claude-sonnet-4-20250514", "provider"),
        ("claude-opus-4-5", "bedrock", "amazon-bedrock/anthropic.claude-opus-4-5-20251101-v1:0", "provider"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "aws.bedrock", None, "provider"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-7", "aws.bedrock", None, "provider"),
        ("claude-opus-4-5@20251101", "vertex_ai", "google-vertex/claude-opus-4-5@20251101", "provider"),
        ("models/gemini-2.0-flash-001", "gcp.gemini", "google/gemini-2.0-flash", "provider"),
        ("deepseek-v3", None, "deepseek/deepseek-v3", "vendor"),
        ("deepseek-ai/DeepSeek-V3-0324", "together", "deepseek/deepseek-v3", "vendor"),
        ("gpt-4-0613", "openai", "openai/gpt-4", "provider"),
        ("openai/gpt-oss-120b", "groq", "groq/openai/gpt-oss-120b", "provider"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together", None, "listed"),
    ],
)
def test_names_match_as_the_models_names_do(model: str, provider: str | None, found: str | None, rung: str) -> None:
    factor = price(model, provider)
    assert factor.rung == rung
    assert found is None or f"{factor.provider}/{factor.model}" == found


def test_a_provider_that_lists_no_price_is_bounded_by_the_lowest_of_all() -> None:
    """gpt-oss-120b: Vertex lists 0.09 and 0.36, Groq reads cache for 0.075."""
    factor = price("gpt-oss-120b", "together")
    assert factor.bound_usd_per_mtok == ListPrice(0.09, 0.075, 0.36)


def test_a_missing_or_free_cache_price_is_that_of_input() -> None:
    assert price("o3-pro", "openai").usd_per_mtok == ListPrice(20, 20, 80)
    assert price("gpt-3.5-turbo", "openai").usd_per_mtok == ListPrice(0.5, 0.5, 1.5)


def test_the_name_that_answered_comes_before_the_one_that_was_asked_for() -> None:
    factor = reference().resolve_price("openai", "gpt-4o", "gpt-4o-mini-2024-07-18", NOW_US)
    assert factor is not None
    assert factor.model == "gpt-4o-mini"


def test_a_price_is_that_of_the_time() -> None:
    """deepseek-chat: V3 until September 2025, V3.1 for some weeks, V3.2, then V4 Flash."""
    days = ("2025-03-01", "2025-09-10", "2025-12-01", "2026-11-29")
    outputs = [price("deepseek-chat", "deepseek", at).usd_per_mtok.output for at in days]
    assert outputs == [1.10, 1.68, 0.42, 0.28]


@pytest.mark.parametrize("model", ["gpt-9", "nobody-knows-this", "text-embedding-3-small", " ", "north-mini-code-1-0"])
def test_what_nobody_lists_at_a_price_has_none(model: str) -> None:
    assert reference().resolve_price("openai", model, None, NOW_US) is None
    assert reference().resolve_price(None, None, None, NOW_US) is None


def test_another_size_of_a_model_is_another_price() -> None:
    assert price("gpt-4o-mini").lowest_usd_per_mtok.output == 0.6
    assert price("gpt-4o").lowest_usd_per_mtok.output == 10
    assert price("gpt-5").lowest_usd_per_mtok.output == 10
    assert price("o3-pro").lowest_usd_per_mtok.output == 80


def test_a_faster_edition_is_not_the_models_price() -> None:
    """grok-4-fast costs a fifteenth of Grok 4, and gpt-4-turbo a third of gpt-4."""
    grok = reference().resolve_price("xai", "grok-4", None, NOW_US)
    assert grok is None or "fast" not in grok.model
    assert price("gpt-4").lowest_usd_per_mtok == ListPrice(30, 30, 60)
    assert price("gpt-4-turbo").usd_per_mtok == ListPrice(10, 10, 30)


def test_an_id_leads_back_to_the_price() -> None:
    found = reference().evidence("price:openai/gpt-4o@2024-08-06")
    assert [(piece.quantity, piece.value) for piece in found] == [
        ("usd_per_mtok_output", 10),
        ("usd_per_mtok_input", 2.5),
        ("usd_per_mtok_cache_read", 1.25),
    ]
    assert {piece.date for piece in found} == {"2024-08-06"}
    undated = reference().evidence(price("gpt-4o", "azure").evidence_id)
    assert {piece.date for piece in undated} == {"2026-08"}


@pytest.mark.parametrize(
    ("model", "at", "expected"),
    [
        ("grok-4", "2025-08-01", ListPrice(3, 0.75, 15)),
        ("grok-4-0709", "2026-11-29", ListPrice(3, 0.75, 15)),
        ("grok-4-fast-reasoning", "2026-11-29", ListPrice(0.2, 0.05, 0.5)),
        ("grok-4.3", "2026-11-29", ListPrice(1.25, 0.2, 2.5)),
        ("grok-4.5", "2026-11-29", ListPrice(2, 0.3, 6)),
        ("grok-4.7", "2026-11-29", ListPrice(2, 0.5, 6)),
        ("kimi-k3", "2026-11-29", ListPrice(3, 0.3, 15)),
    ],
)
def test_each_grok_and_kimi_k3_have_their_own_price(model: str, at: str, expected: ListPrice) -> None:
    """None stands in for another of its family."""
    found = price(model, "moonshotai" if model.startswith("kimi") else "xai", at)
    assert (found.usd_per_mtok, found.rung) == (expected, "provider")
