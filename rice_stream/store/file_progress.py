"""How far files have been ingested whose ingestion was cut short. Written after the batch's own transaction: what it
says is stored, is stored; what it does not know of is met again as duplicates."""

from dataclasses import asdict, dataclass

from sqlalchemy import Engine, delete, insert, select

from rice_stream.store import schema
from rice_stream.store.engine import reading, writing


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The first `records` records of a file are stored; `digest` (16 bytes) is that of all of them."""

    records: int
    digest: bytes
    events: int
    quarantined: int
    ignored: int


class FileProgressStore:
    """How far files have been ingested, by the topic and partition that stand for each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, topic: str, partition: int) -> FileProgress | None:
        """What is stored of the file; None: nothing is known of it."""
        table = schema.ingested_file
        names = [table.c[name] for name in FileProgress.__dataclass_fields__]
        query = select(*names).where(table.c.topic == topic, table.c.partition == partition)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else FileProgress(row[0], bytes(row[1]), *row[2:])

    def save(self, topic: str, partition: int, progress: FileProgress) -> None:
        """Put the new state in the place of the old."""
        table = schema.ingested_file
        values = {"topic": topic, "partition": partition, **asdict(progress)}
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.topic == topic, table.c.partition == partition))
            connection.execute(insert(table).values(values))

    def forget(self, topic: str, partition: int) -> None:
        """The file is done: reading it again begins at its beginning."""
        table = schema.ingested_file
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.topic == topic, table.c.partition == partition))
