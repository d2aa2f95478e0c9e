"""`rice-stream channel set|apply|list|test|remove`."""

import os
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rice_stream.alerting.channels import (
    SetChannel,
    named_channel,
    remove_channel,
    send_trial,
    set_channel,
    set_channels,
)
from rice_stream.channels.definition import RANK, TYPES
from rice_stream.channels.files import from_variables
from rice_stream.channels.parsing import EVERY_TENANT, NEVER, parse_channel
from rice_stream.cli.base import BAD_NEWS, STDERR, CommandGroup, Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import Styled, table
from rice_stream.errors import UsageError
from rice_stream.reports.channels import channels
from rice_stream.reports.deliveries import named_delivery
from rice_stream.runtime.channels_file import read_channels_file
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_secrets import open_secret_box
from rice_stream.store.scope import EVERYTHING
from rice_stream.wording.plain_text import visible

if TYPE_CHECKING:
    from rice_stream.store.engine import Engine

_STYLE = {"ok": "green", "failing": "red", "disabled": "red"}
_LOOKS_EVERY_S = 0.1
_of_tenants = click.option(
    "--tenant",
    "tenants",
    multiple=True,
    help="All tenants of the channel that is meant (* : every one), where several have its name.",
)


@click.group(cls=CommandGroup)
def channel() -> None:
    """Where alerts are sent: set, apply, list, test, remove.

    Example: rice-stream channel set ops --type webhook --url https://example.com/hook --min-severity warning
    """


@channel.command("set")
@click.argument("name")
@click.option("--type", "kind", required=True, type=click.Choice(TYPES))
@click.option("--url", metavar="U", help="Address; stays as it is where none is given.")
@click.option("--url-env", metavar="VAR", help="Variable of the environment that has the address.")
@click.option(
    "--secret-env",
    "secret_env",
    metavar="VAR",
    multiple=True,
    help="Variable that has the secret: a webhook's key, Slack's address, a routing key, a token, a password."
    " Of a webhook several: all sign, the first one is in force.",
)
@click.option("--new-secret", is_flag=True, help="Make a new key for a webhook; the one before goes on beside it.")
@click.option(
    "--tenant", "tenants", multiple=True, help="Tenant whose alerts it gets; repeat it.  [default: every one]"
)
@click.option(
    "--budget", "budgets", multiple=True, help="Budget whose alerts it gets; repeat it.  [default: every one]"
)
@click.option(
    "--min-severity", type=click.Choice(tuple(RANK)), help="What is less severe is not sent.  [default: info]"
)
@click.option("--quiet-hours", metavar="START-END", help="Hold what comes in between, such as 22:00-07:00.")
@click.option("--time-zone", metavar="ZONE", help="IANA time zone of the quiet hours.  [default: UTC]")
@click.option(
    "--breaks-through",
    type=click.Choice((*RANK, NEVER)),
    help="What is sent in quiet hours all the same, and everything worse.  [default: critical]",
)
@click.option("--remind-every", metavar="SPAN", help="Tell again what still holds, such as every 4h.  [default: never]")
@click.option("--statements", is_flag=True, help="Send it a statement of each team's month.")
@json_option
@pass_session
def set_(session: Session, /, name: str, kind: str, *, as_json: bool, **given: Any) -> None:
    """Make a channel, or change the one of this name. Address and secrets stay where none are given; all else is as it is given.

    Secrets come from variables of the environment, and are encrypted with RICE_SECRETS_KEY. A webhook without one gets one,
    which is shown this once.

    Example: rice-stream channel set ops --type webhook --url https://example.com/hook --secret-env HOOK_SECRET
    --tenant acme --min-severity warning --quiet-hours 22:00-07:00 --time-zone Europe/Berlin
    """
    asked = parse_channel(_fields(name, kind, given))
    engine = open_store(session.settings)
    box = open_secret_box(session.settings)
    _answer_set(engine, [set_channel(engine, EVERYTHING, box, asked, session.actor)], as_json=as_json)


@channel.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_session
def apply_(session: Session, file: Path, *, as_json: bool) -> None:
    """Set all channels of a YAML file. Nothing is changed when any of them has a problem.

    Example: rice-stream channel apply channels.yaml
    """
    asked = read_channels_file(file)
    engine = open_store(session.settings)
    box = open_secret_box(session.settings)
    _answer_set(engine, set_channels(engine, EVERYTHING, box, asked, session.actor), as_json=as_json)


@channel.command("list")
@click.option("--tenant", help="Those that get alerts of this tenant.")
@json_option
@pass_session
def list_(session: Session, tenant: str | None, *, as_json: bool) -> None:
    """All channels, and how they fare; `kafka` is always there.

    Example: rice-stream channel list --tenant acme
    """
    _show(channels(open_store(session.settings), EVERYTHING, datetime.now(UTC), tenant=tenant), as_json=as_json)


@channel.command("test")
@click.argument("name")
@_of_tenants
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=20.0,
    show_default=True,
    metavar="S",
    help="For what becomes of it.",
)
@json_option
@pass_session
def test(session: Session, name: str, tenants: tuple[str, ...], *, wait: float, as_json: bool) -> None:
    """Send a marked alert by the way of every other, and say what became of it; `rice-stream serve` sends it.

    Exit code 1: it has not arrived.

    Example: rice-stream channel test ops
    """
    engine = open_store(session.settings)
    delivery_id = send_trial(engine, EVERYTHING, name, session.actor, datetime.now(UTC), tenants=tenants)
    with STDERR.status("waiting for a server to send it"):
        delivery = _awaited(engine, delivery_id, wait)
    said = _became(delivery, wait)
    channel_id = named_channel(engine, EVERYTHING, name, tenants).id
    document = {"channels": _rows(engine, {channel_id}), "delivery": delivery, "answer": said}
    answer(document, as_json=as_json, human=lambda: say(said))
    if delivery["state"] != "done":
        sys.exit(BAD_NEWS)


