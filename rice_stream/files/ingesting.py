"""A file through the pipeline: batch by batch, each one transaction, as the worker does it.

After a batch the place is noted with a digest of everything before it. A run that was cut short is taken up there, if
the file still begins with the same records; a whole file leaves no note, and reading it again finds only duplicates.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rice_stream.events.records import RawRecord
from rice_stream.events.refused_items import count_items
from rice_stream.files.reading import EventFile
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.pipeline.refusal_limit import RefusalLimit
from rice_stream.pipeline.storing import store_chunks
from rice_stream.store.batch import Batch
from rice_stream.store.file_progress import FileProgress, FileProgressStore

RECORDS_PER_BATCH = 20_000
ITEMS_PER_BATCH = 20_000
"""Most events and refused items of a transaction."""
BATCH_BYTES_MAX = 16 * 1024 * 1024
"""A batch ends with the record that passes this: records may hold thousands of events each."""


@dataclass(slots=True)
class FileCounts:
    """What became of the items of files: `events` = records + duplicates + conflicts + quarantined +
    older_than_retention."""

    events: int = 0
    records: int = 0
    duplicates: int = 0
    quarantined: int = 0
    ignored: int = 0
    conflicts: int = 0
    older_than_retention: int = 0
    """Events from before the retention horizon."""
    skipped: int = 0
    """Records of a file that an earlier run, cut short, has stored; their items are in the other counts."""


def ingest_file(
    progress: FileProgressStore, pipeline: Pipeline, file: EventFile, counts: FileCounts, limit: RefusalLimit
) -> Iterator[int]:
    """Process the file, adding to `counts`; yields after every batch how many of its bytes are done.

    Raises UsageError: the file is broken; TooManyRefusedError: most of it is no event, so the batch was not stored.
    """
    # Ids by position hang on the number: a file that is stored under an earlier one goes on under it.
    stored_under = progress.partitions(file.topic)
    file.partition = next((n for n in file.earlier_partitions if n in stored_under), file.partition)
    known = progress.load(file.topic, file.partition)
    if known is not None and not _begins_with(file, known):
        known = None
    records = iter(file)
    digest = hashlib.blake2b(digest_size=16)
    done = FileProgress(0, b"", 0, 0, 0)
    if known is not None:
        for record in islice(records, known.records):
            _update(digest, record)
        done = known
        counts.skipped += known.records
        counts.events += known.events + known.quarantined + known.older_than_retention
        counts.duplicates += known.events
        counts.quarantined += known.quarantined
        counts.ignored += known.ignored
        counts.older_than_retention += known.older_than_retention
        yield file.done_bytes
    while batch_records := _take(records):
        for record in batch_records:
            _update(digest, record)
        batch = _FileBatch(pipeline, counts, limit)
        chunk = Chunk(file.topic, file.partition, batch_records)
        store_chunks(pipeline, [chunk], batch.commit, items_max=ITEMS_PER_BATCH)
        done = FileProgress(
            done.records + len(batch_records),
            digest.copy().digest(),
            done.events + batch.stored,
            done.quarantined + batch.quarantined,
            done.ignored + batch.ignored,
            done.older_than_retention + batch.older,
        )
        progress.save(file.topic, file.partition, done)
        yield file.done_bytes
    progress.forget(file.topic, file.partition)


def _begins_with(file: EventFile, known: FileProgress) -> bool:
    """Whether the file still begins with what is stored of it: reading is a hundred times as quick as accounting."""
    digest = hashlib.blake2b(digest_size=16)
    seen = 0
    for record in islice(iter(file), known.records):
        _update(digest, record)
        seen += 1
    return seen == known.records and digest.digest() == known.digest


def _update(digest: Any, record: RawRecord) -> None:
    value = record.value or b""
    digest.update(len(value).to_bytes(8, "big"))
    digest.update(value)


def _take(records: Iterator[RawRecord]) -> list[RawRecord]:
    taken: list[RawRecord] = []
    size_bytes = 0
    for record in islice(records, RECORDS_PER_BATCH):
        taken.append(record)
        size_bytes += len(record.value or b"")
        if size_bytes >= BATCH_BYTES_MAX:
            break
    return taken


class _FileBatch:
    """Commits what some records of a file hold, and counts it."""

    def __init__(self, pipeline: Pipeline, counts: FileCounts, limit: RefusalLimit) -> None:
        self._pipeline = pipeline
        self._counts = counts
        self._limit = limit
        self.stored = self.quarantined = self.ignored = self.older = 0

    def commit(self, batch: Batch) -> None:
        """One transaction. TooManyRefusedError: it was not stored."""
        self._limit.check(batch)
        result = None
        try:
            result = self._pipeline.commit(batch)
        finally:
            if result is None:
                self._limit.take_back()
        found = result.recorded + result.duplicates + result.conflicts
        counts = self._counts
        counts.records += result.recorded
        counts.duplicates += result.duplicates
        counts.conflicts += result.conflicts
        counts.quarantined += result.quarantined
        counts.older_than_retention += result.older_than_retention
        counts.ignored += batch.ignored.total()
        counts.events += found + result.quarantined + result.older_than_retention
        self.stored += found
        self.older += result.older_than_retention
        self.quarantined += count_items(batch.refused)
        self.ignored += batch.ignored.total()
