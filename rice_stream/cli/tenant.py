"""`rice-stream tenant ...`."""

import click

from rice_stream.cli.base import CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.reports.tenants import tenants
from rice_stream.runtime.opening import open_store
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING


@click.group(cls=CommandGroup)
def tenant() -> None:
    """Tenants and the time zone of their days and months.

    Example: rice-stream tenant set acme --time-zone Europe/Berlin
    """


@tenant.command("set")
@click.argument("tenant_id")
@click.option("--time-zone", required=True, metavar="ZONE", help="IANA time zone, such as Europe/Berlin.")
@json_option
@pass_session
def set_(session: Session, tenant_id: str, time_zone: str, *, as_json: bool) -> None:
    """Set the time zone in which a tenant's days and months begin. Applies to what is asked from now on.

    Example: rice-stream tenant set acme --time-zone Europe/Berlin
    """
    engine = open_store(session.settings)
    set_time_zone(engine, tenant_id, time_zone, session.actor)
    _show(engine, as_json=as_json, only=tenant_id)


@tenant.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All tenants seen or set.

    Example: rice-stream tenant list
    """
    _show(open_store(session.settings), as_json=as_json)


def _show(engine: Engine, *, as_json: bool, only: str | None = None) -> None:
    rows = tenants(engine, EVERYTHING, only=only)

    def human() -> None:
        table(["tenant", "time zone"], [[row["tenant_id"], row["time_zone"]] for row in rows])

    answer({"tenants": rows}, as_json=as_json, human=human)
