"""`rice-stream reconcile`."""

from pathlib import Path
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--provider", required=True, metavar="NAME", help="openai, anthropic, bedrock, azure or vertex.")
@click.option("--tenant", required=True, metavar="NAME", help="Whose month.")
@click.option("--month", required=True, metavar="YYYY-MM", help="The month, in the tenant's time zone.")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="What events call the provider, instead of the usual names."
)
@click.option(
    "--threshold-percent",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Exit 1 from this share of the provider's tokens on that nothing explains.",
)
@click.option("--dry-run", is_flag=True, help="Keep nothing, and tell no channel.")
@json_option
@pass_session
def reconcile(
    session: Session,
    /,
    *,
    file: Path,
    provider: str,
    tenant: str,
    month: str,
    names: tuple[str, ...],
    threshold_percent: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare the tokens of a month with a provider's usage export: the difference by cause, and what is unexplained.

    FILE is JSON, JSON lines or CSV as the provider gives it out. What was found is kept with the file's digest, and never the file;
    channels are told where more is unexplained than the threshold. Exit 1: it is.

    Example: rice-stream reconcile usage.csv --provider openai --tenant acme --month 2026-10
    """
    import hashlib

    from rice_stream.ledger.reconciling import record_reconciliation
    from rice_stream.reports.reconciliation import ReconciliationOrder
    from rice_stream.reports.reconciliation import reconcile as reconciled
    from rice_stream.reports.usage_exports.reading import read_usage, usage_text
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    content = file.read_bytes()
    usage = read_usage(usage_text(content), provider)
    order = ReconciliationOrder(tenant, month, provider, names, threshold_percent)
    engine = open_store(session.settings)
    compared = reconciled(engine, EVERYTHING, order, usage)
    document = compared
    if not dry_run:
        document = record_reconciliation(engine, compared, hashlib.sha256(content).hexdigest(), session.actor)
    answer(document, as_json=as_json, human=lambda: _show(document))
    if not document["ok"]:
        raise SystemExit(BAD_NEWS)


def _show(document: dict[str, Any]) -> None:
    tokens = document["tokens"]
    rows: list[list[object]] = [
        ["ours, of the month", tokens["ours"], ""],
        *(
            [cause["cause"].replace("_", " "), cause["tokens"], cause["why"]]
            for cause in document["causes"]
            if cause["tokens"]
        ),
        ["unexplained", document["unexplained"], ""],
        [f"theirs, {document['file']['from']} to {document['file']['to']}", tokens["theirs"], ""],
    ]
    percent = document["unexplained_percent"]
    limit = document["threshold_percent"]
    judged = "no tokens are stated" if percent is None else f"{percent:.3g} % unexplained (bad from {limit:g} %)"
    table(["", "tokens", "why"], rows, title=judged)
