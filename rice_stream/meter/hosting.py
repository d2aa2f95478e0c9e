"""Whether a model is hosted by somebody who does not say how, and what is known of that host. Pure.

Whoever states hardware, batch or a serving profile has said how the model is served; else its provider is taken at its
profile, and a model that no provider is named for at that of its vendor.
"""

from dataclasses import dataclass, replace

from rice_stream.estimator.method import Context, Disclosed
from rice_stream.reference.hosted.evidence import Disclosure
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import ModelFactor, PriceFactor

HOSTED_PROFILES = ("hosted_scale", "hosted_small")
"""A serving profile of these names says that somebody else hosts the model, and how large a host that is."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """Who hosts a model of whose serving nothing is stated, and what is asked for it."""

    profile: str
    """`hosted_scale` or `hosted_small`."""
    vendor: str | None
    """Who is taken to host it where no provider is known."""
    price: PriceFactor | None
    disclosures: tuple[Disclosed, ...] = ()
    """What the operator's tables say that requests of the model take there."""


def hosting_of(
    profile: str | None,
    provider: str | None,
    names: tuple[str | None, str | None],
    model: ModelFactor,
    reference: Reference,
    at_us: int,
) -> Hosting | None:
    """Who hosts a model of which nothing more is stated than the operator's `profile`, if any.

    `names` are those of the request's and of the response's model. A model without a provider is hosted by its vendor if
    its weights are closed or the vendor lists a price for it, and by whoever lists it if no table knows the model. None
    where the profile is not one of a host's, and for software that runs on machines of one's own.
    """
    if profile is not None and profile not in HOSTED_PROFILES:
        return None
    price = reference.resolve_price(provider, *names, at_us)
    vendor = model.vendor or _who_lists(model, price)
    host = reference.resolve_host(provider, vendor, at_us)
    if profile is None and host is None:
        return None
    told = reference.disclosures(model.model_id, provider or vendor) if model.known else ()
    return Hosting(profile or (host.profile if host else ""), vendor, price, tuple(_disclosed(one) for one in told))


def _disclosed(one: Disclosure) -> Disclosed:
    return Disclosed(
        one.facility_energy_wh,
        one.input_tokens,
        one.cache_read_input_tokens,
        one.output_tokens,
        one.log_sd,
        one.evidence_id,
    )


def _who_lists(model: ModelFactor, price: PriceFactor | None) -> str | None:
    """Who lists a price as a model's vendor; for a model that no table knows, whoever lists one."""
    if price is None:
        return None
    if not model.known:
        return price.provider
    return model.owner if price.rung == "vendor" else None


def hosted_context(context: Context, hosting: Hosting | None, model: ModelFactor, pue: float) -> Context:
    """The context with what is known of a hosted model: its host's profile, its list price, and the lowest price there is."""
    context = replace(
        context,
        model_id=model.model_id,
        family=model.model_id,
        model_known=model.known,
        own_model=model.overlaid,
    )
    if hosting is None:
        return replace(context, hosting=None, hosted_by=None, list_price=None, price_ceiling=None, disclosures=())
    price = hosting.price
    return replace(
        context,
        hosting=hosting.profile,
        hosted_by=hosting.vendor if context.provider is None else None,
        list_price=None if price is None else price.usd_per_mtok,
        price_ceiling=None if price is None else price.bound_usd_per_mtok,
        disclosures=hosting.disclosures,
        pue=pue,
    )
