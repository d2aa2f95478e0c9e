"""What the prompts of a stretch were estimated with: methods, factors and their digests, with how much rests on each."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import text

from rice_stream.reports.sums import PART_MEASURES, Parts
from rice_stream.store.engine import Connection
from rice_stream.store.factor_spreads import CHOSEN
from rice_stream.store.scope import Scope

_COLUMNS = (
    "provider",
    "model",
    "model_resolved",
    "model_rung",
    "region",
    "region_resolved",
    "region_rung",
    "hardware",
    "pue",
    "pue_rung",
    "rci_low_gco2e_per_kwh",
    "rci_mid_gco2e_per_kwh",
    "rci_high_gco2e_per_kwh",
    "rci_scope",
    "method_version",
    "factor_version",
)
_PROMPTS, _CARBON = PART_MEASURES.index("prompts"), PART_MEASURES.index("carbon_mid_ugco2e")


class UsedFactors(NamedTuple):
    """One use of factors: its digest in hexadecimal, what it says (as the columns of `factor_use`), and what rests on it."""

    digest: str
    said: Mapping[str, Any]
    prompts: int
    carbon_mid_ugco2e: int


def month_uses(connection: Connection, scope: Scope, parts: Parts, digests: Mapping[int, str]) -> list[UsedFactors]:
    """The uses of factors behind sums that were read within the scope, by digest; of what is not known any more there is none."""
    behind = {key: sums for key, sums in parts.items() if key in digests and (sums[_PROMPTS] or sums[_CARBON])}
    if not behind:
        return []
    statement = text(
        f"SELECT factor_key, {', '.join(_COLUMNS)} FROM factor_use WHERE {CHOSEN[connection.dialect.name]}"
    )
    rows = connection.execute(statement, {"keys": json.dumps(sorted(behind))})
    uses = [
        UsedFactors(digests[key], dict(zip(_COLUMNS, said, strict=True)), behind[key][_PROMPTS], behind[key][_CARBON])
        for key, *said in rows
    ]
    return sorted(uses, key=lambda use: use.digest)


def versions_of_uses(uses: list[UsedFactors]) -> list[dict[str, Any]]:
    """`[{"method_version", "factor_version", "prompts"}]` of all uses together."""
    prompts: dict[tuple[str, str], int] = {}
    for use in uses:
        key = use.said["method_version"], use.said["factor_version"]
        prompts[key] = prompts.get(key, 0) + use.prompts
    return [
        {"method_version": method, "factor_version": factors, "prompts": prompts[method, factors]}
        for method, factors in sorted(prompts)
    ]


def digest_of_uses(uses: list[UsedFactors]) -> str:
    """SHA-256 over the digests of the uses in their order, in hexadecimal: another factor behind any prompt is another one."""
    return hashlib.sha256("".join(f"{use.digest}\n" for use in uses).encode()).hexdigest()
