"""`rice-stream ingest`: files instead of Kafka, through the same pipeline and transaction."""

import gzip
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, cast

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.errors import UsageError
from rice_stream.ingest import RawRecord
from rice_stream.pipeline import Chunk, Pipeline
from rice_stream.runtime import open_pipeline, open_store

FORMATS = ("auto", "canonical")
_LINES_PER_BATCH = 20_000


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True)
@json_option
@pass_session
def ingest(session: Session, files: tuple[Path, ...], format_: str, *, as_json: bool) -> None:
    """Account the events of files: JSON lines (or one JSON array), also gzipped. Repeating a file changes nothing.

    Example: rice-stream ingest events-2026-11.jsonl.gz
    """
    del format_  # one format so far; the option is part of the interface
    engine = open_store(session.settings)
    pipeline, writer = open_pipeline(session.settings, engine)
    counts: Counter[str] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=STDERR, transient=True) as progress:
            for path in files:
                task = progress.add_task(path.name, total=path.stat().st_size)
                for done_bytes in _ingest_file(pipeline, path, counts):
                    progress.update(task, completed=done_bytes)
    finally:
        writer.close()
    names = ("events", "records", "duplicates", "quarantined", "ignored", "conflicts")
    document = {name: counts[name] for name in names}

    def human() -> None:
        STDERR.print(", ".join(f"{counts[name]:,} {name}" for name in names))

    answer(document, as_json=as_json, human=human)


def _ingest_file(pipeline: Pipeline, path: Path, counts: Counter[str]) -> Iterator[int]:
    """Process the file in batches; yields how many of its bytes (as they lie on disk) are done."""
    with path.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if path.suffix == ".gz" else raw
        try:
            lines = _records(path, stream)
            while batch := list(islice(lines, _LINES_PER_BATCH)):
                result = pipeline.process([Chunk(_topic(path), 0, batch)], time.time_ns() // 1000)
                counts["records"] += result.recorded
                counts["duplicates"] += result.duplicates
                counts["conflicts"] += result.conflicts
                counts["quarantined"] += result.quarantined
                counts["events"] += result.recorded + result.duplicates + result.conflicts + result.quarantined
                yield raw.tell()
        except (gzip.BadGzipFile, EOFError) as error:
            raise UsageError(f"{path}: not a whole gzip file: {error}") from error


def _topic(path: Path) -> str:
    return f"file:{path.name}"


def _records(path: Path, stream: IO[bytes]) -> Iterator[RawRecord]:
    """One record a line; a file that is one JSON array (or one object over several lines) is one record."""
    first = stream.readline()
    head = first.strip()
    if head.startswith(b"[") or (head.startswith(b"{") and not head.endswith(b"}")):
        yield RawRecord(_topic(path), 0, 0, first + stream.read())
        return
    if head:
        yield RawRecord(_topic(path), 0, 0, head)
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield RawRecord(_topic(path), 0, number, line.strip())
