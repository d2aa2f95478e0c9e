"""With whom the uncertainty of each use of factors is shared, as it was stored with the factors."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, text

from rice_stream.meter.shared_ranges import KindSums, Shared, shared_of

ENDS = ("prompts", "carbon_low_ugco2e", "carbon_mid_ugco2e", "carbon_high_ugco2e")
"""The measures that a range is made of, in the order of `KindSums`."""

_SPREAD = {"sqlite": "json_extract(detail, '$.spread')", "postgresql": "CAST(detail AS json) ->> 'spread'"}
_CHOSEN = {
    "sqlite": "factor_key IN (SELECT value FROM json_each(:keys))",
    "postgresql": "factor_key IN (SELECT CAST(value AS int) FROM json_array_elements_text(CAST(:keys AS json)))",
}


class FactorSpread(NamedTuple):
    """Of one use of factors; `shared` is None where it was stored without a spread."""

    shared: Shared | None
    method_version: str


_GONE = FactorSpread(None, "")
"""Totals whose factors are not known any more (key 0: their records went before there were totals by factors)."""


def factor_spreads(connection: Connection, factor_keys: Collection[int]) -> dict[int, FactorSpread]:
    """The spread of each of these uses of factors; keys that stand for none are not in the answer."""
    if not factor_keys:
        return {}
    dialect = connection.dialect.name
    statement = f"SELECT factor_key, method_version, {_SPREAD[dialect]} FROM factor_use WHERE {_CHOSEN[dialect]}"
    rows = connection.execute(text(statement), {"keys": json.dumps(sorted(factor_keys))})
    return {key: FactorSpread(None if text is None else _shared_of(text), version) for key, version, text in rows}


@lru_cache(maxsize=4096)
def _shared_of(spread: str) -> Shared:
    """Kept: budgets are judged by the same uses of factors every few seconds."""
    return shared_of(json.loads(spread))


def kinds_of(sums: Mapping[int, Sequence[int]], spreads: Mapping[int, FactorSpread]) -> list[KindSums]:
    """Sums of ENDS by use of factors, as the parts of a total."""
    return [KindSums(*spreads.get(key, _GONE), *ends) for key, ends in sums.items()]
