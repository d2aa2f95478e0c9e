"""Records estimated again by other factors: the built-in ones, or those of a set; and by their own, which changes nothing."""

import json
from typing import Any

import numpy as np
import pytest

from rice_stream.estimator.registry import METHOD_NAMES, load_method
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy, FactorUse
from rice_stream.meter.live_intensity import LiveIntensity
from rice_stream.meter.recompute import RecomputedBy, recompute, recompute_by
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.service_key import ServiceKey
from rice_stream.quantities import UNKNOWN
from rice_stream.reference.loader import load_reference
from tests.support.factor_files import SWEDEN, pue_row, rci_row, set_of
from tests.unit.meter.test_stored_kinds import KEYS, NOON_US

DEFAULTS = TokenDefaults(1000, 300)
SAID = {
    **KEYS,
    "nothing said": ServiceKey(None, None, "small", None),
    "read of a format": ServiceKey(
        "openai", "gpt-4o", "gpt-4o-2024", "DE", source_format="otlp", region_source="server"
    ),
    "a cache's answer": ServiceKey("openai", "gpt-4o", None, None, gateway_cache_hit=True),
    "used and shared": ServiceKey("vllm", "llama-3.1-8b", None, SWEDEN, "H100", 2.0, 8.0, 0.5, 1.3, 20.0),
}


def estimator(name: str = "rice-calibrated", **policy: Any) -> Estimator:
    """On the shipped tables."""
    return Estimator(load_reference(), FactorPolicy(**policy), load_method(name))


def counts(metered: int = UNKNOWN) -> RecordedCounts:
    """One record of 500 and 250 tokens."""
    read, cached, written, joules = (np.array([value], dtype=np.int64) for value in (500, 100, 250, metered))
    return RecordedCounts(read, cached, written, np.zeros(1, dtype=np.int32), joules)


def again(by: Estimator, use: FactorUse, metered: int = UNKNOWN) -> RecomputedBy:
    """The record of a kind, estimated by another estimator."""
    return recompute_by([by.at(NOON_US)], [use.columns], np.zeros(1, dtype=np.intp), counts(metered), DEFAULTS)


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize("kind", SAID)
def test_by_its_own_factors_a_record_is_what_it_is(kind: str, method: str) -> None:
    """To the last character of its row of factors, and the last integer of its amounts."""
    use = estimator(method).at(NOON_US).factors(SAID[kind])
    metered = 400_000_000 if SAID[kind].energy_boundary else UNKNOWN
    found = again(estimator(method), use, metered)
    assert found.uses[0].columns == use.columns
    own = recompute(load_method(method), [use.columns], np.zeros(1, dtype=np.intp), counts(metered), DEFAULTS)
    assert found.recomputed.amounts.carbon_mid_ugco2e.tolist() == own.amounts.carbon_mid_ugco2e.tolist()


def test_a_default_region_and_mapped_names_stay_as_they_were_taken() -> None:
    """What stood in for a region that nobody named does so again; a mapping that was ended since still holds for the record."""
    by = estimator(default_region="FR")
    use = by.at(NOON_US).factors(ServiceKey("openai", "gpt-4o", None, None))
    assert again(by, use).uses[0].columns == use.columns
    key = ServiceKey("openai", "corp-chat", None, "dc-west")
    at = estimator().at(NOON_US)
    [mapped] = at.finished([at.draft(key, mapped=key._replace(request_model="gpt-4o", inference_region=SWEDEN))])
    assert again(estimator(), mapped).uses[0].columns == mapped.columns


def test_values_of_events_and_of_live_feeds_come_before_any_set() -> None:
    def live(region_id: str, at_us: int) -> LiveIntensity:
        return LiveIntensity(33.0, "a feed")

    live.generation = 0  # type: ignore[attr-defined]
    at = estimator().at(NOON_US)
    [fed] = at.finished([at.draft(ServiceKey("azure", "gpt-4o", None, SWEDEN), live=live)])  # type: ignore[arg-type]
    stated = at.factors(SAID["used and shared"])
    by = estimator().with_factors([set_of(rci_row(value=99)), set_of(pue_row(1.9, region=SWEDEN), kind="pue")])
    found, of_event = again(by, fed).uses[0], again(by, stated).uses[0]
    assert (found.columns["rci_mid_gco2e_per_kwh"], found.columns["region_rung"], found.pue.pue) == (33.0, "live", 1.9)
    assert (of_event.columns["rci_mid_gco2e_per_kwh"], of_event.pue.pue) == (20.0, 1.3)


def test_by_a_set_carbon_moves_as_its_factors_do_and_energy_does_not() -> None:
    """By hand: the same watt-hours x PUE x the set's carbon intensity."""
    use = estimator("rice-paper").at(NOON_US).factors(ServiceKey("vllm", "llama-3.1-8b", None, SWEDEN, "H100"))
    made = set_of(rci_row(value=12.5))
    before, after = again(estimator("rice-paper"), use), again(estimator("rice-paper").with_factors([made]), use)
    wh = float(after.recomputed.estimates.it_energy_wh[0])
    assert wh == float(before.recomputed.estimates.it_energy_wh[0])
    assert int(after.recomputed.amounts.carbon_mid_ugco2e[0]) == round(wh * use.pue.pue * 12.5 / 1000 * 1e6)
    detail = json.loads(after.uses[0].columns["detail"])
    assert detail["sources"]["factor_sets"] == made.digest
    assert after.uses[0].columns["factor_version"].endswith(f"+{made.digest[:12]}")


def test_a_stretch_is_told_by_its_start() -> None:
    """Between boundaries of the tables, an hour where values change by the hour; the same factors all through it."""
    by = estimator()
    starts = {by.stretch_start_us(at_us) for at_us in range(NOON_US, NOON_US + 7_200_000_000, 600_000_000)}
    assert len(starts) == 1
    assert (
        by.at(NOON_US).factors(SAID["own machines"]).columns == by.at(min(starts)).factors(SAID["own machines"]).columns
    )
    hourly = by.with_factors([set_of(rci_row(value=None, by_hour=list(range(24))))])
    starts = {hourly.stretch_start_us(at_us) for at_us in range(NOON_US, NOON_US + 7_200_000_000, 600_000_000)}
    assert starts == {NOON_US, NOON_US + 3_600_000_000}
