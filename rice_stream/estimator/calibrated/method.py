"""The method `rice-calibrated`: physically structured regressions on public benchmarks and our own H100/H200 measurements.

Per request, joules of all GPUs (its share of the batch), with coefficients that are fixed per context:

    prefill = c0 + c1 (p - cached) + c2 (p^2 - cached^2) + c3 cached
    decode  = (o - 1) (d0 + d1 (p + o/2) + d2 (o - 1) / (o - 1 + half))

rice_stream/estimator/calibrated/physics.py says what the coefficients are made of, docs/validation-calibrated.md how well they
predict models that the fit never saw. A context's `utilisation` and `tdp_w` are not used: power is part of what was
measured, not a share of the TDP.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.errors import UsageError
from rice_stream.estimator.calibrated.artefact import Artefact, parse_artefact
from rice_stream.estimator.calibrated.explain import explain_steps
from rice_stream.estimator.calibrated.interval import architecture_assumed, error_factors, site_factor
from rice_stream.estimator.calibrated.physics import Cost, decode, joules, prefill, seconds
from rice_stream.estimator.calibrated.setup import HIGH, LOW, MID, Resolved, machine_of, resolve, setup_of
from rice_stream.estimator.calibrated.site import Site
from rice_stream.estimator.embodied import EmbodiedFactors, embodied_gco2e_per_device_second, load_embodied, water_l
from rice_stream.estimator.method import Context, Estimates, Impact, Impacts, Profile, Requests, ServedAs
from rice_stream.estimator.steps import Step
from rice_stream.quantities import Floats

ARTEFACT = "rice-calibrated.json"
J_PER_WH = 3600.0

# Columns of the coefficient matrix: four costs of seven coefficients each (mid, low and high joules; seconds), then scalars.
COST = 7
MID_J, LOW_J, HIGH_J, MID_S = 0, COST, 2 * COST, 3 * COST
# HOST_*: power around the devices while they work on a request; DEVICE_HOST_W: the same around one device.
HOST_W, HOST_FIXED_J, HOST_DECODE_W, DEVICE_HOST_W, HOST_LOW, HOST_HIGH = range(4 * COST, 4 * COST + 6)
IDLE_LOW, IDLE_MID, IDLE_HIGH, FLAGS = range(4 * COST + 6, 4 * COST + 10)
# Embodied carbon of one device with its share of the server, gCO2e per second.
EMBODIED_LOW, EMBODIED_MID, EMBODIED_HIGH = range(4 * COST + 10, 4 * COST + 13)
COLUMNS = 4 * COST + 13
CHUNK = 4096
"""Requests estimated at a time: their columns stay in the processor's cache."""


