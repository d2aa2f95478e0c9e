"""Both ways of reading a record, held against each other: plain readers where it is a usual one, and the full decoders."""

from collections.abc import Sequence
from typing import Any

from rice_stream.events.canonical import WireEvent
from rice_stream.events.decoding import decode_batch
from rice_stream.events.formats.dispatch import Outcome, read
from rice_stream.events.formats.plain.records import PlainReader
from rice_stream.events.formats.reading.options import CANONICAL, DEFAULT_OPTIONS, FormatOptions
from rice_stream.events.records import Ignored, RawRecord, Refused
from rice_stream.events.refused_items import bounded

Found = tuple[list[Any], list[Any], list[Any]]
"""Events with their positions, provenance and whether they are untimed; refused items; ignored ones."""


def is_plain(source: RawRecord, options: FormatOptions = DEFAULT_OPTIONS) -> bool:
    """Whether the record needs no full decoder."""
    return PlainReader(options, source.topic).read(source) is not None


def agree(source: RawRecord, options: FormatOptions = DEFAULT_OPTIONS) -> None:
    """A batch has of the record what the full decoders, the oracle, make of it."""
    assert in_a_batch(source, options) == of(read(source, options))


def of(outcomes: Sequence[Outcome]) -> Found:
    events: list[Any] = []
    refused: list[Refused] = []
    ignored: list[tuple[str, str]] = []
    for item, outcome in enumerate(outcomes):
        if isinstance(outcome.result, WireEvent):
            other = outcome.source_format != CANONICAL
            place = (outcome.source_format, outcome.region_source or None) if other else (None, None)
            events.append((outcome.result, item, place, outcome.untimed))
        elif isinstance(outcome.result, Ignored):
            ignored.append((outcome.source_format, outcome.result.reason))
        else:
            refused.append(outcome.result)
    return events, _kept(bounded(refused)), ignored


def in_a_batch(source: RawRecord, options: FormatOptions) -> Found:
    columns, decoded = decode_batch([source], options)
    assert len(columns) == len(decoded.events) == len(decoded.records) == len(decoded.items)
    assert columns.valid.all()
    wide = len(columns.served) > 10
    places = [(service[-2], service[-1]) if wide else (None, None) for service in columns.service]
    events = list(zip(decoded.events, decoded.items, places, columns.untimed.tolist(), strict=True))
    return events, _kept(decoded.refused), decoded.ignored


def _kept(refused: Sequence[Refused]) -> list[tuple[int, str, str, str]]:
    return [(item.item, item.reason, item.detail, item.payload) for item in refused]
