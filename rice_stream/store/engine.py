"""Opening a database: the few settings that make SQLite and PostgreSQL behave as the rest expects."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import Connection as Connection
from sqlalchemy import Engine as Engine
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)

from rice_stream.errors import RiceError, ServiceUnavailableError, UsageError
from rice_stream.store.attached_images import detach_images
from rice_stream.store.failures import (
    Meaning,
    NotStorableError,
    UnexpectedDatabaseError,
    first_line,
    is_cancelled,
    meaning_of,
    origin_of,
)
from rice_stream.store.lock_waits import limit_lock_waits

__all__ = [
    "Connection",
    "Engine",
    "StoreSlowError",
    "StoreUnavailableError",
    "batch_failure",
    "correcting",
    "database_file",
    "open_engine",
    "reading",
    "store_errors",
    "writing",
]
"""`Connection` and `Engine` are named here for those that hand them on without importing SQLAlchemy."""

SUPPORTED = ("postgresql", "sqlite")


class StoreUnavailableError(ServiceUnavailableError):
    """The database did not do it; nothing of it is stored, and it may be tried again as it is."""


class StoreSlowError(StoreUnavailableError):
    """A statement took longer than it may."""


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn failures of the database itself into StoreUnavailableError; mistakes in statements stay what they are."""
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error, OperationalError | InterfaceError) and meaning_of(error) is not Meaning.LATER:
            raise
        kind = StoreSlowError if is_cancelled(error) else StoreUnavailableError
        raise kind(f"the database did not {what}: {first_line(error.orig or error)}") from error


def batch_failure(what: str, error: BaseException) -> RiceError:
    """What to raise for an error of the database within a batch's transaction.

    StoreUnavailableError: try again; NotStorableError: some of the data is at fault; UnexpectedDatabaseError: stop.
    """
    origin = origin_of(error)
    meaning = meaning_of(origin)
    if meaning is Meaning.STATEMENT:
        return UnexpectedDatabaseError(origin)
    if meaning is Meaning.DATA:
        return NotStorableError(origin)
    return StoreUnavailableError(f"{what}: {first_line(origin)}")


@contextmanager
def reading(engine: Engine, **options: Any) -> Iterator[Connection]:
    """A connection that only reads: on SQLite it does not wait for writers. `options`: its execution options."""
    with store_errors("answer"), _begun(engine, rice_read_only=True, **options) as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction: committed at the end, rolled back on any exception; it waits for no lock without bound."""
    with store_errors("take a change"), _begun(engine) as connection:
        limit_lock_waits(connection)
        yield connection
        connection.commit()


@contextmanager
def correcting(engine: Engine) -> Iterator[Connection]:
    """A transaction of `writing` that changes totals. NotStorableError: a total has no room for it; nothing is stored."""
    with writing(engine) as connection:
        try:
            yield connection
        except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
            raise batch_failure("the database did not take a correction", error) from error


def _begun(engine: Engine, **options: Any) -> Connection:
    """A connection with a transaction, which ends with it; another one where it turns out that the other side has ended it, as
    nothing has been asked of it yet."""
    connection = engine.connect().execution_options(**options)
    try:
        connection.begin()
    except DBAPIError as error:
        connection.close()
        if not error.connection_invalidated:
            raise
        connection = engine.connect().execution_options(**options)
        connection.begin()
    return connection


def open_engine(
    url: str, *, answers_within_s: int | None = None, connections: int = 4, asks_first: bool = True
) -> Engine:
    """An engine for a SQLAlchemy URL; `postgresql://` means the psycopg driver. UsageError on any other database.

    `answers_within_s`: how long PostgreSQL may take to be connected to, and not acknowledge what it is sent; None: as
    long as the system says, which may be many minutes. `connections`: how many it keeps open to PostgreSQL. `asks_first`: whether
    a connection is asked if it is still there before it is used; one that begins its transactions itself need not be, and a
    short question would cost half as much again. Errors show no values of statements: names of users are among them, and
    errors are logged.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise UsageError(
            "RICE_DATABASE_URL is not a database URL; write postgresql://user:password@host/name or sqlite:///file.db"
        ) from error
    backend = parsed.get_backend_name()
    if backend not in SUPPORTED:
        raise UsageError(f"RICE_DATABASE_URL: {backend!r} is not supported; use one of: {', '.join(SUPPORTED)}")
    if backend == "postgresql":
        # No prepared statements: they are a server session's, which PgBouncer changes between transactions (but `prepared`).
        arguments: dict[str, int | None] = {"prepare_threshold": None}
        if answers_within_s:
            arguments |= {"connect_timeout": answers_within_s, "tcp_user_timeout": 1000 * answers_within_s}
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=asks_first,
            pool_size=connections,
            # The connection that was used last knows the statements, and its session is warm.
            pool_use_lifo=True,
            connect_args=arguments,
            hide_parameters=True,
        )
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    try:
        connecting = {"timeout": 30.0, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=connecting, hide_parameters=True)
    except NoSuchModuleError as error:
        raise UsageError(f"RICE_DATABASE_URL: {error}") from error
    event.listen(engine, "do_connect", _make_private_file)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    event.listen(engine, "checkin", detach_images)
    return engine


def database_file(url: str) -> str:
    """The file that a SQLite URL names; "" for every other database, and for one in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return ""
    return _new_file_path(parsed.database or ":memory:", is_uri="uri" in parsed.query)


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    from rice_stream.store.whole_numbers import WholeNumberLoader

    connection.adapters.register_loader("numeric", WholeNumberLoader)


def _make_private_file(_dialect: Any, _record: Any, arguments: Sequence[Any], options: dict[str, Any]) -> None:
    """A new database file is its owner's alone: it names users. SQLite gives its -wal and -shm files the same mode."""
    path = _new_file_path(str(arguments[0]), is_uri=bool(options.get("uri")))
    if path:
        # There already (its mode is its owner's choice), or it cannot be made: SQLite opens it next and says why not.
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _new_file_path(name: str, *, is_uri: bool) -> str:
    """The file that SQLite would make for a database name; "" where it makes none."""
    if name == ":memory:" or not is_uri or not name.startswith("file:"):
        return "" if name == ":memory:" else name
    parts = urlsplit(name)
    mode = parse_qs(parts.query).get("mode", ["rwc"])[-1]
    path = unquote(parts.path)
    return path if mode == "rwc" and path != ":memory:" else ""


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy says BEGIN, not the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a commit survives a power cut, as it does on PostgreSQL.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    # Take the write lock at once: a transaction that reads first and writes later could fail half-way as locked.
    if not connection.get_execution_options().get("rice_read_only"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
