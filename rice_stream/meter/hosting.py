"""Whether a model is hosted by somebody who does not say how, and what is known of that host. Pure.

Whoever states hardware, batch or a serving profile has said how the model is served; else its provider is taken at its
profile, and a model that no provider is named for at that of its vendor.
"""

from dataclasses import replace

from rice_stream.estimator.method import Context
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import ModelFactor

HOSTED_PROFILES = ("hosted_scale", "hosted_small")
"""A serving profile of these names says that somebody else hosts the model, and how large a host that is."""


def hosting_of(
    profile: str | None, provider: str | None, model: ModelFactor, reference: Reference, at_us: int
) -> str | None:
    """The hosting profile of a model of which nothing more is stated than the operator's `profile`, if any.

    None where the profile is not one of a host's, and for software that runs on machines of one's own.
    """
    if profile is not None:
        return profile if profile in HOSTED_PROFILES else None
    host = reference.resolve_host(provider, model.vendor, at_us)
    return None if host is None else host.profile


def hosted_context(
    context: Context,
    hosting: str | None,
    names: tuple[str | None, str | None],
    model: ModelFactor,
    pue: float,
    reference: Reference,
    at_us: int,
) -> Context:
    """The context with what is known of a hosted model: its host's profile, its list price, and the lowest price there is.

    `names` are those of the request's and of the response's model.
    """
    context = replace(
        context,
        model_id=model.model_id,
        family=_family(model),
        model_known=model.known,
        own_model=model.overlaid,
    )
    if hosting is None:
        return context
    price = reference.resolve_price(context.provider, *names, at_us)
    return replace(
        context,
        hosting=hosting,
        list_price=None if price is None else price.usd_per_mtok,
        price_ceiling=None if price is None else price.bound_usd_per_mtok,
        pue=pue,
    )


def _family(model: ModelFactor) -> str:
    """With whom a model shares what is not known of its parameters: an owner's closed models err together."""
    return f"{model.owner}:closed" if model.estimated and model.owner else model.model_id
