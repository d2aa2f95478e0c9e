"""`rice-calibrated`: golden rows by hand, what is assumed and flagged, intervals, explain, the artefact's origin."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from rice_stream.basis import Basis
from rice_stream.errors import ReferenceDataError, UsageError
from rice_stream.estimator.calibrated.artefact import parse_artefact
from rice_stream.estimator.hosted.artefact import HOSTED_FILE
from rice_stream.estimator.loading import (
    CALIBRATED_1_ARTEFACT,
    CALIBRATED_ARTEFACT,
    load_calibrated,
    load_calibrated_1,
)
from rice_stream.estimator.method import Context, Estimates, Method, Profile, Requests
from rice_stream.estimator.spread import Z80
from rice_stream.quantities import Range
from tests.support.places import ROOT as REPOSITORY

METHOD = load_calibrated()


def context(total_b: float, active_b: float | None = None, **stated: object) -> Context:
    """A model on known hardware; `stated` overrides any field."""
    values: dict[str, object] = {"hardware": "H100", "hardware_known": True, **stated}
    return Context(Range.exact(total_b), Range.exact(active_b or total_b), **values)  # type: ignore[arg-type]


def asked(input_tokens: int, output_tokens: int, cached: int = 0, *, inference: bool = True) -> Requests:
    """One request."""
    return Requests(
        np.zeros(1, dtype=np.intp),
        np.array([input_tokens]),
        np.array([cached]),
        np.array([output_tokens]),
        np.array([inference]),
    )


def estimate(
    one: Context, input_tokens: int, output_tokens: int, cached: int = 0, *, inference: bool = True
) -> Estimates:
    return METHOD.estimate(METHOD.coefficients([one]), asked(input_tokens, output_tokens, cached, inference=inference))


def devices(method: Method, contexts: list[Context]) -> list[float]:
    """What each runs on."""
    return [kind.devices for kind in method.kinds(contexts)]


def causes(one: Context) -> Mapping[str, float]:
    """log_sd of the energy by cause."""
    [kind] = METHOD.kinds([one])
    assert kind.spread is not None
    return kind.spread.causes


def test_version_pins_the_artefact() -> None:
    """The version ends in a digest of both artefacts that ship; that of the first version is of its one artefact."""

    def digest_of(name: str) -> str:
        content = resources.files("rice_stream.estimator").joinpath("regressors", name).read_bytes()
        return hashlib.sha256(content).hexdigest()

    both = f"{digest_of(CALIBRATED_ARTEFACT)}{digest_of(HOSTED_FILE)}"
    assert METHOD.name == "rice-calibrated"
    assert METHOD.version == f"rice-calibrated-2+{hashlib.sha256(both.encode()).hexdigest()[:8]}"
    assert load_calibrated_1().version == f"rice-calibrated-1+{digest_of(CALIBRATED_1_ARTEFACT)[:8]}"


def test_measured_decode_step_of_llama_8b_at_batch_1() -> None:
    """Measured on one H100: 3.16645 J per step at context 256, batch 1. The law must say so within 5 %."""
    one = context(8.0303, devices=1.0, batch_size=1.0, precision="bf16", kv_bytes_per_token=131072.0)
    assert estimate(one, 256, 2).decode_j[0] == pytest.approx(3.16645, rel=0.05)


def test_measured_prefill_of_llama_8b() -> None:
    """Measured on one H100: 89.12 J for one prompt of 4,096 tokens. The law must say so within 10 %."""
    one = context(8.0303, devices=1.0, batch_size=1.0, precision="bf16", kv_bytes_per_token=131072.0)
    assert estimate(one, 4096, 1).prefill_j[0] == pytest.approx(89.12, rel=0.10)


def test_golden_decode_by_hand() -> None:
    """A dense 8 B model, bf16, one H100, batch 16: every term worked out from the artefact's printed coefficients."""
    h100 = METHOD.artefact.hardware["H100"].machine
    shape = METHOD.artefact.shape
    kv, batch, steps, prompt = 131072.0, 16.0, 100, 1000
    layers = 20.0 * math.sqrt(8.0 * 8.0) ** 0.26
    step = layers * h100["launch_j"] + h100["weight_j_per_gb"] * 2.0 * 8.0
    token = h100["flop_j_per_tflop"] * 2.0 * 8.0 / 1000.0
    context_j = h100["kv_j_per_gb"] * kv / 1e9 * (prompt + (steps + 1) / 2)
    stream = h100["stream_j"] * steps / (steps + shape.stream_half_tokens)
    expected = steps * (step / batch + token + context_j + stream)
    one = context(8.0, devices=1.0, batch_size=batch, precision="bf16", kv_bytes_per_token=kv)
    assert estimate(one, prompt, steps + 1).decode_j[0] == pytest.approx(expected, rel=1e-12)


