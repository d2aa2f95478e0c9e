"""The method `rice-paper`: R-ICE as published, vectorised.

    T          = prefill(p, N) + (o - 1) * beta(N)                    eq. 1, seconds, batch 1 on A100-80GB
    gpu energy = devices(N) * TDP * utilisation * T                   joules

Source: Sikand et al., "Breaking the ICE", GREENS 2025. docs/methodology.md says what each part rests on, and what was
decided where the paper is silent (long prompts, cached tokens, mixtures of experts, ranges).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.errors import UsageError
from rice_stream.estimator.method import Context, Estimates, KindFigures, Method, Requests, ServedAs, Step, version_of
from rice_stream.estimator.paper.explain import Explained, paper_steps
from rice_stream.estimator.paper.fit import PaperFit
from rice_stream.quantities import Floats, Ints, Range

TDP_W = 400.0
"""Thermal design power of one A100-80GB (SXM), watts; the paper's device (section IV-A1)."""

UTILISATION = 0.26
"""Share of the TDP that is drawn: the paper's default (section IV-A1), from BLOOM's footprint (Luccioni 2023)."""

HARDWARE = "A100-80GB"
"""The device whose runtimes the regressions know."""

DEFAULT_PUE = 1.1
"""The paper's default (section IV-A1), where neither event, settings nor tables know better."""

J_PER_WH = 3600.0

# The columns of the coefficient matrix: scalars of a context first, then its three prefill curves.
POWER_W, BETA_S, TAIL_S, DECODE_LOW_J, DECODE_HIGH_J, TAIL_LOW_J, TAIL_HIGH_J = range(7)
GPU_LOW, GPU_HIGH, IT_LOW, IT_HIGH, FLAGS = range(7, 12)
CURVES = 12


