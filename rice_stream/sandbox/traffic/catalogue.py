"""Who sends the replayed traffic, and to which models and regions: fictional tenants, real model and region names.

No published trace names a tenant, a model or a region, so a replay assigns them. Everything here is a pure function of
the seed and the number of tenants. The names of models, providers and regions are those that the providers' own APIs
report (OpenTelemetry's provider values) and stand in data/models.csv; the speeds there are plausible round figures that
only shape `ended_at`, never an estimate.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.sandbox.traffic.draws import PCG64Draws

Geography = Literal["us", "eu", "apac"]
GEOGRAPHIES: tuple[Geography, ...] = ("us", "eu", "apac")

Workload = Literal["code", "conversation", "reasoning"]
WORKLOADS: tuple[Workload, ...] = ("code", "conversation", "reasoning")

TENANTS_MAX = 10_000

ZIPF_EXPONENT = 1.1
"""Rank-share exponent of tenants: the largest of 20 has about 30 % of the requests, as the largest client of ServeGen's
production day of DeepSeek-R1 has (Xiang et al., 2025)."""

OFFERS_PER_TENANT = 4


@dataclass(frozen=True, slots=True)
class Offer:
    """One model as one provider serves it in one region."""

    provider: str
    request_model: str
    response_model: str
    inference_region: str
    reasoning: bool
    ttft_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float


@dataclass(frozen=True, slots=True)
class Seat:
    """A user of a project of a team of a tenant."""

    tenant_id: str
    team_id: str
    project_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Directory:
    """All seats and the offers that each tenant uses.

    Per seat: `seat_cumulative_share` (ends at 1), `seat_tenant`, `seat_workload`, each (seats,); all tenants have the
    same number of seats, in tenant order. `tenant_offers` (tenants, workloads, OFFERS_PER_TENANT) indexes `offers`;
    `offer_cumulative_share` (OFFERS_PER_TENANT,) is the same for all tenants. `offer_speeds` (offers, 3) is ttft_s,
    prefill and decode tokens/s.
    """

    tenant_ids: tuple[str, ...]
    seats: tuple[Seat, ...]
    seat_cumulative_share: NDArray[np.float64]
    seat_tenant: NDArray[np.intp]
    seat_workload: NDArray[np.intp]
    offers: tuple[Offer, ...]
    offer_speeds: NDArray[np.float64]
    tenant_offers: NDArray[np.intp]
    offer_cumulative_share: NDArray[np.float64]


_TENANT_NAMES = (
    "acme", "aurora-bank", "northwind-retail", "helix-pharma", "meridian-air", "cobalt-games", "lumen-energy",
    "tundra-logistics", "verdant-foods", "quill-media", "orbit-telecom", "granite-insurance", "harbor-legal",
    "solstice-travel", "pioneer-motors", "willow-clinic", "summit-edu", "delta-robotics", "ember-studios", "civic-city",
)  # fmt: skip

_TEAMS: tuple[tuple[str, Workload, tuple[str, ...]], ...] = (
    ("engineering", "code", ("ide-assistant", "code-review")),
    ("support", "conversation", ("helpdesk-bot", "ticket-triage")),
    ("search", "conversation", ("ranker", "document-qa")),
    ("research", "reasoning", ("analyst", "evaluation")),
)

_USERS_PER_PROJECT = 3
_PROJECT_SHARES = (0.7, 0.3)


def build_directory(seed: int, tenants: int) -> Directory:
    """The tenants of a replay, largest first. Raises UsageError unless 1 <= tenants <= TENANTS_MAX and seed >= 0."""
    if not 1 <= tenants <= TENANTS_MAX:
        raise UsageError(f"tenants: {tenants} is not between 1 and {TENANTS_MAX}")
    tenant_ids = tuple(tenant_name(index) for index in range(tenants))
    seats, shares, seat_tenant, seat_workload = _seats(tenant_ids, zipf_shares(tenants))
    offers, by_workload = _offers()
    return Directory(
        tenant_ids=tenant_ids,
        seats=seats,
        seat_cumulative_share=cumulative(shares),
        seat_tenant=seat_tenant,
        seat_workload=seat_workload,
        offers=offers,
        offer_speeds=np.array([(o.ttft_s, o.prefill_tokens_per_s, o.decode_tokens_per_s) for o in offers]),
        tenant_offers=_tenant_offers(seed, tenants, by_workload),
        offer_cumulative_share=cumulative(zipf_shares(OFFERS_PER_TENANT)),
    )


def tenant_name(index: int) -> str:
    """The tenant of rank `index` (0 is the largest)."""
    return _TENANT_NAMES[index] if index < len(_TENANT_NAMES) else f"tenant-{index + 1:04d}"


def zipf_shares(count: int) -> NDArray[np.float64]:
    """Shares (count,) falling with rank as 1 / rank ** ZIPF_EXPONENT, summing to 1."""
    weights = 1.0 / np.arange(1, count + 1, dtype=np.float64) ** ZIPF_EXPONENT
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def cumulative(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running sum (count,) of shares, ending at exactly 1."""
    running = np.cumsum(shares)
    running[-1] = 1.0  # a draw just under 1 must still find a place
    return running


