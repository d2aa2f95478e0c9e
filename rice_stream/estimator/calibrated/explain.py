"""Puts one `rice-calibrated` estimate into words: the steps that `rice-stream explain` prints."""

import numpy as np

from rice_stream.basis import Basis
from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.experts import weights_touched_b
from rice_stream.estimator.calibrated.interval import regime
from rice_stream.estimator.calibrated.setup import Resolved, stated_share
from rice_stream.estimator.method import Disclosed, Estimates, Requests, Step
from rice_stream.quantities import Floats, ListPrice

FIT = "docs/validation-calibrated.md; rice_stream/estimator/calibrated/physics.py"
STATED = "stated"


def explain_steps(
    artefact: Artefact, one: Resolved, row: Floats, requests: Requests, estimates: Estimates
) -> list[Step]:
    """The steps of the one request in `requests`; results are taken from `estimates`, none is computed a second time.

    `row` holds the cost coefficients: seven of the mid joules first, of the seconds last.
    """
    inputs, outputs = int(requests.input_tokens[0]), int(requests.output_tokens[0])
    cached = min(int(requests.cache_read_input_tokens[0]), inputs)
    steps = max(outputs - 1, 0)
    context = f"({inputs} + ({steps} + 1) / 2)"
    c0, c1, c2, c3, d0, d1, d2 = (float(value) for value in row[:7])
    half = artefact.shape.stream_half_tokens
    squares = inputs * inputs - cached * cached
    ran = "" if requests.inference[0] else "0 x "
    bound = int(estimates.flags[0]) & Basis.PRICE_BOUND
    within = "; then as much less as the list price of the request allows" if bound else ""
    fit = FIT if one.given is None else one.given.source
    return [
        *_assumptions(artefact, one),
        Step(
            "prefill_j",
            f"{ran}({c0:.6g} + {c1:.6g} x {inputs - cached} + {c2:.6g} x {squares} + {c3:.6g} x {cached}){within}",
            float(estimates.prefill_j[0]),
            "J",
            fit,
        ),
        Step(
            "decode_j",
            f"{ran}{steps} x ({d0:.6g} + {d1:.6g} x {context} + {d2:.6g} x {steps} / ({steps} + {half:g})){within}",
            float(estimates.decode_j[0]),
            "J",
            fit,
        ),
        Step("gpu_energy_j", "prefill_j + decode_j", float(estimates.gpu_energy_j[0]), "J", "definition"),
        Step("latency_s", "the same two sums with coefficients in seconds", float(estimates.latency_s[0]), "s", FIT),
        *_results(one, artefact, estimates),
    ]


def move_step(evidence: ListPrice | Disclosed, factor: float) -> Step:
    """The step of a price or of a disclosure that moved the middle: what it says, and the factor on all joules."""
    everywhere = "in every coefficient of joules"
    if isinstance(evidence, ListPrice):
        usd = f"{evidence.input:g} and {evidence.output:g} USD per million tokens in and out"
        return Step("price_factor", f"{everywhere}: {usd}", factor, "", "list price")
    cached, outputs = evidence.cache_read_input_tokens, evidence.output_tokens
    tokens = f"{evidence.input_tokens} tokens in ({cached} cached) and {outputs} out"
    said = f"{evidence.facility_energy_wh:g} Wh for {tokens}, log-sd {evidence.log_sd:g}"
    return Step("disclosure_factor", f"{everywhere}: {said}", factor, "", evidence.evidence_id or "a disclosure")


def _assumptions(artefact: Artefact, one: Resolved) -> list[Step]:
    context, chosen = one.context, one.serving
    profile = f"serving profile {context.profile or artefact.default_profile}"
    precision = artefact.find_precision(chosen.precision)
    total, active = context.params_total_b.mid, context.params_active_b.mid
    stated = np.array(stated_share(context, artefact))
    touched_b = weights_touched_b(np.array(total), np.array(active), np.array(chosen.batch_size.mid), stated)
    touched = float(touched_b) * precision.weight_bytes
    return [
        Step("params_total_b", f"{total:g}", total, "1e9", "model table or stated"),
        Step("params_active_b", f"{active:g}", active, "1e9", "model table or stated"),
        Step(
            "batch_size",
            f"{chosen.batch_size.mid:g} ({chosen.batch_size.low:g} to {chosen.batch_size.high:g})",
            chosen.batch_size.mid,
            "requests",
            STATED if context.batch_size is not None else profile,
        ),
        Step(
            "devices",
            f"{one.devices:g} x {one.hardware.name}" + ("" if chosen.hardware_known else " (assumed)"),
            one.devices,
            "devices",
            STATED if context.devices is not None else "fewest devices whose memory holds the weights",
        ),
        Step(
            "weights_read_gb",
            f"parameters that {chosen.batch_size.mid:g} tokens touch x {precision.weight_bytes:g} bytes ({chosen.precision})",
            touched,
            "GB/step",
            FIT,
        ),
    ]


def _results(one: Resolved, artefact: Artefact, estimates: Estimates) -> list[Step]:
    host, idle = artefact.host_share_of_tdp, one.serving.idle_share.mid
    around = f"{host.mid:g} x {one.hardware.tdp_w:g} W x {one.devices:g} devices x time share"
    error = f"80 % interval, regime {regime(one)}, hardware {one.hardware_class}; {FIT}"
    if one.given is not None:
        around, idle = f"{one.given.host_share:g} x gpu_energy_j", one.given.idle_share
        error = f"80 % interval; {one.given.source}"
    return [
        Step("gpu_energy_j_low", "lower end", float(estimates.gpu_energy_j_low[0]), "J", error),
        Step("gpu_energy_j_high", "upper end", float(estimates.gpu_energy_j_high[0]), "J", error),
        Step(
            "it_energy_wh",
            f"(gpu_energy_j + {around}) x (1 + {idle:g}) / 3600",
            float(estimates.it_energy_wh[0]),
            "Wh",
            "server and idle machines: Elsworth et al. 2025 (Google); docs/validation-calibrated.md",
        ),
        Step("it_energy_wh_low", "lower end", float(estimates.it_energy_wh_low[0]), "Wh", error),
        Step("it_energy_wh_high", "upper end", float(estimates.it_energy_wh_high[0]), "Wh", error),
    ]
