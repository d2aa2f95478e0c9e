"""Contexts -> the matrix of coefficients of `rice-calibrated`: one row a context, in the column layout defined here."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from rice_stream.basis import Basis
from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.interval import architecture_assumed, error_factors, site_correction
from rice_stream.estimator.calibrated.physics import Cost, Machine, Setup, joules, seconds
from rice_stream.estimator.calibrated.setup import HIGH, LOW, MID, Resolved, machine_of, setup_of
from rice_stream.estimator.embodied import EmbodiedFactors, embodied_gco2e_per_device_second
from rice_stream.estimator.site import SiteProfile
from rice_stream.quantities import Floats

# Four costs of seven coefficients each (mid, low and high joules; seconds), then scalars.
COST = 7
MID_J, LOW_J, HIGH_J, MID_S = 0, COST, 2 * COST, 3 * COST
COSTS_END = 4 * COST
# HOST_*: power around the devices while they work on a request; DEVICE_HOST_W: the same around one device.
HOST_W, HOST_FIXED_J, HOST_DECODE_W, DEVICE_HOST_W, HOST_LOW, HOST_HIGH = range(COSTS_END, COSTS_END + 6)
IDLE_LOW, IDLE_MID, IDLE_HIGH, FLAGS = range(COSTS_END + 6, COSTS_END + 10)
# Version 2: the server around the devices as a share of their energy, and whether its power and time count instead.
HOST_SHARE, HOST_TIMED = range(COSTS_END + 10, COSTS_END + 12)
# Most J of IT energy per uncached input, cached input and output token; 0 in all three: nothing is known.
CEILING_INPUT, CEILING_CACHED, CEILING_OUTPUT = range(COSTS_END + 12, COSTS_END + 15)
ESTIMATE_END = COSTS_END + 15
# Embodied carbon of one device with its share of the server, gCO2e per second.
EMBODIED_LOW, EMBODIED_MID, EMBODIED_HIGH = range(ESTIMATE_END, ESTIMATE_END + 3)
COLUMNS = ESTIMATE_END + 3


def matrix_of(
    resolved: Sequence[Resolved],
    mid: Setup,
    machine: Machine,
    artefact: Artefact,
    embodied: EmbodiedFactors,
    site: SiteProfile | None,
) -> Floats:
    """The (k, COLUMNS) matrix of k resolved contexts without their energies: time, server, idle machines, embodied carbon.

    `mid` is their set-up in the middle, `machine` their hardware.
    """
    matrix = np.zeros((len(resolved), COLUMNS))
    time = seconds(mid, machine, artefact.shape)
    put_cost(matrix, MID_S, time, np.ones(len(resolved)))
    host = artefact.host_share_of_tdp
    host_w = np.array([host.mid * one.hardware.tdp_w * one.devices for one in resolved])
    matrix[:, HOST_W] = host_w
    matrix[:, DEVICE_HOST_W] = [host.mid * one.hardware.tdp_w for one in resolved]
    # A request pays for its own prompt's time in full, and for the time of what the batch shares in part.
    matrix[:, HOST_FIXED_J] = host_w * time.fixed * (1.0 / mid.batch - 1.0)
    matrix[:, HOST_DECODE_W] = host_w / mid.batch
    matrix[:, HOST_TIMED] = 1.0
    names = {one.hardware.name for one in resolved}
    rates = {name: embodied_gco2e_per_device_second(name, embodied) for name in names}
    for column, end in ((EMBODIED_LOW, LOW), (EMBODIED_MID, MID), (EMBODIED_HIGH, HIGH)):
        matrix[:, column] = [getattr(rates[one.hardware.name], end) for one in resolved]
    matrix[:, FLAGS] = [_flags(one, artefact, site) for one in resolved]
    return matrix


def ends_matrix(
    resolved: Sequence[Resolved], artefact: Artefact, embodied: EmbodiedFactors, site: SiteProfile | None
) -> Floats:
    """The matrix of version 1: all low ends are taken together, and all high ends, as if everything erred the same way."""
    if not resolved:
        return np.zeros((0, COLUMNS))
    machine = machine_of(resolved)
    setups = {end: setup_of(resolved, artefact, end) for end in (LOW, MID, HIGH)}
    matrix = matrix_of(resolved, setups[MID], machine, artefact, embodied, site)
    own = [site_correction(one, site) for one in resolved]
    corrected = np.array([1.0 if one is None else one.factor for one in own])
    factors = np.array([error_factors(one, artefact, measured) for one, measured in zip(resolved, own, strict=True)])
    scales = {LOW: corrected * factors[:, 0], MID: corrected, HIGH: corrected * factors[:, 1]}
    for start, end in ((MID_J, MID), (LOW_J, LOW), (HIGH_J, HIGH)):
        put_cost(matrix, start, joules(setups[end], machine, artefact.shape), scales[end])
    host = artefact.host_share_of_tdp
    matrix[:, HOST_LOW], matrix[:, HOST_HIGH] = host.low / host.mid, host.high / host.mid
    for column, end in ((IDLE_LOW, LOW), (IDLE_MID, MID), (IDLE_HIGH, HIGH)):
        matrix[:, column] = [1.0 + getattr(one.serving.idle_share, end) for one in resolved]
    return matrix


class ByColumn(Protocol):
    """Coefficients by column: an array of shape (columns, n), or what gives such rows."""

    def __getitem__(self, column: int, /) -> Floats:
        """The values of the column, shape (n,) or one for all."""
        ...


def cost_of(columns: ByColumn, start: int) -> Cost:
    """The cost whose seven coefficients begin at column `start`."""
    return Cost(*(columns[column] for column in range(start, start + COST)))


def put_cost(matrix: Floats, start: int, cost: Cost, factor: Floats) -> None:
    """Put the cost's seven coefficients, times a factor of shape (k,), into the columns from `start` on."""
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


# As plain numbers: combining flags of the enumeration costs more than all else that a context is asked.
_SITE_CALIBRATED, _BATCH_ASSUMED, _HARDWARE_ASSUMED = map(
    int, (Basis.SITE_CALIBRATED, Basis.BATCH_ASSUMED, Basis.HARDWARE_ASSUMED)
)
_HARDWARE_SCALED, _ARCHITECTURE_ASSUMED, _PARAMETERS_EXTRAPOLATED = map(
    int, (Basis.HARDWARE_SCALED, Basis.ARCHITECTURE_ASSUMED, Basis.PARAMETERS_EXTRAPOLATED)
)


def _flags(one: Resolved, artefact: Artefact, site: SiteProfile | None) -> int:
    """What the estimates of a context rest on, whatever the request."""
    flags = 0 if site_correction(one, site) is None else _SITE_CALIBRATED
    if not one.serving.batch_known or one.given is not None:
        flags |= _BATCH_ASSUMED
    if not one.serving.hardware_known or one.given is not None:
        flags |= _HARDWARE_ASSUMED
    if not one.hardware.measured or artefact.find_hardware(one.serving.hardware) is None:
        flags |= _HARDWARE_SCALED
    if architecture_assumed(one):
        flags |= _ARCHITECTURE_ASSUMED
    for params_b in (one.context.params_total_b.mid, one.context.params_active_b.mid):
        if not artefact.params_b_min <= params_b <= artefact.params_b_max:
            flags |= _PARAMETERS_EXTRAPOLATED
    return flags
