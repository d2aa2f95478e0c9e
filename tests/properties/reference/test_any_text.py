"""Whatever text an event carries, every look-up ends in a positive estimate with a named rung and an ordered range."""

from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import MODEL_RUNGS, REGION_RUNGS
from tests.support.cases import size

FRAGMENTS = """
    gpt 4o claude 3-5 sonnet llama 3.1 8b 70b a3b 8x7b :free @20240620 -v1:0 / us. anthropic. arn:aws: -fp8 latest mini
    2024-08-06 ft: models/ :8b - _ . 1t 0b 999999b x é 128k
"""
AREAS = "us eu sa me swe east west central -1 a : / gcp aws azure country united"
PARTS = st.sampled_from([*FRAGMENTS.split(), " ", "\0"])
NAMES = st.one_of(st.none(), st.text(max_size=400), st.lists(PARTS, max_size=12).map("".join))
REGION_PARTS = st.sampled_from([*AREAS.split()])
REGIONS = st.one_of(st.none(), st.text(max_size=200), st.lists(REGION_PARTS, max_size=6).map("-".join))
PROVIDERS = st.one_of(
    st.none(), st.sampled_from(["openai", "aws.bedrock", "azure", "ollama", "acme"]), st.text(max_size=50)
)
TIMES = st.integers(min_value=-(2**61), max_value=2**61)
LEFT_OUT = size(9, 0)
"""Stretches of time between two that are tried, so that each run tries others; a drill tries all."""


@cache
def reference() -> Reference:
    return load_reference()


def ordered_and_positive(value: Range) -> bool:
    return 0 < value.low <= value.mid <= value.high < 1e6


@settings(max_examples=150, deadline=None)
@given(provider=PROVIDERS, request=NAMES, response=NAMES, at_us=TIMES)
def test_any_model_name_is_estimated(
    provider: str | None, request: str | None, response: str | None, at_us: int
) -> None:
    factor = reference().resolve_model(provider, request, response, at_us)
    assert ordered_and_positive(factor.params_total_b)
    assert ordered_and_positive(factor.params_active_b)
    assert factor.params_active_b.mid <= factor.params_total_b.mid
    assert factor.rung in MODEL_RUNGS
    assert factor.source
    assert factor.known or factor.estimated
    assert factor == reference().models.resolve(provider, request, response, at_us), (
        "the cache must not change an answer"
    )


@settings(max_examples=100, deadline=None)
@given(name=NAMES, at_us=TIMES)
def test_what_is_not_known_is_wide(name: str | None, at_us: int) -> None:
    """No rung below `variant` may claim more than a factor of 1.5 from low to high."""
    factor = reference().resolve_model(None, name, None, at_us)
    if not factor.known:
        assert factor.params_total_b.high / factor.params_total_b.low > 1.5


@settings(max_examples=150, deadline=None)
@given(region=REGIONS, provider=PROVIDERS, scope=st.sampled_from(["lifecycle", "direct"]), default=REGIONS, at_us=TIMES)
def test_any_region_is_estimated(
    region: str | None, provider: str | None, scope: str, default: str | None, at_us: int
) -> None:
    factor = reference().resolve_region(region, provider, scope, at_us, default)
    assert ordered_and_positive(factor.rci_gco2e_per_kwh)
    assert factor.scope == scope
    assert factor.rung.removesuffix("_converted") in (*REGION_RUNGS, "default_region", "vendor")
    assert factor.source
    assert factor.licence
    pue = reference().resolve_pue(factor.region_id, provider, at_us)
    assert 1 <= pue.pue <= 3
    assert pue.source


@settings(max_examples=150, deadline=None)
@given(provider=PROVIDERS, request=NAMES, response=NAMES, vendor=PROVIDERS, at_us=TIMES)
def test_a_price_if_any_is_positive_and_not_below_the_lowest(
    provider: str | None, request: str | None, response: str | None, vendor: str | None, at_us: int
) -> None:
    factor = reference().resolve_price(provider, request, response, at_us)
    if factor is not None:
        own, lowest = factor.usd_per_mtok, factor.lowest_usd_per_mtok
        assert 0 < lowest.input <= own.input
        assert 0 < lowest.cache_read <= own.cache_read
        assert 0 < lowest.output <= own.output
        assert reference().evidence(factor.evidence_id)
    host = reference().resolve_host(provider, vendor, at_us)
    assert host is None or host.profile in ("hosted_scale", "hosted_small")
    pue = reference().resolve_pue(None, provider, at_us, vendor=vendor, hosted=host is not None)
    assert 1 <= pue.pue <= (1.4 if host is not None else 1.54)


@settings(max_examples=100, deadline=None)
@given(name=st.one_of(st.none(), st.text(max_size=200)))
def test_any_hardware_has_figures(name: str | None) -> None:
    factor = reference().resolve_hardware(name)
    assert factor.tdp_w > 0
    assert factor.memory_bandwidth_gb_s > 0
    assert factor.known == (factor.rung != "default")


@settings(max_examples=50, deadline=None)
@given(
    name=NAMES,
    region=REGIONS,
    share=st.floats(min_value=0, max_value=1, exclude_max=True),
    begins=st.integers(0, LEFT_OUT),
)
def test_between_two_boundaries_nothing_changes(
    name: str | None, region: str | None, share: float, begins: int
) -> None:
    """A batch may look up once per kind of request and period."""
    boundaries = reference().boundaries_us
    for start_us, end_us in [*pairwise(boundaries)][begins :: LEFT_OUT + 1]:
        at_us = start_us + int(share * (end_us - start_us))
        assert reference().models.resolve(None, name, None, at_us) == reference().models.resolve(
            None, name, None, start_us
        )
        first, then = (reference().regions.resolve(region, None, "direct", time, None) for time in (start_us, at_us))
        assert first == then
