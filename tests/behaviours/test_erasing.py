"""Erasing a person or a tenant: the name is nowhere in the database any more, and every sum, month and proof holds."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.api.access.issuing import AskedToken, issue
from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.events.mappings import MappedName
from rice_stream.instants import DAY_US
from rice_stream.ledger import erasing
from rice_stream.ledger.erasing import ErasureOrder, erase
from rice_stream.ledger.voiding import void_record
from rice_stream.proof.audit_verification import VerifiedTrail, verify_trail
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.audit_proofs import audit_proof
from rice_stream.reports.month_proofs import month_proof
from rice_stream.reports.record_keys import find_key
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.engine import writing
from rice_stream.store.mapping_store import save_mapping
from rice_stream.store.migrate import migrate
from rice_stream.store.revisions import current_revision, head_revision
from rice_stream.store.schema import metadata
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.unused_names import MARKED_FOR_US, forget_unused_names
from rice_stream.transparency.proof_files import check_proof_file
from tests.support.audited import BOX, ORIGIN, Tampering
from tests.support.channels_store import add_channel, add_delivery
from tests.support.closing import close
from tests.support.fakes import NOON_US, OPERATOR
from tests.support.reports_store import NOON, Store, at
from tests.support.store_checks import TABLES, assert_exact, rows_in, stored_totals

NAMES = ("zoë quill", 'o"brien\\n')
"""With letters that JSON and addresses write otherwise."""
SELF = Actor("session", NAMES[0])


def fill(store: Store, name: str = NAMES[0], *, by: Actor | None = None) -> None:
    """A person's prompts, budget with alerts, mapping, refused item, correction, token, session and closed month; and others'."""
    tenant = "acme"
    own = {"tenant_id": tenant, "team_id": "search", "user_id": name, "api_key_id": f"key of {tenant}"}
    store.add(*(at(f"2026-{day}T08:00:00Z", **own) for day in ("10-01", "10-31", "11-22")))
    store.add(at("2026-11-22T09:00:00Z", tenant_id="globex", user_id=name, team_id="ads"))
    store.add(at("2026-11-22T09:30:00Z", tenant_id=tenant, user_id="u-2", team_id="search"))
    store.add(at("2026-11-22T10:00:00Z", input_tokens=-1, **own))
    store.add({"no event": f"of {name} in {tenant}"})
    budget = {"name": f"of {name}", "tenant_id": tenant, "user_id": name, "limit_gco2e": 1, "period": "month"}
    by = by or Actor("session", name)
    set_budgets(store.engine, [parse_budget(budget)], NOON_US, by)
    Judge(store.engine).judge_all(NOON)
    with writing(store.engine) as connection:
        mapped = MappedName("cost_centre", name, "centre 4711", NOON_US + DAY_US, tenant, "user")
        save_mapping(connection, mapped, NOON_US)
        record(connection, by, [AuditedChange("mapping.set", "mapping", f"user:{name}", tenant, after={"name": name})])
    found = find_key(store.engine, EVERYTHING, "2026-11-22T08:00:00Z", tenant)
    void_record(store.engine, found.key, tenant, found.event_id, reason=f"a test by {name}", by=by)
    issue(store.engine, AskedToken(name, "reader", frozenset({tenant})), EVERYTHING, by)
    [alert] = store.rows("SELECT id, event FROM alert WHERE tenant_id = :tenant", tenant=tenant)[:1]
    channel = add_channel(store.engine, f"ops of {tenant}", [tenant])
    values = {"tenant_id": tenant, "alert_id": alert["id"], "content": alert["event"]}
    add_delivery(store.engine, channel, "due", channel=f"ops of {tenant}", **values)
    store.execute(
        "INSERT INTO idempotency_key (caller, key, digest, created_at_us, status, answer) VALUES ('c', 'k', :digest, 1, 201, :a)",
        digest=b"d" * 32,
        a=json.dumps({"user_id": name, "tenant": tenant}),
    )
    store.execute(
        "INSERT INTO http_session (digest, kind, subject, name, groups, created_at_us, last_seen_at_us)"
        " VALUES (:digest, 'oidc', 'subject', :name, '[]', 1, 1)",
        digest=b"s" * 32,
        name=name,
    )
    close(store.engine, "2026-10", tenant, by=by)


def dump(store: Store) -> dict[str, str]:
    """Everything that the database holds, by table."""
    found = {}
    for table in metadata.sorted_tables:
        rows = store.rows(f"SELECT * FROM {table.name}")
        found[table.name] = "\n".join(str(_shown(value)) for row in rows for value in row.values())
    return found


def _shown(value: Any) -> Any:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else value


def where(store: Store, name: str) -> list[str]:
    """The tables that have the name in any form."""
    written = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}
    forms = written | {each.encode().decode("latin-1") for each in written}
    return sorted(table for table, text in dump(store).items() if any(form in text for form in forms))


def checked(store: Store, notes: Sequence[str] = ()) -> VerifiedTrail:
    """All that can be verified, with checkpoints that were published before."""
    found = verify_trail(store.engine, notes)
    verify_months(store.engine, found)
    assert verify(store.engine)["ok"]
    assert_exact(rows_in(store.engine))
    return found


def totals(store: Store) -> dict[str, Any]:
    rows = rows_in(store.engine)
    return {table: stored_totals(rows, table) for table in TABLES}


def notes(store: Store) -> list[str]:
    return [row["note"] for row in store.rows("SELECT note FROM checkpoint WHERE kind = 'audit' ORDER BY id")]


def checkpoint(store: Store) -> None:
    from rice_stream.ledger.checkpoints import make_checkpoints

    make_checkpoints(store.engine, BOX, origin=ORIGIN, by=OPERATOR)


def of_user(name: str, tenant: str = "acme") -> ErasureOrder:
    return ErasureOrder(tenant, "asked for on paper", user=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_person_is_nowhere_any_more_and_everything_adds_up(store: Store, name: str) -> None:
    """In no table, but as another tenant's user of the same name; proofs and checkpoints of before still hold."""
    fill(store, name)
    checkpoint(store)
    before, published = totals(store), notes(store)
    proof = month_proof(store.engine, EVERYTHING, "2026-10-31T08:00:00Z")
    assert len(where(store, name)) >= 12
    counted = erase(store.engine, of_user(name), by=OPERATOR, dry_run=True)
    assert (counted["dry_run"], where(store, name) == []) == (True, False)
    done = erase(store.engine, of_user(name), by=OPERATOR)
    assert done == {**counted, "stands_for": done["stands_for"], "dry_run": False}
    assert {table: rows for table, rows in done["erased"].items() if not rows} == dict.fromkeys(
        ("archived_month", "budget_state", "closing", "factor_set", "reconciliation", "restatement"), 0
    )
    store.execute("UPDATE principal SET name = 'somebody' WHERE tenant_key = 2 AND name = :name", name=name)
    assert where(store, name) == []
    assert totals(store) == before
    found = checked(store, published)
    assert (found.problems, found.months) == ([], 1)
    checkpoint(store)
    assert checked(store, [*published, *notes(store)]).problems == []
    assert check_proof_file(proof).problems == []
    assert (
        month_proof(store.engine, EVERYTHING, "2026-10-31T08:00:00Z")["trees"][0]["leaves"]
        == proof["trees"][0]["leaves"]
    )
    [told] = audit_entries(store.engine, EVERYTHING, action="names.erase")["rows"]
    assert told["after"]["erased"]["principal"] == 1
    assert len(told["after"]["entries"]) == done["erased"]["audit_entry"] > 0


