"""`rice-stream reconcile`."""

from pathlib import Path
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
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
@click.option(
    "--carbon-gco2e",
    type=click.FloatRange(min=0),
    metavar="GRAMS",
    help="The month's carbon as the provider states it, in the place of FILE.",
)
@click.option(
    "--measure",
    type=click.Choice(["tokens", "carbon"]),
    default="tokens",
    show_default=True,
    help="What FILE states: carbon of AWS (bedrock), Azure or Google Cloud (vertex).",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="What the cloud calls the service in FILE, instead of the usual names.",
)
@click.option("--market", is_flag=True, help="That carbon is by contracts and residual mix, not by location.")
@click.option("--embodied", is_flag=True, help="That carbon has the embodied carbon of the hardware in it.")
@click.option("--dry-run", is_flag=True, help="Keep nothing, and tell no channel.")
@json_option
@pass_session
def reconcile(
    session: Session,
    /,
    *,
    file: Path | None,
    provider: str,
    tenant: str,
    month: str,
    names: tuple[str, ...],
    threshold_percent: float,
    carbon_gco2e: float | None,
    measure: str,
    services: tuple[str, ...],
    market: bool,
    embodied: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare a month's tokens with a provider's usage export, or its carbon with a cloud's file or figure, by cause.

    FILE is JSON, JSON lines or CSV as the provider gives it out, of tokens or, with `--measure carbon`,
    of carbon. What was found is kept with the file's digest, and never the file; channels are told where the threshold or
    more is unexplained. Exit 1: it is.

    Example: rice-stream reconcile usage.csv --provider openai --tenant acme --month 2026-10
    """
    import hashlib

    from rice_stream.ledger.reconciling import record_reconciliation
    from rice_stream.reports.carbon_reconciliation import StatedCarbon, reconcile_carbon, reconcile_carbon_file
    from rice_stream.reports.reconciliation import ReconciliationOrder
    from rice_stream.reports.reconciliation import reconcile as reconciled
    from rice_stream.reports.usage_exports.reading import read_usage, usage_text
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    _check_options(file, carbon_gco2e, measure, services, market=market, embodied=embodied)
    order = ReconciliationOrder(tenant, month, provider, names, threshold_percent)
    engine = open_store(session.settings)
    if file is not None:
        content = file.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        if measure == "carbon":
            text, said = usage_text(content), {"market": market, "embodied": embodied}
            document = reconcile_carbon_file(engine, EVERYTHING, order, text, services=services, **said)
        else:
            document = reconciled(engine, EVERYTHING, order, read_usage(usage_text(content), provider))
    else:
        stated = StatedCarbon(carbon_gco2e or 0.0, market, embodied)
        sha256 = stated.sha256
        document = reconcile_carbon(engine, EVERYTHING, order, stated)
    if not dry_run:
        document = record_reconciliation(engine, document, sha256, session.actor)
    answer(document, as_json=as_json, human=lambda: _show(document))
    if not document["ok"]:
        raise SystemExit(BAD_NEWS)


def _check_options(
    file: Path | None,
    carbon_gco2e: float | None,
    measure: str,
    services: tuple[str, ...],
    *,
    market: bool,
    embodied: bool,
) -> None:
    """UsageError: both a file and a figure or neither, or an option that would mean nothing beside the others."""
    from rice_stream.errors import UsageError

    if (file is None) == (carbon_gco2e is None):
        raise UsageError("give FILE, or --carbon-gco2e")
    if file is None and services:
        raise UsageError("--service: a figure has no services; it goes with FILE and --measure carbon")
    if file is not None and measure == "tokens" and (services or market or embodied):
        raise UsageError(
            "--service, --market, --embodied: these are of carbon; give --measure carbon if FILE states carbon"
        )


def _show(document: dict[str, Any]) -> None:
    tokens, carbon = document["tokens"], document["carbon"]
    unit, ours, theirs = (
        ("tokens", tokens["ours"], tokens["theirs"])
        if tokens
        else ("carbon_gco2e", carbon["ours_gco2e"], carbon["theirs_gco2e"])
    )
    file = document["file"]
    of_file = f", {file['from']} to {file['to']}" if file else ""
    by_basis = f", by {carbon['basis']}" if carbon else ""
    stated = f"theirs{of_file}{by_basis}"
    rows: list[list[object]] = [
        ["ours, of the month", ours, ""],
        *([cause["cause"].replace("_", " "), cause[unit], cause["why"]] for cause in document["causes"] if cause[unit]),
        ["unexplained", document["unexplained"], ""],
        [stated, theirs, ""],
    ]
    percent = document["unexplained_percent"]
    limit = document["threshold_percent"]
    judged = (
        f"no {unit.partition('_')[0]} is stated"
        if percent is None
        else f"{percent:.3g} % unexplained (bad from {limit:g} %)"
    )
    table(["", "gCO2e" if carbon else "tokens", "why"], rows, title=judged)
