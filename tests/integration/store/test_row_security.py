"""Row-level security on PostgreSQL: what the API's role sees of each table in each scope, by the database alone.

No statement here has a condition of its own: what is left out is left out by the policies.
"""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rice_stream.store.engine import StoreUnavailableError, open_engine
from rice_stream.store.partitions import partitions_there
from rice_stream.store.row_access import ACCESS, ALL_ROWS
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, scoped_reading, scoped_writing, see_everything
from rice_stream.store.snapshot import snapshot
from rice_stream.store.views import view_queries
from tests.support.databases import Databases
from tests.support.reports_store import Store, open_store
from tests.support.three_tenants import SCOPES as CALLERS
from tests.support.three_tenants import TENANTS, WHOLE, fill

SCOPES = {**CALLERS, "names that PostgreSQL cannot hold": Scope(frozenset({"a\0b", "\ud800"}))}

_TENANT = "JOIN tenant t USING (tenant_key)"
_CHARGED = f"{_TENANT} JOIN attribution a USING (tenant_key, attribution_key)"
_WHOLE = f"'{WHOLE}' AS team"
OWNERS = {
    "tenant": "SELECT tenant_id, NULL AS team FROM tenant",
    **{
        table: f"SELECT t.tenant_id, NULL AS team FROM {table} {_TENANT}"
        for table in ("principal", "archived_month", "archived_file")
    },
    "attribution": f"SELECT t.tenant_id, a.team_id AS team FROM attribution a {_TENANT}",
    **{
        table: f"SELECT t.tenant_id, a.team_id AS team FROM {table} x {_CHARGED}"
        for table in ("prompt_record", "slot_total", "day_total", "user_slot_total", "adjustment_entry")
    },
    **{
        table: f"SELECT t.tenant_id, {_WHOLE} FROM {table} x {_TENANT}"
        for table in (
            "minute_total",
            "tenant_day_total",
            "factor_hour_total",
            "factor_day_total",
            "month_total",
            "watched_user",
            "conflict",
            "adjustment",
            "period",
            "contract_coverage",
        )
    },
    "audit_entry": f"SELECT tenant_id, {_WHOLE} FROM audit_entry",
    "budget": f"SELECT tenant_id, COALESCE(team_id, '{WHOLE}') AS team FROM budget",
    **{
        table: f"SELECT b.tenant_id, COALESCE(b.team_id, '{WHOLE}') AS team FROM {table} JOIN budget b ON b.id = budget_id"
        for table in ("budget_state", "alert")
    },
}
"""Whose each row is, as the owner sees it; a team of None: whoever sees the tenant sees it, whichever teams."""


