"""PUE and accelerator look-ups: each rung of the PUE ladder, the spellings of accelerators."""

from functools import cache

import pytest

from rice_stream.reference.hardware import DEFAULT_HARDWARE
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference

AT_US = 1_790_000_000_000_000


@cache
def reference() -> Reference:
    return load_reference()


@pytest.mark.parametrize(
    ("region_id", "provider", "pue", "rung"),
    [
        ("aws:us-east-1", "openai", 1.15, "region"),
        ("azure:polandcentral", None, 1.12, "factsheet"),
        ("aws:ap-southeast-6", None, 1.14, "fleet"),
        ("azure:uksouth", None, 1.17, "fleet"),
        (None, "gcp.gemini", 1.09, "fleet"),
        ("country:SE", "aws.bedrock", 1.14, "fleet"),
        ("country:US", "openai", 1.17, "assumption"),
        ("world", "anthropic", 1.14, "assumption"),
        ("oci:eu-paris-1", None, 1.25, "industry"),
        (None, "groq", 1.2, "assumption"),
        (None, "ollama", 1.54, "industry"),
        (None, None, 1.54, "industry"),
    ],
)
def test_each_rung_of_the_pue_ladder(region_id: str | None, provider: str | None, pue: float, rung: str) -> None:
    factor = reference().resolve_pue(region_id, provider, AT_US)
    assert (factor.pue, factor.rung) == (pue, rung)


def test_an_assumed_host_is_named_as_such() -> None:
    assert reference().resolve_pue(None, "openai", AT_US).source.startswith("ASSUMED host of openai")


def test_a_configured_default_comes_before_the_industry_but_after_what_is_known() -> None:
    assert reference().resolve_pue(None, None, AT_US, default=1.1).rung == "default"
    assert reference().resolve_pue(None, None, AT_US, default=1.1).pue == 1.1
    assert reference().resolve_pue("aws:us-east-1", None, AT_US, default=1.1).rung == "region"


@pytest.mark.parametrize(
    ("name", "hardware", "rung"),
    [
        ("A100-80GB", "A100-80GB", "exact"),
        ("a100-80gb", "A100-80GB", "exact"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB", "alias"),
        ("['NVIDIA A100-SXM4-80GB']", "A100-80GB", "alias"),
        ("A100-40GB", "A100-40GB", "exact"),
        ("H100-SXM", "H100", "alias"),
        ("NVIDIA H100 80GB HBM3", "H100", "alias"),
        ("8xH100", "H100", "exact"),
        ("H200", "H200", "exact"),
        ("B200", "B200", "exact"),
        ("L40S", "L40S", "exact"),
        ("L4", "L4", "exact"),
        ("A10G", "A10G", "exact"),
        ("AMD Instinct MI300X", "MI300X", "alias"),
        ("TPU-v5e", "TPU-v5e", "exact"),
        ("tpu v6e", "TPU-v6e", "exact"),
        ("p5.48xlarge", "H100", "alias"),
        ("H100-SXM5-80GB-custom", "H100", "variant"),
    ],
)
def test_accelerators_are_found_under_the_names_that_data_sets_use(name: str, hardware: str, rung: str) -> None:
    factor = reference().resolve_hardware(name)
    assert (factor.hardware, factor.rung, factor.known) == (hardware, rung, True)


@pytest.mark.parametrize("name", [None, "", "Cerebras WSE-3", "GPU", "H1000", "l4banana"])
def test_unknown_accelerators_take_the_default_and_say_so(name: str | None) -> None:
    factor = reference().resolve_hardware(name)
    assert (factor.hardware, factor.known, factor.rung) == (DEFAULT_HARDWARE, False, "default")


def test_the_papers_accelerator_has_its_data_sheet_figures() -> None:
    factor = reference().resolve_hardware("A100-80GB")
    assert (factor.tdp_w, factor.memory_gb, factor.memory_bandwidth_gb_s, factor.peak_tflops_fp16) == (
        400,
        80,
        2039,
        312,
    )


def test_power_that_no_maker_publishes_is_marked() -> None:
    assert not reference().resolve_hardware("TPU-v5e").tdp_published
    assert reference().resolve_hardware("H100").tdp_published
