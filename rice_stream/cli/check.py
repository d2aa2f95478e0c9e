"""`rice-stream check`."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session, say
from rice_stream.cli.tables import Styled, table
from rice_stream.errors import ServiceUnavailableError
from rice_stream.runtime.settings.settings import Settings

if TYPE_CHECKING:
    from rice_stream.runtime.checks import Check


@click.command()
@click.option(
    "--all", "all_settings", is_flag=True, help="Show all settings, not only those that are not at their default."
)
@click.option("--deep", is_flag=True, help="Also send one marked event all the way, and say how long each leg took.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME", help="With --deep: a channel to try; repeat it for several."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1, max=3600),
    default=30.0,
    show_default=True,
    metavar="S",
    help="With --deep: how long each leg may take.",
)
@json_option
@pass_session
def check(session: Session, /, *, all_settings: bool, as_json: bool, **deep: Any) -> None:
    """Look at settings, broker, topics, database, tables and versions; say what to do about each problem.

    Changes nothing, except with --deep: that leaves one prompt without carbon, tokens or energy, of the tenant
    rice-stream-check, and a trial on each channel that is named. Exit code 1 when something is wrong, 3 when a service does
    not answer. Passwords are not shown.

    Example: rice-stream check --deep --channel ops
    """
    if deep["channels"] and not deep["deep"]:
        raise click.UsageError("--channel: needs --deep")
    from rice_stream.runtime.checks import run_checks

    with STDERR.status("Checking"):
        more = chain(_provider(session.settings), _deliveries(session.settings))
        result = run_checks(session.settings, now=_now, more=more)
    reachable = result.pop("reachable")
    if deep["deep"]:
        result["deep"] = _deep(session, result, deep["channels"], deep["timeout_s"])
        reachable &= result["deep"].pop("reachable")
        result["ok"] &= result["deep"]["ok"]
    answer(result, as_json=as_json, human=lambda: _show(result, all_settings=all_settings))
    if not result["ok"]:
        sys.exit(BAD_NEWS if reachable else ServiceUnavailableError.exit_code)


def _deep(session: Session, result: dict[str, Any], channels: tuple[str, ...], timeout_s: float) -> dict[str, Any]:
    """The event is not sent where it could not arrive: that is a problem already."""
    from rice_stream.runtime.deep_check import deep_check

    needed = ("broker", "topic", "database", "schema")
    wrong = [each["name"] for each in result["checks"] if not each["ok"] and each["name"].split()[0] in needed]
    if wrong:
        STDERR.print(f"No event is sent: first mend {', '.join(wrong)}.")
        return {"ok": False, "reachable": True, "tenant_id": None, "event_id": None, "legs": []}
    with STDERR.status("Sending an event all the way"):
        return deep_check(session.settings, session.actor, channels=channels, timeout_s=timeout_s)


def _provider(settings: Settings) -> Iterable["Check"]:
    """Of the OpenID provider, where one is named; the libraries for it are those of `serve`."""
    if settings.oidc_issuer is None:
        return ()
    from rice_stream.api.access.oidc.provider_check import provider_checks

    return provider_checks(settings)


def _deliveries(settings: Settings) -> Iterable["Check"]:
    from rice_stream.runtime.delivery_checks import delivery_checks

    return delivery_checks(settings, _now)


def _checkpoints(settings: Settings) -> Iterable["Check"]:
    from rice_stream.runtime.checkpoint_checks import checkpoint_checks

    return checkpoint_checks(settings, _now)


def _now() -> datetime:
    return datetime.now(UTC)


def _show(result: dict[str, Any], *, all_settings: bool) -> None:
    """What is wrong and what to do comes first; then what was looked at, what is set, and versions."""
    problems = [item for item in result["checks"] if not item["ok"]]
    for item in problems:
        say(f"PROBLEM {item['name']}: {item['detail']}\n  -> {item['what_to_do']}")
    legs = result.get("deep", {}).get("legs", [])
    for leg in legs:
        if not leg["ok"]:
            say(f"PROBLEM {leg['name']}: {leg['detail']}\n  -> {leg['what_to_do']}")
    say(f"{len(problems)} problem(s) in {len(result['checks'])} checks\n")
    if legs:
        table(["", "leg", "seconds", "found"], [_leg(leg) for leg in legs])
        say()
    table(
        ["", "check", "found"],
        [
            [Styled("ok", "green") if item["ok"] else Styled("PROBLEM", "red"), item["name"], item["detail"]]
            for item in result["checks"]
        ],
    )
    say()
    names = list(result["settings"]) if all_settings else result["changed"]
    if names:
        table(["setting", "value"], [[name, _plain(result["settings"][name])] for name in names])
    if not all_settings:
        say(f"{len(result['settings']) - len(names)} settings are at their defaults; --all shows them.")
    say()
    table(["part", "version"], list(result["versions"].items()))


def _leg(leg: dict[str, Any]) -> list[object]:
    verdict = Styled("ok", "green") if leg["ok"] else Styled("PROBLEM", "red")
    return [verdict, leg["name"], None if leg["seconds"] is None else f"{leg['seconds']:.3f}", leg["detail"]]


def _plain(value: object) -> str | None:
    if value is None:
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
