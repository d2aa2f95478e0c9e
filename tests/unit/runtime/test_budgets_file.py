"""Budgets of a YAML file: all of them or none, and an error that names the file."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from rice_stream.errors import UsageError
from rice_stream.reports.budgets import budget_statuses
from rice_stream.runtime.budgets_file import apply_budgets_file, read_budgets_file
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import open_engine
from rice_stream.store.scope import EVERYTHING
from tests.support.databases import SqliteDatabases
from tests.support.reports_store import NOON, picked

GOOD = """
budgets:
  - {name: a, tenant_id: acme, limit_gco2e: 5, period: day}
  - {name: b, tenant_id: acme, limit_kwh: 5, period: month}
"""


@pytest.fixture
def engine(sqlite: SqliteDatabases) -> Engine:
    """A migrated database without data."""
    return open_engine(sqlite.migrated())


def apply(engine: Engine, path: Path | None) -> None:
    """As the worker does when it starts."""
    apply_budgets_file(load_settings(environment={} if path is None else {"RICE_BUDGETS_FILE": str(path)}), engine)


def test_the_file_of_the_settings_is_applied_and_others_stay(engine: Engine, tmp_path: Path) -> None:
    """Without such a file nothing happens; a budget that is no longer in it stays as it is."""
    path = tmp_path / "budgets.yaml"
    apply(engine, None)
    assert budget_statuses(engine, EVERYTHING, NOON) == []
    path.write_text(GOOD, "utf-8")
    apply(engine, path)
    path.write_text("[{name: a, tenant_id: acme, limit_gco2e: 7, period: day}]", "utf-8")
    apply(engine, path)
    assert picked(budget_statuses(engine, EVERYTHING, NOON), "name", "limit") == [("a", 7.0), ("b", 5.0)]


@pytest.mark.parametrize("content", [b"budgets: [", b"\xff\xfe\x00"], ids=["no YAML", "no UTF-8"])
def test_what_is_no_yaml_is_said_with_the_name_of_the_file(tmp_path: Path, content: bytes) -> None:
    """For the command line's file as for the worker's."""
    path = tmp_path / "budgets.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"budgets\.yaml is not YAML"):
        read_budgets_file(path)


def test_one_bad_budget_leaves_all_as_they_were(engine: Engine, tmp_path: Path) -> None:
    """The error lists every problem."""
    path = tmp_path / "budgets.yaml"
    path.write_text(GOOD + "  - {name: c, tenant_id: acme, limit_kwh: 5, period: fortnight}", "utf-8")
    with pytest.raises(UsageError, match=r"budgets\[2\]\.period: must be one of"):
        apply(engine, path)
    assert budget_statuses(engine, EVERYTHING, NOON) == []


def test_a_file_that_cannot_be_read_is_named_with_its_setting(engine: Engine, tmp_path: Path) -> None:
    """So that one knows where to look."""
    with pytest.raises(UsageError, match=r"RICE_BUDGETS_FILE: cannot read .*none\.yaml: No such file"):
        apply(engine, tmp_path / "none.yaml")
