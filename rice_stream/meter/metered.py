"""Metered energy in the place of the estimate: what is added around the meter, how sure it is, and whether it can be true. Pure.

What a meter sees ends at a boundary. The server around the accelerators and the machines that wait are added as the method has
them for the kind of request, as shares that are the same for all its requests: they are stored with its factors, so a record
is worked out again from its joules and that row alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.method import Estimates, KindFigures, Method, Requests
from rice_stream.estimator.spread import Spread, ends, log_sd_between, quadrature, rounded
from rice_stream.events.metered_energy import FACILITY, GPU, SERVER
from rice_stream.meter.carbon_ends import Site
from rice_stream.quantities import MICRO, Floats, Ints, Range

METER_LOG_SD = 0.05
"""Standard deviation of the logarithm of a meter's joules. Judged: an accelerator's own sensor is good for some percent and
samples a part of the time (arXiv 2312.02741), and how a batch's joules are shared out among its requests is the host's choice."""
PLAUSIBLE_FACTOR = 100.0
"""Metered energy so far below the low end or above the high end of the estimate is not believed: a wrong unit (mJ, Wh) is off
by a thousand or more, while hosts differ by tens."""
REFERENCE_INPUT_TOKENS, REFERENCE_OUTPUT_TOKENS = 500, 250
"""The request whose estimate says what stands around the accelerators."""
J_PER_WH = 3600.0

_OF_THE_ESTIMATE = (
    Basis.INPUT_EXTRAPOLATED
    | Basis.PARAMETERS_EXTRAPOLATED
    | Basis.CACHED_INPUT
    | Basis.CONTEXT_EXTRAPOLATED
    | Basis.BATCH_ASSUMED
    | Basis.HARDWARE_SCALED
    | Basis.SITE_CALIBRATED
    | Basis.ARCHITECTURE_ASSUMED
    | Basis.PRICE_BOUND
)
"""Words on an estimate that a metered record does not rest on. The hardware stays: the server's share goes with it."""


@dataclass(frozen=True, slots=True)
class MeasuredKind:
    """How the metered joules of one kind of request become its IT energy."""

    boundary: str
    host_share: float
    """Joules of the servers for one joule of their accelerators."""
    idle_share: float
    """Joules of machines that are on and wait for one joule of those at work."""
    it_per_metered: float
    """IT joules for one metered joule."""
    energy: Spread
    """Of that energy: the meter's error, and that of what is added."""

    def detail(self) -> dict[str, Any]:
        """JSON-ready, as it is stored with the kind's factors; the spread has its own place there."""
        names = ("boundary", "host_share", "idle_share", "it_per_metered")
        return {name: getattr(self, name) for name in names}


def measured_kind(method: Method, kind: KindFigures, boundary: str, pue: float) -> MeasuredKind:
    """The kind, one of the method's, metered at `boundary`. ValueError: there is no such boundary."""
    context = kind.context
    host_share, idle_share, around = _around(method, kind)
    causes: dict[str, float] = {}
    if boundary == FACILITY:
        ratio = 1.0 / pue
    elif boundary == SERVER:
        ratio, causes = 1.0 + idle_share, {"idle": around["idle"]}
    elif boundary == GPU:
        ratio, causes = (1.0 + host_share) * (1.0 + idle_share), around
    else:
        raise ValueError(f"no boundary of a meter: {boundary!r}")
    causes = {name: value for name, value in causes.items() if value > 0.0}
    shared = {f"model:{context.model_id or 'unknown'}": METER_LOG_SD}
    if causes:
        # How servers are built and how many wait is the host's affair, for all its models.
        shared[f"provider:{context.provider or 'unknown'}"] = quadrature(causes.values())
    return MeasuredKind(boundary, host_share, idle_share, ratio, Spread({"metered": METER_LOG_SD, **causes}, shared))


def _around(method: Method, kind: KindFigures) -> tuple[float, float, dict[str, float]]:
    """(host share, idle share, standard deviation of the logarithm of each), of the method at the reference request."""
    request = Requests(
        context=np.zeros(1, dtype=np.intp),
        input_tokens=np.array([REFERENCE_INPUT_TOKENS], dtype=np.int64),
        cache_read_input_tokens=np.zeros(1, dtype=np.int64),
        output_tokens=np.array([REFERENCE_OUTPUT_TOKENS], dtype=np.int64),
        inference=np.ones(1, dtype=np.bool_),
    )
    estimates = method.estimate(kind.coefficients[np.newaxis], request)
    low, mid, high = (
        float(it_wh[0]) * J_PER_WH / float(gpu_j[0])
        for it_wh, gpu_j in (
            (estimates.it_energy_wh_low, estimates.gpu_energy_j_low),
            (estimates.it_energy_wh, estimates.gpu_energy_j),
            (estimates.it_energy_wh_high, estimates.gpu_energy_j_high),
        )
    )
    idle_share = rounded(kind.idle_share)
    host_share = max(rounded(mid / (1.0 + idle_share) - 1.0), 0.0)
    if kind.spread is None:
        # Ends that are bounds do not say which part is whose.
        return host_share, idle_share, {"host": rounded(log_sd_between(low, high)), "idle": 0.0}
    causes = kind.spread.causes
    return host_share, idle_share, {name: causes.get(name, 0.0) for name in ("host", "idle")}


def measured_site(pue: float, rci_gco2e_per_kwh: Range, spread: Spread) -> Site:
    """The site of a metered kind: all of its range is in the carbon intensity, and unknown tokens widen nothing."""
    low, high = ends(spread.log_sd)
    middle = rci_gco2e_per_kwh.mid
    return Site(pue, Range(middle * low, middle, middle * high), (1.0, 1.0))


def it_per_metered(measured: Mapping[str, Any] | None) -> float:
    """IT joules for a metered joule by what `MeasuredKind.detail` gave; NaN of a kind that was not metered."""
    return float("nan") if measured is None else float(measured["it_per_metered"])


def metered_it_wh(energy_uj: Ints, it_per_metered_joule: Floats) -> Floats:
    """IT energy (Wh) of metered microjoules, shape (n,)."""
    it_wh: Floats = energy_uj / MICRO * it_per_metered_joule / J_PER_WH
    return it_wh


def plausible(it_wh: Floats, estimates: Estimates, rows: NDArray[np.intp], widen: Floats) -> NDArray[np.bool_]:
    """Whether each metered IT energy can be true beside the estimate of its row; `widen` is what unknown tokens add.

    All have the shape of `rows`. Beside an estimate of nothing, no energy is.
    """
    low, high = estimates.it_energy_wh_low[rows], estimates.it_energy_wh_high[rows]
    can_be: NDArray[np.bool_] = (it_wh >= low / (widen * PLAUSIBLE_FACTOR)) & (it_wh <= high * widen * PLAUSIBLE_FACTOR)
    return can_be


def with_metered(estimates: Estimates, rows: NDArray[np.intp], it_wh: Floats) -> Estimates:
    """The estimates with metered IT energies in these rows, flagged. The range is the site's (`measured_site`)."""
    changed: dict[str, Floats] = {}
    for name in ("it_energy_wh_low", "it_energy_wh", "it_energy_wh_high"):
        changed[name] = getattr(estimates, name).copy()
        changed[name][rows] = it_wh
    flags = estimates.flags.copy()
    flags[rows] = (flags[rows] & ~np.int32(_OF_THE_ESTIMATE)) | np.int32(Basis.MEASURED)
    return replace(estimates, **changed, flags=flags)
