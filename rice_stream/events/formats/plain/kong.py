"""Kong's log entries as they usually are; `formats/kong.py` has what each field means."""

from functools import lru_cache

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from rice_stream.events.formats.kong import CACHE_HIT, NO_ANSWER, NO_PLUGIN, PROXIES
from rice_stream.events.formats.plain.fields import (
    EVENT,
    Guard,
    Name,
    NoOtherFormat,
    NotPlainError,
    PlainItem,
    Time,
    failed_status,
    inclusive,
    operation_of_path,
    provider,
    spelled,
    time_us,
    word,
)
from rice_stream.events.formats.plain.usage import ChatUsage, chat_counts
from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.moments import milliseconds
from rice_stream.events.formats.reading.values import text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.quantities import NAME_LENGTH_MAX


class _Meta(msgspec.Struct, gc=False):
    provider_name: Name = None
    request_model: Name = None
    response_model: Name = None


class _Cache(msgspec.Struct, gc=False):
    cache_status: Name = None


class _Plugin(msgspec.Struct, gc=False):
    usage: ChatUsage | None = None
    meta: _Meta | None = None
    cache: _Cache | None = None


class _Request(msgspec.Struct, gc=False):
    id: Name = None


class _Response(msgspec.Struct, gc=False):
    status: int | None = None


class _Latencies(msgspec.Struct, gc=False):
    request: int | float | None = None


class _Consumer(msgspec.Struct, gc=False):
    id: Name = None
    username: Name = None
    custom_id: Name = None


class _Entity(msgspec.Struct, gc=False):
    id: Name = None


class _Try(msgspec.Struct, gc=False):
    hostname: Name = None


class _Service(msgspec.Struct, gc=False):
    host: Name = None


class KongEntry(NoOtherFormat, kw_only=True, gc=False):
    """The wanted fields of an entry."""

    started_at: Time = None
    request: _Request | None = None
    response: _Response | None = None
    upstream_uri: str | None = None
    latencies: _Latencies | None = None
    consumer: _Consumer | None = None
    authenticated_entity: _Entity | None = None
    tries: list[_Try] | None = None
    service: _Service | None = None
    ai: dict[str, _Plugin] | None = None
    # Another format's, or something around it.
    schema_type: Guard = msgspec.field(name="schemaType", default=UNSET)
    event_id: Guard = UNSET
    # A name with a dot of its own goes before the path that is spelled like it.
    dotted_custom_id: Guard = msgspec.field(name="consumer.custom_id", default=UNSET)
    dotted_username: Guard = msgspec.field(name="consumer.username", default=UNSET)
    dotted_entity: Guard = msgspec.field(name="authenticated_entity.id", default=UNSET)


_NO_REQUEST, _NO_RESPONSE, _NO_LATENCIES = _Request(), _Response(), _Latencies()
_NO_CONSUMER, _NO_ENTITY, _NO_SERVICE, _NO_META = _Consumer(), _Entity(), _Service(), _Meta()


def read(entry: KongEntry) -> list[PlainItem]:
    """The items of an entry. NotPlainError: it is for the full decoder."""
    if entry.ai is None:
        raise NotPlainError
    plugins = [
        (name, plugin) for name, plugin in entry.ai.items() if plugin.usage is not None or plugin.meta is not None
    ]
    if not plugins:
        return [NO_PLUGIN]
    return [_item(entry, name, plugin) for name, plugin in plugins]


def _item(entry: KongEntry, name: str, plugin: _Plugin) -> PlainItem:
    meta, usage = plugin.meta or _NO_META, plugin.usage
    request, response = word(meta.request_model), word(meta.response_model)
    failed = failed_status((entry.response or _NO_RESPONSE).status)
    if usage is None:
        if failed or request is None:
            return NO_ANSWER
        raise NotPlainError
    request_id = text((entry.request or _NO_REQUEST).id)
    started_us = time_us(entry.started_at, "started_at")
    if request_id is None or started_us is None or not (request or response):
        raise NotPlainError
    took_us = milliseconds((entry.latencies or _NO_LATENCIES).request)
    given, read, made, written, reasoning, total = chat_counts(usage)
    if written is None and operation_of_path(entry.upstream_uri) == EMBEDDINGS:
        written = 0
    given, read, made, written, reasoning, quality = inclusive(given, read, made, written, reasoning, total)
    # The log names the hosts that the request was proxied to; where other plugins sent theirs, it does not say.
    region, region_source = _place(*_hosts(entry)) if name in PROXIES else _NO_PLACE
    consumer = entry.consumer or _NO_CONSUMER
    status = word(plugin.cache.cache_status) if plugin.cache is not None else None
    event = replace(
        EVENT,
        event_id=f"{request_id}:{name}",
        started_at=None if took_us is None else spelled(started_us),
        ended_at=spelled(started_us + (took_us or 0)),
        tenant_id=(
            word(consumer.custom_id)
            or word(consumer.username)
            or word((entry.authenticated_entity or _NO_ENTITY).id)
            or UNKNOWN_TENANT
        ),
        user_id=word(consumer.id),
        provider=provider(meta.provider_name),
        request_model=request,
        response_model=response,
        input_tokens=given,
        cache_read_input_tokens=read,
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        inference_region=region,
        status="error" if failed else "ok",
        gateway_cache_hit=None if status is None else status.lower() == CACHE_HIT,
        cache_write_input_tokens=made,
        usage_quality=quality,
    )
    if len(event.event_id) > NAME_LENGTH_MAX:
        raise NotPlainError
    return event, region_source


def _hosts(entry: KongEntry) -> tuple[str | None, str | None]:
    return entry.tries[-1].hostname if entry.tries else None, (entry.service or _NO_SERVICE).host


@lru_cache(maxsize=4096)
def _place(last_host: str | None, service_host: str | None) -> tuple[str | None, str]:
    return regions.first_known((regions.of_endpoint(host), "endpoint") for host in (last_host, service_host))


_NO_PLACE = regions.first_known(())
