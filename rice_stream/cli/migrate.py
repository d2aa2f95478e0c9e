"""`rice-stream migrate`."""

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.runtime.opening import open_store
from rice_stream.store.engine import store_errors
from rice_stream.store.migrate import migrate as run_migration


@click.command()
@click.option("--revision", default="head", show_default=True, help="Revision to go to; an older one goes back to it.")
@json_option
@pass_session
def migrate(session: Session, revision: str, *, as_json: bool) -> None:
    """Bring the database to the schema of this version. Running it again changes nothing.

    Example: RICE_DATABASE_URL=postgresql://rice@db/rice rice-stream migrate
    """
    engine = open_store(session.settings, migrated=False)
    with store_errors("migrate"):
        result = run_migration(engine, revision, by=session.actor)
    document = {"from": result.from_revision, "to": result.to_revision}

    def human() -> None:
        if result.from_revision == result.to_revision:
            STDERR.print(f"The database is at {result.to_revision} already.")
        else:
            STDERR.print(
                f"The database went from {result.from_revision or 'empty'} to {result.to_revision or 'empty'}."
            )

    answer(document, as_json=as_json, human=human)