def test_golden_experts_read_by_hand() -> None:
    """10 B of which 1 B active: share 0.062, dense part 0.4051 B; batch 8 reads 0.4051 + 9.5949 x (1 - 0.938^8) = 4.25 B."""
    share = 0.62 * 1.0 / 10.0
    dense = (1.0 - share * 10.0) / (1.0 - share)
    touched = dense + (10.0 - dense) * (1.0 - (1.0 - share) ** 8)
    assert (round(share, 3), round(dense, 4), round(touched, 2)) == (0.062, 0.4051, 4.25)
    steps = METHOD.explain(context(10.0, 1.0, batch_size=8.0, precision="bf16"), asked(10, 10))
    read = next(step for step in steps if step.name == "weights_read_gb")
    assert read.value == pytest.approx(2.0 * touched, rel=1e-12)


def test_only_a_prefill_without_decode_steps() -> None:
    """One output token comes from the prefill: no decode step."""
    result = estimate(context(8.0), 500, 1)
    assert result.decode_j[0] == 0.0
    assert result.prefill_j[0] > 0.0


def test_request_without_tokens_or_inference_costs_nothing() -> None:
    """A failed request and a gateway's cache hit run no inference."""
    for result in (estimate(context(8.0), 0, 0), estimate(context(8.0), 500, 500, inference=False)):
        assert result.gpu_energy_j_high[0] == result.it_energy_wh_high[0] == result.latency_s[0] == 0.0
    assert estimate(context(8.0), 500, 500, inference=False).flags[0] == Basis.GATEWAY_CACHE_HIT


def test_cached_input_saves_compute_but_is_still_read() -> None:
    """A cached prompt costs less than a fresh one, and more than none."""
    one = context(8.0, batch_size=8.0)
    fresh, cached, none = (estimate(one, *tokens) for tokens in ((4000, 100), (4000, 100, 3900), (100, 100)))
    assert none.gpu_energy_j[0] < cached.gpu_energy_j[0] < fresh.gpu_energy_j[0]
    assert cached.decode_j[0] == fresh.decode_j[0]
    assert cached.flags[0] & Basis.CACHED_INPUT


def test_more_cached_than_input_counts_as_all_cached() -> None:
    """A cache count above the input cannot make the prefill negative."""
    one = context(8.0, batch_size=8.0)
    assert estimate(one, 100, 10, 500).gpu_energy_j[0] == estimate(one, 100, 10, 100).gpu_energy_j[0]


@pytest.mark.parametrize("spelling", ["H100-SXM", "NVIDIA H100 80GB HBM3", "h100"])
def test_spellings_of_hardware_are_the_same_hardware(spelling: str) -> None:
    """Data sets' spellings resolve to the table's name, whatever their case."""
    expected = estimate(context(8.0, batch_size=8.0), 100, 100)
    found = estimate(context(8.0, batch_size=8.0, hardware=spelling), 100, 100)
    assert found.gpu_energy_j_high[0] == expected.gpu_energy_j_high[0]
    assert not found.flags[0] & Basis.HARDWARE_SCALED


