"""What a kind of request would have rested on with something changed: model, place or serving set-up. Pure.

The starting point is a row of `factor_use`, so everything that is not changed stays as it was when the event was recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from rice_stream.errors import UsageError
from rice_stream.estimator.method import Context, Method
from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.estimator.spread import Spread
from rice_stream.meter.amounts import SiteFactors
from rice_stream.meter.carbon_ends import Place, place_of, site_of
from rice_stream.meter.described import value_of
from rice_stream.meter.estimator_at import EstimatorAt
from rice_stream.meter.hosting import Hosting, hosted_context, hosting_of
from rice_stream.meter.recompute import stored_kind
from rice_stream.quantities import Floats, Range
from rice_stream.reference.types import ModelFactor

SERVING = ("batch_size", "precision", "profile")
"""Changes of how a model is served that not every method responds to."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different; None leaves it as it was. Units as in the names; `pue` and intensity hold for all requests."""

    model: str | None = None
    region: str | None = None
    provider: str | None = None
    hardware: str | None = None
    devices: float | None = None
    batch_size: float | None = None
    precision: str | None = None
    profile: str | None = None
    pue: float | None = None
    rci_gco2e_per_kwh: float | None = None

    def check(self, method: Method) -> None:
        """Raises UsageError where nothing changes, or where the method does not respond to a change."""
        if not self.stated():
            raise UsageError(
                "nothing to compare with: name a --model, --region, --hardware, --profile or another option"
            )
        stated = self.stated()
        unseen = [name for name in SERVING if name in stated and name not in method.responds_to]
        if unseen:
            option = unseen[0].replace("_", "-")
            others = " or ".join(name for name in METHOD_NAMES if name != method.name)
            raise UsageError(f"--{option}: {method.name} does not know it; add --method {others}")

    def stated(self) -> dict[str, Any]:
        """Name -> value of everything that changes."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def change_of(values: Mapping[str, object], label: Callable[[str], str] = str) -> Change:
    """A change from texts or plain values by the names of its fields; None and a blank text leave a field as it was.

    Raises:
        UsageError: a value that is not allowed; it names the field by its label, and what is allowed.
    """
    return Change(
        **{field.name: value_of(field.name, values.get(field.name), label(field.name)) for field in fields(Change)}
    )


class Served(NamedTuple):
    """A kind of request: its context, and where it ran."""

    context: Context
    place: Place


class ServedBy(NamedTuple):
    """k kinds of requests as a method has them."""

    coefficients: Floats
    """Shape (k, c)."""
    spreads: list[Spread | None]
    """Of the carbon; None of a method whose ends are bounds."""
    sites: SiteFactors


def served_by(method: Method, served: Sequence[Served]) -> ServedBy:
    """What the method makes of k kinds of requests."""
    kinds = method.kinds([one.context for one in served])
    spreads = [one.place.spread(kind.spread) for one, kind in zip(served, kinds, strict=True)]
    sites = [
        site_of(one.place.pue, one.place.rci_gco2e_per_kwh, spread) for one, spread in zip(served, spreads, strict=True)
    ]
    return ServedBy(np.stack([kind.coefficients for kind in kinds]), spreads, SiteFactors.of(sites))


def as_recorded(factor: Mapping[str, Any], estimator: EstimatorAt) -> Served:
    """A row of `factor_use`. One from before hosted models were told apart is taken as the estimator would today."""
    kind = stored_kind(factor)
    if kind.hosts_told_apart:
        return Served(kind.context, kind.place)
    hosting, model = _hosting(kind.context, factor, Change(), estimator)
    return Served(hosted_context(kind.context, hosting, model, kind.place.pue), kind.place)


def changed(factor: Mapping[str, Any], change: Change, estimator: EstimatorAt) -> Served:
    """Context and place of the same kind of request with `change`, by the estimator's tables and policy."""
    context, place = as_recorded(factor, estimator)
    provider = change.provider or factor["provider"] or None
    context = replace(_other_model(context, change, provider, estimator), provider=provider)
    context = _other_serving(context, change, estimator)
    hosting, model = _hosting(context, factor, change, estimator)
    if change.region is not None or change.provider is not None:
        inference_region = change.region or factor["region"]
        reference, at_us = estimator.reference, estimator.at_us
        vendor, scope = None if hosting is None else hosting.vendor, estimator.policy.rci_scope
        region = reference.resolve_region(inference_region, provider, scope, at_us, vendor=vendor)
        pue = reference.resolve_pue(
            region.region_id, provider, at_us, default=place.pue, vendor=vendor, hosted=hosting is not None
        )
        place = place_of(pue, region.rci_gco2e_per_kwh, region, provider, vendor)
    if change.pue is not None:
        place = place._replace(pue=change.pue, pue_log_sd=0.0)
    if change.rci_gco2e_per_kwh is not None:
        place = place._replace(rci_gco2e_per_kwh=Range.exact(change.rci_gco2e_per_kwh))
    return Served(hosted_context(context, hosting, model, place.pue), place)


def _other_model(context: Context, change: Change, provider: str | None, estimator: EstimatorAt) -> Context:
    if change.model is None:
        return context
    model = estimator.reference.resolve_model(provider, change.model, None, estimator.at_us)
    # The old model's devices and precision were chosen for the old model.
    return replace(
        context,
        params_total_b=model.params_total_b,
        params_active_b=model.params_active_b,
        **model.architecture(),
        precision=model.precision,
        devices=None,
    )


def _names(factor: Mapping[str, Any], change: Change) -> tuple[str | None, str | None]:
    """The model as the request and as the response names it."""
    if change.model:
        return change.model, None
    return factor["request_model"] or None, factor["response_model"] or None


def _hosting(
    context: Context, factor: Mapping[str, Any], change: Change, estimator: EstimatorAt
) -> tuple[Hosting | None, ModelFactor]:
    """Who hosts the model where nothing says how it is served, and the model."""
    names, reference, at_us = _names(factor, change), estimator.reference, estimator.at_us
    model = reference.resolve_model(context.provider, *names, at_us)
    if context.serving_stated or not any(names):
        return None, model
    return hosting_of(context.profile, context.provider, names, model, reference, at_us), model


def _other_serving(context: Context, change: Change, estimator: EstimatorAt) -> Context:
    if change.hardware is not None:
        hardware = estimator.reference.resolve_hardware(change.hardware)
        context = replace(
            context,
            hardware=hardware.hardware,
            hardware_known=hardware.known,
            tdp_w=hardware.tdp_w if hardware.known else None,
            devices=None,
        )
    if change.profile is not None:
        # A profile says how requests are batched: the batch that the event stated belonged to the old way.
        context = replace(
            context, profile=change.profile, own_profile=estimator.policy.profiles.get(change.profile), batch_size=None
        )
    stated = {name: getattr(change, name) for name in ("devices", "batch_size", "precision")}
    return replace(context, **{name: value for name, value in stated.items() if value is not None})
