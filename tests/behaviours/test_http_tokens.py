"""Tokens of the HTTP server in the database: kept as digests, ended by revocation and by time."""

import time

import pytest
from sqlalchemy import Engine, text

from rice_stream.api.access.secrets import digest_of, new_token, prefix_of
from rice_stream.errors import RiceError, UsageError
from rice_stream.store.engine import open_engine
from rice_stream.store.http_tokens import HttpToken, create_token, list_tokens, live_tokens, mark_used, revoke_token
from tests.support.databases import Databases

DAY_US = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def token(name: str = "gateway", expires_at_us: int | None = None, **scope: frozenset[str]) -> tuple[str, HttpToken]:
    """The text and what is kept of it."""
    secret = new_token("ingest")
    kept = HttpToken(
        id=0,
        name=name,
        role="ingest",
        prefix=prefix_of(secret),
        digest=digest_of(secret),
        tenants=scope.get("tenants"),
        teams=scope.get("teams", frozenset()),
        requests_per_s=2.5,
        concurrency=7,
        created_at_us=now_us(),
        expires_at_us=expires_at_us,
    )
    return secret, kept


class TestHttpTokens:
    """On every database."""

    def test_a_token_comes_back_as_it_was_made_and_nothing_of_it_can_be_used(self, engine: Engine) -> None:
        """Neither the database nor a copy of it lets anybody in."""
        secret, kept = token(tenants=frozenset({"acme", 'ti"tle', "*"}), teams=frozenset({"search"}))
        made = create_token(engine, kept)
        assert made.id > 0
        assert (made.tenants, made.teams, made.requests_per_s, made.concurrency) == (
            frozenset({"acme", 'ti"tle', "*"}),
            frozenset({"search"}),
            2.5,
            7,
        )
        assert live_tokens(engine).tokens == (made,)
        with engine.connect() as connection:
            stored = repr(connection.execute(text("SELECT * FROM http_token")).all())
        assert secret not in stored
        assert secret[len(made.prefix) :] not in stored

    def test_every_tenant_is_not_a_tenant_of_that_name(self, engine: Engine) -> None:
        assert create_token(engine, token("all")[1]).tenants is None
        assert create_token(engine, token("star", tenants=frozenset({"*"}))[1]).tenants == frozenset({"*"})

    def test_a_revoked_token_is_listed_and_not_live(self, engine: Engine) -> None:
        """Revoking it again changes nothing; its name is free for another."""
        made = create_token(engine, token()[1])
        with pytest.raises(UsageError, match="gateway"):
            create_token(engine, token()[1])
        revoked = revoke_token(engine, made.id, 5)
        assert (revoked.revoked_at_us, revoke_token(engine, made.id, 9).revoked_at_us) == (5, 5)
        assert live_tokens(engine).tokens == ()
        other = create_token(engine, token()[1])
        assert [one.id for one in list_tokens(engine)] == [made.id, other.id]
        with pytest.raises(UsageError, match="999"):
            revoke_token(engine, 999, 5)

    def test_an_expired_token_is_not_live_by_the_clock_of_the_database(self, engine: Engine) -> None:
        past, future = now_us() - 1_000_000, now_us() + DAY_US
        create_token(engine, token("past", past)[1])
        made = create_token(engine, token("future", future)[1])
        live = live_tokens(engine)
        assert live.tokens == (made,)
        assert abs(live.read_at_us - now_us()) < 60_000_000

    def test_a_database_without_the_table_is_an_error_that_the_server_lives_with(self, database: Databases) -> None:
        """As one that its role may not read: tokens cannot be checked then, and nothing else stops."""
        engine = open_engine(database.migrated())
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE http_token"))
        for ask in (live_tokens, lambda engine: mark_used(engine, {1}, 5)):
            with pytest.raises(RiceError):
                ask(engine)
        engine.dispose()

    def test_use_is_noted(self, engine: Engine) -> None:
        made = create_token(engine, token()[1])
        other = create_token(engine, token("other")[1])
        mark_used(engine, {made.id}, 77)
        assert {one.id: one.last_used_at_us for one in list_tokens(engine)} == {made.id: 77, other.id: None}
