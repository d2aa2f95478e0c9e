"""Cost centres: prompts charged by mappings of their time, each counted once whenever it comes again; and charged otherwise later,
by entries, while what was recorded and reported stays."""

from datetime import datetime
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.options import DEFAULT_OPTIONS
from rice_stream.events.mappings import COST_CENTRE, PROJECT, SUBJECTS, TEAM, MappedName
from rice_stream.instants import epoch_us
from rice_stream.ledger import restating
from rice_stream.ledger.recharging import check_recharges, recharging_by
from rice_stream.ledger.voiding import void_record
from rice_stream.pipeline.mapping import end_mapping, map_name
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.reports.coverage import coverage
from rice_stream.reports.mappings import mappings
from rice_stream.reports.record_keys import find_key
from rice_stream.reports.restatements import described
from rice_stream.reports.totals import totals as answer_to
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.identity_rules import RulesChangedError, StoredRules
from rice_stream.store.migrate import alembic_config, migrate
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.watching import watch_user
from tests.support.databases import Databases, SqliteDatabases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, fake_pipeline
from tests.support.reports_store import NOON, Store, at, open_store
from tests.support.store_checks import assert_exact, rows_in

EARLY, LATE = "2026-11-20T10:00:00Z", "2026-11-22T11:59:00Z"
BETWEEN_US = epoch_us(datetime.fromisoformat("2026-11-21T00:00:00Z"))


@pytest.fixture
def charged(store: Store) -> Store:
    """Whose pipeline goes by the mappings of the store."""
    store.pipeline = fake_pipeline(store.writer, store.engine, rules=StoredRules(store.engine, DEFAULT_OPTIONS))
    return store


def say(store: Store, kind: str, name: str, target: str, subject: str = TEAM, **changes: Any) -> None:
    """Charge what acme is charged for under a name, from before anything unless said otherwise."""
    given: dict[str, Any] = {"valid_from_us": 0, "now_us": NOON_US, "tenant_id": "acme", "subject": subject, **changes}
    map_name(store.engine, kind, name, target, open_reference=no_tables, by=OPERATOR, **given)
    # As if a worker had looked again: it does so every few seconds.
    store.pipeline._rules_changed = True


def no_tables() -> Any:
    """What is charged is in no table: none is opened for it."""
    raise AssertionError("the tables were opened")


def recharge(engine: Engine, kind: str, name: str, target: str | None, subject: str = TEAM, **changes: Any) -> Any:
    """Charge what is recorded since the 1st of November, or what `changes` say, otherwise."""
    given = {"valid_from_us": 0, "dry_run": False, **changes}
    mapping = MappedName(kind, name, target, given["valid_from_us"], "acme", subject)
    check_recharges(engine, mapping)
    if not given["dry_run"] and target is not None:
        map_name(
            engine,
            kind,
            name,
            target,
            open_reference=no_tables,
            valid_from_us=mapping.valid_from_us,
            now_us=NOON_US,
            by=OPERATOR,
            tenant_id="acme",
            subject=subject,
            recharges=True,
        )
    run = recharging_by(engine, mapping, "moved house", OPERATOR, dry_run=given["dry_run"])
    list(run.steps())
    return {**described(run.state, 5.0), **run.moves}


def by(engine: Engine, *fields: str, **asked: Any) -> dict[Any, int]:
    """Prompts by names; the rows add up to the total, in carbon too."""
    answer = answer_to(engine, EVERYTHING, TotalsQuery(by=fields, **asked), NOON)
    rows = answer["rows"]
    assert sum(row["prompts"] for row in rows) == answer["total"]["prompts"]
    grams = sum(round(row["carbon_gco2e"]["mid"] * 1_000_000) for row in rows)
    assert grams == round(answer["total"]["carbon_gco2e"]["mid"] * 1_000_000)
    names = [field.replace("-", "_") for field in fields]
    return {tuple(row[name] for name in names): row["prompts"] for row in rows}


