"""Cursors of lists: where a page ends, as an opaque text that is good for the same question by the same caller only."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.problems import ProblemError

_MAC_BYTES = 12
_VERSION = 1


class Cursors:
    """Makes and reads cursors. A cursor opens nothing that its caller could not see anyway: it is signed so that a position
    is never one that this server did not give."""

    def __init__(self, key: bytes) -> None:
        """`key`: a secret; cursors of whoever has the same one are good as well."""
        self._key = key

    def write(self, position: bytes, question: bytes) -> str:
        """The cursor of a position, as the reports give them."""
        content = bytes([_VERSION]) + position
        return base64.urlsafe_b64encode(self._mac(content, question) + content).decode().rstrip("=")

    def read(self, cursor: str, question: bytes) -> bytes:
        """Its position. ProblemError 400 `cursor-mismatch`: it is none of this question, or of none at all."""
        try:
            given = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise _mismatch() from error
        mac, content = given[:_MAC_BYTES], given[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(content, question)) or content[0] != _VERSION:
            raise _mismatch()
        return content[1:]

    def _mac(self, content: bytes, question: bytes) -> bytes:
        return hmac.digest(self._key, question + content, "sha256")[:_MAC_BYTES]


def question_of(route: str, filters: Mapping[str, object], caller: Caller, right: Right = Right.READ) -> bytes:
    """What a cursor is bound to: the route, everything that narrows the list, who asks, and what that may see."""
    scope = caller.scope(right)
    tenants = None if scope.tenants is None else sorted(scope.tenants)
    named = [
        route,
        sorted((name, str(value)) for name, value in filters.items()),
        caller.name,
        tenants,
        sorted(scope.teams),
    ]
    return hashlib.sha256(json.dumps(named).encode()).digest()


def _mismatch() -> ProblemError:
    return ProblemError(
        HTTPStatus.BAD_REQUEST,
        "after: this cursor is not of this list, its filters and your token; begin again without it",
        slug="cursor-mismatch",
    )
