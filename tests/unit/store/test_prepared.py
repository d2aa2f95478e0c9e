"""Statements made ready for the driver: parameters as numbers, in the order in which they are named first."""

import pytest

from rice_stream.store.prepared import statement


@pytest.mark.parametrize(
    ("sql", "numbered", "names"),
    [
        ("SELECT 1", b"SELECT 1", ()),
        (
            "SELECT :b, CAST(:a AS text) WHERE x >= :low_0 AND y < :low_01 AND :b",
            b"SELECT $1, CAST($2 AS text) WHERE x >= $3 AND y < $4 AND $1",
            ("b", "a", "low_0", "low_01"),
        ),
        ("SELECT a::int, ':'", b"SELECT a::int, ':'", ()),
    ],
)
def test_each_name_has_one_number(sql: str, numbered: bytes, names: tuple[str, ...]) -> None:
    made = statement(sql)
    assert (made.numbered, made.names) == (numbered, names)
    assert statement(sql) is made
