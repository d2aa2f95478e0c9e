"""What each route answers when all is well."""

from typing import Any

from pydantic import TypeAdapter

from rice_stream.api.document.access import Erasure, NewToken, RevokedToken, Token
from rice_stream.api.document.accounting import (
    Explanation,
    ImportedMappings,
    Mapping,
    Prompt,
    RollingTotals,
    Tenant,
    Totals,
)
from rice_stream.api.document.budgets import (
    Alert,
    AnnouncedAlert,
    Budget,
    BudgetOutlook,
    BurnDown,
    SuggestedBudget,
    UnreadableBudget,
)
from rice_stream.api.document.channels import Channel, Delivery, ResentDeliveries, SetChannel
from rice_stream.api.document.exports import ExportManifest
from rice_stream.api.document.factors import AddedFactorSet, FactorDifferences, FactorSets, ShownFactorSet
from rice_stream.api.document.ledger import Bridge, RecordAdjustment, Restatement, VoidedEvent
from rice_stream.api.document.market import AppliedContracts, Contract
from rice_stream.api.document.periods import Checklist, ClosingOrder, Period, PromptProof
from rice_stream.api.document.proofs import ProofFile, SignedCheckpoint
from rice_stream.api.document.quality import (
    AcceptedEvents,
    AuditEntry,
    Coverage,
    DroppedItems,
    RefusedItems,
    ReplayedItems,
    ShownItem,
)
from rice_stream.api.document.reconciliations import MadeReconciliation, Reconciliation
from rice_stream.api.document.reference import (
    Comparison,
    Estimate,
    EstimateRows,
    Model,
    ModelCard,
    Ranking,
    Region,
)
from rice_stream.api.document.shapes import Found, Listed, Rows

Operation = tuple[str, str]
"""Method and path."""

