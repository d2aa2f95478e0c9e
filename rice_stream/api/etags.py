"""Entity tags: which state of a thing a caller has seen.

Strong ones are for changes: nobody overwrites what somebody else has changed. Weak ones are for answers: what a caller has
already need not be sent again.
"""

import hashlib
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request

from rice_stream.api.problems import ProblemError
from rice_stream.canonical_json import canonical_json

IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": True,
            "schema": {"type": "string"},
            "description": "The `ETag` of the state that was seen; `*`: whatever it is",
        }
    ]
}
"""What the document says of a route that calls `check_if_match`."""
STATE_PROBLEMS: dict[int | str, dict[str, Any]] = {
    412: {"description": "It has changed since; `current` is its state now"},
    428: {"description": "If-Match is missing"},
}


def etag_of(state: Mapping[str, Any]) -> str:
    """The tag of a state: the same for the same fields and values, in whatever order."""
    return f'"{_digest(canonical_json(state))}"'


def weak_etag_of(answer: bytes | memoryview) -> str:
    """The tag of an answer, of the bytes that say what it means; what comes with them, such as the time, may differ."""
    return f'W/"{_digest(answer)}"'


def check_if_match(request: Request, state: Mapping[str, Any]) -> None:
    """ProblemError 428: no If-Match; 412, with the state as it is now: another one was seen. `*` is any state."""
    tags = _tags(request, "if-match")
    if not tags:
        raise ProblemError(
            HTTPStatus.PRECONDITION_REQUIRED,
            "If-Match: give the ETag of the state that you have seen (GET answers with it)",
        )
    check_seen(tags, state)


def check_seen(tags: Collection[str], state: Mapping[str, Any]) -> None:
    """ProblemError 412, with the state as it is now: none of these tags is the state's. `*` is any state."""
    current = etag_of(state)
    if "*" not in tags and current not in tags:
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            "it has changed since you saw it: look at `current`, and send the change again with its ETag",
            headers={"ETag": current},
            more={"current": dict(state)},
        )


def is_known(request: Request, tag: str) -> bool:
    """Whether the caller has the answer of this tag (If-None-Match, compared weakly): 304 says enough."""
    tags = _tags(request, "if-none-match")
    return "*" in tags or tag.removeprefix("W/") in {each.removeprefix("W/") for each in tags}


def _tags(request: Request, header: str) -> frozenset[str]:
    return frozenset(tag.strip() for line in request.headers.getlist(header) for tag in line.split(","))


def _digest(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
