"""`rice-stream coverage`."""

from datetime import UTC, datetime
from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.reference.types import LOCATION
from rice_stream.reports.coverage import coverage as names_not_known
from rice_stream.reports.tier_words import TIERS
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING
from rice_stream.wording.plain_text import visible


@click.command()
@click.option("--days", type=click.IntRange(1), help="Only the last N days; default: all time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The N with most tokens.")
@click.option("--bucket", type=click.Choice(["day"]), help="How well the carbon of each day is known as well.")
@click.option("--time-zone", help="IANA zone of these days.  [default: RICE_REPORT_TIME_ZONE]")
@json_option
@pass_session
def coverage(session: Session, /, *, limit: int, as_json: bool, **asked: Any) -> None:
    """Models, regions and tenants that no table knows, most tokens first; and what rests on fallbacks and claims.

    Also how well the carbon is known in five words, what names no team, events that contradict a record, and ids that were
    recorded more than once, with different times.

    Example: rice-stream coverage --days 30 --bucket day
    """
    settings = session.settings
    document = names_not_known(
        open_store(settings),
        EVERYTHING,
        now=datetime.now(UTC),
        limit=limit,
        report_time_zone=settings.report_time_zone,
        **asked,
    )

    def human() -> None:
        columns = ["kind", "name", "provider", "taken for", "rung", "prompts", "tokens", "kgCO2e", "share"]
        rows = [
            [
                *(row[name] for name in ("kind", "name", "provider", "taken_for", "rung", "prompts", "tokens")),
                row["carbon_gco2e"] / 1000,
                _percent(row["share_of_carbon"]),
            ]
            for row in document["rows"]
        ]
        table(columns, rows)
        shares = ", ".join(f"{what} {_percent(share)}" for what, share in document["fallback_share"].items())
        if document["repeated_ids"]:
            names = ["tenant_id", "event_id", "records", "first", "last"]
            table(names, [[row[name] for name in names] for row in document["repeated_ids"]])
        STDERR.print(
            f"{document['repeated_ids_total']:,} ids have more than one record, each with another time:"
            f" {document['repeated_records']:,} records in all"
        )
        if "days" in document:
            table(["day", *TIERS, "kgCO2e"], [_day_cells(day) for day in document["days"]], title=document["time_zone"])
        known = ", ".join(f"{row['tier']} {_percent(row['share_of_carbon'])}" for row in document["tiers"])
        STDERR.print(f"How well the carbon is known: {known}")
        _print_nobodys(document["unattributed"], "team", "keys")
        _print_nobodys(document["uncharged"], "cost centre", "teams")
        if document["conflicts_total"]:
            STDERR.print(f"{document['conflicts_total']:,} events contradict a record: the first one counts.")
        STDERR.print(f"{document['rows_total']:,} names in all; share of carbon that rests on fallbacks: {shares}")
        _print_claims(document)
        _print_old(document["old_factors"])
        _print_excluded(document["exclusions"])
        _print_market(document["market"])
        _print_of_records(document)

    answer(document, as_json=as_json, human=human)


def _print_of_records(document: dict[str, Any]) -> None:
    if "records_from" in document:
        STDERR.print(
            f"Records from before {document['records_from']} have been dropped: repeated ids, API keys and prompts at the cap are"
            " those of later ones."
        )
    if document["capped_prompts"]:
        STDERR.print(
            f"{document['capped_prompts']:,} prompts count as much as one prompt can: their counts are nonsense."
        )


def _day_cells(day: dict[str, Any]) -> list[object]:
    return [day["day"], *(_percent(row["share_of_carbon"]) for row in day["tiers"]), day["carbon_gco2e"] / 1000]


def _print_claims(document: dict[str, Any]) -> None:
    """A line for each source whose factors, metered energy or cache hits count; none where nothing rests on anybody's word."""
    factors, hits = document["event_factors"], document["cache_hits"]
    for row in factors["rows"]:
        what = f"{row['prompts']:,} prompts, {_percent(row['share_of_carbon'])} of carbon"
        STDERR.print(f"factors stated by {_source(row)}: {what}")
    for row in document["metered_energy"]["rows"]:
        what = f"{row['prompts']:,} prompts, {_percent(row['share_of_carbon'])} of carbon"
        STDERR.print(f"energy metered by {_source(row)}: {what}")
    for row in hits["rows"]:
        what = f"{row['prompts']:,} prompts, {_percent(row['share_of_prompts'])} of all; {row['tokens']:,} tokens without energy"
        STDERR.print(f"cache hits claimed by {_source(row)}: {what}")


def _print_nobodys(nobodys: dict[str, Any], no: str, of: str) -> None:
    """A line for what is charged to no team or cost centre; none where all is."""
    if nobodys["prompts"]:
        what = f"{nobodys['prompts']:,} prompts of {nobodys['rows_total']:,} {of}"
        STDERR.print(f"charged to no {no}: {what}, {_percent(nobodys['share_of_carbon'])} of carbon")


def _print_old(old: dict[str, Any]) -> None:
    """A line for each place whose carbon intensity was old; none where none was."""
    for row in old["rows"]:
        what = f"{row['prompts']:,} prompts, {_percent(row['share_of_carbon'])} of carbon"
        of = ", ".join(row["data_of"])
        STDERR.print(f"carbon intensity older than {old['older_than_months']} months of {row['region']} ({of}): {what}")


def _print_excluded(excluded: dict[str, Any]) -> None:
    """A line for what is not in the numbers; none where nothing was left out."""
    parts = [f"{row['items']:,} {_EXCLUDED[row['kind']]}" for row in excluded["rows"] if row["items"]]
    if parts:
        STDERR.print(
            f"not in these numbers: {', '.join(parts)}; about {_percent(excluded['share_of_carbon'])} of all carbon"
        )


def _print_market(market: dict[str, Any]) -> None:
    """A line for what the electricity is known by; none where nothing is known of the market."""
    known = [row for row in market["rows"] if row["instrument"] != LOCATION]
    if known:
        parts = [
            f"{_percent(row['share_of_energy'])} {row['instrument']} ({row['granularity']})" for row in market["rows"]
        ]
        STDERR.print(f"carbon by the market rests on, of {market['facility_energy_kwh']:,.3f} kWh: {', '.join(parts)}")


_EXCLUDED = {
    "refused": "items in quarantine",
    "put_aside": "items that were dropped from it",
    "voided": "voided prompts",
}


def _source(row: dict[str, Any]) -> str:
    return visible(row["source"]) if row["source"] else "events without a source"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
