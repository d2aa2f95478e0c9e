"""`rice-stream delivery list|resend`."""

from typing import Any, get_args

import click

from rice_stream.alerting.channels import resend
from rice_stream.channels.definition import DeliveryState
from rice_stream.cli.base import STDERR, CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import Styled, table
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.reports.deliveries import DeliveryFilter, delivery_page, named_deliveries
from rice_stream.reports.moments import instant, moment
from rice_stream.runtime.opening import open_store
from rice_stream.store.scope import EVERYTHING

_STYLE = {"done": "green", "failed": "yellow", "held": "yellow", "dead": "red"}
_LISTED_MAX = 1_000


@click.group(cls=CommandGroup)
def delivery() -> None:
    """What was sent to each channel, and what became of it: list, resend.

    Example: rice-stream delivery list --state failed
    """


@delivery.command("list")
@click.option("--state", type=click.Choice(get_args(DeliveryState)))
@click.option("--channel", metavar="NAME")
@click.option("--tenant", help="What is about this tenant.")
@click.option("--alert", metavar="ID", help="What is about this alert.")
@click.option("--since", metavar="T", help="A date or an instant, such as 2026-11-22T19:00:00Z: what was stored since.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The latest N.")
@json_option
@pass_session
def list_(session: Session, /, *, since: str | None, limit: int, as_json: bool, **wanted: Any) -> None:
    """Deliveries, latest first.

    Example: rice-stream delivery list --channel ops --state dead
    """
    asked = DeliveryFilter(**wanted, since=moment("--since", since))
    _show(delivery_page(open_store(session.settings), EVERYTHING, asked, limit=limit)["rows"], as_json=as_json)


@delivery.command("resend")
@click.argument("ids", type=click.IntRange(1), nargs=-1, metavar="[ID]...")
@click.option("--since", metavar="T", help="All that failed or is dead and was stored since this date or instant.")
@click.option("--channel", metavar="NAME", help="With --since: only what was for this channel.")
@json_option
@pass_session
def resend_(session: Session, ids: tuple[int, ...], *, since: str | None, channel: str | None, as_json: bool) -> None:
    """Send again at once, under the same message ids: single deliveries, or all since a time that have not arrived.

    Example: rice-stream delivery resend --since 2026-11-22T19:00:00Z --channel ops
    """
    start = instant("--since", since)
    if bool(ids) == (start is not None):
        raise UsageError("say what to send again: its ID, or --since")
    if channel is not None and ids:
        raise UsageError("--channel: goes with --since; an ID says which delivery it is")
    engine = open_store(session.settings)
    since_us = None if start is None else epoch_us(start)
    sent = resend(engine, EVERYTHING, session.actor, ids=ids, since_us=since_us, channel=channel)
    rows = named_deliveries(engine, EVERYTHING, (ids or sent.ids)[:_LISTED_MAX])
    _show(rows, as_json=as_json, resent=len(sent.ids), left=sent.left)
    STDERR.print(f"{len(sent.ids)} to be sent again; `rice-stream serve` sends them.")
    if sent.left:
        STDERR.print(f"{sent.left} are left: their channel is gone, or disabled until it is set again.")


def _show(rows: list[dict[str, Any]], *, as_json: bool, **more: int) -> None:
    def human() -> None:
        names = [
            "id",
            "channel",
            "kind",
            "budget",
            "severity",
            "state",
            "attempts",
            "next_at",
            "answered_status",
            "problem",
        ]
        table([name.removesuffix("_at").replace("_", " ") for name in names], [_cells(row, names) for row in rows])

    answer({"deliveries": rows, **more}, as_json=as_json, human=human)


def _cells(row: dict[str, Any], names: list[str]) -> list[object]:
    state = row["state"]
    cells = ["" if row[name] is None else row[name] for name in names]
    return [
        Styled(cell, _STYLE[state]) if name == "state" and state in _STYLE else cell
        for name, cell in zip(names, cells, strict=True)
    ]
