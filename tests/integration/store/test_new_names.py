"""Names get their numbers on PostgreSQL whatever they are made of, and are found again by whoever asks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DataError

from rice_stream.store import schema
from rice_stream.store.array_texts import array_of_numbers, array_of_texts
from rice_stream.store.dimensions import AttributionIdentity, Dimensions
from rice_stream.store.engine import open_engine, reading
from tests.support.databases import Databases

UNUSUAL = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    "{}",
    "a,b",
    '","',
    '\\"',
    " ",
    " x ",
    "\n",
    "ä",
    "😀",
    "A",
    "a",
    '{"a"}',
    "\x01",
    "%s",
    ":w0",
]
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(UNUSUAL)


@pytest.fixture
def engine(postgresql: Databases) -> Iterator[Engine]:
    """Without data."""
    engine = open_engine(postgresql.emptied())
    yield engine
    engine.dispose()


def test_arrays_are_what_was_written(engine: Engine) -> None:
    """Every text and number comes back."""

    @settings(max_examples=200, deadline=None)
    @given(texts=st.lists(NAMES), numbers=st.lists(st.integers(-(2**31), 2**31 - 1)))
    def comes_back(texts: list[str], numbers: list[int]) -> None:
        with reading(engine) as connection:
            found = connection.execute(
                text("SELECT CAST(:texts AS text[]), CAST(:numbers AS int4[])"),
                {"texts": array_of_texts(texts), "numbers": array_of_numbers(numbers)},
            ).one()
        assert tuple(found) == (texts, numbers)

    comes_back()


def test_names_of_anything_are_kept_as_they_are(engine: Engine) -> None:
    """Each has a number of its own, the same for another worker, and no other name is found instead."""
    first, second = Dimensions(engine), Dimensions(engine)
    named = [name for name in UNUSUAL if name]
    tenants = first.tenants(named)
    assert second.tenants(reversed(named)) == tenants
    assert sorted(tenants.values()) == list(range(1, len(named) + 1))
    users = [(tenant_key, name) for tenant_key in (1, 2) for name in named]
    keys = first.principals("user", users)
    assert second.principals("user", users) == keys
    assert set(second.principals("api_key", users[:1])) == {users[0]}
    said = [AttributionIdentity(1, team, project, "s") for team in UNUSUAL for project in UNUSUAL[:3]]
    attributions = first.attributions(said)
    assert second.attributions(reversed(said)) == attributions
    assert len(set(attributions.values())) == len(said)
    principal = schema.principal.c
    with reading(engine) as connection:
        rows = connection.execute(
            select(principal.tenant_key, principal.name, principal.principal_key).where(principal.kind == "user")
        )
        assert {(tenant_key, name): key for tenant_key, name, key in rows} == keys


@pytest.mark.parametrize("name", ["a\0b", "\0", "\ud83d"])
def test_what_postgresql_cannot_hold_is_refused(engine: Engine, name: str) -> None:
    """And nothing of its statement is kept."""
    with pytest.raises((DataError, UnicodeEncodeError)):
        Dimensions(engine).principals("user", [(1, "before"), (1, name)])
    with reading(engine) as connection:
        assert connection.scalars(select(schema.principal.c.name)).all() == []


def test_workers_that_meet_the_same_thousands_at_once_agree(engine: Engine) -> None:
    users = [(1, f"user-{number}") for number in range(3_000)]
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(Dimensions(engine).principals, "user", users[start:]) for start in (0, 500, 1_000)]
        of_all, *of_some = [each.result() for each in asked]
    assert sorted(of_all.values()) == list(range(1, len(users) + 1))
    for found in of_some:
        assert found == {user: of_all[user] for user in found}
