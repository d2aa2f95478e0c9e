"""Unpacking of compressed batches, bounded: one that unpacks to more than BATCH_BYTES_MAX is not unpacked at all.

A broker bounds a batch as it was sent, packed (`max.message.bytes`); a megabyte of it can hold a gigabyte of zeros. These
functions take the place of aiokafka's own, which unpack all there is (`install`).
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
from aiokafka.record import default_records, legacy_records
from aiokafka.record._crecords import default_records as compiled_default_records
from aiokafka.record._crecords import legacy_records as compiled_legacy_records

BATCH_BYTES_MAX = 64 * 1024 * 1024
"""Most bytes that one compressed batch may unpack to."""
_GZIP = 31
"""For zlib: with the header and trailer of gzip."""
_XERIAL_HEADER_BYTES = 16
_FIRST_ROOM_BYTES, _USUAL_RATIO, _MORE_ROOM = 65_536, 16, 8
_Unpack = Callable[[Any], bytes]


class BatchNotUnpackedError(Exception):
    """A compressed batch is too large when unpacked, or broken; says which."""


def install() -> None:
    """Let aiokafka unpack with these functions, in all of this process."""
    for module in (default_records, compiled_default_records, legacy_records, compiled_legacy_records):
        bounded = {name: function for name, function in BOUNDED.items() if name in vars(module)}
        vars(module).update(bounded)


def gzip_decode(payload: Any) -> bytes:
    """All members of a gzip stream."""
    packed = bytes(payload)
    # The trailer says how much it is. It may lie, or be of the last of several members: then what comes out is counted.
    if len(packed) >= 4 and (size := struct.unpack("<I", packed[-4:])[0]) > BATCH_BYTES_MAX:
        raise BatchNotUnpackedError(f"it says that it unpacks to {size:,} bytes; {BATCH_BYTES_MAX:,} may be")
    parts: list[bytes] = []
    left = BATCH_BYTES_MAX
    try:
        while packed:
            member = zlib.decompressobj(_GZIP)
            parts.append(member.decompress(packed, left + 1))
            left -= len(parts[-1])
            if left < 0:
                raise _too_large()
            if not member.eof:
                raise BatchNotUnpackedError("it is broken (a gzip stream without an end)")
            packed = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise _broken(error) from error
    return b"".join(parts)


def snappy_decode(payload: Any) -> bytes:
    """A block of snappy, or a stream of blocks as Java clients write it. Each block says how large it is."""
    packed = bytes(payload)
    try:
        blocks = _snappy_blocks(packed)
        if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > BATCH_BYTES_MAX:
            raise _too_large()
        return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)
    except (cramjam.DecompressionError, struct.error) as error:
        raise _broken(error) from error


def _snappy_blocks(packed: bytes) -> list[bytes]:
    if not packed.startswith(b"\x82SNAPPY\0"):
        return [packed]
    blocks = []
    at = _XERIAL_HEADER_BYTES
    while at < len(packed):
        size = struct.unpack_from("!i", packed, at)[0]
        if size < 0:
            raise struct.error("a block of less than nothing")
        blocks.append(packed[at + 4 : at + 4 + size])
        at += 4 + size
    return blocks


def lz4_decode(payload: Any) -> bytes:
    """Frames of LZ4."""
    return _decompressed(cramjam.lz4.decompress_into, bytes(payload))


def zstd_decode(payload: Any) -> bytes:
    """Frames of Zstandard."""
    return _decompressed(cramjam.zstd.decompress_into, bytes(payload))


def _decompressed(decompress_into: Callable[[bytes, bytearray], int], packed: bytes) -> bytes:
    """Unpacked into as much room as usual, else into more, up to as much as may be."""
    usual = _USUAL_RATIO * len(packed) + _FIRST_ROOM_BYTES
    for room in (usual, _MORE_ROOM * usual, BATCH_BYTES_MAX):
        buffer = bytearray(min(room, BATCH_BYTES_MAX))
        try:
            size = decompress_into(packed, buffer)
        except cramjam.DecompressionError as error:
            # Not the error itself: it holds this frame, and with it the buffer, until somebody looks for circles.
            failure = _too_large() if "whole buffer" in str(error) else _broken(error)
        else:
            return bytes(memoryview(buffer)[:size])
    raise failure


def _too_large() -> BatchNotUnpackedError:
    return BatchNotUnpackedError(f"it unpacks to more than the {BATCH_BYTES_MAX:,} bytes that may be")


def _broken(error: Exception) -> BatchNotUnpackedError:
    return BatchNotUnpackedError(f"it is broken ({type(error).__name__})")


BOUNDED: dict[str, _Unpack] = {
    "gzip_decode": gzip_decode,
    "snappy_decode": snappy_decode,
    "lz4_decode": lz4_decode,
    "zstd_decode": zstd_decode,
}
_BY_NUMBER = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}


def unpacked(codec: int, payload: Any) -> bytes | None:
    """What is packed by the codec of this number in Kafka's protocol; None: there is no such codec. BatchNotUnpackedError."""
    unpack = _BY_NUMBER.get(codec)
    return None if unpack is None else unpack(payload)