class PaperMethod(Method):
    """`rice-paper`. `whole_devices` rounds the regression's device count up to whole devices (the paper does not)."""

    name = "rice-paper"
    default_pue = DEFAULT_PUE

    def __init__(self, fit: PaperFit, *, whole_devices: bool = False) -> None:
        self.version = version_of(self.name, 1, fit.digest) + (".whole-devices" if whole_devices else "")
        self.fit = fit
        self.whole_devices = whole_devices
        self._cells = len(fit.prefill.prompt_thresholds) + 1
        # Token counts are whole, so the column of every prompt length in range is a look-up, not a search.
        self._column: NDArray[np.intp] = fit.prefill.columns(np.arange(fit.prompt_tokens_max + 1))

    def coefficients(self, contexts: Sequence[Context]) -> Floats:
        """The (k, c) matrix of k contexts; row i depends on contexts[i] alone.

        Raises UsageError for a parameter count, TDP, device count or utilisation that is not a positive finite number.
        """
        matrix = np.empty((len(contexts), CURVES + 3 * self._cells))
        for row, context in zip(matrix, contexts, strict=True):
            self._fill(row, context)
        return matrix

    def kinds(self, contexts: Sequence[Context]) -> list[KindFigures]:
        """Everything about each of k contexts; raises as `coefficients`."""
        matrix = self.coefficients(contexts)
        matrix.flags.writeable = False
        return [self._kind(context, row) for context, row in zip(contexts, matrix, strict=True)]

    def _kind(self, context: Context, row: Floats) -> KindFigures:
        stated = context.hardware_known or context.batch_size is not None
        return KindFigures(
            context=context,
            coefficients=row,
            route="known_serving" if stated else "assumed",
            # The paper assumes batch 1 in 16 bits throughout (HELM's idealised runtime).
            served_as=ServedAs(hardware=_hardware(context), batch_size=1.0, precision="fp16"),
            devices=self._devices(context).mid,
        )

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        """Energy and latency of n requests: additions, multiplications and look-ups per request.

        `coefficients` is the matrix that `coefficients()` returned; `requests.context` indexes its rows.
        """

        def of_context(column: int) -> Floats:
            return _of_context(coefficients, column, requests)

        prefill_s, low_j, high_j = self._prefill(coefficients, requests)
        steps = np.maximum(requests.output_tokens - 1, 0) * _ran(requests).astype(np.float64)
        power_w = of_context(POWER_W)
        decode_s = steps * of_context(BETA_S)
        prefill_j = power_w * prefill_s
        decode_j = power_w * decode_s
        gpu_j = prefill_j + decode_j
        low_j += steps * of_context(DECODE_LOW_J)
        high_j += steps * of_context(DECODE_HIGH_J)
        return Estimates(
            prefill_j=prefill_j,
            decode_j=decode_j,
            gpu_energy_j=gpu_j,
            # The mid value is clamped in: each curve rounds, and saves cached tokens, in its own way.
            gpu_energy_j_low=np.minimum(low_j * of_context(GPU_LOW), gpu_j),
            gpu_energy_j_high=np.maximum(high_j * of_context(GPU_HIGH), gpu_j),
            it_energy_wh_low=np.minimum(low_j * of_context(IT_LOW), gpu_j) / J_PER_WH,
            it_energy_wh=gpu_j / J_PER_WH,
            it_energy_wh_high=np.maximum(high_j * of_context(IT_HIGH), gpu_j) / J_PER_WH,
            latency_s=prefill_s + decode_s,
            flags=self._flags(of_context(FLAGS), requests),
        )

    def explain(self, context: Context, request: Requests) -> list[Step]:
        """The arithmetic of one request, step by step; its values equal those of `estimate` to the last bit."""
        coefficients = self.coefficients([context])
        ran = bool(_ran(request)[0])
        explained = Explained(
            context=context,
            input_tokens=int(request.input_tokens[0]),
            cache_read_input_tokens=int(request.cache_read_input_tokens[0]),
            decode_tokens=max(int(request.output_tokens[0]) - 1, 0) if ran else 0,
            ran=ran,
            devices=self._devices(context).mid,
            tdp_w=_given(context.tdp_w, TDP_W),
            utilisation=_given(context.utilisation, UTILISATION),
            prefill_s=float(self._prefill(coefficients, request)[0][0]),
            beta_s=float(coefficients[0, BETA_S]),
            gpu_factors=(float(coefficients[0, GPU_LOW]), float(coefficients[0, GPU_HIGH])),
            it_factors=(float(coefficients[0, IT_LOW]), float(coefficients[0, IT_HIGH])),
            estimates=self.estimate(coefficients, request),
        )
        return paper_steps(self.fit, explained)

    def _prefill(self, coefficients: Floats, requests: Requests) -> list[Floats]:
        """Prefill as mid (s), low (J), high (J): each curve at the prompt's length, less what a cache saves."""
        flat = coefficients.ravel()
        first = requests.context * coefficients.shape[1] + CURVES
        ran = _ran(requests).astype(np.float64)
        cached = np.flatnonzero(requests.cache_read_input_tokens)
        column, beyond = self._place(requests.input_tokens)
        cached_column, cached_beyond = self._place(requests.cache_read_input_tokens[cached])
        curves = []
        for tail_column in (TAIL_S, TAIL_LOW_J, TAIL_HIGH_J):
            tail = _of_context(coefficients, tail_column, requests)
            curve = flat.take(first + column)
            curve += tail * beyond
            if len(cached):
                at_zero = flat.take(first[cached])
                at_cached = flat.take(first[cached] + cached_column) + tail[cached] * cached_beyond
                saved = np.maximum(at_cached - at_zero, 0.0)
                # Never below one pass over the shortest prompt: the last token is always computed.
                curve[cached] = np.maximum(curve[cached] - saved, np.minimum(curve[cached], at_zero))
            curves.append(curve * ran)
            first = first + self._cells
        return curves

    def _place(self, tokens: Ints) -> tuple[NDArray[np.intp], Floats]:
        """The column of each prompt length and the tokens by which it exceeds the trained range."""
        within = np.minimum(tokens, self.fit.prompt_tokens_max)
        return self._column.take(within), (tokens - within).astype(np.float64)

    def _flags(self, context_flags: Floats, requests: Requests) -> NDArray[np.int32]:
        flags = context_flags.astype(np.int32)
        flags |= (requests.input_tokens > self.fit.prompt_tokens_max) * np.int32(Basis.INPUT_EXTRAPOLATED)
        flags |= (requests.cache_read_input_tokens > 0) * np.int32(Basis.CACHED_INPUT)
        long_context = requests.input_tokens + requests.output_tokens >= self.fit.context_tokens_max
        flags |= long_context * np.int32(Basis.CONTEXT_EXTRAPOLATED)
        flags[~requests.inference] = Basis.GATEWAY_CACHE_HIT
        return flags

    def _fill(self, row: Floats, context: Context) -> None:
        """One context's row: power and curves of the mid parameters, energies of the ends of their range."""
        total, active, fit = context.params_total_b, context.params_active_b, self.fit
        for name, params_b in (("params_total_b", total), ("params_active_b", active)):
            _require_positive(name, params_b.low)
            _require_positive(name, params_b.high)
        devices, watts = self._devices(context), _device_watts(context)
        low, mid, high = fit.curves(active.low, active.mid, active.high)
        low_w, mid_w, high_w = devices.low * watts, devices.mid * watts, devices.high * watts

        row[POWER_W], row[BETA_S], row[TAIL_S] = mid_w, fit.beta_s(active.mid), mid[-1]
        row[DECODE_LOW_J], row[DECODE_HIGH_J] = low_w * fit.beta_s(active.low), high_w * fit.beta_s(active.high)
        row[TAIL_LOW_J], row[TAIL_HIGH_J] = low_w * low[-1], high_w * high[-1]
        row[CURVES:] = np.concatenate([mid[:-1], low_w * low[:-1], high_w * high[:-1]])

        batch_is_one = context.batch_size is not None and context.batch_size <= 1
        gpu_low, it_low = (fit.gpu_error.q10, fit.it_error.q10) if batch_is_one else (fit.batched_error.q10,) * 2
        row[GPU_LOW], row[GPU_HIGH] = gpu_low, fit.gpu_error.q90
        row[IT_LOW], row[IT_HIGH] = it_low, fit.it_error.q90
        row[FLAGS] = self._context_flags(context, batch_is_one=batch_is_one)

    def _context_flags(self, context: Context, *, batch_is_one: bool) -> int:
        flags = Basis(0)
        for params_b in (context.params_total_b.mid, context.params_active_b.mid):
            if not self.fit.params_b_min <= params_b <= self.fit.params_b_max:
                flags |= Basis.PARAMETERS_EXTRAPOLATED
        if not context.hardware_known:
            flags |= Basis.HARDWARE_ASSUMED
        if _hardware(context) != HARDWARE:
            flags |= Basis.HARDWARE_SCALED
        if not batch_is_one:
            flags |= Basis.BATCH_ASSUMED
        return int(flags)

    def _devices(self, context: Context) -> Range:
        if context.devices is not None:
            _require_positive("devices", context.devices)
            return Range.exact(context.devices)
        total = context.params_total_b
        counts = [self.fit.devices(params_b) for params_b in (total.low, total.mid, total.high)]
        return Range(*(map(math.ceil, counts) if self.whole_devices else counts))


def _hardware(context: Context) -> str:
    """What the context says that it runs on; else the paper's device."""
    return context.hardware if context.hardware_known else HARDWARE


def _of_context(coefficients: Floats, column: int, requests: Requests) -> Floats:
    values: Floats = np.ascontiguousarray(coefficients[:, column]).take(requests.context)
    return values


def _ran(requests: Requests) -> NDArray[np.bool_]:
    """False for a request without any token (a failed one) and for one that a gateway answered from its own cache."""
    return requests.inference & ((requests.input_tokens > 0) | (requests.output_tokens > 0))


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _device_watts(context: Context) -> float:
    """What one device draws: TDP x utilisation, each the context's own or the paper's default."""
    tdp_w, utilisation = _given(context.tdp_w, TDP_W), _given(context.utilisation, UTILISATION)
    _require_positive("tdp_w", tdp_w)
    if not 0 < utilisation <= 1:
        raise UsageError(f"utilisation must be a share above 0 and at most 1 (0.26 is 26 %), got {utilisation}")
    return tdp_w * utilisation


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{name} must be a positive number, got {value}")
