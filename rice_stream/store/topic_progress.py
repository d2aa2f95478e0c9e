"""What the ledger knows of topics: whether it has ever had events of them."""

from collections.abc import Sequence

from sqlalchemy import Engine, literal, select

from rice_stream.store.engine import reading
from rice_stream.store.schema_intake import kafka_progress


def has_events(engine: Engine, topics: Sequence[str]) -> bool:
    """Whether any event of these topics was ever stored."""
    progress = kafka_progress.c
    query = select(literal(1)).where(progress.topic.in_(topics), progress.recorded > 0).limit(1)
    with reading(engine) as connection:
        return connection.scalar(query) is not None
