"""The progress of a long recount, on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rice_stream.cli.base import STDERR
from rice_stream.proof.verification import ReportProgress


@contextmanager
def progress_bar(name: str) -> Iterator[ReportProgress]:
    """A bar that goes away when the work is done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=STDERR.console, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, 1))

        yield progress
