"""`rice-stream compare`: recorded traffic on another model, in another region or served otherwise."""

import time
from datetime import UTC, datetime
from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.ranges import range_text
from rice_stream.cli.request_options import method_option, option_name, precision_option, profile_option
from rice_stream.cli.tables import table
from rice_stream.meter.what_if import change_of
from rice_stream.reports.comparison import compare as compare_traffic
from rice_stream.reports.comparison import traffic_of
from rice_stream.reports.moments import moment
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_estimator import token_defaults
from rice_stream.runtime.opening_factors import open_estimator_with_sets
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.views import WINDOWS_S
from rice_stream.wording.plain_text import visible

_G_PER_KG = 1000


@click.command()
@click.option("--tenant", help="Only this tenant's traffic.")
@click.option("--only-model", metavar="M", help="Only traffic of this model, as recorded.")
@click.option("--window", type=click.Choice(list(WINDOWS_S)), help="The time until now.  [default: 24h]")
@click.option("--from", "start", metavar="TIME", help="Date or RFC 3339 instant (UTC) at which to begin.")
@click.option("--to", "end", metavar="TIME", help="Date or instant at which to end; itself not included.")
@click.option("--model", help="What if all of it had gone to this model?")
@click.option("--region", help="What if it had run here? Such as azure:swedencentral.")
@click.option("--provider", help="What if this provider had run it?")
@click.option("--hardware", help="Such as H100.")
@click.option("--devices", metavar="X")
@click.option("--batch-size", metavar="X")
@precision_option
@profile_option
@click.option("--pue", metavar="X")
@click.option("--rci-gco2e-per-kwh", metavar="X")
@method_option
@click.option(
    "--share", type=float, default=1.0, metavar="X", help="How much of it is moved, from 0 to 1; for what is saved."
)
@json_option
@pass_session
def compare(session: Session, /, *, as_json: bool, **given: Any) -> None:
    """What recorded traffic would have emitted on another model, in another region, or served otherwise.

    Both sides are computed from the records with one method, so that only what you change differs; what is uncertain in both alike
    cancels in their ratio. Tokens stay as they were:
    another model may need more or fewer for the same answer.

    Example: rice-stream compare --tenant acme --window 30d --model gpt-4o-mini --region azure:swedencentral
    """
    settings = session.settings
    engine = open_store(settings)
    estimator = open_estimator_with_sets(settings, engine, given["method_name"])
    change = change_of(given, option_name)
    change.check(estimator.method)
    traffic = traffic_of(
        datetime.now(UTC),
        tenant=given["tenant"],
        model=given["only_model"],
        window=given["window"],
        start=moment("--from", given["start"]),
        end=moment("--to", given["end"]),
    )
    document = compare_traffic(
        engine,
        EVERYTHING,
        traffic,
        change,
        estimator=estimator.at(time.time_ns() // 1000),
        defaults=token_defaults(settings),
        share=given["share"],
    )
    answer(document, as_json=as_json, human=lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    rows = [_cells(row["model"], row) for row in document["by_model"]]
    rows.append(_cells("all", document["total"]))
    changes = ", ".join(f"{name} {value}" for name, value in document["change"].items())
    span = " ".join(f"{word} {at}" for word, at in document["window"].items() if at) or "all time"
    table(
        ["model", "prompts", "kgCO2e as served", "low", "high", f"with {changes}", "low", "high", "ratio", "certain"],
        rows,
        title=f"{document['tenant'] or 'all tenants'}, {span}, {document['versions']['method']}",
    )
    saving, moved = document["total"]["saving_gco2e"], document["share"]
    kilograms = range_text({end: value / _G_PER_KG for end, value in saving.items()})
    STDERR.print(f"Moving {moved:.0%} of it saves {kilograms} kgCO2e; what both sides share is held fixed.")
    recorded = document["total"]["recorded"]["carbon_gco2e"]["mid"] / _G_PER_KG
    STDERR.print(f"In the records: {recorded:.4g} kgCO2e, by {', '.join(map(visible, document['methods_recorded']))}.")


def _cells(name: str, row: dict[str, Any]) -> list[object]:
    cells: list[object] = [name, row["prompts"]]
    for side in ("as_served", "changed"):
        carbon = row[side]["carbon_gco2e"]
        cells += [carbon[end] / _G_PER_KG for end in ("mid", "low", "high")]
    ratio = row["ratio"] if row["ratio_range"] is None else range_text(row["ratio_range"])
    return [*cells, ratio, "yes" if row["certain"] else "no"]
