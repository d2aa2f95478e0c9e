"""The rows that a batch adds to the small tables: quarantine, conflicts, and the progress of partitions."""

from typing import Any

from rice_stream.events.trust import door_of
from rice_stream.store.batch import Batch, Conflict, PartitionProgress


def quarantine_rows(batch: Batch) -> list[dict[str, Any]]:
    """Rows of `quarantine` for the batch's refused items, in key order: two workers that hold the same ones cannot deadlock."""
    digests: dict[int, bytes] = {}
    """By identity of the record's value: hashed once a record, however many of its items were refused."""
    for refused_item in batch.refused:
        if id(refused_item.record.value) not in digests:
            digests[id(refused_item.record.value)] = refused_item.digest
    rows = [
        {
            "topic": refused_item.record.topic,
            "partition": refused_item.record.partition,
            "offset": refused_item.record.offset,
            "item": refused_item.item,
            "digest": digests[id(refused_item.record.value)],
            "reason": refused_item.reason,
            "detail": refused_item.detail,
            "payload": refused_item.payload,
            "received_at_us": batch.received_at_us,
            "door": door_of(refused_item.record.headers),
        }
        for refused_item in batch.refused
    ]
    return sorted(rows, key=lambda row: [row[name] for name in ("topic", "partition", "offset", "item", "digest")])


def conflict_rows(conflicts: list[Conflict], batch: Batch) -> list[dict[str, Any]]:
    """Rows of `conflict`, in key order."""
    rows: list[dict[str, Any]] = []
    for conflict in conflicts:
        progress = batch.progress[conflict.partition]
        rows.append(
            {
                "tenant_key": conflict.tenant_key,
                "event_key": conflict.event_key,
                "event_id": conflict.event_id,
                "digest": conflict.digest,
                "detail": conflict.detail,
                "topic": progress.topic,
                "partition": progress.partition,
                "offset": progress.last_offset,
                "received_at_us": batch.received_at_us,
            }
        )
    return sorted(rows, key=lambda row: [row[name] for name in ("tenant_key", "event_key", "digest")])


def progress_row(progress: PartitionProgress, recorded: int, duplicates: int, conflicts: int) -> dict[str, Any]:
    """A row of `kafka_progress` for one partition's part of a batch."""
    return {
        "topic": progress.topic,
        "partition": progress.partition,
        "first_offset": progress.first_offset,
        "last_offset": progress.last_offset,
        "events": progress.events,
        "recorded": recorded,
        "duplicates": duplicates,
        "conflicts": conflicts,
        "quarantined": progress.quarantined,
        "older_than_retention": progress.older_than_retention,
        "gaps": progress.gaps,
    }
