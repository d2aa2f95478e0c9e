"""`rice-stream prove`."""

from pathlib import Path

import click

from rice_stream.cli.audit_proofs import answer_proof
from rice_stream.cli.base import Session, json_option, pass_session
from rice_stream.reports.moments import instant


@click.command()
@click.argument("event_id")
@click.option("--tenant", help="Needed when several tenants have an event of this id.")
@click.option("--ended-at", metavar="TIME", help="Needed when a tenant has several of this id.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="A file for the proof.")
@json_option
@pass_session
def prove(
    session: Session, /, event_id: str, *, tenant: str | None, ended_at: str | None, out: Path | None, as_json: bool
) -> None:
    """A file that proves to somebody outside that a prompt is in what was closed and signed of its month.

    `rice-stream audit check` checks it, and so does docs/check_proof.py without any of our code.

    Example: rice-stream prove req-7f3a --tenant acme --out req-7f3a.json
    """
    from rice_stream.reports.month_proofs import month_proof
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    when = instant("--ended-at", ended_at)
    document = month_proof(open_store(session.settings), EVERYTHING, event_id, tenant=tenant, ended_at=when)
    period = document["period"]
    proven = f"{event_id} is proven to be in {period['month']} of {period['tenant_id']}"
    answer_proof(document, out, proven, as_json=as_json)
