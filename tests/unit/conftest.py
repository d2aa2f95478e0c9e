"""What the unit tests share."""

from pathlib import Path

import pytest


@pytest.fixture
def sqlite_file(tmp_path: Path) -> str:
    """The URL of a database file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'rice.db'}"
