"""Which factor sets a record rests on: those that had begun when the event ended, whichever worker read it, and when."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from rice_stream.estimator.registry import load_method
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.ledger.factor_sets import add_factors
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.proof.verification import verify
from rice_stream.reference.loader import load_reference
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reference.sets.history import EffectiveSet, ReferenceHistory
from rice_stream.reference.sets.parsing import ParsedFile
from rice_stream.reports.explanation import explain
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.identity_rules import RulesChangedError, StoredRules
from rice_stream.store.mapping_store import LEAD_US, REFRESH_US
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.writers import open_writer
from tests.support.cases import drawn, size
from tests.support.factor_files import BRITAIN, SWEDEN, rci_row, set_of
from tests.support.fakes import IT_WH_PER_TOKEN, OPERATOR, TOKEN_DEFAULTS, FakeMethod, chunk_of, event
from tests.support.store_checks import assert_exact, rows_in
from tests.support.store_running import counts

TABLES = load_reference()
PAPER = load_method("rice-paper")
HOUR_US = 3_600_000_000
BUILT_IN_RCI = TABLES.resolve_region(
    SWEDEN, None, "lifecycle", epoch_us(datetime(2026, 11, 29, tzinfo=UTC))
).rci_gco2e_per_kwh.mid


def now_us() -> int:
    """This machine's clock; every database of the tests has the same."""
    return epoch_us(datetime.now(UTC))


def add(engine: Engine, factor_set: FactorSet, start_us: int | None = None) -> int:
    """Add a set; returns from when on it holds."""
    text = None if start_us is None else rfc3339(start_us)
    return add_factors(
        engine, ParsedFile(factor_set, text), TABLES, scope="lifecycle", by=OPERATOR
    ).stored.effective_from_us


def worker(engine: Engine, method: Any = None) -> Pipeline:
    """A worker that begins now, on the real tables, with a PUE of 1.25."""
    return Pipeline(
        dimensions=Dimensions(engine),
        writer=open_writer(engine),
        estimator=Estimator(TABLES, FactorPolicy(pue=1.25), method or FakeMethod()),
        defaults=TOKEN_DEFAULTS,
        rules=StoredRules(engine, FormatOptions()),
    )


def ended(name: str, at_us: int, region: str = SWEDEN) -> dict[str, Any]:
    """An event of 20 weighted tokens."""
    return event(event_id=name, ended_at=rfc3339(at_us), started_at=..., inference_region=region)


def stored(engine: Engine) -> dict[str, tuple[float, str, int]]:
    """Event id -> carbon intensity, version and micrograms of its record."""
    uses = {row["factor_key"]: row for row in rows_in(engine)("factor_use")}
    return {
        row["event_id"]: (
            uses[row["factor_key"]]["rci_mid_gco2e_per_kwh"],
            uses[row["factor_key"]]["factor_version"],
            row["carbon_mid_ugco2e"],
        )
        for row in rows_in(engine)("prompt_record")
    }


