"""`rice-stream map tenant|model|region|end|list`: saying what a name stands for."""

import time

import click

from rice_stream.cli.base import CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.events.mappings import KINDS, MODEL, REGION, TENANT
from rice_stream.pipeline.mapping import end_mapping, instant_us, map_name
from rice_stream.reports.mappings import mappings
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_reference import open_reference
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING

_from_option = click.option(
    "--from",
    "from_",
    metavar="TIME",
    help="For events that ended at or after this instant (RFC 3339); default: in a few seconds, when all workers know.",
)


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
    _map(session, TENANT, name, target, from_, as_json=as_json)


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
    _map(session, MODEL, name, target, from_, as_json=as_json)


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
    _map(session, REGION, name, target, from_, as_json=as_json)


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
    engine = open_store(session.settings)
    end_mapping(
        engine, kind, name, valid_from_us=instant_us("--from", from_), now_us=time.time_ns() // 1000, by=session.actor
    )
    _show(engine, as_json=as_json, only=(kind, name))


@map_.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All mappings, with the instant from which each holds.

    Example: rice-stream map list
    """
    _show(open_store(session.settings), as_json=as_json)


def _map(session: Session, kind: str, name: str, target: str, from_: str | None, *, as_json: bool) -> None:
    settings = session.settings
    engine = open_store(settings)
    map_name(
        engine,
        kind,
        name,
        target,
        open_reference=lambda: open_reference(settings),
        valid_from_us=instant_us("--from", from_),
        now_us=time.time_ns() // 1000,
        by=session.actor,
    )
    _show(engine, as_json=as_json, only=(kind, name))


def _show(engine: Engine, *, as_json: bool, only: tuple[str, str] | None = None) -> None:
    rows = mappings(engine, EVERYTHING, only=only)

    def human() -> None:
        table(["kind", "name", "stands for", "in events from"], [list(row.values()) for row in rows])

    answer({"mappings": rows}, as_json=as_json, human=human)


map = map_
"""The command line looks a command up by its name."""
