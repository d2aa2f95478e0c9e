"""hosts.csv: how a provider serves models, on what hardware, at which PUE and in which places."""

from collections.abc import Sequence

from rice_stream.quantities import Range
from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.hosted.mixes import read_mix
from rice_stream.reference.providers import ON_PREMISES, ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import HostFactor

ANY_HOST = "*"
"""The row for a host of whom nothing is known."""


class HostTable:
    """hosts.csv, ready for look-up."""

    def __init__(self, rows: Sequence[Row], sources: SourceTable, providers: ProviderTable) -> None:
        self._providers = providers
        self._rows = Dated(
            (
                providers.canonical(row.text("provider")) or row.text("provider"),
                row.valid_from_us,
                row.valid_to_us,
                _factor(row, sources),
            )
            for row in rows
        )
        self.boundaries_us = self._rows.boundaries_us

    def resolve(self, provider: str | None, vendor: str | None, at_us: int) -> HostFactor | None:
        """The provider's row, else that of the model's vendor, else that of any host; None for one's own machines."""
        found = self._providers.get(provider)
        if found is not None and found.fleet == ON_PREMISES:
            return None
        for rung, name in (("provider", provider), ("vendor", vendor)):
            factor = self.of(name, at_us)
            if factor is not None:
                return factor if rung == "provider" else factor.at_rung(rung)
        factor = self._rows.get(ANY_HOST, at_us)
        return None if factor is None else factor.at_rung("default")

    def of(self, provider: str | None, at_us: int) -> HostFactor | None:
        """The row of a provider under any of its spellings, None for an unknown one."""
        name = self._providers.canonical(provider)
        return self._rows.get(name, at_us) if name else None


def _factor(row: Row, sources: SourceTable) -> HostFactor:
    low, mid, high = (row.optional_number(name) for name in ("pue_low", "pue", "pue_high"))
    pue = None if low is None or mid is None or high is None else Range(low, mid, high)
    described = {name: sources.describe(row.text(name)) for name in ("hardware_source", "pue_source", "regions_source")}
    return HostFactor(
        provider=row.text("provider"),
        profile=row.text("profile"),
        hardware=read_mix(row.text("hardware")),
        hardware_source=described["hardware_source"],
        pue=pue,
        pue_source=described["pue_source"],
        regions=read_mix(row.text("regions")),
        regions_source=described["regions_source"],
        rung="provider",
        source=sources.describe(row.text("source")),
        valid_from=row.valid_from,
        note=row.text("note"),
    )
