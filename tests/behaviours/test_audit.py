"""The audit trail on every database: an entry for every change, in its transaction, that nobody can alter or remove."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from rice_stream.alerting.budgets import remove_budget, set_budgets
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.pipeline.mapping import end_mapping, map_name
from rice_stream.proof.rebuild import rebuild
from rice_stream.reports.audit import audit_entries
from rice_stream.store.attribution_store import propose_version
from rice_stream.store.audit import Actor, AuditedChange, entry_bytes, record, record_seldom
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.engine import writing
from rice_stream.store.quarantine import Choice, drop
from rice_stream.store.retention import drop_records_before
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.databases import Databases
from tests.support.fakes import NOON_US, OPERATOR, event, fake_reference
from tests.support.reports_store import Store, open_store, picked

_AGAIN = """
INSERT INTO audit_entry SELECT 1, at_us, actor_kind, 'nobody', token_id, tenant_id, action, subject_kind, subject_id, before,
after, request_id, entry, erased_leaf FROM audit_entry WHERE id = 2"""
"""Entry 1, written over."""


def budget(name: str = "b", tenant: str = "acme", limit: str = "5") -> Budget:
    """A budget of a day."""
    return parse_budget({"name": name, "tenant_id": tenant, "limit_gco2e": limit, "period": "day"})


def trail(store: Store, *names: str) -> list[tuple[Any, ...]]:
    """Some values of every entry, oldest first."""
    return picked(reversed(audit_entries(store.engine, EVERYTHING)["rows"]), *names)


def add(store: Store, *changes: AuditedChange, by: Actor = OPERATOR) -> None:
    """Entries for changes that nobody makes."""
    with writing(store.engine) as connection:
        record(connection, by, changes)


class TestTrail:
    """On every database."""

    def test_every_change_leaves_an_entry_that_says_what_was_and_what_is(self, store: Store) -> None:
        store.add(event(), "not json")
        set_budgets(store.engine, [budget()], NOON_US, OPERATOR)
        set_budgets(store.engine, [budget(limit="7.5")], NOON_US, OPERATOR)
        remove_budget(store.engine, "acme", "b", OPERATOR)
        given: dict[str, Any] = {"valid_from_us": None, "now_us": NOON_US, "by": OPERATOR}
        map_name(store.engine, "model", "ours", "dense", open_reference=fake_reference, **given)
        end_mapping(store.engine, "model", "ours", **given)
        set_time_zone(store.engine, "acme", "Europe/Berlin", OPERATOR)
        drop(store.engine, Choice(), NOON_US, OPERATOR)
        store.execute("UPDATE tenant_day_total SET prompts = prompts + 1")
        rebuild(store.engine, by=OPERATOR)
        entries = trail(store, "action", "tenant_id", "before", "after")
        assert [entry[:2] for entry in entries] == [
            ("budget.set", "acme"),
            ("budget.set", "acme"),
            ("budget.remove", "acme"),
            ("mapping.set", None),
            ("mapping.end", None),
            ("tenant.set", "acme"),
            ("quarantine.drop", None),
            ("totals.rebuild", "acme"),
        ]
        limits = [[None if value is None else value["limit_gco2e"] for value in entry[2:]] for entry in entries[:3]]
        assert limits == [[None, "5"], ["5", "7.5"], ["7.5", None]]
        assert [entry[3]["target"] for entry in entries[3:5]] == ["dense", None]
        assert entries[5][2:] == ({"time_zone": "UTC"}, {"time_zone": "Europe/Berlin"})
        assert entries[6][3] == {"status": "dropped", "items": 1}
        assert entries[7][3] == {"rows_rebuilt": 1, "tenants": 1}

    def test_what_workers_change_by_their_settings_is_in_the_trail(self, store: Store) -> None:
        """Records that retention drops, and who is charged from when on; not the first settings, which change nothing."""
        for moment in ("2026-10-05T00:00:00+00:00", "2026-10-20T00:00:00+00:00"):
            drop_records_before(store.engine, datetime.fromisoformat(moment))
        for settings in ("{}", "{}", '{"one": 1}'):
            propose_version(store.engine, settings)
        entries = trail(store, "action", "actor", "before", "after")
        worker = {"kind": "worker", "name": "retention", "token_id": None}
        assert entries[0] == (
            "retention.drop",
            worker,
            {"records_from": None},
            {"records_from": "2026-10-01T00:00:00Z"},
        )
        assert [entry[0] for entry in entries] == ["retention.drop", "attribution.set"]
        assert [entry["settings"] for entry in entries[1][2:]] == ["{}", '{"one": 1}']

    def test_what_changes_nothing_leaves_no_entry(self, store: Store) -> None:
        """As a worker that starts with the same file of budgets."""
        for _ in range(2):
            set_budgets(store.engine, [budget()], NOON_US, OPERATOR)
            set_time_zone(store.engine, "acme", "Asia/Kolkata", OPERATOR)
            rebuild(store.engine, by=OPERATOR)
        remove_budget(store.engine, "acme", "nobody's", OPERATOR)
        assert trail(store, "action") == [("budget.set",), ("tenant.set",)]

    def test_a_change_that_is_rolled_back_leaves_no_entry_and_no_gap(self, store: Store) -> None:
        def fail() -> None:
            with writing(store.engine) as connection:
                record(connection, OPERATOR, [AuditedChange("budget.set", "budget", "b")])
                raise UsageError("not today")

        with pytest.raises(UsageError, match="not today"):
            fail()
        add(store, AuditedChange("budget.set", "budget", "c"))
        assert trail(store, "id", "subject") == [(1, {"kind": "budget", "id": "c"})]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_entry SET actor_name = 'nobody'",
            "UPDATE audit_entry SET id = id WHERE id = 0",
            "DELETE FROM audit_entry",
            "DELETE FROM audit_entry WHERE id = 2",
            _AGAIN,
        ],
    )
    def test_nobody_changes_or_removes_an_entry(self, store: Store, statement: str) -> None:
        """Not the owner of the table either."""
        add(store, *(AuditedChange("budget.set", "budget", name) for name in "abc"))
        before = store.rows("SELECT * FROM audit_entry ORDER BY id")
        if store.engine.dialect.name == "sqlite":
            statement = statement.replace(" WHERE id = 0", "").replace("INSERT", "INSERT OR REPLACE")
        with pytest.raises(DBAPIError):
            store.execute(statement)
        assert store.rows("SELECT * FROM audit_entry ORDER BY id") == before

    def test_entries_keep_the_canonical_bytes_that_their_columns_make(self, store: Store) -> None:
        """Whoever has the columns can check the bytes, and the other way round; both databases make the same."""
        by = Actor("token", "ops", 7, "key-1")
        after = {"ratio": 0.1, "text": "grün €", "none": None, "list": [1, 2.5, 1e21], "nested": {"b": 1, "a": True}}
        add(store, AuditedChange("budget.set", "budget", "b", "acme", {"x": 1}, after), by=by)
        [row] = store.rows("SELECT * FROM audit_entry")
        assert bytes(row["entry"]) == entry_bytes(row)
        assert bytes(row["entry"]).startswith(
            b'{"action":"budget.set","actor":{"kind":"token","name":"ops"},"after":{"list":[1,'
        )
        [entry] = audit_entries(store.engine, EVERYTHING)["rows"]
        assert (entry["after"], entry["request_id"]) == (after, "key-1")
        assert entry["actor"] == {"kind": "token", "name": "ops", "token_id": 7}

    def test_many_at_once_are_numbered_without_gaps_in_the_order_of_their_commits(self, store: Store) -> None:
        """So that whoever reads on from the last entry that they know misses none."""
        started = threading.Barrier(4)

        def many(name: str) -> None:
            started.wait()
            for number in range(10):
                set_budgets(store.engine, [budget(name, limit=str(number + 1))], NOON_US, OPERATOR)

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(many, name) for name in "abcd"]:
                done.result()
        assert [row["id"] for row in store.rows("SELECT id FROM audit_entry ORDER BY id")] == list(range(1, 41))
        assert {row["n"] for row in store.rows("SELECT COUNT(*) AS n FROM audit_entry GROUP BY subject_id")} == {10}

    def test_what_happens_again_and_again_is_kept_seldom(self, store: Store) -> None:
        def happened(subject: str) -> bool:
            with writing(store.engine) as connection:
                change = AuditedChange("token.use_refused", "token", subject)
                return record_seldom(connection, OPERATOR, change, within_us=60_000_000)

        assert [happened(subject) for subject in ("1", "1", "2", "1", "2")] == [True, False, True, False, False]


class TestReading:
    """Pages, and who sees what."""

    @pytest.fixture
    def filled(self, store: Store) -> Store:
        """Entries 1 to 5: of acme, nobody, globex, acme, nobody."""
        tenants = ("acme", None, "globex", "acme", None)
        changes = [
            AuditedChange(f"a.{number % 2}", "thing", str(number), tenant) for number, tenant in enumerate(tenants)
        ]
        add(store, *changes)
        return store

    def test_pages_hold_every_entry_once_latest_first(self, filled: Store) -> None:
        first = audit_entries(filled.engine, EVERYTHING, limit=2)
        assert (picked(first["rows"], "id"), first["next"]) == ([(5,), (4,)], 4)
        second = audit_entries(filled.engine, EVERYTHING, limit=2, before=first["next"])
        last = audit_entries(filled.engine, EVERYTHING, limit=2, before=second["next"])
        assert (picked(second["rows"] + last["rows"], "id"), last["next"]) == ([(3,), (2,), (1,)], None)

    @pytest.mark.parametrize(
        ("scope", "seen"),
        [
            (EVERYTHING, [5, 4, 3, 2, 1]),
            (Scope(frozenset({"acme"})), [4, 1]),
            (Scope(frozenset({"acme", "globex"})), [4, 3, 1]),
            (Scope(frozenset({"nobody"})), []),
            (Scope(frozenset()), []),
            (Scope(frozenset({"acme"}), frozenset({"red"})), []),
            (Scope(None, frozenset({"red"})), []),
        ],
    )
    def test_who_sees_some_tenants_sees_what_is_theirs_alone(
        self, filled: Store, scope: Scope, seen: list[int]
    ) -> None:
        """What is of no single tenant is the organisation's."""
        assert [row["id"] for row in audit_entries(filled.engine, scope)["rows"]] == seen

    def test_a_tenant_or_an_action_narrows(self, filled: Store) -> None:
        def ids(scope: Scope = EVERYTHING, **asked: Any) -> list[int]:
            return [row["id"] for row in audit_entries(filled.engine, scope, **asked)["rows"]]

        assert ids(tenant="acme") == [4, 1]
        assert ids(action="a.1") == [4, 2]
        assert ids(Scope(frozenset({"acme"})), tenant="acme") == [4, 1]
        for tenant in ("globex", "nobody"):
            with pytest.raises(NotFoundError, match=tenant):
                ids(Scope(frozenset({"acme"})), tenant=tenant)


def test_rows_of_the_trail_cannot_be_truncated_on_postgresql(postgresql: Databases) -> None:
    """Nor removed in a session that switches ordinary triggers off."""
    with open_store(postgresql.emptied()) as store:
        add(store, AuditedChange("budget.set", "budget", "b"))
        for statement in ("TRUNCATE audit_entry", "UPDATE audit_entry SET id = id WHERE id = 0"):
            with pytest.raises(DBAPIError, match="append-only"):
                store.execute(statement)
        with store.engine.connect() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            with pytest.raises(DBAPIError, match="append-only"):
                connection.execute(text("DELETE FROM audit_entry"))
            connection.rollback()
        assert trail(store, "id") == [(1,)]
