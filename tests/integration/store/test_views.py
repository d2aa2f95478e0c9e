"""The views on a real PostgreSQL."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.behaviours.views import ViewBehaviours


@pytest.fixture
def engine(postgres_url: Callable[[], str]) -> Iterator[Engine]:
    """A migrated database of its own."""
    engine = open_engine(postgres_url())
    migrate(engine)
    yield engine
    engine.dispose()


class TestPostgresViews(ViewBehaviours):
    """See the base class."""
