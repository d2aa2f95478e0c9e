"""`rice-stream budget set|apply|list|status|remove`."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.budgets.definition import Bound, PeriodName
from rice_stream.budgets.parsing import parse_budget
from rice_stream.cli.base import BAD_NEWS, STDERR, CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import Styled, table
from rice_stream.reports.budgets import UNREADABLE, budget_statuses, named_budget_status
from rice_stream.runtime.budgets_file import read_budgets_file
from rice_stream.runtime.opening import open_store
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING
from rice_stream.wording.plain_text import visible

_STYLE = {"ok": "green", "warning": "yellow", "exceeded": "red", "resolved": "cyan", UNREADABLE: "red"}


@click.group(cls=CommandGroup)
def budget() -> None:
    """Carbon and energy budgets: set, list, status, remove, apply.

    Example: rice-stream budget set acme-month --tenant acme --limit-gco2e 50000 --period month
    """


@budget.command("set")
@click.argument("name")
@click.option("--tenant", required=True)
@click.option("--team")
@click.option("--project")
@click.option("--cost-centre")
@click.option("--user")
@click.option("--model", help="Request model, response model or the name they resolve to.")
@click.option("--limit-gco2e", metavar="X", help="Limit in grams CO2e.")
@click.option("--limit-kwh", metavar="X", help="Limit in kWh of facility energy.")
@click.option("--period", required=True, type=click.Choice(get_args(PeriodName)))
@click.option("--time-zone", metavar="ZONE", help="IANA time zone of calendar periods.  [default: UTC]")
@click.option("--threshold", "thresholds", type=float, multiple=True, help="Ratio of the limit; repeat it for several.")
@click.option("--estimate", type=click.Choice(get_args(Bound)), help="Which end of the range to judge by.")
@click.option("--hysteresis", type=float, help="Ratio below a threshold at which it resolves.  [default: 0.05]")
@click.option(
    "--early-warning/--no-early-warning",
    default=None,
    help="Also warn when it burns too fast, or will not last the period.  [default: no-early-warning]",
)
@json_option
@pass_session
def set_(session: Session, /, name: str, thresholds: tuple[float, ...], *, as_json: bool, **given: Any) -> None:
    """Make a budget, or change the one of the same tenant and name.

    Example: rice-stream budget set search-day --tenant acme --team search --limit-kwh 12 --period day
    --time-zone Europe/Berlin --threshold 0.8 --threshold 1
    """
    wanted = parse_budget(
        {
            "name": name,
            "tenant_id": given["tenant"],
            "team_id": given["team"],
            "project_id": given["project"],
            "cost_centre": given["cost_centre"],
            "user_id": given["user"],
            "model": given["model"],
            "limit_gco2e": given["limit_gco2e"],
            "limit_kwh": given["limit_kwh"],
            "period": given["period"],
            "time_zone": given["time_zone"],
            "thresholds": list(thresholds) or None,
            "estimate": given["estimate"],
            "hysteresis": given["hysteresis"],
            "early_warning": given["early_warning"],
        }
    )
    engine = open_store(session.settings)
    set_budgets(engine, [wanted], time.time_ns() // 1000, session.actor)
    _show(engine, as_json=as_json, only={(wanted.tenant_id, wanted.name)})


@budget.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_session
def apply_(session: Session, file: Path, *, as_json: bool) -> None:
    """Set all budgets of a YAML file. Nothing is changed when any of them has a problem.

    Example: rice-stream budget apply budgets.yaml
    """
    budgets = read_budgets_file(file)
    engine = open_store(session.settings)
    set_budgets(engine, budgets, time.time_ns() // 1000, session.actor)
    _show(engine, as_json=as_json, only={(wanted.tenant_id, wanted.name) for wanted in budgets})


@budget.command("list")
@click.option("--tenant")
@json_option
@pass_session
def list_(session: Session, tenant: str | None, *, as_json: bool) -> None:
    """All budgets.

    Example: rice-stream budget list --tenant acme
    """
    _show(open_store(session.settings), as_json=as_json, tenant=tenant)


@budget.command("status")
@click.option("--tenant")
@click.option("--fail-if-exceeded", is_flag=True, help="Exit 1 when any is exceeded or cannot be read.")
@json_option
@pass_session
def status(session: Session, tenant: str | None, *, fail_if_exceeded: bool, as_json: bool) -> None:
    """What each budget has consumed of its current period.

    Example: rice-stream budget status --tenant acme --fail-if-exceeded
    """
    rows = _show(open_store(session.settings), as_json=as_json, tenant=tenant)
    if fail_if_exceeded and any(row["state"] in ("exceeded", UNREADABLE) for row in rows):
        sys.exit(BAD_NEWS)


@budget.command("remove")
@click.argument("name")
@click.option("--tenant", help="Needed when several tenants have a budget of this name.")
@json_option
@pass_session
def remove(session: Session, name: str, tenant: str | None, *, as_json: bool) -> None:
    """Remove a budget; its alerts stay.

    Example: rice-stream budget remove acme-month
    """
    engine = open_store(session.settings)
    removed = named_budget_status(engine, EVERYTHING, name, tenant, datetime.now(UTC))
    remove_budget(engine, removed["tenant_id"], name, session.actor)
    answer({"budgets": [removed]}, as_json=as_json, human=lambda: STDERR.print(f"Budget {visible(name)} is removed."))


def _show(
    engine: Engine, *, as_json: bool, tenant: str | None = None, only: set[tuple[str, str]] | None = None
) -> list[dict[str, Any]]:
    rows = budget_statuses(engine, EVERYTHING, datetime.now(UTC), tenant=tenant, only=only)

    def human() -> None:
        columns = ["budget", "tenant", "scope", "period", "consumed", "limit", "unit", "used", "state"]
        table(columns, [_cells(row) for row in rows])
        for row in rows:
            if row["state"] == UNREADABLE:
                STDERR.print(f"budget {row['name']!r} of {row['tenant_id']!r}: {row['problem']}")

    answer({"budgets": rows}, as_json=as_json, human=human)
    return rows


def _cells(row: dict[str, Any]) -> list[object]:
    if row["state"] == UNREADABLE:
        return [row["name"], row["tenant_id"], *[""] * 6, Styled(UNREADABLE, _STYLE[UNREADABLE])]
    narrowing = ("team_id", "project_id", "cost_centre", "user_id", "model")
    narrowed = [f"{name.removesuffix('_id').replace('_', ' ')} {row[name]}" for name in narrowing if row[name]]
    return [
        row["name"],
        row["tenant_id"],
        ", ".join(narrowed) or "all",
        f"{row['period']} ({row['time_zone']})",
        row["consumed"],
        row["limit"],
        row["unit"],
        f"{row['ratio']:.1%}",
        Styled(row["state"], _STYLE[row["state"]]),
    ]
