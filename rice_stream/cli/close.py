"""`rice-stream close`."""

import sys
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table


@click.command()
@click.option("--tenant", required=True, metavar="NAME", help="Whose month.")
@click.option("--month", required=True, metavar="YYYY-MM", help="The month, in the tenant's time zone.")
@click.option("--soft", is_flag=True, help="Do not sign yet: what comes from now on is late all the same.")
@click.option(
    "--accept", multiple=True, metavar="NAME", help="Close although this line of the checklist is not in order."
)
@click.option("--reason", help="Why it is accepted; kept with the month for good.")
@click.option("--dry-run", is_flag=True, help="Only go through the checklist; exit code 1: something is in the way.")
@json_option
@pass_session
def close(
    session: Session,
    /,
    *,
    tenant: str,
    month: str,
    soft: bool,
    accept: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Close a month of a tenant, and sign what it was. There is no way back: what comes or is corrected later is posted beside it.

    First a checklist: events have come from after its end, what was refused is decided, enough is attributed and known, and totals
    are what their records add up to. A close that was cut short goes on when it is asked for again.

    Example: rice-stream close --tenant acme --month 2026-10 --accept quarantine --reason "duplicates of a test, see OPS-12"
    """
    from datetime import UTC, datetime
    from uuid import uuid4

    from rice_stream.ledger.closing import CloseOrder
    from rice_stream.ledger.publishing import publish_checkpoints
    from rice_stream.reports.periods import periods
    from rice_stream.runtime.checkpoint_places import checkpoint_places
    from rice_stream.runtime.month_closing import month_of_tenant, open_closing
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    settings = session.settings
    engine = open_store(settings)
    closing = open_closing(settings, engine, session.actor)
    which = month_of_tenant(engine, tenant, month)
    order = CloseOrder(tenant, which, soft, dict.fromkeys(accept, reason or ""))
    if dry_run:
        lines = [line.as_json(None) for line in closing.checklist(order)]
        answer({"checklist": lines}, as_json=as_json, human=lambda: _show_checklist(lines))
        if any(line["ok"] is False for line in lines):
            sys.exit(BAD_NEWS)
        return
    with STDERR.status("closing") as status:
        closing.close(
            order, lambda step, records: status.update(step if records is None else f"{step}: {records:,} records")
        )
        if not soft:
            publish_checkpoints(engine, checkpoint_places(settings), uuid4().hex)
    rows = periods(engine, EVERYTHING, datetime.now(UTC), tenant=tenant)
    document = next(row for row in rows if row["month"] == which.name)
    answer(document, as_json=as_json, human=lambda: _show(document))


def _show_checklist(lines: list[dict[str, Any]]) -> None:
    said = {True: "ok", False: "NOT OK", None: "open"}
    rows = [[line["name"], said[line["ok"]], line["found"], line["to_do"] or ""] for line in lines]
    table(["line", "", "found", "what to do"], rows)


def _show(document: dict[str, Any]) -> None:
    carbon = document["carbon_gco2e"]
    rows: list[list[object]] = [
        ["tenant", document["tenant_id"]],
        ["from", document["from"]],
        ["to", document["to"]],
        ["records", document["records"]],
        ["entries", document["entries"]],
        ["as reported, gCO2e", carbon["mid"]],
        ["root", document["root"]],
    ]
    table([document["state"].replace("_", " "), document["month"]], rows)
