"""Migrations on a real PostgreSQL."""

from collections.abc import Callable

import pytest

from tests.behaviours.migrations import MigrationBehaviours


@pytest.fixture
def empty_url(postgres_url: Callable[[], str]) -> str:
    """A database of its own."""
    return postgres_url()


class TestPostgresMigrations(MigrationBehaviours):
    """See the base class."""
