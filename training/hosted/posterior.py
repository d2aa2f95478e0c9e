"""Prior draws and a list price to a posterior, by importance sampling; and what its variance comes from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.physics import Cost, field_names
from rice_stream.estimator.hosted.artefact import CAUSES
from rice_stream.quantities import Floats, ListPrice
from training.hosted import priors
from training.hosted.cases import Case
from training.hosted.draws import normals
from training.hosted.physics import Drawn, Indices, draw, request_j
from training.hosted.priors import BELIEFS, Beliefs, LogNormal

J_PER_KWH = 3.6e6
EFFECTIVE_LEAST = 100.0
"""Effective draws below which a posterior is not trusted."""
CONTRADICTED_DRAWS, CONTRADICTED_WIDENINGS = 200.0, (1.25, 1.5, 1.75, 2.0)
"""Effective draws below which price and size contradict each other, and how much wider a closed model's size is taken to be
then, the least that reconciles them: it was a guess."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """A case with the weights of its draws (they sum to 1) and what follows for the reference request."""

    case: Case
    drawn: Drawn
    weights: Floats
    effective_draws: float
    gpu_j: float
    """Accelerator joules of the reference request: the middle."""
    cost: dict[str, float]
    """The seven coefficients; they give `gpu_j` for the reference request."""
    host_share: float
    idle_share: float
    log_sd: float
    """Of the IT energy, with the floor."""
    causes: dict[str, float]
    price_weight: float

    def mean(self, values: Floats) -> float:
        """The weighted geometric mean of positive values, one a draw."""
        return math.exp(float(self.weights @ np.log(values)))

    def most(self, indices: Indices, names: tuple[str, ...]) -> str:
        """The name with the most weight."""
        return names[int(np.argmax(np.bincount(indices, self.weights, len(names))))]


def posterior(case: Case, artefact: Artefact, beliefs: Beliefs = BELIEFS) -> Posterior:
    """The posterior of one case. Raises ValueError where the price leaves too few draws standing."""
    drawn = draw(case, artefact, beliefs)
    ratio = _ratio(case, beliefs)
    weights = price_weights(drawn, case.price, ratio)
    for wider in CONTRADICTED_WIDENINGS if case.closed else ():
        if 1.0 / (weights @ weights) >= CONTRADICTED_DRAWS:
            break
        drawn = draw(_widened(case, wider), artefact, beliefs)
        weights = price_weights(drawn, case.price, ratio)
    effective = float(1.0 / (weights @ weights))
    if effective < EFFECTIVE_LEAST:
        raise ValueError(
            f"{case.family} ({case.profile}): only {effective:.0f} effective draws: price and size disagree"
        )
    log_it = np.log(drawn.gpu_j * (1.0 + drawn.host_share) * (1.0 + drawn.idle_share))
    middle, host = float(weights @ log_it), math.exp(float(weights @ np.log1p(drawn.host_share))) - 1.0
    idle = math.exp(float(weights @ np.log1p(drawn.idle_share))) - 1.0
    gpu_j = math.exp(middle) / (1.0 + host) / (1.0 + idle)
    weight = _price_weight(drawn, case.price, ratio, middle)
    parts = _variance_parts(drawn, weights, log_it, (weight * ratio.log_sd) ** 2)
    least = priors.CLOSED_LOG_SD_LEAST if case.closed else priors.OPEN_LOG_SD_LEAST
    # What the floor adds is of assumptions that all models share: the law at this scale.
    parts["law"] += max(0.0, least**2 - math.fsum(parts.values()))
    return Posterior(
        case=case,
        drawn=drawn,
        weights=weights,
        effective_draws=effective,
        gpu_j=gpu_j,
        cost=_bounded(_middle_cost(drawn, weights, gpu_j, artefact), case.price, (1.0 + host) * (1.0 + idle)),
        host_share=host,
        idle_share=idle,
        log_sd=math.sqrt(math.fsum(parts.values())),
        causes={name: math.sqrt(parts[name]) for name in CAUSES},
        price_weight=weight,
    )


def price_weights(drawn: Drawn, price: ListPrice | None, ratio: LogNormal) -> Floats:
    """How likely the list price is under each draw, normalised. A draw whose hardware alone costs more is impossible."""
    if price is None:
        return np.full(len(drawn.gpu_j), 1.0 / len(drawn.gpu_j))
    usd_per_kwh = reference_price_usd(price) / (drawn.facility(drawn.gpu_j) / J_PER_KWH)
    distance = (np.log(usd_per_kwh) - math.log(ratio.median)) / ratio.log_sd
    likelihood = np.where(usd_per_kwh >= priors.USD_PER_KWH_LEAST_PROVISIONED, np.exp(-0.5 * distance**2), 0.0)
    total = float(likelihood.sum())
    if total == 0.0:
        raise ValueError("no draw's energy is below what the price can pay for")
    result: Floats = likelihood / total
    return result


def reference_price_usd(price: ListPrice) -> float:
    """What the reference request costs."""
    return (price.input * priors.INPUT_TOKENS + price.output * priors.OUTPUT_TOKENS) / 1e6


def _widened(case: Case, wider: float) -> Case:
    """The case with a size that is less certain."""
    total, active = (replace(size, log_sd=size.log_sd * wider) for size in (case.total_b, case.active_b))
    return replace(case, total_b=total, active_b=active)


def _ratio(case: Case, beliefs: Beliefs) -> LogNormal:
    """Price over energy as far as the case's price tells of this kind of host."""
    ratio = beliefs.usd_per_kwh
    if case.price_of_profile:
        return ratio
    return LogNormal(ratio.median, math.hypot(ratio.log_sd, beliefs.other_host_log_sd))


