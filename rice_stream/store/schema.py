"""All tables by name, as `schema.prompt_record`. Each is defined once, in `schema_*.py`; changes over time are in `migrations/`.

Conventions: energy in integer microwatt-hours (`*_uwh`), carbon in integer micrograms CO2e (`*_ugco2e`), instants in
integer epoch microseconds (`*_us`), bucket starts in epoch seconds (`*_start_s`). Integers add up exactly, in any
order, on every database. `*_key` columns are small integers that stand for a name kept once in a dimension table; the
views (`rice_stream.store.views`) bring the names back. Every key of a tenant's data begins with `tenant_key`, so the schema
can be distributed by tenant as it is.
"""

from rice_stream.store.schema_access import http_session, http_token
from rice_stream.store.schema_archive import archived_file, archived_month
from rice_stream.store.schema_audit import audit_entry
from rice_stream.store.schema_base import metadata
from rice_stream.store.schema_budgets import alert, budget, budget_state, lease
from rice_stream.store.schema_delivery import channel, delivery
from rice_stream.store.schema_factors import factor_set, reference_tables
from rice_stream.store.schema_idempotency import idempotency_key
from rice_stream.store.schema_intake import (
    attribution_version,
    conflict,
    ingested_file,
    kafka_progress,
    mapping,
    quarantine,
    retention,
)
from rice_stream.store.schema_keys import server_key
from rice_stream.store.schema_ledger import adjustment, adjustment_entry, contract_coverage, restatement
from rice_stream.store.schema_periods import closing, period, reconciliation
from rice_stream.store.schema_proofs import checkpoint, checkpoint_target, signing_key
from rice_stream.store.schema_records import (
    attribution,
    basis,
    event_id_gap,
    event_id_list,
    factor_use,
    principal,
    prompt_record,
    tenant,
    untimed_day,
)
from rice_stream.store.schema_totals import (
    day_total,
    factor_day_total,
    factor_hour_total,
    minute_total,
    month_start,
    month_total,
    slot_total,
    tenant_day_total,
    user_slot_total,
    watched_user,
)

__all__ = [
    "adjustment",
    "adjustment_entry",
    "alert",
    "archived_file",
    "archived_month",
    "attribution",
    "attribution_version",
    "audit_entry",
    "basis",
    "budget",
    "budget_state",
    "channel",
    "checkpoint",
    "checkpoint_target",
    "closing",
    "conflict",
    "contract_coverage",
    "day_total",
    "delivery",
    "event_id_gap",
    "event_id_list",
    "factor_day_total",
    "factor_hour_total",
    "factor_set",
    "factor_use",
    "http_session",
    "http_token",
    "idempotency_key",
    "ingested_file",
    "kafka_progress",
    "lease",
    "mapping",
    "metadata",
    "minute_total",
    "month_start",
    "month_total",
    "period",
    "principal",
    "prompt_record",
    "quarantine",
    "reconciliation",
    "reference_tables",
    "restatement",
    "retention",
    "server_key",
    "signing_key",
    "slot_total",
    "tenant",
    "tenant_day_total",
    "untimed_day",
    "user_slot_total",
    "watched_user",
]
