"""The factors of a kind of request as they are stored: they say what was used, and are read back once and whole."""

import json
from typing import Any

import numpy as np
import pytest

from rice_stream.estimator.registry import METHOD_NAMES, load_method
from rice_stream.events.metered_energy import BOUNDARIES
from rice_stream.meter.carbon_ends import place_of
from rice_stream.meter.estimator_at import Estimator, EstimatorAt
from rice_stream.meter.factors import FactorPolicy, FactorUse
from rice_stream.meter.recompute import recompute, stored_kind
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.service_key import ServiceKey
from rice_stream.meter.serving_overrides import parse_profiles
from rice_stream.meter.what_if import Change, as_recorded, changed, served_by
from rice_stream.quantities import UNKNOWN
from rice_stream.reference.loader import load_reference

NOON_US = 1_795_348_800_000_000
KEYS = {
    "fitted row": ServiceKey("openai", "gpt-4o", None, None),
    "list price": ServiceKey("openai", "gpt-9-omega", None, "us-east-1"),
    "host's profile": ServiceKey("together", "llama-3.1-8b", None, "DE"),
    "own machines": ServiceKey("vllm", "llama-3.1-70b", None, "FR"),
    "hardware that no table knows": ServiceKey("vllm", "llama-3.1-70b", None, "FR", hardware="abacus"),
    "hardware stated": ServiceKey("vllm", "llama-3.1-70b", None, "aws:us-east-1", hardware="H200", batch_size=16.0),
    "everything stated": ServiceKey("azure", "gpt-4o", None, "us-east-1", pue=1.1, rci_gco2e_per_kwh=30.0),
    **{f"metered at {one}": ServiceKey("openai", "gpt-4o", None, "DE", energy_boundary=one) for one in BOUNDARIES},
}


def estimator(name: str = "rice-calibrated", policy: FactorPolicy | None = None) -> EstimatorAt:
    return Estimator(load_reference(), policy or FactorPolicy(), load_method(name)).at(NOON_US)


def detail_of(use: FactorUse) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(use.columns["detail"])
    return detail


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("kind", KEYS)
def test_the_detail_names_the_hardware_that_was_used_and_no_other(kind: str, method: str) -> None:
    use = estimator(method).factors(KEYS[kind])
    detail, reference = detail_of(use), load_reference()
    used = use.kind.served_as.hardware
    assert use.columns["hardware"] == detail["hardware"] == used
    assert detail["sources"]["hardware"] == reference.resolve_hardware(used).source
    others = {one.source for one in map(reference.resolve_hardware, ("A100-80GB", "H100", "H200"))}
    text = use.columns["detail"]
    assert not any(other in text for other in others - {detail["sources"]["hardware"]})
    if not detail["hardware_known"]:
        assert detail["tdp_w"] is None


def test_hardware_of_an_own_profile_that_no_table_knows_has_the_profiles_source() -> None:
    own = [{"name": "pool", "hardware": "abacus", "batch_size": 8, "source": "our rack"}]
    use = estimator(policy=FactorPolicy(profiles=parse_profiles(own), serving_profile="pool")).factors(
        ServiceKey("vllm", "llama-3.1-8b", None, "FR")
    )
    detail = detail_of(use)
    assert detail["hardware"] == "abacus"
    assert detail["sources"]["serving"] == "our rack"
    assert "hardware" not in detail["sources"]


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("kind", KEYS)
def test_a_stored_kind_is_what_was_used(kind: str, method: str) -> None:
    """Context, site and spread are read back as they were, and estimates from the stored context are the same to the last bit."""
    at = estimator(method)
    use = at.factors(KEYS[kind])
    stored = stored_kind(use.columns)
    assert stored.context == use.context
    assert stored.spread == use.spread
    assert stored.site == use.site
    assert stored.hosts_told_apart
    assert (stored.measured is None) == (use.measured is None)
    assert np.array_equal(at.method.coefficients([stored.context])[0], use.kind.coefficients)


def test_a_detail_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where records of a kind were metered."""
    at, parsed, loads = estimator(), [], json.loads

    def counting(text: str) -> Any:
        parsed.append(text)
        return loads(text)

    factors = [at.factors(KEYS[kind]).columns for kind in ("fitted row", "hardware stated", "metered at gpu")]
    counts = RecordedCounts(
        input_tokens=np.full(3, 500),
        cache_read_input_tokens=np.zeros(3, dtype=np.int64),
        output_tokens=np.full(3, 250),
        flags=np.zeros(3, dtype=np.int32),
        metered_energy_uj=np.array([UNKNOWN, UNKNOWN, 10**9]),
    )
    monkeypatch.setattr(json, "loads", counting)
    recompute(at.method, factors, np.arange(3), counts, TokenDefaults(1000, 250))
    assert parsed == [factor["detail"] for factor in factors]


@pytest.mark.parametrize("kind", [kind for kind in KEYS if not kind.startswith("metered")])
def test_compare_shares_the_uncertainties_of_a_place_as_records_do(kind: str) -> None:
    """Whose PUE and whose carbon intensity it is has one rule: the keys under which the two are shared are the record's."""
    at = estimator()
    use = at.factors(KEYS[kind])
    served = as_recorded(use.columns, at)
    assert served_by(at.method, [served]).spreads == [use.spread]
    assert served.place.rci_gco2e_per_kwh == use.rci_gco2e_per_kwh


@pytest.mark.parametrize("region", ["DE", "aws:us-east-1", "us-east-1", "california"])
def test_a_changed_place_is_shared_as_a_record_of_that_place_is(region: str) -> None:
    at = estimator()
    there = at.factors(ServiceKey("openai", "gpt-4o", None, region))
    moved = changed(at.factors(KEYS["fitted row"]).columns, Change(region=region), at)
    assert moved.place == place_of(there.pue, there.rci_gco2e_per_kwh, there.region, "openai")
    assert served_by(at.method, [moved]).spreads == [there.spread]
