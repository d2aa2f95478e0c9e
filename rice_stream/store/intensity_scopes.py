"""By which scope of carbon intensities (`lifecycle`, `direct`) what totals add up was estimated: a sum over both would mix them."""

from sqlalchemy import Connection, and_, not_, select

from rice_stream.instants import SECOND_US, SLOT_S
from rice_stream.store import schema


def other_scope(
    connection: Connection, scope: str, *, but_for: tuple[int, int] | None = None, tenant_key: int | None = None
) -> str | None:
    """The scope, other than this one, by which some prompt was estimated, with all corrections; None: there is none.

    `but_for`: prompts that ended within these instants (epoch microseconds) are left out, of one tenant or (None) of all.
    """
    use, slot = schema.factor_use.c, schema.slot_total.c
    others = select(use.factor_key, use.rci_scope).where(use.rci_scope != scope)
    if connection.execute(others.limit(1)).first() is None:
        return None
    query = (
        select(use.rci_scope)
        .join_from(schema.slot_total, schema.factor_use, slot.factor_key == use.factor_key)
        .where(use.rci_scope != scope, slot.prompts != 0)
    )
    if but_for is not None:
        from_s, to_s = (each_us / SECOND_US for each_us in but_for)
        left_out = and_(slot.slot_start_s >= from_s, slot.slot_start_s + SLOT_S <= to_s)
        query = query.where(not_(left_out if tenant_key is None else and_(left_out, slot.tenant_key == tenant_key)))
    found: str | None = connection.scalar(query.limit(1))
    return found
