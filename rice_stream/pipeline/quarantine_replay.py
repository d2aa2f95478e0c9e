"""`rice-stream quarantine replay`: refused items, tried again once their cause is gone.

An item goes through the same pipeline and transaction as an event from Kafka, under the same key: what is counted
already is a duplicate, however often it is replayed. A crash half-way leaves the row held, and replaying it again is
harmless.

Of a record with very many refused items only the first have rows of their own; one row, with the reason
`further_items`, stands for all others. Nothing is kept of those but their number, so replaying this row takes them up
from the record on Kafka. It stays held, whatever becomes of the other rows, until none of them is refused any more.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from rice_stream.events.canonical import FIELD_NAMES, WireEvent
from rice_stream.events.decoding import decode_batch
from rice_stream.events.formats.dispatch import Outcome
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import BATCH_NOT_UNPACKED, FURTHER_ITEMS, Ignored, RawRecord, Refused
from rice_stream.events.redact import UNTIMED
from rice_stream.events.refused_items import count_items, further_items
from rice_stream.events.trust import MARK, door_of
from rice_stream.pipeline.admission import refused_as_old
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.pipeline.storing import store_chunks
from rice_stream.store.audit import Actor
from rice_stream.store.batch import Batch
from rice_stream.store.engine import Engine
from rice_stream.store.quarantine import Choice, held_ids, rows_in_log_order, set_reasons, set_status

Fetch = Callable[[str, int, int], RawRecord | None]
"""(topic, partition, offset) -> the record as it lies on Kafka; None when it is not there (any more)."""

REPLAY_TOPIC = "quarantine replay"
"""Where replayed events are counted in `kafka_progress`; no topic of Kafka can have a blank in its name."""
_BATCH = 500


class _Event(NamedTuple):
    """An item that is an event now, and whether it has no time of its own."""

    event: WireEvent
    untimed: bool


_REMOVED = "<removed>"
_GONE = " (the record is no longer on Kafka)"
_OF_ITEM = ("item", "reason", "detail", "payload")
_PAYLOAD_FORMAT = FormatOptions(default_format="canonical")
"""What is stored of a refused item are canonical fields, whatever format its topic has."""


def replay(
    engine: Engine,
    pipeline: Pipeline,
    choice: Choice,
    *,
    patches: Mapping[str, Any],
    fetch: Fetch,
    now_us: int,
    by: Actor,
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
        _replay_batch(engine, pipeline, ids[first : first + _BATCH], patches, fetch, now_us, by, answer)
    return answer


def _replay_batch(
    engine: Engine,
    pipeline: Pipeline,
    ids: Sequence[int],
    patches: Mapping[str, Any],
    fetch: Fetch,
    now_us: int,
    by: Actor,
    answer: dict[str, Any],
) -> None:
    rows = rows_in_log_order(engine, ids)
    originals = _Originals(pipeline, fetch, now_us)
    tried = [(row["id"], _try_again(row, patches, originals)) for row in rows if row["reason"] != FURTHER_ITEMS]
    events = {row_id: result for row_id, result in tried if isinstance(result, _Event)}
    refused = {row_id: result for row_id, result in tried if isinstance(result, Refused)}
    if events:
        refused |= _process(pipeline, events, {row["id"]: row for row in rows}, now_us, answer)
    settled = [row_id for row_id in events if row_id not in refused]
    set_status(engine, settled, "replayed", now_us, by, patches=patches)
    for row in (row for row in rows if row["reason"] == FURTHER_ITEMS):
        remaining = _replay_further(pipeline, row, patches, originals, now_us, answer)
        if remaining is None:
            set_status(engine, [row["id"]], "replayed", now_us, by, patches=patches)
        else:
            refused[row["id"]] = remaining
    set_reasons(engine, refused)
    for row in rows:
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
    pipeline: Pipeline,
    events: Mapping[int, _Event],
    rows: Mapping[int, Mapping[str, Any]],
    now_us: int,
    answer: dict[str, Any],
) -> dict[int, Refused]:
    """One transaction for all that can be stored. What is not taken after all comes back: the future, older than retention,
    what the database refuses or estimation chokes on.

    `rows` are the rows of the events: their factors are believed as they were when they came.
    """
    values = {row_id: msgspec.json.encode(tried.event) for row_id, tried in events.items()}
    # All at the same offset: there is no sequence here in which progress could find a gap.
    chunks = [
        Chunk(
            REPLAY_TOPIC,
            0,
            [RawRecord(REPLAY_TOPIC, 0, 0, value, MARK if rows[row_id]["door"] else ())],
            said_on=rows[row_id]["topic"],
            untimed=events[row_id].untimed,
        )
        for row_id, value in values.items()
    ]
    refused_again, older = _store(pipeline, chunks, now_us, answer)
    by_value = {item.record.value: item for item in refused_again}
    refused = {row_id: by_value[value] for row_id, value in values.items() if value in by_value}
    if older:
        found = {row_id: tried.event for row_id, tried in events.items()}
        untimed = [row_id for row_id, tried in events.items() if tried.untimed]
        refused |= refused_as_old(found, untimed, pipeline.records_from_us())
    return refused


def _store(
    pipeline: Pipeline, chunks: Sequence[Chunk], now_us: int, answer: dict[str, Any]
) -> tuple[list[Refused], int]:
    """(what is refused again, whose rows are in quarantine already; how many events are older than retention)."""
    refused: list[Refused] = []
    older = 0

    def commit(batch: Batch) -> None:
        nonlocal older
        result = pipeline.commit(replace(batch, refused=[]))
        for outcome in ("recorded", "duplicates", "conflicts"):
            answer[outcome] += getattr(result, outcome)
        refused.extend(batch.refused)
        older += result.older_than_retention

    store_chunks(pipeline, chunks, commit, received_at_us=now_us)
    return refused, older


def _replay_further(
    pipeline: Pipeline,
    row: Mapping[str, Any],
    patches: Mapping[str, Any],
    originals: "_Originals",
    now_us: int,
    answer: dict[str, Any],
) -> Refused | None:
    """Take up the items that one row stands for: the row as it is to be, or None when none of them is refused any more."""
    record, outcomes = originals.of(row)
    if record is None:
        here = RawRecord(row["topic"], row["partition"], row["offset"], None)
        return Refused(here, row["item"], FURTHER_ITEMS, row["detail"].removesuffix(_GONE) + _GONE, row["payload"])
    if patches:
        remaining = _process_patched(pipeline, row, patches, (record, outcomes), now_us, answer)
    else:
        # As if Kafka had delivered the record again: what is counted already is a duplicate.
        again, _ = _store(pipeline, [Chunk(record.topic, record.partition, [record])], now_us, answer)
        remaining = count_items(
            refused for refused in again if refused.item >= row["item"] or refused.reason == FURTHER_ITEMS
        )
    return further_items(record, row["item"], remaining) if remaining else None


def _process_patched(
    pipeline: Pipeline,
    row: Mapping[str, Any],
    patches: Mapping[str, Any],
    original: tuple[RawRecord, Sequence[Outcome]],
    now_us: int,
    answer: dict[str, Any],
) -> int:
    """Take up, with patches, those of the row's items that the record is still refused for; returns how many remain so."""
    record, outcomes = original
    wrong = [outcome.result for outcome in outcomes[row["item"] :] if isinstance(outcome.result, Refused)]
    remaining = 0
    for first in range(0, len(wrong), _BATCH):
        results = [
            _patched({**row, **{name: getattr(item, name) for name in _OF_ITEM}}, patches, record)
            for item in wrong[first : first + _BATCH]
        ]
        events = {number: result for number, result in enumerate(results) if isinstance(result, _Event)}
        remaining += len(results) - len(events)
        if events:
            remaining += len(_process(pipeline, events, dict.fromkeys(events, row), now_us, answer))
    return remaining


