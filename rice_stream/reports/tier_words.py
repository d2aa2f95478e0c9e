"""Five words for how well a number is known, always the same ones, and which of them a use of factors deserves. Pure."""

from rice_stream.events.unnamed import UNKNOWN, UNKNOWN_TENANT
from rice_stream.reference.types import ASSUMED_PLACE_RUNGS, KNOWN_MODEL_RUNGS, is_place_assumed
from rice_stream.store.factor_spreads import METERED, STATED, RestsOn

MEASURED, REPORTED, ESTIMATED, DEFAULTED, MISSING = TIERS = (
    "measured",
    "reported",
    "estimated",
    "defaulted",
    "missing",
)
"""Best first: energy from the server's own meter; by factors that the event stated; by the method, for a model and a place that
are known; by a fallback, for a name that no table knows; by a fallback, for nothing said whose it was, which model, or where."""
KNOWN_TIERS = TIERS[:3]
"""Model, place and tenant are known: what coverage is the share of."""


def tier_of(rests_on: RestsOn, *, has_tenant: bool = True) -> str:
    """The weakest of what the estimate rests on: energy from a meter at a place that was assumed is not measured."""
    unknown_model = rests_on.model_rung not in KNOWN_MODEL_RUNGS
    unknown_place = is_place_assumed(rests_on.region_rung)
    no_model = unknown_model and rests_on.model in ("", UNKNOWN)
    no_place = unknown_place and rests_on.region in ("", UNKNOWN)
    if not has_tenant or no_model or no_place:
        return MISSING
    if unknown_model or unknown_place:
        return DEFAULTED
    if rests_on.metered:
        return MEASURED
    return REPORTED if rests_on.stated else ESTIMATED


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_UNKNOWN_MODEL = f"f.model_rung NOT IN ({_listed(sorted(KNOWN_MODEL_RUNGS))})"
_UNKNOWN_PLACE = f"REPLACE(f.region_rung, '_converted', '') IN ({_listed(sorted(ASSUMED_PLACE_RUNGS))})"
_NOBODY = _listed(["", UNKNOWN])
TIER_OF_ROW = (
    f"CASE WHEN t.tenant_id = '{UNKNOWN_TENANT}' OR ({_UNKNOWN_MODEL} AND f.model IN ({_NOBODY}))"
    f" OR ({_UNKNOWN_PLACE} AND f.region IN ({_NOBODY})) THEN '{MISSING}'"
    f" WHEN {_UNKNOWN_MODEL} OR {_UNKNOWN_PLACE} THEN '{DEFAULTED}'"
    f" WHEN {METERED} THEN '{MEASURED}' WHEN {STATED} THEN '{REPORTED}' ELSE '{ESTIMATED}' END"
)
"""The same in SQL, of a row `f` of `factor_use` and a row `t` of `tenant`."""
