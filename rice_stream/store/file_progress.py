"""How far files have been ingested whose ingestion was cut short. Written after the batch's own transaction: what it
says is stored, is stored; what it does not know of is met again as duplicates."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, insert, select

from rice_stream import schema


@dataclass(frozen=True, slots=True)
class FileProgress:
    """The first `records` records of a file are stored; `digest` (16 bytes) is that of all of them."""

    records: int
    digest: bytes
    events: int
    quarantined: int
    ignored: int


def load(connection: Connection, topic: str, partition: int) -> FileProgress | None:
    """What is stored of the file; None: nothing is known of it."""
    table = schema.ingested_file
    names = [table.c[name] for name in FileProgress.__dataclass_fields__]
    row = connection.execute(select(*names).where(table.c.topic == topic, table.c.partition == partition)).first()
    return None if row is None else FileProgress(row[0], bytes(row[1]), *row[2:])


def save(connection: Connection, topic: str, partition: int, progress: FileProgress) -> None:
    """Put the new state in the place of the old."""
    forget(connection, topic, partition)
    values = {"topic": topic, "partition": partition, **asdict(progress)}
    connection.execute(insert(schema.ingested_file).values(values))


def forget(connection: Connection, topic: str, partition: int) -> None:
    """The file is done: reading it again begins at its beginning."""
    table = schema.ingested_file
    connection.execute(delete(table).where(table.c.topic == topic, table.c.partition == partition))
