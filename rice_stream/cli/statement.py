"""`rice-stream statement`: the month of a team or a cost centre on one page, as channels are sent it."""

from datetime import UTC, datetime

import click

from rice_stream.channels.letters import Letter
from rice_stream.channels.messages.links import absolute
from rice_stream.channels.statements import statement_letter
from rice_stream.cli.base import Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import table
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.reports.statements import Whose
from rice_stream.reports.statements import statement as state_month
from rice_stream.reports.tenants import tenants
from rice_stream.runtime.opening import open_store
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING


@click.command()
@click.option("--team", metavar="NAME", help="The team whose month it is.")
@click.option("--cost-centre", metavar="NAME", help="The cost centre whose month it is, in the place of a team.")
@click.option(
    "--month", metavar="YYYY-MM", help="The month, in the tenant's time zone.  [default: the last one that is over]"
)
@click.option("--tenant", metavar="NAME", help="Whose team or cost centre it is; not needed where there is only one.")
@json_option
@pass_session
def statement(
    session: Session,
    /,
    team: str | None,
    cost_centre: str | None,
    month: str | None,
    tenant: str | None,
    *,
    as_json: bool,
) -> None:
    """A month of a team or cost centre: carbon with its range, what changed and what moved it, and the budgets.

    Channels that are set so get it by mail or Slack two days after the month's end.

    Example: rice-stream statement --team search --month 2026-10
    """
    by: Whose = "team" if cost_centre is None else "cost_centre"
    name = team if cost_centre is None else cost_centre
    if name is None or (team is not None and cost_centre is not None):
        raise UsageError("--team, --cost-centre: say one of them")
    engine = open_store(session.settings)
    figures = state_month(engine, EVERYTHING, tenant or _only_tenant(engine), name, month, datetime.now(UTC), by=by)
    public_url = session.settings.http_public_url
    answer(figures, as_json=as_json, human=lambda: _show(statement_letter(figures), public_url))


def _only_tenant(engine: Engine) -> str:
    names = [row["tenant_id"] for row in tenants(engine, EVERYTHING)]
    if not names:
        raise NotFoundError("there is no tenant; see `rice-stream tenant list`")
    if len(names) > 1:
        raise UsageError(f"--tenant: there are {len(names)} tenants; say which one's team it is")
    return names[0]


def _show(letter: Letter, public_url: str | None) -> None:
    say(letter.title)
    say()
    width = max(len(name) for name, _ in letter.facts) + 2
    for name, text in letter.facts:
        say(f"{name:<{width}}{text}")
    say()
    if letter.rows:
        table(list(letter.columns), [list(row) for row in letter.rows])
        say()
    for line in letter.lines:
        say(line)
    if public_url is not None and letter.path is not None:
        say(f"See it in the dashboard: {absolute(public_url, letter.path)}")
