"""The reference set: every look-up in one object. Pure: no clock, file or network; the time is an argument."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from rice_stream.reference import search
from rice_stream.reference.hardware import HardwareTable
from rice_stream.reference.hosted.evidence import Disclosure, Evidence, EvidenceTable, of_host, of_parameters, of_price
from rice_stream.reference.hosted.hosts import HostTable
from rice_stream.reference.hosted.prices import PriceTable
from rice_stream.reference.models.models import ModelTable
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.pue import PueTable
from rice_stream.reference.reading import Row
from rice_stream.reference.regions.market import MarketTable
from rice_stream.reference.regions.regions import RegionTable
from rice_stream.reference.sources import DataSource, SourceTable
from rice_stream.reference.types import (
    HardwareFactor,
    HostFactor,
    MarketFactor,
    ModelFactor,
    PriceFactor,
    PueFactor,
    RegionFactor,
)

CACHE_ENTRIES = 16_384
"""Bound of each look-up's cache: names in events are free text, and a hostile sender must not grow the worker."""


class Reference:
    """All reference tables of one version.

    Unknown names are never an error and never zero: each look-up ends in an estimate whose `rung` says what it rests
    on and whose range is wider (docs/reference-data.md, "Ladders"). Between two neighbours of `boundaries_us` every
    look-up is constant in time; times are UTC epoch microseconds.
    """

    def __init__(self, tables: Mapping[str, Sequence[Row]], version: str, set_digests: tuple[str, ...] = ()) -> None:
        """`tables` as `merging.merge_layers` gives them, checked by `checks.check_tables`."""
        self.version = version
        self.tables = tables
        self.set_digests = set_digests
        """Of the factor sets that are laid over the built-in tables, in that order."""
        self.hourly = any(row.hours for name in ("rci", "market") for row in tables[name])
        """Whether some carbon intensity changes by the hour."""
        self._sources = SourceTable(tables["sources"])
        self.providers = ProviderTable(tables["providers"], self._sources)
        self.models = ModelTable(tables, self._sources, self.providers)
        self.evidence_table = EvidenceTable(tables["evidence"], self._sources)
        self.hosts = HostTable(tables["hosts"], self._sources, self.providers)
        self.prices = PriceTable(tables["prices"], self._sources, self.providers, self.models)
        self.regions = RegionTable(tables, self._sources, self.providers, self.hosts)
        self.market = MarketTable(tables, self._sources, self.providers, self.regions.places)
        self.pues = PueTable(tables, self._sources, self.providers, self.regions.places, self.hosts)
        self.hardware = HardwareTable(tables["hardware"], self._sources)
        self.boundaries_us: tuple[int, ...] = tuple(
            sorted(
                self.models.boundaries_us
                | self.regions.boundaries_us
                | self.market.boundaries_us
                | self.pues.boundaries_us
                | self.hosts.boundaries_us
                | self.prices.boundaries_us
            )
        )
        self._model = lru_cache(CACHE_ENTRIES)(self._resolve_model)
        self._region = lru_cache(CACHE_ENTRIES)(self._resolve_region)
        self._market = lru_cache(CACHE_ENTRIES)(self._resolve_market)
        self._pue = lru_cache(CACHE_ENTRIES)(self._resolve_pue)
        self._price = lru_cache(CACHE_ENTRIES)(self._resolve_price)
        self._host = lru_cache(CACHE_ENTRIES)(self._resolve_host)
        self._hardware = lru_cache(CACHE_ENTRIES)(self.hardware.resolve)

    def period(self, at_us: int) -> int:
        """Which stretch of constant factors a time falls in: 0 before the first boundary."""
        return bisect_right(self.boundaries_us, at_us)

    def resolve_model(
        self, provider: str | None, request_model: str | None, response_model: str | None, at_us: int
    ) -> ModelFactor:
        """Parameters of the model that answered: the response's name before the request's, whichever is known."""
        return self._model(provider, request_model, response_model, self.period(at_us))

    def resolve_region(
        self,
        region: str | None,
        provider: str | None,
        scope: str,
        at_us: int,
        default_region: str | None = None,
        *,
        vendor: str | None = None,
    ) -> RegionFactor:
        """Carbon intensity of the region, else of `default_region`, else of the places where the provider or the model's
        `vendor` (`ModelFactor.vendor`) usually runs, else of the world's data centres.

        Raises UsageError where `scope` is neither `lifecycle` nor `direct`.
        """
        return self._region(region, provider, scope, self.period(at_us), default_region, vendor)

    def resolve_market(self, provider: str | None, region: RegionFactor, at_us: int) -> MarketFactor | None:
        """Market-based carbon intensity of what a provider uses at a resolved place; None where nothing is known of it."""
        return self._market(provider, region, self.period(at_us))

    def resolve_pue(
        self,
        region_id: str | None,
        provider: str | None,
        at_us: int,
        default: float | None = None,
        *,
        vendor: str | None = None,
        hosted: bool = False,
    ) -> PueFactor:
        """PUE of a resolved region (`RegionFactor.region_id`), else of a fleet, else `default`, else of who hosts.

        `hosted`: nothing was said of machines of one's own; then the host of the model's `vendor` or any host stands in
        for a provider that is not named, never the mean of all surveyed sites.
        """
        return self._pue(region_id, provider, self.period(at_us), default, vendor=vendor, hosted=hosted)

    def resolve_price(
        self, provider: str | None, request_model: str | None, response_model: str | None, at_us: int
    ) -> PriceFactor | None:
        """List price of the model that answered, with the lowest that anybody lists; None where nobody lists it."""
        return self._price(provider, request_model, response_model, self.period(at_us))

    def resolve_host(self, provider: str | None, vendor: str | None, at_us: int) -> HostFactor | None:
        """How the provider, else the model's `vendor`, else any host serves models; None for machines of one's own."""
        return self._host(provider, vendor, self.period(at_us))

    def disclosures(self, model_id: str, provider: str | None) -> tuple[Disclosure, ...]:
        """Disclosed facility energies that move the estimates of a resolved model (`ModelFactor.model_id`)."""
        return self.evidence_table.disclosures(model_id, self.providers.canonical(provider))

    def evidence(self, evidence_id: str) -> list[Evidence]:
        """What an evidence id stands for: one row, a list price's three, a model's own parameters, a host's facts.

        A model's `arch:MODEL_ID` is its row of evidence.csv where it has one, else its row of models.csv. Empty for another.
        """
        piece = self.evidence_table.get(evidence_id)
        if piece is not None:
            return [piece]
        price = self.prices.of_evidence(evidence_id)
        if price is not None:
            return of_price(price)
        kind, _, name = evidence_id.partition(":")
        if kind == "arch":
            model = self.models.get(name, self._last_us())
            return [] if model is None else of_parameters(model)
        host = self.hosts.of(name, self._last_us()) if kind == "host" else None
        return [] if host is None else of_host(host)

    def resolve_hardware(self, name: str | None) -> HardwareFactor:
        """Published figures of an accelerator; `known=False` with those of the default for any other name."""
        return self._hardware(name)

    def identify_region(self, region: str | None, provider: str | None = None) -> str | None:
        """The id of the place that a spelling names, None where it names none (for checking settings)."""
        return self.regions.identify(region, provider)

    def search_models(self, query: str = "", at_us: int | None = None) -> list[dict[str, Any]]:
        """Models whose id, owner, family note or alias contains the query's words, as JSON-ready objects.

        A query that no row contains still answers: with what the look-up would take for it, and its rung.
        """
        return search.models(self.models, query, self._last_us() if at_us is None else at_us)

    def is_model(self, name: str, at_us: int) -> bool:
        """Whether a name is, as written, that of one model of the tables."""
        return self.models.resolve_name(None, name, at_us).rung == "exact"

    def search_regions(self, query: str = "", at_us: int | None = None) -> list[dict[str, Any]]:
        """Places whose id, name, country or spelling contains the query's words, as JSON-ready objects."""
        return search.regions(self.regions, self.pues, query, self._last_us() if at_us is None else at_us)

    def sources(self) -> list[DataSource]:
        """Everything that the figures rest on, for the licence notice."""
        return self._sources.all()

    def _last_us(self) -> int:
        """A time in the newest period."""
        return self.boundaries_us[-1] if self.boundaries_us else 0

    def _at(self, period: int) -> int:
        """A time inside a period, so that the cache holds one entry per period and not per event."""
        if not self.boundaries_us:
            return 0
        return self.boundaries_us[period - 1] if period else self.boundaries_us[0] - 1

    def _resolve_model(
        self, provider: str | None, request_model: str | None, response_model: str | None, period: int
    ) -> ModelFactor:
        return self.models.resolve(provider, request_model, response_model, self._at(period))

    def _resolve_region(
        self,
        region: str | None,
        provider: str | None,
        scope: str,
        period: int,
        default_region: str | None,
        vendor: str | None,
    ) -> RegionFactor:
        return self.regions.resolve(region, provider, scope, self._at(period), default_region, vendor)

    def _resolve_market(self, provider: str | None, region: RegionFactor, period: int) -> MarketFactor | None:
        return self.market.resolve(provider, region, self._at(period))

    def _resolve_pue(
        self,
        region_id: str | None,
        provider: str | None,
        period: int,
        default: float | None,
        *,
        vendor: str | None,
        hosted: bool,
    ) -> PueFactor:
        return self.pues.resolve(region_id, provider, self._at(period), default, vendor=vendor, hosted=hosted)

    def _resolve_price(
        self, provider: str | None, request_model: str | None, response_model: str | None, period: int
    ) -> PriceFactor | None:
        return self.prices.resolve(provider, request_model, response_model, self._at(period))

    def _resolve_host(self, provider: str | None, vendor: str | None, period: int) -> HostFactor | None:
        return self.hosts.resolve(provider, vendor, self._at(period))
