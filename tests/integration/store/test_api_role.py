"""The role `rice_api`: made by migrations, given back by them, taken by logins of its own, and whether it is of use."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from rice_stream.runtime.database_role import DatabaseRoleError, check_role, confinement_problem, open_view_problem
from rice_stream.runtime.opening_api import check_login, open_api_store, open_own_store
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store.engine import open_engine
from rice_stream.store.live_tokens import live_tokens
from rice_stream.store.migrate import migrate
from rice_stream.store.partition_ddl import make_partitions
from rice_stream.store.role_facts import RoleFacts, role_facts
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, scoped_reading, scoped_writing
from tests.support.databases import Databases
from tests.support.pgbouncer import PgBouncer
from tests.support.reports_store import Store, at, open_store
from tests.support.waiting import wait_until

ACME = Scope(frozenset({"acme"}))
RECORDS = text("SELECT COUNT(*) FROM prompt_record")
MakeRole = Callable[[str], str]


@pytest.fixture
def store(postgresql: Databases) -> Iterator[Store]:
    """A database of its own, of two tenants."""
    with open_store(postgresql.migrated()) as store:
        store.add(at("2026-11-22T11:00:00Z"), at("2026-11-22T11:00:01Z", tenant_id="globex"))
        yield store


@pytest.fixture
def make_role(postgres: PostgresServer) -> Iterator[MakeRole]:
    """Roles of the cluster, gone after the test."""
    engine = open_engine(postgres.url("postgres"))
    made: list[str] = []

    def make(options: str) -> str:
        made.append(f"role_{secrets.token_hex(4)}")
        run(engine, f"CREATE ROLE {made[-1]} {options}")
        return made[-1]

    yield make
    for name in reversed(made):
        for database in postgres.databases():
            owned = open_engine(postgres.url(database))
            run(owned, f"DROP OWNED BY {name} CASCADE")
            owned.dispose()
        run(engine, f"DROP ROLE {name}")
    engine.dispose()


def run(engine: Engine, *statements: str) -> None:
    """In one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def as_role(engine: Engine, role: str) -> Engine:
    """Another engine for the same database, that connects as the role."""
    return open_engine(make_url(str(engine.url)).set(username=role).render_as_string(hide_password=False))


def facts_of(engine: Engine) -> RoleFacts:
    facts = role_facts(engine)
    assert facts is not None
    return facts


def has_role(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT to_regrole('rice_api')")) is not None


def policies(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT COUNT(*) FROM pg_policies")) or 0)


def makes_it_as_well(engine: Engine) -> bool:
    """Whether somebody waits for another who makes the role."""
    waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE ROLE rice%' AND wait_event_type = 'Lock')"
    with engine.connect() as connection:
        return bool(connection.scalar(text(waits)))


def test_a_login_role_of_its_own_is_all_that_serve_needs(store: Store, make_role: MakeRole) -> None:
    """It reads tokens and rules for itself, and for its callers what their scopes hold; on its own it sees nothing."""
    login = make_role("LOGIN IN ROLE rice_api")
    engine = as_role(store.engine, login)
    settings = load_settings(
        environment={
            "RICE_DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "RICE_HTTP_HOST": "192.0.2.1",
        }
    )
    api, own = open_api_store(settings), open_own_store(settings)
    assert own is not None
    try:
        for scope, count in ((ACME, 1), (EVERYTHING, 2), (Scope(frozenset()), 0)):
            with scoped_reading(api, scope) as connection:
                assert connection.scalar(RECORDS) == count
        assert live_tokens(own).tokens == ()
        with engine.connect() as connection:
            assert connection.scalar(RECORDS) == 0
    finally:
        for opened in (engine, api, own):
            opened.dispose()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("LOGIN SUPERUSER", "is a superuser"),
        ("LOGIN BYPASSRLS IN ROLE rice_api", "may bypass row-level security"),
        ("LOGIN IN ROLE {owner}, rice_api", "owns the tables"),
        ("LOGIN NOINHERIT IN ROLE {owner}, rice_api", "owns the tables"),
        ("LOGIN", "may not take the role rice_api"),
    ],
)
def test_logins_that_no_policy_holds_are_refused_outside_loopback(
    store: Store, make_role: MakeRole, options: str, why: str
) -> None:
    """With what to run instead; on loopback they are warned of."""
    owner = make_role("NOLOGIN")
    run(store.engine, f"ALTER TABLE prompt_record OWNER TO {owner}")
    engine = as_role(store.engine, make_role(options.format(owner=owner)))
    try:
        with pytest.raises(DatabaseRoleError, match=why):
            check_role(engine, on_loopback=False)
        assert check_role(engine, on_loopback=True) == (None if "may not" in why else "rice_api")
    finally:
        engine.dispose()


