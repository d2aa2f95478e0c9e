"""How far files have been ingested whose ingestion was cut short. Written after the batch's own transaction: what it
says is stored, is stored; what it does not know of is met again as duplicates."""

from dataclasses import asdict, dataclass

from sqlalchemy import Engine, delete, select

from rice_stream.store import schema
from rice_stream.store.engine import reading, writing
from rice_stream.store.statements import insert_replacing


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The first `records` records of a file are stored; `digest` (16 bytes) is that of all of them."""

    records: int
    digest: bytes
    events: int
    quarantined: int
    ignored: int
    older_than_retention: int = 0


class FileProgressStore:
    """How far files have been ingested, by the topic and partition that stand for each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def partitions(self, topic: str) -> frozenset[int]:
        """The numbers under which batches of files of this name have ever been stored."""
        table = schema.kafka_progress
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(select(table.c.partition).where(table.c.topic == topic)))

    def load(self, topic: str, partition: int) -> FileProgress | None:
        """What is stored of the file; None: nothing is known of it."""
        table = schema.ingested_file
        names = [table.c[name] for name in FileProgress.__dataclass_fields__]
        query = select(*names).where(table.c.topic == topic, table.c.partition == partition)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        return None if row is None else FileProgress(row[0], bytes(row[1]), *row[2:])

    def save(self, topic: str, partition: int, progress: FileProgress) -> None:
        """Put the new state in the place of the old; of two runs of one file at a time, the later word stands."""
        values = {"topic": topic, "partition": partition, **asdict(progress)}
        with writing(self._engine) as connection:
            connection.execute(insert_replacing(schema.ingested_file, connection.dialect.name), values)

    def forget(self, topic: str, partition: int) -> None:
        """The file is done: reading it again begins at its beginning."""
        table = schema.ingested_file
        with writing(self._engine) as connection:
            connection.execute(delete(table).where(table.c.topic == topic, table.c.partition == partition))
