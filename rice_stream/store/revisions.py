"""Which schema a database has and which one this version works with.

Apart from `migrate.py`, because every start of a process asks this and must not load Alembic for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from rice_stream.errors import RiceError, UsageError

_PACKAGE = Path(__file__).resolve().parent.parent
REVISION_QUERY = "SELECT version_num FROM alembic_version"


class SchemaChangedError(UsageError):
    """The schema of the database is not the one that this version works with (any more). Nothing was stored by what it ended."""


def migrations_folder() -> Path:
    """Where the migrations are, in a checkout or in the installed package."""
    installed = _PACKAGE / "_migrations"
    return installed if installed.is_dir() else _PACKAGE.parent / "migrations"


def head_revision() -> str:
    """The revision this version of rice_stream works with: that of the last step, as its file is numbered.

    Ask once, at the start: a newer version may be put into the same place while a process runs.
    """
    steps = (migrations_folder() / "versions").glob("[0-9]*_*.py")
    return max(step.name.partition("_")[0] for step in steps)


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None: no schema yet."""
    with engine.connect().execution_options(rice_read_only=True) as connection:
        return revision_within(connection)


def revision_within(connection: Connection) -> str | None:
    """The same, as the transaction of this connection sees it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text(REVISION_QUERY))
    return revision


def require_revision(connection: Connection, expected: str | None) -> None:
    """SchemaChangedError unless the transaction of this connection sees the expected revision."""
    check_revision(revision_within(connection), expected)


def check_revision(found: str | None, expected: str | None) -> None:
    """SchemaChangedError, with what to do, unless the revisions are the same. Revisions are numbered in their order."""
    if found == expected:
        return
    what_to_do = (
        "start a version that works with it in the place of this one"
        if found is not None and expected is not None and found > expected
        else "run `rice-stream migrate`"
    )
    raise SchemaChangedError(
        f"the database is at schema {found or 'none'}, this version works with {expected or 'none'}: {what_to_do}"
    )


@contextmanager
def schema_change_told(engine: Engine, expected: str) -> Iterator[None]:
    """Whatever fails inside fails as SchemaChangedError where another version has migrated the database meanwhile: a
    statement about a column that is gone says nothing to anybody."""
    try:
        yield
    except SchemaChangedError:
        raise
    except (DBAPIError, RiceError) as error:
        try:
            found = current_revision(engine)
        except DBAPIError:
            raise error from None
        try:
            check_revision(found, expected)
        except SchemaChangedError as changed:
            raise changed from error
        raise