def test_serve_does_not_start_with_such_a_login(store: Store) -> None:
    """Outside loopback; while the database is away nothing is known, and what opens it later is refused."""
    url = store.engine.url.render_as_string(hide_password=False)
    environment = {"RICE_DATABASE_URL": url, "RICE_HTTP_HOST": "192.0.2.1"}
    with pytest.raises(DatabaseRoleError, match=r"is a superuser.*IN ROLE rice_api`.*or listen on loopback"):
        check_login(load_settings(environment=environment))
    check_login(load_settings(environment={"RICE_DATABASE_URL": url}))
    nowhere = make_url(url).set(database="not_there").render_as_string(hide_password=False)
    check_login(load_settings(environment={**environment, "RICE_DATABASE_URL": nowhere}))
    with pytest.raises(DatabaseRoleError):
        open_api_store(load_settings(environment=environment))


def test_a_role_of_the_api_that_passes_by_is_refused(store: Store, make_role: MakeRole) -> None:
    """As a member of the owner, say: no login of its own helps then."""
    login, owner = make_role("LOGIN IN ROLE rice_api"), make_role("NOLOGIN")
    run(store.engine, f"ALTER TABLE slot_total OWNER TO {owner}; GRANT {owner} TO rice_api")
    engine = as_role(store.engine, login)
    try:
        with pytest.raises(DatabaseRoleError, match=r"rice_api owns the tables"):
            check_role(engine, on_loopback=False)
        assert check_role(engine, on_loopback=True) is None
    finally:
        engine.dispose()
        run(store.engine, f"REVOKE {owner} FROM rice_api")


def test_policies_and_rights_that_were_taken_away_are_named_and_come_back(store: Store, make_role: MakeRole) -> None:
    """A migration with nothing else to do mends them, and then finds nothing to do."""
    engine = as_role(store.engine, make_role("LOGIN IN ROLE rice_api"))
    for harm, table in {
        "ALTER TABLE day_total DISABLE ROW LEVEL SECURITY": "day_total",
        "DROP POLICY rice_api_scope ON alert": "alert",
        "DROP POLICY rice_everyone ON alert": None,
        "COMMENT ON POLICY rice_api_scope ON budget IS 'another'": "budget",
        "REVOKE SELECT ON tenant FROM rice_api": "tenant",
        "GRANT DELETE ON tenant TO rice_api": None,
        "GRANT UPDATE (time_zone) ON slot_total TO rice_api".replace("time_zone", "prompts"): None,
        "GRANT SELECT ON prompt_record_p202611 TO rice_api": None,
        "GRANT SELECT ON rolling_totals TO rice_api": None,
        "GRANT EXECUTE ON FUNCTION total_range TO rice_api": None,
    }.items():
        run(store.engine, harm)
        if table is not None:
            with pytest.raises(DatabaseRoleError, match=rf"on {table}: run `rice-stream migrate`"):
                check_role(engine, on_loopback=False)
        migrate(store.engine)
        facts = facts_of(engine)
        assert confinement_problem(facts) is None, harm
        assert open_view_problem(facts) is None, harm
        with store.engine.connect() as connection:
            for privilege, on in (
                ("DELETE", "tenant"),
                ("SELECT", "prompt_record_p202611"),
                ("SELECT", "rolling_totals"),
            ):
                query = text(f"SELECT has_table_privilege('rice_api', '{on}', '{privilege}')")
                assert connection.scalar(query) is False
            assert (
                connection.scalar(text("SELECT has_any_column_privilege('rice_api', 'slot_total', 'UPDATE')")) is False
            )
    locks = text(
        "SELECT COUNT(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'prompt_record'::regclass"
    )
    with store.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM prompt_record LIMIT 1"))
        migrate(store.engine)  # waits for nobody who reads
        assert connection.scalar(locks) == 0
    engine.dispose()


