"""Answers about months beside what providers state of them."""

from typing import Literal

from pydantic import ConfigDict, Field

from rice_stream.api.document.accounting import ZonedWindow
from rice_stream.api.document.shapes import Answer


class ReconciledFile(Answer):
    """The provider's export: its digest and reach; nothing of it is kept. `skipped_why` is answered once."""

    model_config = ConfigDict(
        alias_generator=lambda name: name.rstrip("_"), extra="forbid", strict=True, defer_build=True
    )
    sha256: str
    from_: str
    to: str
    rows: int
    skipped: int = Field(description="rows that state no tokens, or no carbon of what is compared")
    skipped_why: list[str] | None = None


class BothSides(Answer):
    """Tokens of one direction on both sides."""

    ours: int = Field(description="tokens")
    theirs: int = Field(description="tokens")


class ReconciledTokens(BothSides):
    """Tokens of the month on both sides."""

    difference: int = Field(description="tokens, theirs less ours")
    input: BothSides
    output: BothSides


class TokenCause(Answer):
    """What one cause adds to ours on the way to theirs."""

    cause: Literal["calendar", "corrections", "gateway_cache", "not_through_here", "not_in_file"]
    tokens: int
    why: str


class ReconciledCarbon(Answer):
    """Carbon of the month on both sides: ours by location, with its 80 % range."""

    ours_gco2e: float
    ours_low_gco2e: float
    ours_high_gco2e: float
    theirs_gco2e: float
    difference_gco2e: float
    basis: Literal["location", "market"] = Field(description="what theirs is by")
    embodied: bool = Field(description="whether theirs has the embodied carbon of the hardware in it")


class CarbonCause(Answer):
    """What one cause adds to ours on the way to theirs."""

    cause: Literal["calendar", "corrections", "market", "boundary", "method"]
    carbon_gco2e: float
    why: str


class ReconciledModel(Answer):
    """One model on both sides; the largest difference first."""

    model: str | None
    ours: int = Field(description="tokens")
    theirs: int = Field(description="tokens")
    difference: int = Field(description="tokens, theirs less ours")


class Reconciliation(Answer):
    """A month beside what a provider states; the causes and `unexplained` add up to the difference."""

    reconciliation_id: str
    tenant_id: str
    month: str
    provider: str
    measure: Literal["tokens", "carbon"]
    window: ZonedWindow
    file: ReconciledFile | None
    tokens: ReconciledTokens | None
    carbon: ReconciledCarbon | None
    causes: list[TokenCause | CarbonCause]
    unexplained: int | float = Field(description="tokens, or grams CO2-equivalent")
    unexplained_percent: float | None = Field(description="percent of theirs")
    threshold_percent: float
    ok: bool
    author_kind: str
    author: str
    recorded_at: str


class MadeReconciliation(Reconciliation):
    """The same as it is answered once, with the names of models that the file gives."""

    models: list[ReconciledModel] | None = None