class TestFactorSetsInForce:
    """On every database."""

    def test_events_from_the_instant_on_are_estimated_with_the_set(self, engine: Engine) -> None:
        """To the microsecond, in one batch. By hand: 20 tokens x Wh a token x parameters x 1.25 x g/kWh / 1000, in micrograms."""
        made = set_of(rci_row())
        begins_us = add(engine, made)
        worker(engine).process([chunk_of([ended("before", begins_us - 1), ended("at", begins_us)])], now_us())
        found = stored(engine)
        size_b = TABLES.resolve_model(None, "small", None, begins_us).params_active_b.mid
        wh = 20 * IT_WH_PER_TOKEN * size_b * 1.25
        assert found["before"][:2] == (BUILT_IN_RCI, TABLES.version)
        assert found["at"][:2] == (12.5, f"{TABLES.version}+{made.digest[:12]}")
        by_hand = [wh * rci / 1000 * 1e6 for rci in (BUILT_IN_RCI, 12.5)]
        assert [found[name][2] for name in ("before", "at")] == pytest.approx(by_hand, abs=1)
        assert verify(engine)["ok"]

    def test_what_is_recorded_stays_and_counts_once_when_it_is_read_again(self, engine: Engine) -> None:
        """By a worker that ran, by one that starts: the log is read from its beginning after a set was added."""
        running, started_us = worker(engine), now_us()
        history = [ended(f"h{k}", started_us - k * HOUR_US) for k in range(3)]
        running.process([chunk_of(history)], started_us)
        before, totals = stored(engine), rows_in(engine)("tenant_day_total")
        begins_us = add(engine, set_of(rci_row()))
        assert begins_us > started_us
        for one in (running, worker(engine)):
            assert counts(one.process([chunk_of(history)], started_us + REFRESH_US)) == (0, 3, 0, 0)
        assert (stored(engine), rows_in(engine)("tenant_day_total")) == (before, totals)
        late = ended("late", started_us - 4 * HOUR_US)
        worker(engine).process([chunk_of([*history, late, ended("new", begins_us)])], now_us())
        found = stored(engine)
        assert (found["late"][0], found["new"][0]) == (BUILT_IN_RCI, 12.5)
        assert found.items() >= before.items()
        assert_exact(rows_in(engine))

    def test_a_batch_that_was_prepared_before_is_not_stored_for_what_the_set_holds(self, engine: Engine) -> None:
        """A worker that hung, or events from the future; prepared again it is right. What ended before is not touched."""
        stale = worker(engine)
        future_us = now_us() + 2 * LEAD_US
        early = stale.prepare([chunk_of([ended("early", now_us())])], now_us())
        future = stale.prepare([chunk_of([ended("future", future_us)])], now_us())
        assert add(engine, set_of(rci_row())) <= future_us
        with pytest.raises(RulesChangedError, match="by what factors"):
            stale.commit(future)
        assert stale.commit(early).recorded == 1
        stale.process([chunk_of([ended("future", future_us)])], now_us())
        assert {name: found[0] for name, found in stored(engine).items()} == {"early": BUILT_IN_RCI, "future": 12.5}

    def test_an_event_ahead_of_its_time_keeps_its_estimate(self, engine: Engine) -> None:
        """A set begins after the latest event that is recorded, so there are never two answers for one instant."""
        ahead_us = now_us() + HOUR_US
        worker(engine).process([chunk_of([ended("ahead", ahead_us)])], now_us())
        begins_us = add(engine, set_of(rci_row()))
        assert begins_us > ahead_us
        worker(engine).process([chunk_of([ended("also", ahead_us), ended("later", begins_us)])], now_us())
        found = {name: found[0] for name, found in stored(engine).items()}
        assert found == {"ahead": BUILT_IN_RCI, "also": BUILT_IN_RCI, "later": 12.5}

    def test_hours_hold_by_the_hour_of_the_event(self, engine: Engine) -> None:
        """By hand: the number of the hour, 0 included; also in the hour in which the set begins, before and after its instant."""
        hours = set_of(rci_row(BRITAIN, None, by_hour=[float(hour) for hour in range(24)]))
        begins_us = add(engine, hours)
        hour = begins_us // HOUR_US % 24
        built_in = TABLES.resolve_region(BRITAIN, None, "lifecycle", begins_us).rci_gco2e_per_kwh.mid
        moments = {"just": begins_us - 1, **{f"h{k}": begins_us + k * HOUR_US for k in range(23)}}
        worker(engine).process([chunk_of([ended(name, at_us, BRITAIN) for name, at_us in moments.items()])], now_us())
        found = {name: found[0] for name, found in stored(engine).items()}
        assert found == {"just": built_in, **{f"h{k}": (hour + k) % 24 for k in range(23)}}

    def test_explain_names_set_source_and_licence_and_never_moves(self, engine: Engine) -> None:
        """Later sets change nothing of an old record's arithmetic, which still gives its integers."""
        made = set_of(rci_row())
        begins_us = add(engine, made)
        worker(engine, PAPER).process([chunk_of([ended("e", begins_us)])], now_us())
        answers = [explain(engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)]
        add(engine, set_of(rci_row(value=99)))
        answers.append(explain(engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS))
        assert answers[0] == answers[1]
        assert answers[0]["agrees"]
        [source] = {step["source"] for step in answers[0]["steps"] if step["name"] == "rci_mid_gco2e_per_kwh"}
        assert f"Grid Co (factor set {made.digest[:12]}, published 2026-11-01, CC-BY-4.0), 2025" in source
        [sets] = [step for step in answers[0]["steps"] if step["name"] == "factor_sets"]
        assert sets["value"] == made.digest

    def test_whatever_two_workers_do_a_record_rests_on_what_had_begun_at_its_end(self, engine: Engine) -> None:
        """Sets are added in any order, workers know of them or not, are stopped and started, read again: at the end every
        record is what the sets say of its instant, no set changed one that was there, and all are counted once."""
        random = drawn("factor sets")
        workers = [worker(engine), worker(engine)]
        base_us = now_us()
        clocks = [base_us, base_us]
        sets: list[EffectiveSet] = []
        sent: dict[str, dict[str, Any]] = {}
        seen: dict[str, tuple[float, str, int]] = {}
        for round_ in range(size(15, 150)):
            _step(engine, random, round_, workers, clocks, sets, sent)
            found = stored(engine)
            assert found.items() >= seen.items()
            seen = found
        history = ReferenceHistory(TABLES, sets)
        for name, (rci, version, _) in seen.items():
            at_us = int(name.split("@")[1])
            reference = history.at(at_us)
            region = reference.resolve_region(SWEDEN, None, "lifecycle", at_us)
            assert (rci, version) == (region.rci_gco2e_per_kwh.mid, reference.version), name
        assert seen.keys() == sent.keys()
        assert_exact(rows_in(engine))


def _step(
    engine: Engine,
    random: Random,
    round_: int,
    workers: list[Pipeline],
    clocks: list[int],
    sets: list[EffectiveSet],
    sent: dict[str, dict[str, Any]],
) -> None:
    """One thing that happens: a set is added, a worker starts anew, or one reads events, most of them at once with the other."""
    what = random.random()
    if what < 0.2:
        made = set_of(rci_row(value=round_ + 1), name=random.choice(["grid", "other"]))
        latest_us = max((int(name.split("@")[1]) for name in sent), default=clocks[0])
        start_us = latest_us + random.randrange(1, 10) * 1_000_000
        sets.append(EffectiveSet(add(engine, made, start_us), made))
        return
    place = random.randrange(2)
    if what < 0.3:
        workers[place] = worker(engine)
        return
    one = workers[place]
    latest_us = max((int(name.split("@")[1]) for name in sent), default=clocks[0])
    new = {}
    for number in range(random.randrange(1, 4)):
        at_us = latest_us + random.randrange(-20, 12) * 500_000
        new[f"{round_}.{number}@{at_us}"] = at_us
    events = {name: ended(name, at_us) for name, at_us in new.items()}
    again = random.sample(sorted(sent), min(len(sent), 2))
    chunk = chunk_of([*events.values(), *(sent[name] for name in again)])
    clocks[place] += random.choice([0, REFRESH_US])
    while True:
        try:
            one.process([chunk], clocks[place])
            break
        except RulesChangedError:
            continue
    sent.update(events)