def test_contract_hardware_is_all_in_the_table() -> None:
    """Every hardware name that the contract lists is known, with its `NVIDIA ...` and `-SXM` spellings."""
    names = [
        "A100-40GB",
        "A100-80GB",
        "H100",
        "H200",
        "B200",
        "L40S",
        "L4",
        "A10G",
        "MI300X",
        "TPU-v5e",
        "TPU-v6e",
        "H100-SXM",
        "H200-SXM",
    ]
    for name in [*names, "NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-40GB"]:
        assert METHOD.artefact.find_hardware(name) is not None, name


def test_unknown_hardware_is_estimated_flagged_and_wider() -> None:
    """Hardware that is not in the table is neither refused nor silently taken for known."""
    known, unknown = (
        estimate(context(8.0, batch_size=8.0, hardware=name), 100, 100) for name in ("H100", "Cerebras WSE-3")
    )
    assert unknown.flags[0] & Basis.HARDWARE_SCALED
    assert unknown.gpu_energy_j_high[0] > known.gpu_energy_j_high[0]
    assert unknown.gpu_energy_j_low[0] < known.gpu_energy_j_low[0]


def test_scaled_hardware_is_flagged_and_wider() -> None:
    """Hardware that only its specification describes says so, and is a cause of its own."""
    scaled = context(8.0, batch_size=8.0, hardware="MI300X")
    result, measured = estimate(scaled, 100, 100), estimate(context(8.0, batch_size=8.0), 100, 100)
    assert result.flags[0] == Basis.HARDWARE_SCALED | Basis.ARCHITECTURE_ASSUMED
    assert (
        result.gpu_energy_j_high[0] / result.gpu_energy_j[0] > measured.gpu_energy_j_high[0] / measured.gpu_energy_j[0]
    )
    assert causes(scaled)["hardware"] > 0.0


def test_a_model_of_which_only_parameters_are_known_is_flagged_and_wider() -> None:
    """Layers and KV size by the law give the same middle as the same figures stated, but say so and never a narrower range."""
    factor, exponent = METHOD.artefact.layer_law
    kv_factor, total_exponent, active_exponent = METHOD.artefact.kv_law
    for total_b, active_b, batch in ((8.0, 8.0, 1.0), (8.0, 8.0, 32.0), (100.0, 10.0, 32.0)):
        law = {
            "layers": factor * (total_b * active_b) ** (exponent / 2),
            "kv_bytes_per_token": kv_factor * total_b**total_exponent * active_b**active_exponent,
        }
        guessed = estimate(context(total_b, active_b, batch_size=batch), 500, 250)
        stated = estimate(context(total_b, active_b, batch_size=batch, **law), 500, 250)
        assert guessed.flags[0] == Basis.ARCHITECTURE_ASSUMED
        assert stated.flags[0] == 0
        assert guessed.gpu_energy_j[0] == pytest.approx(stated.gpu_energy_j[0], rel=1e-12)
        assert guessed.gpu_energy_j_low[0] < stated.gpu_energy_j_low[0]
        assert guessed.gpu_energy_j_high[0] >= stated.gpu_energy_j_high[0] * (1 - 1e-12)


def test_a_served_model_below_1_b_has_a_wider_range_and_the_eager_one_has_not() -> None:
    """The 0.5 B model that was measured costs up to 1.8 times what is predicted; in the eager runtime many were measured."""
    small, large = (causes(context(size, batch_size=8.0))["law"] for size in (0.99, 1.0))
    added = METHOD.artefact.small_errors
    assert small == pytest.approx(math.hypot(large, (added.high - added.low) / (2 * Z80)), abs=1e-5)
    assert added.high > 0.2
    eager = [causes(context(size, hardware="A100-80GB", batch_size=1.0))["law"] for size in (0.99, 1.0)]
    assert eager[0] == eager[1]


