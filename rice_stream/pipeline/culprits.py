"""Taking apart what cannot be stored: halves of chunks, down to the one item or record that is at fault, which is refused.

Pure: a search says what to try next; the worker, `ingest` and `quarantine replay` try it and say what came of it.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from rice_stream.errors import RiceError
from rice_stream.events.columns import as_untimed, to_columns
from rice_stream.events.decoding import DecodedBlock, decode_blocks
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Decoded, RawRecord, Refused, SourcePartition
from rice_stream.events.redact import redact
from rice_stream.events.refused_items import RecordTally, bounded_by_record, tally_records
from rice_stream.events.trust import MARK, door_of
from rice_stream.pipeline.chunks import Chunk, Opened, halved, items_of
from rice_stream.store.failures import Meaning, NotStorableError, UnexpectedDatabaseError, meaning_of, origin_of

log = logging.getLogger(__name__)

CULPRITS_MAX = 100
"""Culprits that are looked for one by one in the chunks of one batch; what still fails then is refused as it is. Its items
are held in quarantine, from where the good ones among them can be replayed."""
INTERNAL_ERROR = "internal_error"
"""Reason code of a record or item on which decoding or estimating failed in a way that nothing foresaw."""


def is_unforeseen(error: Exception) -> bool:
    """Whether an error is none that is meant for users: the data that it came of is to be found."""
    return not isinstance(error, RiceError)


def is_culprits(error: Exception) -> bool:
    """Whether an error is for isolation: the database refuses data, or something failed that nothing foresaw."""
    return isinstance(error, NotStorableError) or is_unforeseen(error)


class CulpritSearch:
    """Iterating over it gives groups of chunks to prepare and store, each in a transaction of its own.

    First it is all of them; a group that fails comes again as two halves, and what cannot be halved with its items refused.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._waiting: list[tuple[list[Chunk], bool]] = [(list(chunks), False)]
        """What is to be tried, the last first, and whether its items are refused already."""
        self._group: list[Chunk] = []
        self._is_refused = False
        self._told = False
        self.culprits = 0
        """How many were found and refused."""

    def __iter__(self) -> Iterator[list[Chunk]]:
        while self._waiting:
            self._group, self._is_refused = self._waiting.pop()
            yield self._group

    def only(self, taken: Sequence[Chunk], left: Sequence[Chunk]) -> None:
        """Of the group in hand this much goes into its transaction; the rest is the next group."""
        self._group = list(taken)
        if left:
            self._waiting.append((list(left), self._is_refused))

    def again(self, group: Sequence[Chunk]) -> None:
        """Nothing is wrong with the group, but it was not stored."""
        self._waiting.append((list(group), self._is_refused))

    def takes(self, error: Exception, formats: FormatOptions) -> bool:
        """Go on after the group in hand failed, read with these formats. False: the error is no culprit's, or a refusal
        itself could not be stored."""
        if not is_culprits(error) or self._is_refused:
            return False
        if not self._told:
            self._told = True
            # A database's own words quote the values; what nothing foresaw needs its traceback.
            what = type(error).__name__ if is_unforeseen(error) else error
            trace = error if is_unforeseen(error) else None
            log.error("a batch cannot be stored as it is; looking for what is at fault: %s", what, exc_info=trace)
        parts = halves(self._group, formats) if self.culprits < CULPRITS_MAX else None
        if parts is not None:
            self._waiting += [(parts[1], False), (parts[0], False)]
        else:
            log.warning("refused: %s", type(error).__name__)
            self._waiting.append(([refused(chunk, error, formats) for chunk in self._group], True))
            self.culprits += 1
        return True


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
    if chunk.untimed:
        block = block._replace(columns=as_untimed(block.columns))
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
    said = f"it could not be processed ({type(error).__name__}); the log says where"
    return INTERNAL_ERROR, said
