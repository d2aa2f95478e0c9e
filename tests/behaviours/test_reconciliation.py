"""Reconciliation on every database: causes and what is unexplained add up to the difference, each worked out by hand."""

import json
from typing import Any

import pytest

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.ledger.closing import CloseOrder
from rice_stream.ledger.reconciling import record_reconciliation
from rice_stream.reports.carbon_exports.reading import FileCarbon
from rice_stream.reports.carbon_reconciliation import CARBON_CAUSES, StatedCarbon, reconcile_carbon, stated_in_file
from rice_stream.reports.reconciliation import ReconciliationOrder, reconcile
from rice_stream.reports.reconciliations import named_reconciliation, reconciliation_page
from rice_stream.reports.usage_exports.reading import read_usage
from rice_stream.runtime.month_closing import month_of_tenant, open_closing
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import Engine, reading
from rice_stream.store.reconciliation_store import latest_reconciliations
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, within
from tests.behaviours.test_focus import void
from tests.support.channels_store import add_channel
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store, at

ORDER = ReconciliationOrder("acme", "2026-10", "openai")


def used(moment: str, model: str = "gpt-4o", tokens: int = 100, **changes: Any) -> dict[str, Any]:
    """A prompt of so many tokens in, and none out."""
    said = {"provider": "openai", "request_model": model, "input_tokens": tokens, "output_tokens": 0, **changes}
    return at(moment, **said)


def stated(*buckets: tuple[str, str, int]) -> str:
    """A file of (day, model, tokens)."""
    return "\n".join(
        json.dumps({"start_time_iso": f"{day}T00:00:00Z", "model": model, "input_tokens": tokens, "output_tokens": 0})
        for day, model, tokens in buckets
    )


