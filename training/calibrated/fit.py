"""Fits the parameters: robust, relative-weighted least squares with beliefs; and predicts rows with them.

Errors are logarithms of predicted / measured, so 10 % too much counts alike at 0.05 J and at 20 J; a pseudo-Huber loss
bounds the pull of a deployment that the physics does not know. Every (data set, group, hardware) counts alike, not every
row: a model measured at twenty batch sizes is still one model.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import compress

import numpy as np
from scipy.optimize import least_squares

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.physics import Cost, Setup, joules, seconds
from rice_stream.estimator.calibrated.request_cost import decode, prefill, token_terms
from rice_stream.estimator.calibrated.setup import MID, resolve, setup_of
from rice_stream.quantities import Floats
from training.calibrated.model import (
    BOARD_J,
    BOARD_S,
    ENERGY,
    STATED,
    STREAM_HALF_TOKENS,
    TIME,
    Belief,
    Theta,
    flop_factor,
    hardware_names,
    machines,
    shape,
    specifications,
    start,
)
from training.calibrated.rows import Row, leave_one_group_out

BELIEF_WEIGHT = 9.0 * 3.0
"""Squared weight of one belief against one group's mean squared error; chosen once by leave-group-out error of the energy."""

TOLERANCE = {"decode": 0.05, "prefill": 0.05, "request": 0.15, "eager": 0.03, "eager_prefill": 0.1, "board": 0.03}
"""Where the loss turns from squared to absolute, by kind of row: the scatter that each data set shows within one model."""

RELATIVE = ("eager", "eager_prefill", "board")
"""Kinds whose error is predicted / measured - 1 and whose rows count one by one: many models of one runtime, few rows each."""

SMALL_B, SMALL_WEIGHT = 1.0, 0.2
"""Below 1e9 parameters launches dominate and no serving fleet exists: such rows guide, they do not steer."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows with all that does not depend on the parameters computed once."""

    rows: list[Row]
    setup: Setup
    hardware: list[str]
    precisions: list[str]
    input_tokens: Floats
    output_tokens: Floats

    def only(self, keep: Sequence[bool]) -> "Problem":
        """The rows that are kept."""
        kept = np.array(keep)
        return Problem(
            list(compress(self.rows, keep)),
            Setup(*(getattr(self.setup, field.name)[kept] for field in fields(Setup))),
            list(compress(self.hardware, keep)),
            list(compress(self.precisions, keep)),
            self.input_tokens[kept],
            self.output_tokens[kept],
        )


def problem(rows: Sequence[Row], scaffold: Artefact) -> Problem:
    """`scaffold` is an artefact whose laws, precisions and hardware names hold; its fitted values are not used."""
    resolved = [resolve(row.context, scaffold) for row in rows]
    return Problem(
        list(rows),
        setup_of(resolved, scaffold, MID),
        hardware_names([row.context.hardware for row in rows], scaffold),
        [str(row.context.precision) for row in rows],
        np.array([row.input_tokens for row in rows]),
        np.array([row.output_tokens for row in rows]),
    )


def predict_j(theta: Mapping[str, float], problem: Problem) -> Floats:
    """Joules of each row in the unit of its `joules`, shape (n,): per request's step, prefill, output token or run."""
    cost = joules(_setup(problem, theta), machines(problem.hardware, theta, specifications()), shape(theta))
    return _by_kind(problem, cost, np.ones(len(problem.rows)))


def predict_s(theta: Mapping[str, float], problem: Problem) -> Floats:
    """Seconds of each row: of one step (decode, request, eager), of the batch's prefill or of the whole run."""
    cost = seconds(_setup(problem, theta), machines(problem.hardware, theta, specifications()), shape(theta))
    return _by_kind(problem, cost, problem.setup.batch)


def _setup(problem: Problem, theta: Mapping[str, float]) -> Setup:
    return replace(problem.setup, flop_factor=np.array([flop_factor(one, theta) for one in problem.precisions]))