@pytest.fixture(scope="module")
def stored(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Three tenants with prompts of two teams and of none, and whatever else comes with them."""
    databases: Databases = request.getfixturevalue("postgres_of_module")
    with open_store(databases.migrated()) as store:
        fill(store)
        yield store


def _count(engine: Engine, scope: Scope, table: str) -> int:
    with scoped_reading(engine, scope) as connection:
        return int(connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) or 0)


def _is_seen(scope: Scope, tenant: str, team: str | None) -> bool:
    return scope.has_tenant(tenant) and (team is None or scope.has_team(team))


@pytest.mark.parametrize("name", SCOPES)
@pytest.mark.parametrize("table", OWNERS)
def test_of_each_table_a_scope_shows_its_rows_and_no_others(stored: Store, table: str, name: str) -> None:
    """As many as are its own, by what their owner says of them; and there are some of somebody else's."""
    owners = [(row["tenant_id"], row["team"]) for row in stored.rows(OWNERS[table])]
    assert len(owners) == len(stored.rows(f"SELECT 1 FROM {table}")) > 0
    scope = SCOPES[name]
    wanted = sum(_is_seen(scope, *owner) for owner in owners)
    assert _count(confined(stored.engine), scope, table) == wanted
    assert wanted == len(owners) if scope.is_everything else wanted < len(owners) or scope.tenants is None


@pytest.mark.parametrize(
    "table", ["quarantine", "mapping", "attribution_version", "kafka_progress", "idempotency_key", "server_key"]
)
def test_what_belongs_to_no_tenant_is_seen_by_those_who_see_everything(stored: Store, table: str) -> None:
    there = len(stored.rows(f"SELECT 1 FROM {table}"))
    assert there > 0 or table in ("attribution_version", "idempotency_key", "server_key")
    for scope in SCOPES.values():
        assert _count(confined(stored.engine), scope, table) == (there if scope.is_everything else 0)


def test_a_token_is_seen_by_those_whose_scope_holds_all_of_its_own(stored: Store) -> None:
    """A token for every tenant is no token of a tenant whose name is a star."""
    seen = {}
    for name, scope in SCOPES.items():
        with scoped_reading(confined(stored.engine), scope) as connection:
            seen[name] = sorted(connection.scalars(text("SELECT name FROM http_token")))
    assert seen == {
        "nothing": [],
        "a tenant that is not there": [],
        "one tenant": ["t-1", "t-3"],
        "a name with signs": [],
        "a tenant whose name is a star": ["t-4"],
        "two tenants": ["t-1", "t-2", "t-3"],
        "a team of a tenant": ["t-3"],
        "a team with signs, of two tenants": [],
        "a team that is not there": [],
        "a team of every tenant": ["t-3", "t-5"],
        "everything": ["t-0", "t-1", "t-2", "t-3", "t-4", "t-5"],
        "names that PostgreSQL cannot hold": [],
    }


def test_every_table_with_rows_of_a_tenant_is_in_the_matrix() -> None:
    """What a policy narrows is counted here."""
    others = {
        "event_id_gap",
        "event_id_list",
        "quarantine",
        "closing",
        "reconciliation",
        "restatement",
        "mapping",
        "attribution_version",
        "factor_set",
        "reference_tables",
        "kafka_progress",
        "http_token",
        "channel",
        "checkpoint",
        "checkpoint_target",
        "delivery",
        "http_session",
        "idempotency_key",
        "lease",
        "server_key",
        "signing_key",
    }
    assert {name for name, access in ACCESS.items() if access.rows is not ALL_ROWS} == set(OWNERS) | others


def test_without_settings_the_role_sees_nothing(stored: Store) -> None:
    """Neither before they were ever set in a session, nor after a transaction that had them; an empty one is none."""
    tables = [name for name, access in ACCESS.items() if access.rows is not ALL_ROWS]
    with stored.engine.connect() as connection:
        for _ in range(2):
            connection.execute(text("SET LOCAL ROLE rice_api"))
            assert {connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) for table in tables} == {0}
            connection.execute(text("SET LOCAL rice.tenants = ''; SET LOCAL rice.teams = '*'"))
            assert {connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) for table in tables} == {0}
            connection.rollback()
            connection.execute(text("SET LOCAL rice.tenants = '*'; SET LOCAL rice.teams = '*'"))
            connection.rollback()


def test_a_setting_that_is_no_list_is_an_error_and_shows_nothing(stored: Store) -> None:
    for value in ("acme", "{acme}", '["acme"]', "61636d65,zz", "{[1,2)", "0, 1"):
        with stored.engine.connect() as connection:
            connection.execute(text("SET LOCAL ROLE rice_api; SET LOCAL rice.teams = '*'"))
            connection.execute(text("SELECT set_config('rice.tenants', :value, true)"), {"value": value})
            assert connection.scalar(text("SELECT COUNT(*) FROM prompt_record")) == 0, "names alone show no records"
            connection.execute(text("SELECT set_config('rice.tenant_keys', :value, true)"), {"value": value})
            for table in ("tenant", "prompt_record"):
                with pytest.raises(DBAPIError), connection.begin_nested():
                    connection.scalar(text(f"SELECT COUNT(*) FROM {table}"))


