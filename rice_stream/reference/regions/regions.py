"""From a place to its carbon intensity, down a ladder that always ends in an estimate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rice_stream.errors import UsageError
from rice_stream.quantities import Range
from rice_stream.reference.effective_dates import Dated
from rice_stream.reference.providers import ProviderTable
from rice_stream.reference.reading import Row
from rice_stream.reference.regions.names import CLOUD_WORDS, RegionNames
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import SCOPES, RegionFactor

WORLD = "world"
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


@dataclass(frozen=True, slots=True)
class Intensity:
    """One row of rci.csv."""

    region_id: str
    rci_gco2e_per_kwh: float
    year: int | None
    source: str
    licence: str
    valid_from: str | None
    note: str


@dataclass(frozen=True, slots=True)
class _Spread:
    low: float
    mid: float
    high: float


class RegionTable:
    """regions.csv, rci.csv, wue.csv and the regional rows of spreads.csv, ready for look-up."""

    def __init__(self, tables: Mapping[str, Sequence[Row]], sources: SourceTable, providers: ProviderTable) -> None:
        self._providers = providers
        self.names = RegionNames(tables["regions"])
        self.places = {row.text("region_id"): _place(row) for row in tables["regions"]}
        self._rci = _intensities(tables["rci"], sources, "location")
        self._market = _intensities(tables["rci"], sources, "market")
        self._wue = Dated(
            (row.text("subject"), row.valid_from_us, row.valid_to_us, (row.number("wue_l_per_kwh"), row.text("basis")))
            for row in tables["wue"]
        )
        self._spreads = {
            (row.text("scope"), row.text("rung")): _Spread(
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
        self, region: str | None, provider: str | None, scope: str, at_us: int, default_region: str | None
    ) -> RegionFactor:
        """The factor of the region, else of the configured default, else of the vendor's assumed place, else the world.

        Raises UsageError for a scope that does not exist: that is a setting, never event data.
        """
        if scope not in SCOPES:
            raise UsageError(f"RCI scope {scope!r} does not exist; use one of {', '.join(SCOPES)}")
        place_id = self.identify(region, provider)
        if place_id is not None:
            return self._climb(self.places[place_id], scope, at_us)
        default_id = self.identify(default_region, provider)
        if default_id is not None:
            return self._climb(self.places[default_id], scope, at_us, assumed="default_region")
        found = self._providers.get(provider)
        if found is not None and found.region:
            return self._climb(self.places[found.region], scope, at_us, assumed="vendor")
        return self._climb(self.places[WORLD], scope, at_us)

    def _climb(self, place: Region, scope: str, at_us: int, assumed: str = "") -> RegionFactor:
        """Up the ladder of a place to the first row of the scope; then again in the other scope, converted."""
        for converted, wanted in ((False, scope), (True, _OTHER_SCOPE.get(scope))):
            for step in (place.region_id, *place.ladder, WORLD):
                row = self._rci.get(f"{step} {wanted}", at_us) if wanted else None
                if row is not None:
                    return self._factor(
                        place, self.places[step], row, scope, at_us, assumed=assumed, converted=converted
                    )
        raise KeyError(WORLD)

    def _factor(
        self, place: Region, found: Region, row: Intensity, scope: str, at_us: int, *, assumed: str, converted: bool
    ) -> RegionFactor:
        level = _level(found, converted=converted)
        rci = self._range(row, scope, self._width(place, found, level, scope))
        if assumed == "vendor":
            rci = self._joined_with_world(rci, scope, at_us)
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
        )

    def _width(self, place: Region, found: Region, level: str, scope: str) -> _Spread:
        """A country with several grids says less about a region inside it than one with a single grid."""
        inside_split = level == "country" and found.split_grid and place.region_id != found.region_id
        return self._spreads[(scope, "country_split" if inside_split else level)]

    def _range(self, row: Intensity, scope: str, spread: _Spread) -> Range:
        value = row.rci_gco2e_per_kwh
        return Range(*(round(value * factor, RCI_DECIMALS) for factor in (spread.low, spread.mid, spread.high)))

    def _joined_with_world(self, rci: Range, scope: str, at_us: int) -> Range:
        """An assumed place may be wrong: the range must hold what any place would give."""
        world = self._climb(self.places[WORLD], scope, at_us).rci_gco2e_per_kwh
        return Range(min(rci.low, world.low), rci.mid, max(rci.high, world.high))

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


def _intensities(rows: Sequence[Row], sources: SourceTable, accounting: str) -> Dated[Intensity]:
    """Average (not marginal) values of one accounting, by `region scope`. Market-based ones expire with their contract."""
    return Dated(
        (
            (
                f"{row.text('region_id')} {row.text('scope')}",
                row.valid_from_us,
                row.valid_to_us,
                Intensity(
                    row.text("region_id"),
                    row.number("rci_gco2e_per_kwh"),
                    row.optional_whole("year"),
                    sources.describe(row.text("source")),
                    sources.licence(row.text("source")),
                    row.valid_from,
                    row.text("note"),
                ),
            )
            for row in rows
            if row.text("signal") == "average" and row.text("accounting") == accounting
        ),
        expires=accounting == "market",
    )
