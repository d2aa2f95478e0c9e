"""`rice-stream check`."""

import sys
from datetime import UTC, datetime
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.tables import Styled, table
from rice_stream.errors import ServiceUnavailableError


@click.command()
@json_option
@pass_session
def check(session: Session, *, as_json: bool) -> None:
    """Look at settings, broker, topics, database, tables and versions; say what to do about each problem.

    Changes nothing. Exit code 1 when something is wrong, 3 when a service does not answer. Passwords are not shown.

    Example: rice-stream local -- rice-stream check
    """
    from rice_stream.runtime.checks import run_checks

    with STDERR.status("Checking"):
        result = run_checks(session.settings, now=lambda: datetime.now(UTC))
    reachable = result.pop("reachable")
    answer(result, as_json=as_json, human=lambda: _show(result))
    if not result["ok"]:
        sys.exit(BAD_NEWS if reachable else ServiceUnavailableError.exit_code)


def _show(result: dict[str, Any]) -> None:
    table(["setting", "value"], [[name, _plain(value)] for name, value in result["settings"].items()])
    click.echo()
    table(["part", "version"], list(result["versions"].items()))
    click.echo()
    table(
        ["", "check", "found"],
        [
            [Styled("ok", "green") if item["ok"] else Styled("PROBLEM", "red"), item["name"], item["detail"]]
            for item in result["checks"]
        ],
    )
    for item in result["checks"]:
        if not item["ok"]:
            STDERR.print(f"{item['name']}: {item['what_to_do']}")


def _plain(value: object) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
