"""`rice-stream restate`."""

import time
from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.progress import progress_bar
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.reports.moments import moment
from rice_stream.reports.restatements import described, restatement_page
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING

_LISTED = 100


@click.command()
@click.option("--from", "start", metavar="TIME", help="Date or RFC 3339 instant at which to begin.")
@click.option("--to", "end", metavar="TIME", help="Date or instant at which to end; itself not included.")
@click.option("--tenant", help="Only this tenant.  [default: all]")
@click.option("--method", type=click.Choice(METHOD_NAMES), help="Estimate by this method.  [default: RICE_METHOD]")
@click.option("--factors", metavar="VERSION", help="Estimate by this version of the tables.  [default: today's]")
@click.option(
    "--true-up",
    is_flag=True,
    help="Only what rests on provisional carbon intensities for which sets have final ones by now.",
)
@click.option("--reason", help="Why; kept with the corrections for good.")
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@click.option(
    "--list", "listed", is_flag=True, help=f"The latest {_LISTED} restatements, also those that servers do, instead."
)
@json_option
@pass_session
def restate(session: Session, /, *, as_json: bool, listed: bool, tenant: str | None, **asked: Any) -> None:
    """Estimate recorded prompts again, by the method and the factors of today, and post the difference as entries.

    Records stay as they are, and so does what was reported of them. A run that was cut short goes on where it was when it is asked
    for again. Dates are days of UTC.

    Example: rice-stream restate --from 2026-01-01 --to 2026-07-01 --method rice-calibrated --reason "new method" --dry-run
    """
    settings = session.settings
    threshold_percent = settings.restatement_threshold_percent
    engine = open_store(settings)
    if listed:
        options: dict[str, Any] = {"tenant": tenant, "limit": _LISTED, "threshold_percent": threshold_percent}
        rows = restatement_page(engine, EVERYTHING, **options)["rows"]
        answer({"rows": rows}, as_json=as_json, human=lambda: _show_all(rows))
        return
    document = _restated(session, tenant=tenant, **asked)
    answer(document, as_json=as_json, human=lambda: _show(document))


def _restated(
    session: Session, *, start: str | None, end: str | None, reason: str | None, method: str | None, **asked: Any
) -> dict[str, Any]:
    from rice_stream.runtime.restating_orders import Restaters, beside_workers, run_of

    if start is None or end is None or reason is None:
        raise UsageError("--from, --to, --reason: a restatement needs all of them; --list shows those that there are")
    settings = session.settings
    engine = open_store(settings)
    latest_at_us = time.time_ns() // 1000 if asked["true_up"] else None
    restaters = Restaters(settings, engine, asked["factors"], latest_at_us=latest_at_us)
    order = restaters.order(
        moment("--from", start),
        moment("--to", end),
        tenant_id=asked["tenant"],
        method_name=method,
        reason=reason,
        dry_run=asked["dry_run"],
        true_up=asked["true_up"],
    )
    run = run_of(restaters, engine, order, session.actor)
    run.give_way = beside_workers(settings, engine)
    with progress_bar("restating") as progress:
        for records in run.steps():
            progress("restating", records, max(records, run.state.records_expected or 0))
    return described(run.state, settings.restatement_threshold_percent)


def _show(document: dict[str, Any]) -> None:
    rows: list[list[object]] = [
        ["records", document["records"]],
        ["entries", document["entries"]],
        ["before, gCO2e", document["before_gco2e"]],
        *([f"by {cause}, gCO2e", amount] for cause, amount in document["by_cause"].items()),
        ["after, gCO2e", document["after_gco2e"]],
        *(
            [f"by {cause}, gCO2e by the market", amount]
            for cause, amount in document["market_by_cause"].items()
            if amount != document["by_cause"].get(cause)
        ),
        ["as reported, gCO2e", document["reported_gco2e"]],
        ["changed since, %", document["materiality_percent"]],
        *(
            [["as reported by the market, gCO2e", reported], ["changed since by the market, %", percent]]
            if (reported := document["reported_market_gco2e"]) is not None
            and (percent := document["materiality_market_percent"]) != document["materiality_percent"]
            else []
        ),
        [f"material (from {document['threshold_percent']:g} %)", "yes" if document["material"] else "no"],
    ]
    table([_state(document), document["restatement_id"] or ""], rows)


def _show_all(rows: list[dict[str, Any]]) -> None:
    names = ("restatement_id", "tenant", "from", "to", "records", "entries", "difference_gco2e", "reason")
    table(["state", *names], [[_state(row), *(row[name] for name in names)] for row in rows])


def _state(document: dict[str, Any]) -> str:
    return "dry run" if document["dry_run"] and document["state"] == "done" else str(document["state"])
