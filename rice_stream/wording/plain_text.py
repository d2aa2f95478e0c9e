"""Text for a terminal: names come from whoever sends events, and may hold anything.

What moves the cursor, changes colours or titles, or turns the order of characters around is written as what it is
(`\\x1b`, `\\u202e`) instead of being carried out.
"""

import re

_CONTROL = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""C0 and C1 controls, marks and overrides of direction, line and paragraph separators, and halves of characters."""
_ONE_LINE = re.compile(f"[{_CONTROL}]")
_LINES = re.compile(f"(?!\n)[{_CONTROL}]")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_BYTE_MAX = 0xFF
_BYTE_OF_A_FILE_NAME = range(0xDC80, 0xDD00)
"""Python's stand-ins for bytes of a file's name that are no UTF-8."""


def visible(text: str) -> str:
    r"""One line: every control character, line breaks too, as an escape.

    >>> visible("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """
    return _ONE_LINE.sub(_escape, text)


def visible_lines(text: str) -> str:
    """The same of a text of our own over several lines, which keep their breaks."""
    return _LINES.sub(_escape, text)


def exact_json(document: str) -> str:
    """JSON that prints no control character either: the same document, spelled with JSON's own escapes."""
    return _ONE_LINE.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _BYTE_OF_A_FILE_NAME:
        code &= _BYTE_MAX
    return _NAMED.get(match[0]) or (f"\\x{code:02x}" if code <= _BYTE_MAX else f"\\u{code:04x}")
