"""Answers about what was used: totals, prompts, tenants, mappings."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from rice_stream.api.document.shapes import Amounts, Answer, Meta


class WindowBounds(Answer):
    """A stretch of time; null where it is open."""

    from_: str | None
    to: str | None
    model_config = ConfigDict(
        alias_generator=lambda name: name.rstrip("_"), extra="forbid", strict=True, defer_build=True
    )


class ZonedWindow(WindowBounds):
    """The stretch of a report; `time_zone` is that of its days, null where they are those of the several `time_zones`."""

    time_zone: str | None
    time_zones: dict[str, WindowBounds] | None = None


class NamedWindow(ZonedWindow):
    """The stretch of a report, and the name of the window that was asked for."""

    name: str | None


class EmbodiedEnds(Answer):
    """Embodied carbon with the ends of its range, each added up; null where no method gives it."""

    low: float | None
    mid: float | None
    high: float | None


_ShareOfTier = Annotated[float | None, Field(description="share of the carbon, from 0 to 1")]


class TierShares(Answer):
    """The share of the carbon by how well it is known; null where there is none."""

    measured: _ShareOfTier
    reported: _ShareOfTier
    estimated: _ShareOfTier
    defaulted: _ShareOfTier
    missing: _ShareOfTier


class TotalAmounts(Amounts):
    """Amounts, with carbon by the market, embodied carbon and water, and how well the carbon is known."""

    carbon_market_gco2e: float
    impact_prompts: int
    embodied_gco2e: EmbodiedEnds
    water_l: float | None
    data_tiers: TierShares
    allocated_gco2e: float | None = None
    shared_gco2e: float | None = None


class TotalsRow(TotalAmounts):
    """One row: the names that it is broken down by, and its amounts."""

    tenant: str | None = None
    tenant_id: str | None = None
    team: str | None = None
    team_id: str | None = None
    project: str | None = None
    project_id: str | None = None
    cost_centre: str | None = None
    unattributed: bool | None = None
    user: str | None = None
    user_id: str | None = None
    provider: str | None = None
    model: str | None = None
    region: str | None = None
    basis: str | None = None
    hour: str | None = None
    day: str | None = None
    month: str | None = None
    other: bool | None = None


class Allocation(Answer):
    """By which rule what is divided among the others."""

    rule: str
    shared: list[str]


class Totals(Answer):
    """Totals by names; `as` and `as_of` are said where it is not simply all that is known by now."""

    model_config = ConfigDict(
        alias_generator=lambda name: name.rstrip("_"), extra="forbid", strict=True, defer_build=True
    )
    window: NamedWindow
    as_: Literal["reported", "restated"] | None = None
    as_of: str | None = None
    by: list[str]
    allocation: Allocation | None = None
    rows: list[TotalsRow]
    rows_total: int
    names_total: int | None = None
    total: TotalAmounts
    meta: Meta


class RollingRow(TotalAmounts):
    """A tenant's use of a rolling window."""

    tenant: str
    tenant_id: str
    window: str


class RollingTotals(Answer):
    """Every tenant and window."""

    windows: dict[str, ZonedWindow]
    rows: list[RollingRow]
    total: dict[str, TotalAmounts]
    meta: Meta


class Prompt(Answer):
    """One record: who, when, on what and how much; never any text of a prompt."""

    tenant_id: str
    team_id: str | None
    project_id: str | None
    user_id: str | None
    api_key_id: str | None
    source: str | None
    event_id: str
    started_at: str | None
    ended_at: str
    provider: str | None
    model: str
    request_model: str | None
    response_model: str | None
    model_resolved: str
    model_rung: str
    region: str
    region_resolved: str
    region_rung: str
    hardware: str
    pue: float
    pue_rung: str
    rci_gco2e_per_kwh: float
    rci_scope: str
    input_tokens: int | None
    cache_read_input_tokens: int | None
    cache_write_input_tokens: int | None
    output_tokens: int | None
    reasoning_output_tokens: int | None
    it_energy_uwh: int
    facility_energy_uwh: int
    carbon_low_ugco2e: int
    carbon_mid_ugco2e: int
    carbon_high_ugco2e: int
    embodied_ugco2e: int | None
    water_ul: int | None
    basis: str
    method_version: str
    factor_version: str
    metered_energy_uj: int | None
    energy_boundary: str | None
    carbon_market_ugco2e: int
    cost_centre: str | None


class Step(Answer):
    """One step of the arithmetic; `unit` is that of its value."""

    name: str
    formula: str
    value: Any
    unit: str
    source: str


class Explanation(Answer):
    """A record, and how its amounts came about."""

    record: Prompt
    steps: list[Step]
    agrees: bool | None
    remarks: list[str]


class Tenant(Answer):
    """A tenant and the zone of its days."""

    tenant_id: str
    time_zone: str


class Mapping(Answer):
    """What a name stands for from an instant on; no target: for itself again."""

    id: str
    kind: str
    name: str
    target: str | None
    valid_from: str
    tenant_id: str | None
    subject: str | None
    restatement_id: str | None = None


class ImportedMappings(Answer):
    """What became of a list: those that were added, or with `dry_run` would be, and how many were there already."""

    added: list[Mapping]
    unchanged: int
