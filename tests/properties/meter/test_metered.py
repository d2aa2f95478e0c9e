"""Any metered energy of any kind of request: ranges contain the middle, rise with the joules, and follow from the stored row."""

import json
import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.estimator.method import Method
from rice_stream.estimator.registry import METHOD_NAMES, load_method
from rice_stream.events.metered_energy import BOUNDARIES, ENERGY_JOULES_LIMITS, plausible_energy
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy, FactorUse
from rice_stream.meter.metered import METER_LOG_SD
from rice_stream.meter.recompute import Recomputed, recompute
from rice_stream.meter.requests import RecordedCounts, TokenDefaults
from rice_stream.meter.service_key import ServiceKey
from rice_stream.quantities import AMOUNT_COLUMNS
from rice_stream.reference.loader import load_reference

SERVED: tuple[dict[str, str | float | None], ...] = (
    {"provider": "openai", "request_model": "gpt-4o"},
    {"provider": None, "request_model": "llama-3.1-70b", "hardware": "H100", "batch_size": 16.0},
    {"provider": "neuralwatt", "request_model": "no-such-model", "inference_region": "FI"},
)
kinds = st.tuples(st.sampled_from(METHOD_NAMES), st.sampled_from(range(len(SERVED))), st.sampled_from(BOUNDARIES))


@cache
def method(name: str) -> Method:
    return load_method(name)


@cache
def use(name: str, served: int, boundary: str | None) -> FactorUse:
    estimator = Estimator(load_reference(None), FactorPolicy(), method(name)).at(0)
    key = ServiceKey(**{"response_model": None, "inference_region": None, **SERVED[served]})  # type: ignore[arg-type]
    return estimator.factors(key._replace(energy_boundary=boundary))


def recorded(name: str, of: FactorUse, energy_uj: int, tokens: int = 500) -> Recomputed:
    """A record of this kind, worked out from its row of factors."""
    counts = RecordedCounts(
        input_tokens=np.array([tokens]),
        cache_read_input_tokens=np.array([0]),
        output_tokens=np.array([tokens // 2]),
        flags=np.zeros(1, dtype=np.int32),
        metered_energy_uj=np.array([energy_uj]),
    )
    return recompute(method(name), [of.columns], np.zeros(1, dtype=np.intp), counts, TokenDefaults(1000, 250))


def carbon(found: Recomputed) -> list[int]:
    return [int(getattr(found.amounts, f"carbon_{end}_ugco2e")[0]) for end in ("low", "mid", "high")]


@given(kinds, st.integers(10**6, 10**12), st.integers(1, 10**6))
def test_more_joules_are_more_carbon_and_tokens_are_nothing(
    kind: tuple[str, int, str], energy_uj: int, tokens: int
) -> None:
    """Low to high, in order; what was metered does not ask how many tokens there were."""
    name, served, boundary = kind
    of = use(name, served, boundary)
    low, mid, high = carbon(recorded(name, of, energy_uj))
    assert low <= mid <= high
    assert all(
        more >= one for one, more in zip((low, mid, high), carbon(recorded(name, of, 2 * energy_uj)), strict=True)
    )
    assert carbon(recorded(name, of, energy_uj, tokens)) == [low, mid, high]


@given(kinds, st.integers(10**9, 10**12))
def test_the_amounts_follow_from_the_stored_row(kind: tuple[str, int, str], energy_uj: int) -> None:
    """By hand: joules x what is around the meter x PUE x intensity; the range is exp(1.2816 x the spread's sd)."""
    name, served, boundary = kind
    of = use(name, served, boundary)
    detail = json.loads(of.columns["detail"])
    measured = detail["measured"]
    assert detail["route"] == "measured"
    around = {
        "gpu": (1 + measured["host_share"]) * (1 + measured["idle_share"]),
        "server": 1 + measured["idle_share"],
        "facility": 1 / of.pue.pue,
    }[boundary]
    it_wh = energy_uj / 1e6 / 3600 * around
    found = recorded(name, of, energy_uj)
    amounts = {column: int(getattr(found.amounts, column)[0]) for column in AMOUNT_COLUMNS}
    assert amounts["it_energy_uwh"] == pytest.approx(it_wh * 1e6, abs=1)
    assert amounts["facility_energy_uwh"] == pytest.approx(it_wh * of.pue.pue * 1e6, abs=1)
    grams = it_wh * of.pue.pue * of.rci_gco2e_per_kwh.mid / 1000
    factor = math.exp(1.2815515655446004 * math.sqrt(sum(sd * sd for sd in detail["spread"]["causes"].values())))
    expected = [grams * 1e6 * end for end in (1 / factor, 1, factor)]
    assert carbon(found) == pytest.approx(expected, rel=1e-6, abs=2)


@given(kinds)
def test_a_meter_narrows_what_is_not_known(kind: tuple[str, int, str]) -> None:
    """Its spread has the meter's error and no size, batch or law in it; both sides of it have one sum of squares."""
    name, served, boundary = kind
    measured, estimated = use(name, served, boundary).spread, use(name, served, None).spread
    assert measured is not None
    assert measured.causes["metered"] == METER_LOG_SD
    assert set(measured.causes) <= {"metered", "host", "idle", "pue", "grid"} - (
        {"pue"} if boundary == "facility" else set()
    )
    squares = [math.fsum(sd * sd for sd in side.values()) for side in (measured.causes, measured.shared)]
    assert squares[0] == pytest.approx(squares[1])
    assert "global:hosted" not in measured.shared
    if estimated is not None:
        assert measured.log_sd < estimated.log_sd
        assert measured.shared.get("region:FI") == estimated.shared.get("region:FI")


@given(st.floats(), st.sampled_from([None, "", *BOUNDARIES, "GPU ", "rack"]))
def test_energy_is_taken_to_the_microjoule_or_not_at_all(joules: float, boundary: str | None) -> None:
    """Whatever number is stated."""
    taken = plausible_energy(joules, boundary)
    if not ENERGY_JOULES_LIMITS.allow(joules) or boundary == "rack":
        assert taken is None
    else:
        assert taken is not None
        assert abs(taken.energy_uj - joules * 1e6) <= 0.5 + 1e-9 * abs(joules * 1e6)
        assert BOUNDARIES[taken.boundary] == ((boundary or "gpu").strip().lower())
