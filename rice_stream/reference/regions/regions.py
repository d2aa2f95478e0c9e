"""From a place to its carbon intensity, down a ladder that always ends in an estimate."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rice_stream.errors import UsageError
from rice_stream.quantities import Range
from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.hosted.hosts import HostTable
from rice_stream.reference.hosted.mixes import Z80, Mix, log_sd_of, mixed
from rice_stream.reference.providers import ON_PREMISES, ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.regions.intensities import Intensity, intensities
from rice_stream.reference.regions.names import CLOUD_WORDS, RegionNames
from rice_stream.reference.sets.hours import HourlyRange
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import SCOPES, RegionFactor

WORLD = "world"
ASSUMED_PLACE_SHARE = 0.9
"""How much of a provider's load is taken to be where one row assumes it; the rest is anywhere."""
_PLACES_SHOWN = 5
_WITH_CLOUDS = "country_with_clouds"
RCI_DECIMALS = 6
"""Products are rounded here, so that a record shows 35.26 and not 35.260000000000005."""
_OTHER_SCOPE = {"direct": "lifecycle"}
"""Converted where the asked scope has no row on the ladder. The other way is not needed: `world` has a lifecycle row."""


@dataclass(frozen=True, slots=True)
class Region:
    """One row of regions.csv; `ladder` holds the ids to try after the place itself."""

    region_id: str
    kind: str
    provider: str
    name: str
    country: str
    ladder: tuple[str, ...]
    split_grid: bool


