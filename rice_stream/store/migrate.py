"""Bringing a database to the schema of this version: Alembic's steps, then views and access, in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from rice_stream.errors import UsageError
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.calendars import ensure_months
from rice_stream.store.engine import StoreUnavailableError, reading
from rice_stream.store.failures import first_line
from rice_stream.store.lock_waits import limit_lock_waits, long_transactions, wait_for_batches
from rice_stream.store.range_function import refresh_range_function
from rice_stream.store.revisions import head_revision, migrations_folder, revision_within
from rice_stream.store.row_security import grant_api
from rice_stream.store.view_upkeep import Access, drop_views, refresh_views, sqlstate

POSTGRESQL_MIN = 14
"""The oldest major version: the index by which an event is found (0003) is of a kind that came with it."""
LOCK_TIMEOUT_S = 60
"""How long a step waits for those who use a table: meanwhile everybody who comes after waits behind it."""
_DEPENDED_ON = ("2BP01", "0A000")
"""SQLSTATEs: what is dropped, or a column whose type is changed, is used by a view or another object."""
_LOCK_TIMEOUT = "55P03"
_OUT_OF_RANGE = "22003"
"""SQLSTATE: an integer that the type of its column has no room for."""


class Migration(NamedTuple):
    """Revisions before and after; None: an empty database."""

    from_revision: str | None
    to_revision: str | None


def alembic_config(bind: Engine | Connection) -> Config:
    """Alembic's configuration for this database, from a checkout or from the installed package."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["bind"] = bind
    return config


def migrate(engine: Engine, revision: str = "head", *, by: Actor | None = None) -> Migration:
    """Upgrade (or, to an older revision, downgrade), all or nothing. Running it again changes nothing.

    `by`: an upgrade to the newest revision by somebody is kept in the audit trail.

    Grants on the views, and views of others on top of them, are kept. UsageError, with nothing done: the server is too old,
    there is no such revision, or something that others made is in the way (it is named). StoreUnavailableError, likewise: a
    table is in use.
    """
    with _refusals(engine), engine.begin() as connection:
        _require_supported_server(connection)
        limit_lock_waits(connection, LOCK_TIMEOUT_S)
        # Of two that migrate at once, the second waits here and then finds nothing to do.
        if connection.dialect.name == "postgresql":
            hold(connection, AdvisoryLock.GIVE_OUT_KEYS)
        before = revision_within(connection)
        script = ScriptDirectory.from_config(alembic_config(connection))
        target = script.get_revision(revision)
        after = target.revision if target else None
        lost = _go(connection, script, before, after) if after != before else []
        if after == head_revision():
            refresh_views(connection, lost)
            refresh_range_function(connection)
            grant_api(connection)
            ensure_months(connection, "UTC")
            if by is not None and after != before:
                revisions = {"revision": before}, {"revision": after}
                record(connection, by, [AuditedChange("schema.migrate", "schema", "", None, *revisions)])
    return Migration(before, after)


def _go(connection: Connection, script: ScriptDirectory, before: str | None, after: str | None) -> list[Access]:
    """Take the steps; returns what was lost with views that had to go."""
    config = alembic_config(connection)
    older: set[str] = set()
    if before is not None:
        script.get_revision(before)  # CommandError when this version does not know it
        older = {step.revision for step in script.iterate_revisions(before, "base")}
        # A step may add up what is there.
        wait_for_batches(connection)
    if after is None or after in older:
        # Views are those of the newest schema only.
        drop_views(connection)
        with _views_of_others_on_sqlite(connection):
            command.downgrade(config, after or "base")
        return []
    if connection.dialect.name == "sqlite":
        drop_views(connection)
        with _views_of_others_on_sqlite(connection):
            command.upgrade(config, after)
        return []
    try:
        with connection.begin_nested():
            command.upgrade(config, after)
    except DBAPIError as error:
        if _dependents(error) is None:
            raise
    else:
        return []
    lost = drop_views(connection)
    command.upgrade(config, after)
    return lost


@contextmanager
def _views_of_others_on_sqlite(connection: Connection) -> Iterator[None]:
    """SQLite refuses to rename any table while some view reads what is not there: ours, or the table that is being made again."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")


def _require_supported_server(connection: Connection) -> None:
    version = connection.dialect.server_version_info or ()
    if connection.dialect.name == "postgresql" and version < (POSTGRESQL_MIN,):
        raise UsageError(
            f"PostgreSQL {'.'.join(map(str, version))} is too old: use {POSTGRESQL_MIN} or newer, then run"
            " `rice-stream migrate` again"
        )


@contextmanager
def _refusals(engine: Engine) -> Iterator[None]:
    """What the operator can act on; the transaction has been rolled back by then."""
    try:
        yield
    except CommandError as error:
        raise UsageError(
            f"{first_line(error)}: this version knows the revisions up to {head_revision()}; a database that a newer version"
            " has migrated needs that version"
        ) from error
    except DBAPIError as error:
        if sqlstate(error) == _LOCK_TIMEOUT:
            with reading(engine) as connection:
                holders = long_transactions(connection, LOCK_TIMEOUT_S)
            raise StoreUnavailableError(
                f"a table was in use for more than {LOCK_TIMEOUT_S} s, and nothing was changed: end what holds it"
                f" ({holders or 'pg_dump, a long query, a worker that hangs, another migration'}), then run"
                " `rice-stream migrate` again"
            ) from error
        if sqlstate(error) == _OUT_OF_RANGE:
            raise UsageError(
                "nothing was changed: a total is larger than the 64 bits that this version keeps totals in (docs/accounting.md,"
                " How large a total can become)"
            ) from error
        dependents = _dependents(error)
        if dependents is None:
            raise
        raise UsageError(
            f"nothing was changed, because other objects rest on what has to change: {dependents}. Drop them, run"
            " `rice-stream migrate`, and create them again"
        ) from error


def _dependents(error: DBAPIError) -> str | None:
    """PostgreSQL's list of what depends on what it was to change, as one line; None: that was not the error."""
    if sqlstate(error) not in _DEPENDED_ON:
        return None
    driver_error: Any = error.orig
    detail: str | None = driver_error.diag.message_detail
    return "; ".join(detail.splitlines()) if detail else None
