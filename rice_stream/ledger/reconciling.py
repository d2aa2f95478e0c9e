"""Keeping what came of a reconciliation: a row for good, an entry of the audit trail, and a notice where it is news."""

from collections.abc import Mapping
from typing import Any

from rice_stream.channels.letters import Letter
from rice_stream.channels.reconciliation_notices import reconciliation_notice
from rice_stream.channels.routing import wants
from rice_stream.instants import datetime_of
from rice_stream.quantities import MICRO
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.channel_store import channels_sent_to
from rice_stream.store.delivery_store import NewDelivery, add_deliveries
from rice_stream.store.engine import Connection, Engine, writing
from rice_stream.store.reconciliation_store import (
    NewReconciliation,
    StoredReconciliation,
    add_reconciliation,
)

_NOT_KEPT = ("models",)
"""Names that a file gives may be anything: they are answered, and never kept."""
_NOT_KEPT_OF_FILE = ("skipped_why",)
_COLUMNS = ("tenant_id", "month", "provider", "measure", "ok", "threshold_percent")


def record_reconciliation(engine: Engine, document: Mapping[str, Any], file_sha256: str, by: Actor) -> dict[str, Any]:
    """Keep what `reports.reconciliation` or `reports.carbon_reconciliation` answers; returns it with its id, author and instant.

    Channels are told where it is not in order, or is so again, and the last one of the same month, provider and measure did not say
    the very same. `engine` sees everything. StoreUnavailableError: the database did not do it; nothing is kept.
    """
    with writing(engine) as connection:
        stored, before = add_reconciliation(connection, _new(document, file_sha256), by)
        told = stored.as_json()
        if (before is None or before.digest != stored.digest) and not (stored.ok and (before is None or before.ok)):
            letter = reconciliation_notice(told, datetime_of(stored.recorded_us))
            add_deliveries(connection, _deliveries(connection, stored, letter))
        kept = {name: told[name] for name in ("provider", "measure", "file", "unexplained", "threshold_percent", "ok")}
        after = {**kept, "reconciliation_id": stored.reconciliation_id}
        record(
            connection, by, [AuditedChange("period.reconcile", "period", stored.month, stored.tenant_id, after=after)]
        )
    shown = {name: document[name] for name in _NOT_KEPT if name in document}
    if told["file"] is not None:
        told["file"] |= {name: document["file"][name] for name in _NOT_KEPT_OF_FILE}
    return {**told, **shown}


def _new(document: Mapping[str, Any], file_sha256: str) -> NewReconciliation:
    tokens, carbon = document["tokens"], document["carbon"]
    micro = carbon is not None
    ours, theirs = (carbon["ours_gco2e"], carbon["theirs_gco2e"]) if micro else (tokens["ours"], tokens["theirs"])
    amounts = (round(amount * MICRO) if micro else amount for amount in (ours, theirs, document["unexplained"]))
    told = {name: value for name, value in document.items() if name not in (*_NOT_KEPT, "file", *_COLUMNS)}
    file = document["file"]
    if file is not None:
        told["file"] = {name: value for name, value in file.items() if name not in _NOT_KEPT_OF_FILE}
    return NewReconciliation(
        **dict(zip(("ours", "theirs", "unexplained"), amounts, strict=True)),
        **{name: document[name] for name in ("tenant_id", "month", "provider", "measure", "ok")},
        threshold_percent=float(document["threshold_percent"]),
        file_sha256=file_sha256,
        told=told,
    )


def _deliveries(connection: Connection, stored: StoredReconciliation, letter: Letter) -> list[NewDelivery]:
    channels = [each for each in channels_sent_to(connection) if wants(each.channel, stored.tenant_id, "", "warning")]
    cause = f"reconciliation:{stored.reconciliation_id}"
    fields: dict[str, Any] = {"tenant_id": stored.tenant_id, "lane": letter.key, "severity": letter.severity}
    return [NewDelivery(each.id, each.channel.name, "notice", cause, letter.content(), **fields) for each in channels]
