"""The fields of many OTLP spans in protobuf, found together: where ids, name, times, status and each attribute lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rice_stream.events.formats.plain.wire_text import Positions, Text
from rice_stream.events.formats.plain.wire_walk import walk

FIELDS_MAX = 192
"""A span with more fields is for a parser: every step is one for all spans of a block."""
_TRACE_ID, _SPAN_ID, _PARENT_ID, _NAME = 0x0A, 0x12, 0x22, 0x2A
_START, _END, _ATTRIBUTE, _STATUS = 0x39, 0x41, 0x4A, 0x7A
_SINGLE = (_TRACE_ID, _SPAN_ID, _PARENT_ID, _NAME, _START, _END, _STATUS)
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_MESSAGE_OF_STATUS, _CODE_OF_STATUS = 0x12, 0x18
_ERROR = 2


@dataclass(frozen=True, slots=True)
class SpanFields:
    """Of n spans with at most k attributes. `usual` is False for a span that is for a parser; nothing else holds for it then."""

    usual: NDArray[np.bool_]
    trace_id_at: Positions
    span_id_at: Positions
    parent_id_at: Positions
    """-1 for none."""
    name_at: Positions
    name_bytes: Positions
    start_ns: NDArray[np.uint64]
    end_ns: NDArray[np.uint64]
    failed: NDArray[np.bool_]
    attributes: NDArray[np.int64]
    """How many each has."""
    attribute_at: NDArray[np.int64]
    """Shape (k, n): where the first of each begins, the second, and so on; 0 of one that is not there."""
    attribute_end: NDArray[np.int64]


def read_fields(text: Text, starts: Positions, ends: Positions) -> SpanFields:
    """The fields of the spans between these positions."""
    n = len(starts)
    steps, usual = walk(text, starts, ends, FIELDS_MAX)
    at = {tag: np.full(n, -1, dtype=np.int64) for tag in _SINGLE}
    until = {tag: np.zeros(n, dtype=np.int64) for tag in _SINGLE}
    attributes: list[tuple[Positions, Positions, Positions]] = []
    met: set[int] = set()
    for step in steps:
        for tag in step.all_tags():
            if tag == _ATTRIBUTE:
                attributes.append(step.of_tag(tag))
            elif tag in at:
                rows, begins, finishes = step.of_tag(tag)
                if tag in met:
                    usual[rows[at[tag][rows] >= 0]] = False  # of two, which a parser would put together
                met.add(tag)
                at[tag][rows] = begins
                until[tag][rows] = finishes
    length = {tag: np.where(at[tag] >= 0, until[tag] - at[tag], 0) for tag in _SINGLE}
    usual &= (length[_TRACE_ID] == _TRACE_ID_BYTES) & (length[_SPAN_ID] == _SPAN_ID_BYTES)
    usual &= (length[_PARENT_ID] == 0) | (length[_PARENT_ID] == _SPAN_ID_BYTES)
    ids_at = {tag: np.where(usual, at[tag], 0) for tag in (_TRACE_ID, _SPAN_ID)}
    first, second = text.windows(ids_at[_TRACE_ID]), text.windows(ids_at[_TRACE_ID] + 8)
    usual &= ((first | second) != 0) & (text.windows(ids_at[_SPAN_ID]) != 0)
    usual &= text.is_ascii(np.maximum(at[_NAME], 0), length[_NAME])
    failed, read = _failed(text, at[_STATUS], length[_STATUS])
    usual &= read
    counts, begins, finishes = _side_by_side(n, attributes)
    return SpanFields(
        usual=usual,
        trace_id_at=at[_TRACE_ID],
        span_id_at=at[_SPAN_ID],
        parent_id_at=np.where(length[_PARENT_ID] > 0, at[_PARENT_ID], -1),
        name_at=at[_NAME],
        name_bytes=length[_NAME],
        start_ns=_fixed(text, at[_START]),
        end_ns=_fixed(text, at[_END]),
        failed=failed,
        attributes=counts,
        attribute_at=begins,
        attribute_end=finishes,
    )


def _side_by_side(
    n: int, attributes: list[tuple[Positions, Positions, Positions]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(count, begins, ends) of the attributes of each span, in the order in which they are written."""
    if attributes and all(len(rows) == n for rows, _, _ in attributes):
        _, every_start, every_end = zip(*attributes, strict=True)
        return np.full(n, len(attributes), dtype=np.int64), np.stack(every_start), np.stack(every_end)
    counts = np.zeros(n, dtype=np.int64)
    for rows, _, _ in attributes:
        counts[rows] += 1
    begins = np.zeros((int(counts.max(initial=0)), n), dtype=np.int64)
    finishes = np.zeros_like(begins)
    written = np.zeros(n, dtype=np.int64)
    for rows, starts, ends in attributes:
        place = written[rows]
        begins[place, rows] = starts
        finishes[place, rows] = ends
        written[rows] += 1
    return counts, begins, finishes


def _fixed(text: Text, at: Positions) -> NDArray[np.uint64]:
    """The eight bytes at each position as a number; 0 where there is none."""
    return np.where(at >= 0, text.windows(np.maximum(at, 0)), 0).astype(np.uint64)


def _failed(text: Text, at: Positions, lengths: Positions) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(whether the status is an error, whether it is written as usual): a code, with or without a short message before it."""
    octets = text.octets
    begins = np.maximum(at, 0)
    described = (lengths >= 4) & (octets[begins] == _MESSAGE_OF_STATUS)
    message_bytes = np.where(described, octets[begins + 1], 0).astype(np.int64)
    described &= message_bytes < 0x80
    code_at = begins + np.where(described, 2 + message_bytes, 0)
    coded = lengths == np.where(described, message_bytes + 4, 2)
    code_at = np.where(coded, code_at, 0)
    coded &= (octets[code_at] == _CODE_OF_STATUS) & (octets[code_at + 1] < 0x80)
    return coded & (octets[code_at + 1] == _ERROR), coded | (lengths == 0)