class RegionTable:
    """regions.csv, rci.csv, wue.csv and the regional rows of spreads.csv, ready for look-up."""

    def __init__(
        self, tables: Mapping[str, Sequence[Row]], sources: SourceTable, providers: ProviderTable, hosts: HostTable
    ) -> None:
        self._providers = providers
        self._hosts = hosts
        self._capacity = tuple((row.text("region_id"), row.number("twh_per_year")) for row in tables["capacity"])
        self._capacity_source = _sources_of(tables["capacity"], sources)
        self.names = RegionNames(tables["regions"])
        self.places = {row.text("region_id"): _place(row) for row in tables["regions"]}
        self._clouded = {place.country for place in self.places.values() if place.kind == "cloud_region"}
        self._rci = intensities(tables["rci"], sources, "location")
        self._market = intensities(tables["rci"], sources, "market")
        self._wue = Dated(
            (row.text("subject"), row.valid_from_us, row.valid_to_us, (row.number("wue_l_per_kwh"), row.text("basis")))
            for row in tables["wue"]
        )
        self._spreads = {
            (row.text("scope"), row.text("rung")): Range(
                *(row.number(f"factor_{end}") for end in ("low", "mid", "high"))
            )
            for row in tables["spreads"]
            if row.text("quantity") == "rci"
        }
        self.boundaries_us = self._rci.boundaries_us | self._market.boundaries_us | self._wue.boundaries_us

    def identify(self, name: str | None, provider: str | None) -> str | None:
        """The place that a spelling names; the provider's cloud decides between equal names."""
        found = self._providers.get(provider)
        cloud = found.fleet if found else CLOUD_WORDS.get((provider or "").lower(), "")
        return self.names.identify(name, cloud)

    def resolve(
        self,
        region: str | None,
        provider: str | None,
        scope: str,
        at_us: int,
        default_region: str | None,
        vendor: str | None = None,
    ) -> RegionFactor:
        """The factor of the region, else of the configured default, else of the provider's or the model's vendor's usual
        places, else of the world's data centres.

        Raises UsageError for a scope that does not exist: that is a setting, never event data.
        """
        if scope not in SCOPES:
            raise UsageError(f"RCI scope {scope!r} does not exist; use one of {', '.join(SCOPES)}")
        place_id = self.identify(region, provider)
        if place_id not in (None, WORLD):
            return self._climb(self.places[place_id], scope, at_us)
        default_id = self.identify(default_region, provider) if place_id is None else None
        if default_id is not None:
            return self._climb(self.places[default_id], scope, at_us, assumed="default_region")
        found = self._providers.get(provider)
        if found is None or found.fleet != ON_PREMISES:
            for name in (provider, vendor):
                mix, source = self._usual_places(name, at_us)
                if mix:
                    return self._mixed(mix, source, scope, at_us, "vendor")
        return self._climb(self.places[WORLD], scope, at_us)

    def _usual_places(self, provider: str | None, at_us: int) -> tuple[Mix, str]:
        """Where a provider runs, with shares: as a row of providers.csv assumes it, else by hosts.csv; empty if unknown."""
        found = self._providers.get(provider)
        if found is None:
            return (), ""
        if found.region:
            return ((found.region, ASSUMED_PLACE_SHARE), (WORLD, 1 - ASSUMED_PLACE_SHARE)), found.source
        host = self._hosts.of(provider, at_us)
        return ((), "") if host is None else (host.regions, host.regions_source)

    def _climb(self, place: Region, scope: str, at_us: int, *, assumed: str = "", inside: bool = False) -> RegionFactor:
        """Up the ladder of a place to the first row of the scope; then again in the other scope, converted.

        `inside`: somewhere inside the place is meant, not the whole of it.
        """
        for converted, wanted in ((False, scope), (True, _OTHER_SCOPE.get(scope))):
            for step in (place.region_id, *place.ladder, WORLD):
                row = self._rci.get(f"{step} {wanted}", at_us) if wanted else None
                if row is None:
                    continue
                if step == WORLD and not inside and not row.overlaid:
                    return replace(self._world(scope, at_us), region_id=place.region_id, name=place.name)
                found = self.places[step]
                return self._factor(
                    place, found, row, scope, at_us, assumed=assumed, converted=converted, inside=inside
                )
        raise KeyError(WORLD)

    def _world(self, scope: str, at_us: int) -> RegionFactor:
        """Any data centre of the world: a mix of countries by the electricity that their data centres use."""
        return self._mixed(self._capacity, self._capacity_source, scope, at_us, WORLD)

    def _mixed(self, mix: Mix, source: str, scope: str, at_us: int, rung: str) -> RegionFactor:
        """One factor for several places with weights, named after the heaviest.

        A country with several grids counts with the width of a region somewhere inside it.
        """
        parts = [
            (
                weight,
                self._world(scope, at_us)
                if place_id == WORLD
                else self._climb(self.places[place_id], scope, at_us, inside=True),
                place_id,
            )
            for place_id, weight in mix
        ]
        parts.sort(key=lambda part: (-part[0], part[2]))
        _, heaviest, place_id = parts[0]
        whole = math.fsum(weight for weight, _, _ in parts)
        shares = ", ".join(f"{name} {weight / whole:.0%}" for weight, _, name in parts[:_PLACES_SHOWN])
        world = rung == WORLD
        rci = mixed([(weight, factor.rci_gco2e_per_kwh) for weight, factor, _ in parts])
        return replace(
            heaviest,
            region_id=WORLD if world else place_id,
            rci_gco2e_per_kwh=rci,
            placement_log_sd=self._beyond_a_country(log_sd_of(rci), scope),
            rung=rung,
            source=f"{heaviest.source}; shares of places: {source}",
            market_rci_gco2e_per_kwh=None if world else heaviest.market_rci_gco2e_per_kwh,
            wue_l_per_kwh=None if world else heaviest.wue_l_per_kwh,
            wue_basis=None if world else heaviest.wue_basis,
            factor_region_id=WORLD if world else heaviest.factor_region_id,
            level=WORLD if world else heaviest.level,
            name=self.places[WORLD if world else place_id].name,
            note=f"a mix of {shares}{' and others' if len(parts) > _PLACES_SHOWN else ''}",
            hours=None,
            provisional=any(factor.provisional for _, factor, _ in parts),
        )

    def _factor(
        self,
        place: Region,
        found: Region,
        row: Intensity,
        scope: str,
        at_us: int,
        *,
        assumed: str,
        converted: bool,
        inside: bool,
    ) -> RegionFactor:
        level = _level(found, converted=converted)
        part = inside or place.region_id != found.region_id
        spread = self._width(found, level, scope, part=part)
        rci = self._range(row, scope, spread)
        somewhere = level == "country" and found.split_grid and part
        wue = self._water(place, at_us)
        market = self._market_value(place, scope, at_us)
        return RegionFactor(
            region_id=place.region_id,
            rci_gco2e_per_kwh=rci,
            rung=assumed or level,
            scope=scope,
            year=row.year,
            source=row.source,
            licence=row.licence,
            market_rci_gco2e_per_kwh=market,
            wue_l_per_kwh=wue[0] if wue else None,
            wue_basis=wue[1] if wue else None,
            factor_region_id=row.region_id,
            level=level,
            name=place.name,
            valid_from=row.valid_from,
            note=row.note,
            placement_log_sd=self._beyond_a_country(log_sd_of(rci), scope) if somewhere else 0.0,
            hours=None if row.hours is None else HourlyRange(row.hours, spread),
            provisional=row.provisional,
            overlaid=row.overlaid,
        )

    def _beyond_a_country(self, log_sd: float, scope: str) -> float:
        """What is left of an uncertainty without that of a whole country's value: where in it, or in which, it is."""
        country = self._spreads[(scope, _WITH_CLOUDS)]
        level = math.log(country.high / country.low) / (2 * Z80)
        return math.sqrt(max(log_sd * log_sd - level * level, 0.0))

    def _width(self, found: Region, level: str, scope: str, *, part: bool) -> Range:
        """A country with several grids says less about a part of it than one with a single grid; sources differ less on one
        where clouds have regions."""
        if found.split_grid and part and not level.endswith("_converted"):
            return self._spreads[(scope, f"{level}_split")]
        return self._spreads[(scope, _WITH_CLOUDS if level == "country" and found.country in self._clouded else level)]

    def _range(self, row: Intensity, scope: str, spread: Range) -> Range:
        value = row.rci_gco2e_per_kwh
        return Range(*(round(value * factor, RCI_DECIMALS) for factor in (spread.low, spread.mid, spread.high)))

    def _water(self, place: Region, at_us: int) -> tuple[float, str] | None:
        return self._wue.get(place.region_id, at_us) or self._wue.get(f"fleet:{place.provider}", at_us)

    def _market_value(self, place: Region, scope: str, at_us: int) -> float | None:
        """Only rows that state a market-based value; none is ever computed from a share of clean energy."""
        for step in (place.region_id, *place.ladder):
            row = self._market.get(f"{step} {scope}", at_us)
            if row is not None:
                return row.rci_gco2e_per_kwh
        return None


def _level(found: Region, *, converted: bool) -> str:
    level = "region" if found.kind == "cloud_region" else found.kind
    return f"{level}_converted" if converted else level


def _sources_of(rows: Sequence[Row], sources: SourceTable) -> str:
    return ", ".join(sorted({sources.describe(row.text("source")) for row in rows}))


def _place(row: Row) -> Region:
    return Region(
        row.text("region_id"),
        row.text("kind"),
        row.text("provider"),
        row.text("name"),
        row.text("country"),
        tuple(row.text("ladder").split()),
        row.flag("split_grid"),
    )
