"""Voiding a wrong event: its record stays, and entries take everything away that it adds to totals."""

from typing import Any

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.store.adjustments import post, posting
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.corrected_records import amounts_by_now
from rice_stream.store.engine import Engine
from rice_stream.store.entries import EntryGroup
from rice_stream.store.event_key_columns import RecordKey
from rice_stream.store.posted_groups import posted_group
from rice_stream.store.revisions import head_revision
from rice_stream.wording.entry_amounts import amounts_told

REASON_MAX = 1_000
"""Longest reason, in characters."""


def void_record(
    engine: Engine, key: RecordKey, tenant_id: str, event_id: str, *, reason: str, by: Actor
) -> dict[str, Any]:
    """Take a record out of all totals; the record, and what was reported of it, stay.

    Returns:
        `{"entry_group" (hexadecimal), "tenant_id", "event_id", "reason", "amounts", "posted"}`: the amounts that were taken away,
        with their minus sign; `posted` is False where the event had been voided before, and is answered as it was then.

    Raises:
        UsageError: no reason, or one that is too long.
        NotFoundError: there is no such record.
        StoreUnavailableError: the database did not do it; safe to repeat.
    """
    reason = checked_reason(reason)
    with posting(engine, revision=head_revision()) as connection:
        found = amounts_by_now(connection, key)
        if found is None:
            raise NotFoundError(f"no record has the event id {event_id!r} of tenant {tenant_id!r}")
        group = EntryGroup(
            cause="void",
            tenant_key=key.tenant_key,
            made_for={"event_key": key.event_key.hex()},
            reason=reason,
            by=by,
            entries=found.negated(),
            detail={"event_id": event_id},
            event_key=key.event_key,
        )
        is_posted = post(connection, group) is not None
        amounts = amounts_told(group.sums)
        if is_posted:
            change = {"reason": reason, "entry_group": group.digest.hex(), "amounts": amounts}
            record(connection, by, [AuditedChange("record.void", "prompt", event_id, tenant_id, after=change)])
        else:
            posted = posted_group(connection, group.digest)
            reason, amounts = posted.reason, amounts_told(posted.sums)
    return {
        "entry_group": group.digest.hex(),
        "tenant_id": tenant_id,
        "event_id": event_id,
        "reason": reason,
        "amounts": amounts,
        "posted": is_posted,
    }


def checked_reason(reason: str) -> str:
    """Why something is corrected. UsageError: nothing, or too much."""
    reason = reason.strip()
    if not reason:
        raise UsageError("--reason: say why, in words that an auditor understands")
    if len(reason) > REASON_MAX:
        raise UsageError(f"--reason: {len(reason):,} characters; use at most {REASON_MAX:,}")
    return reason