@channel.command("remove")
@click.argument("name")
@_of_tenants
@json_option
@pass_session
def remove(session: Session, name: str, tenants: tuple[str, ...], *, as_json: bool) -> None:
    """Remove a channel with its secrets. What has not been sent yet is not sent; the list of its deliveries stays.

    Example: rice-stream channel remove ops
    """
    engine = open_store(session.settings)
    rows = _rows(engine, {named_channel(engine, EVERYTHING, name, tenants).id})
    remove_channel(engine, EVERYTHING, name, session.actor, tenants=tenants)
    answer({"channels": rows}, as_json=as_json, human=lambda: STDERR.print(f"Channel {visible(name)} is removed."))


def _fields(name: str, kind: str, given: dict[str, Any]) -> dict[str, object]:
    """The options as the fields of a channel."""
    if given["url"] is not None and given["url_env"] is not None:
        raise UsageError("--url, --url-env: give one of them")
    tenants = list(given["tenants"])
    fields, missing = from_variables(
        {
            "name": name,
            "type": kind,
            "url": given["url"],
            "url_env": given["url_env"],
            "secret_env": list(given["secret_env"]),
            "new_secret": given["new_secret"],
            "tenants": tenants or EVERY_TENANT,
            "budgets": list(given["budgets"]),
            "min_severity": given["min_severity"],
            "quiet_hours": _quiet_hours(given),
            "remind_every": given["remind_every"],
            "statements": given["statements"],
        },
        os.environ.get,
    )
    if missing:
        raise UsageError("; ".join(missing))
    return fields


def _quiet_hours(given: dict[str, Any]) -> dict[str, object] | None:
    if given["quiet_hours"] is None:
        for option in ("time_zone", "breaks_through"):
            if given[option] is not None:
                raise UsageError(f"--{option.replace('_', '-')}: needs --quiet-hours")
        return None
    start, _, end = given["quiet_hours"].partition("-")
    quiet: dict[str, object] = {"start": start, "end": end, "time_zone": given["time_zone"]}
    return quiet | ({} if given["breaks_through"] is None else {"breaks_through": given["breaks_through"]})


def _answer_set(engine: "Engine", made: list[SetChannel], *, as_json: bool) -> None:
    new_keys = {each.stored.id: each.new_key for each in made if each.new_key is not None}
    rows = _rows(engine, [each.stored.id for each in made])
    rows = [{**row, "secret": new_keys[row["id"]]} if row["id"] in new_keys else row for row in rows]
    _show(rows, as_json=as_json)
    if not as_json:
        for row in rows:
            if "secret" in row:
                say(row["secret"])
                STDERR.print(
                    f"Key of {row['name']}: give it to the receiver, which checks signatures with it. It is not shown again."
                )


def _rows(engine: "Engine", ids: Collection[int]) -> list[dict[str, Any]]:
    return [row for row in channels(engine, EVERYTHING, datetime.now(UTC)) if row["id"] in ids]


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    def human() -> None:
        table(
            ["channel", "type", "state", "target", "tenants", "from", "quiet hours", "not delivered", "last error"],
            [_cells(row) for row in rows],
        )

    answer({"channels": rows}, as_json=as_json, human=human)


def _cells(row: dict[str, Any]) -> list[object]:
    quiet, count = row["quiet_hours"], row["deliveries"]
    return [
        row["name"],
        row["type"],
        Styled(row["state"], _STYLE[row["state"]]),
        row["target"],
        "all" if row["tenants"] == EVERY_TENANT else ", ".join(row["tenants"]),
        row["min_severity"],
        "" if quiet is None else f"{quiet['start']}-{quiet['end']} ({quiet['time_zone']})",
        sum(number for state, number in count.items() if state != "done"),
        row["last_error"] or "",
    ]


def _awaited(engine: "Engine", delivery_id: int, wait_s: float) -> dict[str, Any]:
    """The delivery once it has been tried, or as it is when the time is over."""
    ends = time.monotonic() + wait_s
    while True:
        delivery = named_delivery(engine, EVERYTHING, delivery_id)
        if delivery is None:
            raise UsageError("the delivery has been removed meanwhile")
        if delivery["state"] not in ("due", "sending") or time.monotonic() >= ends:
            return delivery
        time.sleep(_LOOKS_EVERY_S)


def _became(delivery: dict[str, Any], wait_s: float) -> str:
    """What to tell of a trial."""
    status = delivery["answered_status"]
    answered = "" if status is None else f" (answered {status})"
    if delivery["state"] == "done":
        return f"It is delivered{answered}."
    if delivery["state"] == "due":
        return f"No server has taken it within {wait_s:g} s: start `rice-stream serve`, which sends it."
    if delivery["state"] == "sending":
        return f"A server has taken it, and the receiver has not answered within {wait_s:g} s."
    if delivery["state"] == "held":
        return f"It is held over the quiet hours, until {delivery['next_at']}."
    ends = "" if delivery["state"] == "dead" else f" It is tried again at {delivery['next_at']}."
    return f"It is not delivered{answered}: {delivery['problem'] or 'the receiver refused it'}.{ends}"