class CalibratedMethod:
    """`rice-calibrated`. Pure: everything it knows is in the artefact it is given."""

    def __init__(self, artefact: Artefact, embodied: EmbodiedFactors, site: Site | None = None) -> None:
        """`site` corrects the joules by measurements of one's own; UsageError if it was made for another version."""
        self.name = "rice-calibrated"
        self.version = f"rice-calibrated-1+{artefact.digest[:8]}"
        self.artefact = artefact
        self.embodied = embodied
        self.site = site
        if site is not None:
            if site.method_version != self.version:
                raise UsageError(
                    f"the site profile {site.name!r} corrects {site.method_version}, this is {self.version}:"
                    " make it anew with `rice-stream calibrate`"
                )
            self.version += f".site-{site.digest[:8]}"

    def coefficients(self, contexts: list[Context]) -> Floats:
        """The (k, c) matrix of k contexts; row i depends on contexts[i] alone.

        Raises UsageError for a value that is not a positive finite number, an unknown precision or an unknown profile.
        """
        matrix = np.zeros((len(contexts), COLUMNS))
        if not contexts:
            return matrix
        artefact = self.artefact
        resolved = [resolve(context, artefact) for context in contexts]
        machine = machine_of(resolved)
        mid = setup_of(resolved, artefact, MID)
        own = [site_factor(one, self.site) for one in resolved]
        site = np.array([1.0 if one is None else one.factor for one in own])
        factors = np.array(
            [error_factors(one, artefact, measured) for one, measured in zip(resolved, own, strict=True)]
        )
        time = seconds(mid, machine, artefact.shape)
        _put(matrix, MID_J, joules(mid, machine, artefact.shape), site)
        _put(matrix, LOW_J, joules(setup_of(resolved, artefact, LOW), machine, artefact.shape), site * factors[:, 0])
        _put(matrix, HIGH_J, joules(setup_of(resolved, artefact, HIGH), machine, artefact.shape), site * factors[:, 1])
        _put(matrix, MID_S, time, np.ones(len(contexts)))

        host = artefact.host_share_of_tdp
        host_w = np.array([host.mid * one.hardware.tdp_w * one.devices for one in resolved])
        matrix[:, HOST_W] = host_w
        matrix[:, DEVICE_HOST_W] = [host.mid * one.hardware.tdp_w for one in resolved]
        # A request pays for its own prompt's time in full, and for the time of what the batch shares in part.
        matrix[:, HOST_FIXED_J] = host_w * time.fixed * (1.0 / mid.batch - 1.0)
        matrix[:, HOST_DECODE_W] = host_w / mid.batch
        matrix[:, HOST_LOW], matrix[:, HOST_HIGH] = host.low / host.mid, host.high / host.mid
        for column, end in ((IDLE_LOW, LOW), (IDLE_MID, MID), (IDLE_HIGH, HIGH)):
            matrix[:, column] = [1.0 + getattr(one.serving.idle_share, end) for one in resolved]
        rates = [embodied_gco2e_per_device_second(one.hardware.name, self.embodied) for one in resolved]
        for column, end in ((EMBODIED_LOW, LOW), (EMBODIED_MID, MID), (EMBODIED_HIGH, HIGH)):
            matrix[:, column] = [getattr(rate, end) for rate in rates]
        matrix[:, FLAGS] = [self._context_flags(one) for one in resolved]
        return matrix

    def devices(self, contexts: list[Context]) -> Floats:
        """Devices each context's model runs on, shape (k,): its own count, else the fewest that hold the weights."""
        return np.array([resolve(context, self.artefact).devices for context in contexts], dtype=np.float64)

    def served_as(self, context: Context) -> ServedAs:
        """The context's own serving set-up, or its profile's where it leaves something open."""
        chosen = resolve(context, self.artefact).serving
        return ServedAs(chosen.hardware, chosen.batch_size.mid, chosen.precision)

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        """Energy and latency of n requests: additions, multiplications and look-ups per request.

        `coefficients` is the matrix that `coefficients()` returned; `requests.context` indexes its rows.
        """
        total = len(requests.context)
        columns = np.empty((9, total))
        flags = np.empty(total, dtype=np.int32)
        # Without the columns that only `impacts` needs.
        by_column = np.ascontiguousarray(coefficients.T[:EMBODIED_LOW])
        for start in range(0, total, CHUNK):
            part = slice(start, min(start + CHUNK, total))
            self._estimate_part(by_column, _slice(requests, part), columns[:, part], flags[part])
        return Estimates(
            prefill_j=columns[0],
            decode_j=columns[1],
            gpu_energy_j=columns[2],
            gpu_energy_j_low=columns[3],
            gpu_energy_j_high=columns[4],
            it_energy_wh_low=columns[5],
            it_energy_wh=columns[6],
            it_energy_wh_high=columns[7],
            latency_s=columns[8],
            flags=flags,
        )

    def device_seconds(self, coefficients: Floats, requests: Requests) -> Floats:
        """A request's share of the time of its devices (devices x seconds / batch), shape (n,): what embodied carbon follows."""
        return self._device_seconds(np.take(np.ascontiguousarray(coefficients.T), requests.context, axis=1), requests)

    def impacts(self, coefficients: Floats, requests: Requests, estimates: Estimates, pue: Floats) -> Impacts:
        """Embodied carbon (device-seconds x rate) and water of n requests; zero where no inference ran."""
        of = np.take(np.ascontiguousarray(coefficients.T), requests.context, axis=1)
        held_s = self._device_seconds(of, requests)
        it_wh = Impact(estimates.it_energy_wh_low, estimates.it_energy_wh, estimates.it_energy_wh_high)
        embodied = Impact(held_s * of[EMBODIED_LOW], held_s * of[EMBODIED_MID], held_s * of[EMBODIED_HIGH])
        return Impacts(embodied, water_l(it_wh, pue, self.embodied))

    def _device_seconds(self, of: Floats, requests: Requests) -> Floats:
        columns = _columns(requests)
        prefill_s, decode_s = self._seconds(of, *columns)
        shared: Floats = _host_j(of, prefill_s, decode_s, columns[0]) / of[DEVICE_HOST_W]
        return shared

    def explain(
        self,
        context: Context,
        input_tokens: int,
        cache_read_input_tokens: int,
        output_tokens: int,
        *,
        inference: bool = True,
    ) -> list[Step]:
        """The arithmetic of one request, step by step; the values are those that `estimate` returns, to the last bit."""
        requests = Requests(
            context=np.zeros(1, dtype=np.intp),
            input_tokens=np.array([input_tokens], dtype=np.int64),
            cache_read_input_tokens=np.array([cache_read_input_tokens], dtype=np.int64),
            output_tokens=np.array([output_tokens], dtype=np.int64),
            inference=np.array([inference]),
        )
        matrix = self.coefficients([context])
        resolved = resolve(context, self.artefact)
        steps = explain_steps(self.artefact, resolved, matrix[0, : 4 * COST], requests, self.estimate(matrix, requests))
        measured = site_factor(resolved, self.site)
        if measured is None or self.site is None:
            return steps
        rows = f"{measured.rows} measured rows of {measured.models} models on {resolved.hardware.name}"
        step = Step("site_factor", f"in every coefficient of joules: {rows}", measured.factor, "", self.site.name)
        return [step, *steps]

    def _estimate_part(self, by_column: Floats, requests: Requests, out: Floats, flags: NDArray[np.int32]) -> None:
        of = np.take(by_column, requests.context, axis=1)
        half = self.artefact.shape.stream_half_tokens
        running, inputs, cached, outputs = _columns(requests)
        prefill_j = prefill(_cost(of, MID_J), inputs, cached) * running
        decode_j = decode(_cost(of, MID_J), inputs, outputs, half) * running
        gpu_j = prefill_j + decode_j
        low_cost, high_cost = _cost(of, LOW_J), _cost(of, HIGH_J)
        low_j = (prefill(low_cost, inputs, cached) + decode(low_cost, inputs, outputs, half)) * running
        high_j = (prefill(high_cost, inputs, cached) + decode(high_cost, inputs, outputs, half)) * running
        low_j, high_j = np.minimum(low_j, gpu_j), np.maximum(high_j, gpu_j)

        prefill_s, decode_s = self._seconds(of, running, inputs, cached, outputs)
        host_j = _host_j(of, prefill_s, decode_s, running)
        # The server works as long as its devices do: where they draw less or more, so does it.
        safe_j = np.where(gpu_j > 0.0, gpu_j, 1.0)
        it_low = (low_j + host_j * of[HOST_LOW] * (low_j / safe_j)) * of[IDLE_LOW]
        it_high = (high_j + host_j * of[HOST_HIGH] * (high_j / safe_j)) * of[IDLE_HIGH]
        it_mid = (gpu_j + host_j) * of[IDLE_MID]
        out[0], out[1], out[2], out[3], out[4] = prefill_j, decode_j, gpu_j, low_j, high_j
        out[5], out[6], out[7] = it_low / J_PER_WH, it_mid / J_PER_WH, it_high / J_PER_WH
        out[8] = prefill_s + decode_s
        flags[:] = self._flags(of[FLAGS], requests)

    def _seconds(
        self, of: Floats, running: Floats, inputs: Floats, cached: Floats, outputs: Floats
    ) -> tuple[Floats, Floats]:
        """Seconds of prefill and of decode that each request waits."""
        cost, half = _cost(of, MID_S), self.artefact.shape.stream_half_tokens
        return prefill(cost, inputs, cached) * running, decode(cost, inputs, outputs, half) * running

    def _flags(self, context_flags: Floats, requests: Requests) -> NDArray[np.int32]:
        flags = context_flags.astype(np.int32)
        flags |= (requests.input_tokens > self.artefact.input_tokens_max) * np.int32(Basis.INPUT_EXTRAPOLATED)
        flags |= (requests.cache_read_input_tokens > 0) * np.int32(Basis.CACHED_INPUT)
        long_context = requests.input_tokens + requests.output_tokens > self.artefact.context_tokens_max
        flags |= long_context * np.int32(Basis.CONTEXT_EXTRAPOLATED)
        flags[~requests.inference] = Basis.GATEWAY_CACHE_HIT
        return flags

    def _context_flags(self, one: Resolved) -> int:
        flags = Basis(0) if site_factor(one, self.site) is None else Basis.SITE_CALIBRATED
        if not one.serving.batch_known:
            flags |= Basis.BATCH_ASSUMED
        if not one.serving.hardware_known:
            flags |= Basis.HARDWARE_ASSUMED
        if not one.hardware.measured or self.artefact.find_hardware(one.serving.hardware) is None:
            flags |= Basis.HARDWARE_SCALED
        if architecture_assumed(one):
            flags |= Basis.ARCHITECTURE_ASSUMED
        for params_b in (one.context.params_total_b.mid, one.context.params_active_b.mid):
            if not self.artefact.params_b_min <= params_b <= self.artefact.params_b_max:
                flags |= Basis.PARAMETERS_EXTRAPOLATED
        return int(flags)


