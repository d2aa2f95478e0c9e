"""How far middles and widths move when one belief is another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rice_stream.estimator.calibrated.artefact import Artefact
from training.hosted.cases import Case
from training.hosted.posterior import Posterior, posterior
from training.hosted.priors import BELIEFS, Z80, Beliefs, LogNormal


@dataclass(frozen=True, slots=True)
class Moved:
    """The middle over the shipped one, and the 80 % range as high over low, of one model under other beliefs."""

    middle: float
    factor: float


def alternatives() -> Mapping[str, Beliefs]:
    """Each belief moved alone."""
    law, ratio = BELIEFS.law, BELIEFS.usd_per_kwh
    return {
        "batch x 2": _batch(2.0),
        "batch / 2": _batch(0.5),
        "batch twice as uncertain": _batch(1.0, widened=2.0),
        "all weights 8 bit": replace(BELIEFS, fp8_share=1.0),
        "all weights 16 bit": replace(BELIEFS, fp8_share=0.0),
        "exchange of mixtures all exposed": _mixtures(exposed=(1.0, 1.0)),
        "no mixture spread wider than needed": _mixtures(spread=(1.0,)),
        "law 25 % more": replace(BELIEFS, law=LogNormal(law.median * 1.25, law.log_sd)),
        "law 20 % less": replace(BELIEFS, law=LogNormal(law.median * 0.8, law.log_sd)),
        "price ratio 16 USD/kWh": replace(BELIEFS, usd_per_kwh=LogNormal(16.0, ratio.log_sd)),
        "price ratio 7.5 USD/kWh": replace(BELIEFS, usd_per_kwh=LogNormal(7.5, ratio.log_sd)),
        "price says little (log-sd 1.6)": replace(BELIEFS, usd_per_kwh=LogNormal(ratio.median, 1.6)),
        "price says more (log-sd 0.5)": replace(BELIEFS, usd_per_kwh=LogNormal(ratio.median, 0.5)),
        "host share x 1.5": replace(
            BELIEFS, host_share=replace(BELIEFS.host_share, median=BELIEFS.host_share.median * 1.5)
        ),
        "idle share x 3": replace(
            BELIEFS, idle_share=replace(BELIEFS.idle_share, median=BELIEFS.idle_share.median * 3.0)
        ),
    }


def plainer() -> Mapping[str, Beliefs]:
    """Without what is believed of mixtures at scale, one after the other."""
    return {
        "as shipped": BELIEFS,
        "no wider than memory needs": _mixtures(spread=(1.0,)),
        "and streamed by the whole group": _mixtures(spread=(1.0,), streams_on_one=False),
        "and all exchange exposed: the law as it is fitted": _mixtures(
            spread=(1.0,), streams_on_one=False, exposed=(1.0, 1.0)
        ),
    }


def moved(case: Case, artefact: Artefact, beliefs: Beliefs) -> Moved:
    """A case under other beliefs, against the shipped ones."""
    return _against(posterior(case, artefact), posterior(case, artefact, beliefs))


def case_moved(case: Case, artefact: Artefact, other: Case) -> Moved:
    """Another case under the shipped beliefs, against this one."""
    return _against(posterior(case, artefact), posterior(other, artefact))


def other_cases(case: Case) -> Mapping[str, Case]:
    """The case with another size or other machines."""
    total, active = case.total_b, case.active_b
    found = {
        label: replace(
            case,
            total_b=replace(total, median=total.median * factor),
            active_b=replace(active, median=active.median * factor),
        )
        for label, factor in (("parameters x 2", 2.0), ("parameters / 2", 0.5))
    }
    found |= {f"all on {name}": replace(case, hardware={name: 1.0}) for name in ("H100", "B200", "TPU-v6e")}
    return found


def _against(shipped: Posterior, other: Posterior) -> Moved:
    return Moved(_it_j(other) / _it_j(shipped), math.exp(2.0 * Z80 * other.log_sd))


def _it_j(found: Posterior) -> float:
    return found.gpu_j * (1.0 + found.host_share) * (1.0 + found.idle_share)


def _mixtures(**changes: Any) -> Beliefs:
    profiles = {name: replace(one, **changes) for name, one in BELIEFS.profiles.items()}
    return replace(BELIEFS, profiles=profiles)


def _batch(factor: float, widened: float = 1.0) -> Beliefs:
    profiles = {
        name: replace(one, batch=LogNormal(one.batch.median * factor, one.batch.log_sd * widened))
        for name, one in BELIEFS.profiles.items()
    }
    return replace(BELIEFS, profiles=profiles)