def _price_weight(drawn: Drawn, price: ListPrice | None, ratio: LogNormal, middle: float) -> float:
    """How far the middle moves, in logarithms, for a price of one tenth more, over log 1.1."""
    if price is None:
        return 0.0
    dearer = price_weights(drawn, ListPrice(price.input * 1.1, price.cache_read * 1.1, price.output * 1.1), ratio)
    log_it = np.log(drawn.gpu_j * (1.0 + drawn.host_share) * (1.0 + drawn.idle_share))
    return max(0.0, (float(dearer @ log_it) - middle) / math.log(1.1))


def _middle_cost(drawn: Drawn, weights: Floats, gpu_j: float, artefact: Artefact) -> dict[str, float]:
    """Each coefficient's posterior geometric mean, all scaled so that the reference request costs `gpu_j`."""
    middle = {}
    for name in field_names(Cost):
        values = getattr(drawn.cost, name)
        positive = bool(np.all(values > 0.0))
        middle[name] = math.exp(float(weights @ np.log(values))) if positive else float(weights @ values)
    cost = Cost(**{name: np.float64(value) for name, value in middle.items()})  # type: ignore[arg-type]
    scale = gpu_j / float(request_j(cost, artefact, priors.INPUT_TOKENS, 0.0, priors.OUTPUT_TOKENS))
    return {name: value * scale for name, value in middle.items()}


def _bounded(cost: dict[str, float], price: ListPrice | None, chain: float) -> dict[str, float]:
    """No token's energy costs more than the token does: at its least price per kWh of the facility.

    What a request pays once goes up to the price of one output token with the first token, the rest of it with the
    prompt's tokens: in batches, prompts share their launches.
    """
    if price is None:
        return cost
    j_per_usd_per_mtok = J_PER_KWH / 1e6 / priors.USD_PER_KWH_LEAST / (chain * priors.PUE_MOST)
    bounded = dict(cost)
    bounded["fixed"] = min(cost["fixed"], price.output * j_per_usd_per_mtok)
    per_token = cost["per_token"] + (cost["fixed"] - bounded["fixed"]) / priors.INPUT_TOKENS
    bounded["per_token"] = min(per_token, price.input * j_per_usd_per_mtok)
    bounded["per_cached"] = min(cost["per_cached"], price.cache_read * j_per_usd_per_mtok)
    per_output = cost["per_step"] + cost["per_stream"] + cost["per_step_context"] * priors.CONTEXT_TOKENS
    share = min(1.0, price.output * j_per_usd_per_mtok / per_output)
    bounded |= {name: cost[name] * share for name in ("per_step", "per_step_context", "per_stream")}
    return bounded


def _variance_parts(drawn: Drawn, weights: Floats, log_it: Floats, by_price: float) -> dict[str, float]:
    """The posterior variance of the logarithm of the IT energy by cause; the parts add up to it.

    A middle that is the mean of physics and price, weighted, has the variance of both, weights squared: `by_price` is that
    of the price, and is all of it at most. The rest is that of physics: a regression of the logarithm on the logarithms of
    its inputs; a cause's part is its terms' covariance with the whole. What the regression leaves (curvature, interactions)
    is shared out in proportion. Terms that the price has turned against the whole have no part.
    """
    terms = _terms(drawn)
    names = [name for name, columns in terms.items() for _ in columns]
    matrix = np.stack([column for columns in terms.values() for column in columns], axis=1)
    matrix = matrix - weights @ matrix
    whole = log_it - weights @ log_it
    root = np.sqrt(weights)
    slopes = np.linalg.lstsq(matrix * root[:, None], whole * root, rcond=None)[0]
    parts = dict.fromkeys(CAUSES, 0.0)
    for index, name in enumerate(names):
        parts[name] += float(weights @ (whole * matrix[:, index])) * float(slopes[index])
    parts = {name: max(0.0, part) for name, part in parts.items()}
    variance = float(weights @ whole**2)
    scale = max(0.0, variance - by_price) / math.fsum(parts.values())
    return {name: part * scale for name, part in parts.items()} | {"price": min(by_price, variance)}


def _terms(drawn: Drawn) -> Mapping[str, list[Floats]]:
    """Columns of the regression by cause; those that do not vary are left out."""
    batch = np.log(drawn.setup.batch)
    candidates: dict[str, list[Floats]] = {
        "size": [np.log(drawn.setup.total_b), np.log(drawn.setup.active_b), np.log(drawn.setup.layers)],
        "batch": [batch, batch**2],
        "hardware": [
            *((drawn.hardware == index).astype(float) for index in range(len(drawn.names) - 1)),
            *((drawn.precision == index).astype(float) for index in range(len(drawn.precisions) - 1)),
        ],
        "law": [normals()["law"], normals()["exposed"]],
        "host": [np.log1p(drawn.host_share)],
        "idle": [np.log1p(drawn.idle_share)],
    }
    return {name: [one for one in columns if np.ptp(one) > 1e-9] for name, columns in candidates.items()}
