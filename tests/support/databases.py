"""Databases for tests: `database` runs a test on SQLite and on PostgreSQL, `sqlite` and `postgresql` on that one alone;
`either_database` is one of both in each run.

Each kind makes empty databases, migrated ones, and a migrated one that is quick to get because tests take turns at it.
`engine` and `store` are that one, opened: a test that asks for either runs on every kind.
"""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, text

from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store import schema
from rice_stream.store.archive.kept import CATALOGUE_SCHEMA
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.revisions import head_revision
from tests.support.cases import some
from tests.support.reports_store import Store, open_store
from tests.support.services import start_again


class Databases(Protocol):
    """Databases of one kind; every method returns a SQLAlchemy URL."""

    def empty(self) -> str:
        """A new database in which nothing is."""
        ...

    def migrated(self) -> str:
        """A new database at the head of the migrations, without data."""
        ...

    def emptied(self) -> str:
        """The same, but perhaps one that other tests have had before: only for what ends with the test."""
        ...


class SqliteDatabases:
    """Files in the test's own directory; migrated ones are copies of one file."""

    def __init__(self, template: Path, directory: Path) -> None:
        self._template = template
        self._directory = directory

    def empty(self) -> str:
        """See `Databases`."""
        return f"sqlite:///{self._path()}"

    def migrated(self) -> str:
        """See `Databases`."""
        path = self._path()
        shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"

    emptied = migrated

    def _path(self) -> Path:
        return self._directory / f"rice-{secrets.token_hex(4)}.db"


class PostgresDatabases:
    """Databases of the session's server; migrated ones are copies of one that is kept as a template."""

    TEMPLATE, REUSED = "migrated", "reused"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._created: list[str] = []

    def empty(self) -> str:
        """See `Databases`."""
        return self._server.create_database(self._name())

    def migrated(self) -> str:
        """See `Databases`."""
        return self._copy(self._name())

    def emptied(self) -> str:
        """See `Databases`."""
        if self.REUSED not in self._server.databases():
            return self._copy(self.REUSED)
        engine = open_engine(self._server.url(self.REUSED))
        empty_postgres(engine)
        engine.dispose()
        return self._server.url(self.REUSED)

    def close(self) -> None:
        """Drop what was made for one test."""
        start_again(self._server)
        for name in self._created:
            self._server.drop_database(name)

    def _name(self) -> str:
        self._created.append(f"test_{secrets.token_hex(4)}")
        return self._created[-1]

    def _copy(self, name: str) -> str:
        if self.TEMPLATE not in self._server.databases():
            engine = open_engine(self._server.create_database(self.TEMPLATE))
            migrate(engine)
            engine.dispose()
        with psycopg.connect(self._server.conninfo(), autocommit=True) as connection:
            names = sql.Identifier(name), sql.Identifier(self.TEMPLATE)
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self._server.url(name)


def partitions(engine: Engine) -> list[str]:
    """The partitions of PostgreSQL's table of records, which data makes."""
    query = (
        "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'prompt_record'::regclass"
    )
    with engine.connect() as connection:
        return sorted(connection.execute(text(query)).scalars())


_APPEND_ONLY = ("audit_entry", "factor_set", "reference_tables")


def empty_postgres(engine: Engine) -> None:
    """Take all data and partitions away; what the migrations put into tables stays, and the revision is theirs again.

    Few tables have rows after a test, and truncating one that has none takes as long as any.
    """
    dropped = "".join(f"DROP TABLE {partition}; " for partition in partitions(engine))
    tables = sorted(set(schema.metadata.tables) - {"month_start"})
    with engine.begin() as connection:
        asked = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
        filled = list(connection.execute(text(asked)).scalars())
        connection.execute(text(f"{dropped}DROP SCHEMA IF EXISTS {CATALOGUE_SCHEMA} CASCADE"))
        for table in set(_APPEND_ONLY) & set(filled):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        if filled:
            connection.execute(text(f"TRUNCATE {', '.join(filled)}"))
        for table in _APPEND_ONLY:
            connection.execute(text(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only"))
        connection.execute(text("ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_erases_only"))
        connection.execute(text(_NUMBERS_FROM_THE_START))
        connection.execute(text("DELETE FROM alembic_version"))
        connection.execute(text(f"INSERT INTO alembic_version VALUES ('{head_revision()}')"))


_NUMBERS_FROM_THE_START = (
    "SELECT setval(CAST(format('%I.%I', schemaname, sequencename) AS regclass), start_value, false) FROM pg_sequences"
    " WHERE last_value IS NOT NULL"
)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at the head of the migrations: to be copied, which is quicker than migrating."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> SqliteDatabases:
    """SQLite alone."""
    return SqliteDatabases(sqlite_template, tmp_path)


@pytest.fixture
def postgresql(postgres: PostgresServer) -> Iterator[PostgresDatabases]:
    """PostgreSQL alone."""
    start_again(postgres)
    databases = PostgresDatabases(postgres)
    yield databases
    databases.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest) -> Databases:
    """Every kind of database: the test runs once on each."""
    databases: Databases = request.getfixturevalue(request.param)
    return databases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which kind it is for a test that asks for either."""
    if "either_database" in metafunc.fixturenames:
        kinds = some(metafunc.definition.nodeid, ["sqlite", "postgresql"], 1)
        metafunc.parametrize("either_database", kinds, indirect=True)


@pytest.fixture
def either_database(request: pytest.FixtureRequest) -> Databases:
    """For long tests of what hardly depends on the database: one kind in each run, both in a drill."""
    databases: Databases = request.getfixturevalue(request.param)
    return databases


@pytest.fixture
def engine(database: Databases) -> Iterator[Engine]:
    """A migrated database without data, of every kind."""
    engine = open_engine(database.emptied())
    yield engine
    engine.dispose()


@pytest.fixture
def store(database: Databases) -> Iterator[Store]:
    """The same with a pipeline that writes to it."""
    with open_store(database.emptied()) as store:
        yield store


@pytest.fixture(scope="module")
def postgres_of_module(postgres: PostgresServer) -> Iterator[PostgresDatabases]:
    """PostgreSQL alone, with databases that the tests of a module share."""
    start_again(postgres)
    databases = PostgresDatabases(postgres)
    yield databases
    databases.close()
