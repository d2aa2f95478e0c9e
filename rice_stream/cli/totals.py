"""`rice-stream totals`."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import Styled, table
from rice_stream.cli.unknown_tenants import remark_unknown
from rice_stream.reports.allocation import ALLOCATED_BY, RULES
from rice_stream.reports.moments import as_of_instant, moment
from rice_stream.reports.name_filter import NAME_FIELDS, NameFilter
from rice_stream.reports.sums import FIELDS
from rice_stream.reports.totals import totals as sum_totals
from rice_stream.reports.totals_query import BUCKETS, WINDOWS, AmountsAs, TotalsQuery
from rice_stream.reports.totals_rows import UNATTRIBUTED_WITHOUT
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING

_WH_PER_KWH, _G_PER_KG = 1000, 1000
_NAMES = [field.replace("_", "-") for field in FIELDS]
_Command = TypeVar("_Command", bound=Callable[..., Any])


def name_options(command: _Command) -> _Command:
    """--team, --project and so on."""
    for field in reversed(NAME_FIELDS):
        help_text = f"Only this {field.replace('_', ' ')}; repeat for any of several, '' for what has none."
        command = click.option(f"--{field.replace('_', '-')}", multiple=True, metavar="NAME", help=help_text)(command)
    return command


@click.command()
@click.option("--tenant", help="Only this tenant.")
@name_options
@click.option(
    "--by", multiple=True, metavar="NAME", help=f"{', '.join(_NAMES)}; several, or a comma list.  [default: tenant]"
)
@click.option("--window", type=click.Choice(WINDOWS), help="The time until now: rolling, or month to date (mtd).")
@click.option("--from", "start", metavar="TIME", help="Date or RFC 3339 instant at which to begin.")
@click.option("--to", "end", metavar="TIME", help="Date or instant at which to end; itself not included.")
@click.option("--bucket", type=click.Choice(BUCKETS), help="Break down by a stretch of time as well, in its order.")
@click.option("--time-zone", metavar="ZONE", help="Count days and months of all tenants in this IANA time zone.")
@click.option(
    "--impacts", is_flag=True, help="Show embodied carbon and water as well, beside the carbon; --json always has them."
)
@click.option(
    "--as",
    "amounts",
    type=click.Choice(get_args(AmountsAs)),
    default="restated",
    show_default=True,
    help="With all corrections, or as it was reported.",
)
@click.option("--as-of", metavar="TIME", help="With what was recorded and corrected until this instant.")
@click.option("--allocate", type=click.Choice(RULES), help="Divide what --shared used among the others of the tenant.")
@click.option("--shared", multiple=True, metavar="NAME", help="With --allocate: a shared one; '' for the unattributed.")
@click.option("--top", type=click.IntRange(1), help="The N names with most carbon, and all others in one row.")
@click.option("--limit", type=click.IntRange(1), help="Show at most N rows, largest carbon first.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out the first N rows.")
@json_option
@pass_session
def totals(session: Session, /, *, as_json: bool, **asked: Any) -> None:
    """Prompts, tokens, energy and carbon, by any names and over any time.

    Days are those of a tenant's own time zone; where tenants are added up, of RICE_REPORT_TIME_ZONE.

    Example: rice-stream totals --tenant acme --by team,model --from 2026-11-01 --to 2026-12-01
    """
    asked["start"], asked["end"] = moment("--from", asked["start"]), moment("--to", asked["end"])
    impacts = asked.pop("impacts")
    now = datetime.now(UTC)
    asked["as_of"] = as_of_instant("--as-of", moment("--as-of", asked["as_of"]), now)
    where = NameFilter.of({field: asked.pop(field) for field in NAME_FIELDS})
    query = TotalsQuery(**asked, where=where, report_time_zone=session.settings.report_time_zone)
    engine = open_store(session.settings)
    document = sum_totals(engine, EVERYTHING, query, now)
    if not document["total"]["prompts"]:
        remark_unknown(engine, query.tenant)
    if query.allocate is not None and query.limit is None:
        _remark_unused(document, query.shared)
    answer(document, as_json=as_json, human=lambda: _show_totals(document, impacts=impacts))


def _remark_unused(document: dict[str, Any], shared: Sequence[str]) -> None:
    """Say which names of --shared stand for nothing: a name that was mistyped shares nothing out."""
    field = next(name for name in document["by"] if name in ALLOCATED_BY)
    there = {row[field] or "" for row in document["rows"]}
    for name in shared:
        if name not in there:
            STDERR.print(f"--shared {name!r}: nothing of this time is of it, so there is nothing to divide")


def _show_totals(document: dict[str, Any], *, impacts: bool) -> None:
    by = document["by"]
    window = document["window"]
    # Where nothing is known of the market, it is the middle by location.
    market = document["total"]["carbon_market_gco2e"] != document["total"]["carbon_gco2e"]["mid"]
    shown = {"impacts": impacts, "market": market}
    rows = [[*_name_cells(by, row), *_total_cells(row, **shown)] for row in document["rows"]]
    total = ["all", *[""] * (len(by) - 1), *_total_cells(document["total"], **shown)]
    columns = [*by, "prompts", "input tokens", "output tokens", "kWh", "kgCO2e", "low", "high"]
    columns += ["by the market"] if market else []
    columns += ["kgCO2e with shared"] if "allocation" in document else []
    columns += ["kgCO2e embodied, beside it", "water l", "of prompts"] if impacts else []
    span = " ".join(f"{word} {window[word]}" for word in ("from", "to") if window[word]) or "all time"
    days = f" (days of {window['time_zone'] or 'each tenant in its own time zone'})" if {"day", "month"} & {*by} else ""
    table(columns, [*rows, total], title=f"{window['name'] or 'totals'}: {span}{days}")
    left_out = document["rows_total"] - len(rows)
    if left_out:
        STDERR.print(
            f"{left_out} of {document['rows_total']} rows are not shown (--limit, --offset); the last line is of all."
        )


def _name_cells(by: list[str], row: dict[str, Any]) -> list[object]:
    """Names; of the row of all others it says so in the place of the first name that it lacks."""
    cells = [
        "unattributed" if row[name] is None and name in UNATTRIBUTED_WITHOUT and not row.get("other") else row[name]
        for name in by
    ]
    if row.get("other"):
        cells[cells.index(None)] = Styled("all others", "dim")
    return cells


def _total_cells(row: dict[str, Any], *, impacts: bool, market: bool) -> list[object]:
    carbon = row["carbon_gco2e"]
    return [
        row["prompts"],
        row["input_tokens"],
        row["output_tokens"],
        row["facility_energy_wh"] / _WH_PER_KWH,
        *(carbon[end] / _G_PER_KG for end in ("mid", "low", "high")),
        *([row["carbon_market_gco2e"] / _G_PER_KG] if market else []),
        *([row["allocated_gco2e"] / _G_PER_KG] if "allocated_gco2e" in row else []),
        *(_impact_cells(row) if impacts else []),
    ]


def _impact_cells(row: dict[str, Any]) -> list[object]:
    embodied = row["embodied_gco2e"]["mid"]
    return [None if embodied is None else embodied / _G_PER_KG, row["water_l"], row["impact_prompts"]]
