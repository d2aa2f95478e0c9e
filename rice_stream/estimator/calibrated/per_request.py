"""The hot path of `rice-calibrated`: coefficients of contexts and token counts of requests -> estimates.

Additions, multiplications and look-ups per request. Requests are taken some at a time, and a coefficient is looked up when it is
needed: what is worked with stays in the processor's cache.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.coefficients import (
    CEILING_CACHED,
    CEILING_INPUT,
    CEILING_OUTPUT,
    DEVICE_HOST_W,
    EMBODIED_HIGH,
    EMBODIED_LOW,
    EMBODIED_MID,
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
)
from rice_stream.estimator.calibrated.request_cost import TokenTerms, decode, prefill, token_terms
from rice_stream.estimator.method import Estimates, Impact, Requests
from rice_stream.quantities import Floats

J_PER_WH = 3600.0
CHUNK = 4096
"""Requests estimated at a time: what is worked with stays in the processor's cache, and is not so much that its memory is given
back to the system and fetched again each time, which would cost more than the arithmetic."""
# As plain numbers: a flag of the enumeration is converted wherever it is used.
_GATEWAY_CACHE_HIT, _PRICE_BOUND = int(Basis.GATEWAY_CACHE_HIT), int(Basis.PRICE_BOUND)
_INPUT_EXTRAPOLATED, _CACHED_INPUT, _CONTEXT_EXTRAPOLATED = (
    np.int32(int(flag)) for flag in (Basis.INPUT_EXTRAPOLATED, Basis.CACHED_INPUT, Basis.CONTEXT_EXTRAPOLATED)
)


class _Columns:
    """A matrix of coefficients, (k, c), by column, for requests that index its rows with `context`, (n,).

    A column is taken when it is asked for: an array of shape (n,), or one number where all k contexts have the same.
    """

    def __init__(self, matrix: Floats) -> None:
        self._by_column: Floats = np.ascontiguousarray(matrix.T)
        alike = self._by_column == self._by_column[:, :1]
        self._same: list[bool] = alike.all(axis=1).tolist() if len(matrix) else [False] * matrix.shape[1]

    def of(self, context: NDArray[np.intp]) -> "_Taken":
        """The columns of those requests."""
        return _Taken(self._by_column, self._same, context)

    def is_zero(self, column: int) -> bool:
        """Whether the column is 0 in every context."""
        return self._same[column] and float(self._by_column[column, 0]) == 0.0


class _Taken:
    def __init__(self, by_column: Floats, same: list[bool], context: NDArray[np.intp]) -> None:
        self._by_column, self._same, self._context = by_column, same, context

    def __getitem__(self, column: int) -> Floats:
        if self._same[column]:
            first: Floats = self._by_column[column, 0]
            return first
        taken: Floats = self._by_column[column].take(self._context)
        return taken


class _Part(NamedTuple):
    """Some of the requests, as columns of floats."""

    place: slice
    requests: Requests
    of: _Taken
    running: Floats
    """1, or 0 where no inference ran."""
    outputs: Floats
    terms: TokenTerms


def _parts(coefficients: Floats, requests: Requests, artefact: Artefact) -> Iterator[tuple[_Columns, _Part]]:
    context = requests.context
    if len(coefficients) > len(context):
        coefficients, context = coefficients[context], np.arange(len(context))
    columns = _Columns(coefficients)
    for start in range(0, len(context), CHUNK):
        place = slice(start, min(start + CHUNK, len(context)))
        some = Requests(
            context=context[place],
            input_tokens=requests.input_tokens[place],
            cache_read_input_tokens=requests.cache_read_input_tokens[place],
            output_tokens=requests.output_tokens[place],
            inference=requests.inference[place],
        )
        ran = some.inference & ((some.input_tokens > 0) | (some.output_tokens > 0))
        inputs = some.input_tokens.astype(np.float64)
        cached = np.minimum(some.cache_read_input_tokens.astype(np.float64), inputs)
        outputs = some.output_tokens.astype(np.float64)
        terms = token_terms(inputs, cached, outputs, artefact.shape.stream_half_tokens)
        yield columns, _Part(place, some, columns.of(some.context), ran.astype(np.float64), outputs, terms)


def estimates_of(coefficients: Floats, requests: Requests, artefact: Artefact) -> Estimates:
    """Energy and latency of n requests; `requests.context` indexes the rows of `coefficients`."""
    total = len(requests.context)
    out, flags = np.empty((9, total)), np.zeros(total, dtype=np.int32)
    for columns, part in _parts(coefficients, requests, artefact):
        _estimate(columns, part, out[:, part.place], flags[part.place])
        flags[part.place] |= _flags(part, artefact)
    return Estimates(
        prefill_j=out[0],
        decode_j=out[1],
        gpu_energy_j=out[2],
        gpu_energy_j_low=out[3],
        gpu_energy_j_high=out[4],
        it_energy_wh_low=out[5],
        it_energy_wh=out[6],
        it_energy_wh_high=out[7],
        latency_s=out[8],
        flags=flags,
    )


def _estimate(columns: _Columns, part: _Part, out: Floats, flags: NDArray[np.int32]) -> None:
    of, running, terms = part.of, part.running, part.terms
    prefill_j, decode_j = _work(of, MID_J, part)
    gpu_j = prefill_j + decode_j
    low_j, high_j = (_whole(of, start, terms) * running for start in (LOW_J, HIGH_J))
    low_j, high_j = np.minimum(low_j, gpu_j), np.maximum(high_j, gpu_j)
    prefill_s, decode_s = _work(of, MID_S, part)
    host_j = _host_j(of, prefill_s, decode_s, running)
    if not columns.is_zero(HOST_SHARE):
        host_j = host_j * of[HOST_TIMED] + gpu_j * of[HOST_SHARE]
    idle = of[IDLE_MID]
    if not all(columns.is_zero(column) for column in (CEILING_INPUT, CEILING_CACHED, CEILING_OUTPUT)):
        within = _within_price(part, (gpu_j + host_j) * idle)
        for column in (prefill_j, decode_j, low_j, high_j, host_j):
            column *= within
        gpu_j = prefill_j + decode_j
        flags[:] = np.where(within < 1.0, _PRICE_BOUND, 0)
    # The server works as long as its devices do: where they draw less or more, so does it.
    safe_j = np.where(gpu_j > 0.0, gpu_j, 1.0)
    it_low = (low_j + host_j * of[HOST_LOW] * (low_j / safe_j)) * of[IDLE_LOW]
    it_high = (high_j + host_j * of[HOST_HIGH] * (high_j / safe_j)) * of[IDLE_HIGH]
    it_mid = (gpu_j + host_j) * idle
    out[0], out[1], out[2], out[3], out[4] = prefill_j, decode_j, gpu_j, low_j, high_j
    for row, it_j in zip((5, 6, 7), (it_low, it_mid, it_high), strict=True):
        np.divide(it_j, J_PER_WH, out=out[row])
    np.add(prefill_s, decode_s, out=out[8])


def embodied_of(coefficients: Floats, requests: Requests, artefact: Artefact) -> Impact:
    """Embodied carbon (gCO2e) of n requests: their share of the devices' time, times the devices' rate."""
    out = np.empty((3, len(requests.context)))
    for _, part in _parts(coefficients, requests, artefact):
        of = part.of
        device_s = _host_j(of, *_work(of, MID_S, part), part.running) / of[DEVICE_HOST_W]
        for row, column in enumerate((EMBODIED_LOW, EMBODIED_MID, EMBODIED_HIGH)):
            np.multiply(device_s, of[column], out=out[row, part.place])
    return Impact(*out)


def _work(of: _Taken, start: int, part: _Part) -> tuple[Floats, Floats]:
    """Prefill and decode of each request at the cost whose coefficients begin at column `start`."""
    cost = cost_of(of, start)
    return prefill(cost, part.terms) * part.running, decode(cost, part.terms) * part.running


def _whole(of: _Taken, start: int, terms: TokenTerms) -> Floats:
    cost = cost_of(of, start)
    return prefill(cost, terms) + decode(cost, terms)


def _within_price(part: _Part, it_j: Floats) -> Floats:
    """What IT energies are multiplied with so that none costs more than its list price allows: 1 for nearly all."""
    of, terms = part.of, part.terms
    most_j = of[CEILING_INPUT] * terms.fresh + of[CEILING_CACHED] * terms.cached + of[CEILING_OUTPUT] * part.outputs
    bounded = (most_j > 0.0) & (it_j > most_j)
    factor: Floats = np.where(bounded, most_j / np.where(bounded, it_j, 1.0), 1.0)
    return factor


def _host_j(of: _Taken, prefill_s: Floats, decode_s: Floats, running: Floats) -> Floats:
    """Joules of the server around the devices: its power for the request's share of their time."""
    host_j: Floats = of[HOST_W] * prefill_s + of[HOST_FIXED_J] * running + of[HOST_DECODE_W] * decode_s
    return host_j


def _flags(part: _Part, artefact: Artefact) -> NDArray[np.int32]:
    requests = part.requests
    flags: NDArray[np.int32] = (requests.input_tokens > artefact.input_tokens_max) * _INPUT_EXTRAPOLATED
    flags |= part.of[FLAGS].astype(np.int32)
    flags |= (requests.cache_read_input_tokens > 0) * _CACHED_INPUT
    flags |= (requests.input_tokens + requests.output_tokens > artefact.context_tokens_max) * _CONTEXT_EXTRAPOLATED
    flags[~requests.inference] = _GATEWAY_CACHE_HIT
    return flags
