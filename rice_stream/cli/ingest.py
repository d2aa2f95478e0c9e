"""`rice-stream ingest`: files instead of Kafka, through the same pipeline and transaction."""

from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.events.formats.reading.options import FORMATS
from rice_stream.files.ingesting import FileCounts, ingest_file
from rice_stream.files.reading import open_file
from rice_stream.pipeline.refusal_limit import RefusalLimit
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.store.file_progress import FileProgressStore
from rice_stream.store.revisions import head_revision, schema_change_told
from rice_stream.wording.plain_text import visible


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="Format of the events in the files; what the files themselves are is seen from their bytes and names.",
)
@json_option
@pass_session
def ingest(session: Session, files: tuple[Path, ...], format_: str, *, as_json: bool) -> None:
    """Account the events of files: JSON lines, a JSON document, CSV, Parquet, OTLP in protobuf; gzipped or not.

    Every format that the worker reads from Kafka. Repeating a file changes nothing, and a run that was cut short goes
    on where it was.

    Example: rice-stream ingest events-2026-11.jsonl.gz spend-logs.csv
    """
    settings = session.settings
    engine = open_store(settings)
    options = replace(settings.format_options(), topic_formats={}, default_format=format_)
    pipeline, writer = open_pipeline(settings, engine, formats=options, proposes="if set")
    counts = FileCounts()
    limit = RefusalLimit(ratio_max=settings.quarantine_ratio_max, records_min=settings.quarantine_ratio_events_min)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        bar = Progress(*columns, console=STDERR.console, transient=True)
        with schema_change_told(engine, head_revision()), bar as progress:
            for path in files:
                task = progress.add_task(visible(path.name), total=path.stat().st_size)
                with open_file(path) as file:
                    for done_bytes in ingest_file(FileProgressStore(engine), pipeline, file, counts, limit):
                        progress.update(task, completed=done_bytes)
    finally:
        writer.close()
    document = {name: count for name, count in asdict(counts).items() if name != "skipped" or count}

    def human() -> None:
        shown = ", ".join(f"{count:,} {name}" for name, count in document.items())
        STDERR.print(shown.replace(" skipped", " records of files skipped, which an earlier run had stored"))

    answer(document, as_json=as_json, human=human)
