"""The method `rice-calibrated`: physically structured regressions on public benchmarks and our own H100/H200 measurements.

Per request, joules of all GPUs (its share of the batch), with coefficients that are fixed per context:

    prefill = c0 + c1 (p - cached) + c2 (p^2 - cached^2) + c3 cached
    decode  = (o - 1) (d0 + d1 (p + o/2) + d2 (o - 1) / (o - 1 + half))

rice_stream/estimator/calibrated/physics.py says what the coefficients are made of, docs/validation-calibrated.md how well they
predict models that the fit never saw. A context's `utilisation` and `tdp_w` are not used: power is part of what was
measured, not a share of the TDP.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.errors import UsageError
from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.coefficients import (
    CEILING_CACHED,
    CEILING_INPUT,
    CEILING_OUTPUT,
    COSTS_END,
    DEVICE_HOST_W,
    EMBODIED_HIGH,
    EMBODIED_LOW,
    EMBODIED_MID,
    ESTIMATE_END,
    FLAGS,
    HIGH_J,
    HOST_DECODE_W,
    HOST_FIXED_J,
    HOST_HIGH,
    HOST_LOW,
    HOST_SHARE,
    HOST_TIMED,
    HOST_W,
    IDLE_HIGH,
    IDLE_LOW,
    IDLE_MID,
    LOW_J,
    MID_J,
    MID_S,
    cost_of,
    ends_matrix,
)
from rice_stream.estimator.calibrated.explain import explain_steps
from rice_stream.estimator.calibrated.interval import site_correction
from rice_stream.estimator.calibrated.physics import decode, prefill
from rice_stream.estimator.calibrated.setup import Resolved, resolve
from rice_stream.estimator.calibrated.spreads import energies
from rice_stream.estimator.embodied import EmbodiedFactors, water_l
from rice_stream.estimator.hosted.artefact import HostedArtefact
from rice_stream.estimator.method import (
    Context,
    Estimates,
    Impact,
    Impacts,
    Method,
    Requests,
    Route,
    ServedAs,
    Step,
    version_of,
)
from rice_stream.estimator.site import SiteProfile
from rice_stream.estimator.spread import Spread
from rice_stream.quantities import Floats

J_PER_WH = 3600.0
CHUNK = 4096
"""Requests estimated at a time: their columns stay in the processor's cache."""


