"""`rice-stream periods`."""

from datetime import UTC, datetime

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.cli.unknown_tenants import remark_unknown
from rice_stream.reports.periods import periods as rows_of
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING


@click.command()
@click.option("--tenant", metavar="NAME", help="Only this tenant's.  [default: all]")
@json_option
@pass_session
def periods(session: Session, /, *, tenant: str | None, as_json: bool) -> None:
    """Months of tenants: open, closing, closed softly or for good, with what was asserted and signed.

    Example: rice-stream periods --tenant acme
    """
    engine = open_store(session.settings)
    rows = rows_of(engine, EVERYTHING, datetime.now(UTC), tenant=tenant)
    if not rows:
        remark_unknown(engine, tenant)
    shown = [
        [
            row["tenant_id"],
            row["month"],
            row["state"].replace("_", " "),
            row["records"],
            None if row["carbon_gco2e"] is None else row["carbon_gco2e"]["mid"],
            row["carbon_market_gco2e"],
            None if row["root"] is None else row["root"][:16],
        ]
        for row in rows
    ]
    columns = ["tenant", "month", "state", "records", "gCO2e", "by the market", "root"]
    answer({"rows": rows}, as_json=as_json, human=lambda: table(columns, shown))
