"""Requests of a trace -> canonical events: tenant, team, project, user, model, provider and region from a seed.

Pure: the same requests, seed, tenants, start and digest give the same events, to the last byte of their JSON. A row
does not depend on later rows, so a limited replay sends a prefix of the whole one.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.sandbox.traffic.catalogue import Directory, build_directory
from rice_stream.sandbox.traffic.draws import PCG64Draws
from rice_stream.sandbox.traffic.events import chat_event
from rice_stream.sandbox.traffic.traces import TraceRequest

CHUNK_ROWS = 4096
"""Rows drawn at once by numpy: large enough that its call overhead vanishes, small enough to start at once."""


def assign(
    requests: Iterable[TraceRequest],
    *,
    seed: int,
    tenants: int,
    start: datetime,
    trace_digest: str,
    source: str = "/replay",
) -> Iterator[dict[str, Any]]:
    """Canonical events for `requests`, in their order; the first arrives at `start` (offset 0).

    `event_id` is `trace_digest-sSEED-nTENANTS-ROW` (rows from 1): sending the same trace again with the same seed,
    tenants and start is the same set of events. `ended_at` follows from the tokens and a plausible speed of the model
    that was assigned. Raises UsageError if `seed`, `tenants` or `start` cannot be used.
    """
    if start.tzinfo is None:
        raise UsageError(f"start: {start.isoformat()} has no time zone; say which, for example {start.isoformat()}Z")
    directory = build_directory(seed, tenants)
    return _assigned(iter(requests), directory, seed, epoch_us(start), f"{trace_digest}-s{seed}-n{tenants}-", source)


def _assigned(
    requests: Iterator[TraceRequest], directory: Directory, seed: int, start_us: int, id_prefix: str, source: str
) -> Iterator[dict[str, Any]]:
    draws = PCG64Draws(seed, stream="assign")
    row = 0
    while chunk := list(islice(requests, CHUNK_ROWS)):
        uniforms = draws.uniforms(len(chunk), 3)
        seat_index, offer_index = choose_seats_and_offers(directory, uniforms[:, 0], uniforms[:, 1])
        offset_us = np.array([round(request.offset_s * 1e6) for request in chunk], dtype=np.int64)
        ttft_us, duration_us = request_durations_us(
            directory.offer_speeds[offer_index],
            np.array(
                [request.input_tokens - (request.cache_read_input_tokens or 0) for request in chunk], dtype=np.float64
            ),
            np.array([request.output_tokens for request in chunk], dtype=np.float64),
            uniforms[:, 2],
        )
        started_us = start_us + offset_us
        columns = zip(
            chunk,
            rfc3339_column(started_us),
            rfc3339_column(started_us + duration_us),
            (ttft_us / 1000).tolist(),
            seat_index.tolist(),
            offer_index.tolist(),
            strict=True,
        )
        for request, started_at, ended_at, ttft_ms, seat_number, offer_number in columns:
            row += 1
            tokens = {
                "input_tokens": request.input_tokens,
                "cache_read_input_tokens": request.cache_read_input_tokens,
                "output_tokens": request.output_tokens,
            }
            yield chat_event(
                f"{id_prefix}{row}",
                (started_at, ended_at),
                directory.seats[seat_number],
                directory.offers[offer_number],
                tokens,
                source=source,
                ttft_ms=ttft_ms,
            )


def choose_seats_and_offers(
    directory: Directory, seat_uniform: NDArray[np.float64], offer_uniform: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,) uniforms in [0, 1) each -> (n,) indices into `directory.seats` and `directory.offers`."""
    seat_index = np.searchsorted(directory.seat_cumulative_share, seat_uniform, side="right")
    return seat_index, offers_of_seats(directory, seat_index, offer_uniform)


def offers_of_seats(
    directory: Directory, seat_index: NDArray[np.intp], offer_uniform: NDArray[np.float64]
) -> NDArray[np.intp]:
    """(n,) seats and uniforms -> (n,) indices into `directory.offers`: what the tenant prefers for the team's work."""
    place = np.searchsorted(directory.offer_cumulative_share, offer_uniform, side="right")
    return np.asarray(
        directory.tenant_offers[directory.seat_tenant[seat_index], directory.seat_workload[seat_index], place]
    )


def request_durations_us(
    speeds: NDArray[np.float64],
    fresh_input_tokens: NDArray[np.float64],
    output_tokens: NDArray[np.float64],
    jitter_uniform: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(time to first token, whole duration), both (n,) in microseconds and the first never above the second.

    `speeds` (n, 3) is ttft_s, prefill and decode tokens/s; a request runs at 0.7 to 1.3 times these times.
    """
    slowness = 0.7 + 0.6 * jitter_uniform
    ttft_s = (speeds[:, 0] + fresh_input_tokens / speeds[:, 1]) * slowness
    decode_s = output_tokens / speeds[:, 2] * slowness
    ttft_us = np.rint(ttft_s * 1e6).astype(np.int64)
    return ttft_us, ttft_us + np.rint(decode_s * 1e6).astype(np.int64)


def rfc3339_column(time_us: NDArray[np.int64]) -> list[str]:
    """(n,) microseconds since the epoch -> n texts such as 2026-11-22T19:00:00.120000Z."""
    texts: list[str] = np.datetime_as_string(time_us.astype("datetime64[us]"), unit="us", timezone="UTC").tolist()
    return texts
