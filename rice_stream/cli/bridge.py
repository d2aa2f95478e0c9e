"""`rice-stream bridge`."""

from datetime import UTC, datetime
from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.cli.totals import name_options
from rice_stream.cli.unknown_tenants import remark_unknown
from rice_stream.reports.bridge import bridge as bridge_of
from rice_stream.reports.moments import as_of_instant, moment
from rice_stream.reports.name_filter import NAME_FIELDS, NameFilter
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING


@click.command()
@click.option("--tenant", help="Only this tenant.")
@name_options
@click.option("--from", "start", metavar="TIME", help="Date or RFC 3339 instant at which to begin.")
@click.option("--to", "end", metavar="TIME", help="Date or instant at which to end; itself not included.")
@click.option("--time-zone", metavar="ZONE", help="Days of all tenants are those of this IANA time zone.")
@click.option("--as-of", metavar="TIME", help="With what was recorded and corrected until this instant.")
@json_option
@pass_session
def bridge(session: Session, /, *, as_json: bool, **asked: Any) -> None:
    """From what was reported of a stretch of time to what is known of it by now, step by step, by cause.

    Example: rice-stream bridge --tenant acme --from 2026-01-01 --to 2026-07-01
    """
    asked["start"], asked["end"] = moment("--from", asked["start"]), moment("--to", asked["end"])
    now = datetime.now(UTC)
    asked["as_of"] = as_of_instant("--as-of", moment("--as-of", asked["as_of"]), now)
    where = NameFilter.of({field: asked.pop(field) for field in NAME_FIELDS})
    query = TotalsQuery(**asked, where=where)
    threshold_percent = session.settings.restatement_threshold_percent
    engine = open_store(session.settings)
    document = bridge_of(engine, EVERYTHING, query, now, threshold_percent=threshold_percent)
    if not document["reported"]["prompts"]:
        remark_unknown(engine, query.tenant)
    answer(document, as_json=as_json, human=lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    rows: list[list[object]] = [
        ["as reported", *_cells(document["reported"])],
        *([f"by {step['cause']}", *_cells(step)] for step in document["steps"] if _tells(step)),
        ["as restated", *_cells(document["restated"])],
    ]
    change, market = _share(document["materiality_percent"]), _share(document["materiality_market_percent"])
    change += "" if market == change else f", {market} by the market"
    judged = "material" if document["material"] else "not material"
    table(
        ["", "prompts", "gCO2e", "gCO2e by the market"],
        rows,
        title=f"{change}: {judged} (from {document['threshold_percent']:g} %)",
    )


def _share(percent: float | None) -> str:
    return "no share" if percent is None else f"{percent:.3g} %"


def _cells(amounts: dict[str, Any]) -> list[object]:
    return [amounts[name] for name in ("prompts", "carbon_gco2e", "carbon_market_gco2e")]


def _tells(step: dict[str, Any]) -> bool:
    names = ("prompts", "carbon_ugco2e", "carbon_market_ugco2e", "facility_energy_wh")
    return any(step[name] for name in names)
