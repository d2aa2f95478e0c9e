"""The shipped reference tables as they are kept, and the same with something changed."""

import zlib

from rice_stream.reference.kept import content_of
from rice_stream.reference.loader import load_reference

SHIPPED = load_reference()
KEPT = content_of(SHIPPED)


def changed(content: bytes, before: str, after: str) -> bytes:
    """The same with some text in the place of another."""
    text = zlib.decompress(content).decode()
    assert before in text
    return zlib.compress(text.replace(before, after, 1).encode())
