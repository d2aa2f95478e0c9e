"""`rice-stream budget ...` and `rice-stream alerts`."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click
import yaml
from sqlalchemy import Connection, Engine, select

from rice_stream.budgets.announcement import budget_status
from rice_stream.budgets.definition import Budget, PeriodName
from rice_stream.budgets.parsing import parse_budget, parse_budget_file
from rice_stream.budgets.periods import period_at
from rice_stream.budgets.rules import judge
from rice_stream.cli.base import BAD_NEWS, STDERR, CommandGroup, Session, answer, json_option, pass_session, table
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.runtime.opening import open_store
from rice_stream.store import budget_store, schema
from rice_stream.store.consumption import consumed_in
from rice_stream.store.engine import reading, writing
from rice_stream.store.watching import watch_users_of

_STYLE = {"ok": "green", "warning": "yellow", "exceeded": "red", "resolved": "cyan"}


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
@click.option("--user")
@click.option("--model", help="Request model, response model or the name they resolve to.")
@click.option("--limit-gco2e", metavar="X", help="Limit in grams CO2e.")
@click.option("--limit-kwh", metavar="X", help="Limit in kWh of facility energy.")
@click.option("--period", required=True, type=click.Choice(get_args(PeriodName)))
@click.option("--time-zone", metavar="ZONE", help="IANA time zone of calendar periods.  [default: UTC]")
@click.option("--threshold", "thresholds", type=float, multiple=True, help="Ratio of the limit; repeat it for several.")
@click.option("--estimate", type=click.Choice(["low", "mid", "high"]), help="Which end of the range to judge by.")
@click.option("--hysteresis", type=float, help="Ratio below a threshold at which it resolves.  [default: 0.05]")
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
            "user_id": given["user"],
            "model": given["model"],
            "limit_gco2e": given["limit_gco2e"],
            "limit_kwh": given["limit_kwh"],
            "period": given["period"],
            "time_zone": given["time_zone"],
            "thresholds": list(thresholds) or None,
            "estimate": given["estimate"],
            "hysteresis": given["hysteresis"],
        }
    )
    engine = open_store(session.settings)
    _save(engine, [wanted])
    _show(engine, as_json=as_json, only={(wanted.tenant_id, wanted.name)})


@budget.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_session
def apply_(session: Session, file: Path, *, as_json: bool) -> None:
    """Set all budgets of a YAML file. Nothing is changed when any of them has a problem.

    Example: rice-stream budget apply budgets.yaml
    """
    try:
        budgets = parse_budget_file(yaml.safe_load(file.read_text("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not YAML: {error}") from error
    engine = open_store(session.settings)
    _save(engine, budgets)
    _show(engine, as_json=as_json, only={(wanted.tenant_id, wanted.name) for wanted in budgets})


def _save(engine: Engine, budgets: list[Budget]) -> None:
    watch_users_of(engine, budgets)
    with writing(engine) as connection:
        for wanted in budgets:
            budget_store.save_budget(connection, wanted, time.time_ns() // 1000)


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
@click.option("--fail-if-exceeded", is_flag=True, help="Exit 1 when any of them is exceeded.")
@json_option
@pass_session
def status(session: Session, tenant: str | None, *, fail_if_exceeded: bool, as_json: bool) -> None:
    """What each budget has consumed of its current period.

    Example: rice-stream budget status --tenant acme --fail-if-exceeded
    """
    rows = _show(open_store(session.settings), as_json=as_json, tenant=tenant)
    if fail_if_exceeded and any(row["state"] == "exceeded" for row in rows):
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
    with writing(engine) as connection:
        found = [b for b in budget_store.load_budgets(connection, tenant_id=tenant) if b.name == name]
        if not found:
            raise UsageError(f"there is no budget {name!r}; see `rice-stream budget list`")
        if len(found) > 1:
            owners = ", ".join(b.tenant_id for b in found)
            raise UsageError(f"several tenants have a budget {name!r}: {owners}; say which with --tenant")
        removed = [_row(connection, found[0], datetime.now(UTC))]
        budget_store.remove_budget(connection, found[0])
    answer({"budgets": removed}, as_json=as_json, human=lambda: STDERR.print(f"Budget {name} is removed."))


def _show(
    engine: Engine, *, as_json: bool, tenant: str | None = None, only: set[tuple[str, str]] | None = None
) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    with reading(engine) as connection:
        budgets = budget_store.load_budgets(connection, tenant_id=tenant)
        rows = [_row(connection, b, now) for b in budgets if only is None or (b.tenant_id, b.name) in only]

    def human() -> None:
        columns = ["budget", "tenant", "scope", "period", "consumed", "limit", "unit", "used", "state"]
        table(columns, [_cells(row) for row in rows])

    answer({"budgets": rows}, as_json=as_json, human=human)
    return rows


def _row(connection: Connection, wanted: Budget, now: datetime) -> dict[str, Any]:
    """The status as of now: judged on the totals of this moment, whether or not a worker has done so already."""
    period = period_at(wanted, now)
    consumed = consumed_in(connection, wanted, period)
    state, _ = judge(wanted, budget_store.load_state(connection, wanted), consumed, period, now)
    return {
        **budget_status(wanted, state, consumed),
        "period_start": rfc3339(epoch_us(period.start)),
        "period_end": rfc3339(epoch_us(period.end)),
    }


def _cells(row: dict[str, Any]) -> list[object]:
    narrowed = [f"{k.removesuffix('_id')} {row[k]}" for k in ("team_id", "project_id", "user_id", "model") if row[k]]
    style = _STYLE[row["state"]]
    return [
        row["name"],
        row["tenant_id"],
        ", ".join(narrowed) or "all",
        f"{row['period']} ({row['time_zone']})",
        row["consumed"],
        row["limit"],
        row["unit"],
        f"{row['ratio']:.1%}",
        f"[{style}]{row['state']}[/]",
    ]


@click.command()
@click.option("--tenant")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest N.")
@json_option
@pass_session
def alerts(session: Session, tenant: str | None, limit: int, *, as_json: bool) -> None:
    """State changes of budgets, latest first, and whether Kafka has confirmed them.

    Example: rice-stream alerts --tenant acme
    """
    columns = schema.alert.c
    query = select(schema.alert).order_by(columns.created_at_us.desc(), columns.sequence.desc()).limit(limit)
    if tenant is not None:
        query = query.where(columns.tenant_id == tenant)
    with reading(open_store(session.settings)) as connection:
        rows = [
            {
                "id": row["id"],
                "tenant_id": row["tenant_id"],
                "budget": row["budget"],
                "threshold": row["threshold"],
                "state": row["state"],
                "sequence": row["sequence"],
                "time": _instant(row["created_at_us"]),
                "delivered": row["delivered_at_us"] is not None,
                "delivered_at": _instant(row["delivered_at_us"]),
            }
            for row in connection.execute(query).mappings()
        ]

    def human() -> None:
        names = ["time", "tenant", "budget", "threshold", "state", "delivered"]
        table(
            names, [[r["time"], r["tenant_id"], r["budget"], r["threshold"], r["state"], r["delivered"]] for r in rows]
        )

    answer({"alerts": rows}, as_json=as_json, human=human)


def _instant(instant_us: int | None) -> str | None:
    return None if instant_us is None else rfc3339(instant_us, "milliseconds")
