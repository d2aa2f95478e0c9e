"""Rows of LiteLLM's SpendLogs table -> the logging payload that they were made from.

The row has its own column names, its JSON columns may be text, and everything unknown is an empty string.
"""

import msgspec

from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.values import text

METADATA_COLUMNS = {
    "user_api_key_team_id": "team_id",
    "user_api_key_org_id": "organization_id",
    "user_api_key_user_id": "user",
    "user_api_key_hash": "api_key",
}
"""Field of the payload's metadata -> column that holds the same; the metadata's own value goes first."""


def is_spend_logs_row(obj: JsonObject) -> bool:
    """A row has `request_id` and `spend`, which the payload has not."""
    return "request_id" in obj and "spend" in obj


def as_payload(row: JsonObject) -> JsonObject:
    """The row under the payload's names."""
    columns = dict(row.raw())
    own = row.child("metadata")
    metadata = dict(own.raw())
    for name, column in METADATA_COLUMNS.items():
        if text(own.scalar(name)) is None and column in columns:
            metadata[name] = columns[column]
    # Older rows have their status among the metadata.
    if text(row.scalar("status")) is None and "status" in metadata:
        columns["status"] = metadata["status"]
    columns["id"] = columns["request_id"]
    columns["metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    return JsonObject(columns)
