"""What budgets consumed, on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.behaviours.consumption import ConsumptionSuite
from tests.support.reports_store import Store, migrated_file, sqlite_store


class TestConsumption(ConsumptionSuite):
    """The suite, on SQLite."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with sqlite_store(migrated_file(tmp_path), tmp_path) as store:
            yield store
