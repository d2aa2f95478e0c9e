"""LiteLLM's record of a finished batch -> its requests, each with an equal share of the tokens.

As one event it would be a prompt of millions of tokens. LiteLLM writes the record again whenever somebody asks for the
batch; its id and its own end make the requests the same ones each time.
"""

from typing import Any

import msgspec

from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.values import count, text
from rice_stream.events.records import RefusedError

CALL_TYPES = frozenset({"retrieve_batch", "aretrieve_batch"})
_ANSWERED = "batch_successful_requests"


def requests(payload: JsonObject, counts: TokenCounts, options: FormatOptions) -> list[JsonObject]:
    """A payload for each request; [] while the batch has no tokens.

    RefusedError: not every request has its model in `batch_models`. A number alone is not taken for it: a short record
    could then become any number of events.
    """
    if not (counts.input_tokens or counts.output_tokens):
        return []
    hidden = payload.child("hidden_params")
    models = options.bounded(hidden.tags("batch_models"))
    number = len(models)
    batch, batch_id = payload.child("response"), text(payload.scalar("id"))
    answered = count(hidden.value(_ANSWERED), _ANSWERED)
    if answered is None:
        answered = count(batch.child("request_counts").value("completed"), "completed")
    if batch_id is None or not models or answered not in (None, number):
        raise RefusedError("invalid_field", "hidden_params.batch_models: must name the model of each request")
    ended = batch.scalar("completed_at") or payload.scalar("endTime")
    metadata = payload.child("metadata").raw()
    # Rounded down, so that no part exceeds its whole.
    parts = {
        "cache_read_input_tokens": (counts.cache_read or 0) // number,
        "cache_creation_input_tokens": (counts.cache_write or 0) // number,
        "reasoning_tokens": (counts.reasoning or 0) // number,
    }
    return [
        _changed(
            payload,
            call_type="completion",
            litellm_call_id=f"{batch_id}:{position}",
            startTime=None,
            endTime=ended,
            prompt_tokens=(given := _share(counts.input_tokens or 0, position, number)),
            completion_tokens=_share(counts.output_tokens or 0, position, number),
            total_tokens=None,
            metadata={**metadata, "usage_object": {"prompt_tokens": given, **parts}},
            hidden_params={"api_base": hidden.scalar("api_base")},
            response={"model": model},
        )
        for position, model in enumerate(models)
    ]


def _share(total: int, position: int, number: int) -> int:
    """Whole numbers that add up to the total."""
    return total * (position + 1) // number - total * position // number


def _changed(payload: JsonObject, **fields: Any) -> JsonObject:
    return JsonObject(payload.raw() | {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()})
