"""Migrations on every database: up, down, up again, and the schema is what `rice_stream.store.schema` says."""

import json
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from rice_stream.budgets.parsing import parse_budget
from rice_stream.errors import UsageError
from rice_stream.proof.rebuild import rebuild
from rice_stream.proof.verification import verify
from rice_stream.reports.restatements import named_restatement
from rice_stream.store import schema
from rice_stream.store.budget_store import save_budget
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.migrate import alembic_config, migrate
from rice_stream.store.revisions import current_revision, head_revision
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.watching import watch_user
from tests.support.databases import Databases, SqliteDatabases
from tests.support.fakes import NOON_US, OPERATOR, chunk_of, event
from tests.support.store_checks import TABLES, assert_exact, rows_in, stored_totals
from tests.support.store_running import store

BEFORE_ORDERS = "0030"
VIEWS = {"prompt_emission", "rolling_totals", "rolling_totals_by_team", "hourly_totals"}


@pytest.fixture
def empty(database: Databases) -> Iterator[Engine]:
    """A database in which nothing is."""
    engine = open_engine(database.empty())
    yield engine
    engine.dispose()


def catalogue(engine: Engine) -> list[tuple[object, ...]]:
    """What the database says of everything in it; another value after any change of a definition."""
    query = (
        "SELECT oid, xmin::text, relname::text FROM pg_class UNION ALL SELECT oid, xmin::text, rulename::text"
        " FROM pg_rewrite UNION ALL SELECT attrelid, xmin::text, attname::text FROM pg_attribute ORDER BY 1, 2, 3"
        if engine.dialect.name == "postgresql"
        else "SELECT schema_version, NULL, NULL FROM pragma_schema_version"
        " UNION ALL SELECT rootpage, name, sql FROM sqlite_master"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


class TestMigrations:
    """On every database."""

    def test_up_makes_every_table_and_view(self, empty: Engine) -> None:
        assert current_revision(empty) is None
        assert migrate(empty) == (None, head_revision())
        assert set(schema.metadata.tables) <= set(inspect(empty).get_table_names())
        assert set(inspect(empty).get_view_names()) == VIEWS

    def test_running_it_again_changes_nothing(self, empty: Engine) -> None:
        migrate(empty)
        store(empty, chunk_of([event()]))
        head = head_revision()
        assert migrate(empty) == (head, head)
        assert len(rows_in(empty)("prompt_record")) == 1

    def test_when_nothing_is_to_do_nothing_is_touched(self, empty: Engine) -> None:
        """Not one entry of the database's own tables."""
        migrate(empty)
        before = catalogue(empty)
        migrate(empty)
        assert catalogue(empty) == before

    def test_a_view_that_is_missing_or_another_is_mended(self, empty: Engine) -> None:
        migrate(empty)
        with empty.begin() as connection:
            connection.execute(text("DROP VIEW rolling_totals"))
            connection.execute(text("DROP VIEW hourly_totals"))
            connection.execute(text("CREATE VIEW hourly_totals AS SELECT 1 AS one"))
        migrate(empty)
        assert set(inspect(empty).get_view_names()) == VIEWS
        assert "hour" in {column["name"] for column in inspect(empty).get_columns("hourly_totals")}

    def test_a_view_of_somebody_else_on_top_outlives_an_upgrade(self, empty: Engine) -> None:
        """Also one that changes the view below."""
        migrate(empty)
        with empty.begin() as connection:
            connection.execute(text("DROP VIEW hourly_totals"))
            connection.execute(text("CREATE VIEW hourly_totals AS SELECT tenant_id FROM tenant"))
            connection.execute(text("CREATE VIEW theirs AS SELECT tenant_id FROM hourly_totals"))
        migrate(empty)
        migrate(empty)
        store(empty, chunk_of([event()]))
        assert set(inspect(empty).get_view_names()) == {*VIEWS, "theirs"}
        with empty.connect() as connection:
            assert list(connection.execute(text("SELECT tenant_id FROM theirs")).scalars()) == ["acme"]

    def test_a_revision_that_this_version_does_not_know_is_refused(self, empty: Engine) -> None:
        """Asked for, or found in a database that a newer version has migrated."""
        with pytest.raises(UsageError, match="'nonsense'"):
            migrate(empty, "nonsense")
        migrate(empty)
        with empty.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(UsageError, match=r"'9999'.*newer version"):
            migrate(empty)
        assert set(inspect(empty).get_view_names()) == VIEWS

    def test_a_step_that_fails_leaves_everything_as_it_was(self, empty: Engine) -> None:
        """Tables, views and revision: all steps are one transaction."""
        migrate(empty)
        migrate(empty, "0003")
        with empty.begin() as connection:
            connection.execute(text("CREATE TABLE user_slot_before (k INTEGER)"))
        before = catalogue(empty)
        with pytest.raises(DBAPIError, match="user_slot_before"):
            migrate(empty)
        assert catalogue(empty) == before
        assert current_revision(empty) == "0003"

    def test_down_takes_everything_away_and_up_brings_it_back(self, empty: Engine) -> None:
        """Also when there are records, and partitions made for them."""
        migrate(empty)
        store(empty, chunk_of([event(), event(event_id="e-2", ended_at="2026-12-01T00:00:00Z", started_at=None)]))
        assert migrate(empty, "base") == (head_revision(), None)
        assert set(inspect(empty).get_table_names()) <= {"alembic_version"}
        assert inspect(empty).get_view_names() == []
        assert current_revision(empty) is None
        migrate(empty)
        store(empty, chunk_of([event()]))
        assert_exact(rows_in(empty))

    def test_each_step_goes_down_and_up_again(self, empty: Engine) -> None:
        migrate(empty)
        script = ScriptDirectory.from_config(alembic_config(empty))
        assert script.get_current_head() == head_revision(), "steps are numbered in their order"
        steps = [step.down_revision for step in script.walk_revisions()]
        for revision in steps:
            assert revision is None or isinstance(revision, str), "history is one line, without merges"
            migrate(empty, revision or "base")
            assert current_revision(empty) == revision
        for revision in [*reversed(steps[:-1]), "head"]:
            assert isinstance(revision, str)
            migrate(empty, revision)
        assert current_revision(empty) == head_revision()
        assert set(inspect(empty).get_view_names()) == VIEWS

    def test_totals_that_a_step_adds_are_made_for_the_records_that_are_there(self, empty: Engine) -> None:
        """Days and watched users' finer totals, from before the step: exact, and nothing of the old ones is lost."""
        migrate(empty)
        watch_user(empty, "acme", "u")
        days = [f"2026-11-{day}T{hour}:00:00Z" for day in (20, 21) for hour in ("00", "23")]
        events = [
            event(event_id=f"{at}-{team}", ended_at=at, started_at=None, team_id=team, user_id="u")
            for at in days
            for team in ("red", "blue")
        ]
        store(empty, chunk_of(events))
        before = {table: stored_totals(rows_in(empty), table) for table in TABLES}
        migrate(empty, "0003")
        # Not all columns: an older schema has fewer than the table of today.
        with empty.connect() as connection:
            assert connection.scalars(text("SELECT prompts FROM minute_total")).all() == [2, 2, 2, 2]
        migrate(empty)
        assert {table: stored_totals(rows_in(empty), table) for table in TABLES} == before
        assert len(before["tenant_day_total"]) == 2
        assert_exact(rows_in(empty))

    def test_totals_keep_their_numbers_when_they_become_larger_than_64_bits_can_hold(self, empty: Engine) -> None:
        """To and fro, beside the views; on PostgreSQL with room in the pages for rows that are updated again and again."""
        migrate(empty)
        watch_user(empty, "acme", "u")
        store(empty, chunk_of([event(user_id="u"), event(event_id="e-2", team_id="red")]))
        before = {table: rows_in(empty)(table) for table in TABLES}
        migrate(empty, "0007")
        migrate(empty)
        assert {table: rows_in(empty)(table) for table in TABLES} == before
        # Nothing was corrected: what corrections have added is not known to be 0, but nothing.
        told = [item for rows in before.values() for row in rows for item in row.items()]
        assert all((value is None) if name.startswith("corrected_") else type(value) is int for name, value in told)
        with empty.connect() as connection:
            if empty.dialect.name == "postgresql":
                names = ", ".join(f"'{table}'" for table in TABLES)
                options = text(f"SELECT reloptions FROM pg_class WHERE relname IN ({names})")
                assert connection.scalars(options).all() == [["fillfactor=70"]] * len(TABLES)
        assert_exact(rows_in(empty))

    def test_restatements_of_before_stay_and_those_that_a_version_does_not_know_go(self, empty: Engine) -> None:
        """Dry runs and those that only wait are unknown to the version before; what has posted something goes on there."""
        migrate(empty, BEFORE_ORDERS)
        names = ("method_version", "factor_version", "reason", "author_kind", "author_name", "by_cause")
        ends = [f"{when}_carbon_{end}_ugco2e" for when in ("before", "after") for end in ("low", "mid", "high")]
        columns = ", ".join([*names, "from_us", "to_us", "records", "started_us", *ends])
        values = ", ".join(["'{}'"] * len(names) + ["5"] * (4 + len(ends)))
        insert = f"INSERT INTO restatement (restatement_id, number, state, entries, {columns}) VALUES ('"
        execute(empty, f"{insert}of before', 1, 'done', 2, {values})")
        migrate(empty)
        (old,) = rows_in(empty)("restatement")
        assert (old["basis"], old["dry_run"], old["state"], old["reported_carbon_mid_ugco2e"]) == ("", 0, "done", 5)
        told = named_restatement(empty, EVERYTHING, "of before")
        # What it changed of carbon by the market was not kept, and is no 0.
        assert (told["reported_market_gco2e"], told["materiality_market_percent"]) == (None, None)
        assert told["material"] is False
        execute(empty, f"{insert}waits', 2, 'ordered', 0, {values})")
        execute(empty, f"{insert}has posted', 3, 'failed', 2, {values})")
        migrate(empty, BEFORE_ORDERS)
        with empty.connect() as connection:
            found = connection.execute(text("SELECT restatement_id, state FROM restatement ORDER BY number")).all()
        assert [tuple(row) for row in found] == [("of before", "done"), ("has posted", "running")]
        migrate(empty)

    def test_the_migrations_make_what_the_schema_says(self, empty: Engine) -> None:
        """`alembic check`: no difference, also beside the partitions that data makes."""
        migrate(empty)
        store(empty, chunk_of([event()]))
        command.check(alembic_config(empty))

    def test_states_without_a_budget_go_and_the_others_stay(self, empty: Engine) -> None:
        migrate(empty, "0004")
        add_budgets(empty, (3, "kept", 2, 2), (7, "removed", 1, 1))
        execute(empty, "DELETE FROM budget WHERE id = 7")
        migrate(empty)
        assert ids_and_sequences(empty) == {"kept": (3, 2)}
        assert {row["budget_id"] for row in rows_in(empty)("alert")} == {3, 7}
        migrate(empty, "0004")
        assert ids_and_sequences(empty) == {"kept": (3, 2)}


def test_views_of_others_outlive_a_step_that_makes_a_table_again(
    sqlite: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's way to change a table. The views are on that table, and on a view of ours that is away meanwhile."""
    engine = open_engine(sqlite.migrated())
    migrate(engine, "0003")
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW hourly_totals AS SELECT tenant_id FROM tenant"))
        connection.execute(text("CREATE VIEW theirs AS SELECT tenant_id FROM hourly_totals"))
        connection.execute(text("CREATE VIEW of_budgets AS SELECT name FROM budget"))
    upgrade = command.upgrade

    def upgrade_and_make_again(config: Config, revision: str) -> None:
        upgrade(config, revision)
        connection = config.attributes["bind"]
        connection.execute(text("CREATE TABLE budget_again AS SELECT * FROM budget"))
        connection.execute(text("DROP TABLE budget"))
        connection.execute(text("ALTER TABLE budget_again RENAME TO budget"))

    monkeypatch.setattr(command, "upgrade", upgrade_and_make_again)
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT tenant_id FROM theirs")).all() == []
        assert connection.execute(text("SELECT name FROM of_budgets")).all() == []
    engine.dispose()


def test_budgets_that_had_the_id_of_another_on_sqlite_get_one_of_their_own(sqlite: SqliteDatabases) -> None:
    """Named otherwise, or made again by the same name; ids that only alerts remember are not given out either."""
    engine = open_engine(sqlite.empty())
    migrate(engine, "0004")
    add_budgets(engine, (1, "first", 3, 3), (2, "again", 9, 9), (3, "own", 2, 2), (8, "last", 1, 1))
    execute(
        engine,
        "DELETE FROM budget WHERE name IN ('first', 'again', 'last')",
        "DELETE FROM budget_state WHERE budget_id <> 3",
    )
    add_budgets(engine, (1, "second", 3, 0), (2, "again", 4, 0), (4, "odd", None, 0))
    migrate(engine)
    assert ids_and_sequences(engine) == {"own": (3, 2), "odd": (4, None), "second": (9, 3), "again": (10, 4)}
    execute(engine, "DELETE FROM budget WHERE id >= 4")
    wanted = parse_budget({"name": "new", "tenant_id": "acme", "limit_gco2e": 5, "period": "day"})
    with writing(engine) as connection:
        save_budget(connection, wanted, NOON_US)
    assert ids_and_sequences(engine)["new"] == (11, None)
    engine.dispose()


def execute(engine: Engine, *statements: str) -> None:
    """Change something behind everybody's back."""
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(text(statement))


def add_budgets(engine: Engine, *budgets: tuple[int, str, int | None, int]) -> None:
    """Budgets as (id, name, sequence of the state, count of alerts); without a sequence there is no JSON in the state."""
    for budget_id, name, sequence, alerts in budgets:
        state = "odd" if sequence is None else json.dumps({"sequence": sequence})
        with writing(engine) as connection:
            values = {"id": budget_id, "name": name, "state": state}
            connection.execute(
                text(
                    "INSERT INTO budget (id, tenant_id, name, limit_amount, unit, period, time_zone, thresholds, estimate,"
                    " hysteresis, updated_at_us) VALUES (:id, 'acme', :name, 5, 'kwh', 'day', 'UTC', '[1.0]', 'mid', 0, 0)"
                ),
                values,
            )
            connection.execute(text("INSERT INTO budget_state VALUES (:id, :state)"), values)
            for number in range(1, alerts + 1):
                connection.execute(
                    text(
                        "INSERT INTO alert VALUES (:alert, 'acme', :id, :name, 0, 1.0, 'exceeded', :number, 0, NULL, '{}')"
                    ),
                    {**values, "alert": f"{name}-{number}", "number": number},
                )


def ids_and_sequences(engine: Engine) -> dict[str, tuple[int, int | None]]:
    """Of every budget, by name: its id, and the sequence in the state of that id."""
    states = {row["budget_id"]: row["state"] for row in rows_in(engine)("budget_state")}
    found = {}
    # Not all columns: an older schema has fewer than the table of today.
    with engine.connect() as connection:
        budgets = connection.execute(text("SELECT id, name FROM budget")).all()
    for budget_id, name in budgets:
        state = states.get(budget_id, "odd")
        found[name] = (budget_id, None if state == "odd" else json.loads(state)["sequence"])
    return found


def test_a_total_that_has_become_a_float_on_sqlite_is_found_and_can_be_rebuilt(sqlite: SqliteDatabases) -> None:
    """From before the constraints."""
    engine = open_engine(sqlite.empty())
    migrate(engine)
    store(engine, chunk_of([event()]))
    migrate(engine, "0007")
    execute(engine, "UPDATE minute_total SET carbon_high_ugco2e = 9223372036854775807 + 1")
    migrate(engine)
    assert [one["measure"] for one in verify(engine)["differences"]] == ["carbon_high_ugco2e"]
    rebuild(engine, by=OPERATOR)
    assert_exact(rows_in(engine))
    engine.dispose()
