"""Envoy AI Gateway's access log in JSON: flat keys with OpenTelemetry's names; null is null, "-" or "".

The user chooses the keys; the shipped example's are read, and the names of the gateway's own token metadata.
"""

from rice_stream.events.formats.otlp import attributes as names
from rice_stream.events.formats.reading import energy, regions, vocabulary
from rice_stream.events.formats.reading.drafts import EventDraft, one_event
from rice_stream.events.formats.reading.items import UNEXPECTED, EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import Moment, milliseconds, moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.values import count, failed_http_status, first_text, text
from rice_stream.events.records import Ignored, RefusedError

SOURCE_FORMAT = "envoy"
TENANT_LADDER = ("tenant.id", "tenant_id", "x-tenant-id", "team.id", "team_id", "x-team-id")
USER = ("user.id", "user_id", "x-user-id")
INPUT = (*names.INPUT, "llm_input_token")
OUTPUT = (*names.OUTPUT, "llm_output_token")
TOTAL = (*names.TOTAL, "llm_total_token")
CACHE_READ = (*names.CACHE_READ, "llm_cached_input_token")
CACHE_WRITE = (*names.CACHE_WRITE, "llm_cache_creation_input_token")
REASONING = (*names.REASONING, "llm_reasoning_token")
PATHS = ("request.path", "path", "x-envoy-origin-path")

NO_CALL = Ignored("not_an_inference", "a request without model and tokens")


def is_access_log(obj: JsonObject) -> bool:
    """Whether a key is one of OpenTelemetry's generative-AI names, flat in the object."""
    return "llm_input_token" in obj or "llm_output_token" in obj or any(name.startswith("gen_ai.") for name in obj)


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The event of one log line."""
    return [one_event(obj, SOURCE_FORMAT, origin, options, _event)]


def _event(line: JsonObject, draft: EventDraft) -> EventFields | Ignored:
    if not is_access_log(line):
        raise RefusedError(UNEXPECTED, "no key of the gateway's access log")
    find = line.find
    request, response = first_text(find, names.REQUEST_MODEL), first_text(find, names.RESPONSE_MODEL)
    counts = TokenCounts(
        input_tokens=_number(line, INPUT),
        cache_read=_number(line, CACHE_READ),
        cache_write=_number(line, CACHE_WRITE),
        output_tokens=_number(line, OUTPUT),
        reasoning=_number(line, REASONING),
        total=_number(line, TOTAL),
    )
    if request is None and response is None and counts == TokenCounts():
        return NO_CALL
    draft.identify(line.find("x-request-id"))
    draft.happened(*_times(line))
    draft.models(request=request, response=response, provider=_provider(line))
    draft.ended(failed=failed_http_status(line.find("response_code")))
    draft.used(counts, vocabulary.operation_of_path(first_text(find, PATHS)))
    draft.metered(energy.of_attributes(find, names.ENERGY_JOULES, names.ENERGY_BOUNDARY))
    draft.ran_in(*((regions.of_endpoint(find(name)), "endpoint") for name in ("upstream_host", *names.ENDPOINT)))
    draft.fields["user_id"] = first_text(find, USER)
    draft.charge(find, TENANT_LADDER)
    return draft.done()


def _provider(line: JsonObject) -> str | None:
    """The gateway writes the name of a backend here: a provider only if it is called like one."""
    return next((found for name in names.PROVIDER if (found := vocabulary.known_provider(line.find(name)))), None)


def _times(line: JsonObject) -> tuple[Moment | None, Moment | None]:
    """(end, start): start and duration, as access logs have them."""
    started = moment(text(line.find("start_time")), "start_time")
    duration_us = milliseconds(line.find("duration"))
    if started is None or duration_us is None:
        return started, None
    return Moment(started.us + duration_us, started.zone_assumed), started


def _number(line: JsonObject, aliases: tuple[str, ...]) -> int | None:
    return next((found for name in aliases if (found := count(line.find(name), name)) is not None), None)
