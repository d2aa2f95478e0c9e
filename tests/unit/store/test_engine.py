"""Opening SQLite: a new database is its owner's alone, whatever the umask and however its URL is spelled."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rice_stream.store.engine import StoreUnavailableError, open_engine, writing

PRIVATE = 0o600


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """Files that nobody restricts are readable and writable for all."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    """Name -> permissions of every file."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


@pytest.mark.parametrize("url", ["sqlite:///{}/rice.db", "sqlite:///file:{}/rice.db?uri=true"])
def test_a_new_database_and_its_logs_are_readable_for_their_owner_only(tmp_path: Path, url: str) -> None:
    """It holds the names of users."""
    engine = open_engine(url.format(tmp_path))
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert modes(tmp_path) == {"rice.db": PRIVATE, "rice.db-wal": PRIVATE, "rice.db-shm": PRIVATE}
    engine.dispose()


def test_a_database_that_is_there_keeps_the_permissions_that_its_owner_gave_it(tmp_path: Path) -> None:
    """A group may be meant to read it."""
    (tmp_path / "rice.db").touch(0o640)
    engine = open_engine(f"sqlite:///{tmp_path}/rice.db")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    assert modes(tmp_path)["rice.db"] == 0o640
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_a_database_in_memory_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    engine.dispose()
    assert modes(tmp_path) == {}


def test_a_place_where_no_file_can_be_made_is_said_as_before(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/no/such/folder/rice.db")
    with pytest.raises(StoreUnavailableError, match="unable to open database file"), writing(engine):
        pass
