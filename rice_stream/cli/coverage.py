"""`rice-stream coverage` and `rice-stream map`: which names are not known, and saying what they stand for."""

import time
from datetime import UTC, datetime

import click

from rice_stream.cli.base import STDERR, CommandGroup, Session, answer, json_option, pass_session, table
from rice_stream.errors import UsageError
from rice_stream.events.mappings import KINDS, MODEL, REGION, TENANT, MappedName
from rice_stream.instants import epoch_us, parse_time, rfc3339
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reports import coverage as reports
from rice_stream.runtime.opening import open_reference, open_store
from rice_stream.store.engine import reading, writing
from rice_stream.store.mapping_store import LEAD_US, load_mappings, save_mapping

_from_option = click.option(
    "--from",
    "from_",
    metavar="TIME",
    help="For events that ended at or after this instant (RFC 3339); default: in a few seconds, when all workers know.",
)


@click.command()
@click.option("--days", type=click.IntRange(1), help="Only the last N days; default: all time.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The N with most tokens.")
@json_option
@pass_session
def coverage(session: Session, days: int | None, limit: int, *, as_json: bool) -> None:
    """Models, regions and tenants that no table knows, most tokens first; and the carbon that rests on fallbacks.

    Example: rice-stream coverage --days 30
    """
    document = reports.coverage(open_store(session.settings), now=datetime.now(UTC), days=days, limit=limit)

    def human() -> None:
        columns = ["kind", "name", "provider", "taken for", "rung", "prompts", "tokens", "kgCO2e", "share"]
        rows = [
            [
                *(row[name] for name in ("kind", "name", "provider", "taken_for", "rung", "prompts", "tokens")),
                row["carbon_gco2e"] / 1000,
                _percent(row["share_of_carbon"]),
            ]
            for row in document["rows"]
        ]
        table(columns, rows)
        shares = ", ".join(f"{what} {_percent(share)}" for what, share in document["fallback_share"].items())
        STDERR.print(f"{document['rows_total']:,} names in all; share of carbon that rests on fallbacks: {shares}")

    answer(document, as_json=as_json, human=human)


@click.group("map", cls=CommandGroup)
def map_() -> None:
    """Say what a name of a tenant, model or region stands for, in events from then on. Workers need no restart.

    Example: rice-stream map model corp-chat-large gpt-4o
    """


@map_.command()
@click.argument("name")
@click.argument("target")
@_from_option
@json_option
@pass_session
def tenant(session: Session, name: str, target: str, from_: str | None, *, as_json: bool) -> None:
    """Charge what comes under the tenant NAME to TARGET.

    Example: rice-stream map tenant key-5f3a acme
    """
    if not 0 < len(target) <= NAME_LENGTH_MAX:
        raise UsageError(f"TARGET: must have 1 to {NAME_LENGTH_MAX} characters")
    _save(session, TENANT, name, target, from_, as_json=as_json)


@map_.command()
@click.argument("name")
@click.argument("target")
@_from_option
@json_option
@pass_session
def model(session: Session, name: str, target: str, from_: str | None, *, as_json: bool) -> None:
    """Estimate the model NAME as TARGET, a model of the tables.

    Example: rice-stream map model corp-chat-large gpt-4o
    """
    factor = open_reference(session.settings).resolve_model(None, target, None, time.time_ns() // 1000)
    if not factor.known:
        raise UsageError(f"TARGET: {target!r} is no model of the tables; see `rice-stream models {target}`")
    _save(session, MODEL, name, target, from_, as_json=as_json)


@map_.command()
@click.argument("name")
@click.argument("target")
@_from_option
@json_option
@pass_session
def region(session: Session, name: str, target: str, from_: str | None, *, as_json: bool) -> None:
    """Take the region NAME for TARGET, a place of the tables. The NAME `unknown` is that of events without a region.

    Example: rice-stream map region dc-west azure:swedencentral
    """
    if open_reference(session.settings).identify_region(target) is None:
        raise UsageError(f"TARGET: {target!r} is no place of the tables; see `rice-stream regions {target}`")
    _save(session, REGION, name, target, from_, as_json=as_json)


@map_.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@_from_option
@json_option
@pass_session
def end(session: Session, kind: str, name: str, from_: str | None, *, as_json: bool) -> None:
    """Let NAME stand for itself again.

    Example: rice-stream map end model corp-chat-large
    """
    with reading(open_store(session.settings)) as connection:
        known = {(row.kind, row.name) for row in load_mappings(connection).rows}
    if (kind, name) not in known:
        raise UsageError(f"NAME: no {kind} {name!r} is mapped; see `rice-stream map list`")
    _save(session, kind, name, None, from_, as_json=as_json)


@map_.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All mappings, with the instant from which each holds.

    Example: rice-stream map list
    """
    _show(session, as_json=as_json)


def _save(session: Session, kind: str, name: str, target: str | None, from_: str | None, *, as_json: bool) -> None:
    if not name:
        raise UsageError("NAME: must not be empty")
    if name == target:
        raise UsageError(f"TARGET: is NAME itself; to end a mapping use `rice-stream map end {kind} {name}`")
    now_us = time.time_ns() // 1000
    mapping = MappedName(kind, name, target, now_us + LEAD_US if from_ is None else _instant_us(from_))
    with writing(open_store(session.settings)) as connection:
        save_mapping(connection, mapping, now_us)
    _show(session, as_json=as_json, only=(kind, name))


def _instant_us(value: str) -> int:
    try:
        return epoch_us(parse_time(value))
    except ValueError as error:
        raise UsageError(f"--from {value}: {error}") from error


def _show(session: Session, *, as_json: bool, only: tuple[str, str] | None = None) -> None:
    with reading(open_store(session.settings)) as connection:
        found = load_mappings(connection).rows
    rows = [
        {"kind": row.kind, "name": row.name, "target": row.target, "valid_from": rfc3339(row.valid_from_us)}
        for row in found
        if only is None or (row.kind, row.name) == only
    ]

    def human() -> None:
        table(["kind", "name", "stands for", "in events from"], [list(row.values()) for row in rows])

    answer({"mappings": rows}, as_json=as_json, human=human)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


map = map_
"""The command line looks a command up by its name."""
