"""`rice-stream void`."""

from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.ledger.voiding import void_record
from rice_stream.reports.moments import instant
from rice_stream.reports.record_keys import find_key
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING


@click.command()
@click.argument("event_id")
@click.option("--reason", required=True, help="Why the event is wrong; kept with the correction for good.")
@click.option("--tenant", help="Needed when several tenants have an event of this id.")
@click.option("--ended-at", metavar="TIME", help="Needed when a tenant has several of this id.")
@json_option
@pass_session
def void(
    session: Session, /, event_id: str, *, reason: str, tenant: str | None, ended_at: str | None, as_json: bool
) -> None:
    """Take a wrong event out of all totals; its record stays, and so does what was reported of it.

    Doing it again changes nothing, and answers what was taken away the first time.

    Example: rice-stream void req-7f3a --tenant acme --reason "load test that was sent to the production topic"
    """
    engine = open_store(session.settings)
    found = find_key(engine, EVERYTHING, event_id, tenant, instant("--ended-at", ended_at))
    by = session.actor
    document = void_record(engine, found.key, found.tenant_id, event_id, reason=reason, by=by)
    answer(document, as_json=as_json, human=lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    carbon = document["amounts"]["carbon_gco2e"]
    rows = [
        ["event", document["event_id"]],
        ["tenant", document["tenant_id"]],
        ["taken away, gCO2e", -carbon["mid"]],
        ["entry group", document["entry_group"]],
        ["reason", document["reason"]],
    ]
    table(["voided" if document["posted"] else "voided before", ""], rows)
