"""Canonical events of synthetic requests: who asked, which model answered, how many tokens."""

from collections.abc import Mapping
from typing import Any

from rice_stream.sandbox.traffic.catalogue import Offer, Seat


def chat_event(
    event_id: str,
    times: tuple[str, str],
    seat: Seat,
    offer: Offer,
    tokens: Mapping[str, int | None],
    *,
    source: str,
    ttft_ms: float,
) -> dict[str, Any]:
    """A canonical event of a streamed chat that went well.

    `times` are its start and end (RFC 3339), `tokens` its counts by their canonical names; `ttft_ms` is the time to
    the first token. The order of the fields is part of a replay: its events are the same to the last byte.
    """
    started_at, ended_at = times
    return {
        "schema_version": "1",
        "event_id": event_id,
        "started_at": started_at,
        "ended_at": ended_at,
        "tenant_id": seat.tenant_id,
        "team_id": seat.team_id,
        "project_id": seat.project_id,
        "user_id": seat.user_id,
        "provider": offer.provider,
        "request_model": offer.request_model,
        "response_model": offer.response_model,
        **tokens,
        "inference_region": offer.inference_region,
        "status": "ok",
        "gateway_cache_hit": False,
        "source": source,
        "ttft_ms": ttft_ms,
        "operation": "chat",
        "stream": True,
    }