def test_who_is_erased_is_recognised_when_events_name_them_again(store: Store) -> None:
    """A repeated event is the same one, a new one is recorded under the stand-in, also after names without records have gone."""
    fill(store)
    name = NAMES[0]
    stand_in = erase(store.engine, of_user(name), by=OPERATOR)["stands_for"]
    again = {"tenant_id": "acme", "team_id": "search", "user_id": name, "api_key_id": "key of acme"}
    store.pipeline.forget()
    repeated = store.add(at("2026-11-22T08:00:00Z", **again))
    assert (repeated.recorded, repeated.duplicates, repeated.conflicts) == (0, 1, 0)
    assert store.add(at("2026-11-22T11:00:00Z", **again)).recorded == 1
    users = store.rows("SELECT name FROM principal WHERE tenant_key = 1 AND kind = 'user' ORDER BY principal_key")
    assert [row["name"] for row in users] == [stand_in, "u-2"]
    assert where(store, name) == ["principal"]  # of the other tenant
    for days in (0, 1):
        forget_unused_names(store.engine, NOON_US + days * 2 * MARKED_FOR_US)
    assert checked(store).problems == []


def test_a_token_that_is_called_after_somebody_loses_the_name_and_so_does_what_it_did(store: Store) -> None:
    """Also where the name is a part of the token's; and the name of its tenant, when that is erased. Others' tokens stay."""
    fill(store, by=OPERATOR)
    name = NAMES[0]
    for called, tenant in ((f"laptop of {name}, acme", "acme"), (f"{name}'s at globex", "globex")):
        issue(store.engine, AskedToken(called, "editor", frozenset({tenant})), EVERYTHING, OPERATOR)
    author = Actor("token", f"token 2 (laptop of {name}, acme)", 2)
    found = find_key(store.engine, EVERYTHING, "2026-11-22T09:30:00Z", "acme")
    void_record(store.engine, found.key, "acme", found.event_id, reason="a test", by=author)
    stand_in = erase(store.engine, of_user(name), by=OPERATOR)["stands_for"]
    tokens = [row["name"] for row in store.rows("SELECT name FROM http_token ORDER BY id")]
    assert tokens[1:] == [f"laptop of {stand_in}, acme", f"{name}'s at globex"]
    by_tokens = (
        "SELECT author_name AS name FROM adjustment WHERE author_kind = 'token'"
        " UNION SELECT actor_name FROM audit_entry WHERE actor_kind = 'token'"
    )
    assert store.rows(by_tokens) == [{"name": f"token 2 (laptop of {stand_in}, acme)"}]
    tenant = erase(store.engine, ErasureOrder("acme", "contract ended"), by=OPERATOR)["stands_for"]
    assert store.rows(by_tokens) == [{"name": f"token 2 (laptop of {stand_in}, {tenant})"}]
    assert where(store, "acme") == []
    assert checked(store).problems == []


