"""The demo's traffic: shaped like production, repeatable, and odd in known ways only."""

from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
import pytest

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.sandbox.traffic.oddities import RETRY_AFTER_EVENTS_MAX, Oddities, with_oddities
from rice_stream.sandbox.traffic.shape import client_shapes, draw_lengths, load_shape
from rice_stream.sandbox.traffic.times import parsed_us
from rice_stream.sandbox.traffic.traffic import live_traffic

NOW = datetime(2026, 11, 22, 19, tzinfo=UTC)
NONE = Oddities(0, 0, 0, 0, 0, 0, 0)


def traffic(count: int, **arguments: Any) -> list[dict[str, Any]]:
    defaults: dict[str, Any] = {"seed": 1, "tenants": 12, "rate_per_s": 400, "now": NOW}
    return list(islice(live_traffic(**(defaults | arguments)), count))


@pytest.fixture(scope="module")
def plain() -> list[dict[str, Any]]:
    return traffic(300)


def test_equal_arguments_give_equal_events() -> None:
    """Also with oddities: seed, tenants, rate and start decide everything."""
    assert traffic(1500, oddities=Oddities()) == traffic(1500, oddities=Oddities())
    assert traffic(100) != traffic(100, seed=2)


def test_another_run_does_not_repeat_event_ids() -> None:
    """The demo started again a minute later is new traffic, not duplicates."""
    first = {event["event_id"] for event in traffic(1000)}
    later = {event["event_id"] for event in traffic(1000, now=datetime(2026, 11, 22, 19, 1, tzinfo=UTC))}
    assert not first & later


def test_events_come_in_the_order_in_which_requests_end() -> None:
    """From `now` on, never before, so that `send` at real rate puts each on the topic when it ends."""
    ends = [parsed_us(event["ended_at"]) or 0 for event in traffic(4000)]
    assert ends == sorted(ends)
    assert ends[0] >= epoch_us(NOW)


