"""`rice-stream market apply|contracts`: contracts for electricity, and what they cover of months that are over."""

from typing import Any

import click

from rice_stream.cli.base import CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table


@click.group(cls=CommandGroup)
def market() -> None:
    """Contracts for electricity, and what they cover of months that are over.

    Example: rice-stream market apply --tenant acme --month 2026-10
    """


@market.command()
@click.option("--tenant", required=True, metavar="NAME", help="Whose month.")
@click.option(
    "--month", required=True, metavar="YYYY-MM", help="The month, in the tenant's time zone; it must be over."
)
@click.option("--reason", help="Why; kept with the entries for good.  [default: contracts of the month]")
@click.option("--dry-run", is_flag=True, help="Only say what would be covered.")
@json_option
@pass_session
def apply(session: Session, /, *, tenant: str, month: str, reason: str | None, dry_run: bool, as_json: bool) -> None:
    """Apply the contracts that are in force to a month of a tenant: carbon by the market changes, by entries; location stays.

    Applied again after something came or was corrected, it posts what changed. A run that was cut short goes on.

    Example: rice-stream market apply --tenant acme --month 2026-10 --dry-run
    """
    from rice_stream.cli.progress import progress_bar
    from rice_stream.ledger.contracts import ApplyingContracts, planned
    from rice_stream.runtime.month_contracts import month_to_cover
    from rice_stream.runtime.opening import open_store
    from rice_stream.runtime.opening_reference import open_reference

    engine = open_store(session.settings)
    which = month_to_cover(engine, tenant, month)
    plan = planned(engine, open_reference(session.settings), which, tenant, None if dry_run else session.actor)
    why = reason or f"contracts of {which.month}"
    run = ApplyingContracts(engine, plan, why, session.actor, dry_run=dry_run)
    with progress_bar("applying contracts") as progress:
        for records in run.steps():
            progress("applying contracts", records, max(records, run.state.records_expected or 0))
    document = run.told()

    def human() -> None:
        names = ("contract", "instrument", "granularity", "rci_gco2e_per_kwh", "covered_kwh")
        table(
            [name.replace("_", " ") for name in names], [[row[name] for name in names] for row in document["contracts"]]
        )
        state = "dry run" if dry_run else "applied"
        rows: list[list[object]] = [
            ["records", document["records"]],
            ["entries", document["entries"]],
            ["change by the market, gCO2e", document["carbon_market_change_gco2e"]],
        ]
        table([state, document["month"]], rows)

    answer(document, as_json=as_json, human=human)


@market.command()
@json_option
@pass_session
def contracts(session: Session, /, *, as_json: bool) -> None:
    """The contracts that are in force, and what of each is covered by the months that they were applied to.

    Example: rice-stream market contracts
    """
    import time

    from rice_stream.reports.contracts import contracts as rows_of
    from rice_stream.runtime.opening import open_store
    from rice_stream.store.scope import EVERYTHING

    rows = rows_of(open_store(session.settings), EVERYTHING, now_us=time.time_ns() // 1000)
    names = ("contract", "instrument", "granularity", "kwh", "rci_gco2e_per_kwh", "tenant", "valid_from", "valid_to")

    def human() -> None:
        cells = [[*(row[name] for name in names), _months(row)] for row in rows]
        table([*(name.replace("_", " ") for name in names), "covered kWh"], cells)

    answer({"rows": rows}, as_json=as_json, human=human)


def _months(row: dict[str, Any]) -> str:
    return ", ".join(f"{each['month']} {each['tenant_id']} {each['covered_kwh']:g}" for each in row["months"])
