"""Orders to close a month that are left to a server, with their entries in the audit trail."""

from rice_stream.instants import epoch_us
from rice_stream.ledger.closing import CloseOrder, Closing
from rice_stream.store.audit import AuditedChange, record
from rice_stream.store.closing_store import StoredClosing, add_or_find_closing, prompts_of
from rice_stream.store.engine import writing


def order_closing(closing: Closing, order: CloseOrder) -> StoredClosing:
    """The order, new or the same one that waits or goes on already.

    UsageError, NotFoundError: as from `Closing.close`, as far as it is seen without looking at every record.
    """
    closing.check_order(order)
    month = order.month
    with writing(closing.engine) as connection:
        expected = prompts_of(connection, order.tenant_id, epoch_us(month.start), epoch_us(month.end))
        stored, is_new = add_or_find_closing(
            connection,
            order.tenant_id,
            month.name,
            soft=order.soft,
            accepted=order.accepted,
            expected=expected,
            by=closing.by,
        )
        if is_new:
            told = {"soft": order.soft, "accepted": dict(order.accepted), "closing_id": stored.closing_id}
            record(
                connection,
                closing.by,
                [AuditedChange("period.order", "period", month.name, order.tenant_id, after=told)],
            )
    return stored
