"""`rice-stream totals`, `verify` and `explain`; `quarantine` is loaded from here as well."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rice_stream.cli.base import BAD_NEWS, STDERR, Session, answer, json_option, pass_session, table
from rice_stream.cli.quarantine import quarantine
from rice_stream.errors import UsageError
from rice_stream.files.reading import FILE_TOPIC
from rice_stream.instants import parse_time
from rice_stream.meter.requests import TokenDefaults
from rice_stream.proof.verification import ReportProgress
from rice_stream.proof.verification import verify as verify_totals
from rice_stream.reports.sums import FIELDS
from rice_stream.reports.totals import WINDOWS, Bound
from rice_stream.reports.totals import totals as sum_totals
from rice_stream.runtime.opening import open_method, open_store
from rice_stream.runtime.settings.settings import Settings

__all__ = ["explain", "quarantine", "totals", "verify"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WH_PER_KWH, _G_PER_KG = 1000, 1000


def _moment(name: str, value: str | None) -> Bound:
    """A date or an RFC 3339 instant."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value) if _DATE.fullmatch(value) else parse_time(value)
    except ValueError as error:
        raise UsageError(f"{name} {value}: {error}; a date such as 2026-11-22 is allowed as well") from error


def instant(name: str, value: str | None) -> datetime | None:
    """An instant; a date means its beginning in UTC."""
    moment = _moment(name, value)
    if moment is None or isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def defaults_of(settings: Settings) -> TokenDefaults:
    """The counts that stand in for unknown ones."""
    return TokenDefaults(settings.default_input_tokens, settings.default_output_tokens)


# --- totals ----------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--tenant", help="Only this tenant.")
@click.option(
    "--by", multiple=True, metavar="NAME", help=f"{', '.join(FIELDS)}; several, or a comma list.  [default: tenant]"
)
@click.option("--window", type=click.Choice(WINDOWS), help="The time until now: rolling, or month to date (mtd).")
@click.option("--from", "start", metavar="TIME", help="Date or RFC 3339 instant at which to begin.")
@click.option("--to", "end", metavar="TIME", help="Date or instant at which to end; itself not included.")
@click.option(
    "--impacts", is_flag=True, help="Embodied carbon and water as well, beside the carbon (from the records)."
)
@click.option("--limit", type=click.IntRange(1), help="Show at most N rows, largest carbon first.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out the first N rows.")
@json_option
@pass_session
def totals(session: Session, /, *, as_json: bool, **asked: Any) -> None:
    """Prompts, tokens, energy and carbon, by any names and over any time. Days are those of each tenant's time zone.

    Example: rice-stream totals --tenant acme --by team,model --from 2026-11-01 --to 2026-12-01
    """
    document = sum_totals(
        open_store(session.settings),
        now=datetime.now(UTC),
        tenant=asked["tenant"],
        by=asked["by"],
        window=asked["window"],
        start=_moment("--from", asked["start"]),
        end=_moment("--to", asked["end"]),
        limit=asked["limit"],
        offset=asked["offset"],
        impacts=asked["impacts"],
    )
    answer(document, as_json=as_json, human=lambda: _show_totals(document))


def _show_totals(document: dict[str, Any]) -> None:
    by = document["by"]
    window = document["window"]
    impacts = "impact_prompts" in document["total"]
    rows = [[*(row[name] for name in by), *_total_cells(row)] for row in document["rows"]]
    total = ["all", *[""] * (len(by) - 1), *_total_cells(document["total"])]
    columns = [*by, "prompts", "input tokens", "output tokens", "kWh", "kgCO2e", "low", "high"]
    columns += ["kgCO2e embodied, beside it", "water l", "of prompts"] if impacts else []
    span = " ".join(f"{word} {window[word]}" for word in ("from", "to") if window[word]) or "all time"
    table(columns, [*rows, total], title=f"{window['name'] or 'totals'}: {span}")
    left_out = document["rows_total"] - len(rows)
    if left_out:
        STDERR.print(
            f"{left_out} of {document['rows_total']} rows are not shown (--limit, --offset); the last line is of all."
        )


def _total_cells(row: dict[str, Any]) -> list[object]:
    carbon = row["carbon_gco2e"]
    return [
        row["prompts"],
        row["input_tokens"],
        row["output_tokens"],
        row["facility_energy_wh"] / _WH_PER_KWH,
        *(carbon[end] / _G_PER_KG for end in ("mid", "low", "high")),
        *_impact_cells(row),
    ]


def _impact_cells(row: dict[str, Any]) -> list[object]:
    if "impact_prompts" not in row:
        return []
    embodied = row["embodied_gco2e"]
    return [None if embodied is None else embodied / _G_PER_KG, row["water_l"], row["impact_prompts"]]


