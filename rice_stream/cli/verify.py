"""`rice-stream verify`."""

import sys
from typing import Any

import click

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session, say
from rice_stream.cli.progress import progress_bar
from rice_stream.cli.tables import table
from rice_stream.files.reading import FILE_TOPIC
from rice_stream.proof.differences import LISTED_MAX
from rice_stream.proof.verification import ReportProgress
from rice_stream.proof.verification import verify as verify_totals
from rice_stream.reports.moments import instant
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_estimator import open_method, token_defaults
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine
from rice_stream.wording.plain_text import visible


@click.command()
@click.option(
    "--against-topic", is_flag=True, help="Read the events topics as well, and compare every event with its record."
)
@click.option("--from", "start", metavar="TIME", help="Recount only what ended at this date or instant, or later.")
@json_option
@pass_session
def verify(session: Session, /, *, against_topic: bool, start: str | None, as_json: bool) -> None:
    """Recount every total from the records and compare with ==. Exit code 1 on any difference.

    Runs beside live workers. With --against-topic the Kafka log proves the records in turn.

    Example: rice-stream verify --against-topic
    """
    settings = session.settings
    engine = open_store(settings)
    with progress_bar("verify") as progress:
        document = verify_totals(engine, progress, horizon=instant("--from", start))
        if against_topic:
            _add_topic(document, settings, engine, progress)
    answer(document, as_json=as_json, human=lambda: _show_verification(document))
    if not document["ok"]:
        sys.exit(BAD_NEWS)


def _add_topic(document: dict[str, Any], settings: Settings, engine: Engine, progress: ReportProgress) -> None:
    from rice_stream.kafka.topic_log import open_log
    from rice_stream.proof.topic_verification import verify_against_topic
    from rice_stream.runtime.opening_kafka import kafka_config

    with open_log(kafka_config(settings), settings.kafka_group_id, settings.events_topics) as log:
        against = verify_against_topic(
            engine,
            log,
            method=open_method(settings),
            defaults=token_defaults(settings),
            formats=settings.format_options(),
            progress=progress,
        )
    document["differences"] = (document["differences"] + against["differences"])[:LISTED_MAX]
    document["differences_total"] += against["differences_total"]
    document["against_topic"] = against["against_topic"]
    document["ok"] = document["differences_total"] == 0


def _show_verification(document: dict[str, Any]) -> None:
    since = f" from {document['from']} on" if document["from"] else ""
    checked = f"{document['totals_checked']:,} totals against {document['records']:,} records{since}"
    if document["ok"]:
        say(f"ok: {checked}, no difference")
    else:
        say(f"DIFFERENT: {checked}, {document['differences_total']:,} difference(s)")
        rows = [
            [row["table"], _key_text(row["key"]), row["problem"], row["measure"], row["stored"], row["recomputed"]]
            for row in document["differences"]
        ]
        table(["table", "key", "problem", "measure", "stored", "recomputed"], rows)
        if any(row["table"].endswith("_total") for row in document["differences"]):
            STDERR.print("`rice-stream rebuild` puts right what differs from the records (--dry-run only counts it).")
    for gap in document["gaps"]:
        STDERR.print(f"{visible(gap['topic'])}/{gap['partition']}: {gap['gaps']:,} {_gap_text(gap['topic'])}")
    if "against_topic" in document:
        _show_topic(document["against_topic"])


def _gap_text(topic: str) -> str:
    if topic.startswith(FILE_TOPIC):
        return "line(s) that hold nothing (blank)"
    return "offset(s) that Kafka never gave (compaction, markers)"


def _show_topic(found: dict[str, Any]) -> None:
    say(
        f"log: {found['events']:,} events, {found['distinct_events']:,} distinct; {found['quarantined']:,} in quarantine,"
        f" {found['conflicts']:,} conflicts, {found['older_than_retention']:,} older than retention;"
        f" amounts of {found['amounts_checked']:,} estimated again, of {found['amounts_unchecked']:,} not"
    )
    if found["records_not_in_log"]:
        elsewhere = found["recorded_from_elsewhere"]
        say(f"{found['records_not_in_log']:,} records are not in the log ({elsewhere:,} came another way)")
    names = ["topic", "partition", "log_start", "log_end", "read_to", "lag", "no_longer_in_log"]
    table(names, [[row[name] for name in names] for row in found["partitions"]])


def _key_text(key: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items() if value is not None)
