"""Taking apart what cannot be stored: halves of chunks, down to the one item or record that is at fault, which is refused.

Pure: who tries what, and in which order, is the caller's.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from rice_stream.errors import RiceError
from rice_stream.events.columns import to_columns
from rice_stream.events.decoding import DecodedBlock, decode_blocks
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Decoded, RawRecord, Refused, SourcePartition
from rice_stream.events.redact import redact
from rice_stream.events.refused_items import RecordTally, bounded_by_record, tally_records
from rice_stream.events.trust import MARK, door_of
from rice_stream.pipeline.chunks import Chunk, Opened, halved, items_of
from rice_stream.store.failures import Meaning, NotStorableError, UnexpectedDatabaseError, meaning_of, origin_of

INTERNAL_ERROR = "internal_error"
"""Reason code of a record or item on which decoding or estimating failed in a way that nothing foresaw."""


def is_unforeseen(error: Exception) -> bool:
    """Whether an error is none that is meant for users: the data that it came of is to be found."""
    return not isinstance(error, RiceError)


def halves(chunks: Sequence[Chunk], formats: FormatOptions) -> tuple[list[Chunk], list[Chunk]] | None:
    """Two parts of the chunks, in order, of about as many records or items; None: it is one item, or one record that cannot
    be decoded."""
    if len(chunks) > 1:
        middle = len(chunks) // 2
        return list(chunks[:middle]), list(chunks[middle:])
    (chunk,) = chunks
    if chunk.opened is None and len(chunk.records) > 1:
        middle = len(chunk.records) // 2
        return [replace(chunk, records=chunk.records[:middle])], [replace(chunk, records=chunk.records[middle:])]
    opened = _opened(chunk, formats)
    if opened is None or opened.opened is None:
        return None
    block = opened.opened.block
    if len(chunk.records) > block.records:
        further = replace(chunk, records=chunk.records[block.records :], opened=None)
        return [replace(opened, records=chunk.records[: block.records])], [further]
    if items_of(block) < 2:
        return None
    first, second = halved(opened)
    return [first], [second]


def _opened(chunk: Chunk, formats: FormatOptions) -> Chunk | None:
    """With the items of its one record, where it is one record; None: the record cannot be decoded."""
    if chunk.opened is not None:
        return chunk
    try:
        (block,) = decode_blocks(chunk.records, formats, SourcePartition(chunk.topic, chunk.partition))
    except Exception as error:
        if is_unforeseen(error):
            return None  # it is this record's, whatever it is, and has been logged
        raise
    return replace(chunk, opened=Opened(block, tally_records(block.decoded), chunk.records[0].offset, formats))


def refused(chunk: Chunk, error: Exception, formats: FormatOptions) -> Chunk:
    """The chunk with every item of it refused because of the error, a record that cannot be decoded as one item."""
    reason, detail = reason_of(error)
    found: list[Refused] = []
    alone = chunk.records
    if chunk.opened is not None:
        found += _refused_items(chunk.opened.block, reason, detail)
        alone = chunk.records[chunk.opened.block.records :]
    for record in alone:
        opened = _opened(replace(chunk, records=[record], opened=None), formats)
        if opened is not None and opened.opened is not None:
            found += _refused_items(opened.opened.block, reason, detail)
        else:
            found.append(Refused(_plain(record, chunk), 0, reason, detail, redact(record.value)))
    block = DecodedBlock(to_columns(()), Decoded([], [], [], bounded_by_record(found), []), len(chunk.records))
    records = len({item.record.offset for item in found})
    offset = chunk.records[0].offset if chunk.opened is None else chunk.opened.offset
    return replace(chunk, opened=Opened(block, RecordTally(0, records), offset))


def _refused_items(block: DecodedBlock, reason: str, detail: str) -> list[Refused]:
    decoded = block.decoded
    events = zip(decoded.events, decoded.records, decoded.items, strict=True)
    found = [Refused(record, item, reason, detail, _payload(event, record)) for event, record, item in events]
    # Refused already, and the row that says so cannot be kept as it is.
    found += [
        replace(item, reason=reason, detail=detail, payload=redact(item.record.value)) for item in decoded.refused
    ]
    return found


def _payload(event: object, record: RawRecord) -> str:
    try:
        return msgspec.json.encode(event).decode()
    except (UnicodeEncodeError, TypeError, ValueError):
        return redact(record.value)


def _plain(record: RawRecord, chunk: Chunk) -> RawRecord:
    """Without its headers, which may be what is wrong with it, but for the mark of its door."""
    mark = MARK if door_of(record.headers) else ()
    return RawRecord(chunk.topic, chunk.partition, record.offset, record.value, mark)


def reason_of(error: Exception) -> tuple[str, str]:
    """(reason, detail) of the quarantine; neither holds anything of the payload. UnexpectedDatabaseError: it is no data's fault."""
    meaning = meaning_of(error)
    if meaning is Meaning.STATEMENT:
        raise UnexpectedDatabaseError(origin_of(error)) from error
    refusal = NotStorableError(origin_of(error)) if meaning is Meaning.DATA else error
    if isinstance(refusal, NotStorableError):
        return refusal.reason, str(refusal)
    said = f"it could not be processed ({type(error).__name__}); the worker's log says where"
    return INTERNAL_ERROR, said