def test_role_and_scope_do_not_stay_with_a_pooled_connection(stored: Store) -> None:
    """The next transaction of the same session is the login role's, after a commit, a rollback and a failure alike."""
    who = text(
        "SELECT pg_backend_pid(), current_user, current_setting('rice.tenants', true), COUNT(*) FROM prompt_record"
    )
    engine = open_engine(stored.engine.url.render_as_string(hide_password=False))
    try:
        with engine.connect() as connection:
            before = connection.execute(who).one()
        api = confined(engine)
        with scoped_reading(api, SCOPES["one tenant"]) as connection:
            inside = connection.execute(who).one()
        with scoped_writing(api, SCOPES["one tenant"]) as connection:
            assert connection.execute(who).one() == inside
        with pytest.raises(DBAPIError), scoped_reading(api, SCOPES["one tenant"]) as connection:
            connection.execute(text("SELECT 1 / 0"))
        with engine.connect() as connection:
            after = connection.execute(who).one()
        assert inside[0] == before[0] == after[0]
        assert inside[1] == "rice_api"
        assert 0 < inside[3] < before[3]
        assert (after[1], after[2] or "", after[3]) == (before[1], "", before[3])
    finally:
        engine.dispose()


def test_a_transaction_that_begins_on_the_same_connection_has_the_scope_too(stored: Store) -> None:
    """Whoever commits half-way does not go on as the login role."""
    with scoped_writing(confined(stored.engine), SCOPES["one tenant"]) as connection:
        seen = connection.scalar(text("SELECT COUNT(*) FROM tenant"))
    with scoped_reading(confined(stored.engine), SCOPES["one tenant"]) as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM tenant")) == seen == 1
        connection.commit()
        assert connection.scalar(text("SELECT COUNT(*) FROM tenant")) == 1
        connection.rollback()
        assert connection.scalar(text("SELECT COUNT(*) FROM tenant")) == 1


def test_a_snapshot_is_confined_and_still_one_moment(stored: Store) -> None:
    """Role and scope come first, and leave what the transaction sees to its first query."""
    count = text("SELECT COUNT(*) FROM tenant")
    with snapshot(confined(stored.engine), SCOPES["two tenants"]) as connection:
        assert connection.scalar(count) == 2
        stored.execute("UPDATE tenant SET time_zone = 'Asia/Tokyo' WHERE tenant_id = 'acme'")
        assert connection.scalar(text("SELECT time_zone FROM tenant WHERE tenant_id = 'acme'")) == "UTC"
    stored.execute("UPDATE tenant SET time_zone = 'UTC' WHERE tenant_id = 'acme'")


def test_partitions_show_nothing_by_their_own_names(stored: Store) -> None:
    """Those that were there and those made since: no right, and no row for one who was given it by mistake."""
    with stored.engine.connect() as connection:
        names = [partition.name for partition in partitions_there(connection)]
        assert len(names) >= 2
        for name in names:
            with pytest.raises(DBAPIError, match="permission denied"), connection.begin_nested():
                connection.execute(text(f"SET LOCAL ROLE rice_api; SELECT 1 FROM {name}"))
            connection.execute(text(f"GRANT SELECT ON {name} TO rice_api; SET LOCAL ROLE rice_api"))
            connection.execute(text("SET LOCAL rice.tenants = '*'; SET LOCAL rice.teams = '*'"))
            assert connection.scalar(text(f"SELECT COUNT(*) FROM {name}")) == 0
            connection.execute(text("RESET ROLE"))
            assert connection.scalar(text(f"SELECT COUNT(*) FROM {name}")) != 0
        connection.rollback()


def test_views_and_the_function_that_read_with_their_owners_rights_are_closed(stored: Store) -> None:
    """What is behind a view shows the scope; the view itself, read by its owner's rights, would show everybody."""
    for name, query in view_queries("postgresql").items():
        with scoped_reading(confined(stored.engine), SCOPES["one tenant"]) as connection:
            inlined = text(f"SELECT DISTINCT tenant_id FROM ({query}) v".replace(":", "\\:"))
            assert list(connection.scalars(inlined)) == ["acme"], name
            with pytest.raises(DBAPIError, match="permission denied for view"):
                connection.execute(text(f"SELECT 1 FROM {name}"))
    call = text("SELECT * FROM total_range('acme', NULL, NULL)")
    denied = pytest.raises(DBAPIError, match="permission denied for function")
    with denied, scoped_reading(confined(stored.engine), EVERYTHING) as connection:
        connection.execute(call)