def _try_again(row: dict[str, Any], patches: Mapping[str, Any], originals: "_Originals") -> _Event | Refused:
    """The row's item as an event, or why it is still none."""
    if row["reason"] == BATCH_NOT_UNPACKED:  # nor is it now: a replay has no more memory than the worker
        here = RawRecord(row["topic"], row["partition"], row["offset"], None)
        return Refused(here, row["item"], row["reason"], row["detail"], row["payload"])
    record, outcomes = originals.of(row)
    row["door"] = row["door"] or (door_of(record.headers) if record is not None else "")
    if record is not None and not patches:
        return _item_of(outcomes, record, row["item"])
    return _patched(row, patches, record)


def _patched(row: Mapping[str, Any], patches: Mapping[str, Any], record: RawRecord | None) -> _Event | Refused:
    """The stored payload, with patches over its fields, as an event; `record` is the one on Kafka, where it still is there."""
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
    untimed = stored.get(UNTIMED) is True and "ended_at" not in patches
    return _Event(decoded.events[0], untimed) if decoded.events else decoded.refused[0]


class _Originals:
    """Records as Kafka has them, with all of their items. Rows in the order of the log cost one look a record."""

    def __init__(self, pipeline: Pipeline, fetch: Fetch, now_us: int) -> None:
        self._pipeline = pipeline
        self._fetch = fetch
        self._now_us = now_us
        self._place: tuple[str, int, int] | None = None
        self._digest = b""
        self._record: RawRecord | None = None
        self._outcomes: Sequence[Outcome] = ()

    def of(self, row: Mapping[str, Any]) -> tuple[RawRecord | None, Sequence[Outcome]]:
        """The record of the row's item, if it is the same one: a topic that was deleted and made again counts its
        offsets from 0."""
        place = row["topic"], row["partition"], row["offset"]
        if place != self._place:
            self._place = place
            self._record = self._fetch(*place)
            if self._record is not None:
                self._digest = hashlib.blake2b(self._record.value or b"", digest_size=16).digest()
                self._outcomes = self._pipeline.read(self._record, self._now_us)
        if self._record is None or self._digest != bytes(row["digest"]):
            return None, ()
        return self._record, self._outcomes


def _stored_object(payload: str) -> dict[str, Any] | None:
    if not payload.startswith("{"):
        return None
    parsed: dict[str, Any] = msgspec.json.decode(payload)
    return parsed


def _item_of(outcomes: Sequence[Outcome], record: RawRecord, item: int) -> _Event | Refused:
    """One item of a record."""
    if item >= len(outcomes):
        return Refused(record, item, "not_an_object", "the record has fewer items than when it was refused", "")
    result = outcomes[item].result
    if isinstance(result, Ignored):
        return Refused(record, item, "not_an_object", f"it is no request to a model now ({result.reason}): drop it", "")
    return result if isinstance(result, Refused) else _Event(result, outcomes[item].untimed)
