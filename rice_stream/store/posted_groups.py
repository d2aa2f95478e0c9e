"""Groups of entries as they were posted."""

import json
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from rice_stream.quantities import ENTRY_AMOUNTS
from rice_stream.store import schema


class PostedGroup(NamedTuple):
    """A group that corrects records: its cause, who posted it when and why, and what its entries add up to."""

    adjustment_key: int
    digest: bytes
    cause: str
    tenant_key: int
    restatement_id: str | None
    reason: str
    author_kind: str
    author_name: str
    recorded_us: int
    detail: dict[str, Any]
    sums: dict[str, int]


def posted_group(connection: Connection, digest: bytes) -> PostedGroup:
    """The group of a digest, which is there."""
    table = schema.adjustment
    row = connection.execute(select(table).where(table.c.digest == digest)).mappings().one()
    return PostedGroup(
        **{name: row[name] for name in PostedGroup._fields if name not in ("detail", "sums", "digest")},
        digest=bytes(row["digest"]),
        detail=json.loads(row["detail"]),
        sums={name: -int(row[f"contra_{name}"]) for name in ENTRY_AMOUNTS},
    )
