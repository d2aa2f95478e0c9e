"""Which schema a database has and which one this version works with.

Apart from `migrate.py`, because every start of a process asks this and must not load Alembic for it.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

_PACKAGE = Path(__file__).resolve().parent.parent


def migrations_folder() -> Path:
    """Where the migrations are, in a checkout or in the installed package."""
    installed = _PACKAGE / "_migrations"
    return installed if installed.is_dir() else _PACKAGE.parent / "migrations"


def head_revision() -> str:
    """The revision this version of rice_stream works with: that of the last step, as its file is numbered."""
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
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