class CalibratedMethod(Method):
    """`rice-calibrated`. Pure: everything it knows is in the artefacts it is given.

    Without `hosted` it is its first version, `rice-calibrated-1`: hosted models are served as a profile says, and ranges
    take all low ends together and all high ends.
    """

    name = "rice-calibrated"
    responds_to = frozenset({"batch_size", "precision", "profile", "site"})

    def __init__(
        self,
        artefact: Artefact,
        embodied: EmbodiedFactors,
        hosted: HostedArtefact | None = None,
        site: SiteProfile | None = None,
    ) -> None:
        """`site` corrects the joules by measurements of one's own; UsageError if it was made for another version."""
        if hosted is None:
            self.name = "rice-calibrated-1"
            self.version = version_of("rice-calibrated", 1, artefact.digest)
        else:
            self.version = version_of(self.name, 2, digest_of_both(artefact.digest, hosted.digest))
        self.profiles = artefact.profiles
        self.artefact = artefact
        self.hosted = hosted
        self.embodied = embodied
        self.site = site
        if site is not None:
            if site.method_version != self.version:
                raise UsageError(
                    f"the site profile {site.name!r} corrects {site.method_version}, this is {self.version}:"
                    " make a new one with `rice-stream calibrate`"
                )
            self.version += f".site-{site.digest[:8]}"

    def with_site(self, site: SiteProfile) -> "CalibratedMethod":
        """The method corrected by a site's own measurements. UsageError: they were made for another version of it."""
        return CalibratedMethod(self.artefact, self.embodied, self.hosted, site)

    def resolve(self, context: Context) -> Resolved:
        """What the context's model is served on, and where its energy comes from."""
        return resolve(context, self.artefact, self.hosted)

    def coefficients(self, contexts: list[Context]) -> Floats:
        """The (k, c) matrix of k contexts; row i depends on contexts[i] alone.

        Raises UsageError for a value that is not a positive finite number, an unknown precision or an unknown profile.
        """
        resolved = [self.resolve(context) for context in contexts]
        if self.hosted is None:
            return ends_matrix(resolved, self.artefact, self.embodied, self.site)
        return energies(resolved, self.artefact, self.embodied, self.site).matrix

    def spreads(self, contexts: list[Context]) -> list[Spread] | None:
        """How uncertain each context's IT energy is, and with whom; None of the first version."""
        if self.hosted is None:
            return None
        return energies([self.resolve(one) for one in contexts], self.artefact, self.embodied, self.site).spreads

    def route(self, context: Context) -> Route:
        """What the context's energy rests on."""
        return self.resolve(context).route

    def idle_share(self, context: Context) -> float:
        """Energy of machines that are on and wait, as a share of that of the machines at work."""
        return float(self.coefficients([context])[0, IDLE_MID]) - 1.0

    def devices(self, contexts: list[Context]) -> Floats:
        """Devices each context's model runs on, shape (k,): its own count, else the fewest that hold the weights."""
        return np.array([self.resolve(context).devices for context in contexts], dtype=np.float64)

    def served_as(self, context: Context) -> ServedAs:
        """The context's own serving set-up, or its profile's where it leaves something open."""
        chosen = self.resolve(context).serving
        return ServedAs(chosen.hardware, chosen.batch_size.mid, chosen.precision)

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        """Energy and latency of n requests: additions, multiplications and look-ups per request.

        `coefficients` is the matrix that `coefficients()` returned; `requests.context` indexes its rows.
        """
        total = len(requests.context)
        columns = np.empty((9, total))
        flags = np.zeros(total, dtype=np.int32)
        # Without the columns that only `impacts` needs.
        by_column = np.ascontiguousarray(coefficients.T[:ESTIMATE_END])
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

    def impacts(self, coefficients: Floats, requests: Requests, estimates: Estimates, pue: Floats) -> Impacts:
        """Embodied carbon (device-seconds x rate) and water of n requests; zero where no inference ran."""
        per_request = np.take(np.ascontiguousarray(coefficients.T), requests.context, axis=1)
        held_s = self._device_seconds(per_request, requests)
        it_wh = Impact(estimates.it_energy_wh_low, estimates.it_energy_wh, estimates.it_energy_wh_high)
        ends = (held_s * per_request[column] for column in (EMBODIED_LOW, EMBODIED_MID, EMBODIED_HIGH))
        return Impacts(Impact(*ends), water_l(it_wh, pue, self.embodied))

    def _device_seconds(self, per_request: Floats, requests: Requests) -> Floats:
        columns = _columns(requests)
        prefill_s, decode_s = self._seconds(per_request, *columns)
        shared: Floats = _host_j(per_request, prefill_s, decode_s, columns[0]) / per_request[DEVICE_HOST_W]
        return shared

    def explain(self, context: Context, request: Requests) -> list[Step]:
        """The arithmetic of one request, step by step; the values are those that `estimate` returns, to the last bit."""
        matrix = self.coefficients([context])
        resolved = self.resolve(context)
        steps = explain_steps(self.artefact, resolved, matrix[0, :COSTS_END], request, self.estimate(matrix, request))
        measured = site_correction(resolved, self.site)
        if measured is None or self.site is None:
            return steps
        rows = f"{measured.rows} measured rows of {measured.models} models on {resolved.hardware.name}"
        step = Step("site_factor", f"in every coefficient of joules: {rows}", measured.factor, "", self.site.name)
        return [step, *steps]

    def _estimate_part(self, by_column: Floats, requests: Requests, out: Floats, flags: NDArray[np.int32]) -> None:
        per_request = np.take(by_column, requests.context, axis=1)
        half = self.artefact.shape.stream_half_tokens
        running, inputs, cached, outputs = _columns(requests)
        prefill_j = prefill(cost_of(per_request, MID_J), inputs, cached) * running
        decode_j = decode(cost_of(per_request, MID_J), inputs, outputs, half) * running
        gpu_j = prefill_j + decode_j
        low_cost, high_cost = cost_of(per_request, LOW_J), cost_of(per_request, HIGH_J)
        low_j = (prefill(low_cost, inputs, cached) + decode(low_cost, inputs, outputs, half)) * running
        high_j = (prefill(high_cost, inputs, cached) + decode(high_cost, inputs, outputs, half)) * running
        low_j, high_j = np.minimum(low_j, gpu_j), np.maximum(high_j, gpu_j)

        prefill_s, decode_s = self._seconds(per_request, running, inputs, cached, outputs)
        host_j = _host_j(per_request, prefill_s, decode_s, running)
        if self.hosted is not None:
            host_j = host_j * per_request[HOST_TIMED] + gpu_j * per_request[HOST_SHARE]
            within = _within_price(per_request, (gpu_j + host_j) * per_request[IDLE_MID], inputs, cached, outputs)
            for column in (prefill_j, decode_j, low_j, high_j, host_j):
                column *= within
            gpu_j = prefill_j + decode_j
            flags[:] = np.where(within < 1.0, Basis.PRICE_BOUND, 0)
        # The server works as long as its devices do: where they draw less or more, so does it.
        safe_j = np.where(gpu_j > 0.0, gpu_j, 1.0)
        it_low = (low_j + host_j * per_request[HOST_LOW] * (low_j / safe_j)) * per_request[IDLE_LOW]
        it_high = (high_j + host_j * per_request[HOST_HIGH] * (high_j / safe_j)) * per_request[IDLE_HIGH]
        it_mid = (gpu_j + host_j) * per_request[IDLE_MID]
        out[0], out[1], out[2], out[3], out[4] = prefill_j, decode_j, gpu_j, low_j, high_j
        out[5], out[6], out[7] = it_low / J_PER_WH, it_mid / J_PER_WH, it_high / J_PER_WH
        out[8] = prefill_s + decode_s
        flags[:] |= self._flags(per_request[FLAGS], requests)

    def _seconds(
        self, per_request: Floats, running: Floats, inputs: Floats, cached: Floats, outputs: Floats
    ) -> tuple[Floats, Floats]:
        """Seconds of prefill and of decode that each request waits."""
        cost, half = cost_of(per_request, MID_S), self.artefact.shape.stream_half_tokens
        return prefill(cost, inputs, cached) * running, decode(cost, inputs, outputs, half) * running

    def _flags(self, context_flags: Floats, requests: Requests) -> NDArray[np.int32]:
        flags = context_flags.astype(np.int32)
        flags |= (requests.input_tokens > self.artefact.input_tokens_max) * np.int32(Basis.INPUT_EXTRAPOLATED)
        flags |= (requests.cache_read_input_tokens > 0) * np.int32(Basis.CACHED_INPUT)
        long_context = requests.input_tokens + requests.output_tokens > self.artefact.context_tokens_max
        flags |= long_context * np.int32(Basis.CONTEXT_EXTRAPOLATED)
        flags[~requests.inference] = Basis.GATEWAY_CACHE_HIT
        return flags


