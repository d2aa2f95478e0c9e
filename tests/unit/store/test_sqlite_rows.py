"""Rows arrive on SQLite by an image as they do one by one, in a transaction that keeps all of them or none."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from rice_stream.store import attached_images, sqlite_rows
from rice_stream.store.engine import open_engine
from rice_stream.store.laid_out_rows import RowColumn
from rice_stream.store.sqlite_image import ROWS_MAX
from rice_stream.store.sqlite_rows import FEW, send_rows

N = 2 * FEW
UPSERT = "INSERT INTO amount (name, added, note) {} ON CONFLICT (name) DO UPDATE SET added = added + excluded.added"


@pytest.fixture(params=["file", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine("sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE amount (name BIGINT PRIMARY KEY, added BIGINT, note TEXT) WITHOUT ROWID"
        )
    yield engine
    engine.dispose()


def send(connection: Connection, n: int = N, added: int = 1, statement: str = UPSERT) -> None:
    """Names from 0 on; of every third one nothing is known."""
    names = np.arange(n)
    columns = [
        RowColumn("name", names),
        RowColumn("added", np.where(names % 3 == 0, -1, names + added), nullable=True),
    ]
    send_rows(connection, statement.format, columns, [f"é{name}".encode() for name in names])


def rows(engine: Engine) -> list[tuple[int, int | None, str]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM amount ORDER BY name")]


def databases(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(connection.exec_driver_sql("PRAGMA database_list").all())


def expected(n: int, times: int) -> list[tuple[int, int | None, str]]:
    return [(name, None if name % 3 == 0 else times * (name + 1), f"é{name}") for name in range(n)]


@pytest.mark.parametrize("n", [0, 1, FEW, FEW + 1, N])
@pytest.mark.parametrize("reads_images", [True, False])
def test_however_many_they_are_all_arrive(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, n: int, reads_images: bool
) -> None:
    """Also where SQLite was built without images, and where there are more rows than an image holds."""
    monkeypatch.setattr(attached_images, "_READS_IMAGES", reads_images)
    for rows_max in (ROWS_MAX, FEW + 1):
        monkeypatch.setattr(sqlite_rows, "ROWS_MAX", rows_max)
        with engine.begin() as connection:
            send(connection, n)
    assert rows(engine) == expected(n, times=2)


def test_more_images_than_sqlite_takes_arrive_row_by_row(engine: Engine) -> None:
    """Ten are attached at a time, and none after the transaction, so that the next has room for as many."""
    for _ in range(2):
        with engine.begin() as connection:
            for _ in range(12):
                send(connection)
            assert not attached_images.has_room_for_image(connection)
        assert databases(engine) == 1
    assert rows(engine) == expected(N, times=24)


def test_what_is_rolled_back_leaves_neither_rows_nor_images(engine: Engine) -> None:
    def fail_amid() -> None:
        with engine.begin() as connection:
            send(connection)
            raise RuntimeError("amid a batch")

    with pytest.raises(RuntimeError, match="amid"):
        fail_amid()
    assert rows(engine) == []
    assert databases(engine) == 1


def test_a_known_key_leaves_nothing_of_an_image_behind(engine: Engine) -> None:
    """And what came before in the transaction stays."""
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO amount VALUES (?, 7, 'first')", (N - 1,))
        with pytest.raises(IntegrityError), connection.begin_nested():
            send(connection, statement="INSERT INTO amount {}")
        send(connection, n=FEW + 1)
    assert rows(engine) == [*expected(FEW + 1, times=1), (N - 1, 7, "first")]
