"""`rice-stream archive`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError

if TYPE_CHECKING:
    from rice_stream.store.engine import Engine


@click.command()
@click.option("--before", metavar="YYYY-MM", help="All signed months before this one.")
@click.option("--month", metavar="YYYY-MM", help="One month, with --tenant.")
@click.option("--tenant", metavar="NAME", help="Of this tenant alone.")
@click.option(
    "--warehouse", type=click.Path(file_okay=False, path_type=Path), help="Instead of RICE_ARCHIVE_WAREHOUSE."
)
@click.option(
    "--check",
    is_flag=True,
    help="Archive nothing: read every file that is archived and compare it with what was written.",
)
@json_option
@pass_session
def archive(
    session: Session,
    /,
    *,
    before: str | None,
    month: str | None,
    tenant: str | None,
    warehouse: Path | None,
    check: bool,
    as_json: bool,
) -> None:
    """Write the records of closed months to Parquet files of an Iceberg table; retention may drop them then.

    `explain`, `prove`, `restate` and `export` read them there. A run that was cut short goes on when it is asked for again. What
    came late since is added. With --check, exit code 1 when a file is gone or was changed.

    Example: rice-stream archive --before 2026-11
    """
    from rice_stream.runtime.opening import open_store

    engine = open_store(session.settings)
    if check:
        _check(engine, as_json=as_json)
        return
    if (before is None) == (month is None) or (month is not None and tenant is None):
        raise UsageError("say which months: --before YYYY-MM, or --tenant NAME --month YYYY-MM")
    place = warehouse or session.settings.archive_warehouse
    if place is None:
        raise UsageError(
            "RICE_ARCHIVE_WAREHOUSE is not set: say in which folder the archive is, there or with --warehouse"
        )
    from rice_stream.ledger.archiving import Archiving, months_to_archive

    archiving = Archiving(engine, place, session.actor)
    wanted = months_to_archive(engine, tenant=tenant, month=month, before=before)
    with STDERR.status("archiving") as status:
        rows = [
            archiving.archive(each, lambda what, done: status.update(f"{what}: {done:,} records")) for each in wanted
        ]
    sums = {name: sum(row[name] for row in rows) for name in ("records", "bytes")}
    document = {"months": len(rows), **sums, "rows": rows}
    answer(document, as_json=as_json, human=lambda: _show(document))


def _check(engine: "Engine", *, as_json: bool) -> None:
    from rice_stream.proof.archive_verification import verify_archive

    with STDERR.status("reading the archive"):
        document = verify_archive(engine)
    answer(document, as_json=as_json, human=lambda: _show_check(document))
    if not document["ok"]:
        sys.exit(BAD_NEWS)


def _show(document: dict[str, Any]) -> None:
    if not document["rows"]:
        say("nothing to archive: every signed month is in the archive, or its records are gone")
        return
    columns = ["tenant_id", "month", "records", "late", "files", "bytes", "root"]
    table(columns, [[row[name] for name in columns] for row in document["rows"]])


def _show_check(document: dict[str, Any]) -> None:
    say(f"{document['months']:,} months, {document['records']:,} records, {document['bytes']:,} bytes")
    for problem in document["problems"]:
        say(problem)
    say("ok" if document["ok"] else "DAMAGED")