class TestCharging:
    """On every database."""

    def test_prompts_are_charged_by_the_mappings_of_their_time(self, charged: Store) -> None:
        """The row of what nobody is charged for is there, and says so."""
        say(charged, COST_CENTRE, "search", "CC-1")
        say(charged, COST_CENTRE, "u-9", "CC-2", "user", valid_from_us=BETWEEN_US)
        charged.add(
            at(EARLY, user_id="u-9"),
            at(LATE, user_id="u-9"),
            at(LATE, event_id="b", team_id="ads"),
        )
        assert by(charged.engine, "cost-centre") == {("CC-1",): 1, ("CC-2",): 1, (None,): 1}
        rows = answer_to(charged.engine, EVERYTHING, TotalsQuery(by=["cost-centre"]), NOON)["rows"]
        assert {row["cost_centre"]: row["unattributed"] for row in rows} == {"CC-1": False, "CC-2": False, None: True}
        assert by(charged.engine, "cost_centre", "month") == {
            ("CC-1", "2026-11"): 1, ("CC-2", "2026-11"): 1, (None, "2026-11"): 1,
        }  # fmt: skip
        assert verify(charged.engine)["ok"]
        assert_exact(rows_in(charged.engine))

    def test_teams_and_projects_are_replaced_and_the_view_says_the_cost_centre(self, charged: Store) -> None:
        say(charged, PROJECT, "key-1", "ranker", "api_key")
        say(charged, TEAM, "ranker", "research", "project")
        say(charged, COST_CENTRE, "research", "CC-7")
        charged.add(at(LATE, api_key_id="key-1", team_id=...), at(EARLY))
        assert charged.rows("SELECT team_id, project_id, cost_centre FROM prompt_emission ORDER BY event_id DESC") == [
            {"team_id": "research", "project_id": "ranker", "cost_centre": "CC-7"},
            {"team_id": "search", "project_id": None, "cost_centre": None},
        ]

    def test_an_event_that_comes_again_after_its_mapping_has_changed_is_a_duplicate(self, charged: Store) -> None:
        """What it says counts, not whom it would be charged to now; one that says something else is still a contradiction."""
        event = at(LATE, user_id="u-9")
        assert charged.add(event).recorded == 1
        say(charged, TEAM, "u-9", "ads", "user", recharges=True)
        again = charged.add(event, event)
        assert (again.recorded, again.duplicates, again.conflicts) == (0, 2, 0)
        say(charged, COST_CENTRE, "ads", "CC-3", recharges=True)
        again = charged.add(event)
        assert (again.duplicates, again.conflicts) == (1, 0)
        other = charged.add({**event, "team_id": "labs"})
        assert (other.recorded, other.conflicts) == (0, 1)
        assert charged.add({**event, "team_id": "labs"}).conflicts == 1
        assert len(charged.rows("SELECT 1 FROM conflict")) == 1
        assert by(charged.engine, "team") == {("search",): 1}

    def test_an_event_charged_by_a_mapping_is_a_duplicate_after_the_end_of_it(self, charged: Store) -> None:
        say(charged, TEAM, "u-9", "ads", "user")
        event = at(LATE, user_id="u-9")
        assert charged.add(event).recorded == 1
        say(charged, TEAM, "u-9", "other", "user", recharges=True)
        assert charged.add(event).duplicates == 1
        assert by(charged.engine, "team") == {("ads",): 1}

    def test_a_batch_prepared_by_mappings_that_no_longer_hold_is_not_stored(self, charged: Store) -> None:
        charged.add(at(EARLY))
        batch = charged.pipeline.prepare([chunk_of([at(LATE)], offset=9)], NOON_US)
        say(charged, TEAM, "search", "ads", "team", recharges=True)
        with pytest.raises(RulesChangedError):
            charged.pipeline.commit(batch)

    def test_the_past_is_only_changed_when_that_is_said(self, charged: Store) -> None:
        """A slip of the date would leave half of a month with one team, and half with another."""
        charged.add(at(LATE))
        with pytest.raises(UsageError, match="--restate"):
            say(charged, COST_CENTRE, "search", "CC-1")
        assert mappings(charged.engine, EVERYTHING) == []
        say(charged, COST_CENTRE, "search", "CC-1", valid_from_us=None)

    @pytest.mark.parametrize(
        ("kind", "name", "changes", "said"),
        [
            (TEAM, "n", {"tenant_id": ""}, "--tenant: a team is a tenant's: say whose"),
            (COST_CENTRE, "n", {"subject": "model"}, "--of model: choose from user, api_key, project, team"),
            ("tenant", "n", {}, "--tenant: what a tenant stands for holds for every tenant; leave it out"),
            (TEAM, "x", {}, "TARGET: is NAME itself"),
        ],
    )
    def test_what_is_not_complete_is_refused(
        self, charged: Store, kind: str, name: str, changes: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(UsageError, match=said):
            say(charged, kind, name, "x", **changes)

    def test_a_tenant_sees_its_own_mappings_and_no_others(self, charged: Store) -> None:
        say(charged, COST_CENTRE, "search", "CC-1")
        say(charged, COST_CENTRE, "search", "CC-2", tenant_id="globex")
        seen = mappings(charged.engine, Scope(frozenset({"acme"})))
        assert [(row["tenant_id"], row["target"]) for row in seen] == [("acme", "CC-1")]
        assert mappings(charged.engine, Scope(frozenset({"acme"}), frozenset({"search"}))) == []

    def test_it_ends_like_any_other(self, charged: Store) -> None:
        say(charged, COST_CENTRE, "search", "CC-1")
        whose: dict[str, Any] = {"tenant_id": "acme", "subject": TEAM}
        end_mapping(
            charged.engine, COST_CENTRE, "search", valid_from_us=BETWEEN_US, now_us=NOON_US, by=OPERATOR, **whose
        )
        charged.add(at(EARLY), at(LATE))
        assert by(charged.engine, "cost-centre") == {("CC-1",): 1, (None,): 1}


def filled(store: Store) -> Store:
    """Five prompts of two teams, one of them voided, one of a watched user; nobody mapped yet."""
    watch_user(store.engine, "acme", "u-1")
    store.add(
        at(EARLY, user_id="u-1"),
        at("2026-11-21T23:59:59.9Z", user_id="u-2", project_id="ranker"),
        at(LATE, user_id="u-1", team_id="ads"),
        at("2026-11-22T11:00:00Z", event_id="wrong"),
        at("2026-11-22T11:00:00Z", event_id="globex's", tenant_id="globex"),
    )
    found = find_key(store.engine, EVERYTHING, "wrong")
    void_record(store.engine, found.key, found.tenant_id, "wrong", reason="a test", by=OPERATOR)
    return store


class TestRecharging:
    """On every database."""

    def test_records_stay_and_totals_move(self, charged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """In parts of two records; what was reported stays, and every table is what its records and entries add up to."""
        monkeypatch.setattr(restating, "RECORDS_AT_ONCE", 2)
        engine = filled(charged).engine
        before = rows_in(engine)("prompt_record")
        reported = by(engine, "team", "cost-centre", amounts="reported")
        answer = recharge(engine, COST_CENTRE, "search", "CC-1")
        assert answer["entries"] == 4
        assert answer["by_cause"] == {"mapping": 0.0}
        assert answer["before_gco2e"] == answer["after_gco2e"]
        assert [(move["to"], move["prompts"], move["carbon_gco2e"]) for move in answer["moves"]] == [
            ({"team": "search", "project": "", "cost_centre": "CC-1"}, 1, 2.5),
            ({"team": "search", "project": "ranker", "cost_centre": "CC-1"}, 1, 2.5),
        ]
        assert rows_in(engine)("prompt_record") == before
        assert by(engine, "team", "cost-centre") == {
            ("search", "CC-1"): 2, ("ads", None): 1, ("search", None): 1,
        }  # fmt: skip
        assert by(engine, "team", "cost-centre", amounts="reported") == reported
        assert by(engine, "user", "cost-centre", tenant="acme") == {
            ("u-1", "CC-1"): 1,
            ("u-2", "CC-1"): 1,
            ("u-1", None): 1,
        }
        assert verify(engine)["ok"]
        assert_exact(rows_in(engine))
        assert not rebuild(engine, dry_run=True, by=OPERATOR)["differences_before"]

    def test_twice_posts_nothing_and_a_later_mapping_moves_it_on(self, charged: Store) -> None:
        engine = filled(charged).engine
        first = recharge(engine, COST_CENTRE, "search", "CC-1")
        again = recharge(engine, COST_CENTRE, "search", "CC-1")
        assert (again["restatement_id"], again["entries"]) == (first["restatement_id"], first["entries"])
        assert len(charged.rows("SELECT 1 FROM adjustment_entry")) == first["entries"] + 1
        assert recharge(engine, COST_CENTRE, "u-1", "CC-2", "user")["entries"] == 4
        assert by(engine, "cost-centre", tenant="acme") == {("CC-2",): 2, ("CC-1",): 1}
        end_mapping(
            engine, COST_CENTRE, "u-1", valid_from_us=0, now_us=NOON_US, by=OPERATOR, tenant_id="acme", subject="user",
            recharges=True,
        )  # fmt: skip
        recharge(engine, COST_CENTRE, "u-1", None, "user")
        assert by(engine, "cost-centre", tenant="acme") == {("CC-1",): 2, (None,): 1}
        assert verify(engine)["ok"]

    def test_a_dry_run_says_the_same_and_writes_nothing(self, charged: Store) -> None:
        engine = filled(charged).engine
        tables = ("adjustment", "adjustment_entry", "attribution", "mapping", "restatement", "audit_entry")
        before = {table: rows_in(engine)(table) for table in tables}
        dry = recharge(engine, TEAM, "u-1", "people", "user", dry_run=True)
        assert {table: rows_in(engine)(table) for table in tables} == before
        real = recharge(engine, TEAM, "u-1", "people", "user")
        assert [dry[name] for name in ("records", "entries", "moves")] == [
            real[name] for name in ("records", "entries", "moves")
        ]

    def test_only_what_ended_since_is_moved(self, charged: Store) -> None:
        engine = filled(charged).engine
        recharge(engine, COST_CENTRE, "search", "CC-1", valid_from_us=BETWEEN_US)
        assert by(engine, "cost-centre", tenant="acme") == {("CC-1",): 1, (None,): 2}

    def test_what_comes_afterwards_is_charged_by_the_mapping_at_once(self, charged: Store) -> None:
        engine = filled(charged).engine
        recharge(engine, COST_CENTRE, "search", "CC-1")
        charged.pipeline._rules_changed = True
        assert charged.add(at(EARLY, user_id="u-1")).duplicates == 1
        charged.add(at(EARLY, event_id="late"))
        assert by(engine, "cost-centre", tenant="acme") == {("CC-1",): 3, (None,): 1}

    def test_a_tenant_that_is_not_there_is_refused_before_anything_is_saved(self, charged: Store) -> None:
        with pytest.raises(UsageError, match="there is no such tenant"):
            recharge(charged.engine, TEAM, "a", "b")
        assert mappings(charged.engine, EVERYTHING) == []


def test_the_version_before_is_left_with_everything_and_gone_back_to_before_anything_is_charged(
    database: Databases,
) -> None:
    """Attributions and mappings stay in both directions; what mappings have charged cannot be told without them."""
    with open_store(database.migrated()) as store:
        store.add(at(EARLY), at(LATE, team_id="ads"))
        map_name(
            store.engine, "tenant", "key", "globex", open_reference=no_tables, valid_from_us=NOON_US, now_us=NOON_US, by=OPERATOR
        )  # fmt: skip
        say(store, COST_CENTRE, "search", "CC-1", valid_from_us=None)
        tables = ("attribution", "mapping", "prompt_record")
        before = {table: rows_in(store.engine)(table) for table in tables}
        steps = ScriptDirectory.from_config(alembic_config(store.engine)).walk_revisions()
        down = str(next(each.down_revision for each in steps if each.path.endswith("_cost_centres.py")))
        migrate(store.engine, down)
        assert store.rows("SELECT kind FROM mapping") == [{"kind": "tenant"}]
        migrate(store.engine)
        after = {table: rows_in(store.engine)(table) for table in tables}
        assert after["attribution"] == before["attribution"]
        assert after["prompt_record"] == before["prompt_record"]
        assert [row for row in before["mapping"] if not row["tenant_id"]] == after["mapping"]
        assert verify(store.engine)["ok"]
        recharge(store.engine, COST_CENTRE, "search", "CC-1")
        with pytest.raises(UsageError, match="restore a backup"):
            migrate(store.engine, down)
        assert verify(store.engine)["ok"]


NAMES = {"user": ["u-1", "u-2"], "api_key": ["k-1"], "project": ["ranker", "unattributed"], "team": ["search", "ads"]}
SUBJECT_NAMES = [(of, name) for of in SUBJECTS for name in NAMES[of]]
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "team_id": st.sampled_from(["search", "ads", None]),
            "project_id": st.sampled_from(["ranker", None]),
            "user_id": st.sampled_from(["u-1", "u-2", None]),
            "api_key_id": st.sampled_from(["k-1", None]),
            "ended_at": st.sampled_from([EARLY, LATE, "2026-11-21T00:00:00Z"]),
        }
    ),
    min_size=1,
    max_size=8,
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([TEAM, PROJECT, COST_CENTRE]),
        st.sampled_from(SUBJECT_NAMES),
        st.sampled_from(["x", "y"]),
        st.sampled_from([0, BETWEEN_US]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS, CHANGES)