def test_batch_not_given_is_the_widest_and_flagged() -> None:
    """Without a batch size the interval spans the profile's range."""
    given, assumed = estimate(context(8.0, batch_size=32.0), 500, 500), estimate(context(8.0), 500, 500)
    assert assumed.flags[0] == Basis.BATCH_ASSUMED | Basis.ARCHITECTURE_ASSUMED
    assert assumed.gpu_energy_j[0] == given.gpu_energy_j[0]  # the default profile's middle
    width = [float(one.gpu_energy_j_high[0] / one.gpu_energy_j_low[0]) for one in (given, assumed)]
    assert width[1] > 2 * width[0]


def test_profiles_move_the_middle() -> None:
    """batch1, interactive and throughput differ as their batch sizes do."""
    energies = [
        float(estimate(context(8.0, profile=name), 500, 500).gpu_energy_j[0])
        for name in ("batch1", "interactive", "throughput")
    ]
    assert energies[0] > 5 * energies[1] > 5 * energies[2]


def test_hardware_that_is_not_known_is_the_profiles() -> None:
    """`hardware_known=False` takes the profile's hardware and is flagged."""
    result = estimate(context(8.0, hardware="A100-80GB", hardware_known=False, batch_size=32.0), 100, 100)
    assert result.flags[0] == Basis.HARDWARE_ASSUMED | Basis.ARCHITECTURE_ASSUMED
    assert result.gpu_energy_j[0] == estimate(context(8.0, batch_size=32.0), 100, 100).gpu_energy_j[0]


def test_a_profile_of_ones_own() -> None:
    """A context that carries a deployment's own profile is served as it says."""
    own = Profile("H200", Range(40.0, 50.0, 60.0), "fp8", Range(0.0, 0.2, 0.3), "our fleet")
    expected = estimate(context(8.0, hardware="H200", batch_size=50.0, precision="fp8"), 100, 100)
    found = estimate(context(8.0, hardware_known=False, profile="our-fleet", own_profile=own), 100, 100)
    assert found.gpu_energy_j[0] == expected.gpu_energy_j[0]


def test_devices_from_memory() -> None:
    """16-bit weights may fill 3/4 of 80 GB: 8 B on one H100, 70 B on four, 405 B on sixteen; at 8 bit on eight."""
    contexts = [context(size) for size in (8.0, 70.0, 405.0)]
    assert devices(METHOD, [*contexts, context(405.0, precision="fp8")]) == [1.0, 4.0, 16.0, 8.0]
    assert devices(METHOD, [context(8.0, devices=3.0)]) == [3.0]


def test_a_hosted_mixtures_batch_is_that_of_one_node() -> None:
    """671 B at 16 bit needs 24 H100; a hosting profile counts groups of 8, each with its own batch. A stated count stands."""
    mixture = context(671.0, 37.0, precision="bf16", profile="hosted_scale")
    dense = context(671.0, precision="bf16", profile="hosted_scale")
    assert devices(METHOD, [mixture, dense, replace(mixture, devices=16.0)]) == [8.0, 24.0, 16.0]
    assert devices(METHOD, [replace(mixture, profile="interactive")]) == [24.0]


def test_range_of_parameters_widens_the_interval() -> None:
    """A closed model's parameter range propagates to both ends and leaves the middle."""
    exact = context(100.0, 20.0, batch_size=32.0, devices=8.0)
    closed = replace(exact, params_total_b=Range(50.0, 100.0, 300.0), params_active_b=Range(10.0, 20.0, 60.0))
    known, wide = estimate(exact, 500, 500), estimate(closed, 500, 500)
    assert wide.gpu_energy_j[0] == known.gpu_energy_j[0]
    assert wide.gpu_energy_j_low[0] < known.gpu_energy_j_low[0]
    assert wide.gpu_energy_j_high[0] > known.gpu_energy_j_high[0]


def test_server_energy_by_hand() -> None:
    """A100 at batch 1: server = GPU + 22 % of 400 W for the time of the run; no idle share."""
    one = context(7.0, hardware="A100-80GB", devices=1.0, batch_size=1.0)
    result = estimate(one, 256, 256)
    expected = (float(result.gpu_energy_j[0]) + 0.22 * 400.0 * float(result.latency_s[0])) / 3600.0
    assert result.it_energy_wh[0] == pytest.approx(expected, rel=1e-12)


