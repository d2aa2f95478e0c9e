"""Kong AI Gateway's log entries (`kafka-log`, `http-log`): one event for each AI plugin that called a model.

The code writes `prompt_tokens`, the documentation up to 3.9 `prompt_token`; the plugin's key is `proxy`, or its name.
"""

from rice_stream.events.formats.reading import regions, vocabulary
from rice_stream.events.formats.reading.drafts import EventDraft
from rice_stream.events.formats.reading.items import UNEXPECTED, EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import Moment, milliseconds, moment
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.text_lengths import characters_of_json
from rice_stream.events.formats.reading.usage_objects import read_usage
from rice_stream.events.formats.reading.values import failed_http_status, text
from rice_stream.events.records import Ignored, Refusal, RefusedError

SOURCE_FORMAT = "kong"
TENANT_LADDER = ("consumer.custom_id", "consumer.username", "authenticated_entity.id")
CACHE_HIT = "hit"
_OF_AN_ENTRY = ("ai", "request", "response", "latencies", "service", "route")
PROXIES = frozenset({"proxy", "ai-proxy", "ai-proxy-advanced"})
NO_PLUGIN = Ignored("not_an_inference", "a request that no AI plugin sent to a model")
NO_ANSWER = Ignored("no_usage", "an AI plugin that got no answer from a model")


def decode_object(obj: JsonObject, origin: ItemOrigin, options: FormatOptions) -> list[Item]:
    """The events of one log entry."""
    if not any(name in obj for name in _OF_AN_ENTRY):
        return [Refusal(UNEXPECTED, "no field of a Kong log entry")]
    plugins = obj.child("ai")
    names = [name for name in plugins if _is_plugin(plugins.child(name))]
    if not names:
        return [NO_PLUGIN]
    items: list[Item] = []
    for part, name in enumerate(names):
        draft = EventDraft(SOURCE_FORMAT, origin._replace(part=part), options)
        try:
            items.append(_event(obj, name, plugins, draft))
        except RefusedError as problem:
            items.append(problem.refusal(draft.fields))
    return items


def _is_plugin(entry: JsonObject) -> bool:
    return entry.is_object("usage") or entry.is_object("meta")


def _event(log: JsonObject, name: str, plugins: JsonObject, draft: EventDraft) -> EventFields | Ignored:
    plugin = plugins.child(name)
    meta, usage = plugin.child("meta"), plugin.value("usage")
    request_id = text(log.child("request").scalar("id"))
    if request_id is not None:
        # One request may pass several plugins that call a model, and each call is an event.
        draft.identify(f"{request_id}:{name}")
    else:
        draft.identify(None)
    draft.models(
        request=meta.scalar("request_model"),
        response=meta.scalar("response_model"),
        provider=vocabulary.provider(meta.scalar("provider_name")),
    )
    failed = failed_http_status(log.child("response").scalar("status"))
    draft.ended(failed=failed)
    if not isinstance(usage, dict) or not usage:
        if failed or not draft.fields["request_model"]:
            return NO_ANSWER
        usage = {}
    draft.happened(*_times(log))
    cache_status = text(plugin.child("cache").scalar("cache_status"))
    draft.fields["gateway_cache_hit"] = None if cache_status is None else cache_status.lower() == CACHE_HIT
    draft.used(
        read_usage(usage),
        vocabulary.operation_of_path(log.scalar("upstream_uri")),
        lambda: _length(plugin, plugins, "request"),
        lambda: _length(plugin, plugins, "response"),
    )
    # The log names the hosts that the request was proxied to; where other plugins sent theirs, it does not say.
    draft.ran_in(*(_hosts(log) if name in PROXIES else ()))
    draft.fields["user_id"] = text(log.child("consumer").scalar("id"))
    draft.charge(lambda path: plugin.find(path) if path.startswith("meta.") else log.find(path), TENANT_LADDER)
    return draft.done()


def _times(log: JsonObject) -> tuple[Moment | None, Moment | None]:
    """(end, start): the entry says when the request came and how long it took."""
    started = moment(log.scalar("started_at"), "started_at")
    duration_us = milliseconds(log.child("latencies").scalar("request"))
    if started is None or duration_us is None:
        return started, None
    return Moment(started.us + duration_us, started.zone_assumed), started


def _hosts(log: JsonObject) -> list[tuple[object, str]]:
    tried = log.children("tries")
    last = tried[-1].scalar("hostname") if tried and tried[-1] is not None else None
    return [(regions.of_endpoint(host), "endpoint") for host in (last, log.child("service").scalar("host"))]


def _length(plugin: JsonObject, plugins: JsonObject, side: str) -> int | None:
    own = characters_of_json(plugin.child("payload").value(side))
    return characters_of_json(plugins.child("payload").value(side)) if own is None else own
