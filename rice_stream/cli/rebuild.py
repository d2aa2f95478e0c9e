"""`rice-stream rebuild`."""

import sys
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session, say
from rice_stream.cli.progress import progress_bar
from rice_stream.cli.tables import table
from rice_stream.proof.rebuild import rebuild as rebuild_totals
from rice_stream.reports.moments import instant
from rice_stream.runtime.opening import open_store


@click.command()
@click.option("--from", "start", metavar="TIME", help="From the day (UTC) of this date or instant on.")
@click.option("--to", "end", metavar="TIME", help="Up to this date, or to the end of the day of this instant.")
@click.option("--tenant", metavar="TENANT", help="Totals of this tenant only.")
@click.option("--dry-run", is_flag=True, help="Count the differences, and change nothing.")
@json_option
@pass_session
def rebuild(
    session: Session, /, start: str | None, end: str | None, tenant: str | None, *, dry_run: bool, as_json: bool
) -> None:
    """Put right every total that differs from the sum of its records.

    Runs beside live workers, which it keeps waiting for moments at most. Records are the truth; totals from before the
    retention horizon stay as they are. Exit code 1 when totals differ still: with --dry-run, or because somebody else
    goes on changing them.

    Example: rice-stream rebuild --from 2026-11-01 --dry-run
    """
    engine = open_store(session.settings)
    with progress_bar("rebuild") as progress:
        document = rebuild_totals(
            engine,
            progress,
            start=instant("--from", start),
            end=instant("--to", end),
            tenant_id=tenant,
            dry_run=dry_run,
            by=session.actor,
        )
    answer(document, as_json=as_json, human=lambda: _show(document))
    if not document["ok"]:
        sys.exit(BAD_NEWS)


def _show(document: dict[str, Any]) -> None:
    found, rebuilt = document["differences_before"], document["rows_rebuilt"]
    if not found:
        say("ok: no total differs from its records")
    elif document["dry_run"]:
        say(f"DIFFERENT: {found:,} row(s); nothing was changed (--dry-run)")
    elif document["ok"]:
        say(f"ok: {rebuilt:,} row(s) put right")
    else:
        say(f"DIFFERENT: {rebuilt:,} row(s) put right, and some differ again; does a worker of another version run?")
    if found:
        names = ["table", "missing", "extra", "differs", "rows_rebuilt"]
        shown = ["table", "missing", "extra", "wrong", "put right"]
        table(shown, [[row[name] for name in names] for row in document["tables"]])
    if document["records_from"]:
        STDERR.print(
            f"Records from before {document['records_from']} have been dropped: their totals stay as they are."
        )