def test_erasing_again_takes_out_what_has_come_since(store: Store) -> None:
    """Nothing to do leaves no entry; what came in between, and authors of later changes, go as well."""
    fill(store)
    name = NAMES[0]
    first = erase(store.engine, of_user(name), by=OPERATOR)
    size = len(audit_entries(store.engine, EVERYTHING, limit=1000)["rows"])
    again = erase(store.engine, of_user(name), by=OPERATOR)
    assert (again["stands_for"], set(again["erased"].values())) == (first["stands_for"], {0})
    assert len(audit_entries(store.engine, EVERYTHING, limit=1000)["rows"]) == size
    store.add(at("2026-11-22T10:30:00Z", tenant_id="acme", user_id=name, input_tokens=-1))
    with writing(store.engine) as connection:
        record(connection, SELF, [AuditedChange("tenant.set", "tenant", "acme", "acme")])
        record(
            connection, OPERATOR, [AuditedChange("erase", "note", "", "acme", after={"on": ["a", f"{name}, again"]})]
        )
    later = erase(store.engine, of_user(name), by=OPERATOR)["erased"]
    assert {table: rows for table, rows in later.items() if rows} == {"quarantine": 1, "audit_entry": 2}
    assert where(store, name) == ["principal"]
    assert checked(store).problems == []


def test_a_tenant_is_nowhere_any_more_and_its_months_stay(store: Store) -> None:
    """None of its names, whatever they were of; sums, closed months and the other tenants are as they were."""
    fill(store, by=OPERATOR)
    store.execute("DELETE FROM http_session")
    checkpoint(store)
    before, published = totals(store), notes(store)
    gone = ("acme", NAMES[0], "search", "key of acme", "u-2", "centre 4711")
    done = erase(store.engine, ErasureOrder("acme", "contract ended"), by=OPERATOR)
    store.execute("UPDATE principal SET name = 'somebody' WHERE tenant_key = 2")
    assert {name: where(store, name) for name in gone} == {name: [] for name in gone}
    assert totals(store) == before
    assert checked(store, published).problems == []
    stand_in = done["stands_for"]
    assert {row["tenant_id"] for row in store.rows("SELECT tenant_id FROM tenant")} == {stand_in, "globex"}
    seen = audit_entries(store.engine, Scope(frozenset({stand_in})), limit=1000)["rows"]
    assert {row["action"] for row in seen} >= {"period.mark", "period.close", "names.erase"}
    checkpoint(store)
    assert checked(store, notes(store)).problems == []
    assert set(erase(store.engine, ErasureOrder("acme", "again"), by=OPERATOR)["erased"].values()) == {0}


