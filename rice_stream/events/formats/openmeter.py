"""OpenMeter's token events: CloudEvents whose data is a count of tokens of one type, or LiteLLM's `litellm_tokens`.

Nothing joins the input event of a request to its output event, so each half is one event of its own: the input half
has 0 output tokens, the output half 0 input tokens, and together they have what the request had.
"""

from rice_stream.events.formats.reading import energy, vocabulary
from rice_stream.events.formats.reading.drafts import EventDraft, one_event
from rice_stream.events.formats.reading.items import Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.usage_objects import read_usage
from rice_stream.events.formats.reading.values import count, text
from rice_stream.events.records import RefusedError

SOURCE_FORMAT = "openmeter"
TENANT_LADDER = ("subject",)
_INPUT_TYPES = frozenset({"input", "prompt"})
_OUTPUT_TYPES = frozenset({"output", "completion"})
_WHOLE_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


def is_openmeter_data(data: JsonObject) -> bool:
    """Whether the data of a CloudEvent counts tokens the way OpenMeter's meters expect it."""
    return "model" in data and ("tokens" in data or any(name in data for name in _WHOLE_USAGE))


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The event of one CloudEvent, or of the data alone where the attributes are in the headers."""
    return [one_event(obj, SOURCE_FORMAT, origin, options, _event)]


def _event(event: JsonObject, draft: EventDraft) -> Item:
    data = event.child("data") if event.is_object("data") else event
    draft.identify(event.scalar("id"))
    draft.happened(moment(event.scalar("time"), "time"))
    draft.models(request=data.scalar("model"), provider=vocabulary.provider(data.scalar("provider")))
    draft.ended(failed=False)
    draft.fields["source"] = text(event.scalar("source")) or draft.envelope("source")
    draft.used(_counts(data), None)
    if "tokens" in data:
        # Half a request: what its other half would add to the estimate (the context it decodes with) is not known.
        draft.fields["usage_quality"] = "derived"
        draft.assumed("half_a_request")
    else:  # metered energy beside one half may be the other's too, and would count twice
        draft.metered(energy.of_objects([data]))
    draft.ran_in()

    def find(name: str) -> object:
        return event.find(name) or draft.envelope(name) or data.find(name)

    draft.charge(find, TENANT_LADDER)
    return draft.done()


def _counts(data: JsonObject) -> TokenCounts:
    if "tokens" not in data:
        return read_usage({name: data.scalar(name) for name in _WHOLE_USAGE if name in data})
    tokens = count(data.value("tokens"), "tokens")
    kind = (text(data.scalar("type")) or "").lower()
    if kind in _INPUT_TYPES:
        return TokenCounts(input_tokens=tokens, output_tokens=0)
    if kind in _OUTPUT_TYPES:
        return TokenCounts(input_tokens=0, output_tokens=tokens)
    # Cached or reasoning tokens may be part of another event's count or not: guessing could count them twice.
    raise RefusedError("unknown_token_type", "type: must be input, prompt, output or completion")
