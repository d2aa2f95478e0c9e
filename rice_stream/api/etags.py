"""Strong entity tags: which state of a thing a caller has seen, so that nobody overwrites what somebody else has changed."""

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request

from rice_stream.api.problems import ProblemError


def etag_of(state: Mapping[str, Any]) -> str:
    """The tag of a state: the same for the same fields and values, in whatever order."""
    canonical = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f'"{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"'


def check_if_match(request: Request, state: Mapping[str, Any]) -> None:
    """ProblemError 428: no If-Match; 412, with the state as it is now: another one was seen. `*` is any state."""
    given = request.headers.getlist("if-match")
    if not given:
        raise ProblemError(
            HTTPStatus.PRECONDITION_REQUIRED,
            "If-Match: give the ETag of the state that you have seen (GET answers with it)",
        )
    tags = {tag.strip() for line in given for tag in line.split(",")}
    current = etag_of(state)
    if "*" not in tags and current not in tags:
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            "it has changed since you saw it: look at `current`, and send the change again with its ETag",
            headers={"ETag": current},
            more={"current": dict(state)},
        )
