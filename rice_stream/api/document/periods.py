"""Answers about months, and proofs that prompts are in closed ones."""

from typing import Literal

from pydantic import ConfigDict, Field

from rice_stream.api.document.proofs import ProofFile
from rice_stream.api.document.shapes import Answer, Measure


class CheckedLine(Answer):
    """A line of the checklist; `accepted` is the reason for which the month was closed all the same."""

    name: Literal["watermark", "quarantine", "unattributed", "coverage", "contracts", "totals", "reconciliation"]
    ok: bool | None = Field(description="null: takes long, and is looked at when the month is closed")
    found: str
    to_do: str | None
    accepted: str | None


class Period(Answer):
    """A month of a tenant. Of a closed one `records` and `carbon_gco2e` are what was asserted, of an open one those of now."""

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))

    tenant_id: str
    month: str
    state: Literal["open", "closing", "soft_closed", "closed"]
    from_: str
    to: str
    records: int | None
    entries: int | None
    carbon_gco2e: Measure | None
    carbon_market_gco2e: float | None
    root: str | None = Field(description="hexadecimal")
    checkpoint: str | None = Field(description="the signed note")
    checklist: list[CheckedLine] | None
    marked_at: str | None
    marked_by: str | None
    soft_closed_at: str | None
    soft_closed_by: str | None
    closed_at: str | None
    closed_by: str | None


class ClosingOrder(Answer):
    """An order to close a month, and how far it has come; `problem` is why it failed."""

    closing_id: str
    tenant_id: str
    month: str
    soft: bool
    accept: dict[str, str]
    state: Literal["ordered", "running", "done", "failed"]
    step: str | None = Field(description="what is being done")
    records: int | None
    records_expected: int | None
    author_kind: str
    author: str
    ordered_at: str
    finished_at: str | None
    problem: str | None


class Checklist(Answer):
    """What was found, with `dry_run`."""

    checklist: list[CheckedLine]


class ProvenMonth(Answer):
    """The month that a prompt is in."""

    tenant_id: str
    month: str
    records: int


class LaterEntry(Answer):
    """A group of entries that corrects the prompt, and came after its month was closed."""

    entry_group: str
    cause: str
    reason: str
    recorded_at: str


class PromptProof(ProofFile):
    """A proof file of a prompt, with what is no part of it."""

    period: ProvenMonth
    later_entries: list[LaterEntry]
