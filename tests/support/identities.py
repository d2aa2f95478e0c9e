"""Golden identities: what every sample payload's events are known by, as `tests/support/data/identities.json` has them.

    python -m tests.support.identities

writes the table again. Do that for new payloads only. CONTRIBUTING.md says what else a difference means.
"""

import json
from typing import Any

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.mappings import NO_MAPPINGS
from rice_stream.events.records import RawRecord
from rice_stream.instants import rfc3339
from rice_stream.proof.log_events import decode_events
from tests.support.fakes import event
from tests.support.format_payloads import PAYLOADS, StampedRecord, format_of
from tests.support.places import DATA

TABLE = DATA / "identities.json"
CANONICAL = {
    "canonical.json": json.dumps(event(source="gateway")).encode(),
    "canonical_without_source.json": json.dumps(event(event_id="e-2")).encode(),
    "canonical_array.json": json.dumps([event(event_id="e-3"), event(event_id="e-4", source="é")]).encode(),
    "canonical_cloudevent.json": json.dumps(
        {
            "specversion": "1.0",
            "id": "ce-1",
            "source": "/gateway",
            "type": "llm.request",
            "time": "2026-11-22T12:00:00.123456Z",
            "tenantid": "acme",
            "data": {"request_model": "small", "input_tokens": 1, "output_tokens": 2},
        }
    ).encode(),
}
COLLECTOR = {f"collector_{path.name}": path.read_bytes() for path in sorted((DATA / "collector").iterdir())}
SAMPLES: dict[str, bytes] = {**CANONICAL, **PAYLOADS, **COLLECTOR}
"""Every payload by name."""


def own_format(name: str) -> str:
    """The name of the format that a payload is in."""
    return "otlp" if name.startswith("collector") else format_of(name)


def identities(value: bytes, options: FormatOptions) -> list[dict[str, Any]]:
    """Of each event: what its key is made of, and the key as it is stored. All records are stamped by the broker."""
    record: RawRecord = StampedRecord("requests", 3, 42, value)
    events = decode_events([record], options, NO_MAPPINGS)
    columns = events.columns
    return [
        {
            "tenant_id": columns.attributed[0][row],
            "source": columns.attributed[3][row],
            "event_id": columns.event_id[row],
            "ended_at": rfc3339(int(columns.ended_at_us[row]), "microseconds"),
            "key": events.keys[row].tobytes().hex(),
        }
        for row in range(len(columns))
    ]


def table() -> list[dict[str, Any]]:
    """The rows of all payloads."""
    return [
        {"payload": name, "format": own_format(name), "item": item, **identity}
        for name, value in SAMPLES.items()
        for item, identity in enumerate(identities(value, FormatOptions()))
    ]


def main() -> None:
    """Write the table."""
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in table())
    TABLE.write_text(f"[\n{rows}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
