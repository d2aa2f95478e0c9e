"""`rice-stream restate`."""

from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.reports.moments import moment
from rice_stream.reports.windows import bounds_us
from rice_stream.runtime.opening import open_store
from rice_stream.store.restatement_store import RestatementOrder


@click.command()
@click.option("--from", "start", metavar="TIME", required=True, help="Date or RFC 3339 instant at which to begin.")
@click.option(
    "--to", "end", metavar="TIME", required=True, help="Date or instant at which to end; itself not included."
)
@click.option("--tenant", help="Only this tenant.  [default: all]")
@click.option("--method", type=click.Choice(METHOD_NAMES), help="Estimate by this method.  [default: RICE_METHOD]")
@click.option("--reason", required=True, help="Why; kept with the corrections for good.")
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@json_option
@pass_session
def restate(session: Session, /, *, as_json: bool, dry_run: bool, **asked: Any) -> None:
    """Estimate recorded prompts again, by the method and the factors of today, and post the difference as entries.

    Records stay as they are, and so does what was reported of them. A run that was cut short goes on where it was when it is asked
    for again. Dates are days of UTC.

    Example: rice-stream restate --from 2026-01-01 --to 2026-07-01 --method rice-calibrated --reason "new method" --dry-run
    """
    from rice_stream.ledger.restating import Restating
    from rice_stream.runtime.opening_estimator import token_defaults
    from rice_stream.runtime.opening_factors import open_estimator_with_sets

    start, end = moment("--from", asked["start"]), moment("--to", asked["end"])
    from_us, to_us = bounds_us(start, end, "UTC")
    settings = session.settings
    engine = open_store(settings)
    estimator = open_estimator_with_sets(settings, engine, asked["method"])
    # The tables of the end of the stretch: later sets do not hold for it.
    versions = estimator.at(to_us - 1).versions
    order = RestatementOrder(from_us, to_us, asked["tenant"], versions["method"], versions["factors"], asked["reason"])
    run = Restating(engine, estimator, token_defaults(settings), order, session.actor, dry_run=dry_run)
    with STDERR.status("restating"):
        for _ in run.steps():
            pass
    document = run.document
    answer(document, as_json=as_json, human=lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    rows: list[list[object]] = [
        ["records", document["records"]],
        ["entries", document["entries"]],
        ["before, gCO2e", document["before_gco2e"]],
        *([f"by {cause}, gCO2e", amount] for cause, amount in document["by_cause"].items()),
        ["after, gCO2e", document["after_gco2e"]],
        ["difference, %", document["materiality_percent"]],
    ]
    table([document["state"], document["restatement_id"] or ""], rows)
