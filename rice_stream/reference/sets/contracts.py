"""Contracts for electricity as factor sets have them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rice_stream.instants import rfc3339
from rice_stream.quantities import MICRO
from rice_stream.reference.reading import Row
from rice_stream.reference.sets.history import EffectiveSet

_CONTRACT = "contract"
_UWH_PER_KWH = 1000 * MICRO


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """One row of a set of contracts: so many kilowatt-hours in each hour, month or year of its time."""

    contract: str
    instrument: str
    tenant_id: str
    """"" of every tenant."""
    provider: str
    """"" whoever the provider is."""
    region: str
    """"" wherever it ran, also where that is not known."""
    scope: str
    rci_gco2e_per_kwh: float
    energy_uwh: int
    granularity: str
    from_us: int
    to_us: int
    vintage: int | None
    source: str

    def is_of(self, tenant_id: str, low_us: int, high_us: int) -> bool:
        """Whether it is of the tenant and of some of the stretch."""
        return self.tenant_id in ("", tenant_id) and self.from_us < high_us and low_us < self.to_us

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "contract": self.contract,
            "instrument": self.instrument,
            "granularity": self.granularity,
            "kwh": self.energy_uwh / _UWH_PER_KWH,
            "rci_gco2e_per_kwh": self.rci_gco2e_per_kwh,
            "tenant": self.tenant_id or None,
            "provider": self.provider or None,
            "region": self.region or None,
            "scope": self.scope,
            "vintage": self.vintage,
            "valid_from": rfc3339(self.from_us),
            "valid_to": rfc3339(self.to_us),
            "source": self.source,
        }


def contracts_in_force(sets: Iterable[EffectiveSet], at_us: int) -> list[ContractTerms]:
    """Those of the latest edition of each name that has begun by an instant."""
    latest: dict[str, EffectiveSet] = {}
    for one in sorted(sets, key=lambda each: each.order):
        if one.factor_set.kind == _CONTRACT and one.effective_from_us <= at_us:
            latest[one.factor_set.name] = one
    return [_terms(row, one.factor_set.source) for one in latest.values() for row in one.factor_set.rows]


def _terms(row: Row, source: str) -> ContractTerms:
    return ContractTerms(
        contract=row.text("contract"),
        instrument=row.text("instrument"),
        tenant_id=row.text("tenant"),
        provider=row.text("provider"),
        region=row.text("region"),
        scope=row.text("scope"),
        rci_gco2e_per_kwh=row.number("value"),
        energy_uwh=round(row.number("kwh") * _UWH_PER_KWH),
        granularity=row.text("granularity"),
        from_us=row.valid_from_us,
        to_us=row.valid_to_us,
        vintage=row.optional_whole("vintage"),
        source=source,
    )