def test_nobody_writes_outside_of_the_scope(stored: Store) -> None:
    """Neither a row of another tenant, nor one that would become another's."""
    api = confined(stored.engine)
    theirs = "SELECT id FROM budget WHERE tenant_id = '*' LIMIT 1"
    (budget_id,) = (row["id"] for row in stored.rows(theirs))
    with scoped_writing(api, SCOPES["one tenant"]) as connection:
        for statement in (
            f"UPDATE budget SET limit_amount = 1 WHERE id = {budget_id}",
            f"DELETE FROM budget WHERE id = {budget_id}",
            f"DELETE FROM budget_state WHERE budget_id = {budget_id}",
            "UPDATE tenant SET time_zone = 'x' WHERE tenant_id = '*'",
            "DELETE FROM mapping",
            "UPDATE quarantine SET status = 'dropped'",
        ):
            assert connection.execute(text(statement)).rowcount == 0, statement
        connection.rollback()
    for statement in (
        "UPDATE budget SET tenant_id = '*' WHERE tenant_id = 'acme' AND name = 'all'",
        "INSERT INTO tenant (tenant_key, tenant_id) VALUES (99, 'new')",
        "INSERT INTO mapping (kind, name, valid_from_us, created_at_us) VALUES ('tenant', 'a', 1, 1)",
    ):
        with (
            pytest.raises(DBAPIError, match="row-level security"),
            scoped_writing(api, SCOPES["one tenant"]) as connection,
        ):
            connection.execute(text(statement))
    for statement in (
        "DELETE FROM alert",
        "INSERT INTO prompt_record DEFAULT VALUES",
        "TRUNCATE budget",
        "DROP TABLE budget",
    ):
        with (
            pytest.raises(DBAPIError, match=r"permission denied|must be owner"),
            scoped_writing(api, EVERYTHING) as connection,
        ):
            connection.execute(text(statement))


def test_reading_transactions_write_nothing_and_end_in_time(stored: Store) -> None:
    api = confined(stored.engine, statement_timeout_s=0.2)
    with (
        pytest.raises(StoreUnavailableError, match="read-only transaction"),
        scoped_reading(api, EVERYTHING) as connection,
    ):
        connection.execute(text("DELETE FROM budget"))
    with pytest.raises(StoreUnavailableError, match="statement timeout"), scoped_reading(api, EVERYTHING) as connection:
        connection.execute(text("SELECT pg_sleep(60)"))


def test_bookkeeping_may_leave_the_scope_for_the_rest_of_its_transaction(stored: Store) -> None:
    api = confined(stored.engine)
    count = text("SELECT COUNT(*) FROM tenant")
    with scoped_writing(api, SCOPES["one tenant"]) as connection:
        see_everything(connection)
        assert connection.scalar(count) == len(TENANTS)
    with scoped_writing(api, SCOPES["one tenant"]) as connection:
        assert connection.scalar(count) == 1


def test_the_index_of_a_report_is_used_beside_the_policies(stored: Store) -> None:
    """Its own condition decides where PostgreSQL looks, and what a policy compares with is worked out once."""
    plans = {
        "slot_total": "tenant_key = 1 AND slot_start_s >= 0",
        "day_total": "tenant_key = 1 AND day_start_s >= 0",
        "prompt_record": "tenant_key = 1 AND event_key >= '00000000-0000-0000-0000-000000000000'",
        "tenant_day_total": "tenant_key = 1 AND day_start_s >= 0",
        "factor_hour_total": "tenant_key = 1 AND hour_start_s >= 0",
        "factor_day_total": "tenant_key = 1 AND day_start_s >= 0",
        "month_total": "tenant_key = 1 AND month_start_s >= 0",
    }
    for scope in (SCOPES["one tenant"], SCOPES["a team of a tenant"], EVERYTHING):
        for table, condition in plans.items():
            with scoped_reading(confined(stored.engine), scope) as connection:
                connection.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"))
                explained = text(f"EXPLAIN (FORMAT JSON) SELECT * FROM {table} WHERE {condition}")
                plan = json.dumps(connection.scalar(explained))
            assert '"Index Cond": "((tenant_key = 1) AND' in plan, (table, plan)
            assert "InitPlan" in plan
            assert '"Parent Relationship": "SubPlan"' not in plan or "hashed SubPlan" in plan
