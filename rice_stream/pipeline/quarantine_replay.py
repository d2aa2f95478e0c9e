"""`rice-stream quarantine replay`: refused items, tried again once their cause is gone.

An item goes through the same pipeline and transaction as an event from Kafka, under the same key: what is counted
already is a duplicate, however often it is replayed. A crash half-way leaves the row held, and replaying it again is
harmless.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from rice_stream.errors import UsageError
from rice_stream.events.canonical import FIELD_NAMES, WireEvent
from rice_stream.events.decoding import decode_batch
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Decoded, RawRecord, Refused
from rice_stream.pipeline.pipeline import Chunk, Pipeline
from rice_stream.store.engine import Engine
from rice_stream.store.quarantine import Choice, held_ids, rows_in_log_order, set_reasons, set_status

Fetch = Callable[[str, int, int], RawRecord | None]
"""(topic, partition, offset) -> the record as it lies on Kafka; None when it is not there (any more)."""

REPLAY_TOPIC = "quarantine replay"
"""Where replayed events are counted in `kafka_progress`; no topic of Kafka can have a blank in its name."""
_BATCH = 500
_REMOVED = "<removed>"
_PAYLOAD_FORMAT = FormatOptions(default_format="canonical")
"""What is stored of a refused item are canonical fields, whatever format its topic has."""

_TEXT_FIELDS = frozenset(
    field.name
    for field in msgspec.inspect.type_info(WireEvent).fields  # type: ignore[attr-defined]
    if isinstance(field.type, msgspec.inspect.StrType)
    or (
        isinstance(field.type, msgspec.inspect.UnionType)
        and any(isinstance(kind, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for kind in field.type.types)
    )
)


def parse_patches(assignments: Sequence[str]) -> dict[str, Any]:
    """`["input_tokens=12", "team_id=search", "user_id=null"]` -> fields. UsageError names what is wrong."""
    patches: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign:
            raise UsageError(f"--set {assignment}: write field=value, such as input_tokens=120")
        if name not in FIELD_NAMES:
            raise UsageError(f"--set {name}: there is no such field; fields are {', '.join(FIELD_NAMES)}")
        patches[name] = _patch_value(name, value)
    return patches


def _patch_value(name: str, value: str) -> Any:
    if value == "null":
        return None
    if name in _TEXT_FIELDS:
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise UsageError(f"--set {name}={value}: must be a number, true, false or null") from error


def replay(
    engine: Engine,
    pipeline: Pipeline,
    choice: Choice,
    *,
    patches: Mapping[str, Any],
    fetch: Fetch,
    now_us: int,
) -> dict[str, Any]:
    """Try the chosen held rows again, with `patches` put over their fields.

    The record is read from Kafka again where it still lies there; otherwise, and for patches, the stored payload
    serves, which has all known fields of an item that was a JSON object. What is still no event stays held, with its
    new reason.

    Returns:
        `{"rows": [{"id", ..., "outcome", "reason", "detail"}], "replayed", "held", "recorded", "duplicates", "conflicts"}`

    Raises:
        UsageError: an id that is not there, or no longer held.
    """
    ids = held_ids(engine, choice)
    answer: dict[str, Any] = {"rows": [], "replayed": 0, "held": 0, "recorded": 0, "duplicates": 0, "conflicts": 0}
    for first in range(0, len(ids), _BATCH):
        _replay_batch(engine, pipeline, ids[first : first + _BATCH], patches, fetch, now_us, answer)
    return answer


def _replay_batch(
    engine: Engine,
    pipeline: Pipeline,
    ids: Sequence[int],
    patches: Mapping[str, Any],
    fetch: Fetch,
    now_us: int,
    answer: dict[str, Any],
) -> None:
    tried = [(row, _try_again(row, patches, fetch, pipeline)) for row in rows_in_log_order(engine, ids)]
    events = {row["id"]: result for row, result in tried if isinstance(result, WireEvent)}
    refused = {row["id"]: result for row, result in tried if isinstance(result, Refused)}
    if events:
        refused |= _process(pipeline, events, now_us, answer)
        set_status(engine, [row_id for row_id in events if row_id not in refused], "replayed", now_us)
    set_reasons(engine, refused)
    for row, _ in tried:
        refused_item = refused.get(row["id"])
        outcome = "replayed" if refused_item is None else "held"
        answer[outcome] += 1
        answer["rows"].append(
            {
                **{name: row[name] for name in ("id", "topic", "partition", "offset", "item")},
                "outcome": outcome,
                "reason": row["reason"] if refused_item is None else refused_item.reason,
                "detail": row["detail"] if refused_item is None else refused_item.detail,
            }
        )


def _process(
    pipeline: Pipeline, events: Mapping[int, WireEvent], now_us: int, answer: dict[str, Any]
) -> dict[int, Refused]:
    """One transaction for all; what the pipeline refuses after all (its record would be older than retention) comes back."""
    values = {row_id: msgspec.json.encode(event) for row_id, event in events.items()}
    # All at the same offset: there is no sequence here in which progress could find a gap.
    chunks = [Chunk(REPLAY_TOPIC, 0, [RawRecord(REPLAY_TOPIC, 0, 0, value)]) for value in values.values()]
    batch = pipeline.prepare(chunks, now_us)
    by_value = {refused_item.record.value: refused_item for refused_item in batch.refused}
    refused = {row_id: by_value[value] for row_id, value in values.items() if value in by_value}
    # Refused again: their rows are in quarantine already.
    result = pipeline.commit(replace(batch, refused=[]))
    answer["recorded"] += result.recorded
    answer["duplicates"] += result.duplicates
    answer["conflicts"] += result.conflicts
    return refused


def _try_again(
    row: Mapping[str, Any], patches: Mapping[str, Any], fetch: Fetch, pipeline: Pipeline
) -> WireEvent | Refused:
    """The row's item as an event, or why it is still none."""
    record = _original(row, fetch)
    if record is not None and not patches:
        return _item_of(pipeline.decode(record), record, row["item"])
    here = RawRecord(row["topic"], row["partition"], row["offset"], None, record.headers if record else ())
    stored = _stored_object(row["payload"])
    if stored is None:
        where = "no longer on Kafka" if record is None else "not an object that --set could change"
        return Refused(here, row["item"], row["reason"], f"{row['detail']} (its payload is {where})", row["payload"])
    event = stored["data"] if "specversion" in stored and isinstance(stored.get("data"), dict) else stored
    event.update(patches)
    removed = [name for name in FIELD_NAMES if event.get(name) == _REMOVED]
    if removed:
        detail = f"{removed[0]}: its value was not kept; give it with --set {removed[0]}=..."
        return Refused(here, row["item"], row["reason"], detail, row["payload"])
    payload = here._replace(value=msgspec.json.encode(stored))
    _, decoded = decode_batch([payload], _PAYLOAD_FORMAT)
    return _item_of(decoded, payload, 0)


def _original(row: Mapping[str, Any], fetch: Fetch) -> RawRecord | None:
    """The record as Kafka has it, if it is the same one: a topic that was deleted and made again counts its offsets from 0."""
    record = fetch(row["topic"], row["partition"], row["offset"])
    if record is None:
        return None
    digest = hashlib.blake2b(record.value or b"", digest_size=16).digest()
    return record if digest == bytes(row["digest"]) else None


def _stored_object(payload: str) -> dict[str, Any] | None:
    if not payload.startswith("{"):
        return None
    parsed: dict[str, Any] = msgspec.json.decode(payload)
    return parsed


def _item_of(decoded: Decoded, record: RawRecord, item: int) -> WireEvent | Refused:
    """One item of a decoded record."""
    for event, number in zip(decoded.events, decoded.items, strict=True):
        if number == item:
            return event
    for refused_item in decoded.refused:
        if refused_item.item == item:
            return refused_item
    return Refused(record, item, "not_an_object", "the record has fewer items than when it was refused", "")
