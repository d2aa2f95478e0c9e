"""Documents as JSON, for the routes that are asked most: written in a fifth of the time that the standard library takes.

What is written says the same to the last digit; only numbers below 0.0001 and from 1e16 on may look otherwise (`0.000015` for
`1.5e-05`).
"""

from typing import Any

import msgspec
from fastapi import Response

_ENCODER = msgspec.json.Encoder()


def encoded(document: dict[str, Any]) -> bytes:
    """The document in UTF-8, without blanks; members in their order.

    Its numbers have to be finite: one that is not would come out as null. What reports answer are whole sums, and shares of them.
    TypeError: something in it is no JSON.
    """
    return _ENCODER.encode(document)


def json_answer(document: dict[str, Any]) -> Response:
    """The answer 200 with the document."""
    return Response(encoded(document), media_type="application/json")
