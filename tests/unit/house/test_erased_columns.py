"""No column of text is forgotten where the names of people are erased."""

from sqlalchemy import Text

from rice_stream.store.erasing import OF_AUTHORS, OF_TENANT, SCRUBBED_APART
from rice_stream.store.schema import metadata

NAMELESS = {
    # What tenants, models, places, files, settings and keys of ours are called, states, digests, and what is signed.
    "adjustment": "cause restatement_id author_kind",
    "alert": "id tenant_id state basis",
    "archived_file": "month path",
    "archived_month": "month table_uri",
    "attribution": "team_id project_id source cost_centre",
    "attribution_version": "settings",
    "audit_entry": "actor_kind action subject_kind",
    "basis": "names",
    "budget": "tenant_id team_id project_id model unit period time_zone thresholds estimate cost_centre",
    "channel": "name type target tenants budgets settings min_severity key_id state last_error",
    "checkpoint": "kind origin note signed_by",
    "checkpoint_target": "target problem",
    "closing": "closing_id tenant_id month author_kind state step",
    "conflict": "event_id detail topic",
    "contract_coverage": "month contract instrument granularity contract_instrument contract_granularity",
    "delivery": "channel kind message_id state alert_id tenant_id lane severity lease_by",
    "factor_set": "digest kind name source licence published",
    "factor_use": "provider request_model response_model model model_resolved model_rung region region_resolved region_rung"
    " hardware pue_rung rci_scope method_version factor_version detail",
    "http_session": "kind groups",
    "http_token": "role prefix tenants teams",
    "ingested_file": "topic",
    "kafka_progress": "topic",
    "lease": "name holder",
    "mapping": "kind target tenant_id subject",
    "month_start": "time_zone",
    "period": "month state code_version leaf_columns assertion note signed_by",
    "principal": "kind",
    "prompt_record": "event_id",
    "quarantine": "topic reason status door",
    "reconciliation": "reconciliation_id tenant_id month provider measure file_sha256 digest author_kind",
    "reference_tables": "version",
    "restatement": "restatement_id tenant_id method_version factor_version author_kind state by_cause basis method_name"
    " market_by_cause",
    "server_key": "purpose",
    "signing_key": "name sealed_by",
    "tenant": "tenant_id time_zone",
}
"""Columns of text that have no name of a user or key: docs/operations.md says of event ids and receivers why they stay."""


def test_every_column_of_text_is_decided_on() -> None:
    """It is either treated by an erasure, or named here as one without names of people."""
    treated = {(table, column) for table, columns in SCRUBBED_APART.items() for column in columns}
    treated |= {(texts.table.name, column) for texts in (*OF_TENANT, *OF_AUTHORS) for column in texts.columns}
    nameless = {(table, column) for table, columns in NAMELESS.items() for column in columns.split()}
    there = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, Text)
    }
    assert treated & nameless == set()
    assert there == treated | nameless, "decide on it in rice_stream/store/erasing.py, or name it here"
