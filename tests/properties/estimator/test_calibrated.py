"""Properties of `rice-calibrated` for any model, deployment and request."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.method import Context, Estimates, Requests
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.quantities import Range
from rice_stream.reference.loader import load_reference

METHOD = load_calibrated()
HARDWARE = sorted(METHOD.artefact.hardware)

sizes = st.floats(0.2, 1500.0)
tokens = st.integers(0, 60_000)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    total = draw(sizes)
    return Context(
        Range.exact(total),
        Range.exact(total * draw(st.floats(0.02, 1.0))),
        hardware=draw(st.sampled_from([*HARDWARE, "unheard of"])),
        hardware_known=draw(st.booleans()),
        devices=draw(st.none() | st.sampled_from([1.0, 2.0, 8.0])),
        batch_size=draw(st.none() | st.floats(1.0, 4096.0)),
        precision=draw(st.none() | st.sampled_from(sorted(METHOD.artefact.precisions))),
        kv_bytes_per_token=draw(st.none() | st.floats(0.0, 3e6)),
        layers=draw(st.none() | st.integers(4, 130).map(float)),
        rotary=draw(st.sampled_from([None, True, False])),
        routed_share=draw(st.none() | st.floats(0.001, 1.0)),
        state_bytes=draw(st.none() | st.floats(0.0, 1e10)),
        profile=draw(st.none() | st.sampled_from(sorted(METHOD.artefact.profiles))),
    )


def estimate(one: Context, input_tokens: int, output_tokens: int, cached: int = 0) -> Estimates:
    requests = Requests(
        np.zeros(1, dtype=np.intp),
        np.array([input_tokens]),
        np.array([cached]),
        np.array([output_tokens]),
        np.array([True]),
    )
    return METHOD.estimate(METHOD.coefficients([one]), requests)


def joules(one: Context, input_tokens: int, output_tokens: int) -> float:
    return float(estimate(one, input_tokens, output_tokens).gpu_energy_j[0])


@settings(max_examples=60, deadline=None)
@given(contexts(), tokens, tokens, st.integers(0, 60_000))
def test_parts_sum_bounds_are_ordered_and_nothing_is_negative(
    one: Context, inputs: int, outputs: int, cached: int
) -> None:
    """prefill_j + decode_j == gpu_energy_j to the last bit; low <= mid <= high for GPU and server; all >= 0 and finite."""
    result = estimate(one, inputs, outputs, min(cached, inputs))
    assert result.prefill_j[0] + result.decode_j[0] == result.gpu_energy_j[0]
    assert 0.0 <= result.gpu_energy_j_low[0] <= result.gpu_energy_j[0] <= result.gpu_energy_j_high[0] < np.inf
    assert 0.0 <= result.it_energy_wh_low[0] <= result.it_energy_wh[0] <= result.it_energy_wh_high[0] < np.inf
    assert result.it_energy_wh[0] * 3600.0 >= result.gpu_energy_j[0] * (1 - 1e-12)
    assert result.latency_s[0] >= 0.0


@settings(max_examples=60, deadline=None)
@given(contexts(), tokens, tokens, st.integers(1, 5_000))
def test_energy_rises_with_tokens_and_context(one: Context, inputs: int, outputs: int, more: int) -> None:
    """More input or more output tokens never cost less; output tokens at a longer context cost more."""
    base = joules(one, inputs, outputs)
    assert joules(one, inputs + more, outputs) >= base
    assert joules(one, inputs, outputs + more) >= base
    longer, shorter = estimate(one, inputs + more, outputs), estimate(one, inputs, outputs)
    assert longer.decode_j[0] >= shorter.decode_j[0]


@settings(max_examples=60, deadline=None)
@given(contexts(), st.integers(1, 20_000), st.integers(1, 20_000), st.floats(1.0, 4.0))
def test_energy_rises_with_parameters(one: Context, inputs: int, outputs: int, factor: float) -> None:
    """More parameters, total with the active share or total alone or active alone, never cost less."""
    base = joules(one, inputs, outputs) * (1 - 1e-12)
    total, active = one.params_total_b.mid, one.params_active_b.mid
    both = replace(one, params_total_b=Range.exact(total * factor), params_active_b=Range.exact(active * factor))
    assert joules(both, inputs, outputs) >= base
    assert joules(replace(one, params_total_b=Range.exact(total * factor)), inputs, outputs) >= base
    denser = min(total, active * factor)
    assert joules(replace(one, params_active_b=Range.exact(denser)), inputs, outputs) >= base


@settings(max_examples=60, deadline=None)
@given(contexts(), st.integers(1, 20_000), st.integers(1, 20_000), st.floats(1.0, 4000.0), st.floats(1.0, 8.0))
def test_energy_per_token_falls_with_batch(
    one: Context, inputs: int, outputs: int, batch: float, factor: float
) -> None:
    """A larger batch never makes a request dearer; where hardware is not known, whatever the profile takes, twice the batch."""
    if not one.hardware_known:
        factor = max(2.0, factor)
    small, large = (joules(replace(one, batch_size=size), inputs, outputs) for size in (batch, batch * factor))
    assert large <= small * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(contexts(), st.integers(1, 20_000), st.integers(2, 20_000))
def test_energy_never_falls_below_the_compute_floor(one: Context, inputs: int, outputs: int) -> None:
    """2 x active parameters operations per generated token at TDP / peak: the batch cannot amortise those."""
    found = METHOD.artefact.find_hardware(one.hardware) if one.hardware_known else METHOD.artefact.hardware["H100"]
    hardware = found or METHOD.artefact.hardware["H100"]
    if not one.hardware_known and (one.profile == "batch1" or (one.profile is None and one.batch_size == 1.0)):
        hardware = METHOD.artefact.hardware["A100-80GB"]
    floor_j = hardware.machine["floor_j_per_tflop"] * 2.0 * one.params_active_b.mid / 1e3 * (outputs - 1)
    huge = replace(one, batch_size=None if one.batch_size is None else 1e6)
    assert estimate(one, inputs, outputs).decode_j[0] >= floor_j * 0.999
    if one.batch_size is not None and one.profile is not None and one.hardware_known:
        assert estimate(huge, inputs, outputs).decode_j[0] >= floor_j * 0.999


@settings(max_examples=60, deadline=None)
@given(contexts(), contexts(), tokens, tokens)
def test_a_row_depends_on_its_own_context_alone(one: Context, other: Context, inputs: int, outputs: int) -> None:
    """Coefficients and estimates do not change with what else is in the batch, nor from call to call."""
    alone, together = METHOD.coefficients([one]), METHOD.coefficients([other, one])
    assert np.array_equal(alone[0], together[1])
    requests = Requests(
        np.array([1, 0, 1]),
        np.array([inputs, 5, inputs]),
        np.zeros(3, dtype=np.int64),
        np.array([outputs, 7, outputs]),
        np.ones(3, dtype=np.bool_),
    )
    result = METHOD.estimate(together, requests)
    assert result.gpu_energy_j[0] == result.gpu_energy_j[2] == estimate(one, inputs, outputs).gpu_energy_j[0]


@settings(max_examples=60, deadline=None)
@given(contexts(), tokens, tokens)
def test_impacts_are_ordered_and_never_part_of_energy(one: Context, inputs: int, outputs: int) -> None:
    """Embodied carbon and water: 0 <= low <= mid <= high, finite; zero exactly where no token was processed."""
    matrix = METHOD.coefficients([one])
    requests = Requests(
        np.zeros(1, dtype=np.intp), np.array([inputs]), np.array([0]), np.array([outputs]), np.array([True])
    )
    found = METHOD.impacts(matrix, requests, METHOD.estimate(matrix, requests), np.array([1.3]))
    for impact in (found.embodied_gco2e, found.water_l):
        assert 0.0 <= impact.low[0] <= impact.mid[0] <= impact.high[0] < np.inf
        assert (impact.mid[0] == 0.0) == (inputs == outputs == 0)


REFERENCE = load_reference(None)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 20_000), st.integers(0, 20_000), st.floats(1.0, 2.9), st.floats(0.0, 1900.0), st.floats(0.01, 0.1)
)
def test_carbon_rises_with_pue_and_intensity(inputs: int, outputs: int, pue: float, rci: float, more: float) -> None:
    """More PUE or more intensity never emits less, and leaves IT energy as it is; low <= mid <= high throughout."""

    def emitted(pue: float, rci: float) -> tuple[list[float], float]:
        request = Described(inputs, outputs, params_total_b=8.0, pue=pue, rci_gco2e_per_kwh=rci)
        [found] = estimate_all([request], Estimator(REFERENCE, FactorPolicy(), METHOD).at(0))
        return list(found.values["carbon_gco2e"].values()), found.values["it_energy_wh"]

    base, it_wh = emitted(pue, rci)
    assert base == sorted(base)
    for changed, changed_it_wh in (emitted(pue + more, rci), emitted(pue, rci + 1000 * more)):
        assert changed_it_wh == it_wh
        assert all(after >= before for after, before in zip(changed, base, strict=True))
    assert emitted(pue, rci + 1000 * more)[0][1] > base[1]


def test_many_requests_equal_one_by_one() -> None:
    """Requests are estimated in chunks; where a chunk ends makes no difference."""
    generator = np.random.default_rng(7)
    count = 10_001
    matrix = METHOD.coefficients(
        [Context(Range.exact(8.0), Range.exact(8.0)), Context(Range.exact(100.0), Range.exact(10.0))]
    )
    requests = Requests(
        generator.integers(0, 2, count).astype(np.intp),
        generator.integers(0, 9000, count),
        np.zeros(count, dtype=np.int64),
        generator.integers(0, 9000, count),
        generator.random(count) < 0.9,
    )
    whole = METHOD.estimate(matrix, requests)
    for index in (0, 4095, 4096, 8191, 8192, 10_000):
        own = slice(index, index + 1)
        single = METHOD.estimate(
            matrix,
            Requests(
                requests.context[own],
                requests.input_tokens[own],
                requests.cache_read_input_tokens[own],
                requests.output_tokens[own],
                requests.inference[own],
            ),
        )
        assert single.gpu_energy_j[0] == whole.gpu_energy_j[index]
        assert single.it_energy_wh_high[0] == whole.it_energy_wh_high[index]
        assert single.flags[0] == whole.flags[index]
