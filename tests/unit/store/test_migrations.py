"""Migrations on SQLite (on PostgreSQL: tests/integration/store/test_migrations.py)."""

from pathlib import Path

import pytest

from tests.behaviours.migrations import MigrationBehaviours


@pytest.fixture
def empty_url(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'rice.db'}"


class TestSqliteMigrations(MigrationBehaviours):
    """See the base class."""
