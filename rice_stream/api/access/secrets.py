"""The text of a token: `rice_<role>_<random><checksum>`, of which only a digest and the first characters are kept.

The random part has 256 bits, so a plain digest cannot be turned back and nobody can guess one. The checksum tells a
mistyped or shortened token without a look at the database, and lets a scanner of code tell tokens from other texts.
"""

import hashlib
import re
import secrets
import zlib

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH, _CHECKSUM_LENGTH = 43, 6
_SHOWN_OF_RANDOM = 6
_TOKEN = re.compile(rf"rice_[a-z]+_[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def new_token(role: str) -> str:
    """A token that nobody has had before."""
    text = f"rice_{role}_{_base62(secrets.randbits(256), _RANDOM_LENGTH)}"
    return text + _checksum(text)


def digest_of(token: str) -> bytes:
    """What is kept of a token: SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def prefix_of(token: str) -> str:
    """What is shown of a token, so that its owner recognises it: the beginning, without anything that helps to guess the rest.

    >>> prefix_of("rice_ingest_0123456789")
    'rice_ingest_012345'
    """
    role, _, random = token.rpartition("_")
    return f"{role}_{random[:_SHOWN_OF_RANDOM]}"


def may_be_token(text: str) -> bool:
    """Whether the text is spelled as a token is, its checksum included."""
    if _TOKEN.fullmatch(text) is None:
        return False
    return text[-_CHECKSUM_LENGTH:] == _checksum(text[:-_CHECKSUM_LENGTH])


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