def load_calibrated(
    profiles: Mapping[str, Profile] | None = None, default_profile: str | None = None, site: Site | None = None
) -> CalibratedMethod:
    """Reads the artefact that ships with the package. `profiles` adds to or replaces its serving profiles, by name.

    Raises ReferenceDataError if the artefact is damaged, UsageError for a default profile that does not exist.
    """
    content = resources.files("rice_stream.estimator").joinpath("regressors", ARTEFACT).read_bytes()
    return CalibratedMethod(
        with_profiles(parse_artefact(content, ARTEFACT), profiles or {}, default_profile), load_embodied(), site
    )


def with_profiles(artefact: Artefact, profiles: Mapping[str, Profile], default_profile: str | None) -> Artefact:
    """The artefact with a deployment's own serving profiles. Raises UsageError for a default that does not exist."""
    merged = {**artefact.profiles, **profiles}
    default = artefact.default_profile if default_profile is None else default_profile
    if default not in merged:
        raise UsageError(f"serving profile {default!r} does not exist; use one of {', '.join(sorted(merged))}")
    return replace(artefact, profiles=merged, default_profile=default)


def _put(matrix: Floats, start: int, cost: Cost, factor: Floats) -> None:
    columns = (
        cost.fixed,
        cost.per_token,
        cost.per_square,
        cost.per_cached,
        cost.per_step,
        cost.per_step_context,
        cost.per_stream,
    )
    for offset, values in enumerate(columns):
        matrix[:, start + offset] = values * factor


def _cost(of: Floats, start: int) -> Cost:
    return Cost(*of[start : start + COST])


def _columns(requests: Requests) -> tuple[Floats, Floats, Floats, Floats]:
    """Whether a request ran at all (1 or 0), and its input, cached and output tokens, as floats."""
    ran = requests.inference & ((requests.input_tokens > 0) | (requests.output_tokens > 0))
    inputs = requests.input_tokens.astype(np.float64)
    cached = np.minimum(requests.cache_read_input_tokens.astype(np.float64), inputs)
    return ran.astype(np.float64), inputs, cached, requests.output_tokens.astype(np.float64)


def _host_j(of: Floats, prefill_s: Floats, decode_s: Floats, running: Floats) -> Floats:
    """Joules of the server around the devices: its power for the request's share of their time."""
    host_j: Floats = of[HOST_W] * prefill_s + of[HOST_FIXED_J] * running + of[HOST_DECODE_W] * decode_s
    return host_j


def _slice(requests: Requests, part: slice) -> Requests:
    return Requests(
        context=requests.context[part],
        input_tokens=requests.input_tokens[part],
        cache_read_input_tokens=requests.cache_read_input_tokens[part],
        output_tokens=requests.output_tokens[part],
        inference=requests.inference[part],
    )
