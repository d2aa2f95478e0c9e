"""`rice-stream alerts`."""

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.reports.alerts import latest_alerts
from rice_stream.reports.deliveries import with_deliveries
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING


@click.command()
@click.option("--tenant")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest N.")
@json_option
@pass_session
def alerts(session: Session, tenant: str | None, limit: int, *, as_json: bool) -> None:
    """State changes of budgets, latest first, and whether Kafka has confirmed them.

    Example: rice-stream alerts --tenant acme
    """
    engine = open_store(session.settings)
    rows = with_deliveries(engine, EVERYTHING, latest_alerts(engine, EVERYTHING, tenant=tenant, limit=limit))

    def human() -> None:
        fields = ("time", "tenant_id", "budget", "basis", "threshold", "state", "delivered")
        table([name.removesuffix("_id") for name in fields], [[row[name] for name in fields] for row in rows])

    answer({"alerts": rows}, as_json=as_json, human=human)
