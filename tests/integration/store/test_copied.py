"""Reading by column through COPY: every row once, and an error in the middle of it is told as it is."""

import pytest
from sqlalchemy import text

from rice_stream.store.copied import copied
from rice_stream.store.engine import open_engine, reading
from rice_stream.store.failures import NotStorableError
from tests.support.databases import Databases

_ROWS = "SELECT n::bigint AS n, 'name ' || n AS name FROM generate_series(1, :rows) n"


@pytest.mark.parametrize("rows", [0, 1, 2, 50_000])
def test_every_row_is_read_once_in_its_order(postgresql: Databases, rows: int) -> None:
    """However many of them arrive together; the connection can be used again."""
    engine = open_engine(postgresql.migrated())
    with reading(engine) as connection:
        found = copied(connection, _ROWS, {"rows": rows}, {"n": "int8"})
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
    assert found.columns["n"].tolist() == list(range(1, rows + 1))
    assert list(found.texts) == [f"name {number}" for number in range(1, rows + 1)]


@pytest.mark.parametrize("width", [0, 1, 2])
def test_texts_of_one_width_lie_one_after_another(postgresql: Databases, width: int) -> None:
    """Also those of one byte each: files are written of them as they lie."""
    select = "SELECT n::bigint AS n, repeat('x', :width) AS name FROM generate_series(1, 5) n"
    engine = open_engine(postgresql.migrated())
    with reading(engine) as connection:
        found = copied(connection, select, {"width": width}, {"n": "int8"})
    engine.dispose()
    assert list(found.texts) == ["x" * width] * 5
    assert found.texts.flat.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("last", [1, 3, 40_000])
def test_an_error_after_some_rows_is_the_databases_own(postgresql: Databases, last: int) -> None:
    """Nothing is taken for the whole answer; the connection is fit for use after the transaction is undone."""
    failing = "SELECT (1 / (:last - n))::bigint AS n, 'x' AS name FROM generate_series(1, 50000) n"
    engine = open_engine(postgresql.migrated())
    with reading(engine) as connection:
        with pytest.raises(NotStorableError, match="DivisionByZero"):
            copied(connection, failing, {"last": last}, {"n": "int8"})
        connection.rollback()
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