def test_recharging_ends_where_it_would_have_begun(
    sqlite: SqliteDatabases, events: list[dict[str, Any]], changes: list[tuple[Any, ...]]
) -> None:
    """Mapped after the events and charged by it, or mapped before them: the same totals; sums by cost centre are the total, what
    was reported stays, and once more posts nothing."""
    sent = [
        at(each["ended_at"], event_id=f"e-{number}", **{name: value or ... for name, value in each.items()})
        for number, each in enumerate(events)
    ]
    with open_store(sqlite.migrated()) as after, open_store(sqlite.migrated()) as before:
        for each in (after, before):
            each.pipeline = fake_pipeline(each.writer, each.engine, rules=StoredRules(each.engine, DEFAULT_OPTIONS))
        after.add(*sent)
        reported = by(after.engine, "team", "project", "cost-centre")
        for kind, (of, name), target, since in changes:
            say(before, kind, name, target, of, valid_from_us=since)
            recharge(after.engine, kind, name, target, of, valid_from_us=since)
            assert recharge(after.engine, kind, name, target, of, valid_from_us=since)["state"] == "done"
        before.add(*sent)
        fields = ("team", "project", "cost-centre")
        assert by(after.engine, *fields) == by(before.engine, *fields)
        assert by(after.engine, *fields, amounts="reported") == reported
        assert sum(by(after.engine, "cost-centre").values()) == len(sent)
        assert verify(after.engine)["ok"]
        after.pipeline._rules_changed = True
        again = after.add(*sent)
        assert (again.recorded, again.duplicates, again.conflicts) == (0, len(sent), 0)


