"""Readers of files, for those who need none until retention has dropped something: what reads Parquet takes a while to load, and
is an extra of the package."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rice_stream.errors import UsageError
from rice_stream.store.archive.kept import ArchivedFile

if TYPE_CHECKING:
    from rice_stream.store.archive.month_rows import RecordRows
    from rice_stream.store.archive.reading import ArchivedRows


def open_rows(
    files: Sequence[ArchivedFile], columns: Collection[str] | None = None, *, with_ids: bool = False
) -> "ArchivedRows":
    """Records of files, with these columns of numbers (None: all). UsageError: nothing is installed that reads them."""
    with _installed():
        from rice_stream.store.archive.columns import NUMBERS
        from rice_stream.store.archive.reading import ArchivedRows
    return ArchivedRows(files, list(NUMBERS) if columns is None else columns, with_ids=with_ids)


def groups_of_file(file: ArchivedFile, key: bytes | None, *, backwards: bool) -> Iterator["RecordRows"]:
    """As `reading.groups_beyond`. UsageError: nothing is installed that reads it."""
    with _installed():
        from rice_stream.store.archive.reading import groups_beyond
    return groups_beyond(file, key, backwards=backwards)


def rows_of_id(file: ArchivedFile, event_id: str) -> Iterator["RecordRows"]:
    """The records of a file that have an id. UsageError: nothing is installed that reads it."""
    with _installed():
        from rice_stream.store.archive.reading import records_of_id
    return records_of_id(file, event_id)


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            "its record is in the archive, which cannot be read here: install rice-stream[archive] where this runs"
        ) from error
