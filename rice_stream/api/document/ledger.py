"""Answers about corrections: bridges, what has corrected a record, and voided events."""

from typing import Literal

from pydantic import ConfigDict

from rice_stream.api.document.accounting import NamedWindow
from rice_stream.api.document.shapes import Answer, Measure, Meta, Versions

CauseName = Literal["method", "factors", "evidence", "mapping", "late", "void", "true_up", "contract"]


class BridgeAmounts(Answer):
    """Middle values; whole micrograms as well, with which a bridge adds up exactly."""

    prompts: int
    facility_energy_wh: float
    carbon_ugco2e: int
    carbon_gco2e: float
    carbon_market_ugco2e: int
    carbon_market_gco2e: float


class BridgeStep(BridgeAmounts):
    """What the corrections of one cause add."""

    cause: CauseName


class Bridge(Answer):
    """From what was reported to what is known by now."""

    window: NamedWindow
    as_of: str | None
    reported: BridgeAmounts
    steps: list[BridgeStep]
    restated: BridgeAmounts
    materiality_percent: float | None
    materiality_market_percent: float | None
    threshold_percent: float
    material: bool
    meta: Meta


class EntryAmounts(Answer):
    """What entries add to a record's amounts, with a sign."""

    prompts: int
    input_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    it_energy_wh: float
    facility_energy_wh: float
    carbon_gco2e: Measure
    carbon_market_gco2e: float
    embodied_gco2e: float
    water_l: float


class VoidedEvent(Answer):
    """What was taken away; `posted` is false where it had been voided before."""

    entry_group: str
    tenant_id: str
    event_id: str
    reason: str
    amounts: EntryAmounts
    posted: bool


class RecordAdjustment(Answer):
    """A correction of one record; cause, reason and author are null for those who see some teams only."""

    entry_group: str | None
    cause: CauseName | None
    reason: str | None
    author_kind: str | None
    author: str | None
    restatement_id: str | None
    recorded_at: str
    counted: bool
    amounts: EntryAmounts


class Restatement(Answer):
    """An order to estimate recorded prompts again, how far it has come, and what it changes; grams are middle values."""

    model_config = ConfigDict(
        alias_generator=lambda name: name.rstrip("_"), extra="forbid", strict=True, defer_build=True
    )
    restatement_id: str
    state: Literal["ordered", "running", "done", "failed"]
    dry_run: bool
    from_: str
    to: str
    tenant: str | None
    versions: Versions
    basis: str | None
    reason: str
    author_kind: str | None
    author: str | None
    started_at: str | None
    finished_at: str | None
    records: int
    records_expected: int | None
    entries: int
    reported_gco2e: float
    before_gco2e: float
    after_gco2e: float
    difference_gco2e: float
    reported_market_gco2e: float | None
    before_market_gco2e: float | None
    after_market_gco2e: float | None
    materiality_percent: float | None
    materiality_market_percent: float | None
    threshold_percent: float
    material: bool
    by_cause: dict[CauseName, float]
    market_by_cause: dict[CauseName, float]
    problem: str | None
