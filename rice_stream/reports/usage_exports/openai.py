"""OpenAI: pages of the usage API (`/v1/organization/usage/completions`), and the CSV of the usage page."""

from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.reports.usage_exports.rows import NotUsage, Read, Unused, UsageRow, first_of, instant_us, whole


def read_openai(document: Any) -> Iterator[Read]:
    """Buckets with their results, or one row of CSV. `input_tokens` include the cached ones."""
    for bucket in document.get("data", [document]):
        results = bucket.get("results", [bucket])
        if not results:
            yield Unused(*_times(bucket))
        for result in results:
            if "input_tokens" not in result:
                yield NotUsage("no input_tokens: not of the completions' usage")
                continue
            yield _row({**bucket, **result})


def _row(said: Mapping[str, Any]) -> UsageRow:
    cached = first_of(said, "input_cached_tokens", "cached_tokens")
    return UsageRow(
        *_times(said),
        str(said.get("model") or ""),
        whole(said["input_tokens"], "input_tokens"),
        whole(said.get("output_tokens"), "output_tokens"),
        None if cached is None else whole(cached, "input_cached_tokens"),
    )


def _times(said: Mapping[str, Any]) -> tuple[int, int | None]:
    start = first_of(said, "start_time_iso", "start_time", "date", "usage_date")
    end = first_of(said, "end_time_iso", "end_time")
    return instant_us(start, "start_time"), None if end is None else instant_us(end, "end_time")
