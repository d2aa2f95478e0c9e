"""Hosts of models: profile, hardware, places and the PUE ladder, each rung by hand."""

import math
from functools import cache

import pytest

from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference

AT_US = 1_790_000_000_000_000


@cache
def reference() -> Reference:
    return load_reference()


@pytest.mark.parametrize(
    ("provider", "vendor", "profile", "rung"),
    [
        ("openai", None, "hosted_scale", "provider"),
        ("azure.ai.openai", "openai", "hosted_scale", "provider"),
        ("aws.bedrock", "anthropic", "hosted_scale", "provider"),
        ("gcp.vertex_ai", None, "hosted_scale", "provider"),
        ("deepseek", None, "hosted_scale", "provider"),
        ("neuralwatt", None, "hosted_small", "provider"),
        ("together_ai", None, "hosted_small", "provider"),
        ("groq", "openai", "hosted_small", "provider"),
        (None, "openai", "hosted_scale", "vendor"),
        ("my-gateway", "anthropic", "hosted_scale", "vendor"),
        (None, None, "hosted_small", "default"),
        ("nobody-knows", "nobody", "hosted_small", "default"),
    ],
)
def test_a_profile_is_the_providers_or_else_the_vendors(
    provider: str | None, vendor: str | None, profile: str, rung: str
) -> None:
    host = reference().resolve_host(provider, vendor, AT_US)
    assert host is not None
    assert (host.profile, host.rung) == (profile, rung)


@pytest.mark.parametrize("provider", ["ollama", "vllm", "self_hosted"])
def test_ones_own_machines_have_no_host(provider: str) -> None:
    assert reference().resolve_host(provider, "openai", AT_US) is None


def test_a_mix_of_hardware_and_places_has_shares_and_sources() -> None:
    host = reference().resolve_host("openai", None, AT_US)
    assert host is not None
    assert host.hardware == (("H100", 0.4), ("H200", 0.2), ("GB200", 0.35), ("MI300X", 0.05))
    assert host.regions == (("country:US", 0.95), ("world", 0.05))
    assert all((host.hardware_source, host.regions_source, host.pue_source, host.source))
    assert host.valid_from is not None


@pytest.mark.parametrize(
    ("region_id", "provider", "vendor", "pue", "rung"),
    [
        ("aws:us-east-1", None, "openai", 1.15, "region"),
        ("azure:uksouth", "my-gateway", "openai", 1.17, "fleet"),
        (None, "openai", None, 1.17, "assumption"),
        (None, None, "openai", 1.17, "vendor"),
        (None, None, "anthropic", 1.14, "vendor"),
        (None, None, "google", 1.09, "vendor"),
        ("country:SE", None, "mistral", 1.2, "vendor"),
        (None, None, "deepseek", 1.25, "vendor"),
        (None, "deepseek", None, 1.25, "assumption"),
        (None, None, None, 1.2, "hosted"),
        (None, "my-gateway", None, 1.2, "hosted"),
        ("country:SE", None, None, 1.2, "hosted"),
        (None, "ollama", "openai", 1.54, "industry"),
    ],
)
def test_the_pue_of_a_hosted_model_is_never_the_mean_of_all_sites(
    region_id: str | None, provider: str | None, vendor: str | None, pue: float, rung: str
) -> None:
    factor = reference().resolve_pue(region_id, provider, AT_US, vendor=vendor, hosted=True)
    assert (factor.pue, factor.rung) == (pue, rung)


def test_the_mean_of_all_sites_is_for_machines_of_ones_own() -> None:
    factor = reference().resolve_pue(None, None, AT_US, vendor="openai", hosted=False)
    assert (factor.pue, factor.rung) == (1.54, "industry")


def test_a_pue_says_how_far_off_it_may_be() -> None:
    """Fleets 0.94 to 1.06; OpenAI's host 1.12 to 1.25; any host 1.09 to 1.40; surveyed sites 0.74 to 1.25."""
    z80 = 1.2815515655446004

    def log_sd(provider: str | None, *, vendor: str | None = None, hosted: bool = True) -> float:
        return reference().resolve_pue(None, provider, AT_US, vendor=vendor, hosted=hosted).log_sd

    assert log_sd("aws") == pytest.approx(math.log(1.06 / 0.94) / (2 * z80))
    assert log_sd("openai") == pytest.approx(max(math.log(1.25 / 1.12), math.log(1.06 / 0.94)) / (2 * z80))
    assert log_sd(None, vendor="openai") == pytest.approx(math.log(1.11 / 0.90) / (2 * z80))
    assert log_sd(None) == pytest.approx(math.log(1.40 / 1.09) / (2 * z80), rel=0.01)
    assert log_sd(None, hosted=False) == pytest.approx(math.log(1.25 / 0.74) / (2 * z80))
    assert reference().resolve_pue(None, None, AT_US, default=1.1).log_sd == 0


def test_the_pue_of_a_host_lies_within_its_own_range() -> None:
    """Where a fleet's mean is published beside the range of hosts.csv, the two do not contradict each other."""
    for provider in ("openai", "anthropic", "google", "aws", "azure", "gcp", "ovh", "github_copilot"):
        host = reference().resolve_host(provider, None, AT_US)
        assert host is not None
        assert host.pue is not None
        factor = reference().resolve_pue(None, provider, AT_US, hosted=True)
        assert host.pue.low <= factor.pue <= host.pue.high, provider
        assert host.pue.mid == factor.pue, provider


def test_an_unknown_member_of_a_closed_family_is_its_makers() -> None:
    def vendor(model: str) -> str | None:
        return reference().resolve_model(None, model, None, AT_US).vendor

    assert [vendor(name) for name in ("gpt-9", "claude-zephyr-9", "gemini-9-pro")] == ["openai", "anthropic", "google"]
    assert [vendor(name) for name in ("gpt-oss-500b", "llama-9-70b", "deepseek-v3", "acme-1")] == [None] * 4
