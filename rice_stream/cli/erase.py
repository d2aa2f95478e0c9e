"""`rice-stream erase`."""

from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.ledger.erasing import ErasureOrder
from rice_stream.ledger.erasing import erase as erase_names
from rice_stream.runtime.opening import open_store


@click.command()
@click.option("--tenant", required=True, help="Whose names; without --user and --api-key all of the tenant's.")
@click.option("--user", help="A user of the tenant.")
@click.option("--api-key", help="The alias of an API key of the tenant.")
@click.option("--reason", required=True, help="Why, without the name; kept in the audit trail for good.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@json_option
@pass_session
def erase(
    session: Session,
    /,
    tenant: str,
    user: str | None,
    api_key: str | None,
    reason: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Erase the names of a person or of a whole tenant from the database; every sum, closed month and proof stays.

    There is no way back. Whoever is erased is recorded under a stand-in from then on. Doing it again takes out what has come since.

    Example: rice-stream erase --tenant acme --user u-17 --reason "asked for on 30 November" --dry-run
    """
    order = ErasureOrder(tenant, reason, user, api_key)
    with STDERR.status("Erasing"):
        document = erase_names(open_store(session.settings), order, by=session.actor, dry_run=dry_run)
    answer(document, as_json=as_json, human=lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    rows: list[list[object]] = [[name, f"{count:,}"] for name, count in document["erased"].items() if count]
    if document["dry_run"]:
        # What would stand for the name is drawn at the first erasure, and would be another one then.
        table(["would change", "rows"], rows)
    else:
        table(["erased from", "rows"], [*rows, ["now", document["stands_for"]]])
