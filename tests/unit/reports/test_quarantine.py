"""The quarantine on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.behaviours.quarantine import QuarantineSuite
from tests.support.reports_store import Store, migrated_file, sqlite_store


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_file(tmp_path_factory.mktemp("template"))


class TestQuarantine(QuarantineSuite):
    """The suite, on SQLite."""

    @pytest.fixture
    def store(self, template: Path, tmp_path: Path) -> Iterator[Store]:
        with sqlite_store(template, tmp_path) as store:
            yield store
