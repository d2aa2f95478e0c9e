"""From a region and provider to the PUE, down a ladder that always ends in an estimate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rice_stream.quantities import Range
from rice_stream.reference.effective_dates import Dated, Entry
from rice_stream.reference.hosted.hosts import HostTable
from rice_stream.reference.hosted.mixes import log_sd_of
from rice_stream.reference.providers import ON_PREMISES, Provider, ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.regions.regions import Region
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import HostFactor, PueFactor

PUBLIC_CLOUD = "industry:public_cloud"
DATA_CENTERS = "industry:data_centers"
HOSTED_MODELS = "industry:hosted_models"


def provider_subject(provider: str, region_id: str = "") -> str:
    """What a row of a provider is filed under: of all its places, or of one."""
    return f"provider:{provider}@{region_id}" if region_id else f"provider:{provider}"


class PueTable:
    """pue.csv and the PUE rows of hosts.csv and spreads.csv, ready for look-up."""

    def __init__(
        self,
        tables: Mapping[str, Sequence[Row]],
        sources: SourceTable,
        providers: ProviderTable,
        places: Mapping[str, Region],
        hosts: HostTable,
    ) -> None:
        self._providers = providers
        self._places = places
        self._hosts = hosts
        log_sds = {
            row.text("rung"): log_sd_of(Range(row.number("factor_low"), 1.0, row.number("factor_high")))
            for row in tables["spreads"]
            if row.text("quantity") == "pue"
        }
        self._rows = Dated(
            (_entry(row, sources, log_sds) for row in tables["pue"] if not row.lapses),
            lapsing=(_entry(row, sources, log_sds) for row in tables["pue"] if row.lapses),
        )
        self._assumed_log_sd = log_sds["assumption"]
        self.boundaries_us = self._rows.boundaries_us

    def resolve(
        self,
        region_id: str | None,
        provider: str | None,
        at_us: int,
        default: float | None,
        *,
        vendor: str | None = None,
        hosted: bool = False,
    ) -> PueFactor:
        """Region -> the cloud's fleet -> the provider's fleet, known or assumed -> `default` -> hosted, or one's own.

        A row of the provider itself, which only tables of the user's own have, comes before its region where it names that,
        and before any fleet or host where it does not.
        Hosted: the provider's host -> the model's vendor's -> any host. The mean of all surveyed sites is for machines of
        one's own: a provider that is software for those, or no provider and `hosted` false.
        """
        found = self._providers.get(provider)
        place = self._places.get(region_id or "")
        cloud = place.provider if place else ""
        own = found.provider if found else None
        at_place = provider_subject(own, region_id) if own and region_id else None
        anywhere = provider_subject(own) if own else None
        for subject in (at_place, region_id, anywhere, f"fleet:{cloud}" if cloud else None):
            factor = self._rows.get(subject, at_us) if subject else None
            if factor is not None:
                return factor
        if not cloud:
            factor = self._of_host(found, at_us)
            if factor is not None:
                return factor
        if default is not None:
            return PueFactor(default, "default", "the default that was configured")
        if cloud:
            return self._last(PUBLIC_CLOUD, at_us)
        is_own = found.fleet == ON_PREMISES if found is not None else not hosted
        if is_own:
            return self._last(DATA_CENTERS, at_us)
        factor = self._of_host(self._providers.get(vendor), at_us)
        if factor is not None:
            # Nobody said that the vendor served it.
            log_sd = max(factor.log_sd, self._assumed_log_sd)
            source = f"host of the model's vendor: {factor.source.removeprefix('ASSUMED host of ')}"
            return replace(factor, rung="vendor", log_sd=log_sd, source=source)
        return self._last(HOSTED_MODELS, at_us)

    def _of_host(self, provider: Provider | None, at_us: int) -> PueFactor | None:
        """The fleet that a provider is known or assumed to run on, else what hosts.csv says; None for neither."""
        if provider is None or provider.fleet == ON_PREMISES:
            return None
        stated = self._rows.get(provider_subject(provider.provider), at_us)
        if stated is not None:
            return stated
        host = self._hosts.of(provider.provider, at_us)
        factor = self._rows.get(f"fleet:{provider.fleet}", at_us) if provider.fleet else None
        if factor is not None:
            return self._with_basis(factor, provider, host)
        if host is None or host.pue is None:
            return None
        source = f"ASSUMED host of {provider.provider}: {host.pue_source}"
        log_sd = max(log_sd_of(host.pue), self._assumed_log_sd)
        return PueFactor(
            host.pue.mid, "assumption", source, None, host.valid_from, host.note, log_sd, provider.provider
        )

    def _with_basis(self, factor: PueFactor, provider: Provider, host: HostFactor | None) -> PueFactor:
        """A fleet mean applied to a provider that is only assumed to run on that fleet says so."""
        if provider.fleet_basis != "assumption":
            return factor
        source = f"ASSUMED host of {provider.provider}: {factor.source}"
        log_sd = self._assumed_log_sd if host is None or host.pue is None else log_sd_of(host.pue)
        return replace(
            factor,
            rung="assumption",
            source=source,
            note=provider.note or factor.note,
            log_sd=max(log_sd, factor.log_sd),
            host=provider.provider,
        )

    def _last(self, subject: str, at_us: int) -> PueFactor:
        factor = self._rows.get(subject, at_us)
        if factor is None:
            raise KeyError(subject)
        return factor


def _entry(row: Row, sources: SourceTable, log_sds: Mapping[str, float]) -> Entry[PueFactor]:
    subject = row.text("subject")
    factor = PueFactor(
        row.number("pue"),
        row.text("basis"),
        sources.describe(row.text("source")),
        row.optional_whole("year"),
        row.valid_from,
        row.text("note"),
        log_sds.get(subject, log_sds.get(row.text("basis"), 0.0)),
        subject,
    )
    return subject, row.valid_from_us, row.valid_to_us, factor