def _by_kind(problem: Problem, cost: Cost, prefill_batch: Floats) -> Floats:
    kinds = np.array([row.kind for row in problem.rows])
    inputs, outputs = problem.input_tokens, problem.output_tokens
    terms = token_terms(inputs, np.zeros_like(inputs), outputs, STREAM_HALF_TOKENS)
    first = prefill(cost, terms)
    # A batch's prompts are computed one after another: time adds up, a request's share of the energy does not.
    first_alone = cost.fixed + (first - cost.fixed) * prefill_batch
    steps = decode(cost, terms)
    step = cost.per_step + cost.per_step_context * (inputs + 0.5 * outputs)
    is_time = bool(np.all(cost.per_stream == 0.0))
    request = step if is_time else (first + steps) / np.maximum(outputs, 1.0)
    eager = steps / np.maximum(outputs - 1.0, 1.0)
    result: Floats = np.select(
        [kinds == "decode", np.isin(kinds, ["prefill", "eager_prefill"]), kinds == "eager", kinds == "board"],
        [steps, first_alone if is_time else first, eager, first + steps],
        request,
    )
    return result


Predict = Callable[[Mapping[str, float], Problem], Floats]


def fit(beliefs: Mapping[str, Belief], fixed: Mapping[str, float], given: Problem, *, time: bool) -> Theta:
    """The parameters in `beliefs`, the others held at `fixed`. Deterministic."""
    predict: Predict = predict_s if time else predict_j
    if not all(row.fitted for row in given.rows):
        given = given.only([row.fitted for row in given.rows])
    logarithmic = np.array([row.kind not in RELATIVE for row in given.rows])
    measured = np.log([float((row.seconds if time else row.joules) or np.nan) for row in given.rows])
    weight, tolerance = _weights(given.rows), np.array([TOLERANCE[row.kind] for row in given.rows])
    names = list(beliefs)
    means = np.array([beliefs[name].mean for name in names])
    deviations = np.array([beliefs[name].sd for name in names])

    def residuals(values: Floats) -> Floats:
        theta = {**fixed, **dict(zip(names, values.tolist(), strict=True))}
        log_error = np.log(predict(theta, given)) - measured
        error = np.where(logarithmic, log_error, np.expm1(log_error)) / tolerance
        bounded = np.sign(error) * np.sqrt(2.0 * (np.sqrt(1.0 + error * error) - 1.0))
        return np.concatenate([bounded * weight, (values - means) / deviations * np.sqrt(BELIEF_WEIGHT)])

    # Tight tolerances, so that the digits that are kept do not depend on the machine.
    found = least_squares(residuals, means, x_scale=deviations, ftol=1e-8, xtol=1e-8, gtol=1e-8)
    return dict(zip(names, found.x.tolist(), strict=True))


def _weights(rows: Sequence[Row]) -> Floats:
    keys = [(row.source, row.kind, row.group, row.context.hardware) for row in rows]
    count = Counter(keys)
    small = np.array(
        [SMALL_WEIGHT if row.context.params_total_b.mid < SMALL_B and row.kind != "eager" else 1.0 for row in rows]
    )
    shares = [1.0 if row.kind in RELATIVE else count[key] for row, key in zip(rows, keys, strict=True)]
    weights: Floats = small * 4.0 / np.sqrt(np.array(shares))
    return weights


def initial() -> Theta:
    """All beliefs' means: what stands in for parameters that a fit does not touch."""
    return {**start(ENERGY), **start(TIME), **start(BOARD_J), **start(BOARD_S), **STATED}


@dataclass(frozen=True, slots=True)
class LeftOutFits:
    """One set of parameters per group: the fit that saw no row of it."""

    theta_of: Mapping[str, Theta]
    scaffold: Artefact
    time: bool

    def predict(self, rows: Sequence[Row]) -> Floats:
        """Every row by the fit that left its group out, shape (n,). A row may differ from the one that was left out."""
        predict: Predict = predict_s if self.time else predict_j
        predicted = np.full(len(rows), np.nan)
        for group in sorted({row.group for row in rows}):
            own = [index for index, row in enumerate(rows) if row.group == group]
            predicted[own] = predict(self.theta_of[group], problem([rows[index] for index in own], self.scaffold))
        return predicted


def leave_out(
    rows: Sequence[Row], beliefs: Mapping[str, Belief], fixed: Mapping[str, float], scaffold: Artefact, *, time: bool
) -> LeftOutFits:
    """Fits without each group in turn."""
    theta_of = {
        group: {**fixed, **fit(beliefs, fixed, problem(kept, scaffold), time=time)}
        for group, kept, _ in leave_one_group_out(rows)
    }
    return LeftOutFits(theta_of, scaffold, time)
