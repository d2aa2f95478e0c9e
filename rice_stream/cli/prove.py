"""`rice-stream prove`."""

from pathlib import Path

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session, say
from rice_stream.errors import UsageError
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
    import json

    from rice_stream.reports.month_proofs import month_proof
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    when = instant("--ended-at", ended_at)
    document = month_proof(open_store(session.settings), EVERYTHING, event_id, tenant=tenant, ended_at=when)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    if out is not None:
        try:
            out.write_text(f"{text}\n", "utf-8")
        except OSError as error:
            raise UsageError(f"--out: cannot write {out} ({error.strerror})") from error
    proven = f"{out}: {event_id} is proven to be in {document['period']['month']} of {document['period']['tenant_id']}"
    answer(document, as_json=as_json, human=lambda: say(text if out is None else proven))
