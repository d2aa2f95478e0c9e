"""`rice-stream quarantine list|show|replay|drop`."""

import sys
import time
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, CommandGroup, Session, answer, json_option, pass_session
from rice_stream.cli.tables import table
from rice_stream.errors import UsageError
from rice_stream.reports.quarantine import dropped, quarantined
from rice_stream.reports.quarantine import show as show_item
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.store.quarantine import STATUSES, Choice
from rice_stream.store.quarantine import drop as drop_items
from rice_stream.store.revisions import head_revision, schema_change_told
from rice_stream.store.scope import EVERYTHING


@click.group(cls=CommandGroup)
def quarantine() -> None:
    """Items that were refused: list, show, replay, drop.

    Example: rice-stream quarantine list --reason missing_field
    """


@quarantine.command("list")
@click.option("--reason", help="Only this reason code.")
@click.option("--topic", help="Only from this topic (or file).")
@click.option("--status", type=click.Choice([*STATUSES, "all"]), default="held", show_default=True)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest N.")
@json_option
@pass_session
def list_(
    session: Session, /, reason: str | None, topic: str | None, status: str, limit: int, *, as_json: bool
) -> None:
    """What was refused and why, latest first.

    Example: rice-stream quarantine list --reason missing_field --limit 20
    """
    document = quarantined(
        open_store(session.settings),
        EVERYTHING,
        Choice(reason=reason, topic=topic),
        status=None if status == "all" else status,
        limit=limit,
    )

    def human() -> None:
        _show_rows(document["rows"], "status")
        reasons = ", ".join(f"{name} {count:,}" for name, count in document["by_reason"].items())
        STDERR.print(f"{document['total']:,} in all{': ' if reasons else ''}{reasons}")

    answer(document, as_json=as_json, human=human)


@quarantine.command("show")
@click.argument("quarantine_id", metavar="ID", type=int)
@json_option
@pass_session
def show(session: Session, quarantine_id: int, *, as_json: bool) -> None:
    """One refused item: why, and what was kept of it (known fields only, never text).

    Example: rice-stream quarantine show 12
    """
    row = show_item(open_store(session.settings), EVERYTHING, quarantine_id)
    answer({"rows": [row]}, as_json=as_json, human=lambda: table(["field", "value"], list(row.items())))


@quarantine.command("replay")
@click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Everything that is held.")
@click.option("--reason", help="What is held for this reason.")
@click.option(
    "--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Put this over the item's field; repeat it."
)
@json_option
@pass_session
def replay(
    session: Session,
    /,
    ids: tuple[int, ...],
    assignments: tuple[str, ...],
    *,
    everything: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Take refused items up again, from Kafka where they still lie there. Nothing is ever counted twice.

    Exit code 1 when some are still refused; they stay held, with their new reason.

    Example: rice-stream quarantine replay --reason missing_field --set tenant_id=acme
    """
    from rice_stream.kafka.record_fetch import KafkaFetch
    from rice_stream.pipeline.patches import parse_patches
    from rice_stream.pipeline.quarantine_replay import replay as replay_items
    from rice_stream.runtime.opening_kafka import kafka_config

    choice = _choice(ids, everything=everything, reason=reason)
    patches = parse_patches(assignments)
    settings = session.settings
    engine = open_store(settings)
    pipeline, writer = open_pipeline(settings, engine, proposes="if set")
    fetch = KafkaFetch(kafka_config(settings), settings.kafka_group_id)
    try:
        with schema_change_told(engine, head_revision()), STDERR.status("Replaying"):
            document = replay_items(
                engine, pipeline, choice, patches=patches, fetch=fetch, now_us=time.time_ns() // 1000, by=session.actor
            )
    finally:
        fetch.close()
        writer.close()
        engine.dispose()
    if fetch.problem is not None:
        STDERR.print(f"Kafka does not answer ({fetch.problem}); what is stored of the items had to do.")

    def human() -> None:
        _show_rows(document["rows"], "outcome")
        STDERR.print(
            f"{document['replayed']:,} replayed ({document['recorded']:,} recorded, {document['duplicates']:,} were known,"
            f" {document['conflicts']:,} contradict a record), {document['held']:,} still held"
        )

    answer(document, as_json=as_json, human=human)
    if document["held"]:
        sys.exit(BAD_NEWS)


@quarantine.command("drop")
@click.argument("ids", nargs=-1, type=int, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Everything that is held.")
@click.option("--reason", help="What is held for this reason.")
@json_option
@pass_session
def drop(session: Session, /, ids: tuple[int, ...], *, everything: bool, reason: str | None, as_json: bool) -> None:
    """Put refused items aside for good; they stay in the table with the status `dropped`.

    Example: rice-stream quarantine drop 12 13
    """
    choice = _choice(ids, everything=everything, reason=reason)
    engine = open_store(session.settings)
    document = dropped(engine, EVERYTHING, drop_items(engine, choice, time.time_ns() // 1000, session.actor))
    answer(document, as_json=as_json, human=lambda: STDERR.print(f"{document['dropped']:,} dropped"))


def _choice(ids: tuple[int, ...], *, everything: bool, reason: str | None) -> Choice:
    given = [bool(ids), everything, reason is not None]
    if sum(given) != 1:
        raise UsageError("say which: ids, or --reason REASON, or --all")
    return Choice(ids=ids, reason=reason)


def _show_rows(rows: list[dict[str, Any]], last: str) -> None:
    names = ["id", "topic", "partition", "offset", "item", "reason", "detail", last]
    # Ids and offsets are names, not amounts.
    table(names, [[str(row[name]) for name in names] for row in rows])
