"""Model look-ups: one golden case per rung of the ladder, the spellings of clouds and gateways, effective dates."""

from functools import cache

import pytest

from rice_stream.instants import us_from_iso
from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference

NOW_US = us_from_iso("2026-11-22")


@cache
def reference() -> Reference:
    return load_reference()


def resolve(name: str, provider: str | None = None, at: str = "2026-11-22") -> tuple[str, str]:
    factor = reference().resolve_model(provider, name, None, us_from_iso(at))
    return factor.model_id, factor.rung


@pytest.mark.parametrize(
    ("name", "model_id", "rung"),
    [
        ("gpt-4o", "gpt-4o", "exact"),
        ("GPT-4O", "gpt-4o", "exact"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", "exact"),
        ("gpt-35-turbo", "gpt-3.5-turbo", "alias"),
        ("gpt-4o-2024-08-06", "gpt-4o", "dated"),
        ("gpt-4o-2031-02-28", "gpt-4o", "dated"),
        ("prod-gpt4o-eu-7", "gpt-4o", "variant"),
        ("acme-70b-chat", "size:70b", "size_in_name"),
        ("claude-opus-99", "family:claude-opus", "family"),
        ("acme-mini", "size_class:small", "size_class"),
        ("x-ai/acme", "provider:xai", "provider"),
        ("acme", "default", "default"),
    ],
)
def test_each_rung_has_its_name(name: str, model_id: str, rung: str) -> None:
    assert resolve(name) == (model_id, rung)


@pytest.mark.parametrize(
    ("name", "provider", "model_id"),
    [
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "aws.bedrock", "claude-3-5-sonnet"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "aws.bedrock", "claude-3-5-sonnet"),
        ("eu.anthropic.claude-sonnet-4-20250514-v1:0", "aws.bedrock", "claude-sonnet-4"),
        ("apac.amazon.nova-pro-v1:0", "aws.bedrock", "nova-pro"),
        ("meta.llama3-1-70b-instruct-v1:0", "aws.bedrock", "llama-3.1-70b"),
        ("anthropic.claude-v2:1", "aws.bedrock", "claude-2"),
        ("mistral.mixtral-8x7b-instruct-v0:1", "aws.bedrock", "mixtral-8x7b"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            "aws.bedrock",
            "claude-3-7-sonnet",
        ),
        ("publishers/google/models/gemini-1.5-pro-002", "gcp.vertex_ai", "gemini-1.5-pro"),
        ("claude-3-5-sonnet@20240620", "gcp.vertex_ai", "claude-3-5-sonnet"),
        ("vertex_ai/meta/llama-3.1-405b-instruct-maas", "vertex_ai", "llama-3.1-405b"),
        ("openai/gpt-4o", "openrouter", "gpt-4o"),
        ("meta-llama/llama-3.1-70b-instruct:free", "openrouter", "llama-3.1-70b"),
        ("anthropic/claude-3.5-sonnet:beta", "openrouter", "claude-3-5-sonnet"),
        ("azure/eu/gpt-4o-2024-08-06", "azure", "gpt-4o"),
        ("bedrock/us-west-2/anthropic.claude-instant-v1", "bedrock", "claude-instant-1"),
        ("llama3.1:8b", "ollama", "llama-3.1-8b"),
        ("llama3.1:70b-instruct-q4_K_M", "ollama", "llama-3.1-70b"),
        ("fireworks_ai/accounts/fireworks/models/llama-v3p1-405b-instruct", "fireworks_ai", "llama-3.1-405b"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc123", "openai", "gpt-4o-mini"),
        ("RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8-dynamic", None, "llama-3.1-70b"),
        ("claude-4.5-haiku", None, "claude-haiku-4-5"),
        ("deepseek-ai/DeepSeek-R1-0528", None, "deepseek-r1"),
        ("together/bloom", None, "bloom"),
    ],
)
def test_platform_spellings_lead_to_the_model(name: str, provider: str | None, model_id: str) -> None:
    """Bedrock, Vertex, Azure, OpenRouter, LiteLLM, Fireworks, Ollama and Hugging Face write one model in many ways."""
    factor = reference().resolve_model(provider, name, None, NOW_US)
    assert factor.model_id == model_id
    assert factor.known


@pytest.mark.parametrize(
    ("at", "model_id"),
    [
        ("2024-03-01", "mistral-large-2402"),
        ("2024-07-23T23:59:59Z", "mistral-large-2402"),
        ("2024-07-24", "mistral-large-2"),
        ("2025-12-02", "mistral-large-3"),
        ("1999-01-01", "mistral-large-2402"),
    ],
)
def test_a_latest_alias_means_what_it_meant_at_the_time_of_the_event(at: str, model_id: str) -> None:
    assert resolve("mistral-large-latest", at=at) == (model_id, "dated")


def test_every_moment_at_which_an_alias_moves_is_a_boundary() -> None:
    boundaries = reference().boundaries_us
    assert list(boundaries) == sorted(set(boundaries))
    assert us_from_iso("2024-07-24") in boundaries


def test_a_bare_name_may_mean_another_model_at_one_provider() -> None:
    """Ollama serves its 8B distillation as `deepseek-r1`; everywhere else that is the 671B model."""
    assert resolve("deepseek-r1", "ollama")[0] == "deepseek-r1-0528-qwen3-8b"
    assert resolve("deepseek-r1", "deepseek")[0] == "deepseek-r1"


def test_the_response_names_the_model_that_was_billed() -> None:
    factor = reference().resolve_model("azure", "my-deployment", "gpt-4.1-mini-2025-04-14", NOW_US)
    assert factor.model_id == "gpt-4.1-mini"


def test_an_unknown_response_name_gives_way_to_a_known_request_name() -> None:
    assert reference().resolve_model(None, "llama3.1:8b", "acme-v7", NOW_US).model_id == "llama-3.1-8b"


def test_without_any_name_the_vendor_decides_and_else_the_default() -> None:
    assert reference().resolve_model("openai", None, "  ", NOW_US).rung == "provider"
    assert reference().resolve_model(None, None, None, NOW_US).rung == "default"


def test_open_models_have_exact_parameters_and_the_size_of_their_cache() -> None:
    """Llama 3.1 8B: 2 x 32 layers x 8 heads x 128 values x 2 bytes = 131,072 bytes a token."""
    factor = reference().resolve_model(None, "llama-3.1-8b", None, NOW_US)
    assert factor.params_total_b == factor.params_active_b == Range.exact(8.03)
    assert factor.kv_bytes_per_token == 131_072
    assert not factor.estimated


def test_only_growing_layers_count_for_the_cache() -> None:
    """gpt-oss-120b: 18 of 36 layers attend to everything: 2 x 18 x 8 x 64 x 2 = 36,864 bytes; Mixtral keeps all."""
    assert reference().resolve_model(None, "gpt-oss-120b", None, NOW_US).kv_bytes_per_token == 36_864
    assert reference().resolve_model(None, "mixtral-8x7b", None, NOW_US).kv_bytes_per_token == 131_072
    assert reference().resolve_model(None, "deepseek-v3", None, NOW_US).kv_bytes_per_token == 576 * 61 * 2


def test_sparse_models_have_fewer_active_parameters() -> None:
    factor = reference().resolve_model(None, "mixtral-8x7b", None, NOW_US)
    assert (factor.params_total_b.mid, factor.params_active_b.mid) == (46.7, 12.9)


def test_closed_models_are_ranges_marked_as_estimates() -> None:
    """GPT-4o: 75 B of 320 B active, by a factor of about 2.5 both ways (evidence.csv, arch:gpt-4o)."""
    factor = reference().resolve_model(None, "gpt-4o", None, NOW_US)
    assert factor.estimated
    assert factor.params_total_b == Range(150, 320, 700)
    assert factor.params_active_b == Range(30, 75, 180)


def test_a_size_in_the_name_is_taken_with_the_spread_of_names() -> None:
    factor = reference().resolve_model(None, "acme-70b", None, NOW_US)
    assert factor.params_total_b == Range(0.8 * 70, 70, 1.26 * 70)
    assert factor.params_active_b == factor.params_total_b


@pytest.mark.parametrize(
    ("name", "total_b", "active_b"),
    [
        ("acme-235b-a22b", 235, 22),
        ("acme-8x7b", 45.92, 12.6),
        ("acme-360m", 0.36, 0.36),
        ("acme-1b5", 1.5, 1.5),
        ("acme-2.4t-a95b", 2400, 95),
        ("acme-v2-13b-4bit-128k", 13, 13),
    ],
)
def test_sizes_are_read_as_people_write_them(name: str, total_b: float, active_b: float) -> None:
    factor = reference().resolve_model(None, name, None, NOW_US)
    assert factor.rung == "size_in_name"
    assert factor.params_total_b.mid == pytest.approx(total_b)
    assert factor.params_active_b.mid == pytest.approx(active_b)


def test_a_large_unknown_model_may_be_sparse() -> None:
    """From 100 B on the low end of the active parameters is 5 %, with the spread of names: 0.05 x 0.8 x 200 B."""
    factor = reference().resolve_model(None, "acme-200b", None, NOW_US)
    assert factor.params_active_b.low == pytest.approx(8)
    assert factor.params_active_b.mid == 200


@pytest.mark.parametrize("name", ["gpt-4-7", "gpt-4o-ultra", "qwen2.5-math-72b-acme", "distill-gpt-4o"])
def test_a_known_name_that_goes_on_to_another_size_is_not_that_model(name: str) -> None:
    factor = reference().resolve_model(None, name, None, NOW_US)
    assert factor.model_id not in ("gpt-4", "gpt-4o", "qwen2.5-7b")


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("meta-llama/Llama-3.1-405B-Instruct-FP8", "fp8"),
        ("TheBloke/Mistral-7B-Instruct-v0.2-AWQ", "int4"),
        ("llama3.1:8b", "int4"),
        ("llama3.1:8b-instruct-fp16", "fp16"),
        ("llama3.1:8b-instruct-q8_0", "int8"),
        ("meta-llama/Llama-3.1-8B-Instruct", None),
        ("gpt-oss-120b", "mxfp4"),
    ],
)
def test_the_weight_format_is_read_from_the_name_or_the_model(name: str, precision: str | None) -> None:
    assert reference().resolve_model(None, name, None, NOW_US).precision == precision
