"""Names of headers that are no UTF-8, which aiokafka does not read, made readable in the bytes of their record."""

from collections.abc import Callable


def mend_header_names(buffer: bytearray, at: int, decode_varint: Callable[[bytearray, int], tuple[int, int]]) -> None:
    """Put a question mark for every byte beyond ASCII of names that are no UTF-8, of the record that begins at `at`.

    `decode_varint` is aiokafka's: the number at a position, and what is behind it.
    """
    _, at = decode_varint(buffer, at)
    for _ in range(3):  # attributes, time, offset
        _, at = decode_varint(buffer, at)
    for _ in range(2):  # key, value
        length, at = decode_varint(buffer, at)
        at += max(length, 0)
    headers, at = decode_varint(buffer, at)
    for _ in range(headers):
        length, at = decode_varint(buffer, at)
        name = bytes(buffer[at : at + length])
        try:
            name.decode()
        except UnicodeDecodeError:
            buffer[at : at + length] = bytes(byte if byte < 0x80 else ord("?") for byte in name)
        at += length
        length, at = decode_varint(buffer, at)
        at += max(length, 0)