ANSWERS: dict[Operation, Any] = {
    ("GET", "/v1/totals"): Totals,
    ("GET", "/v1/rolling-totals"): RollingTotals,
    ("GET", "/v1/tenants"): Listed[Tenant],
    ("PUT", "/v1/tenants/{tenant_id:path}"): Tenant,
    ("GET", "/v1/prompts"): Listed[Prompt],
    ("GET", "/v1/prompts/{event_id:path}"): Prompt,
    ("GET", "/v1/prompts/{event_id:path}/explain"): Explanation,
    ("GET", "/v1/prompts/{event_id:path}/adjustments"): Rows[RecordAdjustment],
    ("GET", "/v1/bridge"): Bridge,
    ("POST", "/v1/void"): VoidedEvent,
    ("GET", "/v1/restatements"): Listed[Restatement],
    ("POST", "/v1/restatements"): Restatement,
    ("GET", "/v1/restatements/{restatement_id}"): Restatement,
    ("GET", "/v1/contracts"): Rows[Contract],
    ("POST", "/v1/contracts/apply"): AppliedContracts,
    ("GET", "/v1/budgets"): Listed[BudgetOutlook | Budget | UnreadableBudget],
    ("GET", "/v1/suggested-budget"): SuggestedBudget,
    ("POST", "/v1/budgets"): Budget,
    ("GET", "/v1/budgets/{name}"): Budget | UnreadableBudget,
    ("PUT", "/v1/budgets/{name}"): Budget,
    ("DELETE", "/v1/budgets/{name}"): None,
    ("GET", "/v1/budgets/{name}/history"): Listed[AnnouncedAlert],
    ("GET", "/v1/budgets/{name}/burn-down"): BurnDown,
    ("GET", "/v1/alerts"): Listed[Alert],
    ("GET", "/v1/channels"): Rows[Channel],
    ("POST", "/v1/channels"): SetChannel,
    ("GET", "/v1/channels/{name}"): Channel,
    ("PUT", "/v1/channels/{name}"): SetChannel,
    ("DELETE", "/v1/channels/{name}"): None,
    ("POST", "/v1/channels/{name}/test"): Delivery,
    ("GET", "/v1/deliveries"): Listed[Delivery],
    ("GET", "/v1/deliveries/{delivery_id}"): Delivery,
    ("POST", "/v1/deliveries/resend"): ResentDeliveries,
    ("GET", "/v1/coverage"): Coverage,
    ("GET", "/v1/quarantine"): RefusedItems,
    ("GET", "/v1/quarantine/{quarantine_id}"): ShownItem,
    ("POST", "/v1/quarantine/drop"): DroppedItems,
    ("POST", "/v1/quarantine/replay"): ReplayedItems,
    ("GET", "/v1/mappings"): Rows[Mapping],
    ("POST", "/v1/mappings"): Mapping,
    ("POST", "/v1/mappings/import"): ImportedMappings,
    ("DELETE", "/v1/mappings/{mapping:path}"): None,
    ("GET", "/v1/factors"): FactorSets,
    ("GET", "/v1/factors/diff"): FactorDifferences,
    ("GET", "/v1/factors/{digest}"): ShownFactorSet,
    ("POST", "/v1/factors"): AddedFactorSet,
    ("GET", "/v1/models"): Found[Model],
    ("GET", "/v1/models/{model:path}"): ModelCard,
    ("GET", "/v1/regions"): Found[Region],
    ("GET", "/v1/rank"): Ranking,
    ("GET", "/v1/compare"): Comparison,
    ("POST", "/v1/estimate"): Estimate | EstimateRows,
    ("GET", "/v1/tokens"): Listed[Token],
    ("POST", "/v1/tokens"): NewToken,
    ("POST", "/v1/tokens/{token_id}/rotate"): NewToken,
    ("DELETE", "/v1/tokens/{token_id}"): RevokedToken,
    ("POST", "/v1/erasures"): Erasure,
    ("GET", "/v1/audit"): Listed[AuditEntry],
    ("GET", "/v1/audit/{entry_id}/proof"): ProofFile,
    ("GET", "/v1/checkpoints"): Listed[SignedCheckpoint],
    ("GET", "/v1/periods"): Listed[Period],
    ("GET", "/v1/periods/closings"): Listed[ClosingOrder],
    ("GET", "/v1/periods/closings/{closing_id}"): ClosingOrder,
    ("POST", "/v1/periods/close"): ClosingOrder | Checklist,
    ("GET", "/v1/reconciliations"): Listed[Reconciliation],
    ("POST", "/v1/reconciliations"): MadeReconciliation,
    ("GET", "/v1/reconciliations/{reconciliation_id}"): Reconciliation,
    ("GET", "/v1/proofs/{event_id:path}"): PromptProof,
    ("GET", "/v1/exports/{kind}"): None,
    ("GET", "/v1/exports/{kind}/manifest"): ExportManifest,
    ("GET", "/v1/stream"): None,
    ("POST", "/v1/events"): AcceptedEvents,
}
"""None: nothing, with the status 204, or what the route says itself. Routes of OTLP answer as OTLP says."""

