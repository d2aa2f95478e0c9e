"""List prices by model: which one a row is fitted with."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rice_stream.estimator.method import ListPrice
from rice_stream.reference.lookup import Reference

SMALL_HOSTS = frozenset(
    {"neuralwatt", "groq", "together", "fireworks", "deepinfra", "nebius", "novita", "cerebras", "sambanova"}
)
OTHER_TIERS = re.compile(r"fast|flex|turbo|highspeed|priority|batch|image|tts|audio|realtime|search|embed|custom")
"""Editions of a model at a price of their own: they say little of what the model's own energy costs."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One list price."""

    provider: str
    """As the tables spell it."""
    model: str
    """The name it is sold under."""
    price: ListPrice
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class Priced:
    """A quote with the model that it is of."""

    quote: Quote
    model_id: str
    rung: str
    own: bool
    """From the vendor of the model itself."""


def identified(quotes: Iterable[Quote], reference: Reference, at_us: int) -> Iterator[Priced]:
    """Quotes of models of the model table whose input and output prices are both above 0."""
    for quote in quotes:
        if quote.price.input <= 0.0 or quote.price.output <= 0.0:
            continue
        factor = reference.resolve_model(quote.provider, quote.model, None, at_us)
        if factor.known and factor.rung != "variant" and not _other_tier(quote.model, factor.model_id):
            own = reference.providers.canonical(quote.provider) == factor.owner
            yield Priced(quote, factor.model_id, factor.rung, own)


def _other_tier(model: str, model_id: str) -> bool:
    """Whether the name is of another edition than the model that it is known as."""
    return bool(set(OTHER_TIERS.findall(model.lower())) - set(OTHER_TIERS.findall(model_id)))


def of_profile(quote: Quote, profile: str) -> bool:
    """Whether a price is of that kind of host."""
    return (quote.provider in SMALL_HOSTS) == (profile == "hosted_small")


def chosen(priced: Iterable[Priced], profile: str) -> Quote | None:
    """The price that a row is fitted with: the vendor's own, else the lowest of the hosts of that profile, else the lowest."""

    def order(one: Priced) -> tuple[object, ...]:
        fits = of_profile(one.quote, profile)
        preferred = fits if profile == "hosted_small" else one.own
        sold_as = (one.quote.price.output, one.quote.price.input)
        # The vendor's name for the model itself before dated editions of it, which may have been dearer.
        return (not preferred, not fits, one.rung != "exact" and one.own, sold_as, one.quote.provider, one.quote.model)

    best = min(priced, key=order, default=None)
    return None if best is None else best.quote