# --- verify ----------------------------------------------------------------------------------------------------------


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
    with _progress_bar() as progress:
        document = verify_totals(engine, progress, horizon=instant("--from", start))
        if against_topic:
            _add_topic(document, settings, engine, progress)
    answer(document, as_json=as_json, human=lambda: _show_verification(document))
    if not document["ok"]:
        sys.exit(BAD_NEWS)


def _add_topic(document: dict[str, Any], settings: Settings, engine: Any, progress: ReportProgress) -> None:
    from rice_stream.kafka.topic_log import open_log
    from rice_stream.proof.topic_verification import verify_against_topic
    from rice_stream.proof.verification import LISTED_MAX
    from rice_stream.runtime.opening_kafka import kafka_config

    with open_log(kafka_config(settings), settings.kafka_group_id, settings.events_topics) as log:
        more = verify_against_topic(
            engine,
            log,
            method=open_method(settings),
            defaults=defaults_of(settings),
            formats=settings.format_options(),
            progress=progress,
        )
    document["differences"] = (document["differences"] + more["differences"])[:LISTED_MAX]
    document["differences_total"] += more["differences_total"]
    document["against_topic"] = more["against_topic"]
    document["ok"] = document["differences_total"] == 0


@contextmanager
def _progress_bar() -> Iterator[ReportProgress]:
    """A bar on stderr; it goes away when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR, transient=True) as bar:
        task = bar.add_task("verify", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, 1))

        yield progress


def _show_verification(document: dict[str, Any]) -> None:
    since = f" from {document['from']} on" if document["from"] else ""
    checked = f"{document['totals_checked']:,} totals against {document['records']:,} records{since}"
    if document["ok"]:
        click.echo(f"ok: {checked}, no difference")
    else:
        click.echo(f"DIFFERENT: {checked}, {document['differences_total']:,} difference(s)")
        rows = [
            [row["table"], _key_text(row["key"]), row["problem"], row["measure"], row["stored"], row["recomputed"]]
            for row in document["differences"]
        ]
        table(["table", "key", "problem", "measure", "stored", "recomputed"], rows)
    for gap in document["gaps"]:
        STDERR.print(f"{gap['topic']}/{gap['partition']}: {gap['gaps']:,} {_gap_text(gap['topic'])}")
    if "against_topic" in document:
        _show_topic(document["against_topic"])


def _gap_text(topic: str) -> str:
    if topic.startswith(FILE_TOPIC):
        return "line(s) that hold nothing (blank)"
    return "offset(s) that Kafka never gave (compaction, markers)"


def _show_topic(found: dict[str, Any]) -> None:
    click.echo(
        f"log: {found['events']:,} events, {found['distinct_events']:,} distinct; {found['quarantined']:,} in quarantine,"
        f" {found['conflicts']:,} conflicts, {found['older_than_retention']:,} older than retention;"
        f" amounts of {found['amounts_checked']:,} estimated again, of {found['amounts_unchecked']:,} not"
    )
    if found["records_not_in_log"]:
        elsewhere = found["recorded_from_elsewhere"]
        click.echo(f"{found['records_not_in_log']:,} records are not in the log ({elsewhere:,} came another way)")
    names = ["topic", "partition", "log_start", "log_end", "read_to", "lag", "no_longer_in_log"]
    table(names, [[row[name] for name in names] for row in found["partitions"]])


def _key_text(key: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items() if value is not None)


# --- explain ---------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("event_id")
@click.option("--tenant", help="Needed when several tenants have an event of this id.")
@click.option("--ended-at", metavar="TIME", help="Needed when a tenant has several of this id.")
@json_option
@pass_session
def explain(session: Session, /, event_id: str, *, tenant: str | None, ended_at: str | None, as_json: bool) -> None:
    """The arithmetic of one record, step by step, from what is stored with it.

    Exit code 1 when the record does not hold what its own factors give.

    Example: rice-stream explain req-7f3a --tenant acme
    """
    from rice_stream.reports.explanation import explain as explain_record

    document = explain_record(
        open_store(session.settings),
        event_id,
        tenant,
        defaults=defaults_of(session.settings),
        ended_at=instant("--ended-at", ended_at),
        open_method=partial(open_method, session.settings),
    )
    answer(document, as_json=as_json, human=lambda: _show_explanation(document))
    if document["agrees"] is False:
        sys.exit(BAD_NEWS)


def _show_explanation(document: dict[str, Any]) -> None:
    table(["record", ""], [[name, value] for name, value in document["record"].items() if value is not None])
    click.echo()
    names = ["name", "value", "unit", "formula", "source"]
    table(["step", *names[1:]], [[_exact(step[name]) for name in names] for step in document["steps"]])
    for remark in document["remarks"]:
        STDERR.print(remark)


def _exact(value: object) -> str:
    """A step's value as it is: rounding it for display would make the next step look wrong."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