def _columns(requests: Requests) -> tuple[Floats, Floats, Floats, Floats]:
    """Whether a request ran at all (1 or 0), and its input, cached and output tokens, as floats."""
    ran = requests.inference & ((requests.input_tokens > 0) | (requests.output_tokens > 0))
    inputs = requests.input_tokens.astype(np.float64)
    cached = np.minimum(requests.cache_read_input_tokens.astype(np.float64), inputs)
    return ran.astype(np.float64), inputs, cached, requests.output_tokens.astype(np.float64)


def _within_price(per_request: Floats, it_j: Floats, inputs: Floats, cached: Floats, outputs: Floats) -> Floats:
    """What IT energies are multiplied with so that none costs more than its list price allows: 1 for nearly all."""
    most_j = (
        per_request[CEILING_INPUT] * (inputs - cached)
        + per_request[CEILING_CACHED] * cached
        + per_request[CEILING_OUTPUT] * outputs
    )
    bounded = (most_j > 0.0) & (it_j > most_j)
    factor: Floats = np.where(bounded, most_j / np.where(bounded, it_j, 1.0), 1.0)
    return factor


def digest_of_both(law: str, hosted: str) -> str:
    """One digest (hex) of both artefacts."""
    return hashlib.sha256(f"{law}{hosted}".encode()).hexdigest()


def _host_j(per_request: Floats, prefill_s: Floats, decode_s: Floats, running: Floats) -> Floats:
    """Joules of the server around the devices: its power for the request's share of their time."""
    host_j: Floats = (
        per_request[HOST_W] * prefill_s + per_request[HOST_FIXED_J] * running + per_request[HOST_DECODE_W] * decode_s
    )
    return host_j


def _slice(requests: Requests, part: slice) -> Requests:
    return Requests(
        context=requests.context[part],
        input_tokens=requests.input_tokens[part],
        cache_read_input_tokens=requests.cache_read_input_tokens[part],
        output_tokens=requests.output_tokens[part],
        inference=requests.inference[part],
    )
