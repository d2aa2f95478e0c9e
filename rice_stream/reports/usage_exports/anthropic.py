"""Anthropic: pages of the usage report (`/v1/organizations/usage_report/messages`), and the CSV of the console."""

from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.reports.usage_exports.rows import NotUsage, Read, Unused, UsageRow, first_of, instant_us, whole

_UNCACHED = ("uncached_input_tokens", "usage_input_tokens_no_cache", "input_tokens_no_cache")
_READ = ("cache_read_input_tokens", "usage_input_tokens_cache_read", "input_tokens_cache_read")
_WRITTEN = (
    "usage_input_tokens_cache_write_5m",
    "usage_input_tokens_cache_write_1h",
    "input_tokens_cache_write_5m",
    "input_tokens_cache_write_1h",
    "cache_creation_input_tokens",
)
_OUTPUT = ("output_tokens", "usage_output_tokens")


def read_anthropic(document: Any) -> Iterator[Read]:
    """Buckets with their results, or one row of CSV. Input without a cache, read from it and written to it are all of the input."""
    for bucket in document.get("data", [document]):
        results = bucket.get("results", [bucket])
        if not results:
            yield Unused(*_times(bucket))
        for result in results:
            said = {**bucket, **result}
            if first_of(said, *_UNCACHED, *_OUTPUT) is None:
                yield NotUsage("no tokens: not of the usage report")
                continue
            yield _row(said)


def _row(said: Mapping[str, Any]) -> UsageRow:
    created = said.get("cache_creation") or {}
    cached = whole(first_of(said, *_READ), "cache_read_input_tokens")
    cached += sum(whole(value, f"cache_creation.{name}") for name, value in created.items())
    cached += sum(whole(said.get(name), name) for name in _WRITTEN)
    return UsageRow(
        *_times(said),
        str(first_of(said, "model", "model_version") or ""),
        whole(first_of(said, *_UNCACHED), "uncached_input_tokens") + cached,
        whole(first_of(said, *_OUTPUT), "output_tokens"),
        cached,
    )


def _times(said: Mapping[str, Any]) -> tuple[int, int | None]:
    end = first_of(said, "ending_at")
    start = instant_us(first_of(said, "starting_at", "usage_date_utc", "date"), "starting_at")
    return start, None if end is None else instant_us(end, "ending_at")
