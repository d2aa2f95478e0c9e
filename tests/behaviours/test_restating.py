"""Restating: prompts estimated again, the difference posted as entries; records, and what was reported, stay."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from random import Random
from threading import Semaphore
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us
from rice_stream.ledger import restating
from rice_stream.ledger.giving_way import GivingWay
from rice_stream.ledger.restating import Restating
from rice_stream.ledger.voiding import void_record
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.proof.audit_verification import verify_trail
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.quantities import Range
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import ModelFactor, PueFactor, RegionFactor
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.restatements import described
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store import recorded_chunks
from rice_stream.store.recorded_chunks import RecordStretch
from rice_stream.store.restatement_store import RestatementOrder
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.watching import watch_user
from tests.support.closing import close
from tests.support.fakes import OPERATOR, TOKEN_DEFAULTS, FakeMethod, FakeReference
from tests.support.reports_store import NOON, Store, at
from tests.support.store_checks import assert_exact, rows_in

FROM, TO = "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"


class Doubled(FakeMethod):
    """Twice the energy of the other."""

    version = "fake-2"

    def coefficients(self, contexts: Any) -> Any:
        return 2 * super().coefficients(contexts)


class Cleaner(FakeReference):
    """Half the carbon intensity, and another PUE."""

    version = "factors-2"

    def resolve_region(self, *names: Any, **more: Any) -> RegionFactor:
        return replace(super().resolve_region(*names, **more), rci_gco2e_per_kwh=Range.exact(200.0))

    def resolve_pue(self, *names: Any, **more: Any) -> PueFactor:
        return replace(super().resolve_pue(*names, **more), pue=1.5)


def estimator(method: FakeMethod, reference: FakeReference) -> Estimator:
    """One that restates."""
    return Estimator(cast(Reference, reference), FactorPolicy(), method)


AS_BEFORE = estimator(FakeMethod(), FakeReference())
BY_METHOD = estimator(Doubled(), FakeReference())
BY_FACTORS = estimator(FakeMethod(), Cleaner())


class Larger(Cleaner):
    """Cleaner, and models of which other evidence says that they have twice the parameters."""

    version = "factors-3"

    def resolve_model(self, *names: Any) -> ModelFactor:
        return replace(super().resolve_model(*names), params_active_b=Range.exact(2.0))


BY_BOTH = estimator(Doubled(), Cleaner())
BY_EVIDENCE = estimator(FakeMethod(), Larger())


def november(by: Estimator, **changes: Any) -> RestatementOrder:
    """The order to restate it."""
    return RestatementOrder(
        **{
            "from_us": epoch_us(datetime.fromisoformat(FROM)),
            "to_us": epoch_us(datetime.fromisoformat(TO)),
            "tenant_id": None,
            "method_version": by.method.version,
            "factor_version": by.reference.version,
            "reason": "a better estimate",
            **changes,
        }
    )


def restate(engine: Engine, by: Estimator, *, dry_run: bool = False, **changes: Any) -> dict[str, Any]:
    """Restate November."""
    run = Restating(engine, by, TOKEN_DEFAULTS, replace(november(by, **changes), dry_run=dry_run), OPERATOR)
    for _ in run.steps():
        pass
    return described(run.state, 5.0)


def told(document: dict[str, Any]) -> dict[str, Any]:
    """What a dry run says as well."""
    own = ("restatement_id", "dry_run", "author_kind", "author", "started_at", "finished_at", "records_expected")
    return {name: value for name, value in document.items() if name not in own}


def grams(engine: Engine, by: str = "tenant", **asked: Any) -> dict[Any, float]:
    """Carbon by a name."""
    answer = answer_to(engine, EVERYTHING, TotalsQuery(by=[by], **asked), NOON)
    return {row[by]: row["carbon_gco2e"]["mid"] for row in answer["rows"]}


def filled(store: Store) -> Store:
    """2.5 g each: three of acme (one of a watched user), one of globex; one of October."""
    watch_user(store.engine, "acme", "u-1")
    store.add(
        at("2026-10-31T23:59:59Z", user_id="u-1"),
        at("2026-11-01T00:00:00Z", user_id="u-1", team_id="search"),
        at("2026-11-02T10:00:00Z", user_id="u-2", team_id="ads"),
        at("2026-11-22T11:00:20Z", user_id="u-2", team_id="ads"),
        at("2026-11-22T11:00:20Z", tenant_id="globex", event_id="g"),
    )
    return store


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two records in a transaction."""
    monkeypatch.setattr(restating, "RECORDS_AT_ONCE", 2)


