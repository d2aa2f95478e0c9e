"""What the ledger knows of topics: whether it has ever had events of them, and how much has come."""

from collections.abc import Sequence

from sqlalchemy import Engine, func, literal, select

from rice_stream.store.engine import reading
from rice_stream.store.schema_intake import kafka_progress


def has_events(engine: Engine, topics: Sequence[str]) -> bool:
    """Whether any event of these topics was ever stored."""
    progress = kafka_progress.c
    query = select(literal(1)).where(progress.topic.in_(topics), progress.recorded > 0).limit(1)
    with reading(engine) as connection:
        return connection.scalar(query) is not None


def items_taken_in(engine: Engine) -> int:
    """Events and refused items of all batches that were committed: another number after each one."""
    progress = kafka_progress.c
    with reading(engine) as connection:
        return int(connection.scalar(select(func.sum(progress.events + progress.quarantined))) or 0)