def test_shared_use_is_shown_with_those_who_share_it(charged: Store) -> None:
    """Beside their own amounts, adding up to the total; the answer says by which rule."""
    charged.add(
        at(EARLY), at(LATE, team_id="ads"), at(LATE, event_id="b", team_id="ads"), at(LATE, event_id="c", team_id=...)
    )
    query = TotalsQuery(tenant="acme", by=["team"], allocate="carbon", shared=[""])
    answer = answer_to(charged.engine, EVERYTHING, query, NOON)
    assert answer["allocation"] == {"rule": "carbon", "shared": [""]}
    assert {
        row["team"]: (row["carbon_gco2e"]["mid"], row["allocated_gco2e"], row["shared_gco2e"]) for row in answer["rows"]
    } == {
        "ads": (5.0, 6.666667, 1.666667),
        "search": (2.5, 3.333333, 0.833333),
        None: (2.5, 0.0, -2.5),
    }
    assert answer["total"]["allocated_gco2e"] == answer["total"]["carbon_gco2e"]["mid"] == 10.0


def test_teams_without_a_cost_centre_are_a_work_list(charged: Store) -> None:
    """Of tenants that have cost centres; as charged by now."""
    charged.add(at(EARLY), at(LATE, team_id="ads"), at(LATE, event_id="b", tenant_id="globex"))
    assert coverage(charged.engine, EVERYTHING, now=NOON)["uncharged"]["rows"] == []
    recharge(charged.engine, COST_CENTRE, "search", "CC-1")
    found = coverage(charged.engine, EVERYTHING, now=NOON)["uncharged"]
    assert [(row["tenant_id"], row["team_id"], row["prompts"], row["carbon_gco2e"]) for row in found["rows"]] == [
        ("acme", "ads", 1, 2.5)
    ]
    assert found["share_of_carbon"] == 2.5 / 7.5
    assert coverage(charged.engine, Scope(frozenset({"globex"})), now=NOON)["uncharged"]["rows_total"] == 0
