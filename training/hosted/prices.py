"""Which list price a row is fitted with."""

from dataclasses import dataclass

from rice_stream.quantities import ListPrice
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import ModelFactor, PriceFactor

HYPERSCALERS = ("azure", "aws", "gcp")
UNDATED = "undated"
"""The day of a price that the list has no date for."""
SMALL_HOSTS = ("neuralwatt", "groq", "together", "fireworks", "deepinfra", "nebius", "novita", "cerebras", "sambanova")


@dataclass(frozen=True, slots=True)
class Priced:
    """A list price, and whether it is one of that kind of host."""

    price: ListPrice
    of_profile: bool
    evidence: str
    """Its id in the price table."""
    date: str


def priced(reference: Reference, factor: ModelFactor, profile: str, at_us: int) -> Priced | None:
    """The vendor's own price or the lowest of a hyperscaler; at a small host the lowest of one; else what anybody else's
    request would be reckoned with. None where nobody lists the model.
    """
    hosts = SMALL_HOSTS if profile == "hosted_small" else HYPERSCALERS
    for names in ((factor.owner,), hosts) if profile == "hosted_scale" else (hosts,):
        listed = [one for name in names if (one := _own(reference, name, factor.model_id, at_us)) is not None]
        if listed:
            best = min(listed, key=lambda one: (one.usd_per_mtok.input + one.usd_per_mtok.output, one.evidence_id))
            return _priced(best, of_profile=True)
    other = reference.resolve_price(None, factor.model_id, None, at_us)
    return None if other is None else _priced(other, of_profile=False)


def _own(reference: Reference, provider: str, model_id: str, at_us: int) -> PriceFactor | None:
    """A provider's own price of a model; not another's that would stand in for it."""
    found = reference.resolve_price(provider, model_id, None, at_us)
    return found if found is not None and found.rung == "provider" else None


def _priced(found: PriceFactor, *, of_profile: bool) -> Priced:
    usd = found.usd_per_mtok
    day = (found.valid_from or UNDATED)[:10]
    return Priced(ListPrice(usd.input, usd.cache_read, usd.output), of_profile, found.evidence_id, day)
