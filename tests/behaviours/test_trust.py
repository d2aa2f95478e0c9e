"""What senders say of factors: believed by door and source, never at the price of the event, never a row of totals each."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from rice_stream.events.records import RawRecord
from rice_stream.events.stated_factors import PLAUSIBLE_LIMITS
from rice_stream.events.trust import MARK, parse_trust
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.pipeline.quarantine_replay import replay
from rice_stream.pipeline.taken_factors import KINDS_MAX
from rice_stream.proof.verification import verify
from rice_stream.reports.coverage import coverage
from rice_stream.store.batch import CommitResult
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.quarantine import Choice
from rice_stream.store.scope import EVERYTHING
from tests.support.fakes import NOON_US, OPERATOR, TOKEN_DEFAULTS, FakeMethod, chunk_of, fake_reference
from tests.support.reports_store import NOON, Store, at

FREE = {"rci_gco2e_per_kwh": 1, "pue": 1, "batch_size": 64, "hardware": "L4"}
"""What a sender would state who wants to pay little."""


def believing(store: Store, *trust: str, policy: FactorPolicy | None = None) -> Store:
    """The store with a pipeline that has this setting."""
    store.pipeline = Pipeline(
        dimensions=Dimensions(store.engine),
        writer=store.writer,
        estimator=Estimator(fake_reference(), policy or FactorPolicy(), FakeMethod()),
        defaults=TOKEN_DEFAULTS,
        trust=parse_trust(trust),
    )
    return store


def over_http(store: Store, *payloads: object) -> CommitResult:
    """Process the payloads as records that `serve` has published."""
    chunk = chunk_of(payloads, offset=store.offset)
    store.offset += len(payloads)
    marked = [record._replace(headers=MARK) for record in chunk.records]
    return store.pipeline.process([replace(chunk, records=marked)], NOON_US)


def outcomes(store: Store) -> dict[str, tuple[int, list[str]]]:
    """(carbon in micrograms, basis) of every record, by event id."""
    found = store.rows("SELECT event_id, carbon_mid_ugco2e, basis FROM prompt_emission ORDER BY event_id")
    return {row["event_id"]: (row["carbon_mid_ugco2e"], [*filter(None, row["basis"].split(","))]) for row in found}


def noon(event_id: str, **changes: Any) -> dict[str, Any]:
    return at("2026-11-22T11:00:00Z", **{"event_id": event_id, **changes})


PLAIN_UG = 20 * 125_000


class TestTrust:
    """On every database."""

    def test_a_cache_hit_is_free_on_the_topic_and_costs_over_http(self, store: Store) -> None:
        """The gateway's own records are the operator's; a token's holder cannot wave prompts through."""
        store.add(noon("kafka", gateway_cache_hit=True))
        over_http(store, noon("http", gateway_cache_hit=True))
        assert outcomes(store) == {
            "kafka": (0, ["gateway_cache_hit"]),
            "http": (PLAIN_UG, ["cache_hit_not_trusted"]),
        }
        assert verify(store.engine)["ok"]

    def test_stated_factors_count_from_the_topic_only(self, store: Store) -> None:
        """Over HTTP the operator's settings stand, whatever the event says and whatever source it claims."""
        believing(store, "topic:events", "source:gw", policy=FactorPolicy(rci_gco2e_per_kwh=800.0))
        store.add(noon("kafka", **FREE))
        over_http(store, noon("http", **FREE, source="gw"))
        assert outcomes(store) == {
            "kafka": (20 * 250, []),
            "http": (2 * PLAIN_UG, ["event_factors_not_trusted"]),
        }

    @pytest.mark.parametrize("trust", ["operator", "all", "none"])
    def test_an_impossible_factor_never_costs_the_event(self, store: Store, trust: str) -> None:
        """Zero, negative, absurd: recorded with the operator's value, by every setting and door."""
        believing(store, trust)
        impossible = [
            noon(f"{name}-{value}", **{name: value})
            for name in PLAUSIBLE_LIMITS
            for value in (0, -1, 1e18, 1e-18, 100_000)
        ]
        result = store.add(*impossible)
        assert (result.recorded, result.quarantined) == (len(impossible), 0)
        word = "event_factors_not_trusted" if trust == "none" else "event_factor_implausible"
        assert set(map(str, outcomes(store).values())) == {str((PLAIN_UG, [word]))}
        assert over_http(store, *impossible).duplicates == len(impossible)

    def test_a_resend_after_the_setting_changed_is_a_duplicate(self, store: Store) -> None:
        """Identity and comparison know nothing of trust: through any door, in one batch or in the next."""
        events = [noon("a", **FREE, gateway_cache_hit=True), noon("b", **FREE), noon("c", gateway_cache_hit=True)]
        assert believing(store, "operator").add(*events).recorded == 3
        for trust in ("none", "all", "source:x"):
            believing(store, trust)
            again = [store.add(*events), over_http(store, *events), store.add(*events, *events)]
            assert [(r.recorded, r.conflicts) for r in again] == [(0, 0)] * 3
        before = outcomes(store)
        assert believing(store, "none").add(*events, *events).conflicts == 0
        assert outcomes(store) == before

    def test_the_mark_survives_the_quarantine(self, store: Store) -> None:
        """A replayed event is believed as little as it was at first, also when its record is gone from Kafka."""
        store.add(noon("kafka", **FREE, input_tokens=-1), noon("hit", gateway_cache_hit=True, input_tokens=-1))
        over_http(
            store,
            noon("http", **FREE, input_tokens=-1),
            noon("http-hit", gateway_cache_hit=True, input_tokens=-1),
            [noon("many", **FREE), *(noon(f"many-{n}", **FREE, input_tokens=-1) for n in range(3))],
        )
        answer = self._replayed(store, input_tokens=10)
        assert (answer["recorded"], answer["held"]) == (7, 0)
        found = outcomes(store)
        assert (found["kafka"], found["hit"]) == ((20 * 250, []), (0, ["gateway_cache_hit"]))
        assert found["http-hit"] == (PLAIN_UG, ["cache_hit_not_trusted"])
        for name in ("http", "many", "many-0", "many-2"):
            assert found[name] == (PLAIN_UG, ["event_factors_not_trusted"])

    def test_a_replay_has_the_word_of_its_own_topic(self, store: Store) -> None:
        """A list of topics holds for what is taken up again, too."""
        believing(store, "topic:events").add(noon("listed", **FREE, input_tokens=-1))
        record = RawRecord("other", 0, 0, chunk_of([noon("unlisted", **FREE, input_tokens=-1)]).records[0].value)
        store.pipeline.process([Chunk("other", 0, [record])], NOON_US)
        self._replayed(store, input_tokens=10)
        assert outcomes(store) == {"listed": (20 * 250, []), "unlisted": (PLAIN_UG, ["event_factors_not_trusted"])}

    @staticmethod
    def _replayed(store: Store, **patches: Any) -> dict[str, Any]:
        def gone(_topic: str, _partition: int, _offset: int) -> None:
            """Kafka has deleted everything."""

        return replay(store.engine, store.pipeline, Choice(), patches=patches, fetch=gone, now_us=NOON_US, by=OPERATOR)

    def test_measured_factors_make_a_bounded_number_of_rows(self, store: Store) -> None:
        """6,000 requests with a batch size, an intensity and a PUE of their own: no row of factors and totals each."""
        random = Random(19)

        def measured(n: int) -> dict[str, Any]:
            site = {"pue": round(random.uniform(1.05, 1.6), 4), "rci_gco2e_per_kwh": round(random.uniform(200, 420), 4)}
            return noon(f"m{n}", batch_size=round(random.uniform(1, 64), 4), **site)

        result = store.add(*(measured(n) for n in range(6_000)))
        assert result.recorded == 6_000
        for table in ("factor_use", "slot_total", "day_total"):
            assert self._count(store, table) < 2.5 * KINDS_MAX, table
        assert {word for _, words in outcomes(store).values() for word in words} == {"event_factors_coarse"}
        assert verify(store.engine)["ok"]

    def test_one_measured_factor_makes_few_rows(self, store: Store) -> None:
        """Batch sizes between 1 and 64, to four decimals: none is left out, and there are 145 of them."""
        random = Random(20)
        store.add(*(noon(f"m{n}", batch_size=round(random.uniform(1, 64), 4)) for n in range(6_000)))
        assert self._count(store, "factor_use") <= 145
        assert not any(words for _, words in outcomes(store).values())

    @staticmethod
    def _count(store: Store, table: str) -> int:
        [row] = store.rows(f"SELECT COUNT(*) AS n FROM {table}")
        return int(row["n"])


