"""Bringing a database to the schema of this version: Alembic's steps, then the views, which hold no data."""

from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from rice_stream import views
from rice_stream.store.calendars import ensure_months


class Migration(NamedTuple):
    """Revisions before and after; None: an empty database."""

    from_revision: str | None
    to_revision: str | None


def alembic_config(engine: Engine) -> Config:
    """Alembic's configuration for this engine, from a checkout or from the installed package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_migrations"
    config = Config()
    config.set_main_option("script_location", str(installed if installed.is_dir() else package.parent / "migrations"))
    config.attributes["engine"] = engine
    return config


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None: no schema yet."""
    with engine.connect().execution_options(rice_read_only=True) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision(engine: Engine) -> str | None:
    """The revision this version of rice_stream works with."""
    return ScriptDirectory.from_config(alembic_config(engine)).get_current_head()


def migrate(engine: Engine, revision: str = "head") -> Migration:
    """Upgrade (or, to an older revision, downgrade). Running it again changes nothing."""
    before = current_revision(engine)
    config = alembic_config(engine)
    _run(engine, views.drop_statements())
    if revision == "base" or (revision != "head" and before is not None and _is_older(config, revision, before)):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)
    after = current_revision(engine)
    if after == head_revision(engine):
        _run(engine, views.create_statements(engine.dialect.name))
        with engine.begin() as connection:
            ensure_months(connection, "UTC")
    return Migration(before, after)


def _is_older(config: Config, revision: str, than: str) -> bool:
    script = ScriptDirectory.from_config(config)
    return revision in {step.revision for step in script.iterate_revisions(than, "base")}


def _run(engine: Engine, statements: list[str]) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(
                statement.replace("%", "%%") if engine.dialect.name == "postgresql" else statement
            )
