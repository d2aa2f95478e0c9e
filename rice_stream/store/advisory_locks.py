"""Advisory locks of PostgreSQL, all of them here: two uses that take the same number would wait for each other."""

from enum import IntEnum

from sqlalchemy import Connection, text


class AdvisoryLock(IntEnum):
    """What is done by one transaction at a time."""

    GIVE_OUT_KEYS = 0x52494345
    """Names get their keys ("RICE")."""
    MAKE_PARTITIONS = 0x52494350
    DROP_PARTITIONS = 0x52494344
    MERGE_EVENT_IDS = 0x5249434C
    """The lists of one bucket are merged by one worker at a time: the other would wait, to find them gone."""
    CORRECT_TOTALS = 0x52494347
    """Two that put totals right would both add a difference."""
    POST_CORRECTIONS = 0x52494352
    """What is corrected is worked out from what was corrected before: two at once would both correct the same."""
    ORDER_CLOSINGS = 0x5249434F
    """The same close is ordered once."""
    RECORD_RECONCILIATIONS = 0x5249434E
    """What is told depends on what was found last."""
    ADD_TO_AUDIT_TRAIL = 0x52494341
    """Entries have numbers without gaps, in the order in which they are committed; taken last in a transaction."""

    MAKE_CHECKPOINT = 0x5249434B
    """A tree has one checkpoint of a size; taken before the lock of the trail."""


def hold(connection: Connection, lock: AdvisoryLock) -> None:
    """Wait for the lock, and have it until the end of the transaction."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({int(lock)})"))
