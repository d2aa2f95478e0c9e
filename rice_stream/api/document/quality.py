"""Answers about what the numbers rest on, what was refused, and who changed what."""

from typing import Annotated, Any

from pydantic import Field

from rice_stream.api.document.accounting import WindowBounds
from rice_stream.api.document.exclusions import Exclusions
from rice_stream.api.document.factors import OldFactors
from rice_stream.api.document.market import MarketCoverage
from rice_stream.api.document.shapes import Answer, Listed


class UnknownName(Answer):
    """A name that no table knows."""

    kind: str
    name: str
    provider: str | None
    taken_for: str
    rung: str
    prompts: int
    tokens: int
    carbon_gco2e: float
    share_of_carbon: float | None


Share = Annotated[float | None, Field(description="share of all carbon, from 0 to 1")]


class FallbackShare(Answer):
    """Shares of carbon that rest on fallbacks."""

    model: Share
    region: Share
    tenant: Share
    any: Share


class ClaimedFactors(Answer):
    """Carbon by factors or metered energy that senders stated."""

    prompts: int
    tokens: int
    carbon_gco2e: float
    share_of_carbon: float | None


class SourceOfFactors(ClaimedFactors):
    """The same of one source."""

    source: str | None


class AllClaimedFactors(ClaimedFactors):
    """The same of all sources."""

    rows: list[SourceOfFactors]
    rows_total: int


class ClaimedHits(Answer):
    """Prompts that senders said were answered from a cache."""

    prompts: int
    tokens: int
    share_of_prompts: float | None


class SourceOfHits(ClaimedHits):
    """The same of one source."""

    source: str | None


class AllClaimedHits(ClaimedHits):
    """The same of all sources."""

    rows: list[SourceOfHits]
    rows_total: int


class RepeatedId(Answer):
    """An event id with several records."""

    tenant_id: str
    event_id: str
    records: int
    first: str
    last: str


class Tier(Answer):
    """How well some of the carbon is known, in one of five words: measured, reported, estimated, defaulted, missing."""

    tier: str
    prompts: int
    carbon_gco2e: float
    share_of_carbon: float | None


class DayOfTiers(Answer):
    """All tiers of one day."""

    day: str
    prompts: int
    carbon_gco2e: float
    covered_share: Share
    tiers: list[Tier]


class Unattributed(Answer):
    """Prompts that no team was charged for."""

    prompts: int
    tokens: int
    carbon_gco2e: float
    share_of_carbon: float | None


class UnattributedKey(Unattributed):
    """The same of one API key; null: without a key."""

    tenant_id: str
    api_key_id: str | None


class AllUnattributed(Unattributed):
    """The same of all keys."""

    rows: list[UnattributedKey]
    rows_total: int


class UnchargedTeam(Unattributed):
    """Prompts of a team that no cost centre is charged for; null: without a team."""

    tenant_id: str
    team_id: str | None


class AllUncharged(Unattributed):
    """The same of all teams, of the tenants that have cost centres."""

    rows: list[UnchargedTeam]
    rows_total: int


class SaidOfPrompt(Answer):
    """What an event said of its prompt."""

    ended_at: str | None
    duration_us: int | None
    input_tokens: int | None
    cache_read_input_tokens: int | None
    cache_write_input_tokens: int | None
    output_tokens: int | None
    reasoning_output_tokens: int | None
    metered_energy_uj: int | None


class Conflict(Answer):
    """An event that came again and said something else than what is recorded; where both say the same here, other names."""

    tenant_id: str
    event_id: str
    received_at: str
    topic: str
    partition: int
    offset: int
    recorded: SaidOfPrompt | None
    said: SaidOfPrompt


class Coverage(Answer):
    """What the numbers rest on. `time_zone` and `days` are there where days were asked for, `records_from` where records of the
    time have been dropped: ids, prompts at the cap and API keys are told of those from then on."""

    window: WindowBounds
    records_from: str | None = None
    covered_share: Share
    tiers: list[Tier]
    time_zone: str | None = None
    days: list[DayOfTiers] | None = None
    unattributed: AllUnattributed
    uncharged: AllUncharged
    conflicts: list[Conflict]
    conflicts_total: int
    rows: list[UnknownName]
    rows_total: int
    prompts: int
    capped_prompts: int
    carbon_gco2e: float
    fallback_share: FallbackShare
    event_factors: AllClaimedFactors
    metered_energy: AllClaimedFactors
    cache_hits: AllClaimedHits
    exclusions: Exclusions
    old_factors: OldFactors
    market: MarketCoverage
    repeated_ids: list[RepeatedId]
    repeated_ids_total: int | None
    repeated_records: int | None


class RefusedItem(Answer):
    """One refused item."""

    id: int
    topic: str
    partition: int
    offset: int
    item: int
    reason: str
    detail: str
    status: str
    received_at: str
    resolved_at: str | None


class ShownItem(RefusedItem):
    """With what is kept of it: known fields, never text."""

    digest: str
    payload: str


class RefusedItems(Listed[RefusedItem]):
    """A page of refused items, and how many there are in all."""

    total: int
    by_reason: dict[str, int]


class DroppedItems(Answer):
    """Items that were put aside; the first of them are listed."""

    rows: list[RefusedItem]
    dropped: int


class ReplayedItem(Answer):
    """What became of an item."""

    id: int
    topic: str
    partition: int
    offset: int
    item: int
    outcome: str
    reason: str | None
    detail: str | None


class ReplayedItems(Answer):
    """What became of the items, and of their events."""

    rows: list[ReplayedItem]
    replayed: int
    held: int
    recorded: int
    duplicates: int
    conflicts: int


class AuditActor(Answer):
    """Who made a change."""

    kind: str
    name: str
    token_id: int | None


class AuditSubject(Answer):
    """What was changed."""

    kind: str
    id: str


class AuditEntry(Answer):
    """One change."""

    id: int
    at: str
    actor: AuditActor
    tenant_id: str | None
    action: str
    subject: AuditSubject
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None


class AcceptedEvents(Answer):
    """What became of the events of a body."""

    accepted: int
    ignored: int
    refused: list[dict[str, Any]]
