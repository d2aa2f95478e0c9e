"""What instrumentations print into one attribute of a span: the provider's usage object, and LiteLLM's hidden parameters."""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from rice_stream.events.formats.otlp.attributes import REPR_CHARACTERS_MAX
from rice_stream.events.formats.plain.fields import NotPlainError
from rice_stream.events.formats.plain.usage import ChatUsage, chat_counts
from rice_stream.events.formats.reading import regions
from rice_stream.quantities import UNKNOWN

PRINTED_BYTES_MAX = REPR_CHARACTERS_MAX
"""A usage object that is longer is for the full decoder."""
_PRINTED = ((b"None", b"null"), (b"True", b"true"), (b"False", b"false"))
_RAW_USAGE = msgspec.json.Decoder(ChatUsage)


class _Hidden(msgspec.Struct, gc=False):
    api_base: str | None = None


_HIDDEN = msgspec.json.Decoder(_Hidden)


def with_raw_usage(
    written: object,
    read: int | None,
    made: int | None,
    reasoning: int | None,
    region: str | None,
    region_source: str,
) -> tuple[int | None, int | None, int | None, tuple[str | None, str]]:
    """What the counts leave out, from the provider's usage object as it is printed beside them: read from a cache, written to
    one, reasoning; and the region with its source."""
    if not isinstance(written, str):
        raise NotPlainError
    said, geo = usage_of(json_of(written.encode()))
    raw_read, raw_made, raw_reasoning = (None if count == UNKNOWN else count for count in said)
    return (
        raw_read if read is None else read,
        raw_made if made is None else made,
        raw_reasoning if reasoning is None else reasoning,
        (region, region_source) if geo is None else place_by(geo, region, region_source),
    )


def json_of(printed: bytes) -> bytes:
    """A usage object as JSON, which may be printed as Python's repr: of plain values that differs in four spellings."""
    plain = printed.replace(b"'", b'"')
    for name, value in _PRINTED:
        if name[:1] in plain:  # one character is found ten times as fast as four
            plain = plain.replace(name, value)
    return plain


def usage_of(written: bytes) -> tuple[tuple[int, int, int], str | None]:
    """(tokens read from a cache, written to one, of reasoning; UNKNOWN for none), and the place, of a usage object in JSON."""
    if len(written) > PRINTED_BYTES_MAX:
        raise NotPlainError
    usage = _RAW_USAGE.decode(written)
    _, read, made, _, reasoning, _ = chat_counts(usage)
    return (
        (
            UNKNOWN if read is None else read,
            UNKNOWN if made is None else made,
            UNKNOWN if reasoning is None else reasoning,
        ),
        usage.inference_geo,
    )


def place_by(geo: str, region: str | None, region_source: str) -> tuple[str | None, str]:
    """Region and its source, by what the provider says itself before what else is known."""
    return regions.first_known(((geo, "provider_geo"), (region, region_source)))


def own_place(written: object) -> tuple[str | None, str]:
    """`place_of` an attribute. NotPlainError: it is no text."""
    if not isinstance(written, str):
        raise NotPlainError
    return place_of(written)


def place_of(hidden: str | bytes) -> tuple[str | None, str]:
    """Region and its source from LiteLLM's hidden parameters, in JSON."""
    return place_of_endpoint(_HIDDEN.decode(hidden).api_base)


def endpoints_of(hidden: Iterable[bytes]) -> list[str | None]:
    """The endpoint in each of these. One of `JSON_ERRORS`: one of them is none."""
    return [found.api_base for found in map(_HIDDEN.decode, hidden)]


@lru_cache(maxsize=1024)
def place_of_endpoint(address: str | None) -> tuple[str | None, str]:
    """Region and its source from the address that was called, remembered."""
    return regions.first_known([(regions.of_endpoint(address), "endpoint")])
