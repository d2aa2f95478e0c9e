"""Assignment of tenants, models and regions: the same from the same seed, skewed as production is."""

import hashlib
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest

from rice_stream.errors import UsageError
from rice_stream.sandbox.traffic.assign import assign, request_durations_us
from rice_stream.sandbox.traffic.catalogue import WORKLOADS, build_directory, tenant_name, zipf_shares
from rice_stream.sandbox.traffic.traces import TraceRequest

START = datetime(2026, 11, 22, 19, tzinfo=UTC)
REQUESTS = [TraceRequest(number * 0.25, 100 + number, number % 50, number % 64 or None) for number in range(5000)]


def assigned(count: int = len(REQUESTS), *, seed: int = 7, tenants: int = 20) -> list[dict[str, Any]]:
    return list(assign(REQUESTS[:count], seed=seed, tenants=tenants, start=START, trace_digest="d1"))


def test_equal_seeds_give_equal_bytes() -> None:
    """The same on every machine and numpy version: the bytes of 5,000 events are pinned by their SHA-256."""
    text = b"\n".join(map(msgspec.json.encode, assigned()))
    assert text == b"\n".join(map(msgspec.json.encode, assigned()))
    assert hashlib.sha256(text).hexdigest() == "d922c8b54292ca6c0c31042f265c44d5ab65787fe9be28bf873d8e710de9b97b"


def test_another_seed_is_another_assignment_with_other_ids() -> None:
    """Seeds do not share events: nothing of one counts as a duplicate of the other."""
    one, other = assigned(seed=7), assigned(seed=8)
    assert not {event["event_id"] for event in one} & {event["event_id"] for event in other}
    assert (
        sum(a["user_id"] == b["user_id"] and a["tenant_id"] == b["tenant_id"] for a, b in zip(one, other, strict=True))
        < 2500
    )


def test_a_limited_replay_is_a_prefix_of_the_whole() -> None:
    """A row's event does not depend on later rows, also across the chunk size of 4,096."""
    assert assigned(4100) == assigned()[:4100]
    assert list(islice(assign(iter(REQUESTS), seed=7, tenants=20, start=START, trace_digest="d1"), 3)) == assigned(3)


def test_tokens_and_times_are_the_traces() -> None:
    """Counts pass through unchanged, null stays null, and arrival i is at start + offset i, to the microsecond."""
    events = assigned()
    for request, event in zip(REQUESTS, events, strict=True):
        assert event["input_tokens"] == request.input_tokens
        assert event["output_tokens"] == request.output_tokens
        assert event["cache_read_input_tokens"] == request.cache_read_input_tokens
    assert events[0]["started_at"] == "2026-11-22T19:00:00.000000Z"
    assert events[241]["started_at"] == "2026-11-22T19:01:00.250000Z"
    assert [events[0]["event_id"], events[4999]["event_id"]] == ["d1-s7-n20-1", "d1-s7-n20-5000"]


def test_tenants_are_skewed_by_rank() -> None:
    """Zipf: shares fall as rank^-1.1. Of three: 1, 0.46652 and 0.29865 of 1.76517."""
    assert zipf_shares(3).tolist() == pytest.approx([0.56652, 0.26429, 0.16919], abs=1e-5)
    shares = zipf_shares(20)
    counts = Counter(event["tenant_id"] for event in assigned())
    assert len(counts) == 20
    assert counts["acme"] / 5000 == pytest.approx(shares[0], abs=0.03)
    assert counts["aurora-bank"] / 5000 == pytest.approx(shares[1], abs=0.03)


def test_the_mix_spans_providers_models_and_clouds() -> None:
    """A replay exercises several providers, model families and clouds, and every event names a region."""
    events = assigned()
    assert len({event["provider"] for event in events}) >= 6
    assert len({event["response_model"] for event in events}) >= 10
    assert {event["inference_region"].split(":")[0] for event in events} >= {"aws", "azure", "gcp"}


def test_every_tenant_keeps_to_few_offers_in_one_geography() -> None:
    """As a company does: at most four models per kind of work, none of them twice."""
    directory = build_directory(3, 50)
    assert directory.tenant_offers.shape == (50, len(WORKLOADS), 4)
    for tenant in range(50):
        for workload in range(len(WORKLOADS)):
            assert len(set(directory.tenant_offers[tenant, workload].tolist())) == 4


def test_tenant_names_are_distinct() -> None:
    """Up to the largest number of tenants no two share a name, and the named ones come first."""
    assert len({tenant_name(index) for index in range(10_000)}) == 10_000
    assert tenant_name(0) == "acme"


def test_durations_by_hand() -> None:
    """0.5 s + 2000 / 1000 per s = 2.5 s to the first token, 100 / 50 per s = 2 s more; from 0.7 to 1.3 times that."""
    speeds = np.array([[0.5, 1000.0, 50.0]] * 3)
    jitter = np.array([0.5, 0.0, 1.0])
    ttft_us, duration_us = request_durations_us(speeds, np.full(3, 2000.0), np.full(3, 100.0), jitter)
    assert ttft_us.tolist() == [2_500_000, 1_750_000, 3_250_000]
    assert duration_us.tolist() == [4_500_000, 3_150_000, 5_850_000]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"tenants": 0}, "tenants: 0"),
        ({"tenants": 10_001}, "tenants: 10001"),
        ({"seed": -1}, "seed: -1"),
        ({"start": datetime(2026, 1, 1)}, "start: .* no time zone"),  # noqa: DTZ001
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments: dict[str, Any], expected: str) -> None:
    """Refused before the first event, with the name of the argument."""
    usable: dict[str, Any] = {"seed": 1, "tenants": 5, "start": START, "trace_digest": "d"}
    with pytest.raises(UsageError, match=expected):
        assign(REQUESTS, **(usable | arguments))
