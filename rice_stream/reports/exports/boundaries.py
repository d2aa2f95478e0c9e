"""What a report of a month says of its boundary and of how its data are known, in the words of the standards. Pure."""

from collections.abc import Mapping
from typing import Any

from rice_stream.reports.tier_words import DEFAULTED, ESTIMATED, MEASURED, MISSING, REPORTED

PURCHASED, OWN = "scope_3_category_1", "scope_2"
PARTS: Mapping[str, Mapping[str, str]] = {
    PURCHASED: {
        "title": "Scope 3, category 1: purchased services",
        "what": "Electricity of inference that was bought from a provider. GHG Protocol method: average data, or hybrid where "
        "energy was metered or factors were stated by the provider.",
        "embodied": "part of the supplier's footprint, and stated beside it",
    },
    OWN: {
        "title": "Scope 2: electricity of accelerators of one's own",
        "what": "Electricity of inference on accelerators that the organisation runs itself, by location and by market.",
        "embodied": "Scope 3, category 2 (capital goods), stated beside it",
    },
}
INCLUDED = (
    "electricity of the accelerators during inference, with their share of idling",
    "electricity of the servers around them",
    "cooling and losses of the data centre (PUE)",
    "generation of that electricity, by the factors below",
)
NOT_INCLUDED = (
    "training and fine-tuning of models",
    "networks between the user and the data centre, and devices of users",
    "gateways, storage and everything else that is not inference",
    "embodied carbon and water, which are stated beside the carbon and not added to it",
)
DATA_TYPES: Mapping[str, tuple[str, ...]] = {
    "specific": (MEASURED, REPORTED),
    "secondary_average": (ESTIMATED, DEFAULTED, MISSING),
    "spend_based": (),
}
"""Of the GHG Protocol's Scope 3 progress update of 31 March 2026, by our tiers: specific is what was metered or stated for the very
prompt; nothing here is worked out from what was paid."""
COVERED_SHARE_MIN = 0.95
"""Share of the carbon that has to be covered, or what is excluded quantified (the same)."""


def data_types(shares: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """`[{"data_type", "share_of_carbon"}]` from the shares of the tiers; None where there is no carbon."""
    return [
        {"data_type": name, "share_of_carbon": _share([shares.get(tier) for tier in tiers], shares)}
        for name, tiers in DATA_TYPES.items()
    ]


def _share(parts: list[float | None], shares: Mapping[str, float | None]) -> float | None:
    if all(share is None for share in shares.values()):
        return None
    return sum(share for share in parts if share is not None)
