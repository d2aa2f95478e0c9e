"""Puts one `rice-paper` estimate into words: the steps that `rice-stream explain` prints."""

from dataclasses import dataclass

from rice_stream.estimator.method import Context, Estimates, Step
from rice_stream.estimator.paper.fit import PaperFit

PAPER = "R-ICE (Sikand et al., GREENS 2025)"
HELM = "HELM-Efficiency, idealised runtimes on A100-80GB"
RANGE = "10th and 90th percentile of measured / predicted energy (docs/validation.md) and the range of parameters"


@dataclass(frozen=True, slots=True)
class Explained:
    """One request and the intermediate results of its estimate; nothing below is computed a second time."""

    context: Context
    input_tokens: int
    cache_read_input_tokens: int
    decode_tokens: int
    ran: bool
    devices: float
    tdp_w: float
    utilisation: float
    prefill_s: float
    beta_s: float
    gpu_factors: tuple[float, float]
    it_factors: tuple[float, float]
    estimates: Estimates


def paper_steps(fit: PaperFit, one: Explained) -> list[Step]:
    """The steps from parameters and tokens to watt-hours, then the ends of the range."""
    estimates = one.estimates
    power = f"{one.devices:.6g} x {one.tdp_w:g} W x {one.utilisation:g}"
    decode_s = f"{one.decode_tokens} x beta_s_per_token"
    power_source = _power_source(one.context)
    active_b = one.context.params_active_b.mid
    beta = f"{fit.beta_scale_s:.6g} x {active_b:g} ^ {fit.beta_exponent:.6g}"
    return [
        Step("devices", *_devices(fit, one)),
        Step("prefill_s", _prefill_formula(fit, one), one.prefill_s, "s", f"{PAPER}, regression 2; {HELM}"),
        Step("beta_s_per_token", beta, one.beta_s, "s/token", f"{PAPER}, regression 3; {HELM}"),
        Step("latency_s", f"prefill_s + {decode_s}", float(estimates.latency_s[0]), "s", f"{PAPER}, eq. 1"),
        Step("prefill_j", f"{power} x prefill_s", float(estimates.prefill_j[0]), "J", power_source),
        Step("decode_j", f"{power} x ({decode_s})", float(estimates.decode_j[0]), "J", power_source),
        Step("gpu_energy_j", "prefill_j + decode_j", float(estimates.gpu_energy_j[0]), "J", PAPER),
        Step("it_energy_wh", "gpu_energy_j / 3600", float(estimates.it_energy_wh[0]), "Wh", f"{PAPER}, no host energy"),
        *_range_steps(one),
    ]


def _range_steps(one: Explained) -> list[Step]:
    estimates, active = one.estimates, one.context.params_active_b
    ends = (
        ("gpu_energy_j_low", one.gpu_factors[0], active.low, estimates.gpu_energy_j_low, "J"),
        ("gpu_energy_j_high", one.gpu_factors[1], active.high, estimates.gpu_energy_j_high, "J"),
        ("it_energy_wh_low", one.it_factors[0], active.low, estimates.it_energy_wh_low, "Wh"),
        ("it_energy_wh_high", one.it_factors[1], active.high, estimates.it_energy_wh_high, "Wh"),
    )
    steps = []
    for name, factor, params_b, values, unit in ends:
        within = "at most" if name.endswith("_low") else "at least"
        formula = f"{factor:g} x {name.rpartition('_')[0]} with {params_b:g} B active, {within} the middle value"
        steps.append(Step(name, formula, float(values[0]), unit, RANGE))
    return steps


def _devices(fit: PaperFit, one: Explained) -> tuple[str, float, str, str]:
    if one.context.devices is not None:
        return f"{one.context.devices:g}", one.devices, "devices", "given for this model"
    line = f"max(1, {fit.devices_per_b:.6g} x {one.context.params_total_b.mid:g} + {fit.devices_at_zero:.6g})"
    return line, one.devices, "devices", f"{PAPER}, regression 1; HELM-Efficiency, ten models"


def _power_source(context: Context) -> str:
    tdp = "TDP 400 W of one A100-80GB" if context.tdp_w is None else f"TDP given for {context.hardware}"
    utilisation = "utilisation 0.26" if context.utilisation is None else "utilisation given"
    return f"{PAPER}: devices x TDP x utilisation x time; {tdp}, {utilisation}"


def _prefill_formula(fit: PaperFit, one: Explained) -> str:
    """The forest's look-ups: tail past the trained lengths, less what a cached prefix saves, scaled past its sizes."""
    if not one.ran:
        return "0, no inference ran"
    active_b = one.context.params_active_b.mid
    nearest_b = min(max(active_b, fit.prefill_params_b_min), fit.params_b_max)
    formula = _look_up(fit, nearest_b, one.input_tokens)
    if one.cache_read_input_tokens > 0:
        at_zero = _look_up(fit, nearest_b, 0)
        saved = f"({_look_up(fit, nearest_b, one.cache_read_input_tokens)} - {at_zero})"
        formula = f"max({formula} - {saved}, {at_zero})"
    if nearest_b != active_b:
        formula = f"({formula}) x ({active_b:g} / {nearest_b:g}) ^ {fit.beta_exponent:.6g}"
    return formula


def _look_up(fit: PaperFit, params_b: float, tokens: int) -> str:
    beyond = tokens - fit.prompt_tokens_max
    if beyond <= 0:
        return f"forest({params_b:g} B, {tokens}) [{float(fit.prefill.predict(params_b, tokens)):.6g} s]"
    slope_s = fit.curves(params_b, params_b, params_b)[1][-1]
    return f"({_look_up(fit, params_b, fit.prompt_tokens_max)} + {beyond} x {slope_s:.6g} s)"
