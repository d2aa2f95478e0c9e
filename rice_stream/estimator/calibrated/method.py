"""The method `rice-calibrated`: physically structured regressions on public benchmarks and our own H100/H200 measurements.

Per request, joules of all GPUs (its share of the batch), with coefficients that are fixed per context:

    prefill = c0 + c1 (p - cached) + c2 (p^2 - cached^2) + c3 cached
    decode  = (o - 1) (d0 + d1 (p + o/2) + d2 (o - 1) / (o - 1 + half))

rice_stream/estimator/calibrated/physics.py says what the coefficients are made of, docs/validation-calibrated.md how well they
predict models that the fit never saw. A context's `utilisation` and `tdp_w` are not used: power is part of what was
measured, not a share of the TDP.
"""

import hashlib
from collections.abc import Sequence

from rice_stream.errors import UsageError
from rice_stream.estimator.calibrated.artefact import Artefact
from rice_stream.estimator.calibrated.coefficients import COSTS_END, IDLE_MID, ends_matrix
from rice_stream.estimator.calibrated.explain import explain_steps, move_step
from rice_stream.estimator.calibrated.interval import site_correction
from rice_stream.estimator.calibrated.per_request import embodied_of, estimates_of
from rice_stream.estimator.calibrated.setup import Resolved, resolve
from rice_stream.estimator.calibrated.spreads import Moves, energies
from rice_stream.estimator.embodied import EmbodiedFactors, water_l
from rice_stream.estimator.hosted.artefact import HostedArtefact
from rice_stream.estimator.method import (
    Context,
    Estimates,
    Impact,
    Impacts,
    KindFigures,
    Method,
    Requests,
    ServedAs,
    Step,
    version_of,
)
from rice_stream.estimator.site import SiteProfile
from rice_stream.estimator.spread import Spread
from rice_stream.quantities import Floats

_KEPT_MAX = 1_000
_WorkedOut = tuple[list[Resolved], Floats, Sequence[Spread | None], Moves]


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
        self._kept: dict[Context, _WorkedOut] = {}
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

    def kinds(self, contexts: Sequence[Context]) -> list[KindFigures]:
        """Everything about each of k contexts: its energies, and what the model runs on.

        Raises UsageError for a value that is not a positive finite number, an unknown precision or an unknown profile.
        """
        resolved, matrix, spreads, _ = self._worked_out(contexts)
        matrix.flags.writeable = False
        rows = zip(contexts, resolved, matrix, spreads, strict=True)
        return [_kind(context, one, row, spread) for context, one, row, spread in rows]

    def coefficients(self, contexts: Sequence[Context]) -> Floats:
        """The coefficients of k contexts alone, as a (k, c) matrix that must not be changed; raises as `kinds`."""
        return (self._of_one(contexts[0]) if len(contexts) == 1 else self._worked_out(contexts))[1]

    def _of_one(self, context: Context) -> _WorkedOut:
        """As `_worked_out`, and kept: explanations ask for one context again and again, and arrays of one row are dear."""
        found = self._kept.get(context)
        if found is None:
            found = self._worked_out([context])
            found[1].flags.writeable = False
            if len(self._kept) >= _KEPT_MAX:
                self._kept.clear()
            self._kept[context] = found
        return found

    def _worked_out(self, contexts: Sequence[Context]) -> _WorkedOut:
        resolved = [self.resolve(context) for context in contexts]
        if self.hosted is None:
            return resolved, ends_matrix(resolved, self.artefact, self.embodied, self.site), [None] * len(resolved), {}
        return resolved, *energies(resolved, self.artefact, self.embodied, self.site)

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        """Energy and latency of n requests: additions, multiplications and look-ups per request.

        `coefficients` has rows of `KindFigures.coefficients`; `requests.context` indexes them.
        """
        return estimates_of(coefficients, requests, self.artefact)

    def impacts(self, coefficients: Floats, requests: Requests, estimates: Estimates, pue: Floats) -> Impacts:
        """Embodied carbon (device-seconds x rate) and water of n requests; zero where no inference ran."""
        it_wh = Impact(estimates.it_energy_wh_low, estimates.it_energy_wh, estimates.it_energy_wh_high)
        return Impacts(embodied_of(coefficients, requests, self.artefact), water_l(it_wh, pue, self.embodied))

    def explain(self, context: Context, request: Requests) -> list[Step]:
        """The arithmetic of one request, step by step; the values are those that `estimate` returns, to the last bit."""
        [resolved], matrix, _, moves = self._of_one(context)
        estimates = self.estimate(matrix, request)
        steps = explain_steps(self.artefact, resolved, matrix[0, :COSTS_END], request, estimates)
        steps = [move_step(evidence, factor) for evidence, factor in moves.get(0, ())] + steps
        measured = site_correction(resolved, self.site)
        if measured is None or self.site is None:
            return steps
        rows = f"{measured.rows} measured rows of {measured.models} models on {resolved.hardware.name}"
        step = Step("site_factor", f"in every coefficient of joules: {rows}", measured.factor, "", self.site.name)
        return [step, *steps]


def _kind(context: Context, one: Resolved, row: Floats, spread: Spread | None) -> KindFigures:
    served = ServedAs(one.serving.hardware, one.serving.batch_size.mid, one.serving.precision)
    return KindFigures(
        context=context,
        coefficients=row,
        route=one.route,
        served_as=served,
        devices=one.devices,
        spread=spread,
        idle_share=float(row[IDLE_MID]) - 1.0,
        sources={} if context.hardware_known else {"serving": one.source},
    )


def digest_of_both(law: str, hosted: str) -> str:
    """One digest (hex) of both artefacts."""
    return hashlib.sha256(f"{law}{hosted}".encode()).hexdigest()
