"""Live traffic for the demo: endless, shaped like production, and as odd as production.

Tenants differ in size and burst as the clients of a production day do; lengths are drawn from published traces by what
the team does (data/README.md has the sources). Pure: time passes in the events, not here; `send` paces them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.sandbox.traffic.assign import offers_of_seats, request_durations_us, rfc3339_column
from rice_stream.sandbox.traffic.catalogue import Directory, build_directory
from rice_stream.sandbox.traffic.draws import seeded_generator
from rice_stream.sandbox.traffic.events import chat_event
from rice_stream.sandbox.traffic.oddities import Oddities, with_oddities
from rice_stream.sandbox.traffic.shape import TrafficShape, client_shapes, draw_lengths, load_shape

WINDOW_S = 1
"""Requests are drawn for one second of arrivals at a time."""

BURST_WINDOWS = 10
"""A tenant keeps its rate for this many windows. In the source it is ten minutes; a demo lasts minutes, not a day."""

RATE_CV_MAX = 1.0
"""Small production clients are silent most of the day (variation up to 12): a demo would never show them."""

GAP_CV_MAX = 3.0
"""The largest client's. Higher values, of clients with a few bursts a day, would empty whole minutes."""

WARM_UP_S = 120
"""Arrivals are simulated from this long before the start, so that requests of nearly all lengths end from the start."""

_COLUMNS = 10
_NUMBER, _STARTED_US, _ENDED_US, _TTFT_US, _SEAT, _OFFER, _INPUT, _CACHED, _OUTPUT, _REASONING = range(_COLUMNS)


def live_traffic(
    *,
    seed: int,
    tenants: int,
    rate_per_s: float,
    now: datetime,
    duration_s: float | None = None,
    oddities: Oddities | None = None,
) -> Iterator[dict[str, Any]]:
    """Canonical events in the order in which their requests end, from `now` on; endless if `duration_s` is None.

    About `rate_per_s` events end per second, in bursts by tenant. All are valid and have their own `event_id` unless
    `oddities` mixes in what goes wrong in production. Equal arguments give equal events (for one numpy version).
    Raises UsageError if an argument cannot be used.
    """
    if not 0 < rate_per_s < float("inf"):
        raise UsageError(f"rate_per_s: {rate_per_s} is not a number above 0")
    if now.tzinfo is None:
        raise UsageError(f"now: {now.isoformat()} has no time zone")
    directory = build_directory(seed, tenants)
    now_us = epoch_us(now)
    windows = _Windows(directory, load_shape(), seed, rate_per_s, epoch_us(now - timedelta(seconds=WARM_UP_S)))
    end_us = None if duration_s is None else now_us + round(duration_s * 1e6)
    events = _events(windows, directory, f"live-{seed}-{now_us // 1000}-", now_us, end_us)
    return events if oddities is None else with_oddities(events, oddities, seed=seed)


def _events(
    windows: "_Windows", directory: Directory, id_prefix: str, now_us: int, end_us: int | None
) -> Iterator[dict[str, Any]]:
    """Every request that ends in [now_us, end_us), by end."""
    in_flight = np.empty((0, _COLUMNS), dtype=np.int64)
    for number in count():
        requests = np.concatenate([in_flight, windows.arrivals(number)])
        window_end_us = windows.start_us + (number + 1) * WINDOW_S * 1_000_000
        ended = requests[:, _ENDED_US] < window_end_us
        in_flight = requests[~ended]
        done = requests[ended & (requests[:, _ENDED_US] >= now_us)]
        if end_us is not None:
            done = done[done[:, _ENDED_US] < end_us]
        yield from _as_events(done[np.argsort(done[:, _ENDED_US], kind="stable")], directory, id_prefix)
        if end_us is not None and window_end_us >= end_us:
            return


@dataclass(slots=True)
class _TenantClock:
    """A renewal process in units of mean gaps: `next_arrival` is how far the next request is away."""

    gap_shape: float
    next_arrival: float


