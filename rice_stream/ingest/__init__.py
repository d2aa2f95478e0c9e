"""Bytes of one source format -> canonical events or a reason. One small module per format."""

from rice_stream.ingest.columns import UNKNOWN, EventColumns
from rice_stream.ingest.decode import decode_batch, decode_blocks
from rice_stream.ingest.records import Decoded, RawRecord, Rejection

__all__ = ["UNKNOWN", "Decoded", "EventColumns", "RawRecord", "Rejection", "decode_batch", "decode_blocks"]