class TestCoverage:
    """What rests on senders' word, by source."""

    def test_it_names_the_sources_with_what_rests_on_them(self, store: Store) -> None:
        """Carbon by stated factors, prompts and tokens by claimed cache hits; what was not believed is in neither."""
        stated = {"rci_gco2e_per_kwh": 800, "pue": 1.25}
        store.add(
            noon("1", source="gw", **stated),
            noon("2", source="gw", batch_size=4),
            noon("3", source="other", hardware="H100"),
            noon("4"),
            noon("5", source="gw", gateway_cache_hit=True),
            noon("6", source="gw", gateway_cache_hit=True, **stated),
            noon("7", gateway_cache_hit=True, tenant_id="globex"),
        )
        over_http(store, noon("8", source="gw", **stated), noon("9", source="gw", gateway_cache_hit=True))
        answer = coverage(store.engine, EVERYTHING, now=NOON)
        plain, carbon = PLAIN_UG / 1e6, answer["carbon_gco2e"]
        assert carbon == plain * 7
        assert answer["event_factors"] == {
            "rows": [self._stated("gw", 2, 3 * plain, carbon), self._stated("other", 1, plain, carbon)],
            "rows_total": 2,
            "prompts": 3,
            "tokens": 45,
            "carbon_gco2e": 4 * plain,
            "share_of_carbon": pytest.approx(4 / 7),
        }
        assert answer["cache_hits"] == {
            "rows": [
                {"source": "gw", "prompts": 2, "tokens": 30, "share_of_prompts": pytest.approx(2 / 9)},
                {"source": None, "prompts": 1, "tokens": 15, "share_of_prompts": pytest.approx(1 / 9)},
            ],
            "rows_total": 2,
            "prompts": 3,
            "tokens": 45,
            "share_of_prompts": pytest.approx(3 / 9),
        }
        limited = coverage(store.engine, EVERYTHING, now=NOON, limit=1)
        assert [len(limited[part]["rows"]) for part in ("event_factors", "cache_hits")] == [1, 1]
        assert limited["cache_hits"]["prompts"] == 3

    @staticmethod
    def _stated(source: str, prompts: int, carbon: float, of: float) -> dict[str, Any]:
        share = pytest.approx(carbon / of)
        counts = {"prompts": prompts, "tokens": 15 * prompts}
        return {"source": source, **counts, "carbon_gco2e": carbon, "share_of_carbon": share}

    @pytest.mark.parametrize("events", [[], [noon("1")]])
    def test_nothing_claimed_is_nothing_listed(self, store: Store, events: Sequence[dict[str, Any]]) -> None:
        """Shares of nothing are unknown, not zero."""
        if events:
            store.add(*events)
        answer = coverage(store.engine, EVERYTHING, now=NOON)
        assert answer["event_factors"]["rows"] == answer["cache_hits"]["rows"] == []
        assert answer["event_factors"]["share_of_carbon"] == (0 if events else None)