def test_views_that_everybody_may_read_are_told(store: Store) -> None:
    assert open_view_problem(facts_of(store.engine)) is None
    run(store.engine, "GRANT SELECT ON hourly_totals TO PUBLIC")
    problem = open_view_problem(facts_of(store.engine))
    assert problem is not None
    assert "may use hourly_totals, which show every tenant" in str(problem)


def test_readers_with_rights_of_their_own_see_what_they_saw(store: Store, make_role: MakeRole) -> None:
    """Of views and of tables, also of partitions; neither settings nor policies concern them."""
    reader = make_role("NOLOGIN")
    run(
        store.engine,
        f"GRANT SELECT ON prompt_emission, rolling_totals, hourly_totals, prompt_record, prompt_record_p202611, budget TO {reader}",
    )
    with store.engine.connect() as connection:
        connection.execute(text(f"SET LOCAL ROLE {reader}"))
        for relation in ("prompt_emission", "prompt_record", "prompt_record_p202611", "hourly_totals"):
            assert connection.scalar(text(f"SELECT COUNT(*) FROM {relation}")) == 2, relation
        assert connection.scalar(text("SELECT COUNT(DISTINCT tenant_id) FROM rolling_totals")) == 2


def test_partitions_of_later_months_are_closed_when_they_are_made(store: Store) -> None:
    make_partitions(store.engine, [700, 701])
    facts = facts_of(store.engine)
    assert facts.open_tables == ()
    with store.engine.connect() as connection:
        made = "SELECT relrowsecurity FROM pg_class WHERE relispartition AND relkind = 'r' AND relname ~ '^prompt_record_p'"
        assert set(connection.scalars(text(made))) == {True}


def test_an_owner_that_may_make_roles_makes_it_and_may_take_it(
    postgresql: Databases, make_role: MakeRole, without_role: None
) -> None:
    """As on loopback, where the server connects as the owner."""
    owner = make_role("LOGIN CREATEROLE")
    engine = open_engine(postgresql.empty())
    run(engine, f"GRANT CREATE ON SCHEMA public TO {owner}")
    mine = as_role(engine, owner)
    try:
        migrate(mine)
        assert has_role(engine)
        facts = facts_of(mine)
        assert (facts.is_ready, facts.login_passes_by) == (True, "owns the tables")
        with scoped_reading(confined(mine), EVERYTHING) as connection:
            assert connection.scalar(text("SELECT current_user")) == "rice_api"
        migrate(mine, "0014")
        assert not has_role(engine)
    finally:
        mine.dispose()
        engine.dispose()