EXAMPLES: dict[Operation, str] = {
    ("GET", "/v1/totals"): "/v1/totals?tenant=acme&by=team,model&from=2026-11-01&to=2026-12-01",
    ("GET", "/v1/rolling-totals"): "/v1/rolling-totals?tenant=acme",
    ("GET", "/v1/tenants"): "/v1/tenants?limit=100",
    ("GET", "/v1/prompts"): "/v1/prompts?tenant=acme&model=gpt-4o&limit=50",
    ("GET", "/v1/prompts/{event_id:path}"): "/v1/prompts/e-1?tenant=acme",
    ("GET", "/v1/prompts/{event_id:path}/explain"): "/v1/prompts/e-1/explain?tenant=acme",
    ("GET", "/v1/prompts/{event_id:path}/adjustments"): "/v1/prompts/e-1/adjustments?tenant=acme",
    ("GET", "/v1/restatements"): "/v1/restatements?tenant=acme&limit=20",
    ("GET", "/v1/restatements/{restatement_id}"): "/v1/restatements/1f0c8a77e2b94d5f9c3b6a40d2e18f75",
    ("GET", "/v1/bridge"): "/v1/bridge?tenant=acme&from=2020-01-01",
    ("GET", "/v1/contracts"): "/v1/contracts",
    ("GET", "/v1/budgets"): "/v1/budgets?tenant=acme",
    ("GET", "/v1/suggested-budget"): "/v1/suggested-budget?tenant=acme&team=search",
    ("GET", "/v1/budgets/{name}"): "/v1/budgets/acme-month?tenant=acme",
    ("GET", "/v1/budgets/{name}/history"): "/v1/budgets/acme-month/history?tenant=acme",
    ("GET", "/v1/budgets/{name}/burn-down"): "/v1/budgets/acme-month/burn-down?tenant=acme",
    ("GET", "/v1/alerts"): "/v1/alerts?tenant=acme&limit=20",
    ("GET", "/v1/channels"): "/v1/channels?tenant=acme",
    ("GET", "/v1/channels/{name}"): "/v1/channels/kafka",
    ("GET", "/v1/deliveries"): "/v1/deliveries?channel=ops&state=failed",
    ("GET", "/v1/deliveries/{delivery_id}"): "/v1/deliveries/1",
    ("GET", "/v1/coverage"): "/v1/coverage?days=30",
    ("GET", "/v1/quarantine"): "/v1/quarantine?reason=missing_field",
    ("GET", "/v1/quarantine/{quarantine_id}"): "/v1/quarantine/1",
    ("GET", "/v1/mappings"): "/v1/mappings",
    ("GET", "/v1/factors"): "/v1/factors",
    ("GET", "/v1/factors/diff"): "/v1/factors/diff?a=grid-2026&b=grid-2027",
    ("GET", "/v1/factors/{digest}"): "/v1/factors/grid-2027",
    ("GET", "/v1/models"): "/v1/models?query=claude%20sonnet",
    ("GET", "/v1/models/{model:path}"): "/v1/models/gpt-4o?provider=azure",
    ("GET", "/v1/regions"): "/v1/regions?query=sweden",
    ("GET", "/v1/rank"): "/v1/rank?model=gpt-4o&model=gpt-4o-mini&input_tokens=2000&region=SE",
    ("GET", "/v1/compare"): "/v1/compare?tenant=acme&from=2020-01-01&model=gpt-4o-mini",
    ("GET", "/v1/tokens"): "/v1/tokens?limit=100",
    ("GET", "/v1/audit"): "/v1/audit?action=budget.set",
    ("GET", "/v1/audit/{entry_id}/proof"): "/v1/audit/1/proof",
    ("GET", "/v1/checkpoints"): "/v1/checkpoints?limit=10",
    ("GET", "/v1/periods"): "/v1/periods?tenant=acme",
    ("GET", "/v1/periods/closings"): "/v1/periods/closings?tenant=acme&limit=20",
    ("GET", "/v1/periods/closings/{closing_id}"): "/v1/periods/closings/7f0c8a77e2b94d5f9c3b6a40d2e18f75",
    ("GET", "/v1/reconciliations"): "/v1/reconciliations?tenant=acme&month=2026-10",
    ("GET", "/v1/reconciliations/{reconciliation_id}"): "/v1/reconciliations/7f0c8a77e2b94d5f9c3b6a40d2e18f75",
    ("GET", "/v1/proofs/{event_id:path}"): "/v1/proofs/e-0?tenant=acme",
    ("GET", "/v1/exports/{kind}"): "/v1/exports/chargeback?tenant=acme&month=2026-11&format=xlsx",
    ("GET", "/v1/exports/{kind}/manifest"): "/v1/exports/chargeback/manifest?tenant=acme&month=2026-11",
    ("GET", "/v1/stream"): "/v1/stream?limit=1",
}
"""A request of each route that has no body; those with one have it in the document."""

FILES = {("GET", "/v1/totals"), ("GET", "/v1/prompts")}
"""What is sent as CSV and Parquet as well."""


def adapter_of(operation: Operation) -> TypeAdapter[Any]:
    """Reads an answer as it is documented. ValidationError: it is not."""
    return TypeAdapter(ANSWERS[operation])
