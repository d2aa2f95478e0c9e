"""`rice-stream replay`."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.errors import UsageError
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.sandbox.traffic.pacing import as_rate
from rice_stream.sandbox.traffic.plan import replay_events
from rice_stream.sandbox.traffic.send import Destination, send
from rice_stream.sandbox.traffic.traces import TRACE_FORMATS, TraceFormat, open_trace
from rice_stream.wording.plain_text import visible


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", type=click.Choice(list(TRACE_FORMATS)), help="Default: told from the content.")
@click.option("--rate", default="max", show_default=True, help="real, max, or a number of events per second.")
@click.option("--limit", type=click.IntRange(0), help="Send the first N events only.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of the assignment to tenants, models and regions."
)
@click.option("--tenants", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option(
    "--start",
    default=None,
    metavar="TIME",
    help="Move all times so that the first request arrives then: now, an RFC 3339 time, or own for the trace's own times."
    " Default: now for traces, own for jsonl.",
)
@json_option
@pass_session
def replay(
    session: Session,
    file: Path,
    format_: TraceFormat | None,
    rate: str,
    limit: int | None,
    seed: int,
    tenants: int,
    start: str | None,
    *,
    as_json: bool,
) -> None:
    """Send a trace or a file of events to the first events topic, and wait until the broker has confirmed all.

    Reads the Azure LLM inference trace (CSV) and Mooncake's (JSONL) as published, and JSONL of canonical events.
    Traces name no tenant, model or region: they are assigned from the seed, the same for the same seed.

    Example: rice-stream replay AzureLLMInferenceTrace_code.csv --rate max --seed 7
    """
    settings = session.settings
    speed = as_rate(rate)
    trace = open_trace(file, format_)
    origin = _start(start, trace.format)
    total = trace.rows if limit is None else min(limit, trace.rows)
    events = replay_events(trace, seed=seed, tenants=tenants, start=origin, limit=limit, by_completion=speed == "real")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=STDERR.console, transient=True) as progress:
        task = progress.add_task(f"Sending {visible(file.name)}", total=total)
        report = send(
            events,
            Destination(kafka_config(settings), settings.events_topics[0]),
            rate=speed,
            origin=origin if speed == "real" else None,
            on_progress=lambda count: progress.update(task, completed=count),
        )
    document = {
        "events": report.events,
        "input_tokens": report.input_tokens,
        "output_tokens": report.output_tokens,
        "seconds": round(report.seconds, 3),
        "format": trace.format,
        "seed": seed,
    }

    def human() -> None:
        rate_per_s = report.events / report.seconds if report.seconds else 0.0
        STDERR.print(
            f"{report.events:,} events ({report.input_tokens:,} input and {report.output_tokens:,} output tokens) are on"
            f" {settings.events_topics[0]}, confirmed by the broker, in {report.seconds:.1f} s ({rate_per_s:,.0f}/s)."
        )

    answer(document, as_json=as_json, human=human)


def _start(start: str | None, trace_format: str) -> datetime | None:
    chosen = start or ("own" if trace_format == "jsonl" else "now")
    if chosen == "own":
        return None
    if chosen == "now":
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(chosen)
    except ValueError as error:
        raise UsageError(f"--start: {chosen!r} is not now, own or a time such as 2026-11-22T19:00:00Z") from error
    if moment.tzinfo is None:
        raise UsageError(f"--start: {chosen!r} has no time zone; write {chosen}Z for UTC")
    return moment