def told(engine: Engine, text: str, order: ReconciliationOrder = ORDER, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """The answer, which adds up."""
    document = reconcile(engine, scope, order, read_usage(text, "openai"))
    tokens = document["tokens"]
    assert tokens["difference"] == tokens["theirs"] - tokens["ours"]
    assert sum(cause["tokens"] for cause in document["causes"]) + document["unexplained"] == tokens["difference"]
    assert sum(row["theirs"] for row in document["models"]) == tokens["theirs"]
    return document


def causes(document: dict[str, Any]) -> dict[str, int]:
    """Those that explain something."""
    return {cause["cause"]: cause["tokens"] for cause in document["causes"] if cause["tokens"]}


class TestReconciliation:
    """On every database."""

    @pytest.fixture
    def engine(self, store: Store) -> Engine:
        """Kathmandu's October begins at 18:15 UTC of the day before. 100 tokens each."""
        store.add(
            used("2026-09-30T19:00:00Z"),
            used("2026-10-02T10:00:00Z"),
            used("2026-10-03T10:00:00Z"),
            used("2026-10-04T10:00:00Z", "gpt-4o-mini"),
            used("2026-10-31T19:00:00Z"),
            used("2026-10-05T10:00:00Z", provider="anthropic", request_model="claude"),
        )
        store.set_time_zone("acme", "Asia/Kathmandu")
        return store.engine

    def test_the_checklist_of_the_month_has_the_latest_of_each_provider(self, engine: Engine) -> None:
        """Nothing is in the way where none was made; one that is not in order is, until it is compared again."""

        def line(tenant: str = "acme", month: str = "2026-10") -> tuple[bool | None, str]:
            settings = load_settings(None, {"RICE_DATABASE_URL": "sqlite:///:memory:"})
            closing = open_closing(settings, engine, OPERATOR, quick=True)
            lines = closing.checklist(CloseOrder(tenant, month_of_tenant(engine, tenant, month)))
            [found] = [each for each in lines if each.name == "reconciliation"]
            return found.ok, found.found

        assert line() == (None, "the month was compared with no usage export of a provider")
        for tokens, ok, percent in ((800, False, "50"), (400, True, "0")):
            usage = read_usage(stated(("2026-10-02", "", tokens)), "openai")
            compared = reconcile(engine, EVERYTHING, ORDER, usage)
            compared |= {"unexplained": tokens - 400, "ok": ok}
            record_reconciliation(engine, compared, "ab" * 32, OPERATOR)
            assert line() == (ok, f"openai, tokens: {percent} % unexplained (1 % is bad news)")
        assert line(month="2026-09")[0] is None

    def test_by_hand_each_cause(self, store: Store, engine: Engine) -> None:
        """The file has October of UTC: the prompt of the 31st more, and that of the 30th of September less. Beside these a voided
        one, one of a cache, a model that never came through here, one that the file lacks, and ten tokens nobody knows of."""
        store.add(
            used("2026-10-06T10:00:00Z", tokens=70, gateway_cache_hit=True), used("2026-10-07T10:00:00Z", tokens=40)
        )
        void(engine, "2026-10-07T10:00:00Z")
        document = told(
            engine,
            stated(("2026-10-01", "gpt-4o-2024-08-06", 350), ("2026-10-31", "o3", 500)),
        )
        assert document["tokens"]["ours"] == 100 + 3 * 100 + 70
        assert document["tokens"]["theirs"] == 850
        assert causes(document) == {
            "corrections": 40,
            "gateway_cache": -70,
            "not_through_here": 500,
            "not_in_file": -100,
        }
        assert document["unexplained"] == 10
        assert document["ok"] is False  # of 850
        assert document["models"][0] == {"model": "o3", "ours": 0, "theirs": 500, "difference": 500}

    def test_the_calendar_is_a_cause(self, engine: Engine) -> None:
        """Of a file of two days, what is compared are these two days."""
        document = told(engine, stated(("2026-10-02", "gpt-4o", 100), ("2026-10-03", "gpt-4o", 100)))
        assert causes(document) == {"calendar": -200}
        assert (document["unexplained"], document["ok"]) == (0, True)
        assert (document["file"]["from"], document["file"]["to"]) == ("2026-10-02T00:00:00Z", "2026-10-04T00:00:00Z")

    def test_of_a_model_that_the_file_lacks_nothing_else_is_a_cause(self, store: Store, engine: Engine) -> None:
        """Its prompts from a cache and its voided one are told once; a day of which the file says that it was empty is compared."""
        store.add(
            used("2026-10-06T10:00:00Z", "o3", 70, gateway_cache_hit=True),
            used("2026-10-07T10:00:00Z", "o3", tokens=40),
        )
        void(engine, "2026-10-07T10:00:00Z")
        buckets = [
            (
                "2026-10-01",
                [{"model": "gpt-4o-2024-05-13", "input_tokens": 90}, {"model": "gpt-4o", "input_tokens": 200}],
            ),
            ("2026-10-31", []),
        ]
        page = {"data": [{"start_time": f"{day}T00:00:00Z", "results": results} for day, results in buckets]}
        document = told(engine, json.dumps(page))
        assert causes(document) == {"not_in_file": -170}
        assert (document["tokens"]["ours"], document["unexplained"]) == (470, -10)
        assert document["file"]["to"] == "2026-11-01T00:00:00Z"

    def test_a_file_without_models_is_of_all_of_them(self, engine: Engine) -> None:
        """Then no model is missing on either side."""
        document = told(engine, stated(("2026-10-01", "", 300), ("2026-10-31", "", 100)))
        assert causes(document) == {}
        assert (document["unexplained"], document["unexplained_percent"], document["ok"]) == (0, 0, True)

    def test_names_of_a_provider_may_be_others(self, store: Store, engine: Engine) -> None:
        """As an operator's gateway calls it; a scope without the tenant gets nothing."""
        store.add(used("2026-10-02T11:00:00Z", event_id="own", provider="my-gateway"))
        document = told(engine, stated(("2026-10-02", "gpt-4o", 100)), ORDER._replace(names=("my-gateway",)))
        assert (document["tokens"]["ours"], document["unexplained"]) == (100, 0)
        with pytest.raises(UsageError, match="acme"):
            told(engine, stated(("2026-10-02", "gpt-4o", 100)), scope=Scope(frozenset({"globex"})))

    def test_a_file_of_years_is_refused(self, engine: Engine) -> None:
        """It would be compared with all that there ever was."""
        with pytest.raises(UsageError, match="more than 92 days; export the month alone"):
            told(engine, stated(("2020-01-02", "gpt-4o", 1), ("2026-10-02", "gpt-4o", 1)))

    def test_what_was_found_is_kept_and_nothing_of_the_files_words(self, store: Store, engine: Engine) -> None:
        """With the digest of the file, who and when; in the trail too. Names of models and kinds of rows are answered once."""
        text = stated(("2026-10-02", "=SECRET()", 100), ("2026-10-03", "gpt-4o", 100)) + '\n{"SECRET": 1}'
        usage = read_usage(text, "openai")
        compared = reconcile(engine, EVERYTHING, ORDER, usage)
        made = record_reconciliation(engine, compared, "ab" * 32, OPERATOR)
        assert "=SECRET()" in {row["model"] for row in made["models"]}
        assert {**compared, "file": {"sha256": "ab" * 32, **compared["file"]}}.items() <= made.items()
        kept = {name: value for name, value in made.items() if name != "models"}
        kept["file"] = {name: value for name, value in made["file"].items() if name != "skipped_why"}
        assert reconciliation_page(engine, EVERYTHING)["rows"] == [kept]
        assert named_reconciliation(engine, Scope(frozenset({"acme"})), made["reconciliation_id"]) == kept
        assert (kept["author"], kept["file"]["sha256"], kept["measure"]) == (OPERATOR.name, "ab" * 32, "tokens")
        for other in (Scope(frozenset({"globex"})), Scope(frozenset({"acme"}), frozenset({"search"}))):
            assert reconciliation_page(engine, other)["rows"] == []
            with pytest.raises(NotFoundError):
                named_reconciliation(engine, other, made["reconciliation_id"])
        (entry,) = store.rows(
            "SELECT tenant_id, action, subject_id, after FROM audit_entry WHERE action = 'period.reconcile'"
        )
        assert (entry["tenant_id"], entry["subject_id"]) == ("acme", "2026-10")
        assert "SECRET" not in json.dumps([entry, store.rows("SELECT * FROM reconciliation")], default=str)

    def test_channels_are_told_once_of_bad_news_and_when_it_is_over(self, store: Store, engine: Engine) -> None:
        """Those that see the tenant, of every budget, and that take warnings: not of the very same again, nor of good news after
        good news. Another provider's month is another matter."""
        for name, tenants, more in (
            ("all", None, {}),
            ("own", ["acme"], {"min_severity": "warning"}),
            ("others", ["globex"], {}),
            ("critical", ["acme"], {"min_severity": "critical"}),
            ("gone", ["acme"], {"state": "disabled"}),
        ):
            add_channel(engine, name, tenants, **more)

        def ran(tokens: int, **changes: Any) -> list[str]:
            """The titles of what is new."""
            before = len(store.rows("SELECT id FROM delivery"))
            usage = read_usage(stated(("2026-10-02", "", tokens)), "openai")
            compared = reconcile(engine, EVERYTHING, ORDER._replace(**changes), usage)
            # As the API does it: PostgreSQL's role for it may add all of it, and nothing else.
            record_reconciliation(within(confined(engine), EVERYTHING), compared, f"{tokens:064}", OPERATOR)
            rows = store.rows("SELECT channel, kind, tenant_id, content FROM delivery ORDER BY id")[before:]
            assert {(row["channel"], row["kind"], row["tenant_id"]) for row in rows} in (
                set(),
                {("all", "notice", "acme"), ("own", "notice", "acme")},
            )
            return sorted({json.loads(row["content"])["title"] for row in rows})

        bad = "2026-10 of acme differs from what openai states (tokens): {} % is unexplained"
        assert ran(100) == []
        assert ran(200) == [bad.format("50")]
        assert ran(200) == []
        assert ran(400) == [bad.format("75")]
        assert ran(400, threshold_percent=80.0) == ["2026-10 of acme agrees with openai again (tokens)"]
        assert ran(100) == []
        assert ran(200) == [bad.format("50")]
        with reading(engine) as connection:
            (latest,) = latest_reconciliations(connection, "acme", "2026-10")
            assert latest_reconciliations(connection, "acme", "2026-09") == []
        assert (latest.theirs, latest.ours, latest.unexplained, latest.ok) == (200, 400, 100, False)

    def test_carbon_is_explained_by_corrections_boundary_and_the_method_within_its_range(
        self, store: Store, engine: Engine
    ) -> None:
        """Ours of October, and one prompt of it voided: theirs has it still. The method explains what lies within the range."""
        reported = reconcile_carbon(engine, EVERYTHING, ORDER, StatedCarbon(1.0))["carbon"]
        void(engine, "2026-10-02T10:00:00Z")

        def compared(stated: StatedCarbon) -> tuple[dict[str, Any], dict[str, float]]:
            document = reconcile_carbon(engine, EVERYTHING, ORDER, stated)
            causes = {cause["cause"]: cause["carbon_gco2e"] for cause in document["causes"]}
            assert list(causes) == list(CARBON_CAUSES)
            whole = sum(causes.values()) + document["unexplained"]
            assert whole == pytest.approx(document["carbon"]["difference_gco2e"], abs=2e-6)
            made = record_reconciliation(engine, document, stated.sha256, OPERATOR)
            assert document.items() <= made.items()
            assert {name: each for name, each in made.items() if name != "models"} == reconciliation_page(
                engine, EVERYTHING, limit=1
            )["rows"][0]
            return document, causes

        same, causes = compared(StatedCarbon(reported["ours_gco2e"]))
        carbon = same["carbon"]
        assert causes["corrections"] == pytest.approx(reported["ours_gco2e"] - carbon["ours_gco2e"]) != 0
        assert (causes["method"], same["unexplained"], same["ok"]) == (0, 0, True)
        wide = carbon["ours_high_gco2e"] - carbon["ours_gco2e"]
        high, causes = compared(StatedCarbon(reported["ours_gco2e"] + wide / 2))
        assert causes["method"] == pytest.approx(wide / 2, abs=2e-6)
        assert high["ok"] is True
        beyond, causes = compared(StatedCarbon(reported["ours_gco2e"] + 3 * wide))
        assert causes["method"] == pytest.approx(wide, abs=2e-6)
        assert beyond["unexplained"] == pytest.approx(2 * wide, abs=4e-6)
        assert beyond["ok"] is False
        nothing, _ = compared(StatedCarbon(0))
        assert (nothing["unexplained_percent"], nothing["ok"]) == (None, False)
        market, causes = compared(StatedCarbon(reported["ours_gco2e"], market=True, embodied=True))
        assert market["carbon"]["basis"] == "market"
        for figure in (-1.0, 2e9, float("nan"), float("inf")):
            with pytest.raises(UsageError, match="mind the unit"):
                reconcile_carbon(engine, EVERYTHING, ORDER, StatedCarbon(figure))

    def test_carbon_of_a_file_is_that_of_its_month_of_utc(self, store: Store, engine: Engine) -> None:
        """Where the tenant's month is another, the prompts between are a cause; the file's own words are nowhere kept."""
        store.add(used("2026-10-31T20:00:00Z"))
        ours = reconcile_carbon(engine, EVERYTHING, ORDER, StatedCarbon(1.0))["carbon"]["ours_gco2e"]
        each = ours / 4
        in_file = FileCarbon("2026-10", round(5 * each * 1_000_000), None, 2, 1, ["of other services: SECRET"])
        document = reconcile_carbon(engine, EVERYTHING, ORDER, *stated_in_file(in_file, market=False, embodied=True))
        causes = {cause["cause"]: cause["carbon_gco2e"] for cause in document["causes"]}
        assert causes["calendar"] == pytest.approx(each, abs=2e-6) != 0
        assert (document["unexplained"], document["ok"], document["carbon"]["embodied"]) == (0, True, True)
        assert document["file"] == {
            "from": "2026-10-01T00:00:00Z",
            "to": "2026-11-01T00:00:00Z",
            "rows": 2,
            "skipped": 1,
            "skipped_why": ["of other services: SECRET"],
        }
        made = record_reconciliation(engine, document, "ab" * 32, OPERATOR)
        assert made["file"]["skipped_why"] == ["of other services: SECRET"]
        assert "SECRET" not in json.dumps(reconciliation_page(engine, EVERYTHING))
        bad = in_file._replace(ugco2e=in_file.ugco2e * 1000)
        document = reconcile_carbon(engine, EVERYTHING, ORDER, *stated_in_file(bad, market=False, embodied=False))
        add_channel(engine, "ops", ["acme"])
        record_reconciliation(engine, document, "cd" * 32, OPERATOR)
        [told] = store.rows("SELECT content FROM delivery")
        assert "differs from what openai states (carbon)" in json.loads(told["content"])["title"]