def test_explain_gives_the_numbers_of_estimate() -> None:
    """Every result in the steps is the one `estimate` returns, and every step has a source."""
    one = context(8.0, batch_size=8.0)
    steps = {step.name: step for step in METHOD.explain(one, asked(300, 200, cached=100))}
    result = estimate(one, 300, 200, 100)
    for name in (
        "prefill_j",
        "decode_j",
        "gpu_energy_j",
        "gpu_energy_j_low",
        "gpu_energy_j_high",
        "it_energy_wh",
        "latency_s",
    ):
        assert steps[name].value == getattr(result, name)[0]
    assert all(step.source and step.formula and step.unit for step in steps.values())


def test_explained_sums_can_be_recomputed_from_their_formulas() -> None:
    """The printed arithmetic of prefill and decode gives the printed value (numbers are printed to six digits)."""
    steps = {step.name: step for step in METHOD.explain(context(8.0, batch_size=8.0), asked(300, 200, cached=100))}
    for name in ("prefill_j", "decode_j"):
        assert eval(steps[name].formula.replace(" x ", " * ")) == pytest.approx(steps[name].value, rel=1e-4)  # noqa: S307


@pytest.mark.parametrize(
    ("field", "stated"),
    [
        ("params_total_b", {"params_total_b": Range(0.0, 1.0, 1.0)}),
        ("batch_size", {"batch_size": 0.0}),
        ("devices", {"devices": float("nan")}),
        ("kv_bytes_per_token", {"kv_bytes_per_token": -1.0}),
        ("params_active_b", {"params_active_b": Range.exact(9.0)}),
        ("precision", {"precision": "fp3"}),
        ("profile", {"profile": "turbo"}),
    ],
)
def test_bad_values_name_their_field(field: str, stated: dict[str, object]) -> None:
    """A value that cannot be is refused with its field's name."""
    with pytest.raises(UsageError, match=field):
        METHOD.coefficients([replace(context(8.0), **stated)])  # type: ignore[arg-type]


def test_a_damaged_artefact_names_file_and_field() -> None:
    """A missing field is told by name, with the command that rebuilds the file."""
    content = json.loads(
        resources.files("rice_stream.estimator").joinpath("regressors", CALIBRATED_ARTEFACT).read_text()
    )
    del content["shape"]["moe_launch"]
    with pytest.raises(ReferenceDataError, match=r"rice-calibrated.json: field 'moe_launch'.*training.calibrated"):
        parse_artefact(json.dumps(content).encode(), CALIBRATED_ARTEFACT)


def test_artefact_states_the_data_it_was_fitted_to() -> None:
    """The digest of our own measurements in the artefact is that of the committed file; every file has rows and a digest."""
    data = json.loads(resources.files("rice_stream.estimator").joinpath("regressors", CALIBRATED_ARTEFACT).read_text())[
        "data"
    ]
    own = (REPOSITORY / "training" / "data" / "gpu_measured_h100_h200.csv").read_bytes()
    assert data["gpu_measured_h100_h200.csv"] == {"rows": 179, "sha256": hashlib.sha256(own).hexdigest()}
    assert {len(file["sha256"]) for file in data.values()} == {64}
    assert len(data) == 4


def test_every_hardware_coefficient_is_sourced_and_not_negative() -> None:
    """No negative coefficient (energy must rise with work) and no hardware row without a source."""
    fields = json.loads(
        resources.files("rice_stream.estimator").joinpath("regressors", CALIBRATED_ARTEFACT).read_text()
    )
    for name, row in fields["hardware"].items():
        assert row["source"], name
        assert all(value >= 0.0 for value in row["machine"].values()), name
        assert row["machine"]["flop_j_per_tflop"] >= row["machine"]["floor_j_per_tflop"] * 0.999, name