@pytest.mark.usefixtures("small_chunks")
class TestRestating:
    """On every database."""

    def test_another_method_is_worked_out_by_hand(self, store: Store) -> None:
        """Four prompts of 2.5 g become 5 g each; what was reported of them stays, and so does October."""
        engine = filled(store).engine
        tried = restate(engine, BY_METHOD, dry_run=True)
        assert rows_in(engine)("adjustment") == []
        done = restate(engine, BY_METHOD)
        assert told(done) == told(tried)
        assert (done["state"], done["records"], done["entries"]) == ("done", 4, 8)
        assert (done["before_gco2e"], done["after_gco2e"], done["materiality_percent"]) == (10.0, 20.0, 100.0)
        # Nothing is known of the market: by it all is as by location.
        assert (done["reported_market_gco2e"], done["before_market_gco2e"], done["after_market_gco2e"]) == (
            10.0,
            10.0,
            20.0,
        )
        assert done["materiality_market_percent"] == 100.0
        assert done["by_cause"] == {"method": 10.0}
        assert grams(engine) == {"acme": 17.5, "globex": 5.0}
        assert grams(engine, amounts="reported") == {"acme": 10.0, "globex": 2.5}
        assert grams(engine, "user", tenant="acme") == {"u-1": 7.5, "u-2": 10.0}
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_the_difference_is_told_by_its_cause(self, store: Store) -> None:
        """Twice the energy (+2.5 g each); then a PUE of 1.5 for 1.25 and half the intensity: 5 g become 3 g."""
        engine = filled(store).engine
        done = restate(engine, BY_BOTH)
        assert done["by_cause"] == {"factors": -8.0, "method": 10.0}
        assert (done["before_gco2e"], done["after_gco2e"]) == (10.0, 12.0)
        groups = rows_in(engine)("adjustment")
        assert {(group["cause"], group["restatement_id"]) for group in groups} == {
            ("method", done["restatement_id"]),
            ("factors", done["restatement_id"]),
        }
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_evidence_about_models_is_a_cause_of_its_own(self, store: Store) -> None:
        """Twice the parameters where it ran (2.5 g become 5 g), then a PUE of 1.5 for 1.25 and half the intensity: 3 g. After that
        evidence alone is taken back, at the place of by now: 3 g become 1.5 g."""
        engine = filled(store).engine
        assert restate(engine, BY_EVIDENCE)["by_cause"] == {"evidence": 10.0, "factors": -8.0}
        assert restate(engine, BY_FACTORS)["by_cause"] == {"evidence": -6.0}
        assert grams(engine) == {"acme": 7.0, "globex": 1.5}
        done = restate(engine, estimator(Doubled(), Larger()))
        assert sum(done["by_cause"].values()) == done["difference_gco2e"] == 18.0
        assert set(done["by_cause"]) == {"method", "evidence", "factors"}
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_the_same_again_posts_nothing(self, store: Store) -> None:
        """Nor does a run that finds everything as it ought to be."""
        engine = filled(store).engine
        first = restate(engine, BY_FACTORS)
        assert restate(engine, BY_FACTORS) == first
        entries = rows_in(engine)("adjustment_entry")
        assert restate(engine, BY_FACTORS, tenant_id="acme")["entries"] == 0
        assert rows_in(engine)("adjustment_entry") == entries

    def test_there_and_back_is_as_it_was(self, store: Store) -> None:
        """Whatever was restated in between: what records amount to is what the last one says, each step by its own cause."""
        engine = filled(store).engine
        before = grams(engine, "model")
        causes = []
        for by in (BY_METHOD, BY_BOTH, BY_FACTORS, AS_BEFORE):
            causes.append(restate(engine, by)["by_cause"])
            assert verify(engine)["ok"]
        assert grams(engine, "model") == before == grams(engine, "model", amounts="reported")
        assert causes == [
            {"method": 10.0},
            {"factors": -8.0},
            {"factors": -4.0, "method": -2.0},
            {"factors": 4.0},
        ]
        assert_exact(rows_in(engine))

    def test_a_voided_event_stays_voided_and_a_restated_one_can_be_voided(self, store: Store) -> None:
        """In either order it amounts to nothing."""
        engine = filled(store).engine
        for place, event_id in enumerate(("2026-11-02T10:00:00Z", "2026-11-22T11:00:20Z")):
            found = find_key(engine, EVERYTHING, event_id, "acme")
            void_record(engine, found.key, "acme", event_id, reason="wrong", by=OPERATOR)
            restate(engine, (BY_METHOD, BY_BOTH)[place])
        assert grams(engine, "team", tenant="acme", start=datetime.fromisoformat(FROM)) == {"search": 3.0}
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_a_run_that_is_cut_short_goes_on_and_posts_the_same(self, store: Store) -> None:
        """Wherever it is cut: the same entries as of a run that was not."""
        engine = filled(store).engine
        stumbling = Random(5)
        for attempt in range(8):
            run = Restating(engine, BY_METHOD, TOKEN_DEFAULTS, november(BY_METHOD), OPERATOR)
            for step, _ in enumerate(run.steps()):
                if attempt < 6 and step >= stumbling.randrange(2):
                    break
        assert described(run.state, 5.0)["state"] == "done"
        entries = rows_in(engine)("adjustment_entry")
        assert (
            len({(row["tenant_key"], row["event_key"], row["carbon_mid_ugco2e"]) for row in entries})
            == len(entries)
            == 8
        )
        assert grams(engine) == {"acme": 17.5, "globex": 5.0}
        assert_exact(rows_in(engine))

    def test_what_comes_meanwhile_is_not_lost(self, store: Store) -> None:
        """A late event between two steps has the estimate of its own batch, or is restated: totals are exact either way."""
        engine = filled(store).engine
        run = Restating(engine, BY_METHOD, TOKEN_DEFAULTS, november(BY_METHOD), OPERATOR)
        for step, _ in enumerate(run.steps()):
            store.add(at(f"2026-11-0{step + 1}T12:00:00Z"))
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_what_was_corrected_after_it_was_read_is_read_again(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next records are read while some are posted: one that is voided in between stays voided."""
        engine = filled(store).engine
        reads = Semaphore(0)
        calls: list[RecordStretch] = []

        def read_chunk(connection: Any, stretch: RecordStretch, limit: int) -> Any:
            found = recorded_chunks.read_chunk(connection, stretch, limit)
            calls.append(stretch)
            reads.release()
            return found

        monkeypatch.setattr(restating, "read_chunk", read_chunk)
        run = Restating(engine, BY_METHOD, TOKEN_DEFAULTS, november(BY_METHOD), OPERATOR)
        steps = run.steps()
        next(steps)
        # One of the first two records, and one each of the tenants of the others, which are not read ahead on SQLite.
        ahead = engine.dialect.name == "postgresql"
        for _ in range(3 if ahead else 1):
            assert reads.acquire(timeout=30)
        found = find_key(engine, EVERYTHING, "2026-11-22T11:00:20Z", "acme")
        void_record(engine, found.key, "acme", "2026-11-22T11:00:20Z", reason="wrong", by=OPERATOR)
        assert list(steps) == [4]
        # The last two, and that there is nothing after them: what was read ahead a second time.
        assert len(calls) == (7 if ahead else 4)
        assert grams(engine) == {"acme": 12.5, "globex": 5.0}
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_who_is_watched_when_lines_are_posted_gains_them(self, store: Store) -> None:
        """What totals gain is worked out while others are posted: a user who is watched since has totals of the lines as well."""

        class Beside(Restating):
            def _post(self, *arguments: Any) -> bool:
                watch_user(self.engine, "acme", "u-2")
                return super()._post(*arguments)

        engine = filled(store).engine
        list(Beside(engine, BY_BOTH, TOKEN_DEFAULTS, november(BY_BOTH), OPERATOR).steps())
        assert {row["user_key"] for row in rows_in(engine)("user_slot_total")} == {1, 2}
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]

    def test_two_restatements_a_close_and_voids_at_once_leave_nothing_out(self, store: Store) -> None:
        """Whoever comes first: every total is what its records and entries add up to, and the closed month's proof holds."""
        engine = filled(store).engine
        store.add(*(at(f"2026-10-{day:02d}T08:00:00Z") for day in range(1, 8)))

        def restated(by: Estimator) -> None:
            restate(engine, by, from_us=epoch_us(datetime.fromisoformat("2026-10-01T00:00:00Z")))

        def voided(event_id: str) -> None:
            found = find_key(engine, EVERYTHING, event_id, "acme")
            void_record(engine, found.key, "acme", event_id, reason="wrong", by=OPERATOR)

        work: list[Callable[[], object]] = [
            partial(restated, BY_METHOD),
            partial(restated, BY_FACTORS),
            partial(close, engine, "2026-10"),
            partial(voided, "2026-10-02T08:00:00Z"),
        ]
        with ThreadPoolExecutor(len(work)) as several:
            for done in [several.submit(each) for each in work]:
                done.result()
        assert_exact(rows_in(engine))
        assert verify(engine)["ok"]
        found = verify_trail(engine)
        verify_months(engine, found)
        assert found.problems == []
        runs = rows_in(engine)("restatement")
        assert [(run["state"], run["records"]) for run in runs] == [("done", 12)] * 2

    def test_small_tenants_are_one_transaction_together(self, store: Store) -> None:
        """Two records at once, of two tenants; each has groups of its own."""
        store.add(at("2026-11-02T10:00:00Z"), at("2026-11-02T10:00:00Z", tenant_id="globex", event_id="g"))
        run = Restating(store.engine, BY_METHOD, TOKEN_DEFAULTS, november(BY_METHOD), OPERATOR)
        assert list(run.steps()) == [2]
        assert [row["contra_carbon_mid_ugco2e"] for row in rows_in(store.engine)("adjustment")] == [-2_500_000] * 2
        assert_exact(rows_in(store.engine))
        assert verify(store.engine)["ok"]

    def test_workers_that_commit_have_their_share_of_the_time(self, store: Store) -> None:
        """A quarter for restating: three times as long as it took is waited for, and nothing where nobody commits."""
        waited: list[float] = []
        filled(store)
        giving_way = GivingWay(store.engine, 0.25, waited.append)
        giving_way.rest(0.5)
        store.add(at("2026-11-03T10:00:00Z"))
        giving_way.rest(0.5)
        giving_way.rest(0.5)
        assert waited == [1.5]

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [({"reason": " "}, "--reason"), ({"tenant_id": "nobody"}, "--tenant nobody")],
    )
    def test_a_bad_order_is_refused_and_nothing_is_posted(
        self, store: Store, changes: dict[str, Any], problem: str
    ) -> None:
        """It names the option."""
        with pytest.raises(UsageError, match=problem):
            restate(filled(store).engine, BY_METHOD, **changes)
        assert rows_in(store.engine)("restatement") == []
