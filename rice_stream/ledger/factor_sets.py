"""Adding a factor set: it is checked against the tables, and holds for events that end from an instant on."""

from rice_stream.errors import UsageError
from rice_stream.instants import YEAR_MAX, YEAR_MIN, datetime_of, us_from_iso
from rice_stream.reference.lookup import Reference
from rice_stream.reference.sets.basis import check_basis
from rice_stream.reference.sets.laying import check_set
from rice_stream.reference.sets.parsing import ParsedFile
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine
from rice_stream.store.factor_set_store import AddedSet, add_set


def add_factors(
    engine: Engine, file: ParsedFile, built_in: Reference, *, scope: str, effective_from: str | None = None, by: Actor
) -> AddedSet:
    """Let events that end at or after `effective_from` (ISO date or time; None: what the file says, or as soon as every
    worker knows) be estimated with the file's set. Records keep their estimates. `scope` is that of all carbon intensities.

    Raises:
        ReferenceDataError: something of the set does not fit the tables, or the scope, with row and column.
        UsageError: `effective_from` is no instant, or events that ended then or later are recorded already.
        StoreUnavailableError: the database did not answer.
    """
    check_basis(file.factor_set, scope)
    check_set(file.factor_set, built_in.tables)
    return add_set(engine, file.factor_set, _instant_us(effective_from or file.effective_from), by)


def _instant_us(text: str | None) -> int | None:
    if not text:
        return None
    try:
        instant_us = us_from_iso(text)
    except ValueError as error:
        raise UsageError(
            f"effective_from: {text!r} is no ISO date (2027-01-01) or UTC time (2027-01-01T00:00:00Z)"
        ) from error
    if not YEAR_MIN <= datetime_of(instant_us).year <= YEAR_MAX:
        raise UsageError(f"effective_from: {text!r} must lie in the years {YEAR_MIN} to {YEAR_MAX}, as events do")
    return instant_us
