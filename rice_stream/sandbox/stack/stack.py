"""Kafka and a database together, around a block of code."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from rice_stream.errors import UsageError
from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from rice_stream.sandbox.stack.jars import ensure_jars
from rice_stream.sandbox.stack.kafka import DEFAULT_PARTITIONS, KafkaServer
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.sandbox.stack.server import Server

DATABASE = "rice"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalStack:
    """A running Kafka and a database, on this machine alone."""

    kafka: KafkaServer
    postgres: PostgresServer | None
    database_url: str
    data_dir: Path

    @property
    def bootstrap_servers(self) -> str:
        """The address of Kafka, `host:port`."""
        return self.kafka.bootstrap_servers

    def environment(self) -> dict[str, str]:
        """Return the settings that point rice-stream at this stack, as environment variables."""
        return {
            "RICE_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "RICE_DATABASE_URL": self.database_url,
        }


@contextmanager
def local_stack(
    *,
    store: Literal["postgres", "sqlite"] = "postgres",
    data_dir: Path | None = None,
    keep: bool = False,
    partitions: int = DEFAULT_PARTITIONS,
    topics: Sequence[str] = (),
    kafka_config: Mapping[str, str] | None = None,
    postgres_settings: Mapping[str, str | int] | None = None,
) -> Iterator[LocalStack]:
    """Start Kafka and the database, yield them, and stop them however the block ends.

    Even after kill -9 of this process no process, port or temporary file is left.

    Args:
        store: `sqlite` starts no PostgreSQL; the database is a file in the data directory.
        data_dir: where the data lies; by default a new directory for temporary files. What a kept stack left there is
            opened again, at the same broker address.
        keep: leave the data in `data_dir`. Otherwise what this call created is deleted at the end.
        partitions: of each of the `topics`.
        topics: created when they do not exist.
        kafka_config: as KafkaServer takes it.
        postgres_settings: as PostgresServer takes them.

    Raises:
        ServiceUnavailableError: a server could not be started; the message has the end of its log.
        UsageError: the directory or the machine does not allow it, with what to do.
    """
    # Here, and not in the threads that start the servers: Ctrl-C must end a download.
    ensure_jars(_log.info)
    with _directory(data_dir, keep=keep) as directory:
        kafka = KafkaServer(directory / "kafka", config=kafka_config)
        postgres = PostgresServer(directory / "postgres", settings=postgres_settings) if store == "postgres" else None
        servers: list[Server] = [kafka, postgres] if postgres else [kafka]
        try:
            _together(servers, [server.start for server in servers])
            database_url = _postgres_database(postgres) if postgres else _sqlite_database(directory)
            existing_topics = kafka.topics() if topics else {}
            for topic in topics:
                if topic not in existing_topics:
                    kafka.create_topic(topic, partitions)
            yield LocalStack(kafka, postgres, database_url, directory)
        finally:
            _together(servers, [partial(server.close, discard=not keep) for server in servers])


def _postgres_database(postgres: PostgresServer) -> str:
    return postgres.url(DATABASE) if DATABASE in postgres.databases() else postgres.create_database(DATABASE)


def _sqlite_database(directory: Path) -> str:
    (directory / "sqlite").mkdir(exist_ok=True)
    return f"sqlite:///{directory / 'sqlite' / 'rice.db'}"


@contextmanager
def _directory(data_dir: Path | None, *, keep: bool) -> Iterator[Path]:
    """Yield the directory of a stack; delete what was created in it, unless it is to be kept."""
    if data_dir is None:
        if keep:
            raise UsageError("keep: a stack's data can be kept only in a directory of your choice; give data_dir")
        directory = temporary_directory("rice-stack-")
        to_delete = [directory]
    else:
        directory = data_dir.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        parts = [] if keep else [directory / "kafka", directory / "postgres", directory / "sqlite"]
        to_delete = [part for part in parts if not part.exists()]
        for part in to_delete:
            GUARD.watch_directory(part)
    try:
        yield directory
    finally:
        for part in to_delete:
            GUARD.delete_directory(part)


def _together(servers: Sequence[Server], actions: Sequence[Callable[[], None]]) -> None:
    """Run the actions side by side; when one fails or Ctrl-C arrives, kill the servers and raise that."""
    with ThreadPoolExecutor(len(actions)) as pool:
        futures = [pool.submit(action) for action in actions]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failures = [error for future in futures if future.done() and (error := future.exception())]
            if failures:
                raise failures[0]
        except BaseException:
            for server in servers:
                server.abandon()
            raise