def _seats(
    tenant_ids: tuple[str, ...], tenant_shares: NDArray[np.float64]
) -> tuple[tuple[Seat, ...], NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Every seat with its share of all requests, tenant and workload: shares fall by rank of tenant, team and user."""
    seats: list[Seat] = []
    shares: list[float] = []
    places: list[tuple[int, int]] = []
    team_shares = zipf_shares(len(_TEAMS)).tolist()
    user_shares = zipf_shares(_USERS_PER_PROJECT).tolist()
    for tenant_index, tenant_id in enumerate(tenant_ids):
        for rank, team_share in enumerate(team_shares):
            # The largest team of one tenant is the smallest of another.
            team_id, workload, projects = _TEAMS[(rank + tenant_index) % len(_TEAMS)]
            team_total = float(tenant_shares[tenant_index]) * team_share
            for project_id, project_share in zip(projects, _PROJECT_SHARES, strict=True):
                for user, user_share in enumerate(user_shares, start=1):
                    seats.append(Seat(tenant_id, team_id, project_id, f"u-{project_id}-{user}"))
                    shares.append(team_total * project_share * user_share)
                    places.append((tenant_index, WORKLOADS.index(workload)))
    place_columns = np.array(places, dtype=np.intp)
    return tuple(seats), np.array(shares), place_columns[:, 0], place_columns[:, 1]


@cache
def _offers() -> tuple[tuple[Offer, ...], dict[tuple[int, int], list[int]]]:
    """All offers of data/models.csv, one per geography, and the indices of those fit for (workload, geography)."""
    offers: list[Offer] = []
    by_workload: dict[tuple[int, int], list[int]] = {}
    table = files("rice_stream.sandbox.traffic").joinpath("data/models.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        for geography_index, geography in enumerate(GEOGRAPHIES):
            for workload in row["workloads"].split():
                place = WORKLOADS.index(cast(Workload, workload)), geography_index
                by_workload.setdefault(place, []).append(len(offers))
            offers.append(_offer(row, geography))
    return tuple(offers), by_workload


def _offer(row: dict[str, str], geography: Geography) -> Offer:
    return Offer(
        provider=row["provider"],
        # Bedrock's geographic inference profiles carry the geography in the model id.
        request_model=row["request_model"].format(geography=geography),
        response_model=row["response_model"],
        inference_region=row[f"region_{geography}"],
        reasoning=row["reasoning"] == "true",
        ttft_s=float(row["ttft_s"]),
        prefill_tokens_per_s=float(row["prefill_tokens_per_s"]),
        decode_tokens_per_s=float(row["decode_tokens_per_s"]),
    )


def _tenant_offers(seed: int, tenants: int, by_workload: dict[tuple[int, int], list[int]]) -> NDArray[np.intp]:
    """(tenants, workloads, OFFERS_PER_TENANT): each tenant keeps to one geography and a few of its offers."""
    draws = PCG64Draws(seed, stream="directory").uniforms(tenants, 1 + len(WORKLOADS))
    # Half of the tenants sit in the US, a third in Europe, the rest in Asia-Pacific.
    geographies = np.searchsorted(np.array([0.5, 0.83, 1.0]), draws[:, 0], side="right")
    chosen = np.empty((tenants, len(WORKLOADS), OFFERS_PER_TENANT), dtype=np.intp)
    for tenant in range(tenants):
        for workload in range(len(WORKLOADS)):
            pool = by_workload[workload, int(geographies[tenant])]
            first = int(draws[tenant, 1 + workload] * len(pool))
            chosen[tenant, workload] = [pool[(first + place) % len(pool)] for place in range(OFFERS_PER_TENANT)]
    return chosen
