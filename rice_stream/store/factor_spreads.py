"""What reports have to know of uses of factors: with whom their uncertainty is shared, what they rest on, what served them."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from rice_stream.meter.shared_ranges import KindSums, shared_of
from rice_stream.meter.variance_of_sums import Shared

ENDS = ("prompts", "carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e")
"""The measures that a range is made of, in the order of `KindSums`."""

STATED = "pue_rung = 'event' OR region_rung = 'event' OR detail LIKE '%\"event_factors\":%'"
METERED = "detail LIKE '%\"measured\":{%'"
"""Conditions on a row of `factor_use`: the event brought factors of its own (metered energy among them); its energy was metered."""
_SPREAD = {"sqlite": "json_extract(detail, '$.spread')", "postgresql": "CAST(detail AS json) ->> 'spread'"}
_KIND = (
    f"method_version, hardware, model, model_rung, region, region_rung, CASE WHEN {METERED} THEN 1 ELSE 0 END,"
    f" CASE WHEN {STATED} THEN 1 ELSE 0 END"
)
CHOSEN = {
    "sqlite": "factor_key IN (SELECT value FROM json_each(:keys))",
    "postgresql": "factor_key IN (SELECT CAST(value AS int) FROM json_array_elements_text(CAST(:keys AS json)))",
}
"""Which rows of `factor_use`: those whose keys are in `:keys`, a JSON list."""


class RestsOn(NamedTuple):
    """What the estimates of some prompts rest on."""

    model: str
    model_rung: str
    region: str
    region_rung: str
    metered: bool
    stated: bool


class FactorSpread(NamedTuple):
    """Of one use of factors; `shared` is None where it was stored without a spread."""

    shared: Shared | None
    method_version: str
    hardware: str = ""
    rests_on: RestsOn | None = None
    """None: that is not known any more."""


_GONE = FactorSpread(None, "")
"""Totals whose factors are not known any more (key 0: their records went before there were totals by factors)."""


_KEPT_MAX = 50_000
_kept: dict[str, FactorSpread] = {}
"""By the digest, in hexadecimal, of the use of factors, which says all that the spread depends on: the same in every database,
for good."""


def factor_spreads(
    connection: Connection, factor_keys: Collection[int], digests: Mapping[int, str] | None = None
) -> dict[int, FactorSpread]:
    """The spread of each of these uses of factors; keys that stand for none are not in the answer.

    `digests`, in hexadecimal, are those of keys whose digest is known already: the database is asked only for spreads that are not
    at hand.
    """
    if digests is None:
        digests = _digests(connection, factor_keys)
    found = {key: _kept[digest] for key, digest in digests.items() if digest in _kept}
    missing = {key: digest for key, digest in digests.items() if key not in found}
    if missing:
        rows = _rows(connection, f"{_SPREAD[connection.dialect.name]}, {_KIND}", missing)
        if len(_kept) > _KEPT_MAX:
            _kept.clear()
        for key, stored, version, hardware, *names, metered, stated in rows:
            shared = None if stored is None else shared_of(json.loads(stored))
            rests_on = RestsOn._make([*names, bool(metered), bool(stated)])
            found[key] = FactorSpread(shared, version, hardware, rests_on)
            _kept[missing[key]] = found[key]
    return found


def _digests(connection: Connection, factor_keys: Collection[int]) -> dict[int, str]:
    return {key: bytes(digest).hex() for key, digest in _rows(connection, "digest", factor_keys)}


def _rows(connection: Connection, columns: str, factor_keys: Collection[int]) -> Sequence[Any]:
    if not factor_keys:
        return []
    statement = f"SELECT factor_key, {columns} FROM factor_use WHERE {CHOSEN[connection.dialect.name]}"
    return connection.execute(text(statement), {"keys": json.dumps(sorted(factor_keys))}).all()


def kinds_of(sums: Mapping[int, Sequence[int]], spreads: Mapping[int, FactorSpread]) -> list[KindSums]:
    """Sums of ENDS by use of factors, as the parts of a total."""
    return [
        KindSums(spread.shared, spread.method_version, *ends)
        for key, ends in sums.items()
        for spread in [spreads.get(key, _GONE)]
    ]
