"""What goes wrong in production, mixed into good traffic at stated rates: for the demo, never for a replayed trace."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.instants import rfc3339
from rice_stream.sandbox.traffic.draws import PCG64Draws
from rice_stream.sandbox.traffic.times import parsed_us

CHUNK_EVENTS = 512

RETRY_AFTER_EVENTS_MAX = 40
"""A client's retry follows its first try by at most this many events."""

CACHE_ANSWER_US = 12_000


@dataclass(frozen=True, slots=True)
class Oddities:
    """Shares of all events, each 0 to 1 and together at most 1. The defaults are about one event in twenty."""

    duplicate: float = 0.012
    """The same event again, a little later: a client or a collector tried again."""
    gateway_cache_hit: float = 0.015
    """Answered from the gateway's cache: tokens, but no inference."""
    error_with_tokens: float = 0.008
    """Broken off half way: what was generated was still computed."""
    error_without_usage: float = 0.004
    """Failed without token counts: null, which is not zero."""
    unknown_model: float = 0.006
    """A fine-tune that no public table knows."""
    unknown_region: float = 0.006
    """A region name that no table knows, or none."""
    malformed: float = 0.0008
    """Breaks an invariant: goes to quarantine."""

    def __post_init__(self) -> None:
        shares = [getattr(self, field.name) for field in fields(self)]
        if min(shares) < 0 or sum(shares) > 1:
            raise UsageError(f"oddities: shares must be at least 0 and at most 1 together, not {shares}")


def with_oddities(events: Iterator[dict[str, Any]], oddities: Oddities, *, seed: int) -> Iterator[dict[str, Any]]:
    """`events` with some of them changed or repeated, in the same order of `ended_at`, repeats aside.

    A changed event keeps its `event_id` (unless that is what is malformed), so only repeats are duplicates.
    """
    draws = PCG64Draws(seed, stream="oddities")
    kinds, thresholds = _thresholds(oddities)
    repeats: list[tuple[int, dict[str, Any]]] = []
    number = 0
    while chunk := list(islice(events, CHUNK_EVENTS)):
        for event, (kind_uniform, variant) in zip(chunk, draws.uniforms(len(chunk), 2).tolist(), strict=True):
            number += 1
            kind = next((kind for kind, below in zip(kinds, thresholds, strict=True) if kind_uniform < below), None)
            if kind == "duplicate":
                repeats.append((number + 1 + int(variant * RETRY_AFTER_EVENTS_MAX), event))
            yield event if kind is None or kind == "duplicate" else _changed(event, kind, variant)
            for repeat in [repeat for repeat in repeats if repeat[0] <= number]:
                repeats.remove(repeat)
                yield repeat[1]
    for _, event in repeats:
        yield event


def _thresholds(oddities: Oddities) -> tuple[list[str], list[float]]:
    """Names of the kinds, and the draw below which each (and none before it) is meant."""
    kinds = [field.name for field in fields(oddities)]
    thresholds: list[float] = []
    for kind in kinds:
        thresholds.append((thresholds[-1] if thresholds else 0.0) + getattr(oddities, kind))
    return kinds, thresholds


def _changed(event: dict[str, Any], kind: str, variant: float) -> dict[str, Any]:
    """A copy of a valid event with one oddity; `variant` in [0, 1) chooses among the forms of a kind."""
    if kind == "gateway_cache_hit":
        ended_us = parsed_us(event["ended_at"]) or 0
        quick = {"started_at": rfc3339(ended_us - CACHE_ANSWER_US, "microseconds"), "ttft_ms": CACHE_ANSWER_US / 1000}
        return event | quick | {"gateway_cache_hit": True}
    if kind == "error_with_tokens":
        output_tokens = event["output_tokens"] // 2
        reasoning = event["reasoning_output_tokens"]
        kept = {"output_tokens": output_tokens, "reasoning_output_tokens": reasoning and min(reasoning, output_tokens)}
        return event | kept | {"status": "error", "error_type": "stream_interrupted"}
    if kind == "error_without_usage":
        unknown = dict.fromkeys(
            ("input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens", "ttft_ms")
        )
        return event | unknown | {"status": "error", "error_type": "rate_limit_exceeded"}
    if kind == "unknown_model":
        return event | {
            "request_model": f"{event['tenant_id']}-finetune-v{1 + int(variant * 3)}",
            "response_model": None,
        }
    if kind == "unknown_region":
        return event | {"inference_region": None if variant < 0.5 else "private:berlin-basement"}
    return _malformed(event, variant)


def _malformed(event: dict[str, Any], variant: float) -> dict[str, Any]:
    """A copy that breaks one invariant of the canonical event."""
    broken: tuple[dict[str, Any], ...] = (
        {"input_tokens": -1},
        {"output_tokens": "many"},
        {"cache_read_input_tokens": event["input_tokens"] + 1},
        {"ended_at": "yesterday"},
        {"event_id": None},
    )
    return event | broken[int(variant * len(broken))]
