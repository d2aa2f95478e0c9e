"""Bringing a database to the schema of this version: Alembic's steps, then the views, which hold no data."""

from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from rice_stream.store import views
from rice_stream.store.calendars import ensure_months
from rice_stream.store.revisions import current_revision, head_revision, migrations_folder


class Migration(NamedTuple):
    """Revisions before and after; None: an empty database."""

    from_revision: str | None
    to_revision: str | None


def alembic_config(engine: Engine) -> Config:
    """Alembic's configuration for this engine, from a checkout or from the installed package."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["engine"] = engine
    return config


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
    if after == head_revision():
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