def test_an_owner_that_may_not_is_told_and_a_role_made_by_hand_is_taken_up(
    postgresql: Databases, make_role: MakeRole, without_role: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The database is of full use without it meanwhile."""
    owner = make_role("LOGIN")
    engine = open_engine(postgresql.empty())
    run(engine, f"GRANT CREATE ON SCHEMA public TO {owner}")
    mine = as_role(engine, owner)
    try:
        migrate(mine)
        what_to_run = f"CREATE ROLE rice_api NOLOGIN NOBYPASSRLS; GRANT rice_api TO {owner}"
        assert what_to_run in caplog.text
        assert policies(engine) == 0
        with pytest.raises(DatabaseRoleError, match=r"has no role rice_api: let a role that may make roles run"):
            check_role(mine, on_loopback=False)
        assert check_role(mine, on_loopback=True) is None
        run(engine, what_to_run)
        with pytest.raises(DatabaseRoleError, match="policies or rights of rice_api are not what they should be"):
            check_role(mine, on_loopback=False)
        migrate(mine)
        assert policies(engine) > 0
        assert check_role(mine, on_loopback=True) == "rice_api"
    finally:
        mine.dispose()
        engine.dispose()


def test_the_role_stays_for_other_databases_and_for_its_members(
    postgresql: Databases, make_role: MakeRole, without_role: None
) -> None:
    """The last database that needs it takes it along when it goes back to an older schema."""
    one, two = (open_engine(postgresql.empty()) for _ in range(2))
    try:
        with ThreadPoolExecutor(1) as pool, one.connect() as connection:
            connection.execute(text("CREATE ROLE rice_api"))  # as a migration of the one database does
            migrated = pool.submit(migrate, two)
            wait_until(lambda: migrated.done() or makes_it_as_well(two), 60, "the other migration to wait or to end")
            connection.commit()
            migrated.result(timeout=120)
        migrate(one)
        assert policies(one) == policies(two) > 0
        migrate(one, "0014")
        assert (policies(one), has_role(two)) == (0, True)
        login = make_role("LOGIN IN ROLE rice_api")
        migrate(two, "0014")
        assert has_role(one), "a login is in it"
        run(one, f"REVOKE rice_api FROM {login}")
        migrate(one)
        migrate(one, "0014")
        assert not has_role(one)
    finally:
        one.dispose()
        two.dispose()


def test_a_database_of_the_version_before_is_held_as_well(store: Store) -> None:
    """Records and partitions that were there come under the policies, and stay as they are."""
    before = store.rows("SELECT tenant_key, event_key FROM prompt_record ORDER BY 1, 2")
    migrate(store.engine, "0014")
    assert policies(store.engine) == 0
    migrate(store.engine)
    assert store.rows("SELECT tenant_key, event_key FROM prompt_record ORDER BY 1, 2") == before
    with scoped_reading(confined(store.engine), ACME) as connection:
        assert connection.scalar(RECORDS) == 1
        with pytest.raises(DBAPIError, match="permission denied"):
            connection.scalar(text("SELECT COUNT(*) FROM prompt_record_p202611"))
    store.add(at("2026-11-22T11:30:00Z"))
    with scoped_reading(confined(store.engine), ACME) as connection:
        assert connection.scalar(RECORDS) == 2


def test_scopes_are_kept_apart_behind_a_pooler(shared_directory: Path, postgres: PostgresServer, store: Store) -> None:
    """Callers of several scopes take turns at two sessions of the server, beside one that is not confined."""
    database = store.engine.url.database
    assert database is not None
    with PgBouncer(shared_directory / "pooler", postgres, sessions=2) as pooler:
        engine = open_engine(pooler.url(database))
        api = confined(engine)
        scopes = [(ACME, 1), (EVERYTHING, 2), (Scope(frozenset()), 0), (Scope(frozenset({"globex"})), 1)]

        def ask(number: int) -> None:
            for turn in range(25):
                scope, count = scopes[(number + turn) % len(scopes)]
                with (scoped_writing if turn % 2 else scoped_reading)(api, scope) as connection:
                    assert connection.scalar(RECORDS) == count
                with engine.connect() as connection:
                    assert connection.execute(text("SELECT current_user, COUNT(*) FROM prompt_record")).one()[1] == 2

        with ThreadPoolExecutor(6) as pool:
            for asked in [pool.submit(ask, number) for number in range(6)]:
                asked.result(timeout=120)
        engine.dispose()


@pytest.fixture
def without_role(postgres: PostgresServer) -> Iterator[None]:
    """No database of the server knows the API's role; its other databases get it back."""
    engines = [open_engine(postgres.url(name)) for name in postgres.databases()]
    known = [engine for engine in engines if policies(engine)]
    cluster = open_engine(postgres.url("postgres"))

    def drop() -> None:
        for engine in engines:
            if has_role(cluster):
                run(engine, "DROP OWNED BY rice_api")
        if has_role(cluster):
            run(cluster, "DROP ROLE rice_api")

    drop()
    yield
    for engine in known:
        migrate(engine)
    for engine in (*engines, cluster):
        engine.dispose()
