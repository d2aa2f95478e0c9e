"""`rice-stream map`: saying what a name of a tenant, model or region stands for, and who is charged within a tenant."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rice_stream.cli.base import CommandGroup, Session, json_option, pass_session
from rice_stream.cli.mapping_changes import key_of, named, save_and_answer, show_mappings, spelled
from rice_stream.cli.mapping_files import import_file
from rice_stream.events.mappings import COST_CENTRE, KINDS, MODEL, PROJECT, REGION, SUBJECTS, TEAM, TENANT
from rice_stream.pipeline.mapping import end_mapping, instant_us, map_name
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_reference import open_reference

_from_option = click.option(
    "--from",
    "from_",
    metavar="TIME",
    help="For events that ended at or after this instant (RFC 3339); default: in a few seconds, when all workers know.",
)
_tenant_option = click.option("--tenant", "tenant_id", metavar="ID", help="Whose team, project or cost centre it is.")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _of_option(default: str | None) -> Callable[[_Command], _Command]:
    said = f"  [default: {default}]" if default else ""
    return click.option(
        "--of",
        "subject",
        type=click.Choice([spelled(subject) for subject in SUBJECTS]),
        default=default,
        help="What NAME (or its beginning, with a * after it) is the name of; the most specific that matches holds: user, API key,"
        f" project, team.{said}",
    )


def _restate_options(command: _Command) -> _Command:
    for option in (
        click.option("--dry-run", is_flag=True, help="With --restate: only say what would come of it."),
        click.option("--reason", help="With --restate: why; kept with the entries for good."),
        click.option(
            "--restate", is_flag=True, help="Charge what is recorded since --from as well, by entries; records stay."
        ),
    ):
        command = option(command)
    return command


@click.group("map", cls=CommandGroup)
def map_() -> None:
    """Say what a name stands for, or whom within a tenant it is charged to, in events from then on. Workers need no restart.

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
    _map(session, TENANT, name, target, from_=from_, as_json=as_json)


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
    _map(session, MODEL, name, target, from_=from_, as_json=as_json)


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
    _map(session, REGION, name, target, from_=from_, as_json=as_json)


@map_.command()
@click.argument("name")
@click.argument("target")
@_tenant_option
@_of_option("team")
@_from_option
@_restate_options
@json_option
@pass_session
def team(session: Session, /, name: str, target: str, *, as_json: bool, **said: Any) -> None:
    """Charge what a tenant is charged for under NAME (`unattributed`: without a team or project) to the team TARGET.

    Example: rice-stream map team key-5f3a search --tenant acme --of api-key
    """
    _map(session, TEAM, name, target, as_json=as_json, **said)


@map_.command()
@click.argument("name")
@click.argument("target")
@_tenant_option
@_of_option("project")
@_from_option
@_restate_options
@json_option
@pass_session
def project(session: Session, /, name: str, target: str, *, as_json: bool, **said: Any) -> None:
    """Charge what a tenant is charged for under NAME (`unattributed`: without a team or project) to the project TARGET.

    Example: rice-stream map project u-17 ranker --tenant acme --of user
    """
    _map(session, PROJECT, name, target, as_json=as_json, **said)


@map_.command("cost-centre")
@click.argument("name")
@click.argument("target")
@_tenant_option
@_of_option("team")
@_from_option
@_restate_options
@json_option
@pass_session
def cost_centre(session: Session, /, name: str, target: str, *, as_json: bool, **said: Any) -> None:
    """Charge what a tenant is charged for under NAME (`unattributed`: without a team or project) to the cost centre TARGET.

    Example: rice-stream map cost-centre search CC-4711 --tenant acme
    """
    _map(session, COST_CENTRE, name, target, as_json=as_json, **said)


@map_.command()
@click.argument("kind", type=click.Choice([spelled(kind) for kind in KINDS]))
@click.argument("name")
@_tenant_option
@_of_option(None)
@_from_option
@_restate_options
@json_option
@pass_session
def end(session: Session, /, kind: str, name: str, *, as_json: bool, **said: Any) -> None:
    """Let NAME stand for itself again.

    Example: rice-stream map end model corp-chat-large
    """
    engine = open_store(session.settings)
    key = key_of(named(kind), name, said)

    def save() -> None:
        end_mapping(
            engine,
            key.kind,
            key.name,
            valid_from_us=instant_us("--from", said["from_"]),
            now_us=time.time_ns() // 1000,
            by=session.actor,
            tenant_id=key.tenant_id,
            subject=key.subject,
            recharges=said["restate"],
        )

    save_and_answer(session, engine, key, None, save, as_json=as_json, **said)


@map_.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only check it, and say which of its mappings are not there yet.")
@click.option("--reason", help="With --restate: why; kept with the entries for good.")
@click.option(
    "--restate", is_flag=True, help="Charge what is recorded since each holds by it as well, by entries; records stay."
)
@json_option
@pass_session
def import_(session: Session, /, file: Path, *, as_json: bool, **said: Any) -> None:
    """Take the mappings of FILE (CSV or YAML), all of them or none; those that are there already stay as they are.

    Its fields are those of `map list --json`: kind, name, target, valid_from, tenant_id, subject.

    Example: rice-stream map import cost-centres.csv --dry-run
    """
    import_file(session, file, as_json=as_json, **said)


@map_.command("list")
@json_option
@pass_session
def list_(session: Session, *, as_json: bool) -> None:
    """All mappings, with the instant from which each holds.

    Example: rice-stream map list
    """
    show_mappings(open_store(session.settings), as_json=as_json)


def _map(session: Session, kind: str, name: str, target: str, *, as_json: bool, **said: Any) -> None:
    settings = session.settings
    engine = open_store(settings)
    key = key_of(kind, name, said)

    def save() -> None:
        map_name(
            engine,
            kind,
            name,
            target,
            open_reference=lambda: open_reference(settings),
            valid_from_us=instant_us("--from", said["from_"]),
            now_us=time.time_ns() // 1000,
            by=session.actor,
            tenant_id=key.tenant_id,
            subject=key.subject,
            recharges=said.get("restate", False),
        )

    save_and_answer(session, engine, key, target, save, as_json=as_json, **said)


map = map_
"""The command line looks a command up by its name."""
