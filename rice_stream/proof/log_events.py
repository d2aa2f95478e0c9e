"""Events of the log in the shape in which they are compared with records. Pure, but for the refused ones' look-up."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.columns import EventColumns
from rice_stream.events.decoding import decode_batch
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.keys import event_keys, key_hasher
from rice_stream.events.mappings import Mappings
from rice_stream.events.records import Decoded, RawRecord
from rice_stream.quantities import UNKNOWN
from rice_stream.store.probe import nullable
from rice_stream.store.record_columns import NUMBER_COLUMNS
from rice_stream.store.stored_records import Row

ATTRIBUTED = ("team_id", "project_id", "source")
PRINCIPALS = ("user_id", "api_key_id")
SERVED = ("provider", "request_model", "response_model")
CONTENT = (*NUMBER_COLUMNS, *ATTRIBUTED, *PRINCIPALS, *SERVED, "region")
"""What an event says and its record repeats. Two events of one key that differ in it contradict each other."""


class LogEvents(NamedTuple):
    """n events of a partition: where they lay, under which key they are stored, and what they say."""

    columns: EventColumns
    decoded: Decoded
    keys: NDArray[np.uint8]
    """Shape (n, 16)."""

    def tenant_id(self, row: int) -> str:
        """Whose event it is."""
        return self.columns.attributed[0][row] or ""

    def place(self, row: int) -> tuple[int, int]:
        """(offset, item) of the event."""
        return self.decoded.records[row].offset, self.decoded.items[row]

    def contents(self) -> list[tuple[Any, ...]]:
        """The values of CONTENT of every event as its record has them: empty text for no name, None for an unknown
        number. The region is None where the event names none: its record then holds a setting of that time.
        """
        columns = self.columns
        numbers = (nullable(getattr(columns, name)) for name in NUMBER_COLUMNS)
        attributed = map(_names, columns.attributed[1:])
        served = map(_names, columns.served[: len(SERVED)])
        regions = columns.served[len(SERVED)]
        principals = (_names(columns.user_id), _names(columns.api_key_id))
        return list(zip(*numbers, *attributed, *principals, *served, regions, strict=True))


def _names(values: Iterable[str | None]) -> list[str]:
    return [value or "" for value in values]


def decode_events(records: Sequence[RawRecord], formats: FormatOptions, mappings: Mappings) -> LogEvents:
    """The events of the records, with the keys that the pipeline gives them; refused items are in `decoded`."""
    columns, decoded = decode_batch(records, formats)
    columns = mappings.rename_tenants(columns)
    hashers = [key_hasher(attribution[0], attribution[3]) for attribution in columns.attribution]
    keys = event_keys(columns.key_times_us, hashers, map(str.encode, columns.event_id))
    return LogEvents(columns, decoded, keys)


def with_time_of(record: tuple[Any, ...], event: tuple[Any, ...]) -> tuple[Any, ...]:
    """The content of an event without a time of its own as if it had come when the record did."""
    return record[:1] + event[1:]


_OF_RECORD = itemgetter(*NUMBER_COLUMNS, *ATTRIBUTED, *PRINCIPALS)
_OF_FACTOR = itemgetter(*SERVED, "region")


def record_content(record: Row, factor: Row) -> tuple[Any, ...]:
    """The values of CONTENT of a stored record."""
    values: tuple[Any, ...] = _OF_RECORD(record) + _OF_FACTOR(factor)
    return values


def differing_fields(event: tuple[Any, ...], record: tuple[Any, ...]) -> dict[str, tuple[Any, Any]]:
    """Field -> (said by the event, stored); empty when the record repeats the event."""
    if event == record or (not event[-1] and event[:-1] == record[:-1]):
        return {}
    found = {name: (said, kept) for name, said, kept in zip(CONTENT, event, record, strict=True) if said != kept}
    if not event[-1]:
        found.pop("region", None)
    return found


def column(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.int64]:
    """A numeric column of rows, UNKNOWN for null."""
    return np.array([UNKNOWN if row[name] is None else row[name] for row in rows], dtype=np.int64)