def test_no_name_of_an_erased_tenant_is_ever_written_again(store: Store) -> None:
    """Late events are its own still: repeated ones are known, and new names come under stand-ins."""
    fill(store, by=OPERATOR)
    store.execute("DELETE FROM http_session")
    store.execute("UPDATE principal SET name = 'somebody' WHERE tenant_key = 2")
    erase(store.engine, ErasureOrder("acme", "contract ended"), by=OPERATOR)
    store.pipeline.forget()
    own = {"tenant_id": "acme", "team_id": "search", "user_id": NAMES[0], "api_key_id": "key of acme"}
    repeated = store.add(at("2026-11-22T08:00:00Z", **own))
    assert (repeated.duplicates, repeated.conflicts) == (1, 0)
    later = store.add(at("2026-11-22T11:00:00Z", **{**own, "team_id": "a new team", "user_id": "a new user"}))
    assert later.recorded == 1
    for name in ("acme", "a new team", "a new user", "search", NAMES[0]):
        assert where(store, name) == [], name
    assert {row["tenant_key"] for row in store.rows("SELECT tenant_key FROM tenant")} == {1, 2}


def test_an_erased_entry_cannot_be_given_other_words(store: Store) -> None:
    """Not through the database's own door, and whoever goes around it is found; its place stays proven, its words are not shown."""
    fill(store)
    erase(store.engine, of_user(NAMES[0]), by=OPERATOR)
    checkpoint(store)
    erased = store.rows("SELECT id FROM audit_entry WHERE erased_leaf IS NOT NULL ORDER BY id")[0]["id"]
    for change in (
        "action = 'x'",
        "erased_leaf = NULL",
        "at_us = 1, erased_leaf = erased_leaf",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            store.execute(f"UPDATE audit_entry SET {change} WHERE id = :id", id=erased)
    with pytest.raises(NotFoundError, match="names were erased from it"):
        audit_proof(store.engine, EVERYTHING, erased)
    whole = store.rows("SELECT MAX(id) AS id FROM audit_entry WHERE erased_leaf IS NULL")[0]["id"]
    assert check_proof_file(audit_proof(store.engine, EVERYTHING, whole)).problems == []
    tampering = Tampering(store.engine)
    tampering.change(["UPDATE audit_entry SET request_id = 'other' WHERE id = :id"], id=erased)
    assert any(f"entry {erased}: its columns" in problem for problem in verify_trail(store.engine).problems)
    from rice_stream.store.audit import entry_bytes

    [row] = store.rows("SELECT * FROM audit_entry WHERE id = :id", id=erased)
    tampering.change(["UPDATE audit_entry SET entry = :entry WHERE id = :id"], id=erased, entry=entry_bytes(row))
    assert verify_trail(store.engine).problems == [
        f"entry {erased}: names were erased from it, and no entry of an erasure tells what is left"
    ]


def test_what_cannot_be_erased_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the database goes away half-way, nothing has happened."""
    fill(store)
    for order, error, said in (
        (ErasureOrder("nobody", "r"), NotFoundError, "tenant 'nobody'"),
        (of_user("nobody"), NotFoundError, "nothing has that name"),
        (ErasureOrder("acme", " ", user="u-2"), UsageError, "--reason"),
        (ErasureOrder("acme", "u-2 has left", user="u-2"), UsageError, "says the name"),
        (ErasureOrder("acme", "r", user=""), UsageError, "empty"),
        (ErasureOrder("acme", "r", "a", "b"), UsageError, "one of them"),
    ):
        with pytest.raises(error, match=said):
            erase(store.engine, order, by=OPERATOR)
    before = dump(store)

    def fail(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(erasing, "record", fail)
    for order in (of_user(NAMES[0]), ErasureOrder("acme", "r")):
        with pytest.raises(RuntimeError, match="killed"):
            erase(store.engine, order, by=OPERATOR)
        assert dump(store) == before
    monkeypatch.undo()
    assert (
        erase(store.engine, ErasureOrder("acme", "r", api_key="key of acme"), by=OPERATOR)["erased"]["principal"] == 1
    )
    assert where(store, "key of acme") == []


def test_the_schema_of_before_is_gone_back_to_only_where_nothing_was_erased(store: Store) -> None:
    """Up again, what was written in between may be erased as well."""
    fill(store)
    migrate(store.engine, "0040")
    with pytest.raises(DBAPIError, match="append-only"):
        store.execute("UPDATE audit_entry SET subject_id = 'x'")
    migrate(store.engine)
    assert checked(store).problems == []
    erase(store.engine, of_user(NAMES[0]), by=OPERATOR)
    with pytest.raises(UsageError, match="names were erased from the audit trail"):
        migrate(store.engine, "0040")
    assert current_revision(store.engine) == head_revision()
