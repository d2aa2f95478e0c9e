"""A batch on a schema that another version has made meanwhile: nothing of it is stored, and one sentence says what to do."""

import pytest

from rice_stream.store.engine import StoreUnavailableError
from rice_stream.store.revisions import SchemaChangedError, head_revision, schema_change_told
from tests.support.fakes import event
from tests.support.reports_store import Store
from tests.support.store_checks import assert_exact, rows_in


class TestSchemaChanges:
    """On every database."""

    @pytest.mark.parametrize(
        ("revision", "what_to_do"),
        [("9999", "start a version that works with it"), ("0001", "run `rice-stream migrate`")],
    )
    def test_a_batch_on_another_schema_is_not_stored(self, store: Store, revision: str, what_to_do: str) -> None:
        """A newer one or an older one, after batches on the right one; back on the right one it goes on."""
        store.add(event())
        store.execute("UPDATE alembic_version SET version_num = :revision", revision=revision)
        with pytest.raises(SchemaChangedError, match=f"schema {revision}, this version works with .*{what_to_do}"):
            store.add(event(event_id="e-2"), b"no event")
        assert [row["event_id"] for row in rows_in(store.engine)("prompt_record")] == ["e-1"]
        assert rows_in(store.engine)("quarantine") == []
        store.execute("UPDATE alembic_version SET version_num = :revision", revision=head_revision())
        store.add(event(event_id="e-2"), b"no event")
        assert_exact(rows_in(store.engine))

    def test_a_database_without_a_schema_is_told_as_one(self, store: Store) -> None:
        """Somebody has gone back to the very beginning."""
        store.execute("DELETE FROM alembic_version")
        with pytest.raises(SchemaChangedError, match="schema none, this version works with"):
            store.add(event())

    def test_what_fails_because_of_another_schema_is_told_as_that(self, store: Store) -> None:
        """Whatever statement meets it first; on the same schema an error stays what it is."""

        def ask() -> None:
            with schema_change_told(store.engine, head_revision()):
                raise StoreUnavailableError("no such column: r.gone")

        with pytest.raises(StoreUnavailableError):
            ask()
        store.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaChangedError, match="start a version that works with it"):
            ask()