class _Windows:
    """Arrivals window by window: each tenant a Gamma renewal process at a rate that changes every BURST_WINDOWS."""

    def __init__(self, directory: Directory, shape: TrafficShape, seed: int, rate_per_s: float, start_us: int) -> None:
        self.start_us = start_us
        self._directory = directory
        self._shape = shape
        self._rate_per_s = rate_per_s
        self._random = seeded_generator(seed, stream="traffic")
        clients = client_shapes(shape, len(directory.tenant_ids))
        self._shares = np.array([client.share for client in clients])
        self._rate_shapes = np.array([min(client.rate_cv, RATE_CV_MAX) ** -2 for client in clients])
        self._clocks = [_TenantClock(min(client.gap_cv, GAP_CV_MAX) ** -2, self._random.random()) for client in clients]
        self._rates_per_s = self._shares * rate_per_s
        # Where each tenant's seats begin and end on the scale of all seats' shares.
        seat_ends = directory.seat_cumulative_share.reshape(len(clients), -1)[:, -1]
        self._seats_end = seat_ends
        self._seats_begin = np.concatenate([[0.0], seat_ends[:-1]])
        self._reasoning = np.array([offer.reasoning for offer in directory.offers])
        self._numbers = 0

    def arrivals(self, window: int) -> NDArray[np.int64]:
        """(n, _COLUMNS) requests that start in `window`, by start."""
        if window % BURST_WINDOWS == 0:
            levels = self._shares * self._random.gamma(self._rate_shapes) / self._rate_shapes
            # Tenants rise and fall; the sum stays, so that `rate_per_s` is what one gets.
            self._rates_per_s = levels / levels.sum() * self._rate_per_s
        offsets_s: list[NDArray[np.float64]] = []
        tenants: list[NDArray[np.intp]] = []
        for tenant, (clock, rate_per_s) in enumerate(zip(self._clocks, self._rates_per_s.tolist(), strict=True)):
            places = self._advance(clock, rate_per_s * WINDOW_S)
            if len(places):
                offsets_s.append(places / rate_per_s)
                tenants.append(np.full(len(places), tenant, dtype=np.intp))
        if not offsets_s:
            return np.empty((0, _COLUMNS), dtype=np.int64)
        offset_s = np.concatenate(offsets_s)
        order = np.argsort(offset_s, kind="stable")
        started_us = self.start_us + window * WINDOW_S * 1_000_000 + np.rint(offset_s[order] * 1e6).astype(np.int64)
        return self._requests(started_us, np.concatenate(tenants)[order])

    def _advance(self, clock: _TenantClock, mean_gaps: float) -> NDArray[np.float64]:
        """Places of the arrivals within the next `mean_gaps`, and the clock moved on by as much."""
        blocks: list[NDArray[np.float64]] = []
        while clock.next_arrival < mean_gaps:
            size = int(mean_gaps - clock.next_arrival) + 8
            gaps = self._random.gamma(clock.gap_shape, size=size) / clock.gap_shape
            places = clock.next_arrival + np.concatenate([[0.0], np.cumsum(gaps)])
            inside = int(np.searchsorted(places, mean_gaps))
            # Drawn gaps beyond the first arrival outside are dropped: gaps are independent of each other.
            blocks.append(places[: min(inside, size)])
            clock.next_arrival = float(places[min(inside, size)])
        clock.next_arrival -= mean_gaps
        return np.concatenate(blocks) if blocks else np.empty(0)

    def _requests(self, started_us: NDArray[np.int64], tenant: NDArray[np.intp]) -> NDArray[np.int64]:
        """(n, _COLUMNS) for n arrivals: who, with what, how long."""
        directory = self._directory
        uniforms = self._random.random((len(started_us), 7))
        begin, end = self._seats_begin[tenant], self._seats_end[tenant]
        seat = np.searchsorted(directory.seat_cumulative_share, begin + uniforms[:, 0] * (end - begin), side="right")
        # Rounding may reach the next tenant's first seat.
        seats_per_tenant = len(directory.seats) // len(directory.tenant_ids)
        seat = np.minimum(seat, (tenant + 1) * seats_per_tenant - 1)
        offer = offers_of_seats(directory, seat, uniforms[:, 1])
        lengths = draw_lengths(self._shape, directory.seat_workload[seat], self._reasoning[offer], uniforms[:, 2:6])
        ttft_us, duration_us = request_durations_us(
            directory.offer_speeds[offer],
            (lengths.input_tokens - np.maximum(lengths.cache_read_input_tokens, 0)).astype(np.float64),
            lengths.output_tokens.astype(np.float64),
            uniforms[:, 6],
        )
        number = self._numbers + 1 + np.arange(len(started_us))
        self._numbers += len(started_us)
        return np.column_stack(
            [
                number,
                started_us,
                started_us + duration_us,
                ttft_us,
                seat,
                offer,
                lengths.input_tokens,
                lengths.cache_read_input_tokens,
                lengths.output_tokens,
                lengths.reasoning_output_tokens,
            ]
        ).astype(np.int64)


def _as_events(requests: NDArray[np.int64], directory: Directory, id_prefix: str) -> Iterator[dict[str, Any]]:
    """Rows of (n, _COLUMNS) as canonical events, in their order."""
    started_at = rfc3339_column(requests[:, _STARTED_US])
    ended_at = rfc3339_column(requests[:, _ENDED_US])
    for start, end, row in zip(started_at, ended_at, requests.tolist(), strict=True):
        tokens = {
            "input_tokens": row[_INPUT],
            "cache_read_input_tokens": None if row[_CACHED] < 0 else row[_CACHED],
            "output_tokens": row[_OUTPUT],
            "reasoning_output_tokens": None if row[_REASONING] < 0 else row[_REASONING],
        }
        yield chat_event(
            f"{id_prefix}{row[_NUMBER]}",
            (start, end),
            directory.seats[row[_SEAT]],
            directory.offers[row[_OFFER]],
            tokens,
            source="/demo/gateway",
            ttft_ms=row[_TTFT_US] / 1000,
        )