def test_the_rate_is_reached_from_the_first_second() -> None:
    """About 400 a second, every second, from the first (requests were in flight before `now`); 8,000 within 10 %."""
    events = traffic(100_000, duration_s=20)
    assert len(events) == pytest.approx(8000, rel=0.1)
    per_second = Counter((parsed_us(event["ended_at"]) or 0) // 1_000_000 for event in events)
    assert len(per_second) == 20
    assert min(per_second.values()) > 200


def test_tenants_are_unequal_and_all_present() -> None:
    """As in the production data: the largest client has about four times the median's share."""
    counts = Counter(event["tenant_id"] for event in traffic(8000))
    assert len(counts) == 12
    assert counts["acme"] == max(counts.values())
    assert counts["acme"] > 3 * np.median(list(counts.values()))


def test_lengths_keep_the_sources_medians_and_maxima() -> None:
    """Half-way lies the published median; nothing is longer than the longest published request."""
    shape = load_shape()
    half = np.full((1, 4), 0.5)
    no = np.array([False])
    code = draw_lengths(shape, np.array([0]), no, half)
    conversation = draw_lengths(shape, np.array([1]), no, half)
    assert (code.input_tokens[0], conversation.input_tokens[0]) == (1469, 6909)
    assert (code.cache_read_input_tokens[0], code.reasoning_output_tokens[0]) == (-1, -1)
    last = np.full((1, 4), np.nextafter(1.0, 0.0))
    longest = draw_lengths(shape, np.array([1]), no, last)
    assert longest.input_tokens[0] == 126_195
    assert longest.output_tokens[0] <= 2000


def test_only_reasoning_models_spend_reasoning_tokens() -> None:
    """They report a count, part of the output; the others report none."""
    for event in traffic(3000):
        reasons = event["request_model"] in {"gpt-5", "gpt-5-mini", "gemini-2.5-pro", "DeepSeek-R1"}
        assert (event["reasoning_output_tokens"] is not None) == reasons


def test_client_shapes_for_any_number_of_tenants() -> None:
    """Shares sum to 1 and fall; more tenants than known clients repeat the known ones."""
    shape = load_shape()
    for tenants in (1, 20, 200):
        clients = client_shapes(shape, tenants)
        assert len(clients) == tenants
        assert sum(client.share for client in clients) == pytest.approx(1)
        assert [client.share for client in clients] == sorted((client.share for client in clients), reverse=True)


def test_no_oddities_is_plain_traffic() -> None:
    """All shares 0: the events pass unchanged; and traffic without the option is that traffic."""
    assert traffic(2000, oddities=NONE) == traffic(2000)


@pytest.mark.parametrize(
    ("oddities", "found"),
    [
        (Oddities(0, 1, 0, 0, 0, 0, 0), lambda e: e["gateway_cache_hit"] is True and e["output_tokens"] is not None),
        (Oddities(0, 0, 1, 0, 0, 0, 0), lambda e: e["status"] == "error" and e["output_tokens"] is not None),
        (Oddities(0, 0, 0, 1, 0, 0, 0), lambda e: e["status"] == "error" and e["output_tokens"] is None),
        (Oddities(0, 0, 0, 0, 1, 0, 0), lambda e: "finetune" in e["request_model"] and e["response_model"] is None),
        (Oddities(0, 0, 0, 0, 0, 1, 0), lambda e: e["inference_region"] in (None, "private:berlin-basement")),
        (
            Oddities(0, 0, 0, 0, 0, 0, 1),
            lambda e: (
                e["input_tokens"] == -1
                or e["output_tokens"] == "many"
                or e["cache_read_input_tokens"] == e["input_tokens"] + 1
                or e["ended_at"] == "yesterday"
                or e["event_id"] is None
            ),
        ),
    ],
    ids=["cache hit", "error with tokens", "error without", "unknown model", "unknown region", "malformed"],
)
def test_each_oddity_is_what_it_says(plain: list[dict[str, Any]], oddities: Oddities, found: Any) -> None:
    """At share 1 every event has it, and none of them is left out or added."""
    odd = list(with_oddities(iter(plain), oddities, seed=1))
    assert len(odd) == len(plain)
    assert all(found(event) for event in odd)
    assert not any(found(event) for event in plain)


def test_duplicates_repeat_an_earlier_event_exactly(plain: list[dict[str, Any]]) -> None:
    """At share 1 each event comes twice, byte for byte, the second time at most 40 new events later."""
    doubled = list(with_oddities(iter(plain), Oddities(1, 0, 0, 0, 0, 0, 0), seed=1))
    assert len(doubled) == 2 * len(plain)
    firsts: dict[str, int] = {}
    for place, event in enumerate(doubled):
        if event["event_id"] in firsts:
            assert event == doubled[firsts[event["event_id"]]]
            new_between = sum(firsts[event["event_id"]] < first for first in firsts.values())
            assert new_between <= RETRY_AFTER_EVENTS_MAX
        firsts.setdefault(event["event_id"], place)
    assert list(firsts) == [event["event_id"] for event in plain]


def test_the_default_oddities_come_at_their_rates() -> None:
    """About 1.2 % duplicates, and 2.7 % failed or answered from a cache: enough to be seen, far from a flood."""
    events = traffic(10_000, rate_per_s=1000, oddities=Oddities())
    ids = Counter(event["event_id"] for event in events if event["event_id"] is not None)
    assert sum(count - 1 for count in ids.values()) / 10_000 == pytest.approx(0.012, abs=0.005)
    odd = sum(event["status"] == "error" or event["gateway_cache_hit"] for event in events)
    assert odd / 10_000 == pytest.approx(0.027, abs=0.008)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rate_per_s": 0}, "rate_per_s: 0"),
        ({"rate_per_s": float("nan")}, "rate_per_s: nan"),
        ({"tenants": 0}, "tenants: 0"),
        ({"now": datetime(2026, 1, 1)}, "now: .* no time zone"),  # noqa: DTZ001
    ],
)
def test_arguments_that_cannot_be_used_are_named(arguments: dict[str, Any], expected: str) -> None:
    """Refused before the first event, with the name of the argument."""
    with pytest.raises(UsageError, match=expected):
        traffic(1, **arguments)


def test_oddities_are_shares() -> None:
    """Negative shares, or more than all events together, are refused."""
    with pytest.raises(UsageError, match="oddities"):
        Oddities(duplicate=-0.1)
    with pytest.raises(UsageError, match="oddities"):
        Oddities(duplicate=0.6, malformed=0.5)
